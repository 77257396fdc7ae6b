//! What a core measures of its own message path: latency histograms by stage and by path, and
//! plain counters. No lock, and no allocation on the path.
//!
//! The clock is read per turn and stage, not per message. Where a stage is shorter than a turn
//! (parsing, routing) one message of each turn stands for the others. A message carries the time
//! at which its bytes were read, in microseconds, so that whoever delivers it knows how long it
//! was under way, on whichever core or server.

use crate::chat::envelope::{Envelope, Kind};
use crate::chat::ids::{CoreId, Ticket};
use hdrhistogram::Histogram;
use rustc_hash::FxHashMap;

/// A stage of the message path. Durations are in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// The system call that brings what was received and sends what was written, of one turn.
    Read,
    /// Bytes to request, of one message of the turn.
    Parsed,
    /// Request to effects performed (outboxes written, parcels posted), of one message of the turn.
    Routed,
    /// A publish that nobody on this core heard: until the bus has counted who did.
    Published,
    /// A message from another core: from being read there to arriving here.
    Arrived,
    /// A turn's first byte written to an outbox until the kernel has the last one.
    Flushed,
    /// A message asked to be kept: until the store has committed it.
    Stored,
    /// A message asked to be kept: until its ACK is with the kernel.
    Acked,
}

impl Stage {
    /// All of them, in the order of the path.
    pub const ALL: [Self; 8] = [
        Self::Read,
        Self::Parsed,
        Self::Routed,
        Self::Published,
        Self::Arrived,
        Self::Flushed,
        Self::Stored,
        Self::Acked,
    ];

    /// Its name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Parsed => "parsed",
            Self::Routed => "routed",
            Self::Published => "published",
            Self::Arrived => "arrived",
            Self::Flushed => "flushed",
            Self::Stored => "stored",
            Self::Acked => "acked",
        }
    }
}

/// Which way a message went: from being read to being with the kernel of the reader's socket.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Path {
    /// One to one, both on this core.
    SameCore,
    /// One to one, from another core of this server.
    OtherCore,
    /// One to one, from another server.
    OtherServer,
    /// From the backlog: from asking the store for the page on.
    Offline,
    /// To a group, from wherever.
    Group,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::SameCore, Self::OtherCore, Self::OtherServer, Self::Offline, Self::Group];

    /// Its name in metrics and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SameCore => "same_core",
            Self::OtherCore => "other_core",
            Self::OtherServer => "other_server",
            Self::Offline => "offline",
            Self::Group => "group",
        }
    }
}

/// Whether a core measures latencies. Counters are always kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measuring {
    /// It does.
    On,
    /// It does not: the benchmark of what measuring costs.
    Off,
}

/// Longest duration told apart, in nanoseconds: a minute. Longer ones count as that.
const LONGEST_NS: u64 = 60_000_000_000;
/// Significant decimal digits of a histogram.
const DIGITS: u8 = 2;
/// Tickets whose duration is being measured at most; more than that are not measured.
const TIMED_TICKETS: usize = 65_536;

/// What a core has counted since it started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub accepted: u64,
    /// Connections refused because there were too many.
    pub refused: u64,
    /// Connections open now.
    pub connections: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Requests that were understood.
    pub requests: u64,
    /// Frames that were not.
    pub faults: u64,
    /// Messages pushed to sessions.
    pub pushes: u64,
    /// Parcels published on the bus.
    pub published: u64,
    /// Questions to the store.
    pub asked: u64,
    /// Questions that the store's queue had no room for.
    pub store_busy: u64,
    /// Publishes that the bus could not take.
    pub bus_down: u64,
    /// 1 while cores can hear of each other, else 0.
    pub bus_up: u64,
    /// Turns of the socket ring.
    pub turns: u64,
}

/// Everything a core has measured, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Which core.
    pub core: usize,
    /// What it has counted.
    pub counters: Counters,
    /// One histogram a stage, in the order of [`Stage::ALL`], in nanoseconds.
    pub stages: Vec<Histogram<u64>>,
    /// One histogram a path, in the order of [`Path::ALL`], in nanoseconds.
    pub paths: Vec<Histogram<u64>>,
}

/// What one core measures with.
pub(super) struct Metrics {
    pub(super) counters: Counters,
    measuring: Measuring,
    core: CoreId,
    stages: Vec<Histogram<u64>>,
    paths: Vec<Histogram<u64>>,
    /// What was written to outboxes in this turn: its way, and when it began, in nanoseconds.
    written: Vec<(Way, u64)>,
    /// When the tickets that are being timed were given out.
    timed: FxHashMap<Ticket, (Timed, u64)>,
    /// Whether this turn's message that stands for the others is still to come.
    sample: bool,
}

/// What a ticket is timed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timed {
    /// A publish, until it is counted.
    Publish,
    /// A message that is to be kept, until it is.
    Keep,
    /// A page of a backlog, until it is there.
    Take,
}

/// What a duration that ends with the flush of this turn is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    Path(Path),
    Acked,
}

impl Metrics {
    pub(super) fn new(core: CoreId, measuring: Measuring) -> Self {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("bounds that fit");
        let histograms = |count| (0..count).map(|_| histogram()).collect();
        Self {
            counters: Counters::default(),
            measuring,
            core,
            stages: histograms(Stage::ALL.len()),
            paths: histograms(Path::ALL.len()),
            written: Vec::new(),
            timed: FxHashMap::default(),
            sample: false,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        self.measuring == Measuring::On
    }

    pub(super) fn snapshot(&self, core: usize) -> Snapshot {
        let (stages, paths) = (self.stages.clone(), self.paths.clone());
        Snapshot { core, counters: self.counters, stages, paths }
    }

    pub(super) fn record(&mut self, stage: Stage, from_ns: u64, to_ns: u64) {
        self.stages[stage as usize].saturating_record(to_ns.saturating_sub(from_ns).max(1));
    }

    /// A turn begins: its first message stands for the others.
    pub(super) fn begin_turn(&mut self) {
        self.counters.turns += 1;
        self.sample = self.is_on();
    }

    /// Whether this message is the one that stands for its turn.
    pub(super) fn take_sample(&mut self) -> bool {
        std::mem::take(&mut self.sample)
    }

    /// A message is being written to an outbox. `now_ns` is the time of this turn.
    pub(super) fn push(&mut self, envelope: &Envelope, now_ns: u64) {
        self.counters.pushes += 1;
        // Without a time it comes from the store: how long the page took is measured there.
        if !self.is_on() || envelope.read_us() == 0 {
            return;
        }
        let path = match (envelope.kind(), envelope.mid().core() == self.core) {
            (Kind::Group, _) => Path::Group,
            (_, true) => Path::SameCore,
            (_, false) => Path::OtherCore,
        };
        self.written.push((Way::Path(path), began_ns(envelope, now_ns)));
    }

    /// A message has come from another core.
    pub(super) fn arrived(&mut self, envelope: &Envelope, now_ns: u64) {
        if self.is_on() && envelope.read_us() != 0 && envelope.mid().core() != self.core {
            self.record(Stage::Arrived, began_ns(envelope, now_ns), now_ns);
        }
    }

    /// A ticket was given out whose answer ends a stage.
    pub(super) fn begin(&mut self, timed: Timed, ticket: Ticket, now_ns: u64) {
        if self.is_on() && self.timed.len() < TIMED_TICKETS {
            self.timed.insert(ticket, (timed, now_ns));
        }
    }

    /// The answer to a ticket has come.
    pub(super) fn end(&mut self, ticket: Ticket, now_ns: u64) {
        match self.timed.remove(&ticket) {
            None => {}
            Some((Timed::Publish, began_ns)) => self.record(Stage::Published, began_ns, now_ns),
            Some((Timed::Keep, began_ns)) => {
                self.record(Stage::Stored, began_ns, now_ns);
                self.written.push((Way::Acked, began_ns));
            }
            Some((Timed::Take, began_ns)) => self.written.push((Way::Path(Path::Offline), began_ns)),
        }
    }

    /// What was written in the turn is with the kernel at `now_ns`.
    pub(super) fn flushed(&mut self, now_ns: u64) {
        for (way, began_ns) in self.written.drain(..) {
            let histogram = match way {
                Way::Path(path) => &mut self.paths[path as usize],
                Way::Acked => &mut self.stages[Stage::Acked as usize],
            };
            histogram.saturating_record(now_ns.saturating_sub(began_ns).max(1));
        }
    }
}

/// When a message was read, in nanoseconds: its 32 bits of microseconds, taken for the last time
/// before `now_ns` that ends in them.
fn began_ns(envelope: &Envelope, now_ns: u64) -> u64 {
    let now_us = now_ns / 1_000;
    let ago_us = (now_us as u32).wrapping_sub(envelope.read_us());
    // A time from the near future is another machine's clock: that is now.
    if ago_us > u32::MAX / 2 { now_ns } else { (now_us - u64::from(ago_us)) * 1_000 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::envelope::{Message, Storing, Target};
    use crate::chat::ids::{MessageClock, Millis, UserId};

    fn envelope(core: u16, read_us: u32) -> Envelope {
        let user = |id| UserId::new(id).expect("valid");
        let mid = MessageClock::new(CoreId(core)).next(Millis(1_700_000_000_000));
        let (sender, target) = (user(1), Target::User(user(2)));
        let message =
            Message { sender, target, mid, ts: Millis(1), cid: "", storing: Storing::IfUnheard, body: b"{}" };
        Envelope::read_at(message, read_us, &mut Vec::new())
    }

    #[test]
    fn a_message_is_measured_from_its_own_time_to_the_flush() {
        let mut metrics = Metrics::new(CoreId(0), Measuring::On);
        let now_ns = (1 << 52) + 7_000;
        let read_us = (now_ns / 1_000 - 5) as u32;
        metrics.push(&envelope(0, read_us), now_ns);
        metrics.push(&envelope(3, read_us), now_ns);
        metrics.flushed(now_ns + 1_000);
        let snapshot = metrics.snapshot(0);
        for path in [Path::SameCore, Path::OtherCore] {
            let histogram = &snapshot.paths[path as usize];
            assert_eq!(histogram.len(), 1);
            assert!((5_900..=6_100).contains(&histogram.max()), "{}", histogram.max());
        }
    }

    #[test]
    fn microseconds_wrap_and_a_foreign_future_is_now() {
        let now_ns = u64::from(u32::MAX) * 1_000 + 3_000;
        assert_eq!(began_ns(&envelope(1, u32::MAX - 1), now_ns), now_ns - 4_000);
        assert_eq!(began_ns(&envelope(1, 50_000), now_ns), now_ns);
    }

    #[test]
    fn when_off_nothing_but_counters_is_kept() {
        let mut metrics = Metrics::new(CoreId(0), Measuring::Off);
        metrics.begin_turn();
        assert!(!metrics.take_sample());
        metrics.push(&envelope(0, 1), 10_000_000);
        metrics.flushed(10_001_000);
        assert_eq!(metrics.snapshot(0).counters.pushes, 1);
        assert!(metrics.snapshot(0).paths.iter().all(Histogram::is_empty));
    }
}
