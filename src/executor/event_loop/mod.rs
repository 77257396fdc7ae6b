//! The event loop of a core: the one place where it waits.
//!
//! glommio runs the tasks, first in, first out, and is kept from its own reactor, which would sleep beside us on rings
//! of its own: one task, [`run`], is always in its queue, so glommio never finds that queue empty. In each lap that
//! task turns the core's ring, wakes whoever has waited for time, for a descriptor or for another thread, and goes to
//! the end of the queue. If nobody else could run, it sleeps: in the one system call that also submits.
//!
//! **A core never sleeps while it could run.** All of a core's futures are a [`Task`], and each poll, each drop, each
//! wake-up on the core's thread and each new task is counted: its activity. glommio's queue is first in, first out, so
//! when the loop comes to run again and nothing was counted but its own poll, then nobody was in the queue beside it;
//! and if nothing is counted from there until it sleeps, then nobody is. What other threads wake comes through the
//! [`mailbox`], on which the core looks before it sleeps, and which wakes it afterwards.
//!
//! So nothing here may wait for what only glommio's reactor brings: its timers, its sockets, its channels between
//! executors. Only this folder, and `boot`, which makes the executors, name it.

mod mailbox;
mod task;
#[cfg(test)]
mod tests;
mod timers;
mod turn;

use crate::net::ring::Ring;
use crate::shard::SharedShard;
use mailbox::Mailbox;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use task::{Task, Tasks};
use timers::{TimerId, Timers};

/// So long that glommio's preempt timer never fires: ten years. It would send glommio to its reactor.
pub(super) const NEVER: Duration = Duration::from_secs(10 * 365 * 86_400);

thread_local!(static CORE: Core = Core::new());

/// What the tasks of this thread's core wait for.
struct Core {
    /// Counts whatever may have put a task into glommio's queue, and whatever was run from it.
    activity: Cell<u64>,
    tasks: RefCell<Tasks>,
    timers: RefCell<Timers>,
    polls: RefCell<Polls>,
    mailbox: Arc<Mailbox>,
    has_ended: Cell<bool>,
    /// How long the core looks for something to do before it sleeps.
    busy_poll: Cell<Duration>,
}

impl Core {
    fn new() -> Self {
        Self {
            activity: Cell::new(0),
            tasks: RefCell::default(),
            timers: RefCell::default(),
            polls: RefCell::default(),
            mailbox: Arc::new(Mailbox::new().expect("an eventfd can be had at start")),
            has_ended: Cell::new(false),
            busy_poll: Cell::new(Duration::ZERO),
        }
    }

    /// Something runs, or may run.
    fn act(&self) {
        self.activity.set(self.activity.get().wrapping_add(1));
    }

    /// Wakes a task of this thread.
    fn wake(&self, number: usize) {
        self.act();
        let waker = self.tasks.borrow().waker(number);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Wakes whoever has waited for `now`, and those whom other threads have woken.
    fn wake_due(&self, now: Instant) {
        loop {
            let due = self.timers.borrow_mut().pop_due(now);
            let Some(waker) = due else { break };
            waker.wake();
        }
        if self.mailbox.take() {
            let marked = self.tasks.borrow().marked();
            for waker in marked {
                self.act();
                waker.wake();
            }
        }
    }
}

/// Makes a future a task of this core. Dropping what comes back cancels it.
pub(super) fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> glommio::Task<T> {
    glommio::spawn_local(Task::new(future))
}

/// The first task of a core, from which all others come.
pub(super) fn first<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    Task::new(future)
}

/// Lets other tasks run. Every task that may have something to do for long calls this between two portions of it.
pub(super) async fn give_way() {
    futures_lite::future::yield_now().await;
}

/// Waits so long.
pub(super) async fn sleep(duration: Duration) {
    let deadline = Instant::now() + duration;
    let mut timer = Timer(None);
    poll_fn(|cx| {
        CORE.with(|core| {
            let mut timers = core.timers.borrow_mut();
            match timer.0 {
                None => timer.0 = Some(timers.begin(deadline, cx.waker().clone())),
                Some(timer) if timers.is_waiting(timer, cx.waker()) => {}
                Some(_) => return Poll::Ready(()),
            }
            Poll::Pending
        })
    })
    .await;
}

/// A timer of one who may be cancelled.
struct Timer(Option<TimerId>);

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(timer) = self.0 {
            let _ = CORE.try_with(|core| core.timers.borrow_mut().cancel(timer));
        }
    }
}

/// Descriptors that are waited for, each in a slot until the kernel has told of it.
#[derive(Default)]
struct Polls {
    slots: Vec<Polled>,
    free: Vec<u32>,
    /// To be submitted: what is to be polled, or `None` for a poll that is to end.
    asked: Vec<(u32, Option<RawFd>)>,
}

enum Polled {
    Waiting(Waker),
    /// With the result: events, or a negated errno.
    Done(i32),
    /// Nobody waits for it any more; the kernel has not told of it yet.
    Abandoned,
    Free,
}

/// Waits until a descriptor is readable, or has failed.
///
/// # Errors
/// If the kernel cannot poll it.
pub(super) fn readable(descriptor: &impl AsRawFd) -> impl Future<Output = io::Result<()>> {
    Readable { descriptor: descriptor.as_raw_fd(), slot: None }
}

struct Readable {
    descriptor: RawFd,
    slot: Option<u32>,
}

impl Future for Readable {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        CORE.with(|core| {
            let polls = &mut *core.polls.borrow_mut();
            let Some(slot) = self.slot else {
                self.slot = Some(polls.begin(self.descriptor, cx.waker().clone()));
                return Poll::Pending;
            };
            match &mut polls.slots[slot as usize] {
                Polled::Waiting(waker) => {
                    waker.clone_from(cx.waker());
                    Poll::Pending
                }
                Polled::Done(result) => {
                    let result = *result;
                    polls.release(slot);
                    self.slot = None;
                    Poll::Ready(if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(()) })
                }
                Polled::Abandoned | Polled::Free => unreachable!("it is waited for here"),
            }
        })
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            let _ = CORE.try_with(|core| core.polls.borrow_mut().abandon(slot));
        }
    }
}

impl Polls {
    fn begin(&mut self, descriptor: RawFd, waker: Waker) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Polled::Free);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Polled::Waiting(waker);
        self.asked.push((slot, Some(descriptor)));
        slot
    }

    fn release(&mut self, slot: u32) {
        self.slots[slot as usize] = Polled::Free;
        self.free.push(slot);
    }

    fn abandon(&mut self, slot: u32) {
        if let Polled::Done(_) = self.slots[slot as usize] {
            return self.release(slot);
        }
        self.slots[slot as usize] = Polled::Abandoned;
        self.asked.push((slot, None));
    }

    /// The kernel tells of one.
    fn complete(&mut self, slot: u32, result: i32) -> Option<Waker> {
        match std::mem::replace(&mut self.slots[slot as usize], Polled::Done(result)) {
            Polled::Waiting(waker) => Some(waker),
            _ => {
                self.release(slot);
                None
            }
        }
    }
}

/// A poll has completed.
pub(super) fn polled(slot: u32, result: i32) {
    CORE.with(|core| {
        let waker = core.polls.borrow_mut().complete(slot, result);
        waker.into_iter().for_each(Waker::wake);
    });
}

/// Ends the loop of this core: it does not begin another lap.
pub(super) fn end() {
    CORE.with(|core| core.has_ended.set(true));
}

/// Turns the ring of a core, and wakes its tasks, until [`end`]. Before it sleeps it looks so long for something to do.
pub(super) async fn run(shard: SharedShard, busy_poll: Duration) {
    CORE.with(|core| core.busy_poll.set(busy_poll));
    let mut idle = Idle::new();
    while !CORE.with(|core| core.has_ended.get()) {
        shard.borrow_mut().turn(&idle);
        idle.lap().await;
    }
    // The kernel may have operations on what the tasks of this core own. They stay until the process ends.
    std::mem::forget(shard);
    std::mem::forget(CORE.with(|core| core.tasks.take()));
}

/// What the loop knows of whether another task can run.
struct Idle {
    /// The activity since which nobody can, if nothing was counted after it.
    since: Option<u64>,
}

impl Idle {
    fn new() -> Self {
        Self { since: None }
    }

    /// Whether no other task can run.
    fn holds(&self) -> bool {
        self.since == Some(CORE.with(|core| core.activity.get()))
    }

    /// Lets those that can run do so, and learns whether there was any.
    async fn lap(&mut self) {
        if self.holds() {
            return;
        }
        let mut left = None;
        poll_fn(|cx| match left {
            None => {
                cx.waker().wake_by_ref();
                left = Some(CORE.with(|core| core.activity.get()));
                Poll::Pending
            }
            Some(left) => {
                let now = CORE.with(|core| core.activity.get());
                // Its own poll counts.
                self.since = (now == left.wrapping_add(1)).then_some(now);
                Poll::Ready(())
            }
        })
        .await;
    }
}

/// Submits what tasks have asked to be polled, and a read of the mailbox if there is none.
fn submit(ring: &mut Ring) {
    CORE.with(|core| {
        let polls = &mut *core.polls.borrow_mut();
        for (slot, descriptor) in polls.asked.drain(..) {
            match descriptor {
                Some(descriptor) => ring.poll(slot, descriptor),
                None => ring.cancel_poll(slot),
            }
        }
        ring.read_mailbox(core.mailbox.descriptor());
    });
}
