//! The real chatd, spoken to in TLS: by people, by clients that behave badly, and by certificates that change.
//!
//! Every test has servers and certificates of its own. Nothing sleeps.

use chatd_testing as common;

/// Asks the admin address, as the tests of one server do.
#[allow(dead_code)]
#[path = "admin/client.rs"]
mod admin;

/// One file for each thing that can go wrong.
mod tls {
    mod certificates;
    mod conversation;
    mod hostile;
    mod silence;
    mod tunnel;
}
