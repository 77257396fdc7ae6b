//! The next attempt to connect.

use super::{Greeted, RedisError, Server};
use chatd_chat::model::ids::{CoreId, Monotonic};
use flume::{Receiver, Sender};
use std::sync::Arc;

/// How long to wait before the next attempt to connect: at first, and at most.
const PAUSE_MS: std::ops::RangeInclusive<u64> = 50..=1_000;

/// What came of an attempt to connect.
type Outcome = Result<Greeted, RedisError>;

/// The next attempt to connect.
pub(super) struct Retry {
    at: Monotonic,
    pause_ms: u64,
    under_way: bool,
    outcome: Sender<Outcome>,
    outcomes: Receiver<Outcome>,
}

impl Retry {
    pub(super) fn new() -> Self {
        let (outcome, outcomes) = flume::bounded(1);
        let (at, pause_ms) = (Monotonic(0), *PAUSE_MS.start());
        Self { at, pause_ms, under_way: false, outcome, outcomes }
    }

    /// The connection is lost: another one is made at once.
    pub(super) fn soon(&mut self, now: Monotonic) {
        (self.at, self.pause_ms) = (now, *PAUSE_MS.start());
    }

    /// The other side refuses what it has to do, and may refuse it again: another one is made, but not at once.
    pub(super) fn later(&mut self, now: Monotonic) {
        self.soon(now);
        self.at = now.plus(*PAUSE_MS.end());
    }

    /// What came of the attempt that was under way, if it has ended.
    pub(super) fn ended(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.under_way = false;
        Some(outcome)
    }

    /// It did not work: the next attempt comes after a pause.
    pub(super) fn failed(&mut self, now: Monotonic) {
        self.at = now.plus(self.pause_ms);
        self.pause_ms = (self.pause_ms * 2).min(*PAUSE_MS.end());
    }

    /// Begins an attempt if it is time for one.
    pub(super) fn tick(&mut self, server: &Arc<Server>, core: CoreId, now: Monotonic) {
        if self.under_way || now < self.at {
            return;
        }
        let (server, outcome) = (server.clone(), self.outcome.clone());
        // Names are looked up and answers awaited by blocking calls: not on a core.
        let thread = std::thread::Builder::new().name("redis-connect".into());
        let spawned = thread.spawn(move || {
            let _ = outcome.send(server.greet(Some(core)));
        });
        self.under_way = spawned.is_ok();
    }
}
