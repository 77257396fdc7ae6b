//! Where a core's events meet its hub and the hub's effects meet the world.
//!
//! `feed` and `perform` are plain functions: nothing awaits between an event and its effects.
//! `perform` is one exhaustive match and decides nothing.

use super::bus::Consequences;
use super::bus::local::{LocalBus, Parcel};
use super::clock::Clock;
use super::net::connections::Connections;
use super::store_link::StoreLink;
use crate::chat::effect::Effect;
use crate::chat::event::Event;
use crate::chat::hub::Hub;
use crate::chat::wire::code::Code;
use std::cell::RefCell;
use std::rc::Rc;

/// One core's shard, shared by the tasks of that core and by nobody else.
pub(super) type SharedShard = Rc<RefCell<Shard>>;

/// A hub and everything that it can reach.
pub(super) struct Shard {
    hub: Hub,
    clock: Clock,
    bus: LocalBus,
    store: StoreLink,
    pub(super) connections: Connections,
    /// Reused from event to event.
    effects: Vec<Effect>,
    /// What came of effects at once, to be handled after them.
    due: Consequences,
    /// Whether the hub is at work: a panic then leaves it in a state that nobody can vouch for.
    feeding: bool,
}

impl Shard {
    pub(super) fn new(hub: Hub, bus: LocalBus, store: StoreLink, connections: Connections) -> Self {
        Self {
            hub,
            clock: Clock::new(),
            bus,
            store,
            connections,
            effects: Vec::new(),
            due: Consequences::new(),
            feeding: false,
        }
    }

    /// Reads the clock, once for all the events of a turn.
    pub(super) fn begin_turn(&mut self) {
        self.clock.read();
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whether nothing is left to do for this core.
    pub(super) fn is_idle(&self) -> bool {
        self.hub.is_idle() && self.connections.is_empty()
    }

    /// Whether a panic has struck the hub.
    pub(super) fn is_broken(&self) -> bool {
        self.feeding
    }

    /// Lets the hub handle an event, and does what it wants done.
    pub(super) fn feed(&mut self, event: Event<'_>) {
        self.feeding = true;
        self.hub.handle(self.clock.now(), event, &mut self.effects);
        self.perform();
        self.feed_due();
        self.feeding = false;
    }

    /// Takes in a parcel of another core.
    pub(super) fn receive(&mut self, from: usize, parcel: Parcel) {
        self.bus.receive(from, parcel, &mut self.due);
        self.feeding = true;
        self.feed_due();
        self.feeding = false;
    }

    fn feed_due(&mut self) {
        while let Some(event) = self.due.pop_front() {
            self.hub.handle(self.clock.now(), event, &mut self.effects);
            self.perform();
        }
    }

    fn perform(&mut self) {
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Send { session, frame } => self.connections.send(session, &frame),
                Effect::Close { session } => self.connections.close(session),
                Effect::Pause { session } => self.connections.pause(session),
                Effect::Resume { session } => self.connections.resume(session),
                Effect::Probe { session } => {
                    if let Some(bytes) = self.connections.probe(session) {
                        self.due.push_back(Event::Acked { session, bytes });
                    }
                }
                Effect::Join { ticket, channel } => self.bus.join(ticket, channel, &mut self.due),
                Effect::Leave { channel } => self.bus.leave(channel),
                Effect::Publish { ticket, channel, envelope } => {
                    self.bus.publish(ticket, channel, envelope, &mut self.due);
                }
                Effect::Look { ticket, users } => self.bus.look(ticket, &users, &mut self.due),
                Effect::Ask { ticket, ask } => {
                    if self.store.ask(ticket, ask).is_err() {
                        self.due.push_back(Event::Answered { ticket, answer: Err(Code::Busy) });
                    }
                }
            }
        }
    }
}
