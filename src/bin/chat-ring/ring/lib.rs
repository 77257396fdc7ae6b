//! Which server nginx chooses for a key, and what moves when its servers change.
//!
//! A pure model of the `hash` directive of nginx's upstreams (the same in `stream` and in `http`),
//! in both of its forms, and the ring of the seed's configurator. It resolves no names, reads no
//! files and connects to nobody; `chat-ring` does that.
//!
//! - [`Consistent`]: `hash KEY consistent`, points on a ring of 2³².
//! - [`Plain`]: `hash KEY`, a remainder, and hashing again where that server is not to be had.
//! - [`Seed`]: the original's ring, point for point.
//! - [`Moves`]: what one balancing and another choose, side by side.
//!
//! # Source
//!
//! `src/stream/ngx_stream_upstream_hash_module.c` and `src/http/modules/ngx_http_upstream_hash_module.c`
//! of nginx, whose algorithm is that of release 1.13.6 (October 2017: 20 tries in the consistent case
//! too) and 1.17.1 (an empty key goes round robin) to this day; read in 1.22.1 and 1.31.
//! `tests/ring.rs` has points and properties; `tests/ring_nginx.rs` holds the model against a running
//! nginx.

mod consistent;
mod crc;
mod moves;
mod plain;
mod points;
mod seed;

pub use consistent::{Arc, Consistent, POINTS_PER_WEIGHT, server_points};
pub use crc::crc32;
pub use moves::{Between, Moves, pairs, sample_key};
pub use plain::Plain;
pub use seed::{Seed, seed_hash, seed_points};

use std::fmt;

/// So many times a server that is not to be had is passed over; then nginx goes round robin.
const TRIES: u32 = 20;

/// The points of a ring at most; nginx would need more memory than it is worth.
pub const MAX_POINTS: u64 = 1 << 26;

/// One address of an upstream, with the name that the configuration gives it.
///
/// A host name that resolves to several addresses is several of these, one after another, with one
/// name. Backup servers are none of these: `hash` never looks at them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// The text after `server`, unquoted, as it stands: `127.0.0.1:6000`, `chat.example:6000`,
    /// `unix:/run/chat.sock`.
    pub name: String,
    /// 1 where the configuration says nothing.
    pub weight: u32,
    /// Whether it is marked `down`, or is taken to be failed or full: it keeps its points and is
    /// passed over.
    pub down: bool,
}

impl Server {
    /// A server of weight 1 that is up.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: 1, down: false }
    }
}

/// What is chosen for a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Choice {
    /// The server of this index.
    Server(usize),
    /// Whichever is next in turn: the key decides nothing. So it is for an empty key, and where 20
    /// tries found no server that is up.
    RoundRobin,
}

/// Why there is no ring of these servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingError {
    /// nginx refuses an upstream without a server.
    NoServers,
    /// nginx refuses a weight of 0.
    WeightZero,
    /// More than [`MAX_POINTS`].
    TooManyPoints,
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RingError::NoServers => "there is no server (backup servers do not count)",
            RingError::WeightZero => "a weight is 1 or more",
            RingError::TooManyPoints => "the weights are too large: more than 67 million points",
        })
    }
}

impl std::error::Error for RingError {}

/// One of the two ways of nginx to go by a key.
#[derive(Debug)]
pub enum Balancing {
    /// `hash KEY consistent`.
    Consistent(Consistent),
    /// `hash KEY`.
    Plain(Plain),
}

impl Balancing {
    /// What is chosen for this key.
    pub fn choose(&self, key: &[u8]) -> Choice {
        match self {
            Balancing::Consistent(ring) => ring.choose(key),
            Balancing::Plain(plain) => plain.choose(key),
        }
    }

    /// The servers that are chosen one after another, each after those before have failed; after the
    /// last, nginx goes round robin.
    pub fn route(&self, key: &[u8]) -> Vec<usize> {
        match self {
            Balancing::Consistent(ring) => ring.route(key),
            Balancing::Plain(plain) => plain.route(key),
        }
    }

    /// The servers, as they were given.
    pub fn servers(&self) -> &[Server] {
        match self {
            Balancing::Consistent(ring) => ring.servers(),
            Balancing::Plain(plain) => plain.servers(),
        }
    }
}

fn check(servers: &[Server]) -> Result<(), RingError> {
    if servers.is_empty() {
        return Err(RingError::NoServers);
    }
    if servers.iter().any(|server| server.weight == 0) {
        return Err(RingError::WeightZero);
    }
    Ok(())
}
