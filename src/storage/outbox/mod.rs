//! What an application is told of: events, written in the transaction of what they tell of, and posted after it.
//!
//! Owns which events there are and their form ([`pending`]), the line on which the storage thread is asked for what waits
//! ([`line`]), whom of a group is told of ([`untold`]), and the thread that posts it ([`poster`], [`post`]). Where there is no webhook, nothing is written and
//! nothing is looked up.
//!
//! Invariant: an event is deleted only after an answer of 2xx to a request that had it, or when the outbox is over its
//! bounds, and then it is counted.

pub(crate) mod line;
pub(crate) mod pending;
mod post;
pub(crate) mod poster;
pub(crate) mod untold;

use chatd_chat::model::ids::Millis;
pub use pending::Kinds;
pub use poster::Figures;
use std::fmt;
use std::time::Duration;

/// Events of a row at most: the n-th event of row `id` has the number `id * ROW_EVENTS + n`.
pub const ROW_EVENTS: u64 = 1_000;
/// Bytes of a row from which on another one is begun.
pub const ROW_BYTES: usize = 64 << 10;
/// Bytes of events in one request, more or less: the row that passes it is the last.
pub const PAGE_BYTES: usize = 1 << 20;
/// Rows in one request at most.
pub const PAGE_ROWS: usize = 1_000;
/// Rows over the bounds that one step deletes at most.
pub const TRIMMED_ROWS: u64 = 10_000;
/// Messages of which one step tells at most that nobody has confirmed them.
pub const UNDELIVERED: usize = 500;

/// Where events go, and what becomes of those that cannot.
#[derive(Clone)]
pub struct Webhook {
    /// Whom they are posted to: `https://` or `http://`.
    pub url: String,
    /// What requests are signed with.
    pub secret: Secret,
    /// Which events there are.
    pub kinds: Kinds,
    /// How long the bounds let one wait.
    pub bounds: Bounds,
    /// After which time without a confirmation a message is undelivered.
    pub push_after: Duration,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a webhook with {:?}", self.kinds)
    }
}

/// A secret that both ends have. It is not shown.
#[derive(Clone)]
pub struct Secret(pub Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

/// How much may wait. What is beyond them is deleted, the oldest first, and counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Rows, each of what one transaction told: at least one event.
    pub rows: u64,
    /// How old a row becomes, in milliseconds.
    pub age_ms: u64,
}

/// What the storage thread is to do for whoever posts.
#[derive(Clone, Debug)]
pub struct Step {
    /// Who asks: a number of this server's own, 63 bits.
    pub holder: u64,
    /// What time it is.
    pub now: Millis,
    /// Whether it is time to renew the lease.
    pub renew: bool,
    /// Rows that were posted: they are deleted, whoever posts by now.
    pub posted: Vec<u64>,
    /// An event to be written, as a line of [`pending`].
    pub tell: Option<String>,
    /// The bounds that are looked at, if it is time to.
    pub trim: Option<Bounds>,
    /// Messages older than this are looked for, in backlogs and in groups, if it is time to.
    pub undelivered_before: Option<Millis>,
    /// Whether rows are wanted.
    pub wanted: bool,
}

/// What came of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Page {
    /// Whether whoever asks is the one that posts.
    pub posts: bool,
    /// The oldest rows, as many as go into one request; none if they were not wanted or another server posts.
    pub rows: Vec<Row>,
    /// Rows that wait, as their numbers say: numbers that were never used count.
    pub waiting: u64,
    /// When the oldest of them was written.
    pub oldest: Option<Millis>,
    /// Events that were deleted because they were over the bounds.
    pub dropped: u64,
    /// Whether members of groups are left to be looked at, of what was asked for.
    pub more: bool,
}

/// What one transaction told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number: greater for what was told later of the same conversation.
    pub id: u64,
    /// Events, a line each.
    pub body: String,
}
