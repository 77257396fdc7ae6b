//! The wire: bytes to frames, frames to requests, replies to bytes. Pure codecs, no I/O.
//!
//! - [`frame`] cuts a stream of bytes into frames.
//! - [`json`] is the only file that names simd-json: one frame to a flat list of fields.
//! - [`request`] is what may be said, checked field by field.
//! - [`reply`] and [`lists`] are what may be heard, encoded byte for byte as the original server does.
//! - [`code`] is what went wrong, in numbers.

pub mod code;
pub mod frame;
pub mod json;
pub mod lists;
pub mod msgid;
pub mod reply;
pub mod request;
pub mod text;
