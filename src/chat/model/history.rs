//! Conversations, and pages of what was said in them.

use super::change::{Changed, RowState};
use super::envelope::{Envelope, Target};
use super::ids::{GroupId, MessageId, Millis, UserId};

/// What was said between whom.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Conversation {
    /// Between the user who asks and this one.
    With(UserId),
    /// In this group.
    Group(GroupId),
}

impl Conversation {
    /// The conversation that a message is in, as one of its people sees it.
    pub(crate) fn of(envelope: &Envelope, user: UserId) -> Self {
        match envelope.target() {
            Target::Group(group) => Conversation::Group(group),
            Target::User(to) if envelope.sender() == user => Conversation::With(to),
            Target::User(_) => Conversation::With(envelope.sender()),
        }
    }
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
    /// What became of it since.
    pub state: RowState,
}

impl Placed {
    /// A message that nothing became of.
    pub fn as_said(envelope: Envelope, pos: u64) -> Self {
        Self { envelope, pos, state: RowState::AsSaid }
    }

    /// Bytes that it takes up in a page.
    pub fn bytes(&self) -> usize {
        self.envelope.body().len() + self.state.bytes()
    }
}

/// A message that a search has found, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hit {
    /// As whoever searches sees it.
    pub conversation: Conversation,
    /// The message.
    pub placed: Placed,
}

/// One page of what a search has found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SearchPage {
    /// Newest first, by id.
    pub hits: Vec<Hit>,
    /// Where the search goes on, if that was not all: everything with this id or a greater one was looked through.
    pub before: Option<MessageId>,
    /// Not everything that is stored can be searched yet: what was accepted by this time can.
    pub searched_to: Option<Millis>,
}

/// A conversation as one of its people sees it: where it stands, and how far they have read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The conversation, as that one names it.
    pub conversation: Conversation,
    /// The name of the other user, or of the group.
    pub name: String,
    /// Place of its last message.
    pub head: u64,
    /// The user's read marker: 0 if it was never moved.
    pub read: u64,
    /// The other user's read marker, in a direct conversation with somebody who tells it.
    pub peer_read: Option<u64>,
    /// Messages of others beyond the read marker that the user may see.
    pub unread: u64,
    /// Id of its last message.
    pub mid: MessageId,
    /// When that was accepted.
    pub ts: Millis,
    /// How many changes the conversation has.
    pub chg: u64,
}

/// One page of a user's conversations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct HeadsPage {
    /// Newest first, by the id of their last message.
    pub heads: Vec<Head>,
    /// Whether these were the last ones.
    pub complete: bool,
}

/// How far a device has come in a conversation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SyncFrom {
    /// The conversation, as that one names it.
    pub conversation: Conversation,
    /// It has every message up to this place.
    pub after: u64,
    /// It has every change up to this one; `None` if it wants to know of none.
    pub chg: Option<u64>,
}

/// What a device lacks of one conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SyncedConversation {
    /// The conversation, as that one names it.
    pub conversation: Conversation,
    /// By place, lowest first, without a gap from where the device stood.
    pub messages: Vec<Placed>,
    /// Changes in their order, without a gap from where the device stood.
    pub changes: Vec<Changed>,
    /// Place of its last message.
    pub head: u64,
    /// How many changes it has. `messages` show these at least.
    pub chg: u64,
    /// The other user's read marker, as in [`Head`].
    pub peer_read: Option<u64>,
    /// Whether the last of `messages` is the last one there is, and of `changes` too.
    pub complete: bool,
}

/// What a device lacks of several conversations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SyncPage {
    /// In the order asked. Conversations that the user has no part in are left out.
    pub conversations: Vec<SyncedConversation>,
    /// How many of those that were asked for are dealt with, from the first on; the rest is to be asked for again.
    pub dealt_with: usize,
}
