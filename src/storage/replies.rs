//! The way back: from the storage threads to the core that asked.
//!
//! Owns nothing but the queues' ends, and the replies of the batch that is being resolved. Never waits for a core.

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

    /// Answers at once. A core that is gone needs no answer.
    pub fn send(&self, requester: Requester, answer: StoreResult) {
        if let Some(queue) = self.0.get(requester.core) {
            drop(queue.send(vec![StoreReturn { id: requester.id, result: answer }]));
        }
    }

    /// A batch of replies to these cores, empty.
    pub fn batch(&self) -> ReplyBatch {
        ReplyBatch { queues: self.clone(), replies: self.0.iter().map(|_| Vec::new()).collect() }
    }
}

/// Replies that leave together: each core is woken once for all of its own.
pub struct ReplyBatch {
    queues: Replies,
    /// By core.
    replies: Vec<Vec<StoreReturn>>,
}

impl ReplyBatch {
    /// Answers with the others of the batch.
    pub fn add(&mut self, requester: Requester, answer: StoreResult) {
        if let Some(replies) = self.replies.get_mut(requester.core) {
            replies.push(StoreReturn { id: requester.id, result: answer });
        }
    }

    /// Sends what there is. A core that is gone needs no answer.
    pub fn send(&mut self) {
        for (queue, replies) in self.queues.0.iter().zip(&mut self.replies) {
            if !replies.is_empty() {
                drop(queue.send(std::mem::take(replies)));
            }
        }
    }
}
