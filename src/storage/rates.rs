//! Rates: how often somebody may do something that uses up what there is only so much of.
//!
//! Each has an allowance that fills up again with time. Knows no clock: time is an argument, in
//! milliseconds.

use std::collections::HashMap;
use std::hash::Hash;

/// Those that are known at most. Above: those are forgotten whose allowance is full, and if that does not
/// help, all.
const MOST: usize = 65_536;

/// What is left to one of them, and since when that fills up.
#[derive(Debug)]
struct Left {
    left: u32,
    since: u64,
}

/// Everybody who has used something of its allowance lately.
#[derive(Debug)]
pub struct Rates<K> {
    allowance: u32,
    refill_ms: u64,
    used: HashMap<K, Left>,
}

impl<K: Eq + Hash> Rates<K> {
    /// Nobody has used anything: so many at once, and then one each `refill_ms`.
    pub fn new(allowance: u32, refill_ms: u64) -> Self {
        Self { allowance: allowance.max(1), refill_ms: refill_ms.max(1), used: HashMap::new() }
    }

    /// Whether it may be done once more now; then it counts as done.
    pub fn take(&mut self, key: K, now: u64) -> bool {
        if self.used.len() >= MOST {
            self.tidy(now);
        }
        let (most, refill_ms) = (self.allowance, self.refill_ms);
        let used = self.used.entry(key).or_insert(Left { left: most, since: now });
        used.refill(most, refill_ms, now);
        let may = used.left > 0;
        used.left -= u32::from(may);
        may
    }

    /// It came to nothing.
    pub fn give_back(&mut self, key: &K) {
        if let Some(used) = self.used.get_mut(key) {
            used.left = (used.left + 1).min(self.allowance);
        }
    }

    fn tidy(&mut self, now: u64) {
        let (most, refill_ms) = (self.allowance, self.refill_ms);
        self.used.retain(|_, used| {
            used.refill(most, refill_ms, now);
            used.left < most
        });
        if self.used.len() >= MOST {
            self.used.clear();
        }
    }
}

impl Left {
    fn refill(&mut self, most: u32, refill_ms: u64, now: u64) {
        let more = now.saturating_sub(self.since) / refill_ms;
        self.since += more * refill_ms;
        self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(most);
        if self.left == most {
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_each_while() {
        let mut rates = Rates::new(3, 1_000);
        let mut taken = |key, now| (0..10).filter(|_| rates.take(key, now)).count();
        assert_eq!((taken('a', 0), taken('b', 500)), (3, 3), "each has its own");
        assert_eq!((taken('a', 999), taken('a', 1_000), taken('a', 1_999)), (0, 1, 0));
        assert_eq!((taken('a', 3_500), taken('a', 1_000_000)), (2, 3));
        rates.give_back(&'a');
        assert!(rates.take('a', 1_000_000) && !rates.take('a', 1_000_000));
        rates.give_back(&'z');
    }

    #[test]
    fn no_more_are_known_than_fit() {
        let mut rates = Rates::new(2, 1_000);
        for key in 0..MOST {
            assert!(rates.take(key, 0));
        }
        assert!(rates.take(MOST, 1_000));
        assert_eq!(rates.used.len(), 1, "the others' are full again");
        for key in 0..3 * MOST {
            assert!(rates.take(key, 1_000));
        }
        assert!(rates.used.len() <= MOST);
    }
}
