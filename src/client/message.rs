//! What people say to each other.

use crate::chat::ids::{GroupId, UserId};

/// Where something is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Conversation {
    /// Between this user and another.
    With(UserId),
    /// In a group.
    In(GroupId),
}

/// A message from somebody else.
///
/// In the seed dialect it has no number: after a reconnection one may come twice.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Message {
    /// Where it was said, as seen by the one who got it: an answer goes there.
    pub conversation: Conversation,
    /// Who said it.
    pub from: UserId,
    /// The sender's name, by the server's own record; not safe to show as it is.
    pub name: String,
    /// What was said; not safe to show as it is.
    pub text: String,
    /// When, as the sender wrote it; not safe to show as it is.
    pub time: String,
}

impl Message {
    /// A message of `from`, whose name is `name`.
    pub fn new(conversation: Conversation, from: UserId, name: &str, text: &str, time: &str) -> Self {
        Self { conversation, from, name: name.to_owned(), text: text.to_owned(), time: time.to_owned() }
    }
}
