//! The terminal's modes: without echo while this program runs, as they were before when it ends.
//!
//! The editor turns echo off while it reads. Here it is off between two lines too, so that what is
//! typed ahead (a pasted password) is not shown by the kernel, and messages are not torn by it.

use libc::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGPWR, SIGQUIT, SIGSTKFLT, SIGTERM, SIGUSR1, SIGUSR2,
    SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::iterator::Signals;
use std::io::{self, Write};
use std::thread;

/// Gives the modes back when it is dropped.
pub struct Modes(Termios);

/// Turns bracketed paste off, should the editor not have come to it.
const PLAIN_PASTE: &str = "\x1b[?2004l";

impl Modes {
    /// Turns echo off for a whole run, and sees to it that a signal that ends the program gives the
    /// modes back.
    ///
    /// # Errors
    /// If standard input is no terminal any more.
    pub fn for_editing() -> io::Result<Self> {
        give_back_on_signals(tcgetattr(io::stdin())?)?;
        Self::without_echo()
    }

    /// Turns echo off.
    ///
    /// # Errors
    /// If standard input is no terminal.
    pub fn without_echo() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Now, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Modes {
    fn drop(&mut self) {
        give_back(&self.0);
    }
}

/// The signals that end a program that does nothing about them, and that it can do something about. SIGPIPE is ignored
/// by Rust programs.
const DEADLY: [i32; 14] = [
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGPWR, SIGQUIT, SIGSTKFLT, SIGTERM, SIGUSR1, SIGUSR2,
    SIGVTALRM, SIGXCPU, SIGXFSZ,
];

fn give_back(modes: &Termios) {
    // A terminal that is gone needs no modes.
    let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
}

fn give_back_on_signals(modes: Termios) -> io::Result<()> {
    let mut signals = Signals::new(DEADLY)?;
    thread::Builder::new().name("chat-signals".to_owned()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            give_back(&modes);
            let _ = writeln!(io::stdout(), "{PLAIN_PASTE}");
            // Not by the signal itself: some of them have all memory written to a disk, passwords too.
            std::process::exit(128 + signal);
        }
    })?;
    Ok(())
}
