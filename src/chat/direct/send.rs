//! A direct message is taken in: encoded once, pushed here, published elsewhere, stored if nobody hears.

use super::Direct;
use crate::backlog::Backlog;
use crate::connection::{About, Connection, Connections, StoredAs};
use crate::model::envelope::{Durability, Envelope, Kind, Target};
use crate::model::ids::{ConnectionId, UserId};
use crate::model::retention::Retention;
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{DirectFlow, PublishFlow, StoreRetry};
use crate::port::seal::Said;
use crate::port::store::{StoreRequest, StoredMessage};
use crate::wire::code::Code;
use crate::wire::msgid;
use crate::wire::reply::{self, Outcome};
use crate::wire::request::Dialect;

/// What storing a message leaves to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoreOutcome {
    Nothing,
    /// An acting session has said it, and it is stored: its sender's sessions are to have it, too.
    ShareSent(ConnectionId, Envelope),
    /// A core that heard it may have died with it: its reader is to be told that something waits.
    NotifyReader(UserId),
}

impl Direct {
    /// ONE_CHAT. Gives back the message if its sender may have other sessions, which are to have it too.
    pub(crate) fn on_one_chat(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        about: About<'_>,
        (to, said): (UserId, Said<'_>),
    ) -> Option<Envelope> {
        cx.enter();
        let id = about.connection;
        let new = connections.begin_chat(cx, about, Target::User(to), said)?;
        let envelope = connections.seal_chat(cx, about, new, said)?;
        cx.counters.direct += 1;
        if id.is_acting() {
            // Who hears of it does so once it is stored: said again, it goes nowhere twice.
            store(cx, connections, id, envelope);
            return None;
        }
        let shared = connections.is_multi(id).then(|| envelope.clone());
        match envelope.durability() {
            Durability::Always => store(cx, connections, id, envelope.clone()),
            Durability::IfUnacked => self.await_receipt(cx, connections, id, envelope.clone()),
            Durability::IfUndelivered if cx.retention == Retention::All => {
                self.append_history(cx, connections, id, envelope.clone());
            }
            Durability::IfUndelivered => {}
        }
        self.deliver(cx, connections, backlog, id, envelope);
        shared
    }

    /// Gets a direct message to its reader, wherever that is. `id` is who sent it.
    pub(super) fn deliver(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        id: ConnectionId,
        envelope: Envelope,
    ) {
        let to = envelope.user();
        if let Some(queue) = self.store_first.get_mut(&to) {
            queue.push(id, envelope);
            return connections.begin_send(cx, id);
        }
        // Who has several sessions may have one elsewhere: the bus has them all.
        let holds_alone = |connection: &Connection| connection.holds_user() && !connection.multi;
        match connections.of_user(to).filter(|&reader| connections.get(reader).is_some_and(holds_alone)) {
            Some(reader) => {
                let stored_as = self.stored_as(cx, connections, backlog, reader, &envelope);
                backlog.push_or_buffer(cx, connections, reader, envelope, stored_as);
            }
            None => {
                connections.begin_send(cx, id);
                let flow = PublishFlow::Direct { connection: id, envelope: envelope.clone() };
                cx.publish_counted(Channel::User(to), envelope, flow);
            }
        }
    }

    /// What a direct message that is handed to `reader` is stored as. Who cannot confirm what its sender's core
    /// waits for says so.
    fn stored_as(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        reader: ConnectionId,
        envelope: &Envelope,
    ) -> StoredAs {
        match envelope.durability() {
            Durability::Always => StoredAs::Backlog,
            Durability::IfUndelivered => StoredAs::Unstored,
            Durability::IfUnacked => {
                let confirms = connections.get(reader).is_some_and(|reader| reader.dialect == Dialect::V2);
                if confirms {
                    return StoredAs::AwaitingReceipt;
                }
                let (sender, reader) = (envelope.sender(), envelope.user());
                self.send_receipt(
                    cx,
                    connections,
                    backlog,
                    Kind::Unconfirmed,
                    (sender, reader),
                    &[envelope.mid()],
                );
                StoredAs::Backlog
            }
        }
    }

    /// A direct message was published to so many cores.
    pub(crate) fn on_direct_published(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: Envelope,
        receivers: Result<u32, BusDown>,
    ) {
        cx.enter();
        if matches!(receivers, Ok(receivers) if receivers > 0) {
            return connections.end_send(cx, id);
        }
        // Nobody, or nobody knows.
        self.take_from_history_batch(cx, connections, envelope.mid());
        self.store_awaited(cx, envelope.mid());
        self.store_first(cx, id, envelope);
    }

    /// Another core sends a message for a user of this one.
    pub(crate) fn on_direct_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        envelope: Envelope,
    ) {
        cx.enter();
        let Some(reader) = connections.of_user(envelope.user()) else {
            // The reader has just left. Whoever held it last stores what comes too late.
            return backlog.submit_with_retry(cx, None, StoreRetry::StoreMessage { envelope });
        };
        for beside in connections.beside(envelope.user()) {
            let stored_as = self.stored_as(cx, connections, backlog, beside, &envelope);
            backlog.push_or_buffer(cx, connections, beside, envelope.clone(), stored_as);
        }
        let stored_as = self.stored_as(cx, connections, backlog, reader, &envelope);
        backlog.push_or_buffer(cx, connections, reader, envelope, stored_as);
    }

    /// The store has a message for its sender's sake, or not: ACK or ERROR.
    pub(crate) fn on_stored(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        (id, envelope): (ConnectionId, Envelope),
        stored: Result<StoredMessage, Code>,
    ) -> StoreOutcome {
        cx.enter();
        let mut outcome = StoreOutcome::Nothing;
        match stored {
            Ok(stored) => {
                ack_stored(cx, connections, id, &envelope, stored);
                if id.is_acting() {
                    outcome = deliver_stored(cx, connections, backlog, (id, envelope), stored);
                } else if envelope.mid() <= self.core_gone_after || cx.renamed.has(envelope.mid()) {
                    outcome = StoreOutcome::NotifyReader(envelope.user());
                }
            }
            Err(code) => {
                for _ in 0..connections.note_answered(id, &envelope, None) {
                    refuse(cx, connections, id, &envelope, code);
                }
                if code == Code::Busy && !id.is_acting() {
                    // Its reader may have it, so it is to be in the history too.
                    backlog.retry_later(cx, None, StoreRetry::StoreMessage { envelope });
                }
            }
        }
        connections.end_send(cx, id);
        outcome
    }
}

/// Gets a message of an acting session to its reader, whose backlog has it. One that was stored before may have been told
/// to nobody: then the reader is to look.
fn deliver_stored(
    cx: &mut Cx,
    connections: &mut Connections,
    backlog: &mut Backlog,
    (id, envelope): (ConnectionId, Envelope),
    stored: StoredMessage,
) -> StoreOutcome {
    let to = envelope.user();
    if stored.mid != envelope.mid() {
        return StoreOutcome::NotifyReader(to);
    }
    let holds_alone = |connection: &Connection| connection.holds_user() && !connection.multi;
    match connections.of_user(to).filter(|&reader| connections.get(reader).is_some_and(holds_alone)) {
        Some(reader) => {
            backlog.push_or_buffer(cx, connections, reader, envelope.clone(), StoredAs::Backlog);
        }
        // If nobody hears it, it lies in the backlog.
        None => cx.publish(Channel::User(to), envelope.clone()),
    }
    StoreOutcome::ShareSent(id, envelope)
}

/// Requests that a message is stored that its sender wants to hear of.
fn store(cx: &mut Cx, connections: &mut Connections, connection: ConnectionId, envelope: Envelope) {
    connections.begin_send(cx, connection);
    let flow = DirectFlow::Store { connection, envelope: envelope.clone() };
    cx.request(StoreRequest::StoreMessage { envelope }, flow);
}

/// ACK of a message, if it had a cid.
fn ack_stored(
    cx: &mut Cx,
    connections: &mut Connections,
    id: ConnectionId,
    envelope: &Envelope,
    stored: StoredMessage,
) {
    let StoredMessage { mid, ts, pos } = stored;
    if envelope.cid().is_empty() {
        return;
    }
    for _ in 0..connections.note_answered(id, envelope, Some((mid, ts, pos))) {
        cx.counters.acks += 1;
        let outcome = Outcome { mid: Some(mid), pos, ts: Some(ts), ..Outcome::default() };
        connections.reply(cx, id, reply::ack(envelope.cid(), msgid::ONE_CHAT, outcome));
    }
}

/// ERROR about a message.
pub(super) fn refuse(
    cx: &mut Cx,
    connections: &mut Connections,
    connection: ConnectionId,
    envelope: &Envelope,
    code: Code,
) {
    let cid = Some(envelope.cid()).filter(|cid| !cid.is_empty());
    connections.refuse(cx, About { connection, re: msgid::ONE_CHAT, cid }, code);
}
