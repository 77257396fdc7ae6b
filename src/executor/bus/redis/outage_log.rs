//! The outage log: what a process says about its connections to Redis: that they are lost, why they stay so, and that they
//! are back.
//!
//! Each core has a connection, and one that alone may not do its work is lost alone, so all share one log: the
//! first that is lost is said, each new reason why one cannot come back is said once, and so is that all are back.

use std::sync::{Mutex, PoisonError};
use tracing::warn;

/// Reasons why it cannot come back that are said until it is, at most: each once.
const REASONS: usize = 16;

/// What was said.
#[derive(Default)]
pub(super) struct OutageLog(Mutex<Told>);

#[derive(Default)]
struct Told {
    /// Cores whose connection is lost.
    lost: usize,
    /// The reasons that were said since the first of them was.
    reasons: Vec<String>,
}

impl OutageLog {
    /// The connection of a core to Redis at `at` is lost.
    pub(super) fn lost(&self, at: &str, why: &str) {
        let what = format!("Redis at {at} is lost ({why}): users of other cores get messages later");
        self.say(|told| {
            told.lost += 1;
            (told.lost == 1).then_some(what)
        });
    }

    /// It could not be made again.
    pub(super) fn failed(&self, why: String) {
        self.say(|told| {
            let is_new = told.reasons.len() < REASONS && !told.reasons.contains(&why);
            is_new.then(|| {
                let what = format!("Redis is still lost: {why}");
                told.reasons.push(why);
                what
            })
        });
    }

    /// It is made again.
    pub(super) fn back(&self, at: &str) {
        let what = format!("Redis at {at} is back");
        self.say(|told| {
            told.lost = told.lost.saturating_sub(1);
            (told.lost == 0).then(|| {
                told.reasons.clear();
                what
            })
        });
    }

    fn say(&self, decide: impl FnOnce(&mut Told) -> Option<String>) {
        // What was said is true even if whoever said it has panicked.
        let what = decide(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(what) = what {
            warn!("{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_bounded_and_forgotten_when_all_are_back() {
        let outage_log = OutageLog::default();
        let reasons = || outage_log.0.lock().unwrap().reasons.len();
        (0..2).for_each(|_| outage_log.lost("h:1", "it closed the connection"));
        for number in 0..100 {
            (0..2).for_each(|_| outage_log.failed(format!("reason {}", number % 40)));
        }
        assert_eq!(reasons(), REASONS);
        outage_log.back("h:1");
        assert_eq!(reasons(), REASONS, "one core is still without it");
        outage_log.back("h:1");
        assert_eq!(reasons(), 0);
    }
}
