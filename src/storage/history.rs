//! What is the same in the history of every store: how much of it fits, and what is missing.

use super::expiry;
use chatd_chat::model::history::{Placed, Span};
use chatd_chat::model::ids::{CoreId, MessageClock, MessageId, Millis};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Days for which it is remembered that a message came again under another id.
const ALIAS_DAYS: u64 = 30;
/// How far the clocks of a cluster may be apart before a history says that it is complete too early.
const CLOCKS_APART: Duration = Duration::from_secs(60);
/// Not all direct messages are stored: none of them is old or new enough.
pub const NEVER: u64 = i64::MAX as u64;

/// Where in a conversation a page is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Window {
    /// The places below this one, from the greatest down.
    Down(u64),
    /// The places above this one, from the least up.
    Up(u64),
}

impl Window {
    /// The window of a span.
    pub fn of(span: Span) -> Self {
        match span {
            Span::Newest => Window::Down(i64::MAX as u64),
            Span::Before(pos) => Window::Down(pos.min(i64::MAX as u64)),
            Span::After(pos) => Window::Up(pos.min(i64::MAX as u64)),
        }
    }

    /// Whether a place is in it.
    pub fn has(self, pos: u64) -> bool {
        match self {
            Window::Down(end) => pos < end,
            Window::Up(start) => pos > start,
        }
    }

    /// The place at which it begins.
    pub fn end(self) -> u64 {
        match self {
            Window::Down(pos) | Window::Up(pos) => pos,
        }
    }

    /// What of it is beyond this place.
    pub fn beyond(self, pos: u64) -> Self {
        match self {
            Window::Down(_) => Window::Down(pos),
            Window::Up(_) => Window::Up(pos),
        }
    }

    /// The first `most` of the places found in two ranges of a conversation, in this window's order.
    pub fn first(self, mut places: Vec<(u64, MessageId)>, most: usize) -> Vec<(u64, MessageId)> {
        match self {
            Window::Down(_) => places.sort_unstable_by(|one, other| other.cmp(one)),
            Window::Up(_) => places.sort_unstable(),
        }
        places.truncate(most);
        places
    }
}

/// Whether nothing is missing between the ends of a page of direct messages, all of which are stored
/// from `complete_from` on. `start` is the message that the page was to follow.
pub fn is_complete(messages: &[Placed], start: Option<MessageId>, complete_from: u64) -> bool {
    let first = start.or_else(|| messages.first().map(|first| first.envelope.mid()));
    // A late message has a late place and a small id.
    let mids = messages.iter().map(|message| message.envelope.mid()).chain(first);
    mids.map(|mid| mid.0).min().unwrap_or(0) >= complete_from
}

/// The least id of a message that is accepted from now on, and a little later, in this cluster, where the
/// greatest that is stored is `stored`.
pub fn from_now_on(stored: MessageId) -> MessageId {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + CLOCKS_APART;
    let now = MessageClock::new(CoreId(0)).next(Millis(u64::try_from(now.as_millis()).unwrap_or(0)));
    // The clock may be behind the one that gave those ids.
    now.max(stored.later(CLOCKS_APART.as_millis() as u64))
}

/// Aliases of messages before this one need not be remembered any more when `mid` came again. An id of a
/// clock that is far ahead makes nobody forget what is new.
pub fn forgotten_before(mid: MessageId) -> MessageId {
    mid.min(expiry::judged_mid()).earlier(ALIAS_DAYS * 86_400_000)
}
