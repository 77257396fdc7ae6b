//! The rate of a group: what one session puts into it in a second is bounded, in bytes and in messages.
//!
//! Each byte goes to all members, and who reads too slowly is cut: nobody's shouting is to do that to the others. There is
//! one number for it, the moment at which what was said is used up; it may lie ahead by `group_burst_ms`.

use super::cursors::GroupCursor;
use crate::model::ids::Monotonic;
use crate::model::limits::Limits;

/// Bytes that are around the text of a message in a push, about.
const AROUND_BYTES: u64 = 160;

impl GroupCursor {
    /// Has a message of so many bytes count; if that is too much, in how many milliseconds it is not.
    pub(super) fn spend(&mut self, now: Monotonic, limits: &Limits, msg_bytes: usize) -> Result<(), u64> {
        let bytes = msg_bytes as u64 + AROUND_BYTES;
        let of_bytes = bytes * 1_000_000 / limits.group_rate_bytes.max(1);
        let of_messages = 1_000_000 / limits.group_rate_messages.max(1);
        let now_us = now.0 * 1_000;
        let due = self.rate_due_us.max(now_us) + of_bytes.max(of_messages);
        let latest = now_us + limits.group_burst_ms * 1_000;
        if due > latest {
            return Err((due - latest).div_ceil(1_000));
        }
        self.rate_due_us = due;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let limits = Limits::default();
        let mut cursor = GroupCursor::at(0, 0);
        let mut said =
            |ms: u64| (0..10_000).filter(|_| cursor.spend(Monotonic(ms), &limits, 864).is_ok()).count();
        // A mebibyte at once, and then one each second.
        assert_eq!(said(5_000), 1_024);
        assert_eq!(said(5_000), 0);
        assert_eq!(said(5_500), 512);
        assert_eq!(said(60_000), 1_024);
        let mut cursor = GroupCursor::at(0, 0);
        let small = (0..10_000).filter(|_| cursor.spend(Monotonic(9), &limits, 1).is_ok()).count();
        assert_eq!(small, 5_000);
        let wait = cursor.spend(Monotonic(9), &limits, 100_000).expect_err("it is used up");
        assert!(cursor.spend(Monotonic(9 + wait), &limits, 100_000).is_ok());
    }
}
