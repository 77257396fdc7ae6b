//! The io_uring of a core: what it asks of the kernel goes in, completions come out, and here it waits.
//!
//! One system call submits the sends of a turn, arms the receives, and brings what has come; where there is nothing
//! else to do, the same call waits. What the kernel offers is tried from the top ([`RingMode`]).

use super::buffers::{Buffers, GROUP, Lease};
use super::mode::{Entered, Entry, RingMode, became, build};
use io_uring::{IoUring, cqueue, opcode, squeue, types};
use std::collections::VecDeque;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

/// Poll first, receive then (Linux 5.19): for sockets that have nothing yet, which is the rule.
const POLL_FIRST: u16 = 1;

/// One ring and its receive buffers.
pub(crate) struct Ring {
    ring: IoUring,
    /// Freed only once no operation is under way.
    buffers: ManuallyDrop<Buffers>,
    mode: RingMode,
    /// How the system calls name the ring: its descriptor, or the number that it is registered by.
    entry: Entry,
    /// What the queue of submissions had no room for.
    backlog: VecDeque<squeue::Entry>,
    /// What the read of the mailbox fills, and whether it is with the kernel.
    mail: ManuallyDrop<Box<u64>>,
    reads_mail: bool,
    /// When the timer goes off, if one is with the kernel, and how long that was when it was asked for.
    timer: Option<Instant>,
    timespec: ManuallyDrop<Box<types::Timespec>>,
    /// Sends that were made at once: which, and what came of them.
    sent: VecDeque<(Operation, i32)>,
    /// Operations that were asked for and have not completed.
    under_way: usize,
}

/// Which operation of which connection has completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operation {
    Receive(u32),
    Send(u32),
    /// Of the bus.
    LinkReceive(u32),
    LinkSend(u32),
    /// Of a descriptor that a task waits for.
    Poll(u32),
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
const KIND_POLL: u64 = 5;
const KIND_MAIL: u64 = 6;
const KIND_TIMER: u64 = 7;

const ENTER_GETEVENTS: u32 = 1;
const ENTER_EXT_ARG: u32 = 1 << 3;

impl Ring {
    /// A ring of this thread: of this mode, or of the best that this kernel has.
    ///
    /// # Errors
    /// If the kernel makes none, or lacks what chatd cannot do without.
    pub(crate) fn new(mode: Option<RingMode>) -> io::Result<Self> {
        let (ring, mode) = build(mode)?;
        if !ring.params().is_feature_ext_arg() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "chatd needs Linux 5.11 or newer"));
        }
        let (buffers, first) = Buffers::register(&ring, mode)?;
        let entry = Entry::of(&ring, mode);
        let backlog: VecDeque<_> = first.map(|entry| entry.user_data(0)).into_iter().collect();
        let (buffers, mail) = (ManuallyDrop::new(buffers), ManuallyDrop::new(Box::new(0)));
        let under_way = backlog.len();
        let timespec = ManuallyDrop::new(Box::new(types::Timespec::new()));
        let (timer, sent) = (None, VecDeque::new());
        let reads_mail = false;
        Ok(Self { ring, buffers, mode, entry, backlog, mail, reads_mail, timer, timespec, sent, under_way })
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
        let polls_first = expect == Expect::Nothing && self.mode != RingMode::Plain;
        let entry = opcode::Recv::new(types::Fd(fd), std::ptr::null_mut(), 0)
            .buf_group(GROUP)
            .ioprio(if polls_first { POLL_FIRST } else { 0 })
            .build()
            .flags(squeue::Flags::BUFFER_SELECT)
            .user_data(kind << KIND_SHIFT | u64::from(index));
        self.push(entry);
    }

    /// Sends bytes, as many as the socket takes.
    ///
    /// # Safety
    /// The bytes must stay where they are, unchanged, until the operation has completed.
    pub(super) unsafe fn send(&mut self, index: u32, fd: RawFd, bytes: &[u8]) {
        self.push_send(KIND_SEND, index, fd, bytes);
    }

    /// Sends bytes at once, with a system call of its own, as many as the socket takes. It completes as others do, and
    /// nothing needs to be submitted for it.
    pub(crate) fn send_now(&mut self, operation: Operation, fd: RawFd, bytes: &[u8]) {
        let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
        // SAFETY: the kernel reads the bytes during the call and not after it.
        let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        let result = match i32::try_from(sent) {
            Ok(sent @ 0..) => sent,
            _ => -io::Error::last_os_error().raw_os_error().unwrap_or(libc::EIO),
        };
        self.sent.push_back((operation, result));
    }

    /// Whether something was sent at once that is to be handled.
    pub(crate) fn has_sent(&self) -> bool {
        !self.sent.is_empty()
    }

    /// Sees to it that something completes at `deadline`, or before it.
    pub(crate) fn wake_at(&mut self, deadline: Instant) {
        if self.timer.is_some_and(|timer| timer <= deadline) {
            return;
        }
        let is_new = self.timer.replace(deadline).is_none();
        **self.timespec = deadline.saturating_duration_since(Instant::now()).into();
        let timespec = &raw const **self.timespec;
        let timer = KIND_TIMER << KIND_SHIFT;
        if is_new {
            self.push(opcode::Timeout::new(timespec).build().user_data(timer));
        } else {
            self.push(opcode::TimeoutUpdate::new(timer, timespec).build().user_data(0));
        }
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
        self.push(entry);
    }

    /// Waits for a descriptor to be readable: completes once.
    pub(crate) fn poll(&mut self, slot: u32, fd: RawFd) {
        let entry = opcode::PollAdd::new(types::Fd(fd), libc::POLLIN as u32).build();
        self.push(entry.user_data(KIND_POLL << KIND_SHIFT | u64::from(slot)));
    }

    /// Waits for it no longer: it completes with an error, if it has not completed.
    pub(crate) fn cancel_poll(&mut self, slot: u32) {
        let entry = opcode::PollRemove::new(KIND_POLL << KIND_SHIFT | u64::from(slot)).build();
        self.push(entry.user_data(0));
    }

    /// Sees to it that a post to the mailbox completes something.
    pub(crate) fn read_mailbox(&mut self, fd: RawFd) {
        if !std::mem::replace(&mut self.reads_mail, true) {
            let entry = opcode::Read::new(types::Fd(fd), (&raw mut **self.mail).cast(), 8).build();
            self.push(entry.user_data(KIND_MAIL << KIND_SHIFT));
        }
    }

    /// Takes an entry for the next system call. More than the queue has room for waits beside it: as many operations
    /// as can be under way at once, which is a few for each connection.
    fn push(&mut self, entry: squeue::Entry) {
        self.under_way += 1;
        if !self.backlog.is_empty() || !self.try_push(&entry) {
            self.backlog.push_back(entry);
        }
    }

    fn try_push(&mut self, entry: &squeue::Entry) -> bool {
        // SAFETY: sockets are closed, and what an entry points to is freed, only after the
        // operation has completed: `send` demands it of its caller, receives point to nothing, and
        // buffers that are provided, the mail and the time live as long as the ring.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    /// Moves what waits into the queue, as far as there is room.
    fn refill(&mut self) {
        while let Some(entry) = self.backlog.pop_front() {
            if !self.try_push(&entry) {
                return self.backlog.push_front(entry);
            }
        }
    }

    /// Submits what there is, and lets the kernel post what has completed.
    pub(crate) fn enter(&mut self) {
        loop {
            self.refill();
            let entered = self.enter_for(0, Duration::ZERO);
            if self.backlog.is_empty() || entered != Entered::Done {
                return;
            }
        }
    }

    /// The same, and waits until something has completed, so long at most.
    pub(crate) fn wait(&mut self, patience: Duration) {
        self.refill();
        // What is left is submitted first: its completion may be what is waited for.
        if self.backlog.is_empty() {
            self.enter_for(1, patience);
        } else {
            self.enter();
        }
    }

    fn enter_for(&mut self, completions: u32, patience: Duration) -> Entered {
        let pending = self.ring.submission().len() as u32;
        let timespec = types::Timespec::from(patience);
        let args = WaitArgs {
            sigmask: 0,
            sigmask_bytes: 0,
            min_wait_us: 0,
            timespec: (&raw const timespec).addr() as u64,
        };
        let is_bounded = completions > 0 && patience < Duration::MAX;
        let (args, bytes) =
            if is_bounded { (&raw const args, size_of::<WaitArgs>()) } else { (std::ptr::null(), 0) };
        let flags = ENTER_GETEVENTS | self.entry.flags | if is_bounded { ENTER_EXT_ARG } else { 0 };
        // SAFETY: the argument is null, or points to what the kernel reads with ENTER_EXT_ARG, and the time that it
        // points to; both outlive the call. All entries were valid when they were pushed.
        let submitted = unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.entry.number,
                pending,
                completions,
                flags,
                args,
                bytes,
            )
        };
        if submitted >= 0 {
            return if submitted as u32 == pending { Entered::Done } else { Entered::Busy };
        }
        became(io::Error::last_os_error())
    }

    /// Whether a system call would do anything: submit, or bring what the kernel has put off until it is asked.
    pub(crate) fn wants_enter(&mut self) -> bool {
        let backlog = !self.backlog.is_empty();
        let queue = self.ring.submission();
        backlog || !queue.is_empty() || queue.taskrun() || queue.cq_overflow()
    }

    /// Whether completions are there to be handled, or would be after a system call that does not wait.
    pub(crate) fn has_completions(&mut self) -> bool {
        let queue = self.ring.submission();
        let deferred = queue.taskrun() || queue.cq_overflow();
        drop(queue);
        deferred || self.has_sent() || !self.ring.completion().is_empty()
    }

    /// The next of the completions that `enter` has brought.
    pub(crate) fn next(&mut self) -> Option<Completion> {
        if let Some((operation, result)) = self.sent.pop_front() {
            return Some(Completion { operation, result, more: false, lease: None });
        }
        let entry = self.ring.completion().next()?;
        self.under_way -= 1;
        let index = entry.user_data() as u32;
        let operation = match entry.user_data() >> KIND_SHIFT {
            KIND_RECEIVE => Operation::Receive(index),
            KIND_SEND => Operation::Send(index),
            KIND_LINK_RECEIVE => Operation::LinkReceive(index),
            KIND_LINK_SEND => Operation::LinkSend(index),
            KIND_POLL => Operation::Poll(index),
            KIND_MAIL => {
                self.reads_mail = false;
                Operation::Other
            }
            KIND_TIMER => {
                self.timer = None;
                Operation::Other
            }
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
            self.push(entry.user_data(0));
        }
    }
}

impl Drop for Ring {
    /// Cancels what is under way and waits for its end. What then still is keeps its memory, for the kernel may write
    /// to it.
    fn drop(&mut self) {
        self.quiesce();
        self.entry.unregister(&self.ring);
        if self.under_way == 0 {
            // SAFETY: the kernel has let go of both, and nobody uses them after this.
            unsafe {
                ManuallyDrop::drop(&mut self.buffers);
                ManuallyDrop::drop(&mut self.mail);
                ManuallyDrop::drop(&mut self.timespec);
            }
        }
    }
}

impl Ring {
    /// Cancels all that is under way, where the kernel can (Linux 5.19), and waits for its end; for a second at most.
    fn quiesce(&mut self) {
        const STEPS: u32 = 100;
        if self.under_way > 0 && self.mode != RingMode::Plain {
            self.push(opcode::AsyncCancel2::new(types::CancelBuilder::any()).build().user_data(0));
            for _ in 0..STEPS {
                self.wait(Duration::from_millis(10));
                while self.next().is_some() {}
                if self.under_way == 0 {
                    break;
                }
            }
        }
    }
}

/// The kernel's `struct io_uring_getevents_arg`.
#[repr(C)]
struct WaitArgs {
    sigmask: u64,
    sigmask_bytes: u32,
    min_wait_us: u32,
    timespec: u64,
}
