//! The live line on stderr: rate, p99 and lag, four times a second, if somebody is looking.
//!
//! It only looks at what the load thread offers and can never hold it up.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use super::bench::Bench;
use crate::measure::{Interval, Live, Series};
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

/// Takes what the load threads show into the series, and shows it, until just after `end_ns` or until they have ended.
pub fn watch(bench: &Bench, lives: &[&Live], end_ns: u64, has_ended: impl Fn() -> bool, series: &mut Series) {
    let handled = || lives.iter().map(|live| live.handled()).sum::<u64>();
    let mut before = (bench.clock.now_ns(), handled());
    loop {
        let now_ns = bench.clock.now_ns();
        if now_ns >= end_ns || has_ended() {
            return bench.progress.clear();
        }
        let left = Duration::from_nanos(end_ns - now_ns);
        std::thread::sleep(left.min(LOOK_EVERY));
        let seen: Vec<Interval> = lives.iter().flat_map(|live| live.take()).collect();
        if bench.progress == Progress::Shown && !seen.is_empty() {
            let after = (bench.clock.now_ns(), handled());
            let rate_per_s = (after.1 - before.1) as f64 * 1e9 / (after.0 - before.0).max(1) as f64;
            before = after;
            bench.progress.line(&words(rate_per_s, &seen, left));
        }
        seen.into_iter().for_each(|interval| series.add(interval));
    }
}

fn words(rate_per_s: f64, seen: &[Interval], left: Duration) -> String {
    let mut sum = Interval::new();
    seen.iter().for_each(|interval| sum.add(interval));
    let latency = time_text(sum.latency.value_at_quantile(0.99));
    let lag = time_text(sum.lag.value_at_quantile(0.99));
    format!("{rate_per_s:.0}/s  p99 {latency}  lag p99 {lag}  {:.0} s left", left.as_secs_f64())
}
