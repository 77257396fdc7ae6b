//! The core of the house: what may be said, what is decided, and nothing else.
//!
//! Everything here is a plain value or a plain function. An [`event::Event`] comes in, the
//! [`hub::Hub`] decides, [`effect::Effect`]s go out. There is no socket, no clock, no lock, no
//! `await` and no log line below this module; time is an argument. That is what lets a whole
//! cluster of hubs run inside one test, thousands of times a second, from one seed.

mod account;
mod anonymous;
pub mod ask;
mod awaited;
mod backlog;
mod block;
mod claim;
mod confirm;
mod connection;
pub mod counts;
pub mod dedup;
mod direct;
pub mod effect;
mod enter;
pub mod envelope;
pub mod event;
mod friend;
mod greet;
mod group;
mod guess;
mod held;
mod history;
pub mod hub;
pub mod ids;
pub mod keep;
mod late;
pub mod limits;
mod local_time;
pub(crate) mod name;
mod orphan;
mod outbox;
mod pending;
mod people;
mod ping;
mod presence;
mod progress;
mod record;
mod rejoin;
mod rename;
pub mod ring;
mod said;
mod seat;
mod session;
mod settling;
pub mod source;
mod takeover;
mod tick;
pub mod wire;
