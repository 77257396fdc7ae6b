//! The only clock of a core: wall time that never goes back, read once a turn.

use crate::chat::ids::Millis;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall-clock milliseconds, carried forward by the monotonic clock.
#[derive(Debug)]
pub(super) struct Clock {
    anchor: Instant,
    anchor_ms: u64,
    now: Millis,
    utc_offset_s: i32,
}

/// How often the wall clock and the time zone are looked at again.
const ANCHOR_S: u64 = 60;

impl Clock {
    pub(super) fn new() -> Self {
        let mut clock = Self { anchor: Instant::now(), anchor_ms: 0, now: Millis(0), utc_offset_s: 0 };
        clock.anchor();
        clock.read();
        clock
    }

    /// The time of this turn.
    pub(super) fn now(&self) -> Millis {
        self.now
    }

    /// Seconds to add to UTC for local time.
    pub(super) fn utc_offset_s(&self) -> i32 {
        self.utc_offset_s
    }

    /// Begins a turn.
    pub(super) fn read(&mut self) {
        let elapsed = self.anchor.elapsed();
        self.now = self.now.max(Millis(self.anchor_ms + elapsed.as_millis() as u64));
        if elapsed.as_secs() >= ANCHOR_S {
            self.anchor();
        }
    }

    fn anchor(&mut self) {
        self.anchor = Instant::now();
        self.anchor_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
        self.utc_offset_s = jiff::Zoned::now().offset().seconds();
    }
}
