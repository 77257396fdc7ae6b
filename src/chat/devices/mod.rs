//! Devices: what lets several sessions of a user hold the same conversations.
//!
//! A device is a token with a name ([`list`]); which of them are online, the cores ask each other. Whoever was away
//! learns where its conversations stand and fetches what it lacks by place ([`sync`]); whoever is there is pushed what the
//! others send ([`own`]) and is told where what it was pushed is stored ([`places`]). All of a user's devices share one
//! read marker in each conversation ([`marker`]).
//!
//! Owns the pushes whose places are still to be told, the tokens that other cores are still to be told of, and the lists
//! for which other cores are still to answer, and the READs for sessions whose login answer is not out yet.
//!
//! Handles `Devices`, `DropDevice`, `PushToken`, `Heads`, `Sync`, `Read`, envelopes of the user's other sessions. Emits look-ups,
//! `MoveMarker`, `FindPlaces`, pushes, READ, STORED. Gives back: sessions that end with their token.
//!
//! Never knows how a user is claimed, or what a backlog is.

mod list;
mod marker;
mod own;
mod places;
mod sync;

use crate::model::envelope::Revoked;
use crate::model::ids::{ConnectionId, Monotonic, UserId};
use crate::port::in_flight::UnplacedPush;
use list::AskedList;
use marker::HeldReads;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What a core knows of its users' devices.
#[derive(Debug, Default)]
pub(crate) struct Devices {
    /// Pushes whose places their sessions are to be told, oldest first.
    unplaced: VecDeque<UnplacedPush>,
    /// How many of these the store is still to be asked for, of those that were there when it became time to.
    to_find: usize,
    /// Sessions that may have missed something that no backlog tells of, and when they are told where everything stands.
    to_tell: VecDeque<(Monotonic, ConnectionId)>,
    /// Tokens that are worthless, whose sessions elsewhere could not be told because the bus was down.
    untold: BTreeSet<(UserId, Revoked)>,
    /// Lists of devices for which other cores are still to say which of them they have.
    asked: Vec<AskedList>,
    /// READs that sessions are told once their login answer is out.
    reads: BTreeMap<ConnectionId, HeldReads>,
}

impl Devices {
    /// Whether nothing waits for the bus.
    pub(crate) fn is_idle(&self) -> bool {
        self.untold.is_empty()
    }

    /// A connection is nobody any more.
    pub(crate) fn forget(&mut self, id: ConnectionId) {
        self.reads.remove(&id);
    }

    fn note_untold(&mut self, user: UserId, revoked: Revoked) {
        self.untold.insert((user, revoked));
    }
}
