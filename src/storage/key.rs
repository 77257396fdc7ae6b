//! How conversations are named in tables.

use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::UserId;

/// A conversation as tables name it: its two users, the smaller id first; or 0 and a group.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    pub low: u32,
    pub high: u32,
}

impl Key {
    /// The conversation that `user` sees so.
    pub fn of(user: UserId, conversation: Conversation) -> Self {
        match conversation {
            Conversation::With(peer) => Self { low: user.min(peer).get(), high: user.max(peer).get() },
            Conversation::Group(group) => Self { low: 0, high: group.get() },
        }
    }
}
