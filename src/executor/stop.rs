//! Signals: those that ask a server to stop, and those that must not end it.
//!
//! A signal that nobody handles would end the process at once: no session would hear of it, and what is under way would
//! not be stored. So every signal that can be caught either asks to stop or does nothing. What is left are those of
//! faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT), SIGKILL, and the stops of job control.

use std::fmt;
use std::io;

/// Those that do nothing. SIGXFSZ: a file that may not grow is an error of the write, and the store is down. SIGPIPE: so
/// is a peer that is gone.
const IGNORED: &[libc::c_int] = &[
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGVTALRM,
    libc::SIGPROF,
    libc::SIGIO,
    libc::SIGPWR,
    libc::SIGSTKFLT,
    libc::SIGXFSZ,
    libc::SIGPIPE,
];
/// Those that ask to stop.
const STOPPING: &[libc::c_int] = &[libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP, libc::SIGXCPU];

/// A signal that asks a server to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopSignal(libc::c_int);

impl StopSignal {
    /// Whether a second one means: at once. A terminal that closes may send SIGHUP several times, and SIGXCPU comes every
    /// second, so they never do.
    pub fn is_insistent(self) -> bool {
        matches!(self.0, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
    }
}

impl StopSignal {
    /// Whether it is SIGHUP, which means something else to a server that can read something again.
    pub fn is_hangup(self) -> bool {
        self.0 == libc::SIGHUP
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            libc::SIGTERM => "SIGTERM",
            libc::SIGINT => "SIGINT",
            libc::SIGQUIT => "SIGQUIT",
            libc::SIGHUP => "SIGHUP",
            _ => "SIGXCPU",
        })
    }
}

/// The signals that stop a server, blocked in every thread that is started from now on.
pub struct StopSignals(libc::sigset_t);

impl StopSignals {
    /// Blocks them in this thread, and has the others ignored. Call before any other thread is started.
    ///
    /// # Errors
    /// If the system refuses, which it does not.
    pub fn block() -> io::Result<Self> {
        for signal in IGNORED.iter().copied().chain(libc::SIGRTMIN()..=libc::SIGRTMAX()) {
            // SAFETY: a system call on numbers; no handler of ours is installed or replaced.
            if unsafe { libc::signal(signal, libc::SIG_IGN) } == libc::SIG_ERR {
                return Err(io::Error::last_os_error());
            }
        }
        // SAFETY: sigset_t is plain data, filled in by sigemptyset before anything reads it; the
        // pointers live through the calls.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            for &signal in STOPPING {
                if signal != libc::SIGHUP || !is_ignored(signal)? {
                    libc::sigaddset(&raw mut set, signal);
                }
            }
            match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) {
                0 => Ok(Self(set)),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// Waits for one of them.
    pub fn wait(&self) -> StopSignal {
        let mut signal = 0;
        // SAFETY: the set was filled in by `block`, and `signal` outlives the call.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
        StopSignal(signal)
    }
}

/// Whether whoever started this process has it ignore a signal, as `nohup` does.
fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
    // SAFETY: sigaction is plain data that the call fills in; nothing is changed.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        match libc::sigaction(signal, std::ptr::null(), &raw mut action) {
            0 => Ok(action.sa_sigaction == libc::SIG_IGN),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
