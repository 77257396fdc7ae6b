//! Store first: messages to a user whom nobody heard go into the store before they go anywhere, in order.
//!
//! While a user's messages are being stored, later ones wait behind them, so that a reader who logs in just then
//! gets them in the order sent. When a batch is stored, the user's channel is told; if somebody hears that, the rest
//! goes out directly, after it.

use super::Direct;
use super::send::refuse;
use crate::backlog::Backlog;
use crate::connection::Connections;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{DirectFlow, PublishFlow, StoreRetry};
use crate::port::store::{StoreRequest, StoredMessage};
use crate::wire::code::Code;
use std::collections::VecDeque;

/// One user's messages from this core that go through the store first.
///
/// Each message in it counts as a send in flight of its sender, which bounds the queue.
#[derive(Debug, Default)]
pub(super) struct StoreFirstQueue {
    /// Messages that are being stored.
    batch: u32,
    /// Messages that wait for the batch, with who sent them.
    queue: VecDeque<(ConnectionId, Envelope)>,
}

impl StoreFirstQueue {
    pub(super) fn push(&mut self, id: ConnectionId, envelope: Envelope) {
        self.queue.push_back((id, envelope));
    }

    /// Messages that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }
}

/// What storing a message first leaves to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreFirstOutcome {
    Nothing,
    /// The batch is stored and the reader is here: it fetches again, and then the queue is sent (`send_queued`).
    ReaderIsHere(UserId),
}

impl Direct {
    /// Stores a message that nobody heard.
    pub(super) fn store_first(&mut self, cx: &mut Cx, connection: ConnectionId, envelope: Envelope) {
        self.store_first.entry(envelope.user()).or_default().batch += 1;
        let flow = DirectFlow::StoreFirst { connection, envelope: envelope.clone() };
        cx.request(StoreRequest::StoreMessage { envelope }, flow);
    }

    pub(crate) fn on_stored_first(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        (id, envelope): (ConnectionId, Envelope),
        stored: Result<StoredMessage, Code>,
    ) -> StoreFirstOutcome {
        cx.enter();
        let user = envelope.user();
        match (stored, envelope.cid().is_empty()) {
            (Err(code), true) => refuse(cx, connections, id, &envelope, code),
            // Its sender hears of it by the other request. When that is done is not known here, and the reader is
            // to be told after it.
            (Err(Code::Busy), false) => backlog.retry_later(cx, None, StoreRetry::StoreMessage { envelope }),
            (Ok(_) | Err(_), _) => {}
        }
        connections.end_send(cx, id);
        let Some(queue) = self.store_first.get_mut(&user) else { return StoreFirstOutcome::Nothing };
        queue.batch -= 1;
        if queue.batch > 0 {
            return StoreFirstOutcome::Nothing;
        }
        if stored == Err(Code::NoSuchUser) && queue.queue.is_empty() {
            self.store_first.remove(&user);
            return StoreFirstOutcome::Nothing;
        }
        if connections.is_here(user) {
            return StoreFirstOutcome::ReaderIsHere(user);
        }
        cx.publish_counted(
            Channel::User(user),
            Envelope::backlog_hint(user),
            PublishFlow::StoreFirstHint { user },
        );
        StoreFirstOutcome::Nothing
    }

    /// The hint that a batch is stored was published to so many cores.
    pub(crate) fn on_store_first_hint(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        user: UserId,
        receivers: Result<u32, BusDown>,
    ) {
        cx.enter();
        let Some(queue) = self.store_first.get_mut(&user) else { return };
        if queue.batch > 0 {
            // A message that was out when the queue began has joined it; its turn comes first.
            return;
        }
        if matches!(receivers, Ok(receivers) if receivers > 0) || queue.queue.is_empty() {
            backlog.on_hint_published(user, receivers);
            return self.send_queued(cx, connections, backlog, user);
        }
        for (id, envelope) in std::mem::take(&mut queue.queue) {
            self.store_first(cx, id, envelope);
        }
    }

    /// Nothing needs to go through the store first any more: what waited is sent like everything after it.
    pub(crate) fn send_queued(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        user: UserId,
    ) {
        cx.enter();
        let queue = self.store_first.remove(&user).unwrap_or_default();
        for (id, envelope) in queue.queue {
            connections.end_send(cx, id);
            self.deliver(cx, connections, backlog, id, envelope);
        }
    }
}
