//! The io_uring of a core's client sockets: receives and sends go in, completions come out.
//!
//! glommio has rings of its own, for timers, channels and wake-ups, and is told of this one by its
//! descriptor. Sockets have theirs because a chat server's messages are small and many: here one
//! system call submits the sends of a turn, arms the receives and brings what has come. Where the
//! kernel can, it interrupts nobody for a completion (`COOP_TASKRUN`).

use super::buffers::{Buffers, GROUP, Lease};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Submissions that fit between two system calls; more than that makes one more call.
const SUBMISSIONS: u32 = 1_024;
const COMPLETIONS: u32 = 8_192;
/// Poll first, receive then (Linux 5.19): for sockets that have nothing yet, which is the rule.
const POLL_FIRST: u16 = 1;

/// One ring and its receive buffers.
pub(crate) struct Ring {
    // Before the buffers: dropped first.
    ring: IoUring,
    buffers: Buffers,
    /// What a receive is submitted with when nothing is expected to be there.
    wait_flags: u16,
}

/// Which operation of which connection has completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Receive(u32),
    Send(u32),
    /// Of the bus.
    LinkReceive(u32),
    LinkSend(u32),
    /// Nobody waits for it.
    Other,
}

/// What has come of an operation.
pub(crate) struct Completion {
    pub(crate) operation: Operation,
    /// Bytes, or a negated errno.
    pub(crate) result: i32,
    /// Whether the socket has more to read.
    pub(crate) more: bool,
    /// The bytes received.
    pub(crate) lease: Option<Lease>,
}

/// Whether something is likely to be there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expect {
    Bytes,
    Nothing,
}

const KIND_SHIFT: u32 = 32;
const KIND_RECEIVE: u64 = 1;
const KIND_SEND: u64 = 2;
const KIND_LINK_RECEIVE: u64 = 3;
const KIND_LINK_SEND: u64 = 4;

impl Ring {
    /// A ring of this thread, with what this kernel offers.
    pub(crate) fn new() -> io::Result<Self> {
        let (ring, wait_flags) = build()?;
        let (buffers, first) = Buffers::register(&ring)?;
        let mut ring = Self { ring, buffers, wait_flags };
        if let Some(entry) = first {
            ring.push(&entry.user_data(0));
        }
        Ok(ring)
    }

    /// Asks for the next bytes of a socket.
    pub(super) fn receive(&mut self, index: u32, fd: RawFd, expect: Expect) {
        self.push_receive(KIND_RECEIVE, index, fd, expect);
    }

    /// Asks for the next bytes of a link of the bus.
    pub(crate) fn receive_link(&mut self, number: u32, fd: RawFd, expect: Expect) {
        self.push_receive(KIND_LINK_RECEIVE, number, fd, expect);
    }

    fn push_receive(&mut self, kind: u64, index: u32, fd: RawFd, expect: Expect) {
        let flags = if expect == Expect::Nothing { self.wait_flags } else { 0 };
        let entry = opcode::Recv::new(types::Fd(fd), std::ptr::null_mut(), 0)
            .buf_group(GROUP)
            .ioprio(flags)
            .build()
            .flags(squeue::Flags::BUFFER_SELECT)
            .user_data(kind << KIND_SHIFT | u64::from(index));
        self.push(&entry);
    }

    /// Sends bytes, as many as the socket takes.
    ///
    /// # Safety
    /// The bytes must stay where they are, unchanged, until the operation has completed.
    pub(super) unsafe fn send(&mut self, index: u32, fd: RawFd, bytes: &[u8]) {
        self.push_send(KIND_SEND, index, fd, bytes);
    }

    /// Sends bytes of a link of the bus.
    ///
    /// # Safety
    /// As for `send`.
    pub(crate) unsafe fn send_link(&mut self, number: u32, fd: RawFd, bytes: &[u8]) {
        self.push_send(KIND_LINK_SEND, number, fd, bytes);
    }

    fn push_send(&mut self, kind: u64, index: u32, fd: RawFd, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(types::Fd(fd), bytes.as_ptr(), len)
            .flags(libc::MSG_NOSIGNAL)
            .build()
            .user_data(kind << KIND_SHIFT | u64::from(index));
        self.push(&entry);
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: sockets are closed, and what an entry points to is freed, only after the
        // operation has completed: `send` demands it of its caller, receives point to nothing, and
        // buffers that are provided live as long as the ring.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.enter();
        }
    }

    /// Submits what there is, and lets the kernel post what has completed.
    pub(super) fn enter(&mut self) {
        self.enter_for(0);
    }

    /// The same, and waits until something has completed.
    pub(crate) fn enter_and_wait(&mut self) {
        self.enter_for(1);
    }

    fn enter_for(&mut self, completions: u32) {
        const GETEVENTS: u32 = 1;
        let pending = self.ring.submission().len() as u32;
        let submitter = self.ring.submitter();
        // SAFETY: no argument beyond the numbers; all entries were valid when they were pushed.
        // Interrupted or busy means that the completions at hand are to be handled first.
        let _ = unsafe { submitter.enter::<libc::sigset_t>(pending, completions, GETEVENTS, None) };
    }

    /// The next of the completions that `enter` has brought.
    pub(crate) fn next(&mut self) -> Option<Completion> {
        let entry = self.ring.completion().next()?;
        let index = entry.user_data() as u32;
        let operation = match entry.user_data() >> KIND_SHIFT {
            KIND_RECEIVE => Operation::Receive(index),
            KIND_SEND => Operation::Send(index),
            KIND_LINK_RECEIVE => Operation::LinkReceive(index),
            KIND_LINK_SEND => Operation::LinkSend(index),
            _ => Operation::Other,
        };
        let filled = usize::try_from(entry.result()).unwrap_or(0);
        let lease = cqueue::buffer_select(entry.flags()).map(|id| self.buffers.lease(id, filled));
        Some(Completion {
            operation,
            result: entry.result(),
            more: cqueue::sock_nonempty(entry.flags()),
            lease,
        })
    }

    /// Gives received bytes back to the pool.
    pub(crate) fn give_back(&mut self, lease: Lease) {
        if let Some(entry) = self.buffers.give_back(lease) {
            self.push(&entry.user_data(0));
        }
    }

    /// Whether something waits for the next `enter`.
    pub(super) fn has_submissions(&mut self) -> bool {
        !self.ring.submission().is_empty()
    }

    /// Readable when there are completions.
    pub(super) fn descriptor(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}

/// The best ring that the kernel makes: one that interrupts nobody (Linux 5.19), or a plain one.
fn build() -> io::Result<(IoUring, u16)> {
    let builder = || {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS).dontfork();
        builder
    };
    match builder().setup_coop_taskrun().build(SUBMISSIONS) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {}
        other => return Ok((other?, POLL_FIRST)),
    }
    Ok((builder().build(SUBMISSIONS)?, 0))
}
