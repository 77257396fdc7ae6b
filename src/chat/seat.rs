//! A group as one core sees it: which of its sessions are members, and up to where all of them
//! have everything.
//!
//! Nobody is told of every message and member. A core remembers which messages it pushed; the
//! notices that they are stored bring their places; and as far as these are gap-free, every
//! member of this core has come. A member's own place is where that and its backlog leave it.

use super::ids::{GroupId, MessageId, SessionId};
use super::session::Place;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// One group on one core.
///
/// Invariant: every message with a pos up to `synced` was pushed to every member that sat here
/// at that time, or is recorded as missing by it.
#[derive(Debug, Default)]
pub(super) struct Seat {
    /// Tells this seat apart from earlier ones of the same group.
    pub(super) number: u64,
    /// Sessions of members, entering or online.
    pub(super) members: Vec<SessionId>,
    /// Whether the channel is joined.
    pub(super) joined: bool,
    /// Sessions that wait for that.
    pub(super) waiting: Vec<SessionId>,
    /// What the last look saw, and what a recheck has dealt with.
    seen: Seen,
    /// Place up to which nothing is missing here.
    pub(super) synced: u64,
    /// Pushes so far.
    pub(super) pushes: u64,
    /// Pushed messages whose place is not known to be within `synced`, with their push number.
    pushed: FxHashMap<MessageId, u64>,
    /// Stored messages beyond `synced`.
    stored: BTreeMap<u64, MessageId>,
}

/// A seat as it was at the last look for what is overdue.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    pushes: u64,
    synced: u64,
    gap: bool,
    /// Pushes up to this number were rechecked: if they are not stored by now, nobody will tell.
    rechecked: u64,
}

/// Pushed messages that a seat remembers at most while it waits to hear that they are stored.
const PUSHED: usize = 16_384;

/// What a notice about a stored message means for the members of a seat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    /// It was known already.
    Before,
    /// It was pushed here, as push number so-and-so: who sat down later did not get it.
    Pushed(u64),
    /// It was never pushed here.
    Never,
    /// So much is stored with gaps before it that the seat begins anew: everybody takes again.
    Overflow,
}

impl Seat {
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
    pub(super) fn store(&mut self, mid: MessageId, pos: u64) -> Heard {
        if pos <= self.synced {
            self.pushed.remove(&mid);
            return Heard::Before;
        }
        if self.stored.contains_key(&pos) {
            return Heard::Before;
        }
        if self.stored.len() == PUSHED {
            self.stored.clear();
            return Heard::Overflow;
        }
        self.stored.insert(pos, mid);
        match self.pushed.get(&mid) {
            Some(&number) => Heard::Pushed(number),
            None => Heard::Never,
        }
    }

    /// Moves `synced` over what is stored without a gap. Call after dealing with [`Self::store`].
    pub(super) fn advance(&mut self) {
        while let Some(entry) = self.stored.first_entry() {
            if *entry.key() > self.synced + 1 {
                break;
            }
            self.synced = self.synced.max(*entry.key());
            let mid = entry.remove();
            self.pushed.remove(&mid);
        }
    }

    /// Every member has everything up to here from its backlog.
    pub(super) fn start_at(&mut self, pos: u64) {
        self.synced = self.synced.max(pos);
        self.advance();
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
        let stuck = gap && before.gap && before.synced == self.synced;
        let rechecked = if unheard_of && all_live { before.pushes } else { before.rechecked };
        self.seen = Seen { pushes: self.pushes, synced: self.synced, gap, rechecked };
        unheard_of || stuck
    }

    /// The place up to which a member has everything.
    pub(super) fn place_of(&self, place: &Place) -> u64 {
        place.cap.unwrap_or(place.from.max(self.synced))
    }

    /// Whether anything was pushed to a member whose place lies beyond this one.
    pub(super) fn has_beyond(&self, place: &Place, upto: u64) -> bool {
        self.synced > upto || self.beyond(place).next().is_some()
    }

    /// Messages that reached a member and whose place is not known to be within `synced`.
    pub(super) fn beyond(&self, place: &Place) -> impl Iterator<Item = MessageId> + '_ {
        let since = place.since;
        self.pushed.iter().filter(move |&(_, &number)| number > since).map(|(&mid, _)| mid)
    }
}

/// All groups of a core.
pub(super) type Seats = FxHashMap<GroupId, Seat>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_advances_only_without_gaps() {
        let mut seat = Seat { synced: 4, ..Seat::default() };
        for mid in [10, 11, 12] {
            seat.push(MessageId(mid));
        }
        assert_eq!(seat.store(MessageId(11), 6), Heard::Pushed(2));
        seat.advance();
        assert_eq!(seat.synced, 4);
        assert_eq!(seat.store(MessageId(10), 5), Heard::Pushed(1));
        seat.advance();
        assert_eq!(seat.synced, 6);
        assert_eq!(seat.store(MessageId(10), 5), Heard::Before);
        assert_eq!(seat.store(MessageId(99), 7), Heard::Never);
        seat.advance();
        assert_eq!(seat.synced, 7);
        let place = Place { from: 0, since: 2, written: 0, cap: None };
        assert_eq!((seat.place_of(&place), seat.beyond(&place).collect()), (7, vec![MessageId(12)]));
    }
}
