//! What stands at a place of a conversation.

use super::change::Recalled;
use super::group::GroupEvent;
use super::message::{Conversation, Message};
use chatd_chat::model::ids::MessageId;

/// A row of a conversation. Whoever did not ask for [`Cap::Changed`](super::Cap::Changed) or
/// [`Cap::Group`](super::Cap::Group) is given messages only, and may see gaps where the others stand.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Row {
    /// Somebody said something.
    Said(Message),
    /// Somebody said something, and it was recalled.
    Recalled(Recalled),
    /// Something happened to the group.
    Happened(GroupEvent),
}

impl Row {
    /// Its place in its conversation.
    pub fn pos(&self) -> Option<u64> {
        match self {
            Row::Said(message) => message.mark.pos,
            Row::Recalled(recalled) => Some(recalled.pos),
            Row::Happened(event) => event.mark.pos,
        }
    }

    /// What the server calls it.
    pub fn mid(&self) -> Option<MessageId> {
        match self {
            Row::Said(message) => message.mark.mid,
            Row::Recalled(recalled) => Some(recalled.mid),
            Row::Happened(event) => event.mark.mid,
        }
    }

    /// The conversation that it is in.
    pub fn conversation(&self) -> Conversation {
        match self {
            Row::Said(message) => message.conversation,
            Row::Recalled(recalled) => recalled.conversation,
            Row::Happened(event) => Conversation::In(event.group),
        }
    }

    /// What was said, if it is still there.
    pub fn message(&self) -> Option<&Message> {
        match self {
            Row::Said(message) => Some(message),
            Row::Recalled(_) | Row::Happened(_) => None,
        }
    }

    /// What is left of it, if it was recalled.
    pub fn recalled(&self) -> Option<&Recalled> {
        match self {
            Row::Recalled(recalled) => Some(recalled),
            Row::Said(_) | Row::Happened(_) => None,
        }
    }

    /// The same row, where a page of this conversation has it: an event is of its group in any case.
    pub(crate) fn of(mut self, conversation: Conversation) -> Self {
        match &mut self {
            Row::Said(message) => message.conversation = conversation,
            Row::Recalled(recalled) => recalled.conversation = conversation,
            Row::Happened(_) => {}
        }
        self
    }
}

/// The messages among these rows.
pub fn messages(rows: &[Row]) -> impl Iterator<Item = &Message> {
    rows.iter().filter_map(Row::message)
}
