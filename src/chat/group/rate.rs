//! The rate of a group: what one session puts into it in a second is bounded, in bytes and in messages.
//!
//! Each byte goes to all members, and who reads too slowly is cut: nobody's shouting is to do that to the others. Where
//! nobody has said otherwise, it counts while most members are behind: what they take is nobody's shouting. There is one number
//! for it, the moment at which what was said is used up; it may lie ahead by `group_burst_ms`.

use super::Groups;
use super::cursors::GroupCursor;
use crate::connection::Connections;
use crate::model::ids::{ConnectionId, GroupId, Monotonic};
use crate::model::limits::Limits;
use crate::model::rate::GroupRate;

/// Bytes that are around the text of a message in a push, about.
const AROUND_BYTES: u64 = 160;

impl GroupCursor {
    /// Has a message of so many bytes count; if that is too much, in how many milliseconds it is not.
    pub(super) fn spend(
        &mut self,
        now: Monotonic,
        limits: &Limits,
        rate: GroupRate,
        msg_bytes: usize,
    ) -> Result<(), u64> {
        let bytes_a_second = match rate {
            GroupRate::AsLimited => limits.group_rate_bytes,
            GroupRate::Bytes(bytes) => bytes.into(),
            GroupRate::Off => return Ok(()),
        };
        // A message counts as so many bytes at least, whatever the rate is.
        let bytes_at_least = limits.group_rate_bytes / limits.group_rate_messages.max(1);
        let bytes = (msg_bytes as u64 + AROUND_BYTES).max(bytes_at_least);
        let burst_us = limits.group_burst_ms * 1_000;
        // What is more than all that may be said at once may be said when nothing is used up.
        let takes_us = (bytes * 1_000_000 / bytes_a_second.max(1)).min(burst_us);
        let now_us = now.0 * 1_000;
        let due = self.rate_due_us.max(now_us) + takes_us;
        let latest = now_us + burst_us;
        if due > latest {
            return Err((due - latest).div_ceil(1_000));
        }
        self.rate_due_us = due;
        Ok(())
    }
}

impl Groups {
    /// Whether what is too much for a group is refused: in any case, if a rate was chosen; else, if most of the members here
    /// are behind, two at least. One who does not read is cut by itself, and holds nobody up.
    pub(super) fn rate_counts(
        &self,
        limits: &Limits,
        rate: GroupRate,
        connections: &Connections,
        (group, sender): (GroupId, ConnectionId),
    ) -> bool {
        let members = self.subscriptions.get(&group).map_or(&[][..], |subscription| &subscription.members);
        let others = members.iter().filter(|&&id| id != sender);
        let is_behind = |id: &ConnectionId| {
            let window = connections.get(*id).map(|connection| connection.window.unacked_bytes());
            window.is_some_and(|bytes| bytes > limits.group_lag_bytes)
        };
        let (mut there, mut behind) = (0, 0);
        for id in others {
            there += 1;
            behind += usize::from(is_behind(id));
        }
        rate != GroupRate::AsLimited || behind >= 2 && behind * 2 > there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spend(cursor: &mut GroupCursor, ms: u64, rate: GroupRate, bytes: usize) -> Result<(), u64> {
        cursor.spend(Monotonic(ms), &Limits::default(), rate, bytes)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let mut cursor = GroupCursor::at(0, 0);
        let mut said = |ms: u64| {
            (0..10_000).filter(|_| spend(&mut cursor, ms, GroupRate::AsLimited, 864).is_ok()).count()
        };
        // A mebibyte at once, and then one each second.
        assert_eq!(said(5_000), 1_024);
        assert_eq!(said(5_000), 0);
        assert_eq!(said(5_500), 512);
        assert_eq!(said(60_000), 1_024);
        let mut cursor = GroupCursor::at(0, 0);
        let small = (0..10_000).filter(|_| spend(&mut cursor, 9, GroupRate::AsLimited, 1).is_ok()).count();
        assert!((5_000..5_100).contains(&small), "{small}");
        let wait = spend(&mut cursor, 9, GroupRate::AsLimited, 100_000).expect_err("it is used up");
        assert!(spend(&mut cursor, 9 + wait, GroupRate::AsLimited, 100_000).is_ok());
    }

    #[test]
    fn the_rate_that_was_chosen_counts_from_then_on() {
        let said = |cursor: &mut GroupCursor, ms, rate, bytes| {
            (0..20_000).filter(|_| spend(cursor, ms, rate, bytes).is_ok()).count()
        };
        let mut cursor = GroupCursor::at(0, 0);
        assert_eq!(said(&mut cursor, 9, GroupRate::Bytes(2 << 20), 864), 2_049);
        assert_eq!(said(&mut cursor, 9, GroupRate::AsLimited, 864), 0);
        assert_eq!(said(&mut cursor, 9, GroupRate::Off, 64_000), 20_000);
        // Messages in proportion.
        let small = said(&mut cursor, 5_000, GroupRate::Bytes(2 << 20), 1);
        assert!((10_000..10_200).contains(&small), "{small}");
        // The longest message passes at the lowest rate, when nothing was said before it.
        let lowest = GroupRate::Bytes(1);
        assert_eq!(said(&mut cursor, 9_000, lowest, 64_000), 1);
        let wait = spend(&mut cursor, 9_500, lowest, 64_000).expect_err("it is used up");
        assert_eq!(wait, 500);
        assert!(spend(&mut cursor, 9_500 + wait, lowest, 64_000).is_ok());
    }
}
