//! The floor: a bare epoll relay that only moves bytes, the least that any server on this kernel must pay.
//!
//! One thread, edge-triggered. A connection's first line says how many belong into its room and which room that is;
//! when a room is full all are told `together`, and from then on what one says is written to the others. It parses
//! nothing and stores nothing. In a room of two it passes on read for read. In a larger room it looks for the last
//! end of a frame in a read, so that frames of two speakers do not mix, and writes to everybody once a turn.

mod ends;
mod ring;
mod serve;

use std::io::{self, Read, Write};
use std::net::TcpListener;

use rustix::event::epoll;

use crate::load::wait_for_events;
use ends::{End, Rooms, Sent};
pub use ring::{RingMode, RingRelay};
pub use serve::serve;

const READ_BYTES: usize = 64 * 1024;
const EVENTS_A_TURN: usize = 256;
const LISTENER: u64 = u64::MAX;
/// Nobody in a room is read from while somebody in it has so much unsent.
const UNSENT_BYTES: usize = 256 * 1024;

pub struct Relay {
    epoll: rustix::fd::OwnedFd,
    listener: TcpListener,
    ends: Vec<Option<End>>,
    rooms: Rooms,
    /// Members of large rooms to whom something is to be written this turn.
    dirty: Vec<usize>,
    /// Those of large rooms who were not read from to the end, since too much waited to be written.
    clogged: Vec<usize>,
    buffer: Box<[u8]>,
}

/// On what a relay waits for its sockets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ground {
    #[default]
    Epoll,
    /// An io_uring: of this mode, or of the best that the kernel has.
    Ring(Option<RingMode>),
}

impl Relay {
    pub fn listen() -> io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Relay {
            epoll,
            listener,
            ends: Vec::new(),
            rooms: Rooms::default(),
            dirty: Vec::new(),
            clogged: Vec::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
        })
    }

    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Relays until `until`.
    pub fn run(&mut self, until: Until) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_A_TURN);
        loop {
            wait_for_events(&self.epoll, &mut events, None)?;
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    index => self.attend(index as usize, event.flags),
                }
            }
            self.settle();
            if until == Until::Deserted && self.ends.iter().all(Option::is_none) && !self.ends.is_empty() {
                return Ok(());
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            let interest = epoll::EventFlags::IN
                | epoll::EventFlags::OUT
                | epoll::EventFlags::RDHUP
                | epoll::EventFlags::ET;
            let token = epoll::EventData::new_u64(self.ends.len() as u64);
            epoll::add(&self.epoll, &socket, token, interest)?;
            self.ends.push(Some(End::new(socket)));
        }
    }

    fn attend(&mut self, index: usize, flags: epoll::EventFlags) {
        if flags.contains(epoll::EventFlags::OUT)
            && self.ends[index].as_ref().is_some_and(|end| !end.unsent.is_empty())
        {
            self.send_unsent(index);
            // What the other said meanwhile gave its edge already. In a larger room, who had to wait is known, and goes
            // on when the turn settles.
            if let [other] = self.others(index)[..] {
                self.pump(other, IsEnding::Perhaps);
            }
        }
        let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(ending) {
            self.pump(index, IsEnding::Perhaps);
        } else if flags.contains(epoll::EventFlags::IN) {
            self.pump(index, IsEnding::No);
        }
    }

    /// The room of an end, once it is full.
    fn room(&self, index: usize) -> Option<usize> {
        self.ends[index].as_ref()?.room.filter(|&room| self.rooms.is_full(room))
    }

    fn others(&self, index: usize) -> Vec<usize> {
        let members = self.room(index).map(|room| self.rooms.members(room)).unwrap_or_default();
        members.iter().copied().filter(|other| *other != index).collect()
    }

    fn has_unsent(&self, index: usize, more_than: usize) -> bool {
        self.ends[index].as_ref().is_some_and(|end| end.unsent.len() > more_than)
    }

    /// Moves what this end says to the others, until it is silent or one of them takes no more.
    fn pump(&mut self, index: usize, is_ending: IsEnding) {
        loop {
            let to = match self.room(index).map(|room| self.rooms.members(room)) {
                None => To::Nobody,
                Some(&[one, other]) => To::One(if one == index { other } else { one }),
                Some(_) => To::Room,
            };
            let is_clogged = match to {
                To::Nobody => false,
                To::One(other) => self.has_unsent(other, 0),
                To::Room => self.room(index).is_some_and(|room| self.rooms.is_clogged(room, UNSENT_BYTES)),
            };
            if is_clogged {
                // In a room of two, the event that says that the other takes more goes on from here.
                if matches!(to, To::Room) {
                    self.clogged.push(index);
                }
                return;
            }
            let Some(end) = &self.ends[index] else { return };
            match (&end.socket).read(&mut self.buffer) {
                Ok(0) => return self.close(index),
                Ok(bytes) => {
                    match to {
                        To::Nobody => self.greet(index, bytes),
                        To::One(other) => self.send(other, bytes),
                        To::Room => self.spread(index, bytes),
                    }
                    // A read that leaves room has emptied the socket, and saves the read that would say so.
                    if bytes < READ_BYTES && is_ending == IsEnding::No {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.close(index),
            }
        }
    }

    /// Writes the first `bytes` of the buffer to this end; what does not fit waits.
    fn send(&mut self, index: usize, bytes: usize) {
        let Some(end) = &mut self.ends[index] else { return };
        match end.send(&self.buffer[..bytes]) {
            Sent::All | Sent::Partly => {}
            Sent::Failed => self.close(index),
        }
    }

    /// Puts what is whole of the first `bytes` of the buffer before everybody else in the room.
    fn spread(&mut self, index: usize, bytes: usize) {
        let Some(speaker) = &mut self.ends[index] else { return };
        let Some(number) = speaker.room else { return };
        let whole = speaker.cut(&self.buffer[..bytes]);
        let (rooms, ends) = (&mut self.rooms, &mut self.ends);
        for &member in rooms.members(number).iter().filter(|member| **member != index) {
            let Some(end) = &mut ends[member] else { continue };
            if !std::mem::replace(&mut end.is_dirty, true) {
                self.dirty.push(member);
            }
            end.unsent.extend_from_slice(&whole);
        }
        let others = rooms.members(number).len() - 1;
        rooms.unsent(number, (whole.len() * others) as isize);
    }

    /// Writes what this turn has brought, and goes on with those who had to wait for that.
    fn settle(&mut self) {
        self.send_dirty();
        while !self.clogged.is_empty() {
            let waiting = std::mem::take(&mut self.clogged);
            waiting.into_iter().for_each(|index| self.pump(index, IsEnding::Perhaps));
            if self.dirty.is_empty() {
                // Sockets are full: their events come back to this.
                return;
            }
            self.send_dirty();
        }
    }

    fn send_dirty(&mut self) {
        for at in 0..self.dirty.len() {
            let index = self.dirty[at];
            if let Some(end) = &mut self.ends[index] {
                end.is_dirty = false;
                self.send_unsent(index);
            }
        }
        self.dirty.clear();
    }

    fn send_unsent(&mut self, index: usize) {
        let Some(end) = &mut self.ends[index] else { return };
        let before = end.unsent.len();
        let sent = end.send_unsent();
        let (gone, room) = (before - end.unsent.len(), end.room);
        if let Some(room) = room {
            self.rooms.unsent(room, -(gone as isize));
        }
        if sent == Sent::Failed {
            self.close(index);
        }
    }

    fn greet(&mut self, index: usize, bytes: usize) {
        let Some(end) = &mut self.ends[index] else { return };
        end.greeting.extend_from_slice(&self.buffer[..bytes]);
        if !end.greeting.ends_with(b"\n") {
            return;
        }
        let line = std::mem::take(&mut end.greeting);
        end.room = self.rooms.enter(index, &line);
        let Some(room) = end.room else { return self.close(index) };
        for &member in self.rooms.members(room).iter().filter(|_| self.rooms.is_full(room)) {
            if let Some(end) = &mut self.ends[member] {
                // Fails only if this end has left, which its own event tells.
                let _ = end.socket.write_all(b"together\n");
            }
        }
    }

    /// Closing one end closes the whole room, as cutting a cable would.
    fn close(&mut self, index: usize) {
        for other in self.others(index) {
            self.ends[other] = None;
        }
        self.ends[index] = None;
    }
}

/// To whom what an end says goes.
#[derive(Clone, Copy)]
enum To {
    Nobody,
    One(usize),
    Room,
}

/// Whether epoll has hinted that a peer is leaving, so that reading must go on to the very end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum IsEnding {
    No,
    Perhaps,
}

/// When a relay ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Until {
    Killed,
    /// Everybody who connected has left: for tests, where it runs in a thread.
    Deserted,
}
