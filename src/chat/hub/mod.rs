//! The hub: one core's rooms, put together. Events come in, effects go out.
//!
//! Owns the rooms and nothing else. [`dispatch`]: which room an event is for · [`requests`]: which room answers what a
//! client says · [`replies`]: what is done with what was waited for · [`acts`]: what the API does · [`sessions`], [`backlogs`], [`acquaintances`] and [`memberships`]: what
//! all rooms have a part in · [`timers`]: what time brings.
//!
//! Rooms do not call each other sideways: they give back what came of a call, and the hub makes the next one.

mod acquaintances;
mod acts;
mod backlogs;
mod dispatch;
#[cfg(test)]
mod forged_tests;
mod group_rules;
mod memberships;
#[cfg(test)]
mod message_walk_tests;
mod mutations;
mod rates;
mod replies;
mod requests;
mod sessions;
mod timers;
#[cfg(test)]
mod walk_tests;

use crate::backlog::Backlog;
use crate::changes::Changes;
use crate::connection::Connections;
use crate::devices::Devices;
use crate::direct::Direct;
use crate::group::Groups;
use crate::login::Logins;
use crate::model::ids::{CoreId, MessageId, Millis, Now};
use crate::model::limits::Limits;
use crate::model::rate::Rates;
use crate::model::registration::Registration;
use crate::model::retention::Retention;
use crate::port::counters::HubCounters;
use crate::port::cx::Cx;
use crate::port::effect::Effect;
use crate::port::event::Event;
use crate::social::Social;
use timers::Timers;

/// What one core knows and decides.
#[derive(Debug)]
pub struct Hub {
    cx: Cx,
    connections: Connections,
    backlog: Backlog,
    changes: Changes,
    devices: Devices,
    direct: Direct,
    groups: Groups,
    logins: Logins,
    social: Social,
    timers: Timers,
    /// Whether everybody was told that the server stops.
    drained: bool,
}

/// How much a hub holds of everything, for whoever watches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Census {
    /// Connections.
    pub connections: usize,
    /// Users who are logged in here, or about to be.
    pub users: usize,
    /// Groups with a member here.
    pub groups: usize,
    /// Of the users, those whose login is under way.
    pub logging_in: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Users whose messages go through the store first.
    pub store_first_users: usize,
    /// Messages that wait behind those that are being stored first.
    pub store_first_messages: usize,
    /// Live messages that wait for their reader's catch-up to be through.
    pub buffered_messages: usize,
    /// Retries: requests to the store that wait because it was busy.
    pub store_retries: usize,
    /// Groups with stored messages that the other cores are still to be told of.
    pub untold_groups: usize,
    /// Claims that are not decided.
    pub claims: usize,
    /// Bytes sent and not acknowledged.
    pub unacked_bytes: u64,
}

impl Hub {
    /// The hub of `core`, which has nobody yet.
    pub fn new(core: CoreId, limits: Limits) -> Self {
        Self {
            cx: Cx::new(core, limits),
            connections: Connections::default(),
            backlog: Backlog::default(),
            changes: Changes::default(),
            devices: Devices::default(),
            direct: Direct::default(),
            groups: Groups::default(),
            logins: Logins::default(),
            social: Social::default(),
            timers: Timers::default(),
            drained: false,
        }
    }

    /// The same, storing what it is told to.
    pub fn retaining(mut self, retention: Retention) -> Self {
        self.cx.retention = retention;
        self
    }

    /// The same, letting register whom it is told to.
    pub fn registering(mut self, registration: Registration) -> Self {
        self.cx.registration = registration;
        self
    }

    /// How often clients may do what, from now on.
    pub fn set_rates(&mut self, rates: Rates) {
        self.cx.rates = rates;
    }

    /// Who may register, from now on.
    pub fn set_registration(&mut self, registration: Registration) {
        self.cx.registration = registration;
    }

    /// The same, started at `wall` and giving ids after `stored`, the greatest that the store knows.
    pub fn after(mut self, stored: MessageId, wall: Millis) -> Self {
        self.cx.clock.begin_after(stored, wall);
        self
    }

    /// Whether everybody was told that the server stops, since it does.
    pub fn is_drained(&self) -> bool {
        self.drained
    }

    /// Whether nothing is left to do: no connections, no replies to come, nothing to be stored.
    pub fn is_idle(&self) -> bool {
        self.connections.is_empty()
            && self.cx.in_flight.len() == 0
            && self.backlog.is_idle()
            && self.devices.is_idle()
            && self.direct.is_idle()
            && self.groups.is_idle()
    }

    /// How much there is of everything.
    pub fn census(&self) -> Census {
        let (store_first_users, store_first_messages) = self.direct.store_first_census();
        let (groups, untold_groups) = self.groups.census();
        Census {
            connections: self.connections.iter().count(),
            users: self.connections.users(),
            groups,
            logging_in: self.cx.counters.logging_in as usize,
            in_flight: self.cx.in_flight.len(),
            store_first_users,
            store_first_messages,
            buffered_messages: self.backlog.buffered_messages(),
            store_retries: self.backlog.retries(),
            untold_groups,
            claims: self.logins.undecided(),
            unacked_bytes: self.connections.unacked_bytes(),
        }
    }

    /// What it has counted.
    pub fn counts(&self) -> &HubCounters {
        &self.cx.counters
    }

    /// What comes from now on was read from its sockets at `read_us`: the low 32 bits of the microseconds since the
    /// Unix epoch. Measuring only; nothing is decided by it.
    pub fn note_read(&mut self, read_us: u32) {
        self.cx.read_us = read_us;
    }

    /// Takes in one event at `now` and says what is to be done about it.
    ///
    /// `now.monotonic` never goes back; `now.wall` may. Effects are to be performed in their order, and before the next event is handled.
    pub fn handle(&mut self, now: Now, event: Event<'_>, out: &mut Vec<Effect>) {
        self.cx.now = self.cx.now.max(now.monotonic);
        self.cx.wall = now.wall;
        std::mem::swap(&mut self.cx.effects, out);
        self.dispatch(event);
        std::mem::swap(&mut self.cx.effects, out);
    }
}
