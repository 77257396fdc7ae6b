//! A core's line to the storage threads: bounded questions out, answers in.

use super::event_loop::give_way;
use super::shard::SharedShard;
use chatd_chat::model::ids::RequestId;
use chatd_chat::port::event::Event;
use chatd_chat::port::store::{StoreCall, StoreRequest, StoreReturn};
use flume::{Receiver, Sender};

/// Where a core puts its questions.
#[derive(Debug)]
pub(super) struct StoreLink {
    core: usize,
    /// `None` after hanging up.
    questions: Option<Sender<StoreCall>>,
}

/// The queue to the store is full, or as full as it may be for this kind of question.
#[derive(Debug)]
pub(super) struct StoreBusy;

impl StoreLink {
    pub(super) fn new(core: usize, questions: Sender<StoreCall>) -> Self {
        Self { core, questions: Some(questions) }
    }

    /// Asks, unless too many questions wait: the last quarter of the queue is for messages.
    pub(super) fn ask(&self, ticket: RequestId, ask: StoreRequest) -> Result<(), StoreBusy> {
        let questions = self.questions.as_ref().ok_or(StoreBusy)?;
        let capacity = questions.capacity().unwrap_or(usize::MAX);
        if !ask.is_for_messages() && questions.len() >= capacity / 4 * 3 {
            return Err(StoreBusy);
        }
        questions.try_send(StoreCall { core: self.core, id: ticket, request: ask }).map_err(|_| StoreBusy)
    }

    /// Questions that wait, those of all cores.
    pub(super) fn waiting(&self) -> usize {
        self.questions.as_ref().map_or(0, Sender::len)
    }

    /// Asks no more: when all cores have hung up, the store finishes.
    pub(super) fn hang_up(&mut self) {
        self.questions = None;
    }
}

/// Hands answers to the hub as they come, many in a turn, until the store is gone.
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
