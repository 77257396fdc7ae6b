//! Which address is tried next, and when.

use crate::address::Address;
use crate::backoff::Backoff;
use std::time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_millis(400);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// A connection that worked is tried again almost at once, by not all clients at the same instant.
const SPREAD: Duration = Duration::from_millis(300);

/// The addresses in their order. All of them are tried in turn; one that works is stayed with.
#[derive(Debug)]
pub(super) struct Failover {
    addresses: Vec<Address>,
    at: usize,
    /// How many tries have failed since the last that did not.
    failed: usize,
    /// Whether the server said something sensible on the last connection.
    worked: bool,
    backoff: Backoff,
}

impl Failover {
    /// # Panics
    /// If there is no address.
    pub(super) fn new(addresses: Vec<Address>) -> Self {
        assert!(!addresses.is_empty(), "a client needs an address");
        let backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        Self { addresses, at: 0, failed: 0, worked: false, backoff }
    }

    /// The address whose turn it is.
    pub(super) fn address(&self) -> &Address {
        &self.addresses[self.at]
    }

    /// This address could not be reached: when the next one is to be tried.
    pub(super) fn failed(&mut self, now: Instant) -> Instant {
        self.at = (self.at + 1) % self.addresses.len();
        self.failed += 1;
        if self.failed.is_multiple_of(self.addresses.len()) { now + self.backoff.next_wait() } else { now }
    }

    /// Whether every address has been tried since one worked.
    pub(super) fn exhausted(&self) -> bool {
        self.failed >= self.addresses.len()
    }

    /// There is a connection; that it works is yet to be seen.
    pub(super) fn reached(&mut self) {
        self.failed = 0;
        self.worked = false;
    }

    /// The server said something sensible.
    pub(super) fn worked(&mut self) {
        self.worked = true;
        self.backoff.reset();
    }

    /// The server has stopped saying anything: another one may do better.
    pub(super) fn doubted(&mut self) {
        self.worked = false;
    }

    /// The connection is lost: how long to wait. Where it never worked, somebody else is tried.
    pub(super) fn lost(&mut self) -> Duration {
        if self.worked {
            return self.backoff.part(SPREAD);
        }
        self.at = (self.at + 1) % self.addresses.len();
        self.backoff.next_wait()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failover(names: &[&str]) -> Failover {
        Failover::new(names.iter().map(|name| name.parse().unwrap()).collect())
    }

    #[test]
    fn a_round_is_without_a_wait_and_rounds_are_apart() {
        let (mut failover, now) = (failover(&["a", "b", "c"]), Instant::now());
        assert_eq!(failover.address().host, "a");
        assert_eq!(failover.failed(now), now);
        assert_eq!(failover.failed(now), now);
        assert!(!failover.exhausted());
        assert!(failover.failed(now) > now);
        assert!(failover.exhausted());
        assert_eq!(failover.address().host, "a");
    }

    #[test]
    fn what_works_is_stayed_with_and_what_only_answers_is_not() {
        let mut failover = failover(&["a", "b"]);
        failover.reached();
        failover.worked();
        assert!(failover.lost() <= SPREAD);
        assert_eq!(failover.address().host, "a");
        failover.reached();
        assert!(failover.lost() >= FIRST_WAIT / 2);
        assert_eq!(failover.address().host, "b");
    }
}
