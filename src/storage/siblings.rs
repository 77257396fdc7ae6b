//! Servers that share a database know of each other through it.
//!
//! Owns what a server writes there about itself, what it reads there about others, and the line on
//! which that is asked for. It is asked for once in a while by one thread of each server, off the path
//! of messages. All times are the database's own: the clocks of servers differ.

use super::StoreError;
use flume::{Receiver, Sender};
use std::fmt;
use std::time::Duration;

/// A server that wrote nothing down for so long is dead, or hangs: three rounds of two seconds.
pub const DEAD: Duration = Duration::from_secs(6);

/// What a server writes down about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// What it is called: a number by chance, another one after each start. 63 bits.
    pub server: u64,
    /// Where it is, for people.
    pub place: String,
    /// How many cores it has.
    pub cores: u16,
    /// Which bus it is on: two that say the same are on one. Empty if that is not known.
    pub bus: String,
    /// Whether it hears all others on its bus.
    pub hearing: Hearing,
    /// Which version of the bus it speaks ([`chatd_chat::model::envelope::BUS_VERSION`]).
    pub bus_version: u16,
}

/// A server that lives and speaks another version of the bus than this one: they cannot be one cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnotherVersion {
    /// Where it is.
    pub place: String,
    /// What it speaks.
    pub theirs: u16,
    /// What this program speaks.
    pub ours: u16,
}

impl fmt::Display for AnotherVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, theirs, ours } = self;
        write!(
            f,
            "{place} works on the same database and speaks version {theirs} of the bus, this chatd version {ours}: \
             stop all servers of the cluster, and then start those of one version (one that died counts until it has \
             been silent for {} s)",
            DEAD.as_secs()
        )
    }
}

impl std::error::Error for AnotherVersion {}

/// Whether a server hears all that it should hear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hearing {
    /// Every server that lives.
    All,
    /// One at least is not heard.
    NotAll,
}

/// Another server of the same database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sibling {
    /// What it wrote down last.
    pub entry: Entry,
    /// How long ago, by the database's clock.
    pub silent: Duration,
}

/// What is asked for, and where the answer goes.
pub(super) enum SiblingCall {
    /// Write this down, and tell of the others.
    Announce(Entry, Sender<Result<Vec<Sibling>, StoreError>>),
    /// Strike out this server, which stops.
    Withdraw(u64, Sender<Result<(), StoreError>>),
}

/// Asks the storage thread.
pub struct SiblingLine(Sender<SiblingCall>);

/// The two ends of one.
pub(super) fn line() -> (SiblingLine, Receiver<SiblingCall>) {
    let (calls, called) = flume::bounded(1);
    (SiblingLine(calls), called)
}

impl SiblingLine {
    /// Says that this server lives, and hears which others wrote that down and when; `None` if the
    /// store does not work, or does not answer in time.
    pub fn announce(&self, entry: Entry, patience: Duration) -> Option<Vec<Sibling>> {
        let (tell, told) = flume::bounded(1);
        self.0.send_timeout(SiblingCall::Announce(entry, tell), patience).ok()?;
        told.recv_timeout(patience).ok()?.ok()
    }

    /// Says that this server stops. If that is lost, the others notice its silence.
    pub fn withdraw(&self, server: u64, patience: Duration) {
        let (tell, told) = flume::bounded(1);
        if self.0.send_timeout(SiblingCall::Withdraw(server, tell), patience).is_ok() {
            let _ = told.recv_timeout(patience);
        }
    }
}
