//! What the group room waits for.

use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, GroupId, SessionEpoch, UserId};

/// What the group room waits for.
#[derive(Debug)]
pub(crate) enum GroupFlow {
    /// StoreMessage → ACK, or ERROR; pushed then, if it was not.
    Store { connection: ConnectionId, envelope: Envelope, pushed: Pushed },
    /// Why a group is not to be written to → ERROR.
    CheckMembership { connection: ConnectionId, group: GroupId, cid: Option<Box<str>> },
    /// How a group is run → whom it concerns is told, and ACK, or ERROR.
    Rule(Box<RuleRequest>),
    /// Who asks to join → ACK, if it has a cid, or ERROR.
    JoinRequests { connection: ConnectionId, group: GroupId, cid: Option<Box<str>> },
    /// How far an online member has come → that need not be written again.
    Cursors { connection: ConnectionId, epoch: SessionEpoch, upto: Vec<(GroupId, u64)> },
}

/// Whether a message that is being stored was pushed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pushed {
    /// To whoever is there.
    Already,
    /// It will be, once it is stored: whether it may be said, only the store knows.
    OnceStored,
}

/// A request to run a group otherwise.
#[derive(Debug)]
pub(crate) struct RuleRequest {
    pub(crate) connection: ConnectionId,
    /// Who asked: the session may be gone when the reply comes.
    pub(crate) user: UserId,
    pub(crate) group: GroupId,
    pub(crate) re: u32,
    pub(crate) cid: Option<Box<str>>,
    /// Whether its ACK waits until all cores know.
    pub(crate) waits: bool,
    /// Who is told of it at all of its sessions, members or not.
    pub(crate) whom: Option<UserId>,
}
