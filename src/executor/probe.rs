//! What the machine must give before anything starts, and plain words where it does not.

use std::fmt;
use std::fs;
use std::io;

/// Memory that the kernel locks for one executor's ring.
const RING_LOCKED_BYTES: u64 = 256 << 10;
/// What it locks at least.
const LOCKED_BYTES_MIN: u64 = 512 << 10;

/// Something that chatd cannot run without.
#[derive(Debug)]
pub enum Missing {
    /// `io_uring_setup` failed.
    IoUring(io::Error),
    /// The limit of locked memory is below what the rings need.
    LockedMemory {
        /// What the limit is, in bytes.
        limit_bytes: u64,
        /// What the rings need, in bytes.
        needed_bytes: u64,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::IoUring(error) => match error.raw_os_error() {
                Some(libc::ENOSYS) => write!(
                    f,
                    "this kernel has no io_uring (io_uring_setup: ENOSYS): chatd needs Linux 5.11 or newer, \
                     and a container must not filter the call"
                ),
                Some(libc::EPERM | libc::EACCES) => write!(
                    f,
                    "io_uring is refused here (io_uring_setup: {}; /proc/sys/kernel/io_uring_disabled is {}): set that \
                     to 0, and in a container allow io_uring_setup, io_uring_enter and io_uring_register in \
                     its seccomp profile",
                    if error.raw_os_error() == Some(libc::EPERM) { "EPERM" } else { "EACCES" },
                    fs::read_to_string("/proc/sys/kernel/io_uring_disabled")
                        .map_or("not there".into(), |text| text.trim().to_owned()),
                ),
                Some(libc::ENOMEM) => write!(
                    f,
                    "io_uring has no memory (io_uring_setup: ENOMEM): raise the limit of locked memory \
                     (ulimit -l, LimitMEMLOCK=)"
                ),
                _ => write!(f, "io_uring does not work here (io_uring_setup: {error})"),
            },
            Missing::LockedMemory { limit_bytes, needed_bytes } => write!(
                f,
                "the limit of locked memory is {} KiB and {} KiB are needed: raise it (ulimit -l {}, or \
                 LimitMEMLOCK= in a service), or start with fewer --cores",
                limit_bytes / 1024,
                needed_bytes / 1024,
                needed_bytes / 1024,
            ),
        }
    }
}

impl std::error::Error for Missing {}

/// Asks the kernel itself for a ring, and looks at the limit of locked memory for `cores` of them.
///
/// # Errors
/// With a sentence that says what is missing and what to do.
pub fn check(cores: usize) -> Result<(), Missing> {
    io_uring().map_err(Missing::IoUring)?;
    let needed_bytes = (cores as u64 * RING_LOCKED_BYTES).max(LOCKED_BYTES_MIN);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Memlock);
    let limit = match limit.maximum {
        // What may be raised is raised.
        Some(maximum) if limit.current.is_some_and(|current| current < maximum.min(needed_bytes)) => {
            let raised = rustix::process::Rlimit { current: Some(maximum), maximum: Some(maximum) };
            let _ = rustix::process::setrlimit(rustix::process::Resource::Memlock, raised);
            rustix::process::getrlimit(rustix::process::Resource::Memlock)
        }
        _ => limit,
    };
    match limit.current {
        Some(limit_bytes) if limit_bytes < needed_bytes && !may_lock_anyway() => {
            Err(Missing::LockedMemory { limit_bytes, needed_bytes })
        }
        _ => Ok(()),
    }
}

fn io_uring() -> io::Result<()> {
    let mut params = [0u8; 120];
    // SAFETY: the kernel reads and writes a `struct io_uring_params` (120 bytes, all zero is a
    // valid request for defaults) at the given address, which outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4, params.as_mut_ptr()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call returned this descriptor to us, and nobody else knows it.
    unsafe { libc::close(fd as libc::c_int) };
    Ok(())
}

/// CAP_IPC_LOCK: the limit does not count.
fn may_lock_anyway() -> bool {
    const CAP_IPC_LOCK: u32 = 14;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << CAP_IPC_LOCK) != 0)
}

/// Raises the number of files that may be open to what the machine allows; returns it.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
