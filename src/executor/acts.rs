//! The cores' end of the server's API: what is to be done comes in, and each answer goes back.
//!
//! An act is a session without a socket ([`ConnectionId::acting`]): it is handed to the hub as what a client says would be,
//! and the first frame that the hub sends it is the answer.

use super::bell::Bell;
use super::event_loop::give_way;
use super::shard::{Shard, SharedShard};
use chatd_chat::model::act::{AccountAct, Act, Actor, Announcement};
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::port::effect::Frame;
use chatd_chat::port::event::Event;
use chatd_chat::wire::frame::Terminator;
use chatd_chat::wire::request;
use flume::{Receiver, Sender};
use rustc_hash::FxHashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Acts that wait for a core; more are refused.
const CALLS: usize = 256;
/// Acts that a core takes in before it lets others run.
const CALLS_A_TURN: usize = 16;

/// Something to be done.
#[derive(Debug)]
pub(super) struct Call {
    /// What the answer is to carry.
    pub(super) number: u64,
    /// What is to be done.
    pub(super) deed: Deed,
}

/// What a core is to do.
#[derive(Debug)]
pub(super) enum Deed {
    /// What a session of this user would be asked by this frame.
    Frame(Actor, Vec<u8>),
    /// Something with an account.
    Account(AccountAct),
    /// Everybody is told something.
    Announce(Announcement),
}

/// What came of a call.
#[derive(Debug)]
pub(super) struct Answer {
    /// The number of the call.
    pub(super) number: u64,
    /// A JSON object; empty if the act was cut off.
    pub(super) bytes: Vec<u8>,
}

/// The other end: the lines to all cores, for the thread of the API.
#[derive(Clone, Debug)]
pub struct ActLines {
    cores: Vec<CoreLine>,
    pub(super) answers: Receiver<Answer>,
    /// Rung when there are answers.
    pub(super) bell: Arc<Bell>,
}

/// The line to one core.
#[derive(Clone, Debug)]
struct CoreLine {
    calls: Sender<Vec<Call>>,
    /// Acts that the core has not begun.
    waiting: Arc<AtomicUsize>,
}

/// What is asked for in one turn of the API's thread, by core: a core is woken once for all of it.
#[derive(Debug)]
pub(super) struct Turn(Vec<Vec<Call>>);

/// One core's end.
#[derive(Debug)]
pub(super) struct ActLine {
    pub(super) calls: Calls,
    pub(super) acting: Acting,
}

/// The acts that come to one core.
#[derive(Debug)]
pub(super) struct Calls {
    turns: Receiver<Vec<Call>>,
    waiting: Arc<AtomicUsize>,
}

/// The acts of one core that are not answered yet.
#[derive(Debug)]
pub(super) struct Acting {
    answers: Sender<Answer>,
    bell: Arc<Bell>,
    /// By the number of the acting session: the number of the call.
    open: FxHashMap<u32, u64>,
    last: u32,
}

/// The lines to so many cores.
///
/// # Errors
/// If the system gives no descriptor.
pub(super) fn lines(cores: usize) -> io::Result<(ActLines, Vec<ActLine>)> {
    let bell = Arc::new(Bell::new()?);
    // As many as there are calls, which are bounded.
    let (answer, answers) = flume::unbounded();
    let (mut senders, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..cores {
        // It holds no more than may wait.
        let (calls, turns) = flume::unbounded();
        let waiting = Arc::new(AtomicUsize::new(0));
        senders.push(CoreLine { calls, waiting: waiting.clone() });
        let calls = Calls { turns, waiting };
        let acting =
            Acting { answers: answer.clone(), bell: bell.clone(), open: FxHashMap::default(), last: 0 };
        ends.push(ActLine { calls, acting });
    }
    Ok((ActLines { cores: senders, answers, bell }, ends))
}

impl ActLines {
    /// A turn in which nothing was asked for.
    pub(super) fn turn(&self) -> Turn {
        Turn(self.cores.iter().map(|_| Vec::new()).collect())
    }

    /// Has something done by the core that serves `key`, when the turn is handed over: what is done for one user is done
    /// in the order asked.
    ///
    /// # Errors
    /// With the call, if too many wait there, or the core is gone.
    pub(super) fn call(&self, turn: &mut Turn, key: u32, call: Call) -> Result<(), Call> {
        let core = key as usize % self.cores.len();
        let CoreLine { calls, waiting } = &self.cores[core];
        // This thread alone makes it more.
        if calls.is_disconnected() || waiting.load(Ordering::Relaxed) >= CALLS {
            return Err(call);
        }
        waiting.fetch_add(1, Ordering::Relaxed);
        turn.0[core].push(call);
        Ok(())
    }

    /// The turn is over: the cores hear what is asked of them.
    pub(super) fn hand_over(&self, turn: &mut Turn) {
        for (line, calls) in self.cores.iter().zip(&mut turn.0).filter(|(_, calls)| !calls.is_empty()) {
            // It fails if the core has ended; then nobody answers, and that has its deadline.
            let _ = line.calls.send(std::mem::take(calls));
        }
    }
}

impl Calls {
    /// Acts that wait for the core.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

impl Acting {
    fn begin(&mut self, number: u64) -> ConnectionId {
        self.last = self.last.wrapping_add(1);
        self.open.insert(self.last, number);
        ConnectionId::acting(self.last)
    }

    /// The hub has sent something to an acting session, or cuts it off: the answer, if it has none yet. Whether this was
    /// it.
    pub(super) fn answer(&mut self, id: ConnectionId, frame: Option<&Frame>) -> bool {
        let Some(number) = self.open.remove(&id.generation) else { return false };
        let mut bytes = Vec::new();
        if let Some(frame) = frame {
            frame.write(&mut bytes);
        }
        // It fails if the thread of the API has ended.
        let _ = self.answers.send(Answer { number, bytes });
        self.bell.ring();
        true
    }
}

impl Shard {
    fn act(&mut self, call: Call) {
        let connection = self.acting.begin(call.number);
        match call.deed {
            Deed::Account(act) => self.feed(Event::Acted { connection, act: Act::Account(act) }),
            Deed::Announce(announcement) => {
                self.feed(Event::Acted { connection, act: Act::Announce(announcement) });
            }
            Deed::Frame(actor, mut frame) => {
                self.feed(Event::Acted { connection, act: Act::As(actor) });
                let (terminator, parsed) =
                    (Terminator::Newline, request::parse(&mut frame, &mut self.parser, &self.limits));
                match parsed {
                    Ok(request) => self.feed(Event::Request { connection, terminator, request }),
                    Err(fault) => self.feed(Event::BadFrame { connection, fault }),
                }
            }
        }
    }
}

/// Hands calls to the hub as they come, until the thread of the API is gone.
pub(super) async fn receive(shard: SharedShard, Calls { turns, waiting }: Calls) {
    while let Ok(turn) = turns.recv_async().await {
        let mut calls = turn.into_iter();
        while calls.len() > 0 {
            {
                let mut shard = shard.borrow_mut();
                shard.begin_turn();
                for call in calls.by_ref().take(CALLS_A_TURN) {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                    shard.act(call);
                }
            }
            give_way().await;
        }
    }
}
