//! TYPING: that somebody types is passed on to who is there, and to nobody else: never stored, held or repeated.

use super::Social;
use crate::backlog::Backlog;
use crate::connection::{About, Connection, Connections};
use crate::model::capabilities::Capabilities;
use crate::model::envelope::{Envelope, TypingNotice};
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, Monotonic, UserId};
use crate::port::cx::Cx;
use crate::port::event::Channel;
use crate::wire::reply::{self, Outcome};

/// Conversations in which a session typed lately that are remembered: more than anybody types in at one time.
const CONVERSATIONS: usize = 8;

/// When a session last said that it types, in a few conversations.
#[derive(Debug, Default)]
pub(super) struct Typed(Vec<(Conversation, Monotonic)>);

impl Typed {
    /// Whether this TYPING is passed on: that somebody types, now and then; that it does no more, always.
    fn passes(&mut self, cx: &Cx, conversation: Conversation, on: bool) -> bool {
        self.0.retain(|&(_, due)| due > cx.now);
        let is_known = self.0.iter().any(|&(known, _)| known == conversation);
        if !on {
            return true;
        }
        let passes = !is_known && self.0.len() < CONVERSATIONS;
        if passes {
            self.0.push((conversation, cx.now.plus(cx.limits.typing_ms)));
        }
        passes
    }
}

impl Social {
    /// TYPING. `members` are the members here of the group that it is about.
    pub(crate) fn on_typing(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        about: About<'_>,
        (user, conversation, on): (UserId, Conversation, bool),
        members: &[ConnectionId],
    ) {
        cx.enter();
        let id = about.connection;
        let Some(connection) = connections.get(id) else { return };
        let hidden = matches!(conversation, Conversation::With(peer) if connection.refuses_from(peer));
        if self.typed.get(id).is_none() {
            self.typed.insert(id, Typed::default());
        }
        let passes = self.typed.get_mut(id).is_some_and(|typed| typed.passes(cx, conversation, on));
        if passes && !hidden {
            let notice = TypingNotice { user, on, here: members.len() as u64 };
            match conversation {
                Conversation::With(peer) => {
                    let sessions = connections.sessions(peer);
                    tell(cx, connections, backlog, &sessions, Conversation::With(user), notice, &[]);
                    let envelope = Envelope::typing_to_user(cx.next_mid(), peer, notice);
                    cx.publish(Channel::User(peer), envelope);
                }
                Conversation::Group(group) if members.len() <= cx.limits.typing_members => {
                    let but = connections.get(id).map(Connection::blocked).unwrap_or_default();
                    tell(cx, connections, backlog, members, conversation, notice, &but);
                    let envelope = Envelope::typing_in_group(cx.next_mid(), group, notice, &but);
                    cx.publish(Channel::Group(group), envelope);
                }
                Conversation::Group(_) => {}
            }
        }
        if let Some(cid) = about.cid {
            connections.reply(cx, id, reply::ack(cid, about.re, Outcome::default()));
        }
    }

    /// Another core tells that somebody types. `members` are the members here of the group that it is about.
    pub(crate) fn on_typing_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        envelope: &Envelope,
        conversation: Conversation,
        members: &[ConnectionId],
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        // What this core published comes back to it.
        if envelope.mid().core() == cx.core {
            return;
        }
        let Some(notice) = envelope.typing() else { return };
        match conversation {
            Conversation::With(to) => {
                let sessions = connections.sessions(to);
                let with = Conversation::With(notice.user);
                tell(cx, connections, backlog, &sessions, with, notice, &[]);
            }
            // Each core knows its own members and those of the core where somebody types.
            Conversation::Group(_)
                if members.len() as u64 + notice.here <= cx.limits.typing_members as u64 =>
            {
                let but = envelope.typing_is_kept_from();
                tell(cx, connections, backlog, members, conversation, notice, &but);
            }
            Conversation::Group(_) => {}
        }
    }
}

/// Tells those who understand it and have their login answer, but nobody who blocks whoever types or takes no messages of it, nobody whom that one
/// blocks, and not that one itself.
fn tell(
    cx: &mut Cx,
    connections: &mut Connections,
    backlog: &Backlog,
    to: &[ConnectionId],
    conversation: Conversation,
    notice: TypingNotice,
    but: &[UserId],
) {
    let TypingNotice { user, on, .. } = notice;
    let takes = |connection: &Connection| match conversation {
        Conversation::With(_) => connection.takes_from(user),
        Conversation::Group(_) => !connection.refuses_from(user),
    };
    let is_told = |connection: &Connection| {
        connection.is_logged_in()
            && !backlog.awaits_welcome(connection.id())
            && connection.capabilities.has(Capabilities::TYPING)
            && connection.user() != Some(user)
            && connection.user().is_none_or(|member| !but.contains(&member))
            && takes(connection)
    };
    for &id in to {
        if connections.get(id).is_some_and(is_told) {
            connections.reply(cx, id, reply::typing(conversation, user, on, cx.limits.typing_expires_ms));
        }
    }
}
