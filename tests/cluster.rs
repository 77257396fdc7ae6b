//! Several real chatd with a real MariaDB, Redis and nginx: one system, which bends and does not break.
//!
//! Where a test says how long something may take, that is a deadline that the machine cannot miss
//! unless something is wrong. What is true of one server is asked of two in `cluster_seed.rs`.

use chatd_testing as common;

/// Asks the admin address, as the tests of one server do.
#[allow(dead_code)]
#[path = "admin/client.rs"]
mod admin;

/// Speaks TLS for clients that do not, as the tests of TLS do.
#[allow(dead_code)]
#[path = "tls/tunnel.rs"]
mod tunnel;

/// Random numbers, as the simulation has them.
#[allow(dead_code)]
#[path = "sim/rng.rs"]
mod rng;

/// One file for each thing that can happen to a cluster.
mod cluster {
    mod api;
    mod backup;
    mod client;
    mod clocks;
    mod devices;
    mod dying;
    mod encrypted;
    mod groups;
    mod hostile;
    mod mysql;
    mod nginx;
    mod patience;
    mod presence;
    mod redis;
    mod rolling;
    mod split;
    mod starting;
    mod together;
    mod two_devices;
    mod v2;
    mod versions;
}
