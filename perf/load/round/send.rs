//! The sending half of a round: what is due is intended, tried once, and written as far as sockets take it.

use super::{Begun, Pace, Round, SENDS_A_TURN};
use crate::load::connection::Flow;
use crate::wire::Acks;

impl Round<'_> {
    /// Sends what is due.
    pub(super) fn let_loose(&mut self, now_ns: u64) {
        match self.orders.pace {
            Pace::Open(sends) => {
                let start_ns = self.orders.start_ns;
                let turn_end = sends.len().min(self.next_send + SENDS_A_TURN);
                while self.next_send < turn_end && start_ns + sends[self.next_send].at_ns <= now_ns {
                    let send = sends[self.next_send];
                    self.next_send += 1;
                    self.intend(send.talk, start_ns + send.at_ns);
                }
            }
            Pace::Closed { under_way, .. } if self.begun == Begun::No && now_ns >= self.orders.start_ns => {
                self.begun = Begun::Yes;
                for talk in 0..self.fleet.talks.len() as u32 {
                    self.go_on(talk, u64::from(under_way), self.orders.clock.now_ns());
                    self.send_dirty();
                }
            }
            Pace::Closed { .. } => {}
        }
        self.send_dirty();
    }

    fn intend(&mut self, number: u32, time_ns: u64) {
        let talk = &mut self.fleet.talks[number as usize];
        if talk.fresh == 0 {
            self.dirty.push(number);
        }
        talk.fresh += 1;
        talk.due.push_back(time_ns);
        self.last_activity_ns = self.last_activity_ns.max(time_ns);
        let counts = &mut self.recorder.counts;
        counts.intended += 1;
        counts.expected += talk.fan_out();
        if self.fleet.acks == Acks::Asked {
            counts.acks_expected += 1;
        }
    }

    /// Tries every talk with something fresh once. Lag ends here, at the first attempt: what a full socket adds
    /// afterwards is the server's doing and belongs to the latency alone.
    pub(super) fn send_dirty(&mut self) {
        // Oldest first. The list is put back, so that its memory is.
        let mut dirty = std::mem::take(&mut self.dirty);
        for number in dirty.drain(..) {
            self.note_lag(number);
            let sender = self.fleet.talks[number as usize].sender as usize;
            if self.fleet.connections[sender].flow == Flow::Open {
                self.flush(number);
            }
        }
        self.dirty = dirty;
    }

    fn note_lag(&mut self, number: u32) {
        let talk = &mut self.fleet.talks[number as usize];
        let fresh = std::mem::take(&mut talk.fresh);
        if let Pace::Closed { .. } = self.orders.pace {
            return;
        }
        let now_ns = self.orders.clock.now_ns();
        for &intended_ns in talk.due.range(talk.due.len() - fresh..) {
            let lag_ns = now_ns.saturating_sub(intended_ns);
            if self.orders.window.contains(&intended_ns) {
                self.recorder.lag.saturating_record(lag_ns);
            }
            self.interval.lag.saturating_record(lag_ns);
        }
    }

    pub(super) fn flush(&mut self, number: u32) {
        let talk = &mut self.fleet.talks[number as usize];
        let sender = talk.sender as usize;
        let flushed = talk.flush(number, &mut self.fleet.connections[sender], &mut self.recorder.counts);
        if let Err(error) = flushed {
            self.recorder.socket_error(&error);
            self.close(sender);
        }
    }

    /// The next messages of a talk in a closed loop.
    fn go_on(&mut self, number: u32, messages: u64, now_ns: u64) {
        for _ in 0..messages {
            if self.may_go_on(now_ns) {
                self.intend(number, now_ns);
            }
        }
    }

    /// Closed loop: a message is over when all who should have heard it have, and the next one leaves.
    pub(super) fn go_on_when_heard(&mut self, number: u32, now_ns: u64) {
        if let Pace::Open(_) = self.orders.pace {
            return;
        }
        let talk = &mut self.fleet.talks[number as usize];
        talk.awaited += 1;
        if talk.awaited >= talk.fan_out() {
            talk.awaited = 0;
            self.go_on(number, 1, now_ns);
        }
    }

    /// Whether a closed loop still answers a delivery with a new message.
    pub(super) fn may_go_on(&self, now_ns: u64) -> bool {
        match self.orders.pace {
            Pace::Open(_) => false,
            Pace::Closed { messages_max, .. } => {
                now_ns < self.orders.window.end && self.recorder.counts.intended < messages_max
            }
        }
    }
}
