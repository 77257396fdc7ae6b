//! An application's servers at work: acts of the API over connections that stay, open loop, and the people who hear of it.
//!
//! One thread, one epoll, nothing blocks. An act that is due waits for a connection that is free and counts from its
//! intended time. Two acts of one sender may leave on two connections, so they may come in another order: that is no fault.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::epoll;

use super::connection::{Connection, Flow, Heard};
use super::door::Door;
use super::enlist::log_in;
use super::round::Orders;
use super::timer::{self, TIMER, Timer};
use crate::measure::{Arrived, Interval, Recorder, Sequence};
use crate::plan;
use crate::wire::{Answer, Dialect, SendAct, Speaker, Stamp, ask_for_the_document, http_answer, pong};

/// For the first answer on a connection.
const PATIENCE: Duration = Duration::from_secs(5);
const SLEEP_MS: i64 = 50;
const EVENTS_A_TURN: usize = 64;
const READ_BYTES: usize = 64 * 1024;

/// The application: its connections to the API, and the users to whom it has things sent.
pub struct Office {
    epoll: std::os::fd::OwnedFd,
    timer: Timer,
    desks: Vec<Desk>,
    /// Of those, who is asked nothing.
    free: Vec<usize>,
    talks: Vec<Talk>,
}

/// A connection to the API.
struct Desk {
    socket: TcpStream,
    incoming: Vec<u8>,
    /// When the act was to leave that is asked for.
    intended_ns: u64,
}

/// Somebody in whose name is written, and somebody who is written to.
struct Talk {
    act: SendAct,
    reader: Connection,
    heard: Sequence,
    sent: u32,
}

impl Office {
    /// Connects: `speakers` has senders, who are not there, and behind them as many readers, who are.
    pub fn open(
        api: SocketAddr,
        token: &str,
        connections: usize,
        door: &Door,
        speakers: &[Speaker],
        stop: &AtomicBool,
    ) -> Result<Office, String> {
        let (senders, readers) = speakers.split_at(speakers.len() / 2);
        let connect = |what: &str| {
            let what = what.to_owned();
            move |error: io::Error| format!("{what}: {error}")
        };
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| connect("no epoll")(error.into()))?;
        let watch = |token: usize, socket: &dyn std::os::fd::AsFd| {
            let interest = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
            epoll::add(&epoll, socket.as_fd(), epoll::EventData::new_u64(token as u64), interest)
                .map_err(io::Error::from)
        };
        let desk = |number: usize| {
            let socket = TcpStream::connect(api)?;
            socket.set_nodelay(true)?;
            introduce(&socket, api, token)?;
            socket.set_nonblocking(true)?;
            watch(number, &socket)?;
            Ok(Desk { socket, incoming: Vec::new(), intended_ns: 0 })
        };
        let desks: io::Result<Vec<Desk>> = (0..connections).map(desk).collect();
        let desks = desks.map_err(connect("cannot connect to the API"))?;
        let mut talks = Vec::new();
        let lines = log_in(door, readers, Dialect::Seed, stop)?;
        for (line, (from, to)) in lines.into_iter().zip(senders.iter().zip(readers)) {
            let reader = Connection::new(line).map_err(connect("the socket of a reader"))?;
            watch(connections + talks.len(), &reader.stream).map_err(connect("the socket of a reader"))?;
            let act = SendAct::new(api, token, from.id, to.id);
            talks.push(Talk { act, reader, heard: Sequence::default(), sent: 0 });
        }
        let timer = Timer::new(&epoll).map_err(connect("no timer"))?;
        Ok(Office { epoll, timer, desks, free: (0..connections).collect(), talks })
    }

    /// How many talks there are for a plan to choose from.
    pub fn talks(&self) -> u32 {
        self.talks.len() as u32
    }

    /// Has everything done that is due. `latency` is from the intended act to its answer, `ack` to when its
    /// reader heard; what was delivered in the window are answers.
    ///
    /// # Errors
    /// If the machinery of this process fails, or the server ends a connection.
    pub fn work(&mut self, due: &[plan::Send], orders: &Orders) -> io::Result<(Recorder, Interval)> {
        let (recorder, last_activity_ns) = (Recorder::new(), orders.start_ns);
        let buffer = vec![0; READ_BYTES];
        let mut day =
            Day { office: self, due, orders, recorder, next: 0, looked_at: 0, last_activity_ns, buffer };
        day.run()?;
        let counts = &mut day.recorder.counts;
        counts.acks_lost = counts.acks_expected - counts.acked;
        counts.lost = counts.expected.saturating_sub(counts.delivered);
        Ok((day.recorder, Interval::new()))
    }
}

/// Asks for something at once: a connection that is silent is not kept at that address.
fn introduce(mut socket: &TcpStream, api: SocketAddr, token: &str) -> io::Result<()> {
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(&ask_for_the_document(api, token))?;
    let (mut heard, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        match socket.read(&mut buffer)? {
            0 => return Err(io::Error::other("the server closed it")),
            bytes => heard.extend_from_slice(&buffer[..bytes]),
        }
        match http_answer(&heard) {
            Some((200, ..)) => return Ok(()),
            Some((status, ..)) => return Err(io::Error::other(format!("it answered {status}"))),
            None => {}
        }
    }
}

/// One round.
struct Day<'a> {
    office: &'a mut Office,
    due: &'a [plan::Send],
    orders: &'a Orders<'a>,
    recorder: Recorder,
    /// The first that has not left.
    next: usize,
    /// Acts whose time has been seen to come: those between `next` and it wait for a connection.
    looked_at: usize,
    last_activity_ns: u64,
    buffer: Vec<u8>,
}

impl Day<'_> {
    fn run(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_A_TURN);
        loop {
            let now_ns = self.orders.clock.now_ns();
            let counts = &self.recorder.counts;
            let is_done = self.next == self.due.len()
                && counts.acked == counts.acks_expected
                && counts.delivered >= counts.expected;
            let is_silent = now_ns > self.last_activity_ns + self.orders.patience_ns;
            if is_done || is_silent || self.orders.stop.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.let_loose(now_ns)?;
            let gap_ns = self.due.get(self.looked_at).map(|send| self.orders.start_ns + send.at_ns);
            let gap_ns = gap_ns.map(|at_ns| at_ns.saturating_sub(self.orders.clock.now_ns()));
            gap_ns.map_or(Ok(()), |gap_ns| self.office.timer.set(gap_ns))?;
            timer::wait(&self.office.epoll, &mut events, Some(if gap_ns == Some(0) { 0 } else { SLEEP_MS }))?;
            for event in events.drain(..) {
                let token = event.data.u64();
                if token != TIMER {
                    self.attend(token as usize)?;
                }
            }
        }
    }

    /// Sends what is due, as far as there are connections.
    fn let_loose(&mut self, now_ns: u64) -> io::Result<()> {
        while let Some(send) = self.due.get(self.next) {
            let intended_ns = self.orders.start_ns + send.at_ns;
            if intended_ns > now_ns {
                break;
            }
            let Some(desk) = self.office.free.pop() else { break };
            let talk = &mut self.office.talks[send.talk as usize];
            let stamp = Stamp { talk: send.talk, sequence: talk.sent, time_ns: intended_ns };
            let desk = &mut self.office.desks[desk];
            // It is far smaller than a socket's buffer, and nothing else is under way there.
            desk.socket.write_all(talk.act.request(stamp))?;
            desk.intended_ns = intended_ns;
            talk.sent += 1;
            if self.next >= self.looked_at && self.orders.window.contains(&intended_ns) {
                self.recorder.lag.saturating_record(self.orders.clock.now_ns() - intended_ns);
            }
            self.next += 1;
            let counts = &mut self.recorder.counts;
            (counts.intended, counts.sent) = (counts.intended + 1, counts.sent + 1);
            (counts.expected, counts.acks_expected) = (counts.expected + 1, counts.acks_expected + 1);
            self.last_activity_ns = now_ns;
        }
        let is_due = |send: &plan::Send| self.orders.start_ns + send.at_ns <= now_ns;
        self.looked_at = self.next + self.due[self.next..].iter().take_while(|send| is_due(send)).count();
        Ok(())
    }

    fn attend(&mut self, token: usize) -> io::Result<()> {
        match token.checked_sub(self.office.desks.len()) {
            None => self.hear_answer(token),
            Some(talk) => self.hear_messages(talk),
        }
    }

    fn hear_answer(&mut self, number: usize) -> io::Result<()> {
        let desk = &mut self.office.desks[number];
        match desk.socket.read(&mut self.buffer) {
            Ok(0) => return Err(io::Error::other("the server closed a connection to its API")),
            Ok(bytes) => desk.incoming.extend_from_slice(&self.buffer[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let Some((status, body, end)) = http_answer(&desk.incoming) else { return Ok(()) };
        let errno = if status == 200 { Answer::read(body).errno.unwrap_or(-1) } else { i64::from(status) };
        desk.incoming.drain(..end);
        let intended_ns = desk.intended_ns;
        self.office.free.push(number);
        let now_ns = self.orders.clock.now_ns();
        self.last_activity_ns = now_ns;
        let is_measured = self.orders.window.contains(&intended_ns);
        self.recorder.counts.acked += 1;
        if self.orders.window.contains(&now_ns) {
            self.recorder.counts.delivered_in_window += 1;
        }
        if errno != 0 {
            // Nobody will hear that one.
            self.recorder.counts.expected -= 1;
            self.recorder.server_error(errno);
        } else if is_measured {
            self.recorder.latency.saturating_record(now_ns.saturating_sub(intended_ns));
            self.recorder.counts.measured += 1;
        }
        Ok(())
    }

    fn hear_messages(&mut self, number: usize) -> io::Result<()> {
        let talk = &mut self.office.talks[number];
        loop {
            let (bytes, is_last) = match talk.reader.read(&mut self.buffer)? {
                Heard::Bytes(bytes) => (bytes, false),
                Heard::Last(bytes) => (bytes, true),
                Heard::Nothing => return Ok(()),
                Heard::Closed => {
                    talk.reader.flow = Flow::Closed;
                    return Err(io::Error::other("the server closed the connection of a reader"));
                }
            };
            let now_ns = self.orders.clock.now_ns();
            self.last_activity_ns = now_ns;
            let mut pings = Vec::new();
            talk.reader.frames.take(&self.buffer[..bytes], |frame| match Stamp::find(frame) {
                Some(stamp) => match talk.heard.arrived(stamp.sequence) {
                    Arrived::Again => self.recorder.counts.repeated += 1,
                    Arrived::InOrder | Arrived::Late => {
                        self.recorder.counts.delivered += 1;
                        if self.orders.window.contains(&stamp.time_ns) {
                            let took_ns = now_ns.saturating_sub(stamp.time_ns);
                            self.recorder.ack.saturating_record(took_ns);
                        }
                    }
                },
                None => pings.extend(Answer::ping(frame)),
            });
            pings.into_iter().try_for_each(|n| talk.reader.say(&pong(n)))?;
            if is_last {
                return Ok(());
            }
        }
    }
}
