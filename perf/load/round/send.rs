//! The sending half of a round: what is due is intended, tried once, and written as far as sockets take it.

use super::{Begun, Pace, Round, SENDS_A_TURN};
use crate::load::connection::Flow;

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
                    self.intend(send.pair, start_ns + send.at_ns);
                }
            }
            Pace::Closed { under_way, .. } if self.begun == Begun::No && now_ns >= self.orders.start_ns => {
                self.begun = Begun::Yes;
                for pair in 0..self.fleet.pairs.len() as u32 {
                    self.go_on(pair, u64::from(under_way), self.orders.clock.now_ns());
                    self.send_dirty();
                }
            }
            Pace::Closed { .. } => {}
        }
        self.send_dirty();
    }

    fn intend(&mut self, number: u32, time_ns: u64) {
        let pair = &mut self.fleet.pairs[number as usize];
        if pair.fresh == 0 {
            self.dirty.push(number);
        }
        pair.fresh += 1;
        pair.due.push_back(time_ns);
        self.last_activity_ns = self.last_activity_ns.max(time_ns);
        self.recorder.counts.intended += 1;
    }

    /// Tries every pair with something fresh once. Lag ends here, at the first attempt: what a full socket adds
    /// afterwards is the server's doing and belongs to the latency alone.
    pub(super) fn send_dirty(&mut self) {
        // Oldest first. The list is put back, so that its memory is.
        let mut dirty = std::mem::take(&mut self.dirty);
        for number in dirty.drain(..) {
            self.note_lag(number);
            if self.fleet.connections[2 * number as usize].flow == Flow::Open {
                self.flush(number);
            }
        }
        self.dirty = dirty;
    }

    fn note_lag(&mut self, number: u32) {
        let pair = &mut self.fleet.pairs[number as usize];
        let fresh = std::mem::take(&mut pair.fresh);
        if let Pace::Closed { .. } = self.orders.pace {
            return;
        }
        let now_ns = self.orders.clock.now_ns();
        for &intended_ns in pair.due.range(pair.due.len() - fresh..) {
            let lag_ns = now_ns.saturating_sub(intended_ns);
            if self.orders.window.contains(&intended_ns) {
                self.recorder.lag.saturating_record(lag_ns);
            }
            self.interval.lag.saturating_record(lag_ns);
        }
    }

    pub(super) fn flush(&mut self, number: u32) {
        let sender = 2 * number as usize;
        let pair = &mut self.fleet.pairs[number as usize];
        let flushed = pair.flush(number, &mut self.fleet.connections[sender], &mut self.recorder.counts);
        if let Err(error) = flushed {
            self.recorder.socket_error(&error);
            self.close(sender);
        }
    }

    /// The next messages of a pair in a closed loop.
    pub(super) fn go_on(&mut self, number: u32, messages: u64, now_ns: u64) {
        for _ in 0..messages {
            if self.may_go_on(now_ns) {
                self.intend(number, now_ns);
            }
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
