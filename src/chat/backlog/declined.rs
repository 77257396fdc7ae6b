//! Declined: what came live and was kept from its reader because of who may write to it. A session may not know yet whom its
//! user takes messages of: the store does, and what it took waits in the backlog. So the reader looks there, a while later,
//! when the store has what was under way; and however much is declined, not more often than that.
//!
//! What is blocked is none of this.

use super::Backlog;
use super::live_buffer::BufferedMessage;
use crate::connection::Connections;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, Monotonic, UserId};
use crate::port::cx::Cx;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Readers who are to look, each once.
#[derive(Debug, Default)]
pub(super) struct Declined {
    /// In order, with their users, who may have another session by then.
    due: VecDeque<(Monotonic, ConnectionId, UserId)>,
    /// When the last message was declined for each of them.
    last: FxHashMap<ConnectionId, Monotonic>,
}

impl Declined {
    /// Whether a message that nobody has stored yet is for its reader.
    pub(super) fn lets_in(
        &mut self,
        cx: &Cx,
        connections: &Connections,
        id: ConnectionId,
        envelope: &Envelope,
    ) -> bool {
        let Some(connection) = connections.get(id) else { return false };
        if !connection.declines(envelope) {
            return true;
        }
        if !connection.refuses(envelope) && self.last.insert(id, cx.now).is_none() {
            self.due.push_back((cx.now.plus(cx.limits.declined_ms), id, envelope.user()));
        }
        false
    }

    /// Whether a buffered message is for its reader still. What a page has given, the store has taken.
    pub(super) fn lets_in_buffered(
        &mut self,
        cx: &Cx,
        connections: &Connections,
        id: ConnectionId,
        buffered: &BufferedMessage,
    ) -> bool {
        match buffered.given {
            true => connections.get(id).is_some_and(|connection| !connection.refuses(&buffered.envelope)),
            false => self.lets_in(cx, connections, id, &buffered.envelope),
        }
    }
}

impl Backlog {
    /// Sessions that are to fetch now, as something was declined for them, with their users; some at a time. Some may be gone:
    /// then it is for whoever is there now. Who was declined something a moment ago looks once more.
    pub(crate) fn take_declined(&mut self, cx: &Cx) -> Vec<(ConnectionId, UserId)> {
        let Declined { due, last } = &mut self.declined;
        let mut taken = Vec::new();
        while taken.len() < cx.limits.walk_sessions {
            let Some(&(_, id, user)) = due.front().filter(|(at, ..)| *at <= cx.now) else { break };
            due.pop_front();
            taken.push((id, user));
            let is_recent = |at: &Monotonic| at.plus(cx.limits.declined_ms) > cx.now;
            if last.get(&id).is_some_and(is_recent) {
                due.push_back((cx.now.plus(cx.limits.declined_ms), id, user));
            } else {
                last.remove(&id);
            }
        }
        taken
    }
}
