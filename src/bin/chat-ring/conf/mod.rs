//! An nginx configuration, as far as it decides who is chosen: [`words`] → [`blocks`] → [`upstream`], of which
//! [`refused`] says what nginx refuses.
//!
//! The reader is our own. `nginx-config` (2019) knows no stream module; `nginx-lint-parser` is kept
//! well, but made for editors: it takes `a "x"y` and splits `${remote_addr}x`, where nginx refuses
//! the one and keeps the other, and it reads no includes. A tool that says what nginx will do has to
//! read what nginx reads.

pub mod address;
pub mod blocks;
mod glob;
mod refused;
pub mod upstream;
mod variables;
pub mod words;
