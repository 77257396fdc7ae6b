//! Memory of outboxes that are empty, for those that are written to next.
//!
//! Keeps as much as is needed: what nobody has taken since the last tick is let go of, half of it at each.

/// So many are kept at most, of so many bytes each, and of so many together.
const BUFFERS: usize = 4_096;
const BUFFER_BYTES: usize = 64 << 10;
const ALL_BYTES: usize = 16 << 20;
/// What a new one has room for: some messages.
const NEW_BYTES: usize = 512;

/// Empty buffers.
#[derive(Default)]
pub(super) struct Spare {
    buffers: Vec<Vec<u8>>,
    /// The sum of their capacities.
    bytes: usize,
    /// The fewest that there were since the last tick.
    least: usize,
}

impl Spare {
    /// An empty buffer that was kept.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let buffer = self.buffers.pop()?;
        self.bytes -= buffer.capacity();
        self.least = self.least.min(self.buffers.len());
        Some(buffer)
    }

    /// The same, or a new one.
    pub(super) fn take_or_make(&mut self) -> Vec<u8> {
        self.take().unwrap_or_else(|| Vec::with_capacity(NEW_BYTES))
    }

    /// Keeps the memory of a buffer whose bytes are not needed any more, unless there is enough.
    pub(super) fn keep(&mut self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        let has_room = self.buffers.len() < BUFFERS && self.bytes + bytes <= ALL_BYTES;
        if has_room && (1..=BUFFER_BYTES).contains(&bytes) {
            buffer.clear();
            self.bytes += bytes;
            self.buffers.push(buffer);
        }
    }

    /// A tick: lets go of half of what nobody has needed since the last one.
    pub(super) fn shrink(&mut self) {
        let idle = self.least.div_ceil(2);
        for buffer in self.buffers.drain(..idle) {
            self.bytes -= buffer.capacity();
        }
        self.least = self.buffers.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(count: usize, bytes: usize) -> Spare {
        let mut spare = Spare::default();
        (0..count).for_each(|_| spare.keep(Vec::with_capacity(bytes)));
        spare
    }

    #[test]
    fn what_is_taken_was_kept_and_is_empty() {
        let mut spare = Spare::default();
        let mut written = Vec::with_capacity(1_000);
        written.push(1);
        let at = written.as_ptr();
        spare.keep(written);
        let taken = spare.take_or_make();
        assert!(taken.is_empty() && taken.as_ptr() == at);
        assert!(spare.take().is_none() && spare.bytes == 0);
        assert!(spare.take_or_make().capacity() >= NEW_BYTES);
    }

    #[test]
    fn neither_many_nor_large_ones_are_kept() {
        assert_eq!(kept(BUFFERS + 1, 16).buffers.len(), BUFFERS);
        assert_eq!(kept(1, BUFFER_BYTES + 1).buffers.len(), 0);
        assert_eq!(kept(1, 0).buffers.len(), 0);
        assert_eq!(kept(BUFFERS, BUFFER_BYTES).bytes, ALL_BYTES);
    }

    #[test]
    fn what_nobody_needs_goes_and_what_is_needed_stays() {
        let mut spare = kept(100, 16);
        spare.shrink();
        for _ in 0..20 {
            let taken: Vec<_> = (0..10).map(|_| spare.take_or_make()).collect();
            taken.into_iter().for_each(|buffer| spare.keep(buffer));
            spare.shrink();
        }
        assert_eq!(spare.buffers.len(), 10);
        (0..20).for_each(|_| spare.shrink());
        assert_eq!((spare.buffers.len(), spare.bytes), (0, 0));
    }
}
