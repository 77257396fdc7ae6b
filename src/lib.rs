//! chatd: a thread-per-core io_uring cluster chat server.
//!
//! The map of the house is `ARCHITECTURE.md`. Each part is a crate, so that the compiler holds the direction:
//!
//! - [`chat`] is the core: events in, effects out. No I/O, no clock, no async, no logs.
//! - [`executor`] does all network I/O, one glommio executor on each pinned core.
//! - [`storage`] answers requests on threads of its own.
//! - the binary under `src/bin/chatd` composes the three; nothing else sees them together.

#![deny(missing_docs)]

pub use chatd_chat as chat;
pub use chatd_executor as executor;
pub use chatd_storage as storage;
