//! Sockets: accepted, read, written and closed, on one core.
//!
//! - [`listen`] makes the listening sockets, before any executor runs.
//! - [`accept`] takes connections in.
//! - [`reader`] is the task of one connection: bytes to requests.
//! - [`connection`] is what a connection owns; [`connections`] is all of them, and the flusher.
//! - [`closing`] ends a connection so that its last words arrive.

pub(super) mod accept;
pub(super) mod closing;
pub(super) mod connection;
pub(super) mod connections;
pub(super) mod listen;
pub(super) mod reader;
