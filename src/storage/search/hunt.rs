//! A hunt: which runs are to be looked through for a page of a search, in which order, and when that is enough.
//!
//! Owns what was found and how much was read. Runs are looked through from the newest end of each conversation: by the
//! least id that none of their messages reaches, the greatest first. Whatever is left then has smaller ids only, so that
//! a page is full as soon as it has enough messages with greater ones; and a hunt that has read [`BYTES_MOST`] ends
//! there, and says from where to go on. Never knows a database: it is told what runs there are, and their bytes.

use super::run;
use super::words::Words;
use crate::key::Key;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{MessageId, UserId};

/// Bytes of runs that one page is looked for in, more or less: so long it takes, on one core, to have read a few
/// hundred thousand messages.
pub const BYTES_MOST: usize = 16 << 20;
/// Runs of one conversation that one page is looked for in at most.
pub const RUNS_MOST: usize = BYTES_MOST >> 12;
/// An id that no message reaches.
const END: u64 = i64::MAX as u64;

/// A conversation that the user may see, and from where on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visible {
    pub conversation: Conversation,
    /// Only messages with a greater place.
    pub joined: u64,
}

/// A run to be looked through, or what lies beyond those that are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Step {
    /// None of its messages has this id or a greater one.
    bound: u64,
    /// Index of its conversation.
    of: usize,
    /// The run; `None` for runs that nobody has told of.
    first: Option<u64>,
}

/// A run whose bytes are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    of: usize,
    pub key: Key,
    pub first: u64,
}

/// A message that has all words, if what the index says is still so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    pub mid: MessageId,
    pub pos: u64,
    pub conversation: Conversation,
}

/// What a hunt has come to.
#[derive(PartialEq, Eq, Debug)]
pub struct Bag {
    /// Newest first.
    pub candidates: Vec<Candidate>,
    /// Where it goes on, if that was not all.
    pub before: Option<MessageId>,
}

/// See above.
pub struct Hunt {
    user: UserId,
    words: Words,
    before: u64,
    most: usize,
    bytes_most: usize,
    conversations: Vec<Visible>,
    steps: Vec<Step>,
    /// Steps that were made.
    made: usize,
    read: usize,
    /// Id, place and conversation of what was found.
    found: Vec<(u64, u64, usize)>,
    /// The id of the last one that fits into the page, as far as that was worked out: nothing below it is wanted.
    least: u64,
}

impl Hunt {
    /// For a page of `most` messages with ids below `before`.
    pub fn new(user: UserId, words: Words, before: Option<MessageId>, most: usize) -> Self {
        let before = before.map_or(END, |before| before.0.min(END));
        Self {
            user,
            words,
            before,
            most: most.max(1),
            bytes_most: BYTES_MOST,
            conversations: Vec::new(),
            steps: Vec::new(),
            made: 0,
            read: 0,
            found: Vec::new(),
            least: 0,
        }
    }

    /// No message from this id on is looked for.
    pub fn before(&self) -> u64 {
        self.before
    }

    /// Has less read than is usual.
    #[cfg(test)]
    fn read_at_most(&mut self, bytes: usize) {
        self.bytes_most = bytes;
    }

    /// A conversation has runs with these ids, the greatest first: all below [`before`](Self::before), or [`RUNS_MOST`].
    pub fn conversation(&mut self, visible: Visible, runs: &[u64]) {
        let of = self.conversations.len();
        self.conversations.push(visible);
        let mut bound = self.before;
        for &first in runs {
            self.steps.push(Step { bound, of, first: Some(first) });
            bound = first;
        }
        if runs.len() >= RUNS_MOST {
            self.steps.push(Step { bound, of, first: None });
        }
    }

    /// Of any conversation there may be runs below this one that nobody has told of.
    pub fn known_from(&mut self, first: u64) {
        self.steps.push(Step { bound: first, of: 0, first: None });
    }

    /// All conversations are told.
    pub fn begin(&mut self) {
        self.steps.sort_by_key(|step| (std::cmp::Reverse(step.bound), step.of));
    }

    /// The next runs that are wanted, so many at most; none if that is enough.
    pub fn wanted(&self, most: usize) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for step in &self.steps[self.made..] {
            let Some(first) = step.first.filter(|_| wanted.len() < most && !self.is_over(step)) else {
                break;
            };
            let key = Key::of(self.user, self.conversations[step.of].conversation);
            wanted.push(Wanted { of: step.of, key, first });
        }
        wanted
    }

    /// Whether nothing of this step is to be looked at. The newest run of each conversation is looked at in any case:
    /// there would be nothing to go on from.
    fn is_over(&self, step: &Step) -> bool {
        let is_full = step.bound <= self.least;
        is_full || (self.read >= self.bytes_most && step.bound < self.before)
    }

    /// The bytes of a run that was wanted. They come in the order in which they were wanted; one that is gone is empty.
    pub fn look_through(&mut self, wanted: Wanted, bytes: &[u8]) {
        let Self { words, before, conversations, found, .. } = self;
        let (joined, known) = (conversations[wanted.of].joined, found.len());
        run::search(wanted.first, bytes, words, |mid, pos| {
            if mid < *before && pos > joined {
                found.push((mid, pos, wanted.of));
            }
        });
        self.made += 1;
        self.read += bytes.len();
        if self.found.len() > known && self.found.len() >= self.most {
            self.drop_what_is_too_much();
        }
    }

    /// One more than fits into the page is kept: it tells that there is more.
    fn drop_what_is_too_much(&mut self) {
        self.found.sort_unstable_by(|one, other| other.cmp(one));
        self.found.truncate(self.most + 1);
        self.least = self.found.get(self.most - 1).map_or(0, |(mid, ..)| *mid);
    }

    /// What every message must have.
    pub fn words(&self) -> &Words {
        &self.words
    }

    /// What it has come to.
    pub fn end(&mut self) -> Bag {
        self.found.sort_unstable_by(|one, other| other.cmp(one));
        let left = self.steps.get(self.made).map(|step| step.bound);
        // What lies below what was not looked through is found another time.
        let floor = left.unwrap_or(0);
        let sure = self.found.iter().take_while(|(mid, ..)| *mid >= floor).count();
        let given = sure.min(self.most);
        let last = self.found[..given].last().map(|(mid, ..)| MessageId(*mid));
        let before = if given == self.most && (left.is_some() || self.found.len() > given) {
            last
        } else {
            left.map(MessageId)
        };
        let candidate = |&(mid, pos, of): &(u64, u64, usize)| Candidate {
            mid: MessageId(mid),
            pos,
            conversation: self.conversations[of].conversation,
        };
        Bag { candidates: self.found[..given].iter().map(candidate).collect(), before }
    }
}

#[cfg(test)]
mod tests;
