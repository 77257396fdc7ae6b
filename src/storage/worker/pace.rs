//! How soon a batch follows the one before: whoever is not alone waits a moment for the others.
//!
//! A commit costs the same for one message as for ten: a flush, a wake of the store and one of a core. So batches begin a
//! moment apart, unless as many wait as any batch had lately. Whoever sends alone, and waits for the answer before it sends
//! again, waits for nobody, and so do a hundred of that kind as soon as all of them have come.

use std::time::{Duration, Instant};

/// How far apart batches begin, while more are expected.
const APART: Duration = Duration::from_millis(1);
/// When it is looked for the first time whether they have come; each time after it takes twice as long.
const LOOK: Duration = Duration::from_micros(125);
/// So many batches are lately.
const LATELY: usize = 8;
/// For fewer than so many nobody waits.
const SEVERAL: usize = 3;
/// So many make a batch that has nothing to gain by waiting.
const ENOUGH: usize = 128;

/// What is known of the batches before.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the last one began.
    began: Option<Instant>,
    /// How many orders were in each.
    lately: [usize; LATELY],
    /// Which of them is the oldest.
    oldest: usize,
}

impl Pace {
    /// A batch begins.
    pub(super) fn begin(&mut self, now: Instant, orders: usize) {
        self.began = Some(now);
        self.lately[self.oldest] = orders;
        self.oldest = (self.oldest + 1) % LATELY;
    }

    /// Waits for more, while `waiting` says how many are there. Nobody need wake this thread for what comes meanwhile.
    pub(super) fn gather(&self, mut waiting: impl FnMut() -> usize) {
        let mut look = LOOK;
        while let Some(rest) = self.rest(Instant::now(), waiting()) {
            std::thread::sleep(look.min(rest));
            look *= 2;
        }
    }

    /// How long a batch is to wait at most for which so many wait, if it is to wait.
    fn rest(&self, now: Instant, waiting: usize) -> Option<Duration> {
        let expected = self.lately.iter().max().map_or(0, |&most| most.min(ENOUGH));
        if expected < SEVERAL || waiting >= expected {
            return None;
        }
        let rest = APART.saturating_sub(now.saturating_duration_since(self.began?));
        (!rest.is_zero()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is to come for batches of so many, so long after the last of them began.
    fn rest(batches: &[usize], after_us: u64, waiting: usize) -> Option<Duration> {
        let (now, mut pace) = (Instant::now(), Pace::default());
        batches.iter().for_each(|&orders| pace.begin(now, orders));
        pace.rest(now + Duration::from_micros(after_us), waiting)
    }

    #[test]
    fn who_is_alone_or_one_of_two_and_who_is_first_wait_for_nobody() {
        assert_eq!(rest(&[], 0, 1), None);
        assert_eq!(rest(&[1, 2, 1], 0, 1), None);
    }

    #[test]
    fn a_batch_waits_until_as_many_are_there_as_lately_or_the_time_is_over() {
        assert_eq!(rest(&[1, 5, 2], 400, 4), Some(Duration::from_micros(600)));
        assert_eq!(rest(&[1, 5, 2], 400, 5), None);
        assert_eq!(rest(&[1, 5, 2], 1_000, 1), None);
    }

    #[test]
    fn what_was_long_ago_is_forgotten_and_many_are_enough() {
        assert_eq!(rest(&[5, 1, 1, 1, 1, 1, 1, 1, 1], 0, 1), None);
        assert!(rest(&[5, 1, 1, 1, 1, 1, 1, 1], 0, 1).is_some());
        assert_eq!(rest(&[1_000], 0, ENOUGH), None);
    }

    #[test]
    fn who_waits_goes_on_when_they_have_come() {
        let mut pace = Pace::default();
        pace.begin(Instant::now() + Duration::from_secs(60), 3);
        let mut come = 0;
        // It ends only if what has come is looked at again.
        pace.gather(|| {
            come += 1;
            come
        });
        assert_eq!(come, 3);
    }
}
