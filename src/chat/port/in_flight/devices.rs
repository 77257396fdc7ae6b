//! What the devices room waits for.

use crate::model::change::Wanted;
use crate::model::envelope::Envelope;
use crate::model::history::{Conversation, SyncFrom};
use crate::model::ids::{ConnectionId, MessageId, UserId};

/// What the devices room waits for.
#[derive(Debug)]
pub(crate) enum DevicesFlow {
    /// The user's devices → DEVICES_ACK.
    List { connection: ConnectionId, cid: Option<Box<str>> },
    /// A page of conversations → SYNC_ACK. One that nobody asked for is told because something may have been missed.
    Heads { connection: ConnectionId, user: UserId, cid: Option<Box<str>>, asked: bool },
    /// What a device lacks → SYNC_ACK, and the rest of what it asked for.
    Sync(Box<SyncQuery>),
    /// A read marker → READ to whom it concerns, and ACK.
    Marker(Box<MarkerMove>),
    /// Where pushed messages are stored → STORED. The others are asked for again.
    Places { pushes: Vec<UnplacedPush> },
}

/// A SYNC that is being answered.
#[derive(Debug)]
pub(crate) struct SyncQuery {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserId,
    pub(crate) cid: Option<Box<str>>,
    /// What is still to be answered.
    pub(crate) since: Vec<SyncFrom>,
    pub(crate) wanted: Wanted,
    pub(crate) messages: usize,
}

/// A read marker that is being moved.
#[derive(Debug)]
pub(crate) struct MarkerMove {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserId,
    pub(crate) cid: Option<Box<str>>,
    pub(crate) conversation: Conversation,
    /// Whether the other user is told.
    pub(crate) peer: Option<UserId>,
}

/// A message that a session was pushed and does not know the place of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnplacedPush {
    pub(crate) connection: ConnectionId,
    /// Whose session it was: somebody else may be logged in there when the place is found.
    pub(crate) user: UserId,
    /// As the session's user sees it.
    pub(crate) conversation: Conversation,
    pub(crate) mid: MessageId,
    /// How often the store did not have it yet.
    pub(crate) tries: u8,
}

impl UnplacedPush {
    /// A message that `user` is pushed on a connection.
    pub(crate) fn new(connection: ConnectionId, envelope: &Envelope, user: UserId) -> Self {
        let conversation = Conversation::of(envelope, user);
        Self { connection, user, conversation, mid: envelope.mid(), tries: 0 }
    }
}
