//! Where a core's events meet its hub and the hub's effects meet the world.
//!
//! `feed` and `perform` are plain functions: nothing awaits between an event and its effects.
//! `perform` is one exhaustive match and decides nothing.

use super::acts::Acting;
use super::bus::local::Parcel;
use super::bus::{Bus, Consequences, Heard, Unity};
use super::clock::{Clock, Origin};
use super::flight_recorder::FlightRecorder;
use super::metrics::{Gauges, Mark, Metrics, Snapshot, Timed, Way};
use super::net::proxied::Proxies;
use super::net::secure_reader::Secrecy;
use super::net::site::Site;
use super::net::sockets::Sockets;
use super::observer::Pulse;
use super::store_link::StoreLink;
use chatd_chat::hub::Hub;
use chatd_chat::model::envelope::Kind;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::rate::Rates;
use chatd_chat::model::registration::Registration;
use chatd_chat::port::effect::Effect;
use chatd_chat::port::event::Event;
use chatd_chat::port::store::StoreRequest;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::json::Parser;
use std::cell::RefCell;
use std::rc::Rc;

/// One core's shard, shared by the tasks of that core and by nobody else.
pub(super) type SharedShard = Rc<RefCell<Shard>>;

/// A hub and everything that it can reach.
pub(super) struct Shard {
    hub: Hub,
    clock: Clock,
    pub(super) bus: Bus,
    store: StoreLink,
    pub(super) sockets: Sockets,
    /// What the API has had asked here.
    pub(super) acting: Acting,
    pub(super) metrics: Metrics,
    pub(super) recorder: FlightRecorder,
    pub(super) parser: Parser,
    pub(super) limits: Limits,
    /// How its port is encrypted.
    pub(super) secrecy: Secrecy,
    /// What its port gives to who speaks HTTP.
    pub(super) site: Site,
    /// Who is believed when it says whom it speaks for.
    pub(super) proxies: Proxies,
    /// Reused from event to event.
    effects: Vec<Effect>,
    /// What came of effects at once, to be handled after them.
    due: Consequences,
    /// Whether the hub is at work: a panic then leaves it in a state that nobody can vouch for.
    feeding: bool,
}

/// What a shard is put together from.
pub(super) struct Parts {
    pub(super) hub: Hub,
    pub(super) bus: Bus,
    pub(super) store: StoreLink,
    pub(super) sockets: Sockets,
    pub(super) acting: Acting,
    pub(super) metrics: Metrics,
    pub(super) recorder: FlightRecorder,
    pub(super) limits: Limits,
    pub(super) secrecy: Secrecy,
    pub(super) site: Site,
    pub(super) proxies: Proxies,
    pub(super) origin: Origin,
}

impl Shard {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts {
            hub,
            bus,
            store,
            sockets,
            acting,
            metrics,
            recorder,
            limits,
            secrecy,
            site,
            proxies,
            origin,
        } = parts;
        Self {
            hub,
            clock: Clock::new(origin),
            bus,
            store,
            sockets,
            acting,
            metrics,
            recorder,
            parser: Parser::new(),
            limits,
            secrecy,
            site,
            proxies,
            effects: Vec::new(),
            due: Consequences::new(),
            feeding: false,
        }
    }

    /// Reads the clock, once for all the events of a turn.
    pub(super) fn begin_turn(&mut self) {
        self.clock.read();
        (self.sockets.now, self.sockets.now_ns) = (self.clock.now().monotonic, self.clock.steady_ns());
        self.hub.note_read(self.read_us());
        self.bus.check_silence(self.clock.now().monotonic, &mut self.due);
        if !self.due.is_empty() {
            self.feed_all_due();
        }
    }

    /// The time of this turn as messages carry it: microseconds, never 0.
    pub(super) fn read_us(&self) -> u32 {
        ((self.clock.steady_ns() / 1_000) as u32).max(1)
    }

    /// What is handed over from now on was read at `read_us`, before this turn.
    pub(super) fn note_read(&mut self, read_us: u32) {
        self.hub.note_read(read_us);
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// That this core turns.
    pub(super) fn pulse(&self, core: usize) -> Pulse {
        Pulse { core, bus: self.bus.state() }
    }

    /// What this core has counted until now; its histograms are to be filled in.
    pub(super) fn snapshot(&self, core: usize) -> Snapshot {
        let mut counters = self.metrics.counters;
        counters.unmeasured += self.sockets.unmarked;
        counters.foreign = self.bus.foreign();
        counters.cpu_ns = cpu_ns();
        let gauges = Gauges {
            connections: self.sockets.count() as u64,
            websockets: self.sockets.wrapped.websockets,
            encrypted: self.sockets.wrapped.encrypted,
            bus_waiting: self.bus.waiting() as u64,
            bus: self.bus.state(),
            store_waiting: self.store.waiting() as u64,
            census: self.hub.census(),
        };
        let counts = *self.hub.counts();
        Snapshot { core, counters, gauges, counts, stages: Vec::new(), paths: Vec::new() }
    }

    /// Parts from the store, whoever may still hold this shard.
    pub(super) fn hang_up(&mut self) {
        self.store.hang_up();
    }

    /// Whether everybody here was told that the server stops.
    pub(super) fn is_drained(&self) -> bool {
        self.hub.is_drained()
    }

    /// Whether nothing is left to do for this core.
    pub(super) fn is_idle(&self) -> bool {
        self.hub.is_idle() && self.sockets.is_empty()
    }

    /// Whether a panic has struck the hub.
    pub(super) fn is_broken(&self) -> bool {
        self.feeding
    }

    /// How often clients may do what, from now on.
    pub(super) fn set_rates(&mut self, rates: Rates) {
        self.hub.set_rates(rates);
    }

    /// Who may register, from now on.
    pub(super) fn set_registration(&mut self, registration: Registration) {
        self.hub.set_registration(registration);
    }

    /// Finishes with everybody, in their turn; said again, at once.
    pub(super) fn drain(&mut self) {
        self.begin_turn();
        self.feed(Event::Drain);
    }

    /// Lets the hub handle an event, and does what it wants done.
    pub(super) fn feed(&mut self, event: Event<'_>) {
        self.feeding = true;
        self.handle(event);
        self.feed_all_due();
    }

    fn handle(&mut self, event: Event<'_>) {
        let mut answered = self.measure(&event);
        self.recorder.event(&event, self.clock.steady_ns());
        let acks = self.hub.counts().acks;
        self.hub.handle(self.clock.now(), event, &mut self.effects);
        if acks == self.hub.counts().acks {
            // Something was kept that nobody had asked to be told of.
            answered.take_if(|mark| mark.way == Way::Acked);
        }
        self.perform(answered);
    }

    /// What an event tells of how long something took, and what its first frame will tell.
    fn measure(&mut self, event: &Event<'_>) -> Option<Mark> {
        let now_ns = self.clock.steady_ns();
        match event {
            Event::Request { .. } => self.metrics.counters.requests += 1,
            Event::BadFrame { .. } => self.metrics.counters.faults += 1,
            Event::Arrived { envelope, .. } => self.metrics.arrived(envelope, now_ns),
            Event::Published { id, receivers } => {
                self.metrics.counters.bus_down += u64::from(receivers.is_err());
                self.metrics.published(*id, *receivers, now_ns);
            }
            Event::Answered { id, result } => return self.metrics.answered(*id, result, now_ns),
            Event::Rejoined { core } => self.metrics.goes_by(*core),
            _ => {}
        }
        None
    }

    /// Takes in a parcel of another core.
    pub(super) fn receive(&mut self, from: usize, parcel: Parcel) {
        if parcel.is_claim() {
            // Its user may have left here before, and come to the other core since: that end was sent first.
            self.gather();
        }
        self.bus.local().receive(from, parcel, &mut self.due);
        self.feed_all_due();
    }

    /// Takes in what the link of the bus has received, or that it received nothing.
    pub(super) fn receive_link(&mut self, number: u32, bytes: &[u8], result: i32) {
        self.bus.redis().received(number, bytes, result, &mut self.due);
        self.feed_all_due();
    }

    /// A send of the link of the bus has completed.
    pub(super) fn sent_link(&mut self, number: u32, result: i32) {
        self.bus.redis().sent(number, result, &mut self.due);
        self.feed_all_due();
    }

    /// Takes in whether the buses of all servers are one, and tells who is heard on this core's.
    pub(super) fn set_unity(&mut self, unity: Unity) -> Option<Heard> {
        self.begin_turn();
        let heard = self.bus.set_unity(unity, &mut self.due);
        self.feed_all_due();
        heard
    }

    /// Time passes.
    pub(super) fn tick(&mut self) {
        self.bus.tick(self.clock.now().monotonic, &mut self.due);
        let utc_offset_s = self.clock.utc_offset_s();
        self.feed(Event::Tick { utc_offset_s });
        self.sockets.close_on();
    }

    /// Lets the hub handle what has come due.
    fn feed_all_due(&mut self) {
        self.feeding = true;
        self.feed_due();
        self.feeding = false;
    }

    fn feed_due(&mut self) {
        while let Some(event) = self.due.pop_front() {
            self.handle(event);
        }
    }

    fn perform(&mut self, mut answered: Option<Mark>) {
        let mut effects = std::mem::take(&mut self.effects);
        for effect in effects.drain(..) {
            self.recorder.effect(&effect, self.clock.steady_ns());
            self.perform_one(effect, &mut answered);
        }
        self.effects = effects;
    }

    fn perform_one(&mut self, effect: Effect, answered: &mut Option<Mark>) {
        let now_ns = self.clock.steady_ns();
        match effect {
            Effect::Send { connection, frame } if connection.is_acting() => {
                if self.acting.answer(connection, Some(&frame)) {
                    self.due.push_back(Event::Closed { connection, acked: 0 });
                }
            }
            Effect::Close { connection, .. } if connection.is_acting() => {
                if self.acting.answer(connection, None) {
                    self.due.push_back(Event::Closed { connection, acked: 0 });
                }
            }
            Effect::Pause { connection } | Effect::Resume { connection } | Effect::Probe { connection }
                if connection.is_acting() => {}
            Effect::Send { connection, frame } => {
                let mark = self.metrics.mark(&frame, answered, now_ns);
                let written = self.sockets.send(connection, &frame, mark);
                self.metrics.counters.pushes += u64::from(written && frame.message().is_some());
            }
            Effect::SendAll { connections, frame } => {
                let mark = self.metrics.mark(&frame, answered, now_ns);
                self.metrics.counters.pushes += self.sockets.send_all(&connections, &frame, mark);
            }
            Effect::Close { connection, why } => self.sockets.close(connection, why),
            Effect::Pause { connection } => self.sockets.pause(connection),
            Effect::Resume { connection } => self.sockets.resume(connection),
            Effect::Probe { connection } => {
                if let Some(bytes) = self.sockets.probe(connection) {
                    self.due.push_back(Event::Acked { connection, bytes });
                }
            }
            Effect::Join { id, channel } => self.bus.join(id, channel, &mut self.due),
            Effect::Leave { channel } => self.bus.leave(channel),
            Effect::Publish { id, channel, envelope } => {
                self.metrics.counters.published += 1;
                if let (Some(id), Kind::Direct) = (id, envelope.kind()) {
                    self.metrics.begin(Timed::Publish, id, now_ns);
                }
                self.bus.publish(id, channel, envelope, &mut self.due);
            }
            Effect::QueryPresence { id, users } => self.bus.query_presence(id, &users, &mut self.due),
            Effect::Store { id, request } => {
                self.metrics.counters.asked += 1;
                match request {
                    StoreRequest::StoreMessage { .. } => self.metrics.begin(Timed::StoreMessage, id, now_ns),
                    StoreRequest::FetchBacklog { .. } => self.metrics.begin(Timed::FetchBacklog, id, now_ns),
                    _ => {}
                }
                if self.store.submit(id, request).is_err() {
                    self.metrics.counters.store_busy += 1;
                    self.due.push_back(Event::Answered { id, result: Err(Code::Busy) });
                }
            }
        }
    }
}

/// Nanoseconds of CPU that this thread has used.
fn cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
