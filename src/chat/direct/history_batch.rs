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
use std::sync::Arc;

/// What was collected since the last one went to the store.
#[derive(Debug, Default)]
pub(super) struct HistoryBatch {
    /// Who sent each of them.
    senders: Vec<ConnectionId>,
    envelopes: Vec<Envelope>,
}

impl HistoryBatch {
    pub(super) fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }
}

impl Direct {
    pub(super) fn append_history(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: Envelope,
    ) {
        connections.begin_send(cx, id);
        let HistoryBatch { senders, envelopes } = &mut self.history_batch;
        senders.push(id);
        envelopes.push(envelope);
        if senders.len() == HISTORY_BATCH || connections.is_at_half(cx, id) {
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
        let HistoryBatch { senders, envelopes } = &mut self.history_batch;
        if let Some(at) = envelopes.iter().rposition(|envelope| envelope.mid() == mid) {
            envelopes.remove(at);
            connections.end_send(cx, senders.remove(at));
        }
    }

    /// Has the store append what was collected.
    pub(crate) fn flush_history(&mut self, cx: &mut Cx) {
        cx.enter();
        if self.history_batch.is_empty() {
            return;
        }
        let HistoryBatch { senders, envelopes } = &mut self.history_batch;
        let senders = std::mem::replace(senders, Vec::with_capacity(HISTORY_BATCH));
        let envelopes: Arc<[Envelope]> = envelopes.drain(..).collect();
        let flow = DirectFlow::HistoryBatch { senders, envelopes: envelopes.clone() };
        cx.request(StoreRequest::AppendHistory { envelopes }, flow);
    }

    pub(crate) fn on_history_appended(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        (senders, envelopes): (&[ConnectionId], Arc<[Envelope]>),
        result: &StoreResult,
    ) {
        cx.enter();
        for &id in senders {
            connections.end_send(cx, id);
        }
        if *result == Err(Code::Busy) {
            backlog.retry_later(cx, None, StoreRetry::AppendHistory { envelopes });
        }
    }
}
