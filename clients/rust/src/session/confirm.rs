//! Messages that arrived and that the server is yet to be told of: collected for a moment, so that
//! many of them are one frame.

use chatd_chat::model::ids::MessageId;
use std::time::{Duration, Instant};

/// How long the first of them waits for company. A server that spares a row for what is confirmed
/// in time waits ten times as long.
const COLLECT: Duration = Duration::from_millis(50);
/// So many are told at once, without waiting.
const MANY: usize = 200;
/// The most that wait while there is no connection. Above, the oldest are dropped: the server says
/// those again, and they are confirmed then.
const MOST: usize = 4_096;

/// Invariant: `due` is there while there is something to be told.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    mids: Vec<MessageId>,
    due: Option<Instant>,
}

impl Arrived {
    pub(super) fn add(&mut self, mid: MessageId, now: Instant) {
        if self.mids.len() >= MOST {
            self.mids.drain(..MOST / 2);
        }
        self.mids.push(mid);
        self.due = Some(match self.due {
            Some(due) if self.mids.len() < MANY => due,
            Some(_) => now,
            None => now + COLLECT,
        });
    }

    /// Not to wait any longer.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.due = self.due.map(|due| due.min(now));
    }

    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be told now, at most [`MANY`] at a time.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<MessageId>> {
        self.due.filter(|due| *due <= now)?;
        let rest = self.mids.split_off(self.mids.len().min(MANY));
        self.due = Some(now).filter(|_| !rest.is_empty());
        Some(std::mem::replace(&mut self.mids, rest))
    }

    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_wait_for_company_and_many_do_not() {
        let (mut arrived, now) = (Arrived::default(), Instant::now());
        assert_eq!((arrived.wake_at(), arrived.take(now)), (None, None));
        arrived.add(MessageId(1), now);
        arrived.add(MessageId(2), now);
        assert_eq!(arrived.take(now), None);
        let later = arrived.wake_at().unwrap();
        assert_eq!(later, now + COLLECT);
        assert_eq!(arrived.take(later), Some(vec![MessageId(1), MessageId(2)]));
        assert_eq!(arrived.wake_at(), None);
        for n in 0..MANY as u64 + 1 {
            arrived.add(MessageId(n), now);
        }
        assert_eq!(arrived.take(now).map(|mids| mids.len()), Some(MANY));
        assert_eq!(arrived.take(now), Some(vec![MessageId(MANY as u64)]));
    }

    #[test]
    fn without_a_connection_the_oldest_are_dropped() {
        let (mut arrived, now) = (Arrived::default(), Instant::now());
        for n in 0..3 * MOST as u64 {
            arrived.add(MessageId(n), now);
            assert!(arrived.mids.len() <= MOST);
        }
        assert_eq!(arrived.mids.last(), Some(&MessageId(3 * MOST as u64 - 1)));
    }
}
