//! How long to wait before the next try: doubling, bounded, and never the same for two clients.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Waiting times for one connection.
///
/// The n-th wait after a success lies between half and all of `first · 2ⁿ`, or of `most` where that
/// is less: a thousand clients that lose one server do not come back at one instant.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
    random: u64,
}

impl Backoff {
    /// Waits of about `first` in the beginning and `most` in the end.
    pub fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, failures: 0, random: random() | 1 }
    }

    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let doubled = self.first.saturating_mul(1u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let full = doubled.min(self.most);
        self.failures = self.failures.saturating_add(1);
        full / 2 + self.part(full / 2)
    }

    /// A part of `whole`, between nothing and all of it.
    pub fn part(&mut self, whole: Duration) -> Duration {
        // xorshift64: spreading clients over time is all that is asked of it.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        whole.mul_f64((self.random >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// It worked: the next wait is a short one.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

/// A number that no other process is likely to draw; the standard library seeds its hash maps so.
pub fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_bound_and_differ() {
        let (first, most) = (Duration::from_millis(200), Duration::from_secs(10));
        let mut backoff = Backoff::new(first, most);
        for round in 0..200u32 {
            let full = first.saturating_mul(1u32.checked_shl(round).unwrap_or(u32::MAX)).min(most);
            let wait = backoff.next_wait();
            assert!(wait >= full / 2 && wait <= full, "{round}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.next_wait() <= first);
        let mut other = Backoff::new(first, most);
        assert_ne!(
            (0..4).map(|_| backoff.next_wait()).sum::<Duration>(),
            (0..4).map(|_| other.next_wait()).sum::<Duration>()
        );
    }
}
