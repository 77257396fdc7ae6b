//! The core of the house: what may be said, what is decided, and nothing else.
//!
//! Everything here is a plain value or a plain function. An [`port::event::Event`] comes in, the [`hub::Hub`] decides,
//! [`port::effect::Effect`]s go out. There is no socket, no clock, no lock, no `await` and no log line in this crate;
//! time is an argument. That is what lets a whole cluster of hubs run inside one test, thousands of times a second, from
//! one seed.
//!
//! Twelve rooms, one direction: `hub ─► {login, direct, group, devices, changes, social} ─► backlog ─► connection ─► port ─►
//! wire ─► model`.
//! No room names one that stands before it, nor one beside it.

#![deny(missing_docs)]
// What nobody dispatches is to be named by the compiler. Tests look at what they are about.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]
// A room's first lines name its parts, private ones too: `cargo doc --document-private-items`.
#![allow(rustdoc::private_intra_doc_links)]

mod backlog;
mod changes;
mod connection;
mod devices;
mod direct;
mod group;
pub mod hub;
mod login;
pub mod model;
pub mod port;
mod social;
pub mod wire;
