//! A run as a row of slices of time: how rate, latency and lag went, side by side over all load threads.
//!
//! Made from the intervals of the load threads; the figures of a report are not made from these.

use super::Interval;

/// The slices of one round, in order of time.
pub struct Series {
    start_ns: u64,
    slice_ns: u64,
    slices: Vec<Interval>,
}

/// A longer run has longer slices.
const SLICES_MAX: u64 = 240;
const SLICE_NS_MIN: u64 = 250_000_000;

/// How long the slices of a run of this length are.
pub fn slice_ns(run_ns: u64) -> u64 {
    SLICE_NS_MIN.max(run_ns / SLICES_MAX)
}

impl Series {
    pub fn new(start_ns: u64, slice_ns: u64) -> Series {
        Series { start_ns, slice_ns: slice_ns.max(1), slices: Vec::new() }
    }

    /// Adds an interval of one load thread. It belongs to the slice in which its middle lies.
    pub fn add(&mut self, interval: Interval) {
        if interval.end_ns <= interval.start_ns {
            return;
        }
        let number = |interval: &Interval| {
            let middle_ns = interval.start_ns.midpoint(interval.end_ns);
            middle_ns.saturating_sub(self.start_ns) / self.slice_ns
        };
        let place = self.slices.binary_search_by_key(&number(&interval), number);
        match place {
            Ok(place) => self.slices[place].add(&interval),
            Err(place) => self.slices.insert(place, interval),
        }
    }

    pub fn slices(&self) -> &[Interval] {
        &self.slices
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_fall_into_the_same_slices() {
        let mut series = Series::new(1_000, 100);
        for thread in 0..2_u64 {
            for number in 0..5_u64 {
                let mut interval = Interval::new();
                interval.start_ns = 1_000 + 100 * number + thread;
                interval.end_ns = interval.start_ns + 100 + thread;
                interval.handled = 1;
                series.add(interval);
            }
        }
        assert_eq!(series.slices().iter().map(|slice| slice.handled).collect::<Vec<_>>(), [2; 5]);
        assert!(series.slices().windows(2).all(|two| two[0].start_ns < two[1].start_ns));
        assert_eq!(slice_ns(10_000_000_000), 250_000_000);
        assert_eq!(slice_ns(600_000_000_000), 2_500_000_000);
    }
}
