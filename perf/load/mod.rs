//! The load generator: its own sockets, its own epoll, one thread.
//!
//! Shares no I/O code with what it measures. It does what the plan says and reports what came of it to
//! `measure`; it decides nothing about meaning, prints nothing and starts no process.

mod clock;
mod connection;
mod enlist;
mod fleet;
mod round;
mod timer;

pub use clock::Clock;
pub use enlist::{log_in, name_prefix, pair_up, register};
pub use fleet::{Fleet, Message};
pub use round::{Orders, Pace, Waiting, run_round};
pub use timer::wait as wait_for_events;
