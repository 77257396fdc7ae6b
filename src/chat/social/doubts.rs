//! Doubts: word of a friend more or less may have crossed what was done after it.
//!
//! Each core tells what its own users have done, and the words of two cores come in any order: that a friend is gone may come
//! after word that it is one again, and would be the last that a session hears of it. So a word is taken at once, and then the
//! store is asked for the list. What that says of those whom words were about counts; if more was heard or done meanwhile, it
//! is asked again.

use super::Social;
use super::friends::Hides;
use crate::connection::{Connection, Connections};
use crate::model::capabilities::Capabilities;
use crate::model::ids::{ConnectionId, SessionEpoch};
use crate::model::profile::Person;
use crate::port::cx::Cx;
use crate::port::in_flight::{Doubt, SocialFlow};
use crate::port::store::{StoreReply, StoreRequest, StoreResult};
use crate::wire::consent::{self, FriendWhat};
use std::collections::BTreeMap;

/// Sessions whose lists are asked for at one tick.
const QUERIES: usize = 16;

/// Who is to be looked for in whose list.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// What is not asked yet, by session.
    open: BTreeMap<ConnectionId, Vec<Doubt>>,
    /// Sessions whose list is asked for, and whether more was heard or done since.
    asked: BTreeMap<ConnectionId, bool>,
}

impl Doubts {
    /// A session has a friend more or less, or was told so.
    pub(super) fn note_change(&mut self, id: ConnectionId) {
        if let Some(is_overtaken) = self.asked.get_mut(&id) {
            *is_overtaken = true;
        }
    }

    /// A session ends.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        self.open.remove(&id);
        self.asked.remove(&id);
    }
}

impl Social {
    /// A session has heard of a friend more or less. Above the bound, the next login answer has what is so.
    pub(crate) fn doubt(&mut self, cx: &Cx, id: ConnectionId, doubt: Doubt) {
        let open = self.doubts.open.entry(id).or_default();
        if open.len() < cx.limits.friend_events_held && open.iter().all(|other| other.friend != doubt.friend)
        {
            open.push(doubt);
        }
    }

    /// Asks for the lists of some sessions, each once at a time.
    pub(super) fn tick_doubts(&mut self, cx: &mut Cx, connections: &Connections) {
        let Doubts { open, asked } = &mut self.doubts;
        let next: Vec<ConnectionId> =
            open.keys().filter(|id| !asked.contains_key(id)).take(QUERIES).copied().collect();
        for id in next {
            let doubts = open.remove(&id).unwrap_or_default();
            let Some(identity) = connections.get(id).and_then(Connection::identity) else { continue };
            asked.insert(id, false);
            let flow = SocialFlow::Doubted { connection: id, epoch: identity.epoch, doubts };
            cx.request(StoreRequest::Friends { user: identity.user }, flow);
        }
    }

    /// Who is on the list of a session's user is known, or not.
    pub(crate) fn on_doubted(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        (id, epoch): (ConnectionId, SessionEpoch),
        doubts: Vec<Doubt>,
        result: StoreResult,
    ) {
        cx.enter();
        if connections.get(id).is_none_or(|connection| !connection.is_in(epoch)) {
            return;
        }
        let is_overtaken = self.doubts.asked.remove(&id).unwrap_or_default();
        let Ok(StoreReply::Friends(list)) = result else {
            return doubts.into_iter().for_each(|doubt| self.doubt(cx, id, doubt));
        };
        for doubt in doubts {
            if is_overtaken {
                self.doubt(cx, id, doubt);
            } else {
                let listed = list.iter().find(|person| person.id == doubt.friend);
                self.settle(cx, connections, id, &doubt, listed);
            }
        }
    }

    /// Tells a session of a friend what is so, if that is not what it was told last.
    fn settle(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        doubt: &Doubt,
        listed: Option<&Person>,
    ) {
        let Doubt { friend, name } = doubt;
        let told = self.sessions.get(id).and_then(|session| session.told.get());
        if told.is_some_and(|told| told.friends.contains(friend) == listed.is_some()) {
            return;
        }
        let event = match (name, listed) {
            (Some(name), Some(_)) => consent::friend_event(*friend, FriendWhat::Accepted, name, ""),
            (Some(name), None) => consent::friend_event(*friend, FriendWhat::Gone, name, ""),
            (None, Some(_)) => consent::own_event(*friend, FriendWhat::Added),
            (None, None) => consent::own_event(*friend, FriendWhat::Gone),
        };
        if connections.get(id).is_some_and(|session| session.capabilities.has(Capabilities::FRIEND)) {
            connections.reply(cx, id, event);
        }
        match listed {
            Some(person) => {
                self.befriend(cx, connections, id, (*friend, Hides::from(Some(person.hides))));
                // A block may have come between.
                self.look_at_hidden(connections, id);
            }
            None => self.unfriend(connections, id, *friend),
        }
    }
}
