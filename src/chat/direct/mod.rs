//! Direct messages: from one user to another.
//!
//! Owns the messages that go through the store first ([`store_first`]), those that wait for their reader's receipt
//! ([`await_receipt`]), and the batch for the history ([`history_batch`]). [`send`] takes a message in and gets it
//! to its reader; [`receipts`] is what readers confirm.
//!
//! Handles `OneChat`, `Confirm`, direct envelopes and receipts of other cores, replies and counts of these. Emits
//! `StoreMessage`, `AppendHistory`, `Publish`, ACKs. Gives back: [`StoreOutcome`], [`StoreFirstOutcome`].
//!
//! Never knows a group, a friend or a login.

mod await_receipt;
mod history_batch;
mod receipts;
mod send;
mod store_first;

use crate::model::ids::{MessageId, UserId};
use await_receipt::ReceiptWait;
use history_batch::HistoryBatch;
use rustc_hash::FxHashMap;
pub(crate) use send::StoreOutcome;
pub(crate) use store_first::StoreFirstOutcome;
use store_first::StoreFirstQueue;

/// What a core knows of direct messages under way.
#[derive(Debug, Default)]
pub(crate) struct Direct {
    store_first: FxHashMap<UserId, StoreFirstQueue>,
    receipt_wait: ReceiptWait,
    /// History batch: flushed when it is full, when a sender has half of its sends in it, and with each tick.
    history_batch: HistoryBatch,
    /// The last message id of this core when another core was last found dead: what that one heard before may have died
    /// with it.
    core_gone_after: MessageId,
}

impl Direct {
    /// Another core is dead. `last` is the last message id that this core has made.
    pub(crate) fn note_core_gone(&mut self, last: MessageId) {
        self.core_gone_after = last;
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.store_first.is_empty() && self.receipt_wait.is_empty() && self.history_batch.is_empty()
    }

    /// Users whose messages go through the store first, and how many messages wait for that.
    pub(crate) fn store_first_census(&self) -> (usize, usize) {
        (self.store_first.len(), self.store_first.values().map(StoreFirstQueue::waiting).sum())
    }
}
