//! The timers of a core: who waits until when.

use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;
use std::time::Instant;

/// One of them.
pub(super) type TimerId = u64;

/// Those that have not gone off.
#[derive(Debug, Default)]
pub(super) struct Timers {
    made: TimerId,
    /// The earliest first. Those that nobody waits for any more are passed over.
    deadlines: BinaryHeap<Reverse<(Instant, TimerId)>>,
    waiting: FxHashMap<TimerId, Waker>,
}

impl Timers {
    /// Begins one, which goes off at `deadline`.
    pub(super) fn begin(&mut self, deadline: Instant, waker: Waker) -> TimerId {
        self.made += 1;
        self.deadlines.push(Reverse((deadline, self.made)));
        self.waiting.insert(self.made, waker);
        self.made
    }

    /// Whether it has not gone off; `waker` is woken when it does.
    pub(super) fn is_waiting(&mut self, timer: TimerId, waker: &Waker) -> bool {
        self.waiting.get_mut(&timer).map(|waiting| waiting.clone_from(waker)).is_some()
    }

    /// Nobody waits for it any more.
    pub(super) fn cancel(&mut self, timer: TimerId) {
        self.waiting.remove(&timer);
        // Most timers are cancelled by nobody. Where all are, the list of deadlines ends.
        if self.waiting.is_empty() {
            self.deadlines.clear();
        }
    }

    /// When the first goes off.
    pub(super) fn first(&mut self) -> Option<Instant> {
        loop {
            let &Reverse((deadline, timer)) = self.deadlines.peek()?;
            if self.waiting.contains_key(&timer) {
                return Some(deadline);
            }
            self.deadlines.pop();
        }
    }

    /// Who waits for the next of those that are due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        self.first().filter(|&deadline| deadline <= now)?;
        let Reverse((_, timer)) = self.deadlines.pop()?;
        self.waiting.remove(&timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn they_go_off_in_order_and_what_is_cancelled_does_not() {
        let (mut timers, now) = (Timers::default(), Instant::now());
        let at = |ms| now + Duration::from_millis(ms);
        let waker = Waker::noop();
        let late = timers.begin(at(30), waker.clone());
        let early = timers.begin(at(10), waker.clone());
        let middle = timers.begin(at(20), waker.clone());
        assert_eq!(timers.first(), Some(at(10)));
        assert!(timers.pop_due(at(9)).is_none());
        timers.cancel(middle);
        assert!(timers.pop_due(at(25)).is_some(), "the first");
        assert!(timers.pop_due(at(25)).is_none(), "the second was cancelled");
        assert!(!timers.is_waiting(early, waker) && timers.is_waiting(late, waker));
        assert_eq!(timers.first(), Some(at(30)));
        timers.cancel(late);
        assert_eq!(timers.first(), None);
        assert!(timers.deadlines.is_empty());
    }
}
