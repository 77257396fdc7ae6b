//! The history batch: messages without a cid, promised to nobody, and stored all the same, many at a time.
//!
//! Until they are stored they count as sends in flight of their senders, so that who outruns the store is not read
//! from.

use super::Direct;
use crate::backlog::{Backlog, HISTORY_BATCH};
use crate::connection::Connections;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, MessageId};
use crate::port::cx::Cx;
use crate::port::in_flight::{DirectFlow, StoreRetry};
use crate::port::store::{StoreRequest, StoreResult};
use crate::wire::code::Code;

impl Direct {
    pub(super) fn append_history(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: Envelope,
    ) {
        connections.begin_send(cx, id);
        self.history_batch.push((id, envelope));
        if self.history_batch.len() == HISTORY_BATCH || connections.is_at_half(cx, id) {
            self.flush_history(cx);
        }
    }

    /// Nobody heard it, so that it is stored by itself: it need not be in the batch too.
    pub(super) fn take_from_history_batch(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        mid: MessageId,
    ) {
        if let Some(at) = self.history_batch.iter().rposition(|(_, envelope)| envelope.mid() == mid) {
            let (id, _) = self.history_batch.remove(at);
            connections.end_send(cx, id);
        }
    }

    /// Has the store append what was collected.
    pub(crate) fn flush_history(&mut self, cx: &mut Cx) {
        cx.enter();
        if self.history_batch.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut self.history_batch, Vec::with_capacity(HISTORY_BATCH));
        let envelopes = batch.iter().map(|(_, envelope)| envelope.clone()).collect();
        cx.request(StoreRequest::AppendHistory { envelopes }, DirectFlow::HistoryBatch { batch });
    }

    pub(crate) fn on_history_appended(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        batch: Vec<(ConnectionId, Envelope)>,
        result: &StoreResult,
    ) {
        cx.enter();
        for &(id, _) in &batch {
            connections.end_send(cx, id);
        }
        if *result == Err(Code::Busy) {
            let envelopes = batch.into_iter().map(|(_, envelope)| envelope).collect();
            backlog.retry_later(cx, None, StoreRetry::AppendHistory { envelopes });
        }
    }
}
