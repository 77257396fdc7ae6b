//! All connections of one target: pairs of a sender and a receiver, and the epoll that watches them.
//!
//! Lives through many rounds, so that rounds differ in nothing but time. It does not know when to send; `round`
//! does.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::epoll;

use super::connection::{Connection, Written};
use super::enlist::Enlisted;
use super::timer::Timer;
use crate::measure::{Counts, Sequence};
use crate::wire::{ChatFrame, Speaker, Stamp};

/// Bytes encoded ahead of one write. What is due beyond that stays eight bytes a message until there is room.
const WRITE_BYTES: usize = 64 * 1024;

/// What a message looks like.
#[derive(Clone, Debug)]
pub struct Message {
    pub text_bytes: usize,
    /// The `time` field. One for the whole run: the server forwards it unread.
    pub time: String,
}

pub struct Pair {
    frame: ChatFrame,
    pub next_sequence: u32,
    pub arrivals: Sequence,
    /// Times of the messages that are to leave and are not yet encoded.
    pub due: VecDeque<u64>,
    /// How many at the end of `due` have never been tried.
    pub fresh: usize,
}

/// Connection `2p` is the sender of pair `p`, connection `2p + 1` its receiver.
pub struct Fleet {
    pub epoll: OwnedFd,
    pub timer: Timer,
    pub connections: Vec<Connection>,
    pub pairs: Vec<Pair>,
    /// Deliveries since the fleet was built, over all rounds.
    pub delivered: u64,
}

impl Fleet {
    /// `speakers` and `enlisted` alternate sender, receiver, sender, receiver …
    pub fn new(enlisted: Vec<Enlisted>, speakers: &[Speaker], message: &Message) -> io::Result<Fleet> {
        assert_eq!(enlisted.len(), speakers.len());
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = Timer::new(&epoll)?;
        let mut connections = Vec::with_capacity(enlisted.len());
        for (index, enlisted) in enlisted.into_iter().enumerate() {
            let connection = Connection::new(enlisted)?;
            // Edge-triggered: a read that does not fill the buffer has emptied the socket, so one read an event
            // is enough, and the kernel need not look at the socket a second time.
            let interest = epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET;
            epoll::add(&epoll, &connection.socket, epoll::EventData::new_u64(index as u64), interest)?;
            connections.push(connection);
        }
        let pairs = speakers.chunks_exact(2).map(|both| Pair {
            frame: ChatFrame::new(&both[0], both[1].id, &message.time, message.text_bytes),
            next_sequence: 0,
            arrivals: Sequence::default(),
            due: VecDeque::with_capacity(64),
            fresh: 0,
        });
        Ok(Fleet { epoll, timer, pairs: pairs.collect(), connections, delivered: 0 })
    }

    /// Bytes of one message on the wire, its NUL included.
    pub fn frame_bytes(&self) -> usize {
        self.pairs.first().map_or(0, |pair| pair.frame.len())
    }
}

impl Pair {
    /// Writes everything that is due, until it has left or the socket is full.
    pub fn flush(
        &mut self,
        number: u32,
        sender: &mut Connection,
        counts: &mut Counts,
    ) -> io::Result<Written> {
        loop {
            if !sender.has_outgoing() {
                if self.due.is_empty() {
                    return Ok(Written::All);
                }
                self.encode(number, sender, counts);
            }
            if sender.write()? == Written::Full {
                counts.socket_full += 1;
                return Ok(Written::Full);
            }
        }
    }

    fn encode(&mut self, number: u32, sender: &mut Connection, counts: &mut Counts) {
        let outgoing = sender.outgoing();
        while let Some(time_ns) = self.due.pop_front() {
            self.frame.append(Stamp { pair: number, sequence: self.next_sequence, time_ns }, outgoing);
            self.next_sequence += 1;
            counts.sent += 1;
            if outgoing.len() >= WRITE_BYTES {
                break;
            }
        }
    }
}
