//! The only clock of a core: wall time that never goes back, read once a turn.

use crate::chat::ids::Millis;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock time, carried forward by the monotonic clock.
#[derive(Debug)]
pub(super) struct Clock {
    anchor: Instant,
    anchor_ns: u64,
    now_ns: u64,
    utc_offset_s: i32,
}

/// How often the wall clock and the time zone are looked at again.
const ANCHOR: Duration = Duration::from_secs(60);

impl Clock {
    pub(super) fn new() -> Self {
        let mut clock = Self { anchor: Instant::now(), anchor_ns: 0, now_ns: 0, utc_offset_s: 0 };
        clock.anchor();
        clock.read();
        clock
    }

    /// The time of this turn.
    pub(super) fn now(&self) -> Millis {
        Millis(self.now_ns / 1_000_000)
    }

    /// The time of this turn, in nanoseconds since the Unix epoch.
    pub(super) fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// Seconds to add to UTC for local time.
    pub(super) fn utc_offset_s(&self) -> i32 {
        self.utc_offset_s
    }

    /// Begins a turn, or a stage of one: reads the clock.
    pub(super) fn read(&mut self) -> u64 {
        let elapsed = self.anchor.elapsed();
        self.now_ns = self.now_ns.max(self.anchor_ns + elapsed.as_nanos() as u64);
        if elapsed >= ANCHOR {
            self.anchor();
        }
        self.now_ns
    }

    fn anchor(&mut self) {
        self.anchor = Instant::now();
        self.anchor_ns =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
        self.utc_offset_s = jiff::Zoned::now().offset().seconds();
    }
}
