//! What a core measures of its own message path: latency histograms by stage and by path, and
//! plain counters. No lock, and no allocation on the path.
//!
//! - here: what there is to be measured, and the [`Snapshot`] that others get to see.
//! - [`recorder`] is what a core measures with, [`marks`] what it remembers of bytes that the
//!   kernel has not taken yet, [`timers`] of requests that are not answered yet.
//! - [`counters`] are the plain numbers, [`local_cores`] tells other cores of this server from other servers.
//!
//! Three rules keep the figures honest:
//!
//! 1. All durations of a server are differences of one monotonic clock, the same for all its cores;
//!    setting the machine's time does not touch them. (Another server's messages are compared with
//!    its clock, as far as the two agree.)
//! 2. The clock is read once a turn of a core, and once more where a stage within it begins or ends.
//!    What happens in a turn happens at its beginning, which is when the system call that
//!    brought it has returned. Stages shorter than a turn (parsed, routed) are taken of the first
//!    request of a turn, which stands for the others: their counts are of turns, not of requests.
//! 3. A message is flushed when the kernel *has taken* its last byte into the socket, not when it was
//!    asked to. A message that waits behind a full socket counts with all its waiting; one whose
//!    connection ends before is not in the histograms, and its reader is in the counters.

mod counters;
mod local_cores;
mod marks;
mod recorder;
mod timers;

pub use counters::{Counters, Gauges};
pub use local_cores::LocalCores;
pub use marks::{Mark, Marks, Queue};
pub use recorder::{Metrics, Way};
pub use timers::{Timed, Timers};

use super::observer::Pulse;
use chatd_chat::port::counters::HubCounters;
use hdrhistogram::Histogram;

/// A stage of the message path. Durations are in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Stage {
    /// The system call of a turn that brought bytes: it also submits the sends of the turn before.
    Read,
    /// Bytes to request, of the first request of a turn.
    Parsed,
    /// Request to effects performed (outboxes written, parcels posted), of the same one.
    Routed,
    /// A direct message published to another core: from being read until the bus has counted who
    /// heard it. What this core could count by itself is not in it.
    Published,
    /// A message from another core: from being read there to being handled here.
    Arrived,
    /// One send: from the first byte written to the outbox until the kernel has taken the last one.
    Flushed,
    /// A message that the store was asked to keep: until this core knows that it is committed.
    Stored,
    /// The same: until the kernel has taken its ACK. Messages without a cid have none.
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

/// Which way a message went: from being read until the kernel has taken it for its reader's socket.
///
/// One measurement for each reader whom it was pushed to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Path {
    /// One to one, both on this core.
    SameCore,
    /// One to one, from another core of this server.
    OtherCore,
    /// One to one, from another server.
    OtherServer,
    /// From a backlog: one measurement for each page that held messages, from asking the store until
    /// the kernel has taken the first frame of it.
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
pub const LONGEST_NS: u64 = 60_000_000_000;
/// Significant decimal digits of a histogram: a value is at most 1 % off.
pub const DIGITS: u8 = 2;

/// An empty histogram of durations in nanoseconds.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, DIGITS).expect("bounds that fit")
}

/// Everything a core has measured since it started, at one moment.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Which core.
    pub core: usize,
    /// What it has counted.
    pub counters: Counters,
    /// How much there is of everything now.
    pub gauges: Gauges,
    /// What its hub has counted.
    pub counts: HubCounters,
    /// One histogram a stage, in the order of [`Stage::ALL`], in nanoseconds.
    pub stages: Vec<Histogram<u64>>,
    /// One histogram a path, in the order of [`Path::ALL`], in nanoseconds.
    pub paths: Vec<Histogram<u64>>,
}

impl Snapshot {
    /// That the core turned when this was made.
    pub fn pulse(&self) -> Pulse {
        Pulse { core: self.core, bus: self.gauges.bus }
    }

    /// Every histogram with its kind (`stage` or `path`) and name.
    pub fn histograms(&self) -> impl Iterator<Item = (&'static str, &'static str, &Histogram<u64>)> {
        let stages = Stage::ALL.iter().zip(&self.stages).map(|(stage, h)| ("stage", stage.name(), h));
        let paths = Path::ALL.iter().zip(&self.paths).map(|(path, h)| ("path", path.name(), h));
        stages.chain(paths)
    }

    /// The histograms of all cores added up, with kind and name.
    pub fn merged(snapshots: &[Self]) -> Vec<(&'static str, &'static str, Histogram<u64>)> {
        let kinds = Stage::ALL.iter().map(|stage| ("stage", stage.name()));
        let kinds = kinds.chain(Path::ALL.iter().map(|path| ("path", path.name())));
        let mut merged: Vec<_> = kinds.map(|(kind, name)| (kind, name, histogram())).collect();
        for snapshot in snapshots {
            for ((.., sum), (.., histogram)) in merged.iter_mut().zip(snapshot.histograms()) {
                sum.add(histogram).expect("all have the same bounds");
            }
        }
        merged
    }
}
