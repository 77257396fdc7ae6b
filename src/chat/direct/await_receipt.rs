//! Awaiting a receipt: where only what is undelivered is stored, a message with a cid is acknowledged when its
//! reader has confirmed it, and then needs no row.
//!
//! The sender's core waits, for `confirm_ms`. The reader's core sends a receipt on the sender's channel: Confirmed,
//! or, of a reader who cannot confirm, Unconfirmed. Without a receipt, and if nobody heard the message, it is stored
//! like any other.

use super::Direct;
use crate::backlog::Backlog;
use crate::connection::Connections;
use crate::model::envelope::{Envelope, Kind};
use crate::model::ids::{ConnectionId, MessageId, Monotonic, UserId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{DirectFlow, PublishFlow};
use crate::port::store::StoreRequest;
use crate::wire::msgid;
use crate::wire::reply::{self, Outcome};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Messages that wait for their reader's receipt. Each counts as a send in flight of its sender, which bounds them.
#[derive(Debug, Default)]
pub(super) struct ReceiptWait {
    messages: FxHashMap<MessageId, (ConnectionId, Envelope)>,
    /// When they have waited for long enough, in order; some do not wait any more.
    due: VecDeque<(Monotonic, MessageId)>,
}

impl ReceiptWait {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl Direct {
    /// Waits for the reader's receipt of a message that is about to be delivered.
    pub(super) fn await_receipt(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: Envelope,
    ) {
        connections.begin_send(cx, id);
        let due = cx.now.plus(cx.limits.confirm_ms);
        self.receipt_wait.due.push_back((due, envelope.mid()));
        self.receipt_wait.messages.insert(envelope.mid(), (id, envelope));
    }

    /// Tells the core that waits what became of messages of one sender to one reader.
    pub(super) fn send_receipt(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        kind: Kind,
        (sender, reader): (UserId, UserId),
        mids: &[MessageId],
    ) {
        let core = cx.core;
        let (here, elsewhere): (Vec<MessageId>, Vec<MessageId>) =
            mids.iter().partition(|mid| mid.core() == core);
        self.on_receipt(cx, connections, backlog, reader, kind, here);
        if elsewhere.is_empty() {
            return;
        }
        let envelope = Envelope::receipt(kind, sender, reader, &elsewhere);
        let channel = Channel::User(sender);
        if kind == Kind::Confirmed {
            cx.publish_counted(channel, envelope, PublishFlow::Receipt { reader, mids: elsewhere.into() });
        } else {
            cx.publish(channel, envelope);
        }
    }

    /// A reader's receipt. What does not wait any more was stored, and is taken out of the backlog.
    pub(crate) fn on_receipt(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        reader: UserId,
        kind: Kind,
        mids: Vec<MessageId>,
    ) {
        cx.enter();
        let mut stored = Vec::new();
        for mid in mids {
            if kind == Kind::Unconfirmed {
                self.store_awaited(cx, mid);
            } else if let Some((id, envelope)) = self.receipt_wait.messages.remove(&mid) {
                ack_without_row(cx, connections, id, &envelope);
            } else {
                stored.push(mid);
            }
        }
        backlog.ack_delivered(cx, None, reader, stored);
    }

    /// A receipt was published to so many cores. If nobody heard it, the sender is gone, and the messages are
    /// stored or will be.
    pub(crate) fn on_receipt_published(
        &mut self,
        cx: &mut Cx,
        backlog: &mut Backlog,
        (reader, mids): (UserId, Box<[MessageId]>),
        receivers: Result<u32, BusDown>,
    ) {
        cx.enter();
        if !matches!(receivers, Ok(receivers) if receivers > 0) {
            backlog.ack_delivered(cx, None, reader, mids.into());
        }
    }

    /// No receipt will come, or it is not waited for any longer.
    pub(super) fn store_awaited(&mut self, cx: &mut Cx, mid: MessageId) {
        if let Some((connection, envelope)) = self.receipt_wait.messages.remove(&mid) {
            let flow = DirectFlow::Store { connection, envelope: envelope.clone() };
            cx.request(StoreRequest::StoreMessage { envelope }, flow);
        }
    }

    /// Stores the messages whose receipt was to come until `now` and has not.
    pub(crate) fn store_without_receipt(&mut self, cx: &mut Cx, now: Monotonic) {
        cx.enter();
        while let Some(&(_, mid)) = self.receipt_wait.due.front().filter(|(due, _)| *due <= now) {
            self.receipt_wait.due.pop_front();
            self.store_awaited(cx, mid);
        }
    }
}

/// ACK of a message that its reader has confirmed: it needs no row.
fn ack_without_row(cx: &mut Cx, connections: &mut Connections, id: ConnectionId, envelope: &Envelope) {
    let (mid, ts) = (envelope.mid(), envelope.ts());
    for _ in 0..connections.note_answered(id, envelope, Some((mid, ts, None))) {
        cx.counters.acks += 1;
        let outcome = Outcome { mid: Some(mid), ts: Some(ts), ..Outcome::default() };
        connections.reply(cx, id, reply::ack(envelope.cid(), msgid::ONE_CHAT, outcome));
    }
    connections.end_send(cx, id);
}
