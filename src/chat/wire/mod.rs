//! The wire: bytes to frames, frames to requests, replies to bytes. Pure codecs, no I/O.
//!
//! - [`frame`] cuts a stream of bytes into frames.
//! - [`http`] reads the head of a request, and [`websocket`] the messages that follow an upgrade.
//! - [`proxy`] reads whom a proxy speaks for.
//! - [`json`] is the only file that names simd-json: one frame to a flat list of fields.
//! - [`request`] is what may be said, checked field by field.
//! - [`reply`] and [`lists`] are what may be heard, encoded byte for byte as the original server does.
//! - [`push`], [`welcome`], [`found`], [`sync`], [`changed`] and [`consent`] are what v2 hears besides or in another form.
//! - [`acted`] is what the server's API answers that is no frame.
//! - [`edited`] is the frame of a message with another text.
//! - [`group_event`] is what is done to groups, as rows of their conversations.
//! - [`code`] is what went wrong, in numbers.

pub mod acted;
pub mod announced;
pub mod changed;
pub mod code;
pub mod consent;
pub mod edited;
pub mod found;
pub mod frame;
pub mod group_event;
pub mod http;
pub mod json;
pub mod lists;
pub mod msgid;
mod pages;
pub mod proxy;
pub mod push;
pub mod reply;
pub mod request;
pub mod sync;
pub mod text;
pub mod websocket;
pub mod welcome;
