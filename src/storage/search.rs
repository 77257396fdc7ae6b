//! Search: what is the same in every store that finds messages by their words.
//!
//! Each conversation has its words by itself: a copy of what was said, [folded](words), in the order of the messages, a
//! [`run`] of some dozens of them a row. Whoever searches reads the runs of the conversations that the user may see,
//! newest first ([`hunt`]), so that nobody pays for what others say, and finds any beginning of a word and any part of a
//! run of letters without an index of either. What is found is compared with the message itself before it is told.
//!
//! The runs are filled behind the messages, never with them: see `Indexer` in each store.

pub mod hunt;
pub mod line;
pub mod run;
pub mod words;

use crate::StoreError;
use chatd_chat::model::change::Wanted;
use chatd_chat::model::history::{Conversation, Hit};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::port::store::StoreResult;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How late the index may be before a search says so.
const LATE: Duration = Duration::from_secs(10);

/// What a user looks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question {
    /// Who asks.
    pub user: UserId,
    /// What for.
    pub q: String,
    /// Only here.
    pub conversation: Option<Conversation>,
    /// Only messages with a smaller id.
    pub before: Option<MessageId>,
    /// Whether what became of them is told.
    pub wanted: Wanted,
    /// Messages in the page at most.
    pub messages: usize,
    /// Bytes of bodies in it at most; one message is always given.
    pub bytes: usize,
}

/// How far the index is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Indexed {
    /// It has everything that it may have yet.
    All,
    /// There is more to do at once.
    Partly,
}

/// Searches a store, on a thread and a connection of its own.
pub trait Searcher: Send {
    /// Answers a question.
    ///
    /// # Errors
    /// If the store does not work.
    fn search(&mut self, question: &Question) -> Result<StoreResult, StoreError>;

    /// Does a little for the index, where that is not done by the store itself.
    ///
    /// # Errors
    /// If the store does not work.
    fn index(&mut self) -> Result<Indexed, StoreError> {
        Ok(Indexed::All)
    }

    /// Moves what the store has written for the index from its log to where it belongs, where that is not done with each
    /// step. The store can go on writing meanwhile.
    ///
    /// # Errors
    /// If that does not work: it is done later then.
    fn settle(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// How long after the last time it is to be asked to do something for the index; `None` for never.
    fn index_after(&self) -> Option<Duration> {
        None
    }
}

/// What a page of a search says of what cannot be found yet, where the first message that the index lacks is of this
/// time.
pub fn searched_to(lacks: Option<Millis>) -> Option<Millis> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let late = u64::try_from(now.saturating_sub(LATE).as_millis()).unwrap_or(0);
    lacks.filter(|lacks| lacks.0 < late).map(|lacks| Millis(lacks.0.saturating_sub(1)))
}

/// A page in the making: hits, newest first, as many as fit.
#[derive(Default)]
pub struct Page {
    pub hits: Vec<Hit>,
    bytes: usize,
}

impl Page {
    /// Takes a message, if it fits into so many bytes. The first one always does.
    pub fn take(&mut self, hit: Hit, bytes: usize) -> bool {
        self.bytes += hit.placed.envelope.body().len();
        let fits = self.hits.is_empty() || self.bytes <= bytes;
        if fits {
            self.hits.push(hit);
        }
        fits
    }

    /// The last message in it.
    pub fn last(&self) -> Option<MessageId> {
        self.hits.last().map(|hit| hit.placed.envelope.mid())
    }
}
