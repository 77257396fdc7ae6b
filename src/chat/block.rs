//! Blocked users: their direct messages are refused by the store, and dropped where they would
//! reach their reader all the same.

use super::ask::Ask;
use super::effect::Effect;
use super::envelope::{Envelope, Kind};
use super::hub::{About, Hub};
use super::ids::UserId;
use super::pending::Change;
use super::session::Online;
use super::wire::code::Code;
use rustc_hash::FxHashSet;

impl Online {
    /// Whether a message is not for this reader.
    pub(super) fn refuses(&self, envelope: &Envelope) -> bool {
        refuses(&self.blocked, envelope)
    }
}

/// Whether a message is from one of those whose direct messages are refused.
pub(super) fn refuses(blocked: &FxHashSet<UserId>, envelope: &Envelope) -> bool {
    !blocked.is_empty() && envelope.kind() == Kind::Direct && blocked.contains(&envelope.sender())
}

impl Hub {
    pub(super) fn block(&mut self, about: About<'_>, user: UserId, blocked: UserId, out: &mut Vec<Effect>) {
        if user == blocked {
            return self.refuse_with(about, Code::InvalidField, "userid is you", out);
        }
        self.roll(about, user, Ask::Block { user, blocked }, Change::Block { user: blocked }, out);
    }

    pub(super) fn unblock(&mut self, about: About<'_>, user: UserId, blocked: UserId, out: &mut Vec<Effect>) {
        self.roll(about, user, Ask::Unblock { user, blocked }, Change::Unblock { user: blocked }, out);
    }
}
