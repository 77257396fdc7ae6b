//! The mailbox of a core: how other threads wake its tasks.
//!
//! Whoever wakes a task from another thread marks the task, then posts. The core reads its marks in each lap; while it
//! sleeps, a post writes its eventfd, on which its ring has a read. The two orders cross: the poster writes `posted`
//! and then reads `asleep`, the core writes `asleep` and then reads `posted`, all sequentially consistent. So at least
//! one of the two sees the other, and no post is slept over.

use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

/// What other threads hold of a core.
#[derive(Debug)]
pub(super) struct Mailbox {
    /// Whether some task was marked since the core looked last.
    posted: AtomicBool,
    /// Whether the core is about to sleep, or sleeps.
    asleep: AtomicBool,
    eventfd: OwnedFd,
}

impl Mailbox {
    pub(super) fn new() -> io::Result<Self> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self { posted: AtomicBool::new(false), asleep: AtomicBool::new(false), eventfd })
    }

    /// What the core's ring reads.
    pub(super) fn descriptor(&self) -> RawFd {
        self.eventfd.as_raw_fd()
    }

    /// From another thread: a task is marked.
    pub(super) fn post(&self) {
        self.posted.store(true, Ordering::SeqCst);
        if self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst) {
            // It fails only if the counter is full, and then the core is being woken already.
            let _ = rustix::io::write(&self.eventfd, &1_u64.to_ne_bytes());
        }
    }

    /// Whether something was posted since this was asked last.
    pub(super) fn take(&self) -> bool {
        self.posted.load(Ordering::Relaxed) && self.posted.swap(false, Ordering::SeqCst)
    }

    /// Whether something was posted that was not taken.
    pub(super) fn has_post(&self) -> bool {
        self.posted.load(Ordering::SeqCst)
    }

    /// Whether the core may sleep: from now on posts wake it. It may not if something was posted.
    pub(super) fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        let quiet = !self.has_post();
        if !quiet {
            self.wake_up();
        }
        quiet
    }

    /// The core is awake: posts need not wake it.
    pub(super) fn wake_up(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn has_rung(mailbox: &Mailbox) -> bool {
        rustix::io::read(&mailbox.eventfd, &mut [0; 8]).is_ok()
    }

    #[test]
    fn only_a_sleeping_core_is_rung() {
        let mailbox = Mailbox::new().expect("an eventfd");
        mailbox.post();
        assert!(!has_rung(&mailbox), "it is awake");
        assert!(!mailbox.fall_asleep(), "it may not sleep over a post");
        assert!(mailbox.take() && !mailbox.take());
        assert!(mailbox.fall_asleep());
        mailbox.post();
        mailbox.post();
        assert!(has_rung(&mailbox) && mailbox.take(), "it is woken");
    }

    /// A core that sleeps whenever it may, and a thread that posts: every post is taken or rings.
    #[test]
    fn no_post_is_slept_over() {
        const POSTS: u64 = 200_000;
        let mailbox = Arc::new(Mailbox::new().expect("an eventfd"));
        let sent = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let poster = {
            let (mailbox, sent) = (mailbox.clone(), sent.clone());
            std::thread::spawn(move || {
                for number in 1..=POSTS {
                    sent.store(number, Ordering::Relaxed);
                    mailbox.post();
                }
            })
        };
        let mut seen = 0;
        while seen < POSTS {
            if mailbox.fall_asleep() {
                // Readable within any time at all, or this test would never end.
                let mut fds = [rustix::event::PollFd::new(&mailbox.eventfd, rustix::event::PollFlags::IN)];
                rustix::event::poll(&mut fds, None).expect("a poll");
                has_rung(&mailbox);
                mailbox.wake_up();
            }
            if mailbox.take() {
                seen = sent.load(Ordering::SeqCst);
            }
        }
        poster.join().expect("it has posted");
    }
}
