//! The clocks of a core, read once a turn: wall time that never goes back, and steady time to measure
//! with.

use crate::chat::ids::Millis;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// When the server was started: where the steady time of all its cores counts from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    instant: Instant,
    /// Nanoseconds since the Unix epoch.
    wall_ns: u64,
}

impl Origin {
    /// Now.
    pub(super) fn now() -> Self {
        Self { instant: Instant::now(), wall_ns: wall_ns() }
    }
}

/// Wall-clock time, carried forward by the monotonic clock; and steady time, which is the
/// monotonic clock, set to the wall clock when the server was started.
///
/// The two drift apart when the machine's time is set. Steady time is for durations only.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Origin,
    anchor: Instant,
    anchor_ns: u64,
    now_ns: u64,
    steady_ns: u64,
    utc_offset_s: i32,
}

/// How often the wall clock and the time zone are looked at again.
const ANCHOR: Duration = Duration::from_secs(60);

impl Clock {
    pub(super) fn new(origin: Origin) -> Self {
        let anchor = Instant::now();
        let mut clock = Self { origin, anchor, anchor_ns: 0, now_ns: 0, steady_ns: 0, utc_offset_s: 0 };
        clock.anchor(anchor);
        clock.read();
        clock
    }

    /// The time of this turn.
    pub(super) fn now(&self) -> Millis {
        Millis(self.now_ns / 1_000_000)
    }

    /// The steady time of this turn, in nanoseconds. The same on all cores of this server.
    pub(super) fn steady_ns(&self) -> u64 {
        self.steady_ns
    }

    /// Seconds to add to UTC for local time.
    pub(super) fn utc_offset_s(&self) -> i32 {
        self.utc_offset_s
    }

    /// Begins a turn: reads the clock.
    pub(super) fn read(&mut self) {
        let instant = Instant::now();
        let elapsed = instant.saturating_duration_since(self.anchor);
        self.now_ns = self.now_ns.max(self.anchor_ns + elapsed.as_nanos() as u64);
        self.steady_ns = self.steady(instant);
        if elapsed >= ANCHOR {
            self.anchor(instant);
        }
    }

    /// The steady time within a turn, in nanoseconds. The turn's own time stays what it is.
    pub(super) fn peek_ns(&self) -> u64 {
        self.steady(Instant::now())
    }

    fn steady(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.origin.instant);
        self.origin.wall_ns + since.as_nanos() as u64
    }

    fn anchor(&mut self, instant: Instant) {
        self.anchor = instant;
        self.anchor_ns = wall_ns();
        self.utc_offset_s = jiff::Zoned::now().offset().seconds();
    }
}

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steady_time_is_the_same_on_all_cores_and_stays_within_a_turn() {
        let origin = Origin::now();
        let (mut a, mut b) = (Clock::new(origin), Clock::new(origin));
        for _ in 0..1_000 {
            a.read();
            let between = b.peek_ns();
            b.read();
            assert!(a.steady_ns() <= between && between <= b.steady_ns());
            assert_eq!(b.steady_ns(), b.steady_ns());
        }
        let wall = a.now().0.abs_diff(a.steady_ns() / 1_000_000);
        assert!(wall < 60_000, "steady time begins at the wall clock: {wall} ms apart");
    }
}
