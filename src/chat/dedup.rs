//! The dedup window: a user's last messages with a cid, and what they were answered.
//!
//! A message that was said before gets the same answer again, and one that says something else under
//! the same cid is refused: both without a push and without the store. The window follows its user to
//! the next login on any core of this server ([`Ask::Remember`]). The store remembers all of them: what
//! is not in the window is pushed at once and may be seen twice.

use super::ask::Ask;
use super::effect::Effect;
use super::envelope::{Envelope, Target};
use super::hub::{About, Hub};
use super::ids::{MessageId, Millis, SessionId, UserId};
use super::pending::Pending;
use super::wire::code::Code;
use super::wire::reply::{self, Outcome};
use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// Answers that a message is owed at most besides its own. Above: 110.
const REPEATS: u32 = 255;

/// Messages with a cid, oldest first, `dedup_cids` at most.
///
/// Invariant: both queues are of one length. Texts are not kept, only 64 bits of hash of each: of the
/// cid, and of target and text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DedupWindow {
    /// Hashes of the cids; 0 for a message that was refused.
    names: VecDeque<u64>,
    said: VecDeque<Said>,
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Said {
    content: u64,
    /// Its id; once it is answered, the one that the answer has.
    mid: MessageId,
    ts: Millis,
    pos: Option<u64>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Its answer is to come, and so many more of the same.
    Asked {
        repeats: u32,
    },
    Answered,
}

/// What a cid and what is said under it are known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    name: u64,
    content: u64,
}

impl Named {
    fn of(cid: &str, target: Target, msg: &str) -> Self {
        let hash = |it: &dyn Fn(&mut FxHasher)| {
            let mut hasher = FxHasher::default();
            it(&mut hasher);
            hasher.finish()
        };
        let name = hash(&|hasher| cid.hash(hasher)).max(1);
        Self { name, content: hash(&|hasher| (target, msg).hash(hasher)) }
    }
}

/// Whether a message was said before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Met {
    /// Not that is known.
    Fresh,
    /// It was, and is not answered yet.
    Asked,
    /// It was, and this was the answer.
    Answered { mid: MessageId, ts: Millis, pos: Option<u64> },
    /// It was, is not answered yet, and was repeated so often that one more answer is too many.
    TooOften,
    /// Something else was said under its cid.
    OtherContent,
}

impl DedupWindow {
    /// Messages that it has.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Looks a message up. If its answer is to come, it will come once more.
    fn meet(&mut self, named: Named) -> Met {
        let Some(said) = self.find(named.name).and_then(|at| self.said.get_mut(at)) else {
            return Met::Fresh;
        };
        if said.content != named.content {
            return Met::OtherContent;
        }
        match &mut said.state {
            State::Asked { repeats } if *repeats == REPEATS => Met::TooOften,
            State::Asked { repeats } => {
                *repeats += 1;
                Met::Asked
            }
            State::Answered => Met::Answered { mid: said.mid, ts: said.ts, pos: said.pos },
        }
    }

    /// Takes in a message that was done under this id, in tests.
    #[cfg(test)]
    pub fn note(&mut self, cid: &str, mid: MessageId) {
        let target = Target::User(UserId::new(1).expect("an id"));
        self.push(Named::of(cid, target, ""), mid, usize::MAX);
        self.answer(mid, Some((mid, Millis(0), None)));
    }

    fn find(&self, name: u64) -> Option<usize> {
        // Whole blocks first: the compiler compares several names at a time.
        const BLOCK: usize = 16;
        let within = |names: &[u64]| {
            let has = |block: &[u64]| block.iter().fold(false, |any, it| any | (*it == name));
            let from = names.chunks(BLOCK).position(has)? * BLOCK;
            names[from..].iter().position(|it| *it == name).map(|at| from + at)
        };
        let (front, back) = self.names.as_slices();
        within(front).or_else(|| within(back).map(|at| front.len() + at))
    }

    /// Takes in a message whose answer is to come. The oldest makes room, if it is answered.
    fn push(&mut self, named: Named, mid: MessageId, most: usize) {
        if self.said.len() >= most {
            let is_awaited = |said: &Said| matches!(said.state, State::Asked { .. });
            if self.said.front().is_none_or(is_awaited) {
                return;
            }
            self.names.pop_front();
            self.said.pop_front();
        }
        self.names.push_back(named.name);
        let state = State::Asked { repeats: 0 };
        self.said.push_back(Said { content: named.content, mid, ts: Millis(0), pos: None, state });
    }

    /// The answer to a message has come: it is done, or refused and forgotten. How often more than once
    /// it is to be given.
    fn answer(&mut self, asked: MessageId, done: Option<(MessageId, Millis, Option<u64>)>) -> u32 {
        let waits = |said: &Said| said.mid == asked && said.state != State::Answered;
        let Some(at) = self.said.iter().rposition(waits) else { return 0 };
        let said = &mut self.said[at];
        let State::Asked { repeats } = std::mem::replace(&mut said.state, State::Answered) else { return 0 };
        match done {
            Some((mid, ts, pos)) => (said.mid, said.ts, said.pos) = (mid, ts, pos),
            None => self.names[at] = 0,
        }
        repeats
    }

    /// Leaves what is answered: the rest is known to nobody once its session is gone.
    fn settle(&mut self) {
        let answered = self.said.iter().zip(&self.names);
        let answered = answered.filter(|(said, name)| said.state == State::Answered && **name != 0);
        let (said, names) = answered.map(|(said, name)| (*said, *name)).unzip();
        (self.said, self.names) = (said, names);
    }
}

impl Hub {
    /// Whether a message with a cid is to go its way: how it will be known then. One that was said before
    /// is answered here, or will be.
    pub(super) fn meet(
        &mut self,
        about: About<'_>,
        cid: &str,
        target: Target,
        msg: &str,
        out: &mut Vec<Effect>,
    ) -> Option<Named> {
        let named = Named::of(cid, target, msg);
        match self.online_mut(about.session)?.dedup.meet(named) {
            Met::Fresh => return Some(named),
            Met::Asked => {}
            Met::TooOften => self.refuse(about, Code::Busy, out),
            Met::OtherContent => self.refuse(about, Code::CidReused, out),
            Met::Answered { mid, ts, pos } => {
                self.counts.acks += 1;
                let outcome = Outcome { mid: Some(mid), pos, ts: Some(ts), ..Outcome::default() };
                self.reply(about.session, reply::ack(cid, about.re, outcome), out);
            }
        }
        None
    }

    /// A message goes its way.
    pub(super) fn note_said(&mut self, id: SessionId, named: Named, mid: MessageId) {
        let most = self.limits.dedup_cids;
        if let Some(online) = self.online_mut(id) {
            online.dedup.push(named, mid, most);
        }
    }

    /// A message whose answer is to come has another id from now on.
    pub(super) fn note_renamed(&mut self, id: SessionId, taken: MessageId, envelope: &Envelope) {
        let online = self.online_mut(id).filter(|online| online.user == envelope.sender());
        let said = online.and_then(|online| online.dedup.said.iter_mut().rfind(|said| said.mid == taken));
        if let Some(said) = said.filter(|said| said.state != State::Answered) {
            said.mid = envelope.mid();
        }
    }

    /// A message with a cid is done, or refused. How often more than once its sender is to be told so.
    pub(super) fn note_answered(
        &mut self,
        id: SessionId,
        envelope: &Envelope,
        done: Option<(MessageId, Millis, Option<u64>)>,
    ) -> u32 {
        let online = self.online_mut(id).filter(|online| online.user == envelope.sender());
        online.map_or(0, |online| online.dedup.answer(envelope.mid(), done))
    }

    /// The session of a user ends: its window waits for the next one.
    pub(super) fn remember(&mut self, user: UserId, mut window: Box<DedupWindow>, out: &mut Vec<Effect>) {
        window.settle();
        if window.is_empty() || self.draining {
            return;
        }
        let ticket = self.pending.insert(Pending::Remember);
        out.push(Effect::Ask { ticket, ask: Ask::Remember { user, window } });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(cid: &str, msg: &str) -> Named {
        Named::of(cid, Target::User(UserId::new(1).unwrap()), msg)
    }

    #[test]
    fn every_message_in_it_is_found_and_the_oldest_answered_one_makes_room() {
        const MOST: usize = 37;
        let mut window = DedupWindow::default();
        for number in 0..200_u64 {
            let (cid, mid) = (number.to_string(), MessageId(1_000 + number));
            assert_eq!(window.meet(named(&cid, "x")), Met::Fresh);
            window.push(named(&cid, "x"), mid, MOST);
            assert_eq!(window.meet(named(&cid, "x")), Met::Asked);
            let answer = (mid, Millis(number), Some(number));
            assert_eq!(window.answer(mid, Some(answer)), 1);
            for before in 0..=number {
                let met = window.meet(named(&before.to_string(), "x"));
                if before + (MOST as u64) <= number {
                    assert_eq!(met, Met::Fresh, "{before} of {number}");
                } else {
                    let (mid, ts, pos) = (MessageId(1_000 + before), Millis(before), Some(before));
                    assert_eq!(met, Met::Answered { mid, ts, pos }, "{before} of {number}");
                }
            }
            assert_eq!(window.meet(named(&cid, "y")), Met::OtherContent);
        }
        assert_eq!(window.len(), MOST);
    }

    #[test]
    fn who_waits_for_an_answer_is_not_forgotten_and_what_was_refused_is() {
        let mut window = DedupWindow::default();
        for number in 0..4_u64 {
            window.push(named(&number.to_string(), "x"), MessageId(number), 2);
        }
        assert_eq!(window.len(), 2, "nobody makes room who is not answered");
        assert_eq!(window.meet(named("1", "x")), Met::Asked);
        assert_eq!(window.answer(MessageId(1), None), 1);
        assert_eq!(window.meet(named("1", "y")), Met::Fresh, "its cid is free");
        window.settle();
        assert!(window.is_empty(), "one was refused, and one is known to nobody");
    }
}
