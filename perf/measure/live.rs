//! What the load thread shows while it runs: one counter, and interval histograms that change hands.
//!
//! The load thread never waits for whoever watches: it stores a number, or swaps two histograms if nobody holds
//! the lock at that instant. Nothing of a report is made from these.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{HIGHEST_NS, Histogram};

/// Latency and lag since the last look, to two digits: enough for a line, small enough to stay in the cache.
pub struct Interval {
    pub latency: Histogram,
    pub lag: Histogram,
}

impl Interval {
    pub fn new() -> Interval {
        let histogram = || Histogram::new_with_bounds(1, HIGHEST_NS, 2).expect("the bounds are valid");
        Interval { latency: histogram(), lag: histogram() }
    }

    fn clear(&mut self) {
        self.latency.clear();
        self.lag.clear();
    }
}

/// On a cache line of its own, since two threads look at it.
#[repr(align(128))]
pub struct Live {
    delivered: AtomicU64,
    shown: Mutex<Shown>,
}

struct Shown {
    interval: Interval,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Filled,
    Seen,
}

impl Live {
    pub fn new() -> Live {
        let shown = Shown { interval: Interval::new(), state: State::Seen };
        Live { delivered: AtomicU64::new(0), shown: Mutex::new(shown) }
    }

    /// Deliveries since the fleet connected. One writer, so a plain store is enough.
    pub fn set_delivered(&self, total: u64) {
        self.delivered.store(total, Ordering::Relaxed);
    }

    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Gives the filled interval away and takes the empty one back, unless the watcher is not ready.
    pub fn offer(&self, interval: &mut Interval) {
        let Ok(mut shown) = self.shown.try_lock() else { return };
        if shown.state == State::Seen {
            std::mem::swap(&mut shown.interval, interval);
            shown.state = State::Filled;
        }
    }

    /// Looks at the newest interval, if there is one that has not been seen.
    pub fn look<T>(&self, see: impl FnOnce(&Interval) -> T) -> Option<T> {
        let mut shown = self.shown.lock().expect("no holder of this lock panics");
        if shown.state == State::Seen {
            return None;
        }
        let seen = see(&shown.interval);
        shown.interval.clear();
        shown.state = State::Seen;
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_seen_once_and_comes_back_empty() {
        let live = Live::new();
        let mut interval = Interval::new();
        interval.latency.record(5).unwrap();
        live.offer(&mut interval);
        assert_eq!(live.look(|seen| seen.latency.len()), Some(1));
        assert_eq!(live.look(|seen| seen.latency.len()), None);
        interval.latency.record(6).unwrap();
        interval.latency.record(7).unwrap();
        live.offer(&mut interval);
        assert_eq!(interval.latency.len(), 0);
        assert_eq!(live.look(|seen| seen.latency.len()), Some(2));
    }
}
