//! All connections of one load thread to one target: users, their talks, and the epoll that watches them.
//!
//! Lives through many rounds, so that rounds differ in nothing but time. It does not know when to send; `round`
//! does.

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::event::epoll;

use super::connection::{Connection, Written};
use super::crowd::Crowd;
use super::enlist::Enlisted;
use super::timer::Timer;
use crate::measure::{Counts, Sequence};
use crate::wire::{Acks, ChatFrame, Dialect, Framing, Speaker, Stamp, To};

/// Bytes encoded ahead of one write. What is due beyond that stays eight bytes a message until there is room.
const WRITE_BYTES: usize = 64 * 1024;

/// What a message looks like.
#[derive(Clone, Debug)]
pub struct Message {
    pub text_bytes: usize,
    /// The `time` field. One for the whole run: the server forwards it unread.
    pub time: String,
    pub acks: Acks,
    pub dialect: Dialect,
}

/// One sender and those who hear it.
pub struct Talk {
    frame: ChatFrame,
    pub sender: u32,
    pub next_sequence: u32,
    /// Connections that hear it, the sender's among them in a group. Empty if its reader is away.
    pub hearers: Range<u32>,
    /// What each of `hearers` has heard.
    pub heard: Vec<Sequence>,
    /// Which messages were acknowledged.
    pub acked: Sequence,
    /// Times of the messages that are to leave and are not yet encoded.
    pub due: VecDeque<u64>,
    /// How many at the end of `due` have never been tried.
    pub fresh: usize,
    /// Closed loop: what is to be heard before the next message leaves.
    pub awaited: u64,
}

/// A connection speaks in one talk at most.
pub struct Fleet {
    pub epoll: OwnedFd,
    pub timer: Timer,
    pub connections: Vec<Connection>,
    /// The talk in which a connection speaks, by connection.
    pub talk_of: Vec<Option<u32>>,
    pub talks: Vec<Talk>,
    pub acks: Acks,
    pub dialect: Dialect,
    /// Deliveries, and acknowledgements of messages that nobody hears, since the fleet was built, over all rounds.
    pub handled: u64,
}

impl Fleet {
    /// `enlisted` are the connected users of the crowd, `speakers` all of them, `groups` the ids of its groups.
    pub fn new(
        crowd: &Crowd,
        enlisted: Vec<Enlisted>,
        speakers: &[Speaker],
        groups: &[i64],
        message: &Message,
    ) -> io::Result<Fleet> {
        assert_eq!((enlisted.len(), speakers.len()), (crowd.connected(), crowd.users()));
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
            epoll::add(&epoll, &connection.stream, epoll::EventData::new_u64(index as u64), interest)?;
            connections.push(connection);
        }
        let framing = connections.first().map_or(Framing::Lines, |connection| connection.framing);
        let talks = talks(crowd, speakers, groups, message, framing);
        let mut talk_of = vec![None; connections.len()];
        for (number, talk) in talks.iter().enumerate() {
            talk_of[talk.sender as usize] = Some(number as u32);
        }
        Ok(Fleet {
            epoll,
            timer,
            connections,
            talk_of,
            talks,
            acks: message.acks,
            dialect: message.dialect,
            handled: 0,
        })
    }

    /// Bytes of one message on the wire, its end included.
    pub fn frame_bytes(&self) -> usize {
        self.talks.first().map_or(0, |talk| talk.frame.len())
    }
}

fn talks(
    crowd: &Crowd,
    speakers: &[Speaker],
    groups: &[i64],
    message: &Message,
    framing: Framing,
) -> Vec<Talk> {
    let talk = |sender: usize, to: To, hearers: Range<usize>| {
        Talk::new(
            ChatFrame::new(&speakers[sender], to, &message.time, message.text_bytes, message.acks, framing),
            sender,
            hearers,
        )
    };
    let mut talks = Vec::with_capacity(crowd.talks() as usize);
    for sender in crowd.pair_users().step_by(2) {
        talks.push(talk(sender, To::User(speakers[sender + 1].id), sender + 1..sender + 2));
    }
    for (group, &id) in groups.iter().enumerate() {
        let members = crowd.group_users(group as u32);
        let speaking = members.clone().take(crowd.groups.speakers as usize);
        talks.extend(speaking.map(|sender| talk(sender, To::Group(id), members.clone())));
    }
    for (number, sender) in crowd.absent_senders().enumerate() {
        talks.push(talk(sender, To::User(speakers[crowd.connected() + number].id), 0..0));
    }
    talks
}

impl Talk {
    fn new(frame: ChatFrame, sender: usize, hearers: Range<usize>) -> Talk {
        Talk {
            frame,
            sender: sender as u32,
            next_sequence: 0,
            heard: hearers.clone().map(|_| Sequence::default()).collect(),
            hearers: hearers.start as u32..hearers.end as u32,
            acked: Sequence::default(),
            due: VecDeque::with_capacity(64),
            fresh: 0,
            awaited: 0,
        }
    }

    /// Deliveries that one message should bring.
    pub fn fan_out(&self) -> u64 {
        self.hearers.len() as u64 - u64::from(self.hearers.contains(&self.sender))
    }

    /// What is remembered of this connection, if it should hear this talk.
    pub fn heard_by(&mut self, connection: u32) -> Option<&mut Sequence> {
        let should = self.hearers.contains(&connection) && connection != self.sender;
        should.then(|| &mut self.heard[(connection - self.hearers.start) as usize])
    }

    /// Begins a round: what was sent before is history.
    pub fn restart(&mut self) {
        let next = self.next_sequence;
        self.heard.iter_mut().chain([&mut self.acked]).for_each(|sequence| sequence.restart(next));
        self.awaited = 0;
    }

    /// Messages of this round that were not heard, over all hearers.
    pub fn missing(&self) -> u64 {
        let (sent, sender, first) = (self.next_sequence, self.sender, self.hearers.start);
        let hearers = self.heard.iter().zip(first..).filter(|(_, connection)| *connection != sender);
        hearers.map(|(sequence, _)| sequence.missing(sent)).sum()
    }

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
            self.frame.append(Stamp { talk: number, sequence: self.next_sequence, time_ns }, outgoing);
            self.next_sequence += 1;
            counts.sent += 1;
            if outgoing.len() >= WRITE_BYTES {
                break;
            }
        }
    }
}
