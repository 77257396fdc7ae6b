//! The clocks of a core, read once a turn: steady time for deadlines and durations, and wall time for
//! what people read.
//!
//! Steady time is CLOCK_MONOTONIC. It does not see that the machine's time is set, and stands still while
//! the machine is suspended: nobody is cut, and nothing expires, because the machine slept. Wall time is
//! CLOCK_REALTIME and jumps as that does.

use chatd_chat::model::ids::{Millis, Monotonic, Now};
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

    /// What the wall clock showed.
    pub(super) fn wall(&self) -> Millis {
        Millis(self.wall_ns / 1_000_000)
    }
}

/// Steady time, which is the monotonic clock, set to the wall clock when the server was started; and
/// wall time, carried from one look at the wall clock to the next by the monotonic clock.
///
/// The two drift apart when the machine's time is set.
#[derive(Debug)]
pub(super) struct Clock {
    origin: Origin,
    /// When the wall clock was last looked at, and what it showed.
    anchor: Instant,
    anchor_ns: u64,
    /// When the time zone was last looked at.
    zoned: Instant,
    /// Of this turn.
    instant: Instant,
    wall_ns: u64,
    steady_ns: u64,
    utc_offset_s: i32,
}

/// How often the wall clock is looked at again: with each tick of an idle core.
const ANCHOR: Duration = Duration::from_millis(50);
/// How often the time zone is looked at again.
const ZONE: Duration = Duration::from_secs(60);

impl Clock {
    pub(super) fn new(origin: Origin) -> Self {
        let (anchor, anchor_ns) = (Instant::now(), wall_ns());
        let utc_offset_s = utc_offset_s();
        let mut clock = Self {
            origin,
            anchor,
            anchor_ns,
            zoned: anchor,
            instant: anchor,
            wall_ns: 0,
            steady_ns: 0,
            utc_offset_s,
        };
        clock.read();
        clock
    }

    /// The time of this turn.
    pub(super) fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.steady_ns / 1_000_000), wall: Millis(self.wall_ns / 1_000_000) }
    }

    /// The steady time of this turn, in nanoseconds. The same on all cores of this server.
    pub(super) fn steady_ns(&self) -> u64 {
        self.steady_ns
    }

    /// The time of this turn, of the clock that timers go by.
    pub(super) fn instant(&self) -> Instant {
        self.instant
    }

    /// Seconds to add to UTC for local time.
    pub(super) fn utc_offset_s(&self) -> i32 {
        self.utc_offset_s
    }

    /// Begins a turn: reads the clock.
    pub(super) fn read(&mut self) {
        let instant = Instant::now();
        let mut elapsed = instant.saturating_duration_since(self.anchor);
        if elapsed >= ANCHOR {
            (self.anchor, self.anchor_ns) = (instant, wall_ns());
            elapsed = Duration::ZERO;
        }
        self.instant = instant;
        self.wall_ns = self.anchor_ns + elapsed.as_nanos() as u64;
        self.steady_ns = self.steady(instant);
        if instant.saturating_duration_since(self.zoned) >= ZONE {
            (self.zoned, self.utc_offset_s) = (instant, utc_offset_s());
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
}

fn utc_offset_s() -> i32 {
    jiff::Zoned::now().offset().seconds()
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
        let Now { monotonic, wall } = a.now();
        let wall = wall.0.abs_diff(monotonic.0);
        assert!(wall < 60_000, "steady time begins at the wall clock: {wall} ms apart");
    }
}
