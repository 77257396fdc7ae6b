//! The way back: from the storage threads to the core that asked.
//!
//! Owns nothing but the queues' ends. Answers are never waited for and never kept.

use chatd_chat::model::ids::RequestId;
use chatd_chat::port::store::{ReplyQueue, StoreResult, StoreReturn};
use std::sync::Arc;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// Its core.
    pub core: usize,
    /// The ticket of its question.
    pub ticket: RequestId,
}

/// The way back to every core.
#[derive(Clone)]
pub struct Answers(Arc<[ReplyQueue]>);

impl Answers {
    /// The way back to these cores.
    pub fn new(queues: Vec<ReplyQueue>) -> Self {
        Self(queues.into())
    }

    /// Answers. A core that is gone needs no answer.
    pub fn send(&self, asker: Asker, answer: StoreResult) {
        if let Some(queue) = self.0.get(asker.core) {
            drop(queue.send(StoreReturn { id: asker.ticket, result: answer }));
        }
    }
}
