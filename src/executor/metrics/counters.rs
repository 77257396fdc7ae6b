//! Plain numbers of one core: what it has counted, and how much there is now.

use crate::bus::BusState;
use chatd_chat::hub::Census;

/// What a core has counted since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because there were too many.
    pub refused: u64,
    /// Handshakes of TLS that were done in full.
    pub tls_full: u64,
    /// Those that were done in short, by who came back with a ticket.
    pub tls_resumed: u64,
    /// Connections that were encrypted and broken off: handshakes that failed, and records that were wrong.
    pub tls_failed: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes that the kernel has taken.
    pub sent_bytes: u64,
    /// Requests that were understood.
    pub requests: u64,
    /// Frames that were not.
    pub faults: u64,
    /// Messages written to the outboxes of sessions, one for each reader.
    pub pushes: u64,
    /// Parcels published on the bus.
    pub published: u64,
    /// Messages that came from other cores.
    pub arrived: u64,
    /// What came on the bus and could not be understood.
    pub foreign: u64,
    /// Questions to the store.
    pub asked: u64,
    /// Questions that the store's queue had no room for.
    pub store_busy: u64,
    /// Publishes that the bus could not take.
    pub bus_down: u64,
    /// Turns of the socket ring.
    pub turns: u64,
    /// Measurements left out because too many were under way.
    pub unmeasured: u64,
    /// Nanoseconds of CPU that the core's thread has used.
    pub cpu_ns: u64,
}

/// How much a core has of everything at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gauges {
    /// Connections open.
    pub connections: u64,
    /// Those of them that are WebSockets.
    pub websockets: u64,
    /// Those of them that are in TLS.
    pub encrypted: u64,
    /// Parcels that wait for room on their way to other cores.
    pub bus_waiting: u64,
    /// Whether the bus works.
    pub bus: BusState,
    /// Questions that wait for the store, those of all cores.
    pub store_waiting: u64,
    /// What the hub holds.
    pub census: Census,
}
