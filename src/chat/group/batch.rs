//! The store batch: group messages without a cid, whose senders wait for no answer, go to the store together.
//!
//! Each batch costs the store a flush to its disk, so under load many messages share one. A message that comes alone
//! goes at once, and none waits longer than until the next tick. Until they are stored they count as sends in flight of
//! their senders. Messages with a cid do not wait, and neither does what was said before them.

use super::Groups;
use crate::connection::Connections;
use crate::model::envelope::Envelope;
use crate::model::ids::ConnectionId;
use crate::port::cx::Cx;
use crate::port::in_flight::{GroupFlow, Pushed};
use crate::port::store::StoreRequest;

/// Messages of a batch at most.
const BATCH: usize = 64;

/// Messages that are to be stored, in the order in which they were said.
#[derive(Debug, Default)]
pub(super) struct StoreBatch {
    messages: Vec<(ConnectionId, Envelope, Pushed)>,
    /// Whether one has gone since the last tick: the next ones wait for each other.
    gone: bool,
}

impl StoreBatch {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl Groups {
    /// Has a message of this connection stored: now, or with those that follow.
    pub(super) fn store(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        id: ConnectionId,
        envelope: Envelope,
        pushed: Pushed,
    ) {
        let answered = !envelope.cid().is_empty();
        let waits = self.to_store.gone && !answered;
        self.to_store.messages.push((id, envelope, pushed));
        if !waits || self.to_store.messages.len() >= BATCH || connections.is_at_half(cx, id) {
            self.store_batch(cx);
        }
    }

    /// Has everything stored that waits for that.
    pub(crate) fn store_batch(&mut self, cx: &mut Cx) {
        cx.enter();
        for (connection, envelope, pushed) in self.to_store.messages.drain(..) {
            let flow = GroupFlow::Store { connection, envelope: envelope.clone(), pushed };
            cx.request(StoreRequest::StoreMessage { envelope }, flow);
            self.to_store.gone = true;
        }
    }

    /// A tick: nothing waits any longer, and what comes alone after it goes at once.
    pub(crate) fn store_batch_at_tick(&mut self, cx: &mut Cx) {
        cx.enter();
        self.to_store.gone = false;
        self.store_batch(cx);
    }
}
