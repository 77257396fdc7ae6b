//! One turn of a core: what is to be submitted is, what has completed is handled, and where nothing is to be done the
//! core sleeps in between.

use super::mailbox::Mailbox;
use super::{CORE, Idle};
use crate::metrics;
use crate::net::ring::{Operation, Ring};
use crate::net::sockets::Hurry;
use crate::shard::Shard;
use chatd_chat::port::event::Event;
use std::time::{Duration, Instant};

impl Shard {
    /// Whether something waits to be submitted, or to be told to the hub.
    fn has_work(&mut self) -> bool {
        self.sockets.has_work() || self.bus.has_work()
    }

    /// Submits what is to be submitted, sleeps if nobody can run, handles what has completed, and wakes who has waited
    /// for it.
    pub(super) fn turn(&mut self, idle: &Idle) {
        self.shake_hands();
        let entered_ns = self.submit(idle);
        let received = self.metrics.counters.received_bytes;
        self.complete_some();
        if let Some(entered_ns) = entered_ns
            && self.metrics.counters.received_bytes > received
        {
            self.metrics.record(metrics::Stage::Read, entered_ns, self.clock().steady_ns());
        }
        for connection in self.sockets.over(self.limits.partial_core_bytes) {
            self.feed(Event::Shed { connection });
        }
        self.tell_gone();
        CORE.with(|core| core.wake_due(self.clock().instant()));
    }

    /// Handles what has completed, as much of it as a turn may.
    fn complete_some(&mut self) {
        /// That a send is through is a small part of the work that a request is.
        const RECEIVE: usize = 8;
        const WORK_A_TURN: usize = 128 * RECEIVE;
        let mut done = 0;
        while done < WORK_A_TURN
            && let Some(completion) = self.sockets.ring.next()
        {
            done += if matches!(completion.operation, Operation::Send(_)) { 1 } else { RECEIVE };
            self.complete(completion);
        }
    }

    /// Handles what has come by now, in the midst of a turn. Sends to many take so long that others speak meanwhile, and what
    /// they say would go to the same readers in sends of its own. And who is asked whether a session is still there looks
    /// whether it has gone.
    pub(crate) fn gather(&mut self) {
        self.sockets.ring.enter();
        self.begin_turn();
        self.complete_some();
    }

    /// One system call at most, and one more before sends to many: it submits, and waits if nobody can run. When it began,
    /// if that is measured.
    fn submit(&mut self, idle: &Idle) -> Option<u64> {
        for id in std::mem::take(&mut self.sockets.resumed) {
            self.go_on(id);
        }
        if self.sockets.is_for_many() {
            self.gather();
        }
        let hurry = if idle.holds() { Hurry::Idle } else { Hurry::Busy };
        self.sockets.flush(hurry);
        self.bus.flush(&mut self.sockets.ring, hurry);
        if self.sockets.ring.has_sent() {
            self.handle_sent();
        }
        super::submit(&mut self.sockets.ring);
        let mut entered_ns = None;
        if idle.holds() && !self.has_work_left() {
            self.sleep();
        } else if self.sockets.ring.wants_enter() {
            entered_ns = self.metrics.is_on().then(|| self.clock().peek_ns());
            self.sockets.ring.enter();
        }
        self.begin_turn();
        self.metrics.begin_turn();
        entered_ns
    }

    /// Handles what was sent at once, before anything else completes.
    fn handle_sent(&mut self) {
        self.begin_turn();
        while self.sockets.ring.has_sent()
            && let Some(completion) = self.sockets.ring.next()
        {
            self.complete(completion);
        }
    }

    /// Whether there is something to be handled without waiting for it.
    fn has_work_left(&mut self) -> bool {
        self.sockets.ring.has_completions() || self.has_work()
    }

    /// Waits until something completes, until somebody posts, or until the first timer is due.
    fn sleep(&mut self) {
        let ring = &mut self.sockets.ring;
        CORE.with(|core| {
            let first = core.timers.borrow_mut().first();
            first.into_iter().for_each(|deadline| ring.wake_at(deadline));
            if core.busy_poll.get().is_zero() || !spin(ring, &core.mailbox, core.busy_poll.get()) {
                if core.mailbox.fall_asleep() {
                    ring.wait(Duration::MAX);
                    core.mailbox.wake_up();
                } else {
                    ring.enter();
                }
            }
        });
    }
}

/// Looks for something to do, for so long at most; whether there is.
fn spin(ring: &mut Ring, mailbox: &Mailbox, patience: Duration) -> bool {
    // What is to be submitted is not held back.
    ring.enter();
    let begun = Instant::now();
    loop {
        if mailbox.has_post() || ring.has_completions() {
            ring.enter();
            return true;
        }
        if begun.elapsed() >= patience {
            return false;
        }
        std::hint::spin_loop();
    }
}
