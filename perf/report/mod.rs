//! What a run says of itself: text for people, JSON with everything, files for other tools, a page with charts, and a
//! verdict on whether to believe it.
//!
//! Reads figures and never measures. Nothing here knows a socket or a process.

mod compare;
mod document;
mod faults;
mod figures;
mod hdr;
mod idle;
mod machine;
mod page;
mod pushes;
mod run;
mod spread;
mod units;
mod verdict;
mod written;

pub use compare::{chart, compare};
pub use faults::all_faults;
pub use figures::figures;
pub use idle::IdleReport;
pub use machine::Machine;
pub use pushes::Pushes;
pub use run::{Compared, Ratio, RunReport, SideFigures};
pub use spread::Spread;
pub use units::time_text;
pub use verdict::Verdict;
pub use written::{Written, write_json};
