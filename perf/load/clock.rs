//! The one clock of a run: nanoseconds since the harness began.
//!
//! Every time in a stamp, a window or a plan that has started is on this clock.

use std::time::{Duration, Instant, SystemTime};

#[derive(Clone, Copy)]
pub struct Clock {
    epoch: Instant,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { epoch: Instant::now() }
    }

    /// When the harness began, by the wall clock as it stands now.
    pub fn epoch(&self) -> SystemTime {
        SystemTime::now() - self.epoch.elapsed()
    }

    pub fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// Sleeps until this time. For threads that are not measured; the load thread has its own way of waiting.
    pub fn sleep_until(&self, time_ns: u64) {
        std::thread::sleep(Duration::from_nanos(time_ns.saturating_sub(self.now_ns())));
    }
}
