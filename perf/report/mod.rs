//! What a run says of itself: text for people, JSON with everything, and a verdict on whether to believe it.
//!
//! Reads figures and never measures. Nothing here knows a socket or a process.

mod idle;
mod json;
mod machine;
mod run;
mod spread;
mod units;
mod verdict;
mod written;

pub use idle::IdleReport;
pub use machine::Machine;
pub use run::{Ratio, RunReport, SideFigures};
pub use spread::Spread;
pub use units::time_text;
pub use verdict::Verdict;
