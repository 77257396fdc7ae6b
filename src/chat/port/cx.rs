//! What every room is lent for one event.

use super::counters::HubCounters;
use super::effect::{Effect, Framed};
use super::event::Channel;
use super::hearing::Hearing;
use super::in_flight::{InFlight, JoinFlow, PublishFlow, QueryFlow, StoreFlow};
use super::lookups::Lookups;
use super::rename::Renamed;
use super::seal::Scratch;
use super::store::StoreRequest;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, CoreId, MessageClock, MessageId, Millis, Monotonic, UserId};
use crate::model::limits::Limits;
use crate::model::local_time::LocalTime;
use crate::model::rate::Rates;
use crate::model::registration::Registration;
use crate::model::retention::Retention;

/// Time, bounds, the clock of message ids, the effects of this event, requests in flight, counters.
#[derive(Debug)]
pub(crate) struct Cx {
    /// The moment of the event that is being handled: what deadlines are measured by.
    pub(crate) now: Monotonic,
    /// The same by the wall clock: for `ts`, message ids and texts only.
    pub(crate) wall: Millis,
    pub(crate) limits: Limits,
    pub(crate) rates: Rates,
    pub(crate) retention: Retention,
    pub(crate) registration: Registration,
    /// The number that this core goes by.
    pub(crate) core: CoreId,
    pub(crate) clock: MessageClock,
    pub(crate) local_time: LocalTime,
    /// When the bytes of this turn were read, for the envelopes made of them.
    pub(crate) read_us: u32,
    pub(crate) in_flight: InFlight,
    pub(super) lookups: Lookups,
    pub(crate) counters: HubCounters,
    pub(crate) hearing: Hearing,
    /// Whether the server is stopping.
    pub(crate) draining: bool,
    /// What is to be done, in this order.
    pub(crate) effects: Vec<Effect>,
    /// Messages that were given another id.
    pub(crate) renamed: Renamed,
    pub(super) scratch: Scratch,
    /// The files of the rooms that were entered for this event, in this order.
    #[cfg(test)]
    pub(crate) entered: Vec<&'static str>,
}

impl Cx {
    pub(crate) fn new(core: CoreId, limits: Limits) -> Self {
        Self {
            now: Monotonic(0),
            wall: Millis(0),
            limits,
            rates: Rates::default(),
            retention: Retention::default(),
            registration: Registration::default(),
            core,
            clock: MessageClock::new(core),
            local_time: LocalTime::default(),
            read_us: 0,
            in_flight: InFlight::default(),
            lookups: Lookups::default(),
            counters: HubCounters::default(),
            hearing: Hearing::default(),
            draining: false,
            effects: Vec::new(),
            renamed: Renamed::default(),
            scratch: Scratch::default(),
            #[cfg(test)]
            entered: Vec::new(),
        }
    }

    /// A room is entered: the first thing that each of its methods does that is lent `&mut self` and a `Cx`. Only tests
    /// take note of it (`src/chat/hub/message_walk_tests.rs`).
    #[cfg(test)]
    #[track_caller]
    pub(crate) fn enter(&mut self) {
        self.entered.push(std::panic::Location::caller().file());
    }

    #[cfg(not(test))]
    #[inline(always)]
    pub(crate) fn enter(&mut self) {}

    pub(crate) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Pushes a message. What the last effect pushes already is pushed to one more by it.
    pub(crate) fn push(&mut self, connection: ConnectionId, framed: Framed, envelope: &Envelope) {
        if !self.effects.last_mut().is_some_and(|last| last.push_also(connection, framed, envelope)) {
            self.emit(Effect::push(connection, framed, envelope));
        }
    }

    /// The next message id.
    pub(crate) fn next_mid(&mut self) -> MessageId {
        self.clock.next(self.wall)
    }

    /// Takes note of a message id made elsewhere.
    pub(crate) fn observe(&mut self, mid: MessageId) {
        self.clock.observe(mid);
    }

    /// Requests something of the store; `flow` says what the reply is for.
    pub(crate) fn request(&mut self, request: StoreRequest, flow: impl Into<StoreFlow>) {
        let id = self.in_flight.store.insert(flow.into());
        self.emit(Effect::Store { id, request });
    }

    pub(crate) fn join(&mut self, channel: Channel, flow: JoinFlow) {
        let id = self.in_flight.join.insert(flow);
        self.emit(Effect::Join { id, channel });
    }

    pub(crate) fn leave(&mut self, channel: Channel) {
        self.emit(Effect::Leave { channel });
    }

    /// Publishes, and does not ask who hears it.
    pub(crate) fn publish(&mut self, channel: Channel, envelope: Envelope) {
        self.emit(Effect::Publish { id: None, channel, envelope });
    }

    /// Publishes; how many cores hear it comes back.
    pub(crate) fn publish_counted(&mut self, channel: Channel, envelope: Envelope, flow: PublishFlow) {
        let id = Some(self.in_flight.publish.insert(flow));
        self.emit(Effect::Publish { id, channel, envelope });
    }

    /// Finds out who of these users is online anywhere.
    pub(crate) fn query_presence(&mut self, users: Vec<UserId>, flow: QueryFlow) {
        let id = self.in_flight.query.insert(flow);
        self.emit(Effect::QueryPresence { id, users });
    }
}
