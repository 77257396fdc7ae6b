//! What an application is told: the real chatd with both stores, and somebody who takes its events, or does not.
//!
//! ```console
//! $ WEBHOOK_KILLS=50 cargo test --test webhook nothing_is_lost_whatever -- --nocapture    # more often than by itself
//! $ WEBHOOK_KILLS=15 cargo test --test webhook nothing_is_lost_of_two -- --nocapture      # two servers
//! ```

use chatd_testing as common;

/// One file for each thing that events go through.
mod webhook {
    mod example;
    mod groups;
    mod kills;
    mod orders;
    mod posted;
    pub mod receiver;
}
