//! What comes back: from the store, once it is its turn, and from the bus.

use super::{CORES, World};
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{RequestId, UserId};
use chatd_chat::port::event::{BusDown, Channel, Event};
use chatd_chat::port::store::StoreRequest;

/// What is under way to a core.
pub(super) enum Fact {
    /// The store does this when it is its turn.
    Asked(RequestId, StoreRequest),
    Joined(RequestId, Result<(), BusDown>),
    Published(RequestId, Result<u32, BusDown>),
    Arrived(Channel, Envelope),
    Present(RequestId, Result<Vec<bool>, BusDown>),
    /// The peer's TCP has acknowledged what it has.
    Acked(usize, u32),
    /// A connection that was closed is gone.
    Gone(usize, u32),
    /// A connection's requests are handed over again.
    Serve(usize, u32),
}

/// Things that happen after one command, at most: far more than any has caused.
const MOST: usize = 20_000;

impl World {
    /// Lets happen what is under way, in turn, unless it waits.
    pub(super) fn go_on(&mut self) {
        let mut happened = 0;
        while !self.held && self.lanes.iter().any(|lane| !lane.is_empty()) {
            (0..2 * CORES).for_each(|lane| self.next_of(lane));
            happened += 1;
            assert!(happened < MOST, "it does not come to rest");
        }
    }

    /// Lets happen what is next in a lane.
    pub(super) fn next_of(&mut self, lane: usize) {
        let core = lane % CORES;
        let Some(fact) = self.lanes[lane].pop_front() else { return };
        match fact {
            Fact::Asked(id, mut request) => {
                // The simulation's store takes no word of places that it has not given.
                if let StoreRequest::AckDelivered { cursors, .. } = &mut request
                    && self.forged
                {
                    cursors.clear();
                }
                let result = match self.refusal.take() {
                    Some(code) => Err(code),
                    None => self.store.answer(&request),
                };
                self.has_come(core, "store", id);
                self.feed(core, Event::Answered { id, result });
            }
            Fact::Joined(id, result) => {
                self.has_come(core, "join", id);
                self.feed(core, Event::Joined { id, result });
            }
            Fact::Published(id, receivers) => {
                self.has_come(core, "publish", id);
                self.feed(core, Event::Published { id, receivers });
            }
            Fact::Present(id, online) => {
                self.has_come(core, "query", id);
                self.feed(core, Event::PresenceResult { id, online });
            }
            Fact::Arrived(channel, envelope) => {
                // Some hops cross a process.
                let envelope = Envelope::open(envelope.bytes().clone()).expect("a hub has sealed it");
                self.feed(core, Event::Arrived { channel, envelope });
            }
            Fact::Acked(at, generation) => self.acked(at, generation),
            Fact::Gone(at, generation) => self.gone(at, generation),
            Fact::Serve(at, generation) => self.serve(at, generation),
        }
    }

    fn has_come(&mut self, core: usize, what: &'static str, id: RequestId) {
        assert!(self.awaited.remove(&(core, what, id)), "{what} {id:?} was asked for");
    }

    /// Something comes to a core by its bus, or by its sockets.
    pub(super) fn later(&mut self, core: usize, fact: Fact) {
        self.lanes[CORES + core].push_back(fact);
    }

    fn bus_works(&mut self) -> Result<(), BusDown> {
        match self.bus_fails.checked_sub(1) {
            Some(left) => {
                self.bus_fails = left;
                Err(BusDown)
            }
            None => Ok(()),
        }
    }

    pub(super) fn join(&mut self, core: usize, id: RequestId, channel: Channel) {
        let result = self.bus_works();
        if result.is_ok() {
            self.joined.insert((channel, core));
        }
        self.later(core, Fact::Joined(id, result));
    }

    pub(super) fn publish(&mut self, core: usize, id: Option<RequestId>, channel: Channel, what: &Envelope) {
        let works = self.bus_works();
        let mut receivers = 0;
        if works.is_ok() {
            for listener in 0..CORES {
                if channel != Channel::Cores && !self.joined.contains(&(channel, listener)) {
                    continue;
                }
                receivers += 1;
                match self.bus_loses.checked_sub(1) {
                    Some(left) => self.bus_loses = left,
                    None => self.later(listener, Fact::Arrived(channel, what.clone())),
                }
            }
        }
        if let Some(id) = id {
            self.later(core, Fact::Published(id, works.map(|()| receivers)));
        }
    }

    pub(super) fn query(&mut self, core: usize, id: RequestId, users: &[UserId]) {
        let is_online =
            |user: &UserId| (0..CORES).any(|core| self.joined.contains(&(Channel::User(*user), core)));
        let online = users.iter().map(is_online).collect();
        let online = self.bus_works().map(|()| online);
        self.later(core, Fact::Present(id, online));
    }
}
