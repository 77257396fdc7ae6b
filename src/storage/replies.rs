//! The way back: from the storage threads to the core that asked.
//!
//! Owns nothing but the queues' ends. Never waits for a core, and keeps no reply.

use chatd_chat::model::ids::RequestId;
use chatd_chat::port::store::{ReplyQueue, StoreResult, StoreReturn};
use std::sync::Arc;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Requester {
    /// Its core.
    pub core: usize,
    /// The id of its request.
    pub id: RequestId,
}

/// The way back to every core.
#[derive(Clone)]
pub struct Replies(Arc<[ReplyQueue]>);

impl Replies {
    /// The way back to these cores.
    pub fn new(queues: Vec<ReplyQueue>) -> Self {
        Self(queues.into())
    }

    /// Answers. A core that is gone needs no answer.
    pub fn send(&self, requester: Requester, answer: StoreResult) {
        if let Some(queue) = self.0.get(requester.core) {
            drop(queue.send(StoreReturn { id: requester.id, result: answer }));
        }
    }
}
