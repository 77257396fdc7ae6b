//! Waiting for events or for a moment, to the microsecond.
//!
//! The timeout of epoll is in milliseconds on older kernels, so the moment is a timerfd in the same epoll. It
//! knows nothing of what it waits for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// The token of the timer; no connection has it.
pub const TIMER: u64 = u64::MAX;

pub struct Timer {
    descriptor: OwnedFd,
}

impl Timer {
    pub fn new(epoll: impl AsFd) -> io::Result<Timer> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Edge-triggered, so an expiry need not be read to fall silent.
        let interest = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(epoll, &descriptor, epoll::EventData::new_u64(TIMER), interest)?;
        Ok(Timer { descriptor })
    }

    /// Goes off once, this long from now; an earlier setting is forgotten.
    pub fn set(&self, delay_ns: u64) -> io::Result<()> {
        let value = Timespec {
            tv_sec: (delay_ns / 1_000_000_000) as i64,
            tv_nsec: (delay_ns % 1_000_000_000).max(1) as i64,
        };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.descriptor, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

/// Fills `events`, up to their capacity, waiting at most so many milliseconds (`None`: for as long as it takes).
pub fn wait(epoll: impl AsFd, events: &mut Vec<epoll::Event>, at_most_ms: Option<i64>) -> io::Result<()> {
    events.clear();
    let timeout = at_most_ms.map(|ms| Timespec { tv_sec: ms / 1000, tv_nsec: ms % 1000 * 1_000_000 });
    match epoll::wait(epoll, spare_capacity(events), timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
