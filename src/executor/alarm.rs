//! Sleeping: how tasks of a core wait for time.
//!
//! An alarm is a timerfd, which glommio watches as it watches sockets. glommio's own timers are not used. One that goes
//! off while the core is just waking up for something else lies in the ring that glommio takes for the sign that its
//! tasks should make room; it then takes the round for idle and sleeps although tasks can run, until something else
//! happens to that core. (`src/executor/pace.rs` has the same story of the preempt timer.) A busy machine brought a core
//! to a stop that way once in some minutes, its clock and its ring of the sockets with it.

use glommio::io::PollableFd;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Waits so long, on a core's executor.
pub(super) async fn sleep(duration: Duration) {
    match set(duration) {
        // It fails only if the executor is gone, and then nobody waits.
        Ok(alarm) => drop(alarm.readable().await),
        // No descriptor is to be had. Accepting pauses for that too, and it passes.
        Err(_) => glommio::timer::sleep(duration).await,
    }
}

/// Readable when the time has come.
fn set(duration: Duration) -> io::Result<PollableFd<OwnedFd>> {
    let alarm = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    // Zero would be never.
    let nanoseconds = duration.subsec_nanos().max(u32::from(duration.is_zero()));
    let once = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: duration.as_secs() as i64, tv_nsec: nanoseconds.into() },
    };
    timerfd_settime(&alarm, TimerfdTimerFlags::empty(), &once)?;
    PollableFd::new(alarm).map_err(|error| io::Error::other(error.to_string()))
}
