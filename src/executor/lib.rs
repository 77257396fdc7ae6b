//! All I/O: one glommio executor on each core, its sockets, its end of the bus and of the store.
//!
//! Decides nothing: what happens becomes an event for the core's hub, and what the hub wants done
//! is done. Knows no SQL and no password, and its cores no JSON library. glommio is named here and nowhere else.

// Those who work on a crate read its pages with its private items.
#![allow(rustdoc::private_intra_doc_links)]

pub mod acts;
pub mod admin;
mod bell;
pub mod boot;
pub mod bus;
mod clock;
mod event_loop;
pub mod flight_recorder;
mod guard;
mod memory;
pub mod metrics;
mod net;
pub mod observer;
mod orders;
pub mod probe;
mod rest;
mod shard;
pub mod stop;
mod store_link;
