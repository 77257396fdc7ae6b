//! The admin address of the real chatd, `chatd top`, and the latency log: what operators see.
//!
//! Every test has a server of its own. Nothing sleeps: whoever waits, waits for something to be shown.

use chatd_testing as common;

/// A pseudo-terminal, as the tests of the terminal client have it.
#[allow(dead_code)]
#[path = "client/screen.rs"]
mod screen;

/// One file for each thing that is shown.
mod admin {
    mod api;
    mod asker;
    mod client;
    mod events;
    mod health;
    mod histograms;
    mod hostile;
    mod latency_log;
    mod log;
    mod metrics;
    mod names;
    mod openmetrics;
    mod slow;
    mod top;
}
