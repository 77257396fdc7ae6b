//! What was said lately and where it stands, so that people need not name places: the last message is one, and so is
//! the user's own last one.

use crate::visible::short;
use chatd_chat::model::ids::MessageId;
use chatd_client::{Conversation, Message, Row};
use std::collections::{BTreeMap, VecDeque};

/// Messages of a conversation that are remembered.
const REMEMBERED: usize = 200;
/// So much of a message says which one it is, in characters.
const QUOTE: usize = 40;

/// What is remembered of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Known {
    own: bool,
    /// Its first words; safe to show.
    words: String,
}

#[derive(Debug, Default)]
struct Of {
    placed: BTreeMap<u64, Known>,
    /// Those whose place is not told yet, the oldest first.
    unplaced: VecDeque<(MessageId, Known)>,
}

/// See the module. Invariant: at most [`REMEMBERED`] of each kind in a conversation.
#[derive(Debug, Default)]
pub(super) struct Recent {
    conversations: BTreeMap<Conversation, Of>,
}

impl Recent {
    /// Somebody said something, or it came out of the history.
    pub(super) fn note(&mut self, message: &Message, own: bool) {
        let known = Known { own, words: short(&message.text, QUOTE) };
        match (message.mark.pos, message.mark.mid) {
            (Some(pos), _) => self.place(message.conversation, pos, known),
            (None, Some(mid)) => {
                let of = self.conversations.entry(message.conversation).or_default();
                of.unplaced.push_back((mid, known));
                if of.unplaced.len() > REMEMBERED {
                    of.unplaced.pop_front();
                }
            }
            (None, None) => {}
        }
    }

    /// The user said something, and this is where it stands.
    pub(super) fn said(&mut self, to: Conversation, pos: Option<u64>, text: &str) {
        if let Some(pos) = pos {
            self.place(to, pos, Known { own: true, words: short(text, QUOTE) });
        }
    }

    /// A row of the history.
    pub(super) fn row(&mut self, row: &Row, is_own: impl Fn(&Message) -> bool) {
        match row {
            Row::Said(message) => self.note(message, is_own(message)),
            Row::Recalled(recalled) => self.forget(recalled.conversation, recalled.pos),
            _ => {}
        }
    }

    /// A message is stored at this place: its first words, if it is remembered.
    pub(super) fn stored(&mut self, at: Conversation, mid: MessageId, pos: u64) -> Option<String> {
        let of = self.conversations.get_mut(&at)?;
        let index = of.unplaced.iter().position(|(other, _)| *other == mid)?;
        let (_, known) = of.unplaced.remove(index)?;
        let words = known.words.clone();
        self.place(at, pos, known);
        Some(words)
    }

    /// A message has another text.
    pub(super) fn edited(&mut self, at: Conversation, pos: u64, text: &str) {
        if let Some(known) = self.conversations.get_mut(&at).and_then(|of| of.placed.get_mut(&pos)) {
            known.words = short(text, QUOTE);
        }
    }

    /// A message is not there any more.
    pub(super) fn forget(&mut self, at: Conversation, pos: u64) {
        if let Some(of) = self.conversations.get_mut(&at) {
            of.placed.remove(&pos);
        }
    }

    /// Where the last message stands that the user has said, or that somebody else has.
    pub(super) fn last(&self, at: Conversation, own: bool) -> Option<u64> {
        let of = self.conversations.get(&at)?;
        of.placed.iter().rev().find(|(_, known)| known.own == own).map(|(pos, _)| *pos)
    }

    /// The first words of what stands there, safe to show.
    pub(super) fn words(&self, at: Conversation, pos: u64) -> Option<&str> {
        Some(self.conversations.get(&at)?.placed.get(&pos)?.words.as_str())
    }

    fn place(&mut self, at: Conversation, pos: u64, known: Known) {
        let of = self.conversations.entry(at).or_default();
        of.placed.insert(pos, known);
        if of.placed.len() > REMEMBERED {
            of.placed.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::UserId;

    const MID: MessageId = MessageId(9);

    fn message(pos: Option<u64>, text: &str) -> Message {
        let ben = UserId::new(2).unwrap();
        let mut message = Message::new(Conversation::With(ben), ben, "ben", text, "t");
        (message.mark.mid, message.mark.pos) = (Some(MID), pos);
        message
    }

    #[test]
    fn the_last_ones_are_known_as_soon_as_their_places_are() {
        let (mut recent, said) = (Recent::default(), message(None, "hello\x1b you"));
        let here = said.conversation;
        recent.note(&said, false);
        assert_eq!((recent.last(here, false), recent.stored(here, MessageId(8), 3)), (None, None));
        assert_eq!(recent.stored(here, MID, 4).as_deref(), Some("hello\\x1b you"));
        assert_eq!((recent.last(here, false), recent.last(here, true)), (Some(4), None));
        recent.said(here, Some(5), "and you");
        recent.note(&message(Some(2), "older"), false);
        assert_eq!((recent.last(here, false), recent.last(here, true)), (Some(4), Some(5)));
        recent.edited(here, 5, "and yours");
        assert_eq!(recent.words(here, 5), Some("and yours"));
        recent.forget(here, 4);
        assert_eq!(recent.last(here, false), Some(2));
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let mut recent = Recent::default();
        for pos in 1..=1_000 {
            recent.note(&message(Some(pos), "m"), false);
            recent.note(&message(None, "m"), false);
        }
        let of = recent.conversations.values().next().unwrap();
        assert_eq!((of.placed.len(), of.unplaced.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(of.placed.first_key_value().unwrap().0, &801);
    }
}
