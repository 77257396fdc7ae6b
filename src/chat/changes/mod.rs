//! Changes: messages that were said are edited, recalled and reacted to.
//!
//! Owns the changes that sessions are told when their backlog is through ([`held`]): a change comes after its message.
//!
//! Handles `Alter` (EDIT, RECALL, REACT) and notices of other cores. Emits `Alter`, CHANGED, ACKs, notices to other cores.
//! Gives back nothing.
//!
//! Never knows what a message says, and nothing of who may do what: the store does.

mod alter;
mod held;
mod tell;

use crate::connection::PerConnection;
pub(crate) use alter::AlterQuery;
use held::Held;

/// What a core knows of changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// What sessions are told later.
    held: PerConnection<Held>,
}
