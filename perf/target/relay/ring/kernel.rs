//! What the relay asks of its io_uring, with the flags that chatd's rings have.
//!
//! Written anew and not shared with chatd: what both do alike costs both the same, and what one does wrong does not
//! show in the other. The only file of the harness with unsafe code.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};

/// What a ring uses of its kernel: the same ladder as chatd's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum RingMode {
    /// One thread submits, and completions wait until it asks for them (Linux 6.1).
    Deferred,
    /// Nobody is interrupted for a completion (Linux 5.19).
    Cooperative,
    /// Neither (Linux 5.11).
    Plain,
}

impl RingMode {
    pub const LADDER: [RingMode; 3] = [RingMode::Deferred, RingMode::Cooperative, RingMode::Plain];

    pub const fn word(self) -> &'static str {
        match self {
            RingMode::Deferred => "deferred",
            RingMode::Cooperative => "cooperative",
            RingMode::Plain => "plain",
        }
    }

    fn build(self) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(8_192);
        match self {
            RingMode::Deferred => builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag(),
            RingMode::Cooperative => builder.setup_coop_taskrun().setup_taskrun_flag(),
            RingMode::Plain => &mut builder,
        };
        builder.build(1_024)
    }
}

const BUFFERS: u16 = 256;
const BUFFER_BYTES: usize = 8 << 10;
const GROUP: u16 = 0;
const POLL_FIRST: u16 = 1;
const KIND_SHIFT: u32 = 32;
/// Alignment of what is shared with the kernel.
const PAGE: usize = 4_096;

/// What an operation was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Accept,
    Receive,
    Send,
    Nothing,
}

/// What has come of one.
pub struct Done {
    pub kind: Kind,
    pub index: usize,
    pub result: i32,
    /// Whether the socket has more to read.
    pub has_more: bool,
    /// The buffer that holds what was received.
    pub buffer: Option<u16>,
}

pub struct Kernel {
    // The ring is dropped first: nothing is under way in the buffers after that.
    ring: IoUring,
    memory: Box<[u8]>,
    /// Entries of buffers that are shared with the kernel; none in the plain mode.
    entries: Option<Box<[u8]>>,
    tail: u16,
    number: i32,
    flags: u32,
    backlog: VecDeque<squeue::Entry>,
}

impl Kernel {
    /// A ring of this thread: of this mode, or of the best that this kernel has.
    pub fn new(mode: Option<RingMode>) -> io::Result<(Kernel, RingMode)> {
        let asked = mode.map_or(RingMode::LADDER.to_vec(), |mode| vec![mode]);
        let mut refused = io::Error::from(io::ErrorKind::Unsupported);
        for mode in asked {
            match mode.build() {
                Ok(ring) => return Ok((Kernel::of(ring, mode)?, mode)),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn of(ring: IoUring, mode: RingMode) -> io::Result<Kernel> {
        let memory = vec![0; usize::from(BUFFERS) * BUFFER_BYTES].into_boxed_slice();
        let number = (mode != RingMode::Plain).then(|| register(ring.as_raw_fd()).ok()).flatten();
        let mut kernel = Kernel {
            number: number.unwrap_or(ring.as_raw_fd()),
            flags: if number.is_some() { ENTER_REGISTERED_RING } else { 0 },
            ring,
            memory,
            entries: None,
            tail: 0,
            backlog: VecDeque::new(),
        };
        if mode != RingMode::Plain {
            // A page more, to begin at the beginning of one.
            let bytes = usize::from(BUFFERS) * size_of::<BufRingEntry>() + PAGE;
            kernel.entries = Some(vec![0; bytes].into_boxed_slice());
            let at = kernel.first_entry() as u64;
            // SAFETY: the memory is zero, large enough, begins at a page, and outlives the ring, which is dropped first.
            unsafe { kernel.ring.submitter().register_buf_ring_with_flags(at, BUFFERS, GROUP, 0) }?;
        }
        (0..BUFFERS).for_each(|id| kernel.give_back(id));
        Ok(kernel)
    }

    fn first_entry(&mut self) -> *mut BufRingEntry {
        let entries = self.entries.as_mut().expect("entries are shared").as_mut_ptr();
        entries.wrapping_add(entries.align_offset(PAGE)).cast()
    }

    /// Tells once when the descriptor is readable.
    pub fn poll(&mut self, fd: RawFd) {
        self.push(opcode::PollAdd::new(Fd(fd), libc::POLLIN as u32).build(), Kind::Accept, 0);
    }

    /// Asks for the next bytes of a socket, which has some already or not.
    pub fn receive(&mut self, index: usize, fd: RawFd, has_some: bool) {
        let polls_first = !has_some && self.entries.is_some();
        let entry = opcode::Recv::new(Fd(fd), std::ptr::null_mut(), 0)
            .buf_group(GROUP)
            .ioprio(if polls_first { POLL_FIRST } else { 0 })
            .build()
            .flags(squeue::Flags::BUFFER_SELECT);
        self.push(entry, Kind::Receive, index);
    }

    /// Sends bytes, as many as the socket takes.
    ///
    /// # Safety
    /// They must stay where they are, unchanged, until the operation has completed.
    pub unsafe fn send(&mut self, index: usize, fd: RawFd, bytes: &[u8]) {
        let entry = opcode::Send::new(Fd(fd), bytes.as_ptr(), bytes.len() as u32).flags(libc::MSG_NOSIGNAL);
        self.push(entry.build(), Kind::Send, index);
    }

    /// What a buffer holds.
    pub fn received(&self, id: u16, bytes: usize) -> &[u8] {
        &self.memory[usize::from(id) * BUFFER_BYTES..][..bytes]
    }

    /// A buffer may be filled again.
    pub fn give_back(&mut self, id: u16) {
        let start = self.memory.as_mut_ptr().wrapping_add(usize::from(id) * BUFFER_BYTES);
        if self.entries.is_none() {
            let entry = opcode::ProvideBuffers::new(start, BUFFER_BYTES as i32, 1, GROUP, id).build();
            return self.push(entry, Kind::Nothing, 0);
        }
        let (entries, tail) = (self.first_entry(), self.tail);
        self.tail = tail.wrapping_add(1);
        // SAFETY: the index lies within the entries; the one beyond the tail is ours until the tail is published, with
        // release, as the kernel reads it with acquire.
        unsafe {
            let entry = &mut *entries.add(usize::from(tail & (BUFFERS - 1)));
            entry.set_addr(start as u64);
            entry.set_len(BUFFER_BYTES as u32);
            entry.set_bid(id);
            (*BufRingEntry::tail(entries).cast::<AtomicU16>()).store(self.tail, Ordering::Release);
        }
    }

    fn push(&mut self, entry: squeue::Entry, kind: Kind, index: usize) {
        self.backlog.push_back(entry.user_data((kind as u64) << KIND_SHIFT | index as u64));
        self.refill();
    }

    fn refill(&mut self) {
        while let Some(entry) = self.backlog.front() {
            // SAFETY: sockets are closed only when nothing of them is under way, `send` demands the same of what it is
            // given, and buffers live as long as the ring.
            if unsafe { self.ring.submission().push(entry) }.is_err() {
                return;
            }
            self.backlog.pop_front();
        }
    }

    /// Whether a system call would submit or bring anything.
    pub fn wants_enter(&mut self) -> bool {
        let queue = self.ring.submission();
        !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Whether something is there to be handled.
    pub fn has_done(&mut self) -> bool {
        let queue = self.ring.submission();
        let is_deferred = queue.taskrun() || queue.cq_overflow();
        drop(queue);
        is_deferred || !self.ring.completion().is_empty()
    }

    /// Submits, and waits for so many completions.
    pub fn enter(&mut self, completions: u32) -> io::Result<()> {
        loop {
            let pending = self.ring.submission().len() as u32;
            // SAFETY: all entries were valid when they were pushed, and nothing else is pointed to.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_io_uring_enter,
                    self.number,
                    pending,
                    completions,
                    ENTER_GETEVENTS | self.flags,
                    std::ptr::null::<()>(),
                    0,
                )
            };
            if result < 0 {
                let error = io::Error::last_os_error();
                return match error.raw_os_error() {
                    // What has completed is to be handled first.
                    Some(libc::EINTR | libc::EAGAIN | libc::EBUSY) => Ok(()),
                    _ => Err(error),
                };
            }
            if self.backlog.is_empty() || (result as u32) < pending {
                return Ok(());
            }
            self.refill();
        }
    }

    pub fn next(&mut self) -> Option<Done> {
        let entry = self.ring.completion().next()?;
        let kinds = [Kind::Accept, Kind::Receive, Kind::Send, Kind::Nothing];
        Some(Done {
            kind: kinds[(entry.user_data() >> KIND_SHIFT) as usize],
            index: entry.user_data() as u32 as usize,
            result: entry.result(),
            has_more: cqueue::sock_nonempty(entry.flags()),
            buffer: cqueue::buffer_select(entry.flags()),
        })
    }
}

const ENTER_GETEVENTS: u32 = 1;
const ENTER_REGISTERED_RING: u32 = 1 << 4;

/// Registers a ring with its thread (Linux 5.18); by which number it goes.
fn register(fd: RawFd) -> io::Result<i32> {
    const REGISTER_RING_FDS: u32 = 20;
    /// The kernel's `struct io_uring_rsrc_update`.
    #[repr(C)]
    struct Update {
        offset: u32,
        reserved: u32,
        data: u64,
    }
    let mut update = Update { offset: u32::MAX, reserved: 0, data: fd as u64 };
    let (call, at) = (libc::SYS_io_uring_register, &raw mut update);
    // SAFETY: the kernel reads and writes one `Update` at the address given, which outlives the call.
    let registered = unsafe { libc::syscall(call, fd, REGISTER_RING_FDS, at, 1) };
    if registered == 1 { Ok(update.offset as i32) } else { Err(io::Error::last_os_error()) }
}
