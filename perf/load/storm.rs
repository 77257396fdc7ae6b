//! People who arrive: each connects, logs in, hears what waited for it, and stays or leaves.
//!
//! Open loop: who arrives when is planned before the run, and times count from there, connecting included. One
//! thread, one epoll, nothing blocks. It knows logins and stamps, and nothing of what a scenario makes of them.

use std::io;

use rustix::event::epoll;

use super::connection::{Connection, Flow, Heard};
use super::door::Door;
use super::enlist::Enlisted;
use super::guest::{Guest, Stage};
use super::round::Orders;
use super::stream::Stream;
use super::timer::{self, TIMER, Timer};
use crate::measure::{Arrived, Interval, Recorder, Sequence};
use crate::plan;
use crate::wire::{Answer, Frames, Stamp, msgid, pong};

/// One user who is to arrive.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The number by which the door chooses addresses.
    pub user: usize,
    /// The whole login request.
    pub login: Vec<u8>,
    /// Messages that wait for it, numbered from 0.
    pub messages: u32,
}

/// What people do once they have all that waited for them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stay {
    UntilTheEnd,
    /// They close their connection at once.
    Leave,
}

pub struct Storm<'a> {
    pub door: &'a Door,
    /// Arrive one after the other, and all over again while the plan goes on.
    pub visits: &'a [Visit],
    pub stay: Stay,
    pub arrivals: &'a [plan::Send],
}

const SPIN_NS: u64 = 100_000;
const SLEEP_MS: i64 = 50;
const EVENTS_A_TURN: usize = 32;
const ARRIVALS_A_TURN: usize = 64;
const READ_BYTES: usize = 64 * 1024;

/// Lets everybody arrive. `latency` is from the intended arrival to the last thing that waited, `ack` to the answer to
/// the login where messages wait; one visit is one thing handled, or each of its messages if there are any. `orders`
/// says when; its pace does not matter here.
pub fn run_storm(storm: &Storm, orders: &Orders) -> io::Result<(Recorder, Interval)> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut turn = Turn {
        timer: Timer::new(&epoll)?,
        epoll,
        storm,
        orders,
        guests: Vec::new(),
        recorder: Recorder::new(),
        interval: Interval::new(),
        next: 0,
        done: 0,
        handled: orders.live.handled(),
        last_activity_ns: orders.start_ns,
        buffer: vec![0; READ_BYTES],
    };
    turn.interval.start_ns = orders.start_ns;
    turn.run()?;
    turn.interval.end_ns = orders.clock.now_ns();
    Ok((turn.recorder, turn.interval))
}

struct Turn<'a> {
    epoll: std::os::fd::OwnedFd,
    timer: Timer,
    storm: &'a Storm<'a>,
    orders: &'a Orders<'a>,
    /// In the order of their arrival; nothing is kept of whoever has left.
    guests: Vec<Option<Box<Guest>>>,
    recorder: Recorder,
    interval: Interval,
    next: usize,
    done: usize,
    handled: u64,
    last_activity_ns: u64,
    buffer: Vec<u8>,
}

impl Turn<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_A_TURN);
        loop {
            let now_ns = self.orders.clock.now_ns();
            let is_silent = now_ns > self.last_activity_ns + self.orders.patience_ns;
            let have_all_come = self.next == self.storm.arrivals.len();
            if have_all_come && (self.done == self.next || is_silent)
                || self.orders.stop.load(std::sync::atomic::Ordering::Relaxed)
            {
                break;
            }
            self.let_in(now_ns)?;
            self.wait(&mut events)?;
            for event in events.drain(..) {
                if event.data.u64() != TIMER {
                    self.attend(event.data.u64() as usize, event.flags);
                }
            }
            if now_ns >= self.interval.start_ns + self.orders.slice_ns {
                self.interval.end_ns = now_ns;
                self.orders.live.offer(&mut self.interval);
            }
        }
        let counts = &mut self.recorder.counts;
        counts.lost += counts.expected - counts.delivered;
        Ok(())
    }

    fn let_in(&mut self, now_ns: u64) -> io::Result<()> {
        for _ in 0..ARRIVALS_A_TURN {
            let Some(arrival) = self.storm.arrivals.get(self.next) else { return Ok(()) };
            let intended_ns = self.orders.start_ns + arrival.at_ns;
            if intended_ns > now_ns {
                return Ok(());
            }
            let visit = self.next % self.storm.visits.len();
            self.next += 1;
            self.last_activity_ns = now_ns;
            let Visit { user, messages, .. } = self.storm.visits[visit];
            self.recorder.counts.intended += 1;
            self.recorder.counts.expected += u64::from(messages.max(1));
            let lag_ns = self.orders.clock.now_ns().saturating_sub(intended_ns);
            self.interval.lag.saturating_record(lag_ns);
            if self.orders.window.contains(&intended_ns) {
                self.recorder.lag.saturating_record(lag_ns);
            }
            match self.storm.door.begin_to_connect(user) {
                Ok(stream) => self.admit(stream, visit, intended_ns)?,
                Err(error) => {
                    self.recorder.socket_error(&error);
                    self.done += 1;
                }
            }
        }
        Ok(())
    }

    fn admit(&mut self, stream: Stream, visit: usize, intended_ns: u64) -> io::Result<()> {
        let interest =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(self.guests.len() as u64), interest)?;
        let connection = Connection::new(Enlisted { stream, frames: Frames::new(self.storm.door.framing) })?;
        let (stage, heard) = (Stage::Connecting, Sequence::default());
        let guest = Guest { connection, visit, intended_ns, stage, heard, heard_count: 0 };
        self.guests.push(Some(Box::new(guest)));
        Ok(())
    }

    fn wait(&mut self, events: &mut Vec<epoll::Event>) -> io::Result<()> {
        let next = self.storm.arrivals.get(self.next).map(|send| self.orders.start_ns + send.at_ns);
        let gap_ns = next.map(|moment_ns| moment_ns.saturating_sub(self.orders.clock.now_ns()));
        let at_most_ms = match gap_ns {
            Some(gap_ns) if gap_ns <= SPIN_NS => 0,
            Some(gap_ns) => {
                self.timer.set(gap_ns - SPIN_NS)?;
                SLEEP_MS
            }
            None => SLEEP_MS,
        };
        timer::wait(&self.epoll, events, Some(at_most_ms))
    }

    fn attend(&mut self, index: usize, flags: epoll::EventFlags) {
        // Of somebody who has left an event of the same turn may be left.
        let Some(mut guest) = self.guests[index].take() else { return };
        let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        let result = if guest.stage == Stage::Connecting && flags.contains(epoll::EventFlags::OUT) {
            guest.log_in(&self.storm.visits[guest.visit].login, &mut self.recorder)
        } else if guest.connection.flow == Flow::Full && flags.contains(epoll::EventFlags::OUT) {
            guest.connection.write().map(drop)
        } else {
            Ok(())
        };
        let result = result.and_then(|()| {
            if flags.intersects(epoll::EventFlags::IN | ending) { self.read(&mut guest) } else { Ok(()) }
        });
        if let Err(error) = result {
            self.recorder.socket_error(&error);
            self.close(&mut guest);
        }
        if guest.connection.flow != Flow::Closed {
            self.guests[index] = Some(guest);
        }
    }

    fn read(&mut self, guest: &mut Guest) -> io::Result<()> {
        while guest.connection.flow != Flow::Closed {
            match guest.connection.read(&mut self.buffer)? {
                Heard::Bytes(bytes) | Heard::Last(bytes) => self.hear(guest, bytes),
                Heard::Nothing => return Ok(()),
                Heard::Closed => self.close(guest),
            }
        }
        Ok(())
    }

    /// The server has closed, or the socket has failed.
    fn close(&mut self, guest: &mut Guest) {
        if guest.connection.flow != Flow::Closed {
            guest.connection.flow = Flow::Closed;
            self.recorder.counts.connections_closed += 1;
            self.done += usize::from(guest.stage != Stage::Done);
            guest.stage = Stage::Done;
        }
    }

    fn hear(&mut self, guest: &mut Guest, bytes: usize) {
        let now_ns = self.orders.clock.now_ns();
        let mut frames = std::mem::take(&mut guest.connection.frames);
        let buffer = std::mem::take(&mut self.buffer);
        frames.take(&buffer[..bytes], |frame| self.hear_frame(guest, frame, now_ns));
        self.buffer = buffer;
        guest.connection.frames = frames;
        self.orders.live.set_handled(self.handled);
    }

    fn hear_frame(&mut self, guest: &mut Guest, frame: &[u8], now_ns: u64) {
        if let Some(n) = Answer::ping(frame) {
            // Fails only if the connection has, which its own event tells.
            let _ = guest.connection.say(&pong(n));
            return;
        }
        let messages = self.storm.visits[guest.visit].messages;
        let mut handled = 0;
        if guest.stage == Stage::Asked {
            let answer = Answer::read(frame);
            match (answer.msgid, answer.errno) {
                (Some(msgid::LOGIN_ACK), Some(0)) => {
                    guest.stage = Stage::LoggedIn;
                    if messages > 0 && self.orders.window.contains(&guest.intended_ns) {
                        self.recorder.ack.saturating_record(now_ns.saturating_sub(guest.intended_ns));
                    }
                    handled += u64::from(messages == 0);
                }
                (_, Some(errno)) => {
                    self.recorder.server_error(errno);
                    return self.finish(guest);
                }
                _ => self.recorder.counts.other_frames += 1,
            }
        }
        for stamp in Stamp::find_all(frame) {
            match guest.heard.arrived(stamp.sequence) {
                Arrived::Again => self.recorder.counts.repeated += 1,
                arrived => {
                    self.recorder.counts.reordered += u64::from(arrived == Arrived::Late);
                    guest.heard_count += 1;
                    handled += 1;
                }
            }
        }
        let has_all = guest.stage == Stage::LoggedIn && guest.heard_count >= messages;
        let latency_ns = now_ns.saturating_sub(guest.intended_ns);
        let is_measured = self.orders.window.contains(&guest.intended_ns);
        self.handled += handled;
        self.interval.handled += handled;
        self.recorder.counts.delivered += handled;
        self.last_activity_ns = now_ns;
        if self.orders.window.contains(&now_ns) {
            self.recorder.counts.delivered_in_window += handled;
        }
        if has_all {
            self.interval.latency.saturating_record(latency_ns);
            if is_measured {
                self.recorder.latency.saturating_record(latency_ns);
                self.recorder.counts.measured += 1;
            }
            self.finish(guest);
        }
    }

    fn finish(&mut self, guest: &mut Guest) {
        guest.stage = Stage::Done;
        self.done += 1;
        if self.storm.stay == Stay::Leave {
            guest.connection.flow = Flow::Closed;
            guest.connection.shut();
        }
    }
}
