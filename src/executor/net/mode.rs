//! What a ring may use of its kernel, how it is made with that, and what the kernel says to a system call.

use io_uring::IoUring;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

/// Submissions that fit between two system calls; more than that makes one more call.
const SUBMISSIONS: u32 = 1_024;
const COMPLETIONS: u32 = 8_192;
const ENTER_REGISTERED_RING: u32 = 1 << 4;

/// What a ring may use of its kernel: a ladder, the best first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RingMode {
    /// One thread submits, and the kernel does nothing of a completion until that thread asks (Linux 6.1). Buffers are
    /// shared with the kernel, and it knows the ring by a number.
    Deferred,
    /// Nobody is interrupted for a completion (Linux 5.19); the rest as above.
    Cooperative,
    /// Nothing of that: Linux 5.11.
    Plain,
}

impl RingMode {
    /// All of them, the best first.
    pub const LADDER: [Self; 3] = [Self::Deferred, Self::Cooperative, Self::Plain];

    fn build(self) -> io::Result<IoUring> {
        let mut builder = IoUring::builder();
        builder.setup_cqsize(COMPLETIONS).dontfork();
        match self {
            Self::Deferred => builder.setup_single_issuer().setup_defer_taskrun().setup_taskrun_flag(),
            Self::Cooperative => builder.setup_coop_taskrun().setup_taskrun_flag(),
            Self::Plain => &mut builder,
        };
        builder.build(SUBMISSIONS)
    }
}

impl std::str::FromStr for RingMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mode = Self::LADDER.into_iter().find(|mode| mode.to_string() == text);
        mode.ok_or_else(|| "deferred, cooperative or plain".to_owned())
    }
}

impl fmt::Display for RingMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deferred => "deferred",
            Self::Cooperative => "cooperative",
            Self::Plain => "plain",
        })
    }
}

/// How a system call names the ring.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) number: i32,
    pub(super) flags: u32,
}

/// A ring of this mode; if none is asked for, of the first of the ladder that the kernel knows.
pub(super) fn build(mode: Option<RingMode>) -> io::Result<(IoUring, RingMode)> {
    if let Some(mode) = mode {
        return Ok((mode.build()?, mode));
    }
    for mode in RingMode::LADDER {
        match mode.build() {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && mode != RingMode::Plain => {}
            ring => return Ok((ring?, mode)),
        }
    }
    unreachable!("the last of the ladder is returned, or its error")
}

impl Entry {
    pub(super) fn of(ring: &IoUring, mode: RingMode) -> Self {
        let registered = (mode != RingMode::Plain).then(|| register(ring.as_raw_fd()));
        match registered {
            Some(Ok(number)) => Self { number, flags: ENTER_REGISTERED_RING },
            // It is a saving of some nanoseconds and nothing else.
            Some(Err(_)) | None => Self { number: ring.as_raw_fd(), flags: 0 },
        }
    }

    /// A ring that is registered with its thread lives as long as that thread.
    pub(super) fn unregister(self, ring: &IoUring) {
        const UNREGISTER_RING_FDS: u32 = 21;
        if self.flags & ENTER_REGISTERED_RING != 0 {
            let mut update = Update { offset: self.number as u32, reserved: 0, data: 0 };
            // SAFETY: the kernel reads one `Update` at the address given, which outlives the call.
            unsafe {
                libc::syscall(
                    libc::SYS_io_uring_register,
                    ring.as_raw_fd(),
                    UNREGISTER_RING_FDS,
                    &raw mut update,
                    1,
                )
            };
        }
    }
}

/// The kernel's `struct io_uring_rsrc_update`.
#[repr(C)]
struct Update {
    offset: u32,
    reserved: u32,
    data: u64,
}

/// Registers a ring with its thread (Linux 5.18); by which number it goes.
fn register(fd: RawFd) -> io::Result<i32> {
    const REGISTER_RING_FDS: u32 = 20;
    let mut update = Update { offset: u32::MAX, reserved: 0, data: fd as u64 };
    // SAFETY: the kernel reads and writes one `Update` at the address given, which outlives the call.
    let registered =
        unsafe { libc::syscall(libc::SYS_io_uring_register, fd, REGISTER_RING_FDS, &raw mut update, 1) };
    if registered == 1 { Ok(update.offset as i32) } else { Err(io::Error::last_os_error()) }
}

/// What became of a system call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Entered {
    /// All was submitted, and what was waited for is there.
    Done,
    /// The time is over.
    TimedOut,
    /// A signal came first.
    Interrupted,
    /// Not all was submitted: what has completed is to be handled first.
    Busy,
}

/// What an error of `io_uring_enter` means.
///
/// # Panics
/// If it says that this ring cannot be used, or that completions are lost: then the core cannot go on.
pub(super) fn became(error: io::Error) -> Entered {
    match error.raw_os_error() {
        Some(libc::ETIME) => Entered::TimedOut,
        Some(libc::EINTR) => Entered::Interrupted,
        // EAGAIN: no memory for an operation now. EBUSY: completions wait for room in their queue.
        Some(libc::EAGAIN | libc::EBUSY) => Entered::Busy,
        Some(libc::EBADR) => panic!("io_uring_enter: completions are lost (EBADR)"),
        Some(libc::EBADF | libc::EBADFD | libc::ENXIO) => panic!("io_uring_enter: not a ring: {error}"),
        Some(libc::EFAULT | libc::EINVAL | libc::EOPNOTSUPP) => {
            panic!("io_uring_enter: wrongly called: {error}")
        }
        Some(libc::EEXIST) => panic!("io_uring_enter: the ring is another thread's (EEXIST)"),
        _ => panic!("io_uring_enter: {error}"),
    }
}
