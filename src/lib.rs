//! chatd: a thread-per-core io_uring cluster chat server.
//!
//! The house is described in `ARCHITECTURE.md`. Data flows one way:
//!
//! - [`chat`] is the core: events in, effects out. No I/O, no clock, no async, no logs.
//! - [`executor`] does all network I/O, one glommio executor on each pinned core.
//! - [`storage`] answers questions on threads of its own.
//! - [`client`] is the other end of the wire, for `chat` and for other programs.
//! - [`log`] and [`panic_policy`] are for all of them but the core: what a server says, and what a panic ends.
//! - the binaries under `src/bin/` compose the three; nothing else sees them together.
//!
//! `tests/layering.rs` checks that direction.

#![deny(missing_docs)]
// A module's first lines name its rooms, private ones too: `cargo doc --document-private-items`.
#![allow(rustdoc::private_intra_doc_links)]

pub mod chat;
pub mod client;
pub mod executor;
pub mod log;
pub mod panic_policy;
pub mod storage;
