//! The real chatd, spoken to by HTTP and WebSocket: one port, told apart by its first byte.
//!
//! Every test has servers of its own, on port 0 and in a directory of its own. Nothing sleeps.

use chatd_testing as common;

/// One file for each thing that can go wrong.
mod ws {
    mod closing;
    mod conversation;
    mod independent;
    mod slow;
    mod upgrade;
}
