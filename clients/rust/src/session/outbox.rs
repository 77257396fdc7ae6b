//! What was asked for and is not answered: in order, each under its own `cid`.
//!
//! The original server acknowledges nothing, and ends when two frames come in one read. Until the
//! first acknowledgement a server that speaks the seed's dialect is taken for it: one request at a
//! time, and when one is not answered for a while, none is waited for any more.

use super::keepalive::Unanswered;
use crate::backoff::random;
use crate::event::{Answer, RequestId};
use crate::refusal::Failure;
use crate::request::Request;
use crate::roster::Spoken;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Requests that may be under way at once; so many never fill a socket that nobody reads.
const WINDOW: usize = 64;
/// How long the first request of all is waited for.
const FIRST_ANSWER: Duration = Duration::from_secs(2);
/// How far apart requests are that nobody will answer: each is to be read by itself.
const APART: Duration = Duration::from_millis(200);

/// A request that is not answered.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) request_id: RequestId,
    pub(super) cid: String,
    pub(super) request: Request,
    /// How often it was written to a socket.
    pub(super) attempts: u32,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Waiting,
    UnderWay { since: Instant },
    NotBefore(Instant),
}

impl State {
    fn is_under_way(self) -> bool {
        matches!(self, State::UnderWay { .. })
    }
}

/// Whether the server acknowledges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Acks {
    Unknown,
    Given,
    Never,
}

/// A request that will not be answered, and what that means for it.
#[derive(Debug)]
pub(super) struct Overdue {
    pub(super) entry: Entry,
    pub(super) result: Result<Answer, Failure>,
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
    acks: Acks,
}

impl Outbox {
    /// Room for `most` requests.
    pub(super) fn new(most: usize) -> Self {
        let prefix = format!("{:016x}{:016x}", random(), random());
        Self { entries: VecDeque::new(), under_way: 0, most, prefix, numbered: 0, acks: Acks::Unknown }
    }

    /// A server has let the user in.
    pub(super) fn let_in(&mut self, spoken: Spoken) {
        self.acks = if spoken == Spoken::V2 { Acks::Given } else { Acks::Unknown };
    }

    /// The server has acknowledged something.
    pub(super) fn acknowledged(&mut self) {
        self.acks = Acks::Given;
    }

    /// Whether an answer is waited for.
    pub(super) fn unanswered(&self) -> Unanswered {
        let since = self.entries.iter().find_map(|entry| match entry.state {
            State::UnderWay { since } => Some(since),
            _ => None,
        });
        since.map_or(Unanswered::Nothing, Unanswered::Since)
    }

    fn window(&self) -> usize {
        if self.acks == Acks::Given { WINDOW } else { 1 }
    }

    /// A request that is no longer waited for.
    pub(super) fn overdue(&mut self, now: Instant) -> Option<Overdue> {
        if self.overdue_at().is_none_or(|at| now < at) {
            return None;
        }
        self.acks = Acks::Never;
        let cid = self.entries.iter().find(|entry| entry.state.is_under_way())?.cid.clone();
        let entry = self.take(&cid)?;
        let result = match entry.request {
            Request::ShowFriends => Err(Failure::Unanswered),
            Request::Logout => Ok(Answer::Done),
            _ => Ok(Answer::Sent),
        };
        Some(Overdue { entry, result })
    }

    fn overdue_at(&self) -> Option<Instant> {
        let patience = match self.acks {
            Acks::Given => return None,
            Acks::Unknown => FIRST_ANSWER,
            Acks::Never => APART,
        };
        self.entries.iter().find_map(|entry| match entry.state {
            State::UnderWay { since } => Some(since + patience),
            _ => None,
        })
    }

    /// Takes a request in; false if there is no room.
    pub(super) fn push(&mut self, request_id: RequestId, request: Request) -> bool {
        if self.entries.len() >= self.most {
            return false;
        }
        self.numbered += 1;
        let cid = format!("{}-{}", self.prefix, self.numbered);
        self.entries.push_back(Entry { request_id, cid, request, attempts: 0, state: State::Waiting });
        true
    }

    /// The next request to be written, which is under way from now on. Nothing overtakes: while one
    /// has to wait, those behind it wait too.
    pub(super) fn next(&mut self, now: Instant) -> Option<&Entry> {
        if self.under_way >= self.window() {
            return None;
        }
        let entry = self.entries.iter_mut().find(|entry| !entry.state.is_under_way())?;
        if matches!(entry.state, State::NotBefore(at) if at > now) {
            return None;
        }
        entry.state = State::UnderWay { since: now };
        entry.attempts += 1;
        self.under_way += 1;
        Some(entry)
    }

    /// When a request that has to wait may be written.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let waiting = self.entries.iter().find(|entry| !entry.state.is_under_way());
        let put_off = waiting.and_then(|waiting| match waiting.state {
            // With a full window it is an answer that is waited for, not the clock.
            State::NotBefore(at) if self.under_way < self.window() => Some(at),
            _ => None,
        });
        put_off.into_iter().chain(self.overdue_at()).min()
    }

    /// Whether this is the name of a request of this session, answered or not.
    pub(super) fn has_named(&self, cid: &str) -> bool {
        cid.starts_with(&self.prefix)
    }

    /// The request with this `cid`.
    pub(super) fn find(&self, cid: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.cid == cid)
    }

    /// Takes out the request with this `cid`: it is answered.
    pub(super) fn take(&mut self, cid: &str) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.cid == cid)?;
        let entry = self.entries.remove(at)?;
        self.under_way -= usize::from(entry.state.is_under_way());
        Some(entry)
    }

    /// Asks for a request to be written again, not before `at`.
    pub(super) fn put_off(&mut self, cid: &str, at: Instant) {
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.cid == cid) else { return };
        self.under_way -= usize::from(entry.state.is_under_way());
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
        self.under_way = self.entries.iter().filter(|entry| entry.state.is_under_way()).count();
    }

    /// The longest message that was written and is not answered.
    pub(super) fn longest_written(&self) -> Option<RequestId> {
        let length = |entry: &&Entry| match &entry.request {
            Request::Say { text, .. } => text.len(),
            _ => 0,
        };
        let written = self.entries.iter().filter(|entry| entry.attempts > 0);
        written.max_by_key(length).map(|entry| entry.request_id)
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
        outbox.acknowledged();
        for n in 0..70 {
            assert!(outbox.push(RequestId(n), Request::ShowFriends));
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
        outbox.acknowledged();
        assert!(outbox.push(RequestId(0), Request::ShowFriends));
        assert!(outbox.push(RequestId(1), Request::ShowFriends));
        assert!(!outbox.push(RequestId(2), Request::ShowFriends));
        let cid = outbox.next(now).unwrap().cid.clone();
        let later = now + Duration::from_secs(1);
        outbox.put_off(&cid, later);
        assert!(outbox.next(now).is_none());
        assert_eq!(outbox.wake_at(), Some(later));
        assert_eq!(outbox.next(later).unwrap().request_id, RequestId(0));
        assert_eq!(outbox.next(later).unwrap().request_id, RequestId(1));
    }

    #[test]
    fn a_server_that_acknowledges_nothing_hears_one_request_after_the_other() {
        let (mut outbox, now) = (Outbox::new(9), Instant::now());
        let said = || Request::AddGroup(chatd_chat::model::ids::GroupId::new(1).unwrap());
        for (request_id, request) in
            [said(), said(), Request::ShowFriends, Request::Logout].into_iter().enumerate()
        {
            assert!(outbox.push(RequestId(request_id as u64), request));
        }
        outbox.let_in(Spoken::Seed);
        assert!(outbox.next(now).is_some() && outbox.next(now).is_none());
        assert!(outbox.overdue(now).is_none());
        let mut at = outbox.wake_at().unwrap();
        assert_eq!(at, now + FIRST_ANSWER);
        assert_eq!(outbox.overdue(at).unwrap().result, Ok(Answer::Sent));
        for result in [Ok(Answer::Sent), Err(Failure::Unanswered), Ok(Answer::Done)] {
            assert!(outbox.next(at).is_some() && outbox.next(at).is_none());
            at += APART;
            assert_eq!(outbox.wake_at(), Some(at));
            assert_eq!(outbox.overdue(at).unwrap().result, result);
        }
        assert_eq!(outbox.wake_at(), None);
    }

    #[test]
    fn the_first_acknowledgement_opens_the_window() {
        let (mut outbox, now) = (Outbox::new(9), Instant::now());
        for request_id in 0..3 {
            assert!(outbox.push(RequestId(request_id), Request::ShowFriends));
        }
        outbox.let_in(Spoken::Seed);
        let cid = outbox.next(now).unwrap().cid.clone();
        outbox.acknowledged();
        outbox.take(&cid);
        assert!(outbox.next(now).is_some() && outbox.next(now).is_some());
        assert!(outbox.overdue(now + FIRST_ANSWER).is_none());
    }
}
