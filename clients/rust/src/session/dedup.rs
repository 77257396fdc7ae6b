//! Which messages were told, so that none is told twice.
//!
//! A server delivers at least once: what was not confirmed comes again, and a retry that was pushed
//! before the store knew it for one comes under another `mid`. (sender, cid) tells them.

use crate::row::Row;
use chatd_chat::model::ids::{MessageId, UserId};
use std::collections::{HashSet, VecDeque};

/// Messages that are remembered. A server has at most a thousand unconfirmed ones of a session to
/// say again.
const REMEMBERED: usize = 4_096;
/// The same for a device that catches up by place: what it was told so may wait in the backlog, too.
const REMEMBERED_BESIDE_OTHERS: usize = 32_768;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Key {
    /// Who said it, and what the sender calls it.
    Said(UserId, String),
    /// What the server calls it.
    Happened(MessageId),
}

/// Invariant: `keys` and `order` hold the same, at most `most` of them, or `REMEMBERED`.
#[derive(Debug, Default)]
pub(super) struct Dedup {
    /// Whose messages these are.
    reader: Option<UserId>,
    keys: HashSet<Key>,
    order: VecDeque<Key>,
    /// How many are remembered, where that is more.
    most: usize,
}

impl Dedup {
    /// From now on this user's messages are looked at. A user who returns has not forgotten.
    pub(super) fn is_read_by(&mut self, reader: UserId) {
        if self.reader != Some(reader) {
            *self = Self { reader: Some(reader), ..Self::default() };
        }
    }

    /// Whether the reader's device lives beside others.
    pub(super) fn remember(&mut self, beside_others: bool) {
        self.most = if beside_others { REMEMBERED_BESIDE_OTHERS } else { REMEMBERED };
    }

    /// Whether this is told for the first time. One without a `cid` always is, and so is what is left of a message that
    /// was recalled: it is told in the place of the message.
    pub(super) fn is_new(&mut self, row: &Row) -> bool {
        let Some(key) = key(row) else { return true };
        if !self.keys.insert(key.clone()) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > self.most.max(REMEMBERED)
            && let Some(oldest) = self.order.pop_front()
        {
            self.keys.remove(&oldest);
        }
        true
    }
}

/// What tells a row from all others.
fn key(row: &Row) -> Option<Key> {
    match row {
        Row::Said(message) => Some(Key::Said(message.from, message.mark.cid.clone()?)),
        Row::Recalled(_) => None,
        Row::Happened(event) => event.mark.mid.map(Key::Happened),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Conversation, Message};

    fn message(from: u64, cid: &str) -> Row {
        let from = UserId::new(from).unwrap();
        let mut message = Message::new(Conversation::With(from), from, "n", "m", "t");
        message.mark.cid = Some(cid.to_owned()).filter(|cid| !cid.is_empty());
        Row::Said(message)
    }

    #[test]
    fn a_message_is_new_once_for_each_sender_and_reader() {
        let mut dedup = Dedup::default();
        dedup.is_read_by(UserId::new(9).unwrap());
        assert!(dedup.is_new(&message(1, "a")) && dedup.is_new(&message(2, "a")));
        assert!(!dedup.is_new(&message(1, "a")));
        assert!(dedup.is_new(&message(1, "")) && dedup.is_new(&message(1, "")));
        dedup.is_read_by(UserId::new(9).unwrap());
        assert!(!dedup.is_new(&message(2, "a")));
        dedup.is_read_by(UserId::new(8).unwrap());
        assert!(dedup.is_new(&message(2, "a")));
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut dedup = Dedup::default();
        for n in 0..REMEMBERED + 1 {
            assert!(dedup.is_new(&message(1, &n.to_string())));
        }
        assert_eq!((dedup.keys.len(), dedup.order.len()), (REMEMBERED, REMEMBERED));
        assert!(!dedup.is_new(&message(1, "1")));
        assert!(dedup.is_new(&message(1, "0")));
    }
}
