//! How the tasks of a core share it.
//!
//! Owns the pace: who could go on lets the others go first, and now and then all wait until
//! glommio has looked at its rings, timers and channels, which it does only when nobody can run.
//!
//! glommio's own way of interrupting the tasks, the preempt timer, is not used. When it fires
//! before the first task of a round has run, glommio takes the round for idle and sleeps although
//! tasks can run, until something else happens to that core. With more executors than CPUs that is
//! a matter of seconds: cores hung before they were ready.

use futures_lite::future::yield_now;
use glommio::io::PollableFd;
use rustix::event::{EventfdFlags, eventfd};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How long tasks run before glommio looks at its rings again: the bound of what a flooding client
/// can cost messages from other cores, answers of the store, and timers.
const ROUND: Duration = Duration::from_micros(250);

/// So long that glommio's preempt timer never fires.
pub(super) const NEVER: Duration = Duration::from_secs(86_400);

/// The pace of one core, shared by its tasks.
#[derive(Clone)]
pub(super) struct Pace(Rc<Inner>);

struct Inner {
    /// When glommio last looked at its rings, as far as we know.
    looked: Cell<Instant>,
    /// Always readable: whoever waits for that waits for glommio to look.
    ready: PollableFd<OwnedFd>,
}

impl Pace {
    /// Call on the core's executor.
    pub(super) fn new() -> io::Result<Self> {
        let ready = PollableFd::new(eventfd(1, EventfdFlags::CLOEXEC)?)?;
        Ok(Self(Rc::new(Inner { looked: Cell::new(Instant::now()), ready })))
    }

    /// Lets other tasks run. Every task that may have something to do for long calls this between
    /// two portions of it.
    pub(super) async fn give_way(&self) {
        if self.0.looked.get().elapsed() < ROUND {
            return yield_now().await;
        }
        // It fails only if the executor is gone, and then nobody runs.
        let _ = self.0.ready.readable().await;
        self.looked();
    }

    /// Says that glommio has just looked: it brought what this task has waited for.
    pub(super) fn looked(&self) {
        self.0.looked.set(Instant::now());
    }

    /// Waits for something that only glommio can bring, if it is not there yet.
    pub(super) async fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut waited = false;
        let result = poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            waited |= polled.is_pending();
            polled
        })
        .await;
        if waited {
            self.looked();
        }
        result
    }
}
