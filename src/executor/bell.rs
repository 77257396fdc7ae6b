//! A bell: how a core wakes a plain thread that waits in `poll`, with one system call for all that is said meanwhile.

use rustix::event::{EventfdFlags, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// What all who ring hold, and the one who hears.
#[derive(Debug)]
pub(super) struct Bell {
    /// Whether it was rung and not heard.
    is_rung: AtomicBool,
    eventfd: OwnedFd,
}

impl Bell {
    pub(super) fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
        Ok(Self { is_rung: AtomicBool::new(false), eventfd })
    }

    /// Something was put where the one who hears looks.
    pub(super) fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            // It fails only if the counter is full, and then the thread is being woken already.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }

    /// To be called before looking: whatever comes later rings anew.
    pub(super) fn hear(&self) {
        let mut rings = [0; 8];
        let _ = rustix::io::read(&self.eventfd, &mut rings);
        // Only now: whoever rings before this does not write, and what that one has put there is found.
        self.is_rung.swap(false, Ordering::AcqRel);
    }
}

/// Readable when it was rung.
impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::sync::Arc;
    use std::thread;

    fn is_readable(bell: &Bell) -> bool {
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&now)).expect("poll") == 1
    }

    #[test]
    fn it_is_heard_once_however_often_it_was_rung_and_again_when_it_is_rung_again() {
        let bell = Bell::new().unwrap();
        for _ in 0..3 {
            assert!(!is_readable(&bell));
            bell.ring();
            bell.ring();
            assert!(is_readable(&bell));
            bell.hear();
        }
    }

    #[test]
    fn nothing_that_is_said_is_slept_over() {
        const EACH: u32 = 20_000;
        let bell = Arc::new(Bell::new().unwrap());
        let (say, said) = flume::unbounded();
        let speakers: Vec<_> = (0..2)
            .map(|_| {
                let (bell, say) = (bell.clone(), say.clone());
                thread::spawn(move || {
                    for word in 0..EACH {
                        say.send(word).expect("somebody hears");
                        bell.ring();
                    }
                })
            })
            .collect();
        let mut heard = 0;
        while heard < 2 * EACH {
            // It ends only if nothing is slept over.
            poll(&mut [PollFd::new(&*bell, PollFlags::IN)], None).expect("poll");
            bell.hear();
            heard += said.try_iter().count() as u32;
        }
        speakers.into_iter().for_each(|speaker| speaker.join().unwrap());
    }
}
