//! What is out: tickets, and what is to be done when their consequence comes back.

use super::account::Revoking;
use super::ask::{Conversation, Secret, Span};
use super::envelope::{Demand, Envelope, Notice};
use super::ids::{GroupId, MessageId, SessionId, Ticket, UserId};
use super::orphan::Orphan;
use super::people::{Listed, People};
use super::session::Visit;

/// What an answer is for. Sessions named here may be gone when it comes.
#[derive(Debug)]
pub(super) enum Pending {
    /// Register → REG_MSG_ACK.
    Register { session: SessionId },
    /// Verify → claim the user, or refuse.
    Verify { session: SessionId, demand: Demand },
    /// Resume → likewise.
    Resume { session: SessionId, secret: Secret },
    /// Join of the user's channel → publish the claim.
    JoinUser { session: SessionId, visit: Visit },
    /// Publish of the claim → how many must answer.
    Claim { session: SessionId, visit: Visit },
    /// Roster → join the groups, look who is online.
    Roster { session: SessionId, visit: Visit },
    /// Join of a group's channel → its members wait for this.
    JoinGroup { group: GroupId, seat: u64 },
    /// Look for a login answer.
    LoginLook { session: SessionId, visit: Visit, users: Vec<UserId>, begun: u64 },
    /// Look for watched users whose state is in doubt.
    Doubtful { users: Vec<UserId>, begun: u64 },
    /// Publish of word where group messages are stored → the last one is repeated if the bus was down.
    StoredNotice { group: GroupId, last: (super::ids::MessageId, u64) },
    /// Publish of who came and went → repeated while the bus is down.
    News { news: Box<[Notice]> },
    /// A page of the backlog.
    Take { session: SessionId, visit: Visit },
    /// Revoke for a logout → logged out.
    LogOut { session: SessionId, user: UserId, revoking: Revoking },
    /// A request that changes friends, groups or the account → ACK, if it has a cid, or ERROR.
    Roll(Box<Roll>),
    /// Friends, members, or whoever was looked for → look who is online.
    People(Box<People>),
    /// Look for such a list.
    Listed(Box<Listed>),
    /// A page of what was said → HISTORY_ACK.
    History { session: SessionId, asked: (Conversation, Span), cid: Option<Box<str>> },
    /// Why a group is not to be written to → ERROR.
    MayWrite { session: SessionId, group: GroupId, cid: Option<Box<str>> },
    /// Record → the senders have that many unsettled less.
    Record { records: Vec<(SessionId, Envelope)> },
    /// Publish of a reader's word → if nobody heard it, what it is about is settled.
    Word { reader: UserId, mids: Box<[MessageId]> },
    /// Publish of a direct message → if nobody heard it, it is kept.
    Direct { session: SessionId, envelope: Envelope },
    /// Keep for the sender's sake → ACK, or ERROR.
    Keep { session: SessionId, envelope: Envelope },
    /// Keep for the recipient's sake: nobody heard it. Part of a detour.
    KeepLate { session: SessionId, envelope: Envelope },
    /// Publish of the notice that a detour's batch is stored → is anybody there now?
    LateNotice { user: UserId },
    /// Publish of word that something waits → repeated while the bus is down.
    Nudge { user: UserId },
    /// A dedup window that waits for the user's next session.
    Remember,
    /// Something for a backlog that no client waits for. Repeated while the store is busy.
    Orphan { session: Option<SessionId>, orphan: Orphan },
    /// How far an online member has come → that need not be written again.
    Progress { session: SessionId, visit: Visit, upto: Vec<(GroupId, u64)> },
}

/// A request that changes what the store knows of a user.
#[derive(Debug)]
pub(super) struct Roll {
    pub(super) session: SessionId,
    /// Who asked: the session may be gone when the answer comes.
    pub(super) user: UserId,
    pub(super) re: u32,
    pub(super) cid: Option<Box<str>>,
    pub(super) change: Change,
}

/// What a roll request changes in the session when the store says yes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// A group more; which one, if it is there already.
    Join { group: Option<GroupId> },
    /// A group less.
    Leave { group: GroupId },
    /// One more whose messages are refused.
    Block { user: UserId },
    /// One less.
    Unblock { user: UserId },
    /// A friend more.
    Befriend { friend: UserId },
    /// A friend less.
    Unfriend { friend: UserId },
    /// Another token.
    Token,
    /// Messages that count as confirmed besides those that the session knows: under other ids.
    Confirm,
}

/// Tickets that are out.
///
/// Invariant: a ticket is found at most once; a stale or foreign one never.
#[derive(Debug, Default)]
pub(super) struct PendingTable {
    slots: Vec<(u32, Option<Pending>)>,
    free: Vec<u32>,
}

impl PendingTable {
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, pending: Pending) -> Ticket {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).expect("tickets are bounded by limits")
        });
        let (generation, slot) = &mut self.slots[index as usize];
        debug_assert!(slot.is_none(), "a free slot holds nothing");
        *slot = Some(pending);
        Ticket { index, generation: *generation }
    }

    pub(super) fn take(&mut self, ticket: Ticket) -> Option<Pending> {
        let (generation, slot) = self.slots.get_mut(ticket.index as usize)?;
        if *generation != ticket.generation {
            return None;
        }
        let pending = slot.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(ticket.index);
        Some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_its_slot_is_used_again() {
        let user = UserId::new(1).unwrap();
        let mut table = PendingTable::default();
        let first = table.insert(Pending::Nudge { user });
        assert_eq!(table.len(), 1);
        assert!(table.take(first).is_some());
        assert!(table.take(first).is_none());
        let second = table.insert(Pending::Nudge { user });
        assert_eq!(first.index, second.index);
        assert!(table.take(first).is_none());
        assert!(table.take(second).is_some());
        assert_eq!(table.len(), 0);
    }
}
