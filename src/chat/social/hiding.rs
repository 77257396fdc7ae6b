//! Hiding: whoever blocks a user is offline to it, wherever the two are.
//!
//! The store knows who blocks whom. It says so with every list of people; a session of v2, which is told of changes,
//! remembers it of its friends. When somebody blocks or unblocks a user, that user's channel gets a hint, which names
//! nobody, and whichever core holds the user asks the store anew: what it answers replaces what was remembered, so that
//! hints may come late, twice, or out of order.

use super::Social;
use crate::backlog::Backlog;
use crate::connection::{Connection, Connections};
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{PublishFlow, SocialFlow};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::reply;
use crate::wire::request::Dialect;
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};

/// Sessions whose friends are asked for at one tick.
const QUERIES: usize = 16;

/// What is still to be told and to be asked.
#[derive(Debug, Default)]
pub(super) struct Hiding {
    /// Users who could not be told because the bus was down: one entry each.
    unhinted: BTreeSet<UserId>,
    /// Sessions whose hidden friends are not known for sure, with their users: one entry each.
    stale: BTreeMap<ConnectionId, UserId>,
}

impl Social {
    /// Somebody blocks a user, or does so no more: whoever holds that user is to look.
    pub(crate) fn publish_hiding_hint(&mut self, cx: &mut Cx, user: UserId) {
        cx.enter();
        let hint = Envelope::hiding_hint(user);
        cx.publish_counted(Channel::User(user), hint, PublishFlow::HidingHint { user });
    }

    pub(crate) fn on_hiding_hint_published(&mut self, user: UserId, receivers: Result<u32, BusDown>) {
        if receivers.is_err() {
            self.hiding.unhinted.insert(user);
        }
    }

    /// A hint has come for a user who is here, or about to be.
    pub(crate) fn on_hiding_hint(&mut self, cx: &mut Cx, connections: &Connections, user: UserId) {
        cx.enter();
        for id in connections.sessions(user) {
            query(cx, connections, id, user);
        }
    }

    /// It is not known for sure who hides from this session.
    pub(crate) fn look_at_hidden(&mut self, connections: &Connections, id: ConnectionId) {
        if let Some(user) = connections.get(id).and_then(Connection::user) {
            self.hiding.stale.insert(id, user);
        }
    }

    /// Asks for what is not known for sure, some at a time.
    pub(super) fn tick_hiding(&mut self, cx: &mut Cx, connections: &Connections) {
        for _ in 0..QUERIES {
            let Some((id, user)) = self.hiding.stale.pop_first() else { break };
            query(cx, connections, id, user);
        }
    }

    /// Tells again whom the bus could not tell.
    pub(crate) fn repeat_hiding_hints(&mut self, cx: &mut Cx) {
        cx.enter();
        for user in std::mem::take(&mut self.hiding.unhinted) {
            self.publish_hiding_hint(cx, user);
        }
    }

    /// Which friends hide from a user is known, or not. Of those for whom that has changed its session is told.
    pub(crate) fn on_hidden(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        (id, user): (ConnectionId, UserId),
        hidden: Result<Vec<UserId>, Code>,
    ) {
        cx.enter();
        let Some(connection) = connections.get(id).filter(|connection| connection.user() == Some(user))
        else {
            return;
        };
        let is_told = connection.is_logged_in() && !backlog.awaits_welcome(id);
        let Ok(hidden) = hidden else {
            self.hiding.stale.insert(id, user);
            return;
        };
        let Some(told) = self.sessions.get_mut(id).and_then(|session| session.told.get_mut()) else { return };
        let hidden: FxHashSet<UserId> =
            hidden.into_iter().filter(|user| told.friends.contains(user)).collect();
        let before = std::mem::replace(&mut told.hidden, hidden);
        let mut changed: Vec<UserId> = told.hidden.symmetric_difference(&before).copied().collect();
        changed.sort_unstable();
        let there = changed.into_iter().filter(|&friend| self.presence.is_online(friend));
        for friend in there.filter(|_| is_told) {
            connections.reply(cx, id, reply::presence(friend, !told.hidden.contains(&friend)));
        }
    }

    /// Whether a friend is online as a session of v2 is told: not if it blocks the session's user.
    pub(crate) fn is_online_to(&self, id: ConnectionId, user: UserId) -> bool {
        self.presence.is_online(user) && !self.hides_from(id, user)
    }

    /// Whether a friend of a session's user is known to block it.
    pub(super) fn hides_from(&self, id: ConnectionId, user: UserId) -> bool {
        self.sessions.get(id).is_some_and(|session| session.hides(user))
    }

    /// The same of a friend; `None` of anybody whom the session is not told of.
    pub(super) fn friend_hides(&self, id: ConnectionId, user: UserId) -> Option<bool> {
        let told = self.sessions.get(id)?.told.get()?;
        told.friends.contains(&user).then(|| told.hidden.contains(&user))
    }
}

/// Asks the store who hides from a user. Only a session of v2 remembers it.
fn query(cx: &mut Cx, connections: &Connections, id: ConnectionId, user: UserId) {
    let is_it =
        |connection: &Connection| connection.user() == Some(user) && connection.dialect == Dialect::V2;
    if connections.get(id).is_some_and(is_it) {
        cx.request(StoreRequest::Hidden { user }, SocialFlow::Hidden { connection: id, user });
    }
}
