//! How a server is asked to stop: SIGTERM and SIGINT.

use std::io;

/// The signals that stop a server, blocked in every thread that is started from now on.
pub struct StopSignals(libc::sigset_t);

impl StopSignals {
    /// Blocks them in this thread. Call before any other thread is started.
    ///
    /// # Errors
    /// If the system refuses, which it does not.
    pub fn block() -> io::Result<Self> {
        // SAFETY: sigset_t is plain data, filled in by sigemptyset before anything reads it; the
        // pointers live through the calls.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGTERM);
            libc::sigaddset(&raw mut set, libc::SIGINT);
            match libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) {
                0 => Ok(Self(set)),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }
    }

    /// Waits for one of them; its name.
    pub fn wait(&self) -> &'static str {
        let mut signal = 0;
        // SAFETY: the set was filled in by `block`, and `signal` outlives the call.
        unsafe { libc::sigwait(&raw const self.0, &raw mut signal) };
        if signal == libc::SIGINT { "SIGINT" } else { "SIGTERM" }
    }
}
