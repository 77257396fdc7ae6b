//! Whether the store works: written by its thread, read by whoever watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A store that failed is tried again only by being asked. Whoever sends nobody here while it is down
/// must not keep it down for ever: after so long without another failure it is worth a try.
const FORGOTTEN: Duration = Duration::from_secs(10);
const WELL: u64 = u64::MAX;

/// The condition of a store. Clones show the same one.
#[derive(Clone, Debug)]
pub struct Condition(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    since: Instant,
    /// When it failed last and did not work since, in milliseconds after `since`; or `WELL`.
    failed_ms: AtomicU64,
    ended: AtomicBool,
}

impl Default for Condition {
    fn default() -> Self {
        let (failed_ms, ended) = (AtomicU64::new(WELL), AtomicBool::new(false));
        Self(Arc::new(Inner { since: Instant::now(), failed_ms, ended }))
    }
}

impl Condition {
    pub(super) fn well(&self) {
        self.0.failed_ms.store(WELL, Ordering::Relaxed);
    }

    pub(super) fn down(&self) {
        self.0.failed_ms.store(self.0.since.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// What is wrong with the store, if anything.
    pub fn trouble(&self) -> Option<&'static str> {
        self.trouble_at(Instant::now())
    }

    fn trouble_at(&self, now: Instant) -> Option<&'static str> {
        if self.0.ended.load(Ordering::Relaxed) {
            return Some("the store has ended");
        }
        let failed_ms = self.0.failed_ms.load(Ordering::Relaxed);
        let failed = (failed_ms != WELL).then(|| self.0.since + Duration::from_millis(failed_ms))?;
        (now < failed + FORGOTTEN).then_some("the store is down")
    }

    /// For the store's thread: until this is dropped, it runs.
    pub(super) fn until_dropped(&self) -> Ended {
        Ended(self.clone())
    }
}

/// Notes that the store has ended, however that comes about.
#[derive(Debug)]
pub(super) struct Ended(Condition);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.0.ended.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_comes_and_goes_and_is_forgotten_and_the_end_stays() {
        let condition = Condition::default();
        let watcher = condition.clone();
        assert_eq!(watcher.trouble(), None);
        condition.down();
        assert_eq!(watcher.trouble(), Some("the store is down"));
        assert_eq!(watcher.trouble_at(Instant::now() + FORGOTTEN), None);
        condition.well();
        assert_eq!(watcher.trouble(), None);
        drop(condition.until_dropped());
        assert_eq!(watcher.trouble_at(Instant::now() + FORGOTTEN), Some("the store has ended"));
    }
}
