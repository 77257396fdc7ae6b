//! What somebody at the terminal does: asks for the end, or makes the window another size.
//!
//! Both are looked at each time: crossterm's own events forget a key that comes together with a new size of the window.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use std::fs::File;
use std::io::{self, IsTerminal, stdin};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CTRL_C: u8 = 3;
const ESCAPE: u8 = 0x1b;

/// What has been done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    Nothing,
    Resized,
    SeenEnough,
}

/// The terminal's keys, and the signal that its size is another one.
pub(super) struct Keys {
    /// Where keys come from if not from stdin.
    terminal: Option<File>,
    resized: Arc<AtomicBool>,
}

impl Keys {
    /// Those of the terminal that crossterm makes raw: stdin, or the one that the process was started from.
    pub(super) fn new() -> io::Result<Self> {
        let resized = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGWINCH, resized.clone())?;
        let terminal = if stdin().is_terminal() { None } else { Some(File::open("/dev/tty")?) };
        Ok(Self { terminal, resized })
    }

    /// Waits until something is done, for so long at most.
    pub(super) fn wait(&self, most: Duration) -> io::Result<Done> {
        if self.resized.swap(false, Ordering::Relaxed) {
            return Ok(Done::Resized);
        }
        let stdin = stdin();
        let terminal = self.terminal.as_ref().map_or(stdin.as_fd(), AsFd::as_fd);
        match poll(&mut [PollFd::new(&terminal, PollFlags::IN)], Some(&timespec(most))) {
            Ok(0) | Err(Errno::INTR) => Ok(Done::Nothing),
            Ok(_) => pressed(terminal),
            Err(error) => Err(error.into()),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec::try_from(duration).expect("less than a second")
}

fn pressed(terminal: BorrowedFd<'_>) -> io::Result<Done> {
    let mut keys = [0; 64];
    match read(terminal, &mut keys) {
        // Nobody is there any more.
        Ok(0) => Ok(Done::SeenEnough),
        Ok(length) if end(&keys[..length]) => Ok(Done::SeenEnough),
        Ok(_) | Err(Errno::INTR) => Ok(Done::Nothing),
        Err(error) => Err(error.into()),
    }
}

/// Whether one of the keys asks for the end: q, Ctrl-C or Escape. An arrow begins like Escape, and may go on with any letter.
fn end(keys: &[u8]) -> bool {
    let is_sequence = keys.len() > 1 && keys[0] == ESCAPE;
    keys == [ESCAPE] || keys.contains(&CTRL_C) || !is_sequence && keys.iter().any(|key| b"qQ".contains(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn q_ctrl_c_and_escape_end_and_arrows_do_not() {
        for keys in [&b"q"[..], b"Q", b"\x03", b"\x1b", b"xq", b"\x1b[A\x03"] {
            assert!(end(keys), "{keys:?}");
        }
        for keys in [&b""[..], b"x", b"\x1b[A", b"\x1bOq", b"\xc3\xa4"] {
            assert!(!end(keys), "{keys:?}");
        }
    }

    #[test]
    fn a_key_that_comes_with_a_new_size_is_seen_after_it() {
        let (reader, writer) = io::pipe().expect("a pipe");
        let terminal = File::from(std::os::fd::OwnedFd::from(reader));
        let keys = Keys { terminal: Some(terminal), resized: Arc::new(AtomicBool::new(true)) };
        rustix::io::write(&writer, b"\x03").expect("a key");
        assert_eq!(keys.wait(Duration::ZERO).expect("a look"), Done::Resized);
        assert_eq!(keys.wait(Duration::ZERO).expect("a look"), Done::SeenEnough);
        assert_eq!(keys.wait(Duration::ZERO).expect("a look"), Done::Nothing);
        drop(writer);
        assert_eq!(keys.wait(Duration::ZERO).expect("a look"), Done::SeenEnough);
    }
}
