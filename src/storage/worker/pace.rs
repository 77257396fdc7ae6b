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

    /// Waits for more, while `waiting` says how many are there: a millisecond at most, whatever the clock shows. Nobody need
    /// wake this thread for what comes meanwhile.
    pub(super) fn gather(&self, mut waiting: impl FnMut() -> usize) {
        let (mut rest, mut look) = (self.rest(Instant::now()), LOOK);
        while !rest.is_zero() && waiting() < self.expected() {
            let pause = look.min(rest);
            std::thread::sleep(pause);
            rest -= pause;
            look *= 2;
        }
    }

    /// How many make a batch that goes at once.
    fn expected(&self) -> usize {
        let most = self.lately.iter().max().map_or(0, |&most| most.min(ENOUGH));
        if most < SEVERAL { 1 } else { most }
    }

    /// How long a batch may wait that could begin now.
    fn rest(&self, now: Instant) -> Duration {
        let since = self.began.map(|began| now.saturating_duration_since(began));
        since.map_or(Duration::ZERO, |since| APART.saturating_sub(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After batches of so many.
    fn after(batches: &[usize]) -> Pace {
        let (now, mut pace) = (Instant::now(), Pace::default());
        batches.iter().for_each(|&orders| pace.begin(now, orders));
        pace
    }

    #[test]
    fn who_is_alone_or_one_of_two_and_who_is_first_wait_for_nobody() {
        assert_eq!(after(&[]).expected(), 1);
        assert_eq!(after(&[1, 2, 1]).expected(), 1);
    }

    #[test]
    fn as_many_are_waited_for_as_there_were_lately_and_many_are_enough() {
        assert_eq!(after(&[1, 5, 2]).expected(), 5);
        assert_eq!(after(&[5, 1, 1, 1, 1, 1, 1, 1]).expected(), 5);
        assert_eq!(after(&[5, 1, 1, 1, 1, 1, 1, 1, 1]).expected(), 1);
        assert_eq!(after(&[1_000]).expected(), ENOUGH);
    }

    #[test]
    fn batches_begin_a_moment_apart_at_most() {
        let pace = after(&[5]);
        let rest = |after_us| pace.rest(pace.began.expect("it began") + Duration::from_micros(after_us));
        assert_eq!((rest(400), rest(1_000)), (Duration::from_micros(600), Duration::ZERO));
        assert_eq!(Pace::default().rest(Instant::now()), Duration::ZERO);
    }

    /// How often it is looked how many wait, of whom so many come each time. The batch before begins in a minute: a clock that
    /// was turned back, or stands still.
    fn looks(each: usize) -> usize {
        let (mut pace, mut looks) = (Pace::default(), 0);
        pace.begin(Instant::now() + Duration::from_secs(60), 3);
        pace.gather(|| {
            looks += 1;
            looks * each
        });
        looks
    }

    #[test]
    fn who_waits_goes_on_when_they_have_come_or_the_time_is_over_whatever_the_clock_shows() {
        assert_eq!((looks(3), looks(1)), (1, 3));
        // 125, 250, 500 and the last 125 us.
        assert_eq!(looks(0), 4);
    }
}
