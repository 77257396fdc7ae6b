//! Doubts: word of whom a user knows, refuses or takes messages of may have crossed what was done after it.
//!
//! Each core tells what its own users have done, and the words of two cores come in any order: that a friend is gone may come
//! after word that it is one again, and would be the last that a session hears of it. So a word is taken at once, and then the
//! store is asked. What that says counts; if more was heard or done meanwhile, it is asked again. A session whose core had lost
//! the bus may have missed such words, and one that was told 110 does not know what was done: likewise.

use super::Social;
use super::friends::Hides;
use crate::backlog::Backlog;
use crate::connection::{Connection, Connections};
use crate::model::capabilities::Capabilities;
use crate::model::ids::{ConnectionId, SessionEpoch, UserId};
use crate::model::profile::Person;
use crate::port::cx::Cx;
use crate::port::in_flight::SocialFlow;
use crate::port::store::{Acquaintances, StoreRequest};
use crate::wire::code::Code;
use crate::wire::consent::{self, FriendWhat};
use rustc_hash::FxHashSet;
use std::collections::{BTreeMap, BTreeSet};

/// Sessions that are asked for at one tick.
const QUERIES: usize = 16;

/// Which sessions may not know what is so.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    /// Those that are not asked for yet, with the friends that were named to them.
    open: BTreeMap<ConnectionId, BTreeMap<UserId, Box<str>>>,
    /// Those that are asked for, and whether more was heard or done since.
    asked: BTreeMap<ConnectionId, bool>,
}

impl Doubts {
    /// A session has done something, or was told that another one has.
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
    /// A session may not know what is so.
    pub(crate) fn doubt(&mut self, id: ConnectionId) {
        self.doubts.open.entry(id).or_default();
    }

    /// A session was told of a friend by its name. Above the bound, it is told of it without.
    pub(super) fn doubt_friend(&mut self, cx: &Cx, id: ConnectionId, friend: UserId, name: Box<str>) {
        let named = self.doubts.open.entry(id).or_default();
        if named.len() < cx.limits.friend_events_held {
            named.insert(friend, name);
        }
    }

    /// Whom a session's user refuses, or what it has chosen, is otherwise than it was.
    pub(crate) fn note_refusals(&mut self, id: ConnectionId) {
        self.doubts.note_change(id);
    }

    /// Asks for some sessions, for each once at a time, and not before its login answer is out.
    pub(super) fn tick_doubts(&mut self, cx: &mut Cx, connections: &Connections, backlog: &Backlog) {
        let Doubts { open, asked } = &mut self.doubts;
        let is_through = |id: ConnectionId| {
            connections.get(id).is_none_or(Connection::is_logged_in) && !backlog.awaits_welcome(id)
        };
        let is_next = |&id: &ConnectionId| !asked.contains_key(&id) && is_through(id);
        let next: Vec<ConnectionId> = open.keys().copied().filter(is_next).take(QUERIES).collect();
        for id in next {
            let named = open.remove(&id).unwrap_or_default();
            let Some(identity) = connections.get(id).and_then(Connection::identity) else { continue };
            asked.insert(id, false);
            let flow = SocialFlow::Doubted { connection: id, epoch: identity.epoch, named };
            cx.request(StoreRequest::Acquaintances { user: identity.user }, flow);
        }
    }

    /// What is so is known, or not.
    pub(crate) fn on_doubted(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        (id, epoch): (ConnectionId, SessionEpoch),
        named: BTreeMap<UserId, Box<str>>,
        known: Result<Box<Acquaintances>, Code>,
    ) {
        cx.enter();
        if connections.get(id).is_none_or(|connection| !connection.is_in(epoch)) {
            return;
        }
        let is_overtaken = self.doubts.asked.remove(&id).unwrap_or_default();
        match known {
            Ok(known) if !is_overtaken => {
                self.settle_friends(cx, connections, id, &named, &known.friends);
                self.settle_refusals(cx, connections, id, &known);
            }
            Ok(_) | Err(_) => {
                self.doubt(id);
                named.into_iter().for_each(|(friend, name)| self.doubt_friend(cx, id, friend, name));
            }
        }
    }

    /// A session follows the list of friends in the store, and is told of each that it did not know so.
    fn settle_friends(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        named: &BTreeMap<UserId, Box<str>>,
        list: &[Person],
    ) {
        let Some(told) = self.sessions.get(id).and_then(|session| session.told.get()) else { return };
        let before: FxHashSet<UserId> = told.friends.iter().copied().collect();
        let listed: BTreeSet<UserId> = list.iter().map(|person| person.id).collect();
        // A list that is full may not be all of it.
        let is_whole = list.len() < cx.limits.friends;
        let mut gone: Vec<UserId> =
            before.iter().filter(|&friend| is_whole && !listed.contains(friend)).copied().collect();
        gone.sort_unstable();
        for friend in gone {
            let event = match named.get(&friend) {
                Some(name) => consent::friend_event(friend, FriendWhat::Gone, name, ""),
                None => consent::own_event(friend, FriendWhat::Gone),
            };
            tell(cx, connections, id, event);
            self.unfriend(connections, id, friend);
        }
        for person in list.iter().filter(|person| !before.contains(&person.id)) {
            let event = match named.get(&person.id) {
                Some(name) => consent::friend_event(person.id, FriendWhat::Accepted, name, ""),
                None => consent::own_event(person.id, FriendWhat::Added),
            };
            tell(cx, connections, id, event);
            self.befriend(cx, connections, id, (person.id, Hides::from(Some(person.hides))));
            // A block may have come between.
            self.look_at_hidden(connections, id);
        }
    }

    /// A session refuses what its user does as the store has it, and is told of what it did not know so.
    fn settle_refusals(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        known: &Acquaintances,
    ) {
        let Some(session) = connections.get_mut(id) else { return };
        let before: BTreeSet<UserId> = session.blocked().into_iter().collect();
        let (chosen, capabilities) = (session.chosen(), session.capabilities);
        let friends: Vec<UserId> = known.friends.iter().map(|person| person.id).collect();
        let may_have_narrowed = session.set_refusals(&known.blocked, known.settings, &friends);
        let blocked: BTreeSet<UserId> = known.blocked.iter().copied().collect();
        for &user in blocked.symmetric_difference(&before) {
            let what = if blocked.contains(&user) { FriendWhat::Blocked } else { FriendWhat::Unblocked };
            tell(cx, connections, id, consent::own_event(user, what));
        }
        if chosen != known.settings && capabilities.any() {
            connections.reply(cx, id, consent::settings(known.settings));
        }
        // One of v1 is not told of its friends: whether it has one less is not known.
        let has_list = self.sessions.get(id).is_some_and(|session| session.told.get().is_some());
        if may_have_narrowed && (chosen != known.settings || !has_list) {
            self.note_narrowed(id);
        }
    }
}

/// Tells a session of somebody, if it wants to know.
fn tell(cx: &mut Cx, connections: &mut Connections, id: ConnectionId, event: Vec<u8>) {
    if connections.get(id).is_some_and(|session| session.capabilities.has(Capabilities::FRIEND)) {
        connections.reply(cx, id, event);
    }
}
