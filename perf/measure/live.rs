//! What a load thread shows while it runs: one counter, and intervals that change hands.
//!
//! The load thread never waits for whoever watches: it stores a number, or hands over an interval if nobody holds
//! the lock at that instant and a spare one lies there; otherwise the interval grows on. So none is ever lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{HIGHEST_NS, Histogram};

/// What happened in one stretch of time, by the time at which it arrived. Latency and lag to two digits: enough for a
/// line, small enough to stay in the cache.
pub struct Interval {
    pub start_ns: u64,
    pub end_ns: u64,
    pub latency: Histogram,
    pub lag: Histogram,
    /// Deliveries, and acknowledgements of what nobody hears.
    pub handled: u64,
}

impl Interval {
    pub fn new() -> Interval {
        let histogram = || {
            let mut histogram =
                Histogram::new_with_bounds(1, HIGHEST_NS, 2).expect("1 ns to 10 min in 2 digits is valid");
            // Touches the memory here and not in the load thread.
            histogram.clear();
            histogram
        };
        Interval { start_ns: 0, end_ns: 0, latency: histogram(), lag: histogram(), handled: 0 }
    }

    pub fn add(&mut self, other: &Interval) {
        self.end_ns = self.end_ns.max(other.end_ns);
        self.handled += other.handled;
        self.latency.add(&other.latency).expect("both histograms have the same bounds");
        self.lag.add(&other.lag).expect("both histograms have the same bounds");
    }
}

/// On a cache line of its own, since two threads look at it.
#[repr(align(128))]
pub struct Live {
    handled: AtomicU64,
    shelf: Mutex<Shelf>,
}

#[derive(Default)]
struct Shelf {
    spare: Vec<Interval>,
    filled: Vec<Interval>,
}

/// As many as may be filled between two looks.
const SPARES: usize = 4;

impl Live {
    pub fn new() -> Live {
        let live = Live { handled: AtomicU64::new(0), shelf: Mutex::default() };
        live.take();
        live
    }

    /// Handled since the fleet connected. One writer, so a plain store is enough.
    pub fn set_handled(&self, total: u64) {
        self.handled.store(total, Ordering::Relaxed);
    }

    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Gives the filled interval away and goes on with an empty one, unless the watcher is not ready.
    pub fn offer(&self, interval: &mut Interval) {
        let Ok(mut shelf) = self.shelf.try_lock() else { return };
        let Some(mut empty) = shelf.spare.pop() else { return };
        empty.start_ns = interval.end_ns;
        shelf.filled.push(std::mem::replace(interval, empty));
    }

    /// Takes what was filled since the last time, oldest first, and puts empty ones in its place.
    pub fn take(&self) -> Vec<Interval> {
        let mut filled = Vec::with_capacity(SPARES);
        let missing = SPARES - self.shelf.lock().expect("no holder of this lock panics").spare.len();
        let fresh: Vec<Interval> = (0..missing).map(|_| Interval::new()).collect();
        let mut shelf = self.shelf.lock().expect("no holder of this lock panics");
        shelf.spare.extend(fresh);
        std::mem::swap(&mut shelf.filled, &mut filled);
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_seen_once_and_none_is_lost() {
        let live = Live::new();
        let mut interval = Interval::new();
        let mut taken = Vec::new();
        for number in 1..=20_u64 {
            interval.latency.record(number).unwrap();
            interval.end_ns = number;
            live.offer(&mut interval);
            if number % 7 == 0 {
                taken.extend(live.take());
            }
        }
        taken.extend(live.take());
        let seen: u64 = taken.iter().map(|interval| interval.latency.len()).sum();
        assert_eq!(seen + interval.latency.len(), 20);
        assert!(taken.windows(2).all(|two| two[0].end_ns == two[1].start_ns));
        assert!(live.take().is_empty());
    }
}
