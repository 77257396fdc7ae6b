//! The dedup window: a user's last messages with a cid, and what they were answered.
//!
//! A message that was said before gets the same answer again, and one that says something else under
//! the same cid is refused: both without a push and without the store. The window follows its user to
//! the next login on any core of this server (`StoreRequest::Remember`). The store remembers all of them: what
//! is not in the window is pushed at once and may be seen twice.

use super::envelope::Target;
use super::extras::Extras;
use super::ids::{MessageId, Millis};
use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// Answers that a message is owed at most besides its own. Above: 110.
const REPEATS: u32 = 255;

/// Messages with a cid, oldest first, `dedup_cids` at most.
///
/// Invariant: both queues are of one length. Texts are not kept, only 64 bits of hash of each: of the
/// cid, and of target, text and extras.
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
pub(crate) struct Named {
    name: u64,
    content: u64,
}

impl Named {
    pub(crate) fn of(cid: &str, target: Target, msg: &str, extras: Option<&Extras>) -> Self {
        let hash = |it: &dyn Fn(&mut FxHasher)| {
            let mut hasher = FxHasher::default();
            it(&mut hasher);
            hasher.finish()
        };
        let name = hash(&|hasher| cid.hash(hasher)).max(1);
        let content = hash(&|hasher| {
            (target, msg).hash(hasher);
            if let Some(extras) = extras {
                extras.fields().hash(hasher);
            }
        });
        Self { name, content }
    }
}

/// Whether a message was said before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Met {
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
    pub(crate) fn meet(&mut self, named: Named) -> Met {
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

    /// Takes in a message that was done under this id: for tests of those who carry windows.
    #[doc(hidden)]
    pub fn note(&mut self, cid: &str, mid: MessageId) {
        let target = Target::User(super::ids::UserId::new(1).expect("an id"));
        self.push(Named::of(cid, target, "", None), mid, usize::MAX);
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
    pub(crate) fn push(&mut self, named: Named, mid: MessageId, most: usize) {
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
    pub(crate) fn answer(&mut self, asked: MessageId, done: Option<(MessageId, Millis, Option<u64>)>) -> u32 {
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

    /// A message whose answer is to come has another id.
    pub(crate) fn rename(&mut self, mid: MessageId, new: MessageId) {
        let waits = |said: &&mut Said| said.mid == mid && said.state != State::Answered;
        if let Some(said) = self.said.iter_mut().rfind(waits) {
            said.mid = new;
        }
    }

    /// Leaves what is answered: the rest is known to nobody once its session is gone.
    pub(crate) fn settle(&mut self) {
        let answered = self.said.iter().zip(&self.names);
        let answered = answered.filter(|(said, name)| said.state == State::Answered && **name != 0);
        let (said, names) = answered.map(|(said, name)| (*said, *name)).unzip();
        (self.said, self.names) = (said, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::UserId;

    fn named(cid: &str, msg: &str) -> Named {
        Named::of(cid, Target::User(UserId::new(1).unwrap()), msg, None)
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
