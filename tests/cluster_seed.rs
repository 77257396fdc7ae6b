//! The cases of one server, asked of two: they share a MariaDB and a Redis, and whoever connects is
//! led to each of them in turn.

use chatd_testing as one;

/// As the cases know it, but that a chatd is two.
mod common {
    pub use crate::one::*;

    pub mod chatd {
        pub use crate::one::chatd::SECRET;
        pub use crate::one::cluster::{Cluster as Chatd, ClusterSetup as Setup};
    }
}

/// The same files as in `server.rs`.
mod server {
    mod backlog;
    mod crowd;
    mod identity;
    mod login;
    mod seed;
    mod texts;
}
