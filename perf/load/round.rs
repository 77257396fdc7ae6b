//! One round: drives a fleet through a plan (open loop) or as fast as answers come (closed loop).
//!
//! One thread, one epoll, no allocation a message while sockets keep up. Waiting: the thread sleeps on a timerfd
//! until `SPIN_NS` before the next intended send, because waking up takes a kernel some tens of microseconds, and
//! spins through the rest, looking at its sockets all the while.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::epoll;

use super::clock::Clock;
use super::connection::{Flow, Heard};
use super::fleet::Fleet;
use super::timer::{self, TIMER};
use crate::measure::{Arrived, Interval, Live, Recorder};
use crate::plan;
use crate::wire::{Answer, Stamp, msgid};

/// How messages are let loose.
#[derive(Clone, Copy)]
pub enum Pace<'a> {
    /// As planned, whatever the server does.
    Open(&'a [plan::Send]),
    /// So many under way a pair; the next leaves when one has come, until the window ends or `messages_max` have
    /// left.
    Closed { under_way: u32, messages_max: u64 },
}

/// What the load thread does when nothing is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Waiting {
    /// Sleep, and wake shortly before the next intended send.
    Sleep,
    /// Never sleep: the server never pays for waking the generator.
    Spin,
}

/// What one round is to do. All times on the run's clock.
pub struct Orders<'a> {
    pub pace: Pace<'a>,
    pub start_ns: u64,
    /// Messages meant to leave inside are measured; those before warm up. Sending stops at its end.
    pub window: Range<u64>,
    /// After the last send, deliveries are awaited until none has come for this long.
    pub patience_ns: u64,
    pub waiting: Waiting,
    pub clock: Clock,
    pub live: &'a Live,
    /// Set from outside to end early.
    pub stop: &'a AtomicBool,
}

/// The generator spins when the next intended send is nearer than this.
const SPIN_NS: u64 = 100_000;
/// Sends of one turn. Far more than are due while the generator is punctual; when it is not, many fall on the same
/// connection and leave in one write, so that falling behind makes sending cheaper and the generator catches up.
const SENDS_A_TURN: usize = 1024;
/// Events of one turn: few, so that what becomes due meanwhile does not wait for long.
const EVENTS_A_TURN: usize = 32;
const SHOW_NS: u64 = 250_000_000;
/// Nothing is slept through longer than this, so that a stop is noticed.
const SLEEP_MS: i64 = 50;
const READ_BYTES: usize = 64 * 1024;

/// Drives the fleet through one round. Fails only if the machinery of this process does.
pub fn run_round(fleet: &mut Fleet, orders: &Orders) -> io::Result<Recorder> {
    let mut round = Round {
        fleet,
        orders,
        recorder: Recorder::new(),
        interval: Interval::new(),
        next_send: 0,
        dirty: Vec::with_capacity(SENDS_A_TURN),
        buffer: vec![0; READ_BYTES].into_boxed_slice(),
        last_activity_ns: orders.start_ns,
        shown_ns: orders.start_ns,
        begun: Begun::No,
    };
    round.run()?;
    Ok(round.recorder)
}

#[derive(PartialEq, Eq)]
enum Begun {
    No,
    Yes,
}

struct Round<'a> {
    fleet: &'a mut Fleet,
    orders: &'a Orders<'a>,
    recorder: Recorder,
    interval: Interval,
    /// The first of the plan that has not been let loose.
    next_send: usize,
    /// Pairs with something fresh to send, this turn.
    dirty: Vec<u32>,
    buffer: Box<[u8]>,
    /// The newest delivery or intended send.
    last_activity_ns: u64,
    shown_ns: u64,
    /// Whether a closed loop has let its first messages loose.
    begun: Begun,
}

impl Round<'_> {
    fn run(&mut self) -> io::Result<()> {
        for pair in &mut self.fleet.pairs {
            pair.arrivals.restart(pair.next_sequence);
        }
        let mut events = Vec::with_capacity(EVENTS_A_TURN);
        loop {
            let now_ns = self.orders.clock.now_ns();
            if self.is_over(now_ns) {
                break;
            }
            self.let_loose(now_ns);
            self.wait(&mut events)?;
            for event in events.drain(..) {
                if event.data.u64() != TIMER {
                    self.attend(event.data.u64() as usize, event.flags);
                }
            }
            self.show(now_ns);
        }
        for pair in &mut self.fleet.pairs {
            self.recorder.counts.lost += pair.arrivals.missing(pair.next_sequence);
            pair.due.clear();
        }
        Ok(())
    }

    /// Over when all that was ever to leave has come, or when nothing has come for a long time.
    fn is_over(&self, now_ns: u64) -> bool {
        let counts = &self.recorder.counts;
        let all_intended = match self.orders.pace {
            Pace::Open(sends) => self.next_send == sends.len(),
            Pace::Closed { .. } => self.begun == Begun::Yes && !self.may_go_on(now_ns),
        };
        let is_silent = now_ns > self.last_activity_ns + self.orders.patience_ns;
        (all_intended && (counts.delivered == counts.intended || is_silent))
            || self.orders.stop.load(Ordering::Relaxed)
    }

    /// Whether a closed loop still answers a delivery with a new message.
    fn may_go_on(&self, now_ns: u64) -> bool {
        match self.orders.pace {
            Pace::Open(_) => false,
            Pace::Closed { messages_max, .. } => {
                now_ns < self.orders.window.end && self.recorder.counts.intended < messages_max
            }
        }
    }

    /// Sends what is due.
    fn let_loose(&mut self, now_ns: u64) {
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
    fn send_dirty(&mut self) {
        while let Some(number) = self.dirty.pop() {
            let pair = &mut self.fleet.pairs[number as usize];
            let fresh = std::mem::take(&mut pair.fresh);
            if let Pace::Open(_) = self.orders.pace {
                let now_ns = self.orders.clock.now_ns();
                for &intended_ns in pair.due.range(pair.due.len() - fresh..) {
                    let lag_ns = now_ns.saturating_sub(intended_ns);
                    if self.orders.window.contains(&intended_ns) {
                        self.recorder.lag.saturating_record(lag_ns);
                    }
                    self.interval.lag.saturating_record(lag_ns);
                }
            }
            if self.fleet.connections[2 * number as usize].flow == Flow::Open {
                self.flush(number);
            }
        }
    }

    fn flush(&mut self, number: u32) {
        let sender = 2 * number as usize;
        let pair = &mut self.fleet.pairs[number as usize];
        let flushed = pair.flush(number, &mut self.fleet.connections[sender], &mut self.recorder.counts);
        if let Err(error) = flushed {
            self.recorder.socket_error(&error);
            self.close(sender);
        }
    }

    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let at_most_ms = match self.next_moment() {
            _ if self.orders.waiting == Waiting::Spin => 0,
            None => SLEEP_MS,
            Some(moment_ns) => {
                let gap_ns = moment_ns.saturating_sub(self.orders.clock.now_ns());
                if gap_ns <= SPIN_NS {
                    0
                } else {
                    self.fleet.timer.set(gap_ns - SPIN_NS)?;
                    SLEEP_MS
                }
            }
        };
        timer::wait(&self.fleet.epoll, events, Some(at_most_ms))
    }

    /// When this thread next has something to do of its own accord.
    fn next_moment(&self) -> Option<u64> {
        match self.orders.pace {
            Pace::Open(sends) => sends.get(self.next_send).map(|send| self.orders.start_ns + send.at_ns),
            Pace::Closed { .. } => (self.begun == Begun::No).then_some(self.orders.start_ns),
        }
    }

    fn attend(&mut self, index: usize, flags: epoll::EventFlags) {
        let connection = &mut self.fleet.connections[index];
        if connection.flow == Flow::Full && flags.contains(epoll::EventFlags::OUT) {
            connection.flow = Flow::Open;
            self.flush(index as u32 / 2);
        }
        let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(epoll::EventFlags::IN | ending) {
            self.read(index, flags.intersects(ending));
        }
    }

    /// Reads until the socket is empty. A read that leaves room in the buffer proves that it is, unless the
    /// other side is ending, which only a further read tells.
    fn read(&mut self, index: usize, is_ending: bool) {
        while self.fleet.connections[index].flow != Flow::Closed {
            match self.fleet.connections[index].read(&mut self.buffer) {
                Ok(Heard::Bytes(bytes)) => {
                    self.hear(index, bytes);
                    if bytes < self.buffer.len() && !is_ending {
                        return;
                    }
                }
                Ok(Heard::Nothing) => return,
                Ok(Heard::Closed) => self.close(index),
                Err(error) => {
                    self.recorder.socket_error(&error);
                    self.close(index);
                }
            }
        }
    }

    /// Counts the frames of one read. They share its time: none could have been seen earlier.
    fn hear(&mut self, index: usize, bytes: usize) {
        let now_ns = self.orders.clock.now_ns();
        let window = &self.orders.window;
        let (recorder, interval) = (&mut self.recorder, &mut self.interval);
        let number = index as u32 / 2;
        let pair = &mut self.fleet.pairs[number as usize];
        let mut deliveries = 0;
        self.fleet.connections[index].frames.take(&self.buffer[..bytes], |frame| {
            let Some(stamp) = Stamp::find(frame) else { return hear_other(frame, recorder) };
            if stamp.pair != number || index.is_multiple_of(2) {
                recorder.counts.misdelivered += 1;
                return;
            }
            match pair.arrivals.arrived(stamp.sequence) {
                Arrived::Again => {
                    recorder.counts.repeated += 1;
                    return;
                }
                Arrived::Late => recorder.counts.reordered += 1,
                Arrived::InOrder => {}
            }
            deliveries += 1;
            let latency_ns = now_ns.saturating_sub(stamp.time_ns);
            interval.latency.saturating_record(latency_ns);
            if window.contains(&stamp.time_ns) {
                recorder.latency.saturating_record(latency_ns);
                recorder.counts.measured += 1;
            }
        });
        if deliveries == 0 {
            return;
        }
        recorder.counts.delivered += deliveries;
        if window.contains(&now_ns) {
            recorder.counts.delivered_in_window += deliveries;
        }
        self.last_activity_ns = now_ns;
        self.fleet.delivered += deliveries;
        self.orders.live.set_delivered(self.fleet.delivered);
        self.go_on(number, deliveries, now_ns);
        self.send_dirty();
    }

    /// The next messages of a pair in a closed loop.
    fn go_on(&mut self, number: u32, messages: u64, now_ns: u64) {
        for _ in 0..messages {
            if self.may_go_on(now_ns) {
                self.intend(number, now_ns);
            }
        }
    }

    fn close(&mut self, index: usize) {
        let connection = &mut self.fleet.connections[index];
        if connection.flow != Flow::Closed {
            connection.flow = Flow::Closed;
            self.recorder.counts.connections_closed += 1;
        }
    }

    fn show(&mut self, now_ns: u64) {
        if now_ns >= self.shown_ns + SHOW_NS {
            self.shown_ns = now_ns;
            self.orders.live.offer(&mut self.interval);
        }
    }
}

/// A frame without a stamp. Rare, so it may allocate.
#[cold]
fn hear_other(frame: &[u8], recorder: &mut Recorder) {
    let answer = Answer::read(frame);
    match (answer.msgid, answer.errno) {
        (Some(msgid::ERROR), Some(errno)) => recorder.server_error(errno),
        _ => recorder.counts.other_frames += 1,
    }
}
