//! Fuzz targets: what is done to each parser, and to the hub, with bytes that nobody has chosen well.
//!
//! A target is a plain function that panics when it finds something. Two things call it: `tests/fuzz.rs`, which replays
//! the corpora and mutates them ([`mutate`]), and libFuzzer (`tests/fuzz/coverage/`), which is guided by coverage.

// The simulation calls the core so.
extern crate self as chatd;
pub use chatd_chat as chat;

pub mod corpus;
pub mod mutate;
#[path = "../sim/mod.rs"]
#[allow(dead_code, reason = "only its store is needed here")]
mod sim;
pub mod targets;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is fuzzed.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: that of its corpus, too.
    pub name: &'static str,
    /// Panics if what these bytes do is wrong.
    pub run: fn(&[u8]),
    /// Words that its inputs are made of.
    pub dictionary: &'static [&'static [u8]],
    /// The longest input that is made.
    pub bytes: usize,
}

impl Target {
    /// What is wrong with these bytes, if anything is.
    ///
    /// # Errors
    /// What it panicked with.
    pub fn try_run(&self, bytes: &[u8]) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| (self.run)(bytes))).map_err(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
        })
    }
}

/// All of them.
pub const TARGETS: [Target; 10] = [
    targets::envelopes::TARGET,
    targets::frames::TARGET,
    targets::http::TARGET,
    targets::hub::TARGET,
    targets::jwt::TARGET,
    targets::proxy::TARGET,
    targets::requests::TARGET,
    targets::resp::TARGET,
    targets::websocket::TARGET,
    targets::words::TARGET,
];

/// The target of this name.
///
/// # Panics
/// If there is none.
pub fn target(name: &str) -> Target {
    let named = TARGETS.into_iter().find(|target| target.name == name);
    named.unwrap_or_else(|| panic!("no target {name}"))
}
