//! Receive buffers that the kernel picks from: one pool for all connections of a core.
//!
//! A connection that is silent has no buffer. The kernel fills one when bytes have come, lends it
//! to us with the completion, and gets it back when the bytes are handled.

use super::mode::RingMode;
use io_uring::types::BufRingEntry;
use io_uring::{IoUring, opcode, squeue};
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::io;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;
use std::sync::atomic::{AtomicU16, Ordering};

/// How many buffers a core has, a power of two, and how large each is.
const BUFFERS: u16 = 256;
const BUFFER_BYTES: usize = 8 << 10;
/// The name of the pool within its ring.
pub(super) const GROUP: u16 = 0;

/// The pool.
pub(super) struct Buffers {
    data: Rc<Memory>,
    way: Way,
}

/// How buffers are given to the kernel.
enum Way {
    /// Through memory shared with it (Linux 5.19).
    Shared { ring: Memory, tail: u16 },
    /// With a submission for each (Linux 5.7).
    Submitted,
}

/// A filled buffer. It is ours until it is given back, and its memory stays as long as it does.
pub(crate) struct Lease {
    memory: Rc<Memory>,
    len: usize,
    id: u16,
}

impl Lease {
    /// Where it begins.
    fn start(&self) -> *mut u8 {
        // SAFETY: within the memory: `lease` has looked at the number.
        unsafe { self.memory.start.add(usize::from(self.id) * BUFFER_BYTES) }
    }
}

impl Buffers {
    /// Gives a pool to the ring. The submissions that come back are to be made first.
    pub(super) fn register(ring: &IoUring, mode: RingMode) -> io::Result<(Self, Option<squeue::Entry>)> {
        let data = Rc::new(Memory::new(usize::from(BUFFERS) * BUFFER_BYTES));
        if mode == RingMode::Plain {
            let all = opcode::ProvideBuffers::new(data.start, BUFFER_BYTES as i32, BUFFERS, GROUP, 0).build();
            return Ok((Self { data, way: Way::Submitted }, Some(all)));
        }
        let shared = Memory::new(usize::from(BUFFERS) * size_of::<BufRingEntry>());
        // SAFETY: the memory is page-aligned, zeroed, large enough for the entries, and lives as
        // long as the ring: the owner of both drops the ring first.
        let registered =
            unsafe { ring.submitter().register_buf_ring_with_flags(shared.start as u64, BUFFERS, GROUP, 0) };
        registered?;
        let mut buffers = Self { data, way: Way::Shared { ring: shared, tail: 0 } };
        for id in 0..BUFFERS {
            buffers.provide(id);
        }
        Ok((buffers, None))
    }

    /// The first `len` bytes of a buffer that a completion has named.
    pub(super) fn lease(&self, id: u16, len: usize) -> Lease {
        assert!(id < BUFFERS && len <= BUFFER_BYTES, "the kernel names buffers that it was given");
        Lease { memory: self.data.clone(), len, id }
    }

    /// Gives a buffer back. A submission that comes back is to be made.
    pub(super) fn give_back(&mut self, lease: Lease) -> Option<squeue::Entry> {
        match self.way {
            Way::Shared { .. } => {
                self.provide(lease.id);
                None
            }
            Way::Submitted => {
                let (bytes, id) = (lease.start(), lease.id);
                Some(opcode::ProvideBuffers::new(bytes, BUFFER_BYTES as i32, 1, GROUP, id).build())
            }
        }
    }

    fn provide(&mut self, id: u16) {
        let Way::Shared { ring, tail } = &mut self.way else { unreachable!("only for shared memory") };
        let entries = ring.start.cast::<BufRingEntry>();
        // SAFETY: the index lies within the ring; the entry beyond the tail is ours to write; the
        // tail is published after the entry, with release, as the kernel reads it with acquire.
        unsafe {
            let entry = &mut *entries.add(usize::from(*tail & (BUFFERS - 1)));
            entry.set_addr(self.data.start.add(usize::from(id) * BUFFER_BYTES) as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
            *tail = tail.wrapping_add(1);
            let published = BufRingEntry::tail(entries).cast::<AtomicU16>();
            (*published).store(*tail, Ordering::Release);
        }
    }
}

impl Deref for Lease {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the bytes lie in memory that the lease holds, and the kernel does not touch a buffer until it
        // is given back.
        unsafe { std::slice::from_raw_parts(self.start(), self.len) }
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above; a buffer is leased once at a time, so nobody else looks at it.
        unsafe { std::slice::from_raw_parts_mut(self.start(), self.len) }
    }
}

/// Page-aligned memory, zero at first.
struct Memory {
    start: *mut u8,
    layout: Layout,
}

impl Memory {
    fn new(bytes: usize) -> Self {
        const PAGE: usize = 4096;
        let layout = Layout::from_size_align(bytes, PAGE).expect("a few pages");
        // SAFETY: the layout is not of size zero.
        let start = unsafe { alloc_zeroed(layout) };
        if start.is_null() {
            handle_alloc_error(layout);
        }
        Self { start, layout }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and dropped once.
        unsafe { dealloc(self.start, self.layout) }
    }
}
