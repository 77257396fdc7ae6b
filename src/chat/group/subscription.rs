//! Group subscription: a group as one core sees it: which of its connections are members, and up to where all of
//! them have everything.
//!
//! Nobody is told of every message and member. A core remembers which messages it pushed; the
//! notices that they are stored bring their places; and as far as these are gap-free, every
//! member of this core has come. A member's own place is where that and its backlog leave it.

use super::cursors::GroupCursor;
use crate::model::ids::{ConnectionId, MessageId};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// One group on one core.
///
/// Invariant: every message with a pos up to `contiguous_upto` was pushed to every member that was here
/// at that time, or is recorded as missing by it.
#[derive(Debug, Default)]
pub(super) struct GroupSubscription {
    /// Tells this subscription apart from earlier ones of the same group.
    pub(super) number: u64,
    /// Sessions of members, logging in or logged in.
    pub(super) members: Vec<ConnectionId>,
    /// Whether the channel is joined.
    pub(super) joined: bool,
    /// The moment in which it was.
    pub(super) joined_at: u64,
    /// Sessions that wait for that.
    pub(super) waiting: Vec<ConnectionId>,
    /// Whether it is on the list of those that are looked at for word that is overdue.
    pub(super) is_listed: bool,
    /// What the last look saw, and what a recheck has dealt with.
    seen: Seen,
    /// Place up to which nothing is missing here.
    pub(super) contiguous_upto: u64,
    /// The greatest place up to which a member had everything from its backlog, of all that ever came.
    pub(super) furthest_from: u64,
    /// Pushes so far.
    pub(super) pushes: u64,
    /// Pushed messages whose place is not known to be within `contiguous_upto`, with their push number.
    pushed: FxHashMap<MessageId, u64>,
    /// Stored messages beyond `contiguous_upto`.
    stored: BTreeMap<u64, MessageId>,
}

/// A subscription as it was at the last look for what is overdue.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    pushes: u64,
    contiguous_upto: u64,
    gap: bool,
    /// Pushes up to this number were rechecked: if they are not stored by now, nobody will tell.
    rechecked: u64,
}

/// Pushed messages that a subscription remembers at most while it waits to hear that they are stored.
const PUSHED: usize = 16_384;

/// What a notice about a stored message means for the members of a subscription.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Noted {
    /// It was known already.
    Before,
    /// It was pushed here, as push number so-and-so: who subscribed later did not get it.
    Pushed(u64),
    /// It was never pushed here.
    Never,
    /// So much is stored with gaps before it that the subscription begins anew: everybody takes again.
    Overflow,
}

impl GroupSubscription {
    pub(super) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// Takes note that a message is being pushed to all members.
    pub(super) fn push(&mut self, mid: MessageId) {
        if self.pushed.len() == PUSHED {
            // Nobody has told us for 16,384 messages that they are stored. Forgetting them costs
            // repetitions at the next login, never a message.
            self.pushed.clear();
        }
        self.pushes += 1;
        self.pushed.insert(mid, self.pushes);
    }

    /// Takes note that a message is stored at `pos`.
    pub(super) fn store(&mut self, mid: MessageId, pos: u64) -> Noted {
        if pos <= self.contiguous_upto {
            self.pushed.remove(&mid);
            return Noted::Before;
        }
        if self.stored.contains_key(&pos) {
            return Noted::Before;
        }
        if self.stored.len() == PUSHED {
            self.stored.clear();
            return Noted::Overflow;
        }
        self.stored.insert(pos, mid);
        match self.pushed.get(&mid) {
            Some(&number) => Noted::Pushed(number),
            None => Noted::Never,
        }
    }

    /// Moves `contiguous_upto` over what is stored without a gap. Call after dealing with [`Self::store`].
    pub(super) fn advance(&mut self) {
        while let Some(entry) = self.stored.first_entry() {
            if *entry.key() > self.contiguous_upto + 1 {
                break;
            }
            self.contiguous_upto = self.contiguous_upto.max(*entry.key());
            let mid = entry.remove();
            self.pushed.remove(&mid);
        }
    }

    /// Every member has everything up to here from its backlog.
    pub(super) fn start_at(&mut self, pos: u64) {
        self.contiguous_upto = self.contiguous_upto.max(pos);
        self.advance();
    }

    /// Whether all that was pushed is known to be stored, without a gap.
    pub(super) fn is_settled(&self) -> bool {
        self.pushed.is_empty() && self.stored.is_empty()
    }

    /// Whether word that something is stored has been missing since the last look: it may be lost,
    /// and the members should take their backlogs.
    ///
    /// `all_live`: none of the members is on the way to take its backlog anyway.
    pub(super) fn is_overdue(&mut self, all_live: bool) -> bool {
        let before = self.seen;
        let unheard_of =
            self.pushed.values().any(|&number| number > before.rechecked && number <= before.pushes);
        let gap = !self.stored.is_empty();
        let stuck = gap && before.gap && before.contiguous_upto == self.contiguous_upto;
        let rechecked = if unheard_of && all_live { before.pushes } else { before.rechecked };
        self.seen = Seen { pushes: self.pushes, contiguous_upto: self.contiguous_upto, gap, rechecked };
        unheard_of || stuck
    }

    /// The place up to which a member has everything. `upto`: where it stands while it is not live.
    pub(super) fn place_of(&self, cursor: &GroupCursor, upto: Option<u64>) -> u64 {
        upto.unwrap_or(cursor.from.max(self.contiguous_upto))
    }

    /// Whether anything was pushed to a member whose place lies beyond this one.
    pub(super) fn has_beyond(&self, cursor: &GroupCursor, upto: u64) -> bool {
        self.contiguous_upto > upto || self.beyond(cursor).next().is_some()
    }

    /// Messages that reached a member and whose place is not known to be within `contiguous_upto`.
    pub(super) fn beyond(&self, cursor: &GroupCursor) -> impl Iterator<Item = MessageId> + '_ {
        let since = cursor.since;
        self.pushed.iter().filter(move |&(_, &number)| number > since).map(|(&mid, _)| mid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_advances_only_without_gaps() {
        let mut subscription = GroupSubscription { contiguous_upto: 4, ..GroupSubscription::default() };
        for mid in [10, 11, 12] {
            subscription.push(MessageId(mid));
        }
        assert_eq!(subscription.store(MessageId(11), 6), Noted::Pushed(2));
        subscription.advance();
        assert_eq!(subscription.contiguous_upto, 4);
        assert_eq!(subscription.store(MessageId(10), 5), Noted::Pushed(1));
        subscription.advance();
        assert_eq!(subscription.contiguous_upto, 6);
        assert_eq!(subscription.store(MessageId(10), 5), Noted::Before);
        assert_eq!(subscription.store(MessageId(99), 7), Noted::Never);
        subscription.advance();
        assert_eq!(subscription.contiguous_upto, 7);
        let cursor = GroupCursor::at(0, 2);
        assert_eq!(
            (subscription.place_of(&cursor, None), subscription.beyond(&cursor).collect()),
            (7, vec![MessageId(12)])
        );
    }
}
