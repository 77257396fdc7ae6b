//! Who is told of a change: the sessions of the conversation's people, here and on other cores. Word that is lost is found
//! by SYNC: a change has a number, and none is missing.

use super::Changes;
use crate::backlog::Backlog;
use crate::connection::{Connection, Connections};
use crate::model::capabilities::Capabilities;
use crate::model::change::{Changed, Done};
use crate::model::envelope::{ChangeNotice, Envelope};
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::event::Channel;
use crate::wire::changed;

impl Changes {
    /// A session of `user` has changed a message: everybody is told but that session, which gets an ACK.
    pub(super) fn spread(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        (user, asked): (UserId, ConnectionId),
        members: &[ConnectionId],
        notice: ChangeNotice,
    ) {
        match notice.conversation {
            Conversation::With(peer) => {
                let there = ChangeNotice { conversation: Conversation::With(user), ..notice.clone() };
                let other = (peer != user).then_some((peer, there));
                for (to, notice) in [(user, notice)].into_iter().chain(other) {
                    let sessions = connections.sessions(to);
                    self.tell(cx, connections, backlog, &sessions, Some(asked), &notice);
                    let envelope = Envelope::changed_for_user(cx.next_mid(), to, &notice);
                    cx.publish(Channel::User(to), envelope);
                }
            }
            Conversation::Group(group) => {
                self.tell(cx, connections, backlog, members, Some(asked), &notice);
                let envelope = Envelope::changed_in_group(cx.next_mid(), group, &notice);
                cx.publish(Channel::Group(group), envelope);
            }
        }
    }

    /// Another core tells that a message was changed. `to` are the sessions here that it concerns.
    pub(crate) fn on_changed_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        envelope: &Envelope,
        to: &[ConnectionId],
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        // What this core published comes back to it.
        if envelope.mid().core() != cx.core
            && let Some(notice) = envelope.changed()
        {
            self.tell(cx, connections, backlog, to, None, &notice);
        }
    }

    /// Tells these sessions but for one: who is live at once, the others when their backlog is through.
    fn tell(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        to: &[ConnectionId],
        but: Option<ConnectionId>,
        notice: &ChangeNotice,
    ) {
        let mut frame = None;
        for &id in to {
            if notice.changed.what == Done::Recalled {
                backlog.recall(id, notice.changed.mid);
            }
            let Some(connection) = connections.get(id).filter(|_| Some(id) != but) else { continue };
            if !connection.capabilities.has(Capabilities::CHANGED) {
                continue;
            }
            if !connection.is_logged_in() || !backlog.is_live(id) {
                self.hold(id, cx.limits.held_changes, notice.clone());
            } else if is_told(connection, &notice.changed) {
                let frame = frame.get_or_insert_with(|| changed::push(notice.conversation, &notice.changed));
                connections.reply(cx, id, frame.clone());
            }
        }
    }
}

/// Whoever blocks somebody hears nothing of it but what it takes back.
pub(super) fn is_told(connection: &Connection, changed: &Changed) -> bool {
    changed.what == Done::Recalled || !connection.refuses_from(changed.by)
}
