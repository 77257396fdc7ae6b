//! Friends: the lists of the seed, one direction, no consent. What is asked for is next door, in `friendships`.

use super::Social;
use crate::connection::{About, Connection, Connections};
use crate::model::capabilities::Capabilities;
use crate::model::consent::Parting;
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::in_flight::Change;
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::reply;

/// Whether a new friend blocks whoever made it one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hides {
    Yes,
    No,
    /// That is still to be found out.
    Perhaps,
}

impl From<Option<bool>> for Hides {
    fn from(hides: Option<bool>) -> Self {
        match hides {
            Some(true) => Hides::Yes,
            Some(false) => Hides::No,
            None => Hides::Perhaps,
        }
    }
}

impl Social {
    /// ADD_FRIEND.
    pub(crate) fn on_add_friend(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        friend: UserId,
    ) {
        cx.enter();
        if user == friend {
            return connections.refuse_with(cx, about, Code::InvalidField, "friendid is you");
        }
        let request = StoreRequest::AddFriend { user, friend };
        connections.request_mutation(cx, about, user, request, Change::Befriend { friend });
    }

    /// DEL_FRIEND.
    pub(crate) fn on_del_friend(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        friend: UserId,
    ) {
        cx.enter();
        let knows_friendships = |connection: &Connection| connection.capabilities.has(Capabilities::FRIEND);
        let parting = match connections.get(about.connection).is_some_and(knows_friendships) {
            true => Parting::BothLists,
            false => Parting::OwnList,
        };
        let request = StoreRequest::DelFriend { user, friend, parting };
        connections.request_mutation(cx, about, user, request, Change::Unfriend { friend });
    }

    /// Watches a friend more for a session of v2, which is told of its state.
    pub(crate) fn befriend(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        (friend, hides): (UserId, Hides),
    ) {
        cx.enter();
        self.doubts.note_change(id);
        if let Some(connection) = connections.get_mut(id) {
            connection.note_friend(friend);
        }
        let Some(told) = self.sessions.get_mut(id).and_then(|session| session.told.get_mut()) else { return };
        if told.friends.contains(&friend) {
            return;
        }
        told.friends.push(friend);
        if hides != Hides::No {
            told.hidden.insert(friend);
        }
        self.presence.watch(id, &[friend]);
        if hides != Hides::No {
            connections.reply(cx, id, reply::presence(friend, false));
            if hides == Hides::Perhaps {
                self.look_at_hidden(connections, id);
            }
            if self.presence.state_of(friend).is_none() {
                self.verify(cx, friend);
            }
            return;
        }
        match self.presence.state_of(friend) {
            Some(online) => connections.reply(cx, id, reply::presence(friend, online)),
            None => self.verify(cx, friend),
        }
    }

    /// Watches a friend no more.
    pub(crate) fn unfriend(&mut self, connections: &mut Connections, id: ConnectionId, friend: UserId) {
        self.doubts.note_change(id);
        if connections.get_mut(id).is_some_and(|connection| connection.note_stranger(friend)) {
            self.note_narrowed(id);
        }
        if let Some(told) = self.sessions.get_mut(id).and_then(|session| session.told.get_mut()) {
            told.friends.retain(|&other| other != friend);
            told.hidden.remove(&friend);
            self.presence.unwatch(id, &[friend]);
        }
    }
}
