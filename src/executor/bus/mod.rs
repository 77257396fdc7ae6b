//! The bus: how cores hear of each other.
//!
//! The contract, which both siblings keep:
//!
//! - `join` → `Joined`: what is published on the channel from then on arrives.
//! - `publish` → `Counted`, if a id was given: how many cores have joined the channel. First
//!   in, first out for one publisher on one channel.
//! - `look` → `Present`: for each user, whether any core has joined its channel.
//! - `leave`: nothing follows; what is under way may still arrive.
//! - At most once: what is lost is lost, and `Counted` is then 0 or an error.
//!
//! [`local`] delivers within the process, [`redis`] within a cluster. [`Bus`] is the one place that
//! tells them apart.

#[doc(hidden)]
pub mod bench;
mod core_link;
pub mod local;
pub mod redis;
pub(super) mod setup;

use super::net::ring::Ring;
use super::net::sockets::Hurry;
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{Monotonic, RequestId, UserId};
use chatd_chat::port::event::{BusDown, Channel, Event};
use local::LocalBus;
use redis::RedisBus;
use rustc_hash::FxHashMap;

/// Whether a core's part of the bus is of use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BusState {
    /// Cores hear of each other.
    #[default]
    Up,
    /// It is lost.
    Lost,
    /// It works, and there are servers of the same database that are not on it: users may be logged in
    /// there.
    Split,
}

/// Whether the buses of all servers of a database are one, as far as somebody else knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unity {
    /// They are.
    Whole,
    /// A server lives that is not heard.
    Split,
}

/// Which cores a core hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// Which core of its server hears.
    pub core: usize,
    /// Which bus it is on, empty if that is not known; `None` if it has lost it.
    pub bus: Option<String>,
    /// Heartbeats of its own that it has heard.
    pub beats: u64,
    /// Of each core that it has heard of, by server and number: how many these were then.
    pub cores: FxHashMap<(u64, u16), u64>,
}

/// A consequence that is due at once, because it needed no other core.
pub(super) type Consequences = std::collections::VecDeque<Event<'static>>;

/// The bus has no room: as if nobody had heard.
pub(super) fn unheard(id: RequestId) -> Event<'static> {
    Event::Published { id, receivers: Err(BusDown) }
}

/// One core's part of the bus, whichever it is.
pub(super) enum Bus {
    Local(LocalBus),
    Redis(Box<RedisBus>),
}

impl Bus {
    pub(super) fn join(&mut self, id: RequestId, channel: Channel, due: &mut Consequences) {
        match self {
            Bus::Local(bus) => bus.join(id, channel, due),
            Bus::Redis(bus) => bus.join(id, channel, due),
        }
    }

    pub(super) fn leave(&mut self, channel: Channel) {
        match self {
            Bus::Local(bus) => bus.leave(channel),
            Bus::Redis(bus) => bus.leave(channel),
        }
    }

    pub(super) fn publish(
        &mut self,
        id: Option<RequestId>,
        channel: Channel,
        envelope: Envelope,
        due: &mut Consequences,
    ) {
        match self {
            Bus::Local(bus) => bus.publish(id, channel, envelope, due),
            Bus::Redis(bus) => bus.publish(id, channel, &envelope, due),
        }
    }

    pub(super) fn query_presence(&mut self, id: RequestId, users: &[UserId], due: &mut Consequences) {
        match self {
            Bus::Local(bus) => bus.query_presence(id, users, due),
            Bus::Redis(bus) => bus.query_presence(id, users, due),
        }
    }

    /// Time passes; the local bus has no use for it.
    pub(super) fn tick(&mut self, now: Monotonic, due: &mut Consequences) {
        if let Bus::Redis(bus) = self {
            bus.tick(now, due);
        }
    }

    /// A turn begins; the local bus sleeps with those it tells things.
    pub(super) fn check_silence(&mut self, now: Monotonic, due: &mut Consequences) {
        if let Bus::Redis(bus) = self {
            bus.check_silence(now, due);
        }
    }

    /// Submits what goes over the core's ring.
    pub(super) fn flush(&mut self, ring: &mut Ring, hurry: Hurry) {
        if let Bus::Redis(bus) = self {
            bus.flush(ring, hurry);
        }
    }

    /// Whether something waits for `flush`.
    pub(super) fn has_work(&self) -> bool {
        matches!(self, Bus::Redis(bus) if bus.has_work())
    }

    /// Whether cores can hear of each other.
    pub(super) fn state(&self) -> BusState {
        match self {
            Bus::Local(_) => BusState::Up,
            Bus::Redis(bus) => bus.state(),
        }
    }

    /// Takes in whether it is one with those of all servers, and tells who is heard on it; a bus of one
    /// process has no others.
    pub(super) fn set_unity(&mut self, unity: Unity, due: &mut Consequences) -> Option<Heard> {
        match self {
            Bus::Local(_) => None,
            Bus::Redis(bus) => Some(bus.set_unity(unity, due)),
        }
    }

    /// How much came that could not be understood; what a process says to itself always can.
    pub(super) fn foreign(&self) -> u64 {
        match self {
            Bus::Local(_) => 0,
            Bus::Redis(bus) => bus.foreign(),
        }
    }

    /// What waits for room, or for an answer.
    pub(super) fn waiting(&self) -> usize {
        match self {
            Bus::Local(bus) => bus.waiting(),
            Bus::Redis(bus) => bus.waiting(),
        }
    }

    /// The local bus, whose parcels only it understands.
    pub(super) fn local(&mut self) -> &mut LocalBus {
        match self {
            Bus::Local(bus) => bus,
            Bus::Redis(_) => unreachable!("parcels come over the rings of the local bus"),
        }
    }

    /// The Redis bus, whose completions only it understands.
    pub(super) fn redis(&mut self) -> &mut RedisBus {
        match self {
            Bus::Redis(bus) => bus,
            Bus::Local(_) => unreachable!("the local bus has no links"),
        }
    }
}
