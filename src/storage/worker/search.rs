//! What the worker has to do with the search: it passes questions on, and fills the index when nothing else is asked.

use super::Worker;
use crate::replies::Requester;
use crate::search::line::Line;
use crate::search::{Indexed, Question};
use chatd_chat::port::store::StoreRequest;
use chatd_chat::wire::code::Code;
use tracing::warn;

/// Whether something is to be done for the index, and who searches.
pub(super) struct Search {
    line: Option<Line>,
    /// Comes when something was stored a while ago.
    pub(super) woken: flume::Receiver<()>,
    indexing: Indexing,
    /// Whether it was said that the index cannot be filled.
    told: bool,
}

/// What is to be done for the index.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Indexing {
    /// The store does not do that.
    Never,
    /// Nothing until something is stored.
    Done,
    /// A little once whoever wakes the worker does so: something was stored, or what was indexed is settled first.
    Later,
    /// A little, whenever nothing is asked.
    Now,
}

impl Search {
    /// Searching with this line, and what wakes whoever fills the index of a store that does so by itself.
    pub(super) fn new(line: Line, woken: flume::Receiver<()>, indexes: bool) -> Self {
        let indexing = if indexes { Indexing::Now } else { Indexing::Never };
        Self { line: Some(line), woken, indexing, told: false }
    }

    /// Nobody searches.
    pub(super) fn none() -> Self {
        Self { line: None, woken: flume::bounded(0).1, indexing: Indexing::Never, told: false }
    }

    /// Something was stored.
    pub(super) fn stored(&mut self) {
        if self.indexing == Indexing::Done && self.line.as_ref().is_some_and(Line::wake_later) {
            self.indexing = Indexing::Later;
        }
    }

    /// It was stored a while ago.
    pub(super) fn wake(&mut self) {
        if self.indexing == Indexing::Later {
            self.indexing = Indexing::Now;
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.indexing == Indexing::Now
    }

    /// Whoever searches settles what was indexed, if that one has heard of it. Until then nothing more is indexed.
    fn settle(&mut self) {
        if self.line.as_ref().is_some_and(Line::settle) && self.indexing == Indexing::Now {
            self.indexing = Indexing::Later;
        }
    }

    /// Ends it once what is asked is answered.
    pub(super) fn stop(&mut self) {
        if let Some(thread) = self.line.take().map(Line::stop) {
            // A panic in it is in the log already.
            drop(thread.join());
        }
    }
}

impl Worker {
    /// Passes a search on.
    pub(super) fn ask_search(&self, requester: Requester, request: StoreRequest) {
        let StoreRequest::Search { user, q, conversation, before, wanted, messages, bytes } = request else {
            unreachable!("it is another request")
        };
        let refused = match &self.search.line {
            None => Some(Code::UnknownMsgid),
            Some(line) => {
                let question = Question { user, q, conversation, before, wanted, messages, bytes };
                (!line.ask(requester, question)).then_some(Code::Busy)
            }
        };
        if let Some(code) = refused {
            self.replies.send(requester, Err(code));
        }
    }

    /// Does a little for the index.
    pub(super) fn index(&mut self) {
        let done = self.store.index();
        let works = done.is_ok();
        self.search.indexing = match done {
            Ok(Indexed::Partly) => Indexing::Now,
            Ok(Indexed::All) => Indexing::Done,
            Err(error) => {
                if !self.search.told {
                    warn!("the index of the search cannot be filled: {error}");
                }
                // What is stored next has it tried again.
                Indexing::Done
            }
        };
        self.search.told = !works;
        if self.store.is_to_settle() {
            self.search.settle();
        }
    }
}
