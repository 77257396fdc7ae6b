//! A task of a core: a future that may be woken from any thread, and that shows in the core's activity.
//!
//! glommio's own wakers post to glommio's reactor when they are used on another thread, and the reactor is where a
//! core does not wait. So a future is polled with a waker of ours: on the core's thread it passes the wake-up on to
//! glommio, which puts the task into its queue; on another it marks the task and posts to the core's mailbox.

use super::mailbox::Mailbox;
use super::{CORE, Core};
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The tasks of a core that wait, by their number.
#[derive(Default)]
pub(super) struct Tasks {
    slots: Vec<Option<Entry>>,
    free: Vec<usize>,
}

struct Entry {
    /// glommio's.
    waker: Waker,
    shared: Arc<TaskWaker>,
}

/// What whoever wakes a task holds.
struct TaskWaker {
    number: usize,
    /// Whether it was woken from another thread.
    marked: AtomicBool,
    mailbox: Arc<Mailbox>,
    /// The thread of its core.
    thread: usize,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.thread == this_thread() {
            CORE.with(|core| core.wake(self.number));
        } else if !self.marked.swap(true, Ordering::AcqRel) {
            self.mailbox.post();
        }
    }
}

/// A number that no other living thread has: an address within it.
pub(super) fn this_thread() -> usize {
    thread_local!(static ANCHOR: Cell<u8> = const { Cell::new(0) });
    ANCHOR.with(|anchor| std::ptr::from_ref(anchor).addr())
}

impl Tasks {
    fn insert(&mut self, waker: Waker, mailbox: Arc<Mailbox>) -> Arc<TaskWaker> {
        let number = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let thread = this_thread();
        let shared = Arc::new(TaskWaker { number, marked: AtomicBool::new(false), mailbox, thread });
        self.slots[number] = Some(Entry { waker, shared: shared.clone() });
        shared
    }

    /// The waker of a task, if that is still there.
    pub(super) fn waker(&self, number: usize) -> Option<Waker> {
        self.slots.get(number)?.as_ref().map(|entry| entry.waker.clone())
    }

    /// The wakers of those that were marked.
    pub(super) fn marked(&self) -> Vec<Waker> {
        let entries = self.slots.iter().flatten();
        let marked = entries.filter(|entry| entry.shared.marked.swap(false, Ordering::AcqRel));
        marked.map(|entry| entry.waker.clone()).collect()
    }

    fn remove(&mut self, number: usize) -> Option<Entry> {
        let entry = self.slots.get_mut(number)?.take();
        self.free.push(number);
        entry
    }
}

/// A future as its core runs it. Every task of a core is one.
pub(crate) struct Task<F> {
    future: F,
    /// Once it was polled.
    waker: Option<(usize, Waker)>,
}

impl<F> Task<F> {
    pub(crate) fn new(future: F) -> Self {
        CORE.with(Core::act);
        Self { future, waker: None }
    }
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with the task and is not moved out of it; the other field is not pinned.
        let (future, waker) = unsafe {
            let task = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut task.future), &mut task.waker)
        };
        let (_, waker) = waker.get_or_insert_with(|| {
            let shared = CORE.with(|core| {
                let mailbox = core.mailbox.clone();
                core.tasks.borrow_mut().insert(cx.waker().clone(), mailbox)
            });
            (shared.number, shared.into())
        });
        CORE.with(Core::act);
        future.poll(&mut Context::from_waker(waker))
    }
}

impl<F> Drop for Task<F> {
    fn drop(&mut self) {
        // What it held may wake others, as may what waits for its end.
        let _ = CORE.try_with(|core| {
            core.act();
            let entry = self.waker.take().map(|(number, _)| core.tasks.borrow_mut().remove(number));
            // The waker may be the last that knows the task: it goes when nothing is borrowed.
            drop(entry);
        });
    }
}
