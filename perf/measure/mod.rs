//! What is counted and timed during a run, and what the kernel says of the server process.
//!
//! Nothing here sends, prints or decides what a number means.

mod admin;
mod figures;
mod host;
mod listener;
mod live;
mod process;
mod recorder;
mod sequence;
mod series;
mod stages;

pub use admin::metric;
pub use figures::{Figures, ServerUse};
pub use host::{Steal, Taken};
pub use listener::pid_listening_on;
pub use live::{Interval, Live};
pub use process::{CpuOfAll, CpuSource, Process, Processes};
pub use recorder::{Counts, Recorder};
pub use sequence::{Arrived, Sequence};
pub use series::{Series, slice_ns};
pub use stages::Stages;

/// Latencies and lags, in nanoseconds, to three significant digits and up to ten minutes.
pub type Histogram = hdrhistogram::Histogram<u64>;

/// A run is bounded well below this, so nothing is ever clipped in earnest.
const HIGHEST_NS: u64 = 600_000_000_000;

pub fn histogram() -> Histogram {
    Histogram::new_with_bounds(1, HIGHEST_NS, 3).expect("1 ns to 10 min in 3 digits is a valid histogram")
}
