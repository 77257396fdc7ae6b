//! Sockets: accepted, read, written and closed, on one core.
//!
//! - [`listen`] makes the listening sockets, before any executor runs.
//! - [`accept`] takes connections in.
//! - [`ring`] is the io_uring of the core, [`mode`] what it uses of its kernel, [`buffers`] what it receives into.
//! - [`sockets`] is all connections and what is to be sent to them; [`connection`] is one of them.
//! - [`pacing`] cuts what is sent to clients that read as the original does.
//! - [`tls`] is the encryption of a connection; [`secure_reader`] what is received through it.
//! - [`reader`] takes in what was received, which becomes requests.
//! - [`proxied`] takes in what proxies say of the clients that they speak for.
//! - [`spoken`] tells what a connection speaks; [`web_reader`] is `reader`'s part for HTTP and WebSocket, [`site`] what
//!   HTTP gives, [`assets`] the page.

pub(super) mod accept;
mod assets;
mod buffers;
mod connection;
pub(super) mod listen;
pub(super) mod mode;
mod pacing;
pub mod proxied;
pub(super) mod reader;
pub(super) mod ring;
#[cfg(test)]
mod ring_tests;
pub mod secure_reader;
pub mod site;
pub(super) mod sockets;
mod spoken;
mod tls;
mod web_reader;
