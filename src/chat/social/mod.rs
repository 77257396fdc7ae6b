//! Social: friends, blocked users, who is online, and what can be looked up.
//!
//! Owns presence as one core knows it ([`presence`]) and whose presence each session is told of. [`friends`] and
//! [`blocks`] request changes; [`friendships`] are asked for; [`doubts`] looks at what was heard of them; [`hiding`] keeps from a session who blocks its user; [`directory`],
//! [`history`] and [`search`] answer look-ups; [`typing`] passes on that somebody types; [`announcements`] are for everybody.
//!
//! Handles `AddFriend`, `DelFriend`, `FriendAsk`, `FriendAnswer`, `Block`, `Unblock`, `Find`, `Members`, `ShowFriends`, `History`,
//! `Search`, notices of other
//! cores, replies to queries. Emits requests to the store, `QueryPresence`, PRESENCE, notices.
//!
//! Never knows a message under way, a claim, or a subscription.

mod announcements;
mod blocks;
mod directory;
mod doubts;
mod friends;
mod friendships;
mod hiding;
mod history;
mod presence;
mod search;
mod typing;

use crate::connection::PerConnection;
use crate::model::ids::{SessionEpoch, UserId};
use crate::model::seldom::Seldom;
use announcements::Announcements;
use doubts::Doubts;
pub(crate) use friends::Hides;
use friendships::Friendships;
use hiding::Hiding;
pub(crate) use history::HistoryQuery;
use presence::Presence;
pub(crate) use presence::{Gone, PresenceOutcome};
use rustc_hash::FxHashSet;
pub(crate) use search::SearchQuery;
use typing::Typed;

/// What a core knows of people.
#[derive(Debug, Default)]
pub(crate) struct Social {
    presence: Presence,
    hiding: Hiding,
    friendships: Friendships,
    doubts: Doubts,
    announcements: Announcements,
    sessions: PerConnection<Watching>,
    /// When each session last said that it types.
    typed: PerConnection<Typed>,
}

/// What a session is told, and is known by.
#[derive(Debug)]
struct Watching {
    /// Whose coming and going it is told of. Nothing if it speaks v1, which has no word for it.
    told: Seldom<Told>,
    /// The number by which the other cores know that its user is here: that of its login, or a newer one if it has
    /// stayed when the session of a newer login went.
    known_as: SessionEpoch,
}

/// Whose coming and going a session is told of.
#[derive(Debug, Default)]
struct Told {
    friends: Vec<UserId>,
    /// Those of them who block its user: to it they are offline.
    hidden: FxHashSet<UserId>,
}

impl Watching {
    /// Whether a friend of its user is known to block it.
    fn hides(&self, user: UserId) -> bool {
        self.told.get().is_some_and(|told| told.hidden.contains(&user))
    }
}
