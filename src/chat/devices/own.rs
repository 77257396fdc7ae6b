//! Own messages: what one of a user's sessions sends, its others are pushed, and what one has confirmed, the others need
//! not confirm.

use super::Devices;
use crate::backlog::Backlog;
use crate::connection::{Connection, Connections, StoredAs};
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, MessageId, UserId};
use crate::port::cx::Cx;
use crate::port::event::Channel;
use rustc_hash::FxHashSet;

impl Devices {
    /// A session has sent a direct message: the user's other sessions are pushed it. What is sent to oneself comes to all
    /// of them anyway, and of groups they are members themselves.
    pub(crate) fn share_sent(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        id: ConnectionId,
        envelope: &Envelope,
    ) {
        cx.enter();
        let user = envelope.sender();
        if envelope.user() == user || !(id.is_acting() || connections.is_multi(id)) {
            return;
        }
        push_own(cx, connections, backlog, user, Some(id), envelope);
        cx.publish(Channel::User(user), envelope.clone());
    }

    /// A session of this user on another core has sent a direct message.
    pub(crate) fn on_own_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        envelope: &Envelope,
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        // What this core published comes back to it.
        if envelope.mid().core() != cx.core {
            push_own(cx, connections, backlog, envelope.sender(), None, envelope);
        }
    }

    /// A session has confirmed these: the user's other sessions need not.
    pub(crate) fn share_confirmed(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        (id, user): (ConnectionId, UserId),
        mids: &[MessageId],
    ) {
        cx.enter();
        if mids.is_empty() || !connections.is_multi(id) {
            return;
        }
        confirm_for(connections, backlog, (user, Some(id)), mids);
        let notice = Envelope::confirmed_here(cx.next_mid(), user, mids);
        cx.publish(Channel::User(user), notice);
    }

    /// A session of this user on another core has confirmed something.
    pub(crate) fn on_confirmed_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        envelope: &Envelope,
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        // What this core published comes back to it.
        if envelope.mid().core() != cx.core {
            confirm_for(connections, backlog, (envelope.user(), None), &envelope.mids());
        }
    }
}

fn push_own(
    cx: &mut Cx,
    connections: &mut Connections,
    backlog: &mut Backlog,
    user: UserId,
    but: Option<ConnectionId>,
    envelope: &Envelope,
) {
    for id in connections.sessions(user) {
        if Some(id) != but && connections.get(id).is_some_and(Connection::hears_own) {
            backlog.push_or_buffer(cx, connections, id, envelope.clone(), StoredAs::History);
        }
    }
}

/// What was confirmed by one session is not returned to the backlog when another one ends.
fn confirm_for(
    connections: &mut Connections,
    backlog: &mut Backlog,
    (user, but): (UserId, Option<ConnectionId>),
    mids: &[MessageId],
) {
    for id in connections.sessions(user) {
        let session = connections.get_mut(id).filter(|connection| connection.multi && Some(id) != but);
        if let Some(connection) = session {
            let mut wanted: FxHashSet<MessageId> = mids.iter().copied().collect();
            connection.window.confirm(&mut wanted);
            backlog.confirm(id, mids);
        }
    }
}
