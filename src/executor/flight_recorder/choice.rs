//! What of a core's entries belongs to a session, a user or a message: with what came of it, as far as requests tell.
//!
//! An event and the effects that follow it belong together. What an effect requests comes back as an event, which belongs to
//! it by the number of the request.

use super::entry::{Entry, SessionName};
use super::{FEW, SessionName as Name};
use chatd_chat::model::ids::{ConnectionId, UserId};
use std::collections::HashSet;

/// What somebody wants to see.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// The last of each core.
    Last,
    /// All of one core.
    Core(usize),
    /// What concerns a connection.
    Session(SessionName),
    /// What concerns a user: its channel, and connections that have said to be it.
    User(UserId),
    /// What concerns a message.
    Message(u64),
}

impl Choice {
    /// The entries of a core that are chosen, in their order.
    pub(super) fn of(&self, core: usize, entries: &[Entry]) -> Vec<Entry> {
        match *self {
            Choice::Last => entries[entries.len().saturating_sub(FEW)..].to_vec(),
            Choice::Core(wanted) if wanted == core => entries.to_vec(),
            Choice::Session(Name { core: wanted, id }) if wanted == core => {
                linked(entries, |entry| entry.has_connection(id))
            }
            Choice::Core(_) | Choice::Session(_) => Vec::new(),
            Choice::User(user) => {
                let asked = entries.iter().filter(|entry| entry.has_user(user));
                let its: HashSet<ConnectionId> = asked.filter_map(Entry::connection).collect();
                let is_its = |entry: &Entry| entry.connection().is_some_and(|id| its.contains(&id));
                linked(entries, |entry| entry.has_user(user) || is_its(entry))
            }
            Choice::Message(mid) => linked(entries, |entry| entry.has_message(mid)),
        }
    }
}

/// The entries that `is` tells, the events that they came of, and what came of those.
fn linked(entries: &[Entry], is: impl Fn(&Entry) -> bool) -> Vec<Entry> {
    let mut requests: HashSet<u64> = HashSet::new();
    let mut chosen = Vec::new();
    for turn in entries.chunk_by(|_, next| !next.kind.is_event()) {
        let is_answer = |entry: &Entry| entry.key().is_some_and(|key| requests.contains(&key));
        // Of what many readers are pushed, only that of whom it is about.
        let whole = turn[0].kind.is_event() && (is(&turn[0]) || is_answer(&turn[0]));
        let some: Vec<Entry> = turn.iter().filter(|entry| whole || is(entry)).copied().collect();
        if some.is_empty() {
            continue;
        }
        requests.extend(some.iter().filter(|entry| !entry.kind.is_event()).filter_map(Entry::key));
        if !whole && turn[0].kind.is_event() {
            chosen.push(turn[0]);
        }
        chosen.extend(some);
    }
    chosen
}
