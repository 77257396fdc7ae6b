//! Marks in the bytes on their way to sockets: where a measured frame ends, and since when it is
//! under way. The duration ends when the kernel has taken that byte.
//!
//! All connections of a core share one table; each connection has the ends of its queue. The
//! table grows to the most that was ever under way, and nothing is allocated after that.

use super::recorder::Way;

/// Frames that are measured at one time at most; those above are not.
const MARKS: usize = 65_536;
const NONE: u32 = u32::MAX;

/// What is measured of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// What the duration is of.
    pub way: Way,
    /// When it began, in nanoseconds.
    pub began_ns: u64,
}

/// The marks of one connection, first in, first out.
///
/// Invariant: both ends are of the table, or both are none; `end` grows from first to last.
#[derive(Debug)]
pub struct Queue {
    first: u32,
    last: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { first: NONE, last: NONE }
    }
}

#[derive(Debug)]
struct Slot {
    mark: Mark,
    /// How many bytes the connection has been sent when the frame is through.
    end: u64,
    next: u32,
}

/// The marks of all connections of a core.
#[derive(Debug)]
pub struct Marks {
    slots: Vec<Slot>,
    /// The first of those that are free.
    free: u32,
}

impl Default for Marks {
    fn default() -> Self {
        Self { slots: Vec::new(), free: NONE }
    }
}

impl Marks {
    /// Marks the frame that ends at byte `end` of a connection. Whether there was room.
    pub fn push(&mut self, queue: &mut Queue, mark: Mark, end: u64) -> bool {
        let slot = Slot { mark, end, next: NONE };
        let at = if self.free != NONE {
            let at = self.free;
            self.free = self.slots[at as usize].next;
            self.slots[at as usize] = slot;
            at
        } else if self.slots.len() < MARKS {
            self.slots.push(slot);
            self.slots.len() as u32 - 1
        } else {
            return false;
        };
        match queue.last {
            NONE => queue.first = at,
            last => self.slots[last as usize].next = at,
        }
        queue.last = at;
        true
    }

    /// The first mark of a connection, if it is within the first `sent` bytes.
    pub fn pop(&mut self, queue: &mut Queue, sent: u64) -> Option<Mark> {
        if queue.first == NONE {
            return None;
        }
        let at = queue.first as usize;
        if self.slots[at].end > sent {
            return None;
        }
        let mark = self.slots[at].mark;
        (queue.first, self.slots[at].next, self.free) = (self.slots[at].next, self.free, queue.first);
        if queue.first == NONE {
            queue.last = NONE;
        }
        Some(mark)
    }

    /// Forgets what a connection has left.
    pub fn forget(&mut self, queue: &mut Queue) {
        if queue.last != NONE {
            self.slots[queue.last as usize].next = self.free;
            self.free = queue.first;
            *queue = Queue::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Path;
    use super::*;

    fn mark(began_ns: u64) -> Mark {
        Mark { way: Way::Path(Path::SameCore), began_ns }
    }

    #[test]
    fn each_connection_has_its_own_order_in_one_table() {
        let mut marks = Marks::default();
        let (mut a, mut b) = (Queue::default(), Queue::default());
        for n in 1..=3 {
            assert!(marks.push(&mut a, mark(n), n * 10));
            assert!(marks.push(&mut b, mark(n + 100), n * 100));
        }
        assert_eq!(marks.pop(&mut a, 9), None);
        assert_eq!(marks.pop(&mut a, 20), Some(mark(1)));
        assert_eq!(marks.pop(&mut a, 20), Some(mark(2)));
        assert_eq!(marks.pop(&mut a, 20), None);
        assert_eq!(marks.pop(&mut b, 1_000), Some(mark(101)));
        assert_eq!(marks.pop(&mut a, 30), Some(mark(3)));
        assert_eq!(marks.pop(&mut a, 30), None);
    }

    #[test]
    fn slots_are_used_again_and_the_table_does_not_grow() {
        let mut marks = Marks::default();
        for round in 0..100u64 {
            let (mut a, mut b) = (Queue::default(), Queue::default());
            for n in 0..8 {
                assert!(marks.push(&mut a, mark(n), n));
                assert!(marks.push(&mut b, mark(n), n));
            }
            for n in 0..round % 9 {
                assert_eq!(marks.pop(&mut a, u64::MAX), Some(mark(n)));
            }
            marks.forget(&mut a);
            marks.forget(&mut a);
            marks.forget(&mut b);
            assert_eq!(marks.pop(&mut b, u64::MAX), None);
        }
        assert_eq!(marks.slots.len(), 16);
    }

    #[test]
    fn beyond_its_bound_nothing_is_marked() {
        let mut marks = Marks::default();
        let mut queue = Queue::default();
        for n in 0..MARKS as u64 {
            assert!(marks.push(&mut queue, mark(n), n));
        }
        assert!(!marks.push(&mut queue, mark(0), 0));
        assert_eq!(marks.pop(&mut queue, 0), Some(mark(0)));
        assert!(marks.push(&mut queue, mark(1), MARKS as u64));
    }
}
