//! Signals: those that ask a server to stop, and those that must not end it.
//!
//! A signal that nobody handles would end the process at once: no session would hear of it, and what is under way would
//! not be stored. So every signal that can be caught either asks to stop or does nothing, but for SIGHUP: it has read again
//! what can be, unless it tells of the end of the terminal in whose foreground the server was started. What is left are those of
//! faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS, SIGTRAP, SIGABRT), SIGKILL, and the stops of job control.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;

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

/// A signal that asks a server to stop, or to read something again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StopSignal {
    number: libc::c_int,
    /// Whether the terminal has closed in whose foreground the server was started.
    of_terminal: bool,
}

impl StopSignal {
    /// Whether a second one means: at once. A terminal that closes may send SIGHUP several times, and SIGXCPU comes every
    /// second, so they never do.
    pub fn is_insistent(self) -> bool {
        matches!(self.number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
    }

    /// Whether it is a SIGHUP that somebody has sent, and does not tell of a terminal that has closed.
    pub fn is_hangup(self) -> bool {
        self.number == libc::SIGHUP && !self.of_terminal
    }
}

impl fmt::Display for StopSignal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.number {
            libc::SIGTERM => "SIGTERM",
            libc::SIGINT => "SIGINT",
            libc::SIGQUIT => "SIGQUIT",
            libc::SIGHUP => "SIGHUP",
            _ => "SIGXCPU",
        })
    }
}

/// The signals that stop a server, blocked in every thread that is started from now on.
pub struct StopSignals {
    set: libc::sigset_t,
    /// Whether this process was started in the foreground of a terminal, whose end is meant for it.
    has_terminal: bool,
}

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
                0 => Ok(Self { set, has_terminal: is_in_foreground() }),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// Waits for one of them.
    pub fn wait(&self) -> StopSignal {
        let mut signal = 0;
        // SAFETY: the set was filled in by `block`, and `signal` outlives the call.
        unsafe { libc::sigwait(&raw const self.set, &raw mut signal) };
        StopSignal { number: signal, of_terminal: self.has_terminal && terminal().is_none() }
    }
}

/// The terminal that this process belongs to, while there is one.
fn terminal() -> Option<File> {
    File::options().read(true).custom_flags(libc::O_NOCTTY).open("/dev/tty").ok()
}

/// Whether this process is what runs in its terminal, and not behind it.
fn is_in_foreground() -> bool {
    let foreground = terminal().and_then(|terminal| rustix::termios::tcgetpgrp(terminal).ok());
    // SAFETY: a system call that takes nothing and cannot fail. Where the group was made outside of
    // this process's pid namespace, it gives 0, which no `Pid` may be.
    let own = rustix::process::Pid::from_raw(unsafe { libc::getpgrp() });
    own.is_some() && foreground == own
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
