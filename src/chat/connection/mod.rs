//! Connections: who each one is, what was sent to it, and whether its requests are handed over.
//!
//! Owns every connection of its core ([`state`]), which user is where, how connections begin and end
//! ([`lifecycle`]), who acts without a socket ([`acting`]), what was sent and not acknowledged ([`send_window`]) or not confirmed ([`unconfirmed`]), how far senders are ahead of the store
//! ([`backpressure`]), what it said lately ([`dedup`]), what it does not want to hear ([`refusals`]), pings ([`keepalive`]), how fast
//! each may ask ([`rates`], [`budgets`]), and in which order everybody is sent away when the server stops ([`draining`]).
//!
//! Handles `Opened`, `Located`, `BadFrame`, `FrameTimeout`, `HalfClosed`, `Closed`, `Acked`. Emits `Send`, `SendAll`, `Close`, `Pause`,
//! `Resume`, `Probe`. Gives back what an acknowledgement or an end leaves to be done: [`Acked`], [`UnackedPush`].
//!
//! Never knows a rule of chat.

mod acting;
pub(crate) mod backpressure;
mod budgets;
mod dedup;
mod draining;
mod keepalive;
mod lifecycle;
mod per_connection;
mod rates;
mod refusals;
pub(crate) mod send_window;
mod shares;
pub(crate) mod state;
mod unauthenticated;
mod unconfirmed;
mod walk;

use crate::model::ids::{ConnectionId, UserId};
use crate::port::in_flight::UnplacedPush;
use backpressure::Backpressure;
use budgets::Budgets;
pub(crate) use budgets::Class;
pub(crate) use draining::Drained;
use draining::Draining;
pub(crate) use keepalive::LOOK_MS as KEEPALIVE_MS;
pub(crate) use lifecycle::About;
pub(crate) use per_connection::PerConnection;
use rates::RatePauses;
use rustc_hash::FxHashMap;
pub(crate) use send_window::{StoredAs, UnackedPush};
pub(crate) use state::{AuthState, Connection, Identity, Leaving, Pause, Vain};
use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use unauthenticated::Unauthenticated;
pub(crate) use walk::Walk;

/// Every connection of a core.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: Vec<Option<Box<Connection>>>,
    /// Sessions without a socket, by number.
    acting: FxHashMap<u32, Box<Connection>>,
    /// Users whose channel this core has joined or is joining, and for which connection.
    by_user: FxHashMap<UserId, ConnectionId>,
    /// The other connections of users who have several here.
    beside: FxHashMap<UserId, Vec<ConnectionId>>,
    /// Pushes to connections that are told places, since they were last taken.
    unplaced: Vec<UnplacedPush>,
    /// Connections that are not logged in and are not about to be, oldest first.
    unauthenticated: Unauthenticated,
    /// Connections that something was sent to since TCP was last looked at.
    to_probe: VecDeque<ConnectionId>,
    /// How many of these are still to be looked at, of those that were there when it became time to.
    probes_left: usize,
    /// Which connections are still to be looked at for silence.
    silence: Walk,
    /// Bytes sent and not acknowledged, over all connections.
    unacked_bytes: u64,
    /// What senders are ahead of the store.
    backpressure: Backpressure,
    /// What users and addresses have used up of their rates.
    budgets: Budgets,
    /// Who is not read from because it asks too fast.
    rate_pauses: RatePauses,
    /// How far it is, when the server stops.
    draining: Draining,
    /// Numbers the pings.
    pings: u64,
}

impl Connections {
    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        if id.is_acting() {
            return self.acting.get(&id.generation).map(|connection| &**connection);
        }
        self.slots.get(id.index as usize)?.as_deref().filter(|connection| connection.id() == id)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        if id.is_acting() {
            return self.acting.get_mut(&id.generation).map(|connection| &mut **connection);
        }
        self.slots.get_mut(id.index as usize)?.as_deref_mut().filter(|connection| connection.id() == id)
    }

    /// The connection that holds a user, or is about to; the first one, if the user has several sessions.
    pub(crate) fn of_user(&self, user: UserId) -> Option<ConnectionId> {
        self.by_user.get(&user).copied()
    }

    /// Every connection of a user, logged in or about to be.
    pub(crate) fn sessions(&self, user: UserId) -> Vec<ConnectionId> {
        let beside = self.beside.get(&user).into_iter().flatten();
        self.of_user(user).into_iter().chain(beside.copied()).collect()
    }

    /// The connections of a user besides the first one: hardly anybody has any.
    pub(crate) fn beside(&self, user: UserId) -> Vec<ConnectionId> {
        self.beside.get(&user).cloned().unwrap_or_default()
    }

    /// Whether a user is logged in here.
    pub(crate) fn is_here(&self, user: UserId) -> bool {
        let is_logged_in = |&id: &ConnectionId| self.get(id).is_some_and(Connection::is_logged_in);
        self.of_user(user).iter().chain(self.beside.get(&user).into_iter().flatten()).any(is_logged_in)
    }

    /// Whether this session lives beside others of its user, here or elsewhere.
    pub(crate) fn is_multi(&self, id: ConnectionId) -> bool {
        self.get(id).is_some_and(|connection| connection.multi)
    }

    /// A user is this connection's from now on, beside others that it may have here.
    pub(crate) fn hold(&mut self, user: UserId, id: ConnectionId) {
        match self.by_user.entry(user) {
            Entry::Vacant(entry) => drop(entry.insert(id)),
            Entry::Occupied(_) => self.beside.entry(user).or_default().push(id),
        }
    }

    /// A user is this connection's no more; whether nobody here has it now.
    pub(crate) fn release(&mut self, user: UserId, id: ConnectionId) -> bool {
        let Some(others) = self.beside.get_mut(&user) else {
            self.by_user.remove(&user);
            return true;
        };
        match others.iter().position(|&other| other == id) {
            Some(at) => drop(others.swap_remove(at)),
            None => {
                if let Some(next) = others.pop() {
                    self.by_user.insert(user, next);
                }
            }
        }
        if others.is_empty() {
            self.beside.remove(&user);
        }
        false
    }

    /// The pushes to connections that are told places, since this was last asked.
    pub(crate) fn take_unplaced(&mut self) -> Vec<UnplacedPush> {
        std::mem::take(&mut self.unplaced)
    }

    /// Slots there are, for a [`Walk`] over all connections.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The connection in a slot.
    pub(crate) fn at(&self, slot: usize) -> Option<&Connection> {
        self.slots.get(slot)?.as_deref()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Connection> {
        self.slots.iter().flatten().map(|connection| &**connection)
    }

    /// Every connection that is logging in.
    pub(crate) fn all_logging_in(&self) -> Vec<ConnectionId> {
        let logging_in = |connection: &&Connection| matches!(connection.auth(), AuthState::LoggingIn(_));
        self.iter().filter(logging_in).map(Connection::id).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.slots.iter().all(Option::is_none) && self.acting.is_empty()
    }

    /// Users who are logged in here, or about to be.
    pub(crate) fn users(&self) -> usize {
        self.by_user.len()
    }

    pub(crate) fn unacked_bytes(&self) -> u64 {
        self.unacked_bytes
    }
}
