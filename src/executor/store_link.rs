//! A core's line to the storage threads: bounded requests out, replies in.

use super::event_loop::give_way;
use super::shard::SharedShard;
use chatd_chat::model::ids::RequestId;
use chatd_chat::port::event::Event;
use chatd_chat::port::store::{StoreCall, StoreRequest, StoreReturn};
use flume::{Receiver, Sender};

/// Where a core puts its requests.
#[derive(Debug)]
pub(super) struct StoreLink {
    core: usize,
    /// `None` after hanging up.
    requests: Option<Sender<StoreCall>>,
}

/// The queue to the store is full, or as full as it may be for this kind of request.
#[derive(Debug)]
pub(super) struct StoreBusy;

impl StoreLink {
    pub(super) fn new(core: usize, requests: Sender<StoreCall>) -> Self {
        Self { core, requests: Some(requests) }
    }

    /// Requests something of the store, unless too many requests wait: the last quarter of the queue is for messages.
    ///
    /// # Errors
    /// If the queue is full, or as full as it may be for this request; or after hanging up.
    pub(super) fn submit(&self, id: RequestId, request: StoreRequest) -> Result<(), StoreBusy> {
        let requests = self.requests.as_ref().ok_or(StoreBusy)?;
        let capacity = requests.capacity().unwrap_or(usize::MAX);
        if !request.is_for_messages() && requests.len() >= capacity / 4 * 3 {
            return Err(StoreBusy);
        }
        requests.try_send(StoreCall { core: self.core, id, request }).map_err(|_| StoreBusy)
    }

    /// Requests that wait, those of all cores.
    pub(super) fn waiting(&self) -> usize {
        self.requests.as_ref().map_or(0, Sender::len)
    }

    /// Requests nothing more: when all cores have hung up, the store finishes.
    pub(super) fn hang_up(&mut self) {
        self.requests = None;
    }
}

/// Hands replies to the hub as they come, many in a turn, until the store is gone.
pub(super) async fn receive(shard: SharedShard, answers: Receiver<Vec<StoreReturn>>) {
    // A commit answers hundreds at once, nearly each of them to another socket, and a push that comes
    // meanwhile waits for the turn to end: with 256 for 0.8 ms at p99, with 16 for 0.15 ms, and for no
    // more CPU a message.
    const ANSWERS_A_TURN: usize = 16;
    while let Ok(first) = answers.recv_async().await {
        let more = std::iter::from_fn(|| answers.try_recv().ok());
        let mut replies = std::iter::once(first).chain(more).flatten();
        loop {
            let mut handled = 0;
            {
                let mut shard = shard.borrow_mut();
                shard.begin_turn();
                for StoreReturn { id, result } in replies.by_ref().take(ANSWERS_A_TURN) {
                    shard.feed(Event::Answered { id, result });
                    handled += 1;
                }
            }
            give_way().await;
            if handled < ANSWERS_A_TURN {
                break;
            }
        }
    }
}
