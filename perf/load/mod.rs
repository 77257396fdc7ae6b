//! The load generator: its own sockets, its own epoll, one thread a fleet.
//!
//! Shares no I/O code with what it measures. It does what the plan says and reports what came of it to
//! `measure`; it decides nothing about meaning, prints nothing and starts no process.

mod clock;
mod connection;
mod crowd;
mod door;
mod enlist;
mod fleet;
mod guest;
mod nuisance;
mod office;
mod receiver;
mod round;
mod secrecy;
mod storm;
mod stream;
mod timer;
mod witness;

pub use clock::Clock;
pub use crowd::{Crowd, Groups};
pub use door::{Door, SOURCES_MAX};
pub use enlist::{fill_rooms, gather, log_in, login, name_prefix, register, tokens, visit};
pub use fleet::{Fleet, Message};
pub use nuisance::{Nuisance, Nuisances};
pub use office::Office;
pub use receiver::Receiver;
pub use round::{Orders, Pace, Waiting, run_round};
pub use secrecy::{Handshake, Secrecy};
pub use storm::{Stay, Storm, Visit, run_storm};
pub use timer::wait as wait_for_events;
pub use witness::{Testimony, Witness};
