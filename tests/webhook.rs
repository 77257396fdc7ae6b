//! What an application is told: the real chatd with both stores, and somebody who takes its events, or does not.
//!
//! ```console
//! $ WEBHOOK_KILLS=50 cargo test --test webhook nothing_is_lost -- --nocapture    # more often than by itself
//! ```

use chatd_testing as common;

/// One file for each thing that events go through.
mod webhook {
    mod example;
    mod kills;
    mod posted;
    pub mod receiver;
}
