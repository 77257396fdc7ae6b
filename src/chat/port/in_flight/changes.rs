//! What the changes room waits for.

use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, UserId};

/// A message that is being changed → CHANGED to whom it concerns, and ACK, or ERROR.
#[derive(Debug)]
pub(crate) struct ChangesFlow {
    pub(crate) connection: ConnectionId,
    pub(crate) user: UserId,
    pub(crate) re: u32,
    pub(crate) cid: Option<Box<str>>,
    pub(crate) conversation: Conversation,
}
