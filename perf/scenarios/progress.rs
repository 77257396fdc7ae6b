//! The live line on stderr: rate, p99 and lag, four times a second, if somebody is looking.
//!
//! It only looks at what the load thread offers and can never hold it up.

use std::io::{IsTerminal, Write};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use super::side::Bench;
use crate::load::Orders;
use crate::measure::Live;
use crate::report::time_text;

/// Whether there is anybody to show progress to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    Shown,
    Silent,
}

impl Progress {
    /// Shown where stderr is a terminal.
    pub fn detect() -> Progress {
        if std::io::stderr().is_terminal() { Progress::Shown } else { Progress::Silent }
    }

    /// One line that the next one replaces.
    pub fn line(self, text: &str) {
        if self == Progress::Shown {
            eprint!("\r\x1b[K{text}");
            let _ = std::io::stderr().flush();
        }
    }

    pub fn clear(self) {
        self.line("");
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Shows progress until just after the window ends, or until the load thread has ended.
pub fn watch<T>(bench: &Bench, live: &Live, orders: &Orders, load: &ScopedJoinHandle<T>) {
    let mut before = (bench.clock.now_ns(), live.delivered());
    loop {
        let now_ns = bench.clock.now_ns();
        if now_ns >= orders.window.end || load.is_finished() {
            return bench.progress.clear();
        }
        let left = Duration::from_nanos(orders.window.end - now_ns);
        if bench.progress == Progress::Silent {
            // Nobody looks, so this thread leaves the machine alone except to notice a stop.
            std::thread::sleep(left.min(Duration::from_millis(100)));
            continue;
        }
        std::thread::sleep(left.min(LOOK_EVERY));
        let after = (bench.clock.now_ns(), live.delivered());
        let rate_per_s = (after.1 - before.1) as f64 * 1e9 / (after.0 - before.0).max(1) as f64;
        before = after;
        live.look(|interval| {
            let latency = time_text(interval.latency.value_at_quantile(0.99));
            let lag = time_text(interval.lag.value_at_quantile(0.99));
            let left_s = left.as_secs_f64();
            bench
                .progress
                .line(&format!("{rate_per_s:.0}/s  p99 {latency}  lag p99 {lag}  {left_s:.0} s left"));
        });
    }
}
