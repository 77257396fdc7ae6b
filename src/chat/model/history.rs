//! Conversations, and pages of what was said in them.

use super::envelope::Envelope;
use super::ids::{GroupId, UserId};

/// What was said between whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conversation {
    /// Between the user who asks and this one.
    With(UserId),
    /// In this group.
    Group(GroupId),
}

/// Where a page of a conversation's history lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// The last messages there are.
    Newest,
    /// The last ones before this place.
    Before(u64),
    /// The first ones after this place.
    After(u64),
}

/// A message and its place in its conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The message.
    pub envelope: Envelope,
    /// From 1, without gaps.
    pub pos: u64,
}
