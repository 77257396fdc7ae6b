//! Every version of the schema is brought up to date with much in it, by both stores, and all of it is there afterwards.
//!
//! `UPGRADE_MESSAGES=1000000 cargo test --release --test upgrade -- --nocapture` says how long that takes; the usual run has
//! fewer. That servers of two versions do not work on one database at the same time is tested in `tests/cluster/versions.rs`.

use chatd_testing as common;

mod upgrade {
    mod embedded;
    mod mysql;
    mod rows;
    mod told;
}
