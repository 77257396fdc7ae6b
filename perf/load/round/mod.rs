//! One round: drives a fleet through a plan (open loop) or as fast as answers come (closed loop).
//!
//! One thread, one epoll, no allocation a message while sockets keep up. Waiting: the thread sleeps on a timerfd
//! until `SPIN_NS` before the next intended send, because waking up takes a kernel some tens of microseconds, and
//! spins through the rest, looking at its sockets all the while.

mod hear;
mod send;

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::epoll;

use super::clock::Clock;
use super::fleet::{Fleet, Talk};
use super::timer::{self, TIMER};
use crate::measure::{Interval, Live, Recorder};
use crate::plan;
use crate::wire::{Acks, Confirmation};

/// How messages are let loose.
#[derive(Clone, Copy)]
pub enum Pace<'a> {
    /// As planned, whatever the server does.
    Open(&'a [plan::Send]),
    /// So many under way a talk; the next leaves when one has come, until the window ends or `messages_max` have
    /// left.
    Closed { under_way: u32, messages_max: u64 },
}

/// What the load thread does when nothing is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Waiting {
    /// Sleep, and wake shortly before the next intended send.
    Sleep,
    /// Never sleep: the server never pays for waking the generator.
    Spin,
}

/// What one round is to do. All times on the run's clock.
pub struct Orders<'a> {
    pub pace: Pace<'a>,
    pub start_ns: u64,
    /// Messages meant to leave inside are measured; those before warm up. Sending stops at its end.
    pub window: Range<u64>,
    /// After the last send, deliveries are awaited until none has come for this long.
    pub patience_ns: u64,
    pub waiting: Waiting,
    pub clock: Clock,
    pub live: &'a Live,
    /// How long a slice of time is, of which the live line and the series of the report are made.
    pub slice_ns: u64,
    /// Set from outside to end early.
    pub stop: &'a AtomicBool,
}

/// The generator spins when the next intended send is nearer than this.
const SPIN_NS: u64 = 100_000;
/// Sends of one turn. Far more than are due while the generator is punctual; when it is not, many fall on the same
/// connection and leave in one write, so that falling behind makes sending cheaper and the generator catches up.
const SENDS_A_TURN: usize = 1024;
/// Events of one turn: few, so that what becomes due meanwhile does not wait for long.
const EVENTS_A_TURN: usize = 32;
/// Nothing is slept through longer than this, so that a stop is noticed.
const SLEEP_MS: i64 = 50;
const READ_BYTES: usize = 64 * 1024;

/// Drives the fleet through one round. Fails only if the machinery of this process does. What the last interval holds
/// comes back; those before it went through `orders.live`.
pub fn run_round(fleet: &mut Fleet, orders: &Orders) -> io::Result<(Recorder, Interval)> {
    let mut round = Round {
        fleet,
        orders,
        recorder: Recorder::new(),
        interval: Interval::new(),
        next_send: 0,
        dirty: Vec::with_capacity(SENDS_A_TURN),
        buffer: vec![0; READ_BYTES].into_boxed_slice(),
        last_activity_ns: orders.start_ns,
        confirmation: Confirmation::default(),
        begun: Begun::No,
    };
    round.interval.start_ns = orders.start_ns;
    round.run()?;
    round.interval.end_ns = orders.clock.now_ns();
    Ok((round.recorder, round.interval))
}

#[derive(PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

struct Round<'a> {
    fleet: &'a mut Fleet,
    orders: &'a Orders<'a>,
    recorder: Recorder,
    interval: Interval,
    /// The first of the plan that has not been let loose.
    next_send: usize,
    /// Talks with something fresh to send, this turn.
    dirty: Vec<u32>,
    buffer: Box<[u8]>,
    /// The newest delivery or intended send.
    last_activity_ns: u64,
    /// v2: what the reader of the connection that is being heard has got.
    confirmation: Confirmation,
    /// Whether a closed loop has let its first messages loose.
    begun: Begun,
}

impl Round<'_> {
    fn run(&mut self) -> io::Result<()> {
        self.fleet.talks.iter_mut().for_each(Talk::restart);
        let mut events = Vec::with_capacity(EVENTS_A_TURN);
        loop {
            let now_ns = self.orders.clock.now_ns();
            if self.is_over(now_ns) {
                break;
            }
            self.let_loose(now_ns);
            self.wait(&mut events)?;
            for event in events.drain(..) {
                if event.data.u64() != TIMER {
                    self.attend(event.data.u64() as usize, event.flags);
                }
            }
            self.show(now_ns);
        }
        let counts = &mut self.recorder.counts;
        for talk in &mut self.fleet.talks {
            counts.lost += talk.missing();
            if self.fleet.acks == Acks::Asked {
                counts.acks_lost += talk.acked.missing(talk.next_sequence);
            }
            talk.due.clear();
        }
        Ok(())
    }

    /// Over when all that was ever to leave has come, or when nothing has come for a long time.
    fn is_over(&self, now_ns: u64) -> bool {
        let counts = &self.recorder.counts;
        let all_intended = match self.orders.pace {
            Pace::Open(sends) => self.next_send == sends.len(),
            Pace::Closed { .. } => self.begun == Begun::Yes && !self.may_go_on(now_ns),
        };
        let is_silent = now_ns > self.last_activity_ns + self.orders.patience_ns;
        let has_all_come = counts.delivered == counts.expected && counts.acked == counts.acks_expected;
        (all_intended && (has_all_come || is_silent)) || self.orders.stop.load(Ordering::Relaxed)
    }

    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let at_most_ms = match self.next_moment() {
            _ if self.orders.waiting == Waiting::Spin => 0,
            None => SLEEP_MS,
            Some(moment_ns) => {
                let gap_ns = moment_ns.saturating_sub(self.orders.clock.now_ns());
                if gap_ns <= SPIN_NS {
                    0
                } else {
                    self.fleet.timer.set(gap_ns - SPIN_NS)?;
                    SLEEP_MS
                }
            }
        };
        timer::wait(&self.fleet.epoll, events, Some(at_most_ms))
    }

    /// When this thread next has something to do of its own accord.
    fn next_moment(&self) -> Option<u64> {
        match self.orders.pace {
            Pace::Open(sends) => sends.get(self.next_send).map(|send| self.orders.start_ns + send.at_ns),
            Pace::Closed { .. } => (self.begun == Begun::No).then_some(self.orders.start_ns),
        }
    }

    fn show(&mut self, now_ns: u64) {
        if now_ns >= self.interval.start_ns + self.orders.slice_ns {
            self.interval.end_ns = now_ns;
            self.orders.live.offer(&mut self.interval);
        }
    }
}
