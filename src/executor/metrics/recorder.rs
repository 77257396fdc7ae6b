//! What one core measures with.

use super::{Counters, LocalCores, Mark, Measuring, Path, Stage, Timed, Timers, histogram};
use chatd_chat::model::envelope::{Envelope, Kind};
use chatd_chat::model::ids::{CoreId, RequestId};
use chatd_chat::port::effect::Frame;
use chatd_chat::port::event::BusDown;
use chatd_chat::port::store::{BacklogPage, StoreReply, StoreResult};
use hdrhistogram::Histogram;

/// What a duration that ends with a flush is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// A message's whole way.
    Path(Path),
    /// From asking the store to the ACK.
    Acked,
}

/// The counters and histograms of one core.
pub struct Metrics {
    /// Plain counters, kept whether latencies are measured or not.
    pub counters: Counters,
    measuring: Measuring,
    core: CoreId,
    local_cores: LocalCores,
    stages: Vec<Histogram<u64>>,
    paths: Vec<Histogram<u64>>,
    timers: Timers,
    /// Whether this turn's request that stands for the others is still to come.
    sample: bool,
}

impl Metrics {
    /// Those of `core`, which joins `local_cores`, the cores of this server.
    pub fn new(core: CoreId, local_cores: LocalCores, measuring: Measuring) -> Self {
        local_cores.add(core);
        let histograms = |count| (0..count).map(|_| histogram()).collect();
        Self {
            counters: Counters::default(),
            measuring,
            core,
            local_cores,
            stages: histograms(Stage::ALL.len()),
            paths: histograms(Path::ALL.len()),
            timers: Timers::default(),
            sample: false,
        }
    }

    /// The core goes by this number from now on.
    pub fn goes_by(&mut self, core: CoreId) {
        if core != self.core {
            self.local_cores.remove(self.core);
            self.local_cores.add(core);
            self.core = core;
        }
    }

    /// Whether latencies are measured.
    pub fn is_on(&self) -> bool {
        self.measuring == Measuring::On
    }

    /// A copy of the histogram of a stage.
    pub fn stage(&self, stage: Stage) -> Histogram<u64> {
        self.stages[stage as usize].clone()
    }

    /// A copy of the histogram of a path.
    pub fn path(&self, path: Path) -> Histogram<u64> {
        self.paths[path as usize].clone()
    }

    /// Something has taken from one time to the other.
    pub fn record(&mut self, stage: Stage, from_ns: u64, to_ns: u64) {
        self.stages[stage as usize].saturating_record(to_ns.saturating_sub(from_ns).max(1));
    }

    /// A turn begins: its first request stands for the others.
    pub fn begin_turn(&mut self) {
        self.counters.turns += 1;
        self.sample = self.is_on();
    }

    /// Whether this request is the one that stands for its turn.
    pub fn take_sample(&mut self) -> bool {
        std::mem::take(&mut self.sample)
    }

    /// What is to be measured of a frame that is being written to an outbox, in a turn that began at
    /// `now_ns`. `answered` is what [`Self::answered`] said of the event that it comes of.
    pub fn mark(&self, frame: &Frame, answered: &mut Option<Mark>, now_ns: u64) -> Option<Mark> {
        if !self.is_on() {
            return None;
        }
        let Some(envelope) = frame.message() else { return answered.take() };
        if envelope.read_us() == 0 {
            // A message without a time comes from the store.
            return answered.take_if(|mark| mark.way == Way::Path(Path::Offline));
        }
        let path = match (envelope.kind(), envelope.mid().core()) {
            (Kind::Group, _) => Path::Group,
            (_, core) if core == self.core => Path::SameCore,
            (_, core) if self.local_cores.has(core) => Path::OtherCore,
            _ => Path::OtherServer,
        };
        Some(Mark { way: Way::Path(path), began_ns: began_ns(envelope, now_ns) })
    }

    /// The kernel has taken what was marked.
    pub fn flushed(&mut self, mark: Mark, now_ns: u64) {
        let histogram = match mark.way {
            Way::Path(path) => &mut self.paths[path as usize],
            Way::Acked => &mut self.stages[Stage::Acked as usize],
        };
        histogram.saturating_record(now_ns.saturating_sub(mark.began_ns).max(1));
    }

    /// A message has come from the bus.
    pub fn arrived(&mut self, envelope: &Envelope, now_ns: u64) {
        if envelope.mid().core() == self.core || !matches!(envelope.kind(), Kind::Direct | Kind::Group) {
            return;
        }
        self.counters.arrived += 1;
        if self.is_on() && envelope.read_us() != 0 {
            self.record(Stage::Arrived, began_ns(envelope, now_ns), now_ns);
        }
    }

    /// A request leaves whose reply ends a stage.
    pub fn begin(&mut self, timed: Timed, id: RequestId, now_ns: u64) {
        if self.is_on() && !self.timers.begin(timed, id, now_ns) {
            self.counters.unmeasured += 1;
        }
    }

    /// A publish was counted, or could not be.
    pub fn published(&mut self, id: RequestId, receivers: Result<u32, BusDown>, now_ns: u64) {
        if let Some((Timed::Publish, began_ns)) = self.timers.end(id)
            // What was counted in the turn of its publish was counted here, without asking anybody.
            && now_ns > began_ns
            && receivers.is_ok()
        {
            self.record(Stage::Published, began_ns, now_ns);
        }
    }

    /// The store has answered. What is to be measured of the first frame that comes of it, if it is
    /// the one that tells a client of the answer.
    pub fn answered(&mut self, id: RequestId, answer: &StoreResult, now_ns: u64) -> Option<Mark> {
        let (timed, began_ns) = self.timers.end(id)?;
        match (timed, answer) {
            (Timed::StoreMessage, Ok(StoreReply::Stored(_))) => {
                self.record(Stage::Stored, began_ns, now_ns);
                Some(Mark { way: Way::Acked, began_ns })
            }
            (Timed::FetchBacklog, Ok(StoreReply::Backlog(BacklogPage { messages, .. })))
                if !messages.is_empty() =>
            {
                Some(Mark { way: Way::Path(Path::Offline), began_ns })
            }
            _ => None,
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
#[path = "recorder_tests.rs"]
mod tests;
