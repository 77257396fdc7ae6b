//! What was asked for and is not answered: in order, each under its own `cid`.

use crate::client::backoff::random;
use crate::client::event::Ticket;
use crate::client::request::Request;
use std::collections::VecDeque;
use std::time::Instant;

/// Requests that may be under way at once; so many never fill a socket that nobody reads.
const WINDOW: usize = 64;

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) ticket: Ticket,
    pub(super) cid: String,
    pub(super) request: Request,
    /// How often it was written to a socket.
    pub(super) attempts: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting,
    UnderWay,
    NotBefore(Instant),
}

/// Invariants: `under_way` counts the entries that are under way, and is at most `WINDOW`; there
/// are at most `most` entries.
#[derive(Debug)]
pub(super) struct Outbox {
    entries: VecDeque<Entry>,
    under_way: usize,
    most: usize,
    prefix: String,
    numbered: u64,
}

impl Outbox {
    /// Room for `most` requests.
    pub(super) fn new(most: usize) -> Self {
        let prefix = format!("{:016x}{:016x}", random(), random());
        Self { entries: VecDeque::new(), under_way: 0, most, prefix, numbered: 0 }
    }

    /// Takes a request in; false if there is no room.
    pub(super) fn push(&mut self, ticket: Ticket, request: Request) -> bool {
        if self.entries.len() >= self.most {
            return false;
        }
        self.numbered += 1;
        let cid = format!("{}-{}", self.prefix, self.numbered);
        self.entries.push_back(Entry { ticket, cid, request, attempts: 0, state: State::Waiting });
        true
    }

    /// The next request to be written, which is under way from now on. Nothing overtakes: while one
    /// has to wait, those behind it wait too.
    pub(super) fn next(&mut self, now: Instant) -> Option<&Entry> {
        if self.under_way >= WINDOW {
            return None;
        }
        let entry = self.entries.iter_mut().find(|entry| entry.state != State::UnderWay)?;
        if matches!(entry.state, State::NotBefore(at) if at > now) {
            return None;
        }
        entry.state = State::UnderWay;
        entry.attempts += 1;
        self.under_way += 1;
        Some(entry)
    }

    /// When a request that has to wait may be written.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let waiting = self.entries.iter().find(|entry| entry.state != State::UnderWay)?;
        match waiting.state {
            // With a full window it is an answer that is waited for, not the clock.
            State::NotBefore(at) if self.under_way < WINDOW => Some(at),
            _ => None,
        }
    }

    /// The request with this `cid`.
    pub(super) fn find(&self, cid: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.cid == cid)
    }

    /// Takes out the request with this `cid`: it is answered.
    pub(super) fn take(&mut self, cid: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.cid == cid)?;
        let entry = self.entries.remove(at)?;
        self.under_way -= usize::from(entry.state == State::UnderWay);
        Some(entry)
    }

    /// Asks for a request to be written again, not before `at`.
    pub(super) fn put_off(&mut self, cid: &str, at: Instant) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.cid == cid) else { return };
        self.under_way -= usize::from(entry.state == State::UnderWay);
        entry.state = State::NotBefore(at);
    }

    /// The connection is gone: what was under way is to be written again.
    pub(super) fn interrupt(&mut self) {
        for entry in &mut self.entries {
            entry.state = State::Waiting;
        }
        self.under_way = 0;
    }

    /// Takes out the requests that `is_settled` says are settled.
    pub(super) fn settle(&mut self, mut is_settled: impl FnMut(&Entry) -> bool) {
        self.entries.retain(|entry| !is_settled(entry));
        self.under_way = self.entries.iter().filter(|entry| entry.state == State::UnderWay).count();
    }

    /// The longest message that was written and is not answered.
    pub(super) fn longest_written(&self) -> Option<Ticket> {
        let length = |entry: &&Entry| match &entry.request {
            Request::Say { text, .. } => text.len(),
            _ => 0,
        };
        let written = self.entries.iter().filter(|entry| entry.attempts > 0);
        written.max_by_key(length).map(|entry| entry.ticket)
    }

    /// The oldest request.
    pub(super) fn first(&self) -> Option<&Entry> {
        self.entries.front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_interruption_writes_again_in_order_under_the_same_cids() {
        let (mut outbox, now) = (Outbox::new(100), Instant::now());
        for n in 0..70 {
            assert!(outbox.push(Ticket(n), Request::ShowFriends));
        }
        let mut first = Vec::new();
        while let Some(entry) = outbox.next(now) {
            first.push(entry.cid.clone());
        }
        assert_eq!(first.len(), WINDOW);
        assert!(outbox.take(&first[3]).is_some());
        assert!(outbox.take(&first[3]).is_none());
        outbox.interrupt();
        first.remove(3);
        for cid in &first {
            assert_eq!(&outbox.next(now).unwrap().cid, cid);
        }
    }

    #[test]
    fn nothing_overtakes_what_has_to_wait() {
        let (mut outbox, now) = (Outbox::new(2), Instant::now());
        assert!(outbox.push(Ticket(0), Request::ShowFriends));
        assert!(outbox.push(Ticket(1), Request::ShowFriends));
        assert!(!outbox.push(Ticket(2), Request::ShowFriends));
        let cid = outbox.next(now).unwrap().cid.clone();
        let later = now + Duration::from_secs(1);
        outbox.put_off(&cid, later);
        assert!(outbox.next(now).is_none());
        assert_eq!(outbox.wake_at(), Some(later));
        assert_eq!(outbox.next(later).unwrap().ticket, Ticket(0));
        assert_eq!(outbox.next(later).unwrap().ticket, Ticket(1));
    }
}
