//! The second floor: the same relay on an io_uring, which is turned as chatd turns its own.
//!
//! What it costs above the relay on epoll is what the ring costs; what chatd costs above it is what chat costs. In a
//! turn all that is to be sent and received is submitted in one system call. Where nothing else is to be done, up to
//! four sends are made at once, with a system call each, and the next one sleeps.

mod kernel;

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use super::ends::{End, Rooms};
use super::{UNSENT_BYTES, Until};
pub use kernel::RingMode;
use kernel::{Done, Kernel, Kind};

const COMPLETIONS_A_TURN: usize = 128;
const SENDS_AT_ONCE: usize = 4;

/// Invariant: `flown ≤ flying.len()`; `flying` does not change while it is being sent.
struct Flight {
    end: End,
    flying: Vec<u8>,
    flown: usize,
    is_sending: bool,
    is_receiving: bool,
    /// It is over; what is under way comes to its end.
    is_closed: bool,
}

pub struct RingRelay {
    kernel: Kernel,
    listener: TcpListener,
    ends: Vec<Option<Flight>>,
    rooms: Rooms,
    /// Those to whom something is to be sent.
    dirty: Vec<usize>,
    /// Those who are not received from, since too much waits to be sent.
    clogged: Vec<usize>,
}

impl RingRelay {
    pub fn listen(mode: Option<RingMode>) -> io::Result<(RingRelay, RingMode)> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let (kernel, mode) = Kernel::new(mode)?;
        let (rooms, ends) = (Rooms::default(), Vec::new());
        Ok((RingRelay { kernel, listener, ends, rooms, dirty: Vec::new(), clogged: Vec::new() }, mode))
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Relays until `until`.
    pub fn run(&mut self, until: Until) -> io::Result<()> {
        self.kernel.poll(self.listener.as_raw_fd());
        loop {
            self.send_dirty();
            let has_work = self.kernel.has_done() || !self.dirty.is_empty();
            if !has_work {
                self.kernel.enter(1)?;
            } else if self.kernel.wants_enter() {
                self.kernel.enter(0)?;
            }
            for _ in 0..COMPLETIONS_A_TURN {
                let Some(done) = self.kernel.next() else { break };
                self.handle(&done)?;
            }
            self.unclog();
            if until == Until::Deserted && self.ends.iter().all(Option::is_none) && !self.ends.is_empty() {
                return Ok(());
            }
        }
    }

    fn handle(&mut self, done: &Done) -> io::Result<()> {
        match done.kind {
            Kind::Accept => self.accept()?,
            Kind::Receive => {
                self.received(done);
                done.buffer.into_iter().for_each(|id| self.kernel.give_back(id));
            }
            Kind::Send => self.sent(done.index, done.result),
            Kind::Nothing => {}
        }
        Ok(())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let socket = match self.listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            socket.set_nonblocking(true)?;
            socket.set_nodelay(true)?;
            self.ends.push(Some(Flight::new(socket)));
            self.receive(self.ends.len() - 1, false);
        }
        self.kernel.poll(self.listener.as_raw_fd());
        Ok(())
    }

    fn receive(&mut self, index: usize, has_some: bool) {
        let Some(flight) = &mut self.ends[index] else { return };
        if !flight.is_closed && !std::mem::replace(&mut flight.is_receiving, true) {
            self.kernel.receive(index, flight.end.socket.as_raw_fd(), has_some);
        }
    }

    fn received(&mut self, done: &Done) {
        let Some(flight) = &mut self.ends[done.index] else { return };
        flight.is_receiving = false;
        if flight.is_closed {
            return self.release(done.index);
        }
        let again = [-libc::ENOBUFS, -libc::EAGAIN, -libc::EINTR].contains(&done.result);
        match (done.buffer, usize::try_from(done.result)) {
            (Some(id), Ok(bytes @ 1..)) => self.pass_on(done.index, id, bytes),
            _ if again => {}
            _ => return self.close(done.index),
        }
        match self.is_clogged(done.index) {
            true => self.clogged.push(done.index),
            false => self.receive(done.index, done.has_more || again),
        }
    }

    /// Moves what this end says to the others.
    fn pass_on(&mut self, index: usize, id: u16, bytes: usize) {
        let said = self.kernel.received(id, bytes);
        let Some(flight) = &mut self.ends[index] else { return };
        let Some(room) = flight.end.room.filter(|&room| self.rooms.is_full(room)) else {
            let said = said.to_vec();
            return self.greet(index, &said);
        };
        // In a room of two all of it; else frames of two speakers must not mix.
        let is_pair = self.rooms.members(room).len() == 2;
        let whole = if is_pair { Vec::new() } else { flight.end.cut(said) };
        let said = if is_pair { said } else { &whole };
        for &member in self.rooms.members(room).iter().filter(|&&member| member != index) {
            let Some(flight) = &mut self.ends[member] else { continue };
            flight.end.unsent.extend_from_slice(said);
            if !std::mem::replace(&mut flight.end.is_dirty, true) {
                self.dirty.push(member);
            }
        }
        let others = self.rooms.members(room).len() - 1;
        self.rooms.unsent(room, (said.len() * others) as isize);
    }

    fn greet(&mut self, index: usize, said: &[u8]) {
        let Some(flight) = &mut self.ends[index] else { return };
        flight.end.greeting.extend_from_slice(said);
        if !flight.end.greeting.ends_with(b"\n") {
            return;
        }
        let line = std::mem::take(&mut flight.end.greeting);
        flight.end.room = self.rooms.enter(index, &line);
        let Some(room) = flight.end.room else { return self.close(index) };
        for &member in self.rooms.members(room).iter().filter(|_| self.rooms.is_full(room)) {
            if let Some(flight) = &mut self.ends[member] {
                // Fails only if this end has left, which its own completion tells.
                let _ = flight.end.socket.write_all(b"together\n");
            }
        }
    }

    /// Whether so much waits in its room that this end is not to be received from.
    fn is_clogged(&self, index: usize) -> bool {
        let room = self.ends[index].as_ref().and_then(|flight| flight.end.room);
        room.is_some_and(|room| self.rooms.is_clogged(room, UNSENT_BYTES))
    }

    fn unclog(&mut self) {
        for index in std::mem::take(&mut self.clogged) {
            match self.is_clogged(index) {
                true => self.clogged.push(index),
                false => self.receive(index, true),
            }
        }
    }

    /// Sends what waits: at once, if that is little and nothing else is to be done.
    fn send_dirty(&mut self) {
        let at_once = self.dirty.len() <= SENDS_AT_ONCE && !self.kernel.has_done();
        for index in std::mem::take(&mut self.dirty) {
            let Some(flight) = &mut self.ends[index] else { continue };
            flight.end.is_dirty = false;
            if !flight.is_sending {
                self.take_off(index, at_once);
            }
        }
    }

    fn take_off(&mut self, index: usize, at_once: bool) {
        let Some(flight) = &mut self.ends[index] else { return };
        if flight.flown == flight.flying.len() {
            flight.flown = 0;
            flight.flying.clear();
            std::mem::swap(&mut flight.flying, &mut flight.end.unsent);
        }
        if flight.flying.is_empty() || flight.is_closed {
            return;
        }
        flight.is_sending = true;
        if at_once {
            let result = match flight.end.socket.write(&flight.flying[flight.flown..]) {
                Ok(bytes) => bytes as i32,
                Err(error) => -error.raw_os_error().unwrap_or(libc::EIO),
            };
            return self.sent(index, result);
        }
        // SAFETY: `flying` is not touched while `is_sending`, and the end is not dropped before (see `release`).
        unsafe { self.kernel.send(index, flight.end.socket.as_raw_fd(), &flight.flying[flight.flown..]) };
    }

    fn sent(&mut self, index: usize, result: i32) {
        let Some(flight) = &mut self.ends[index] else { return };
        flight.is_sending = false;
        if flight.is_closed {
            return self.release(index);
        }
        match usize::try_from(result) {
            Ok(bytes) => {
                flight.flown += bytes;
                if let Some(room) = flight.end.room {
                    self.rooms.unsent(room, -(bytes as isize));
                }
            }
            Err(_) if result == -libc::EAGAIN || result == -libc::EINTR => {}
            Err(_) => return self.close(index),
        }
        self.take_off(index, false);
    }

    /// Closing one end closes the whole room, as cutting a cable would.
    fn close(&mut self, index: usize) {
        let room = self.ends[index].as_ref().and_then(|flight| flight.end.room);
        let members = room.map_or(vec![index], |room| self.rooms.members(room).to_vec());
        for member in members {
            let Some(flight) = &mut self.ends[member] else { continue };
            flight.is_closed = true;
            // Ends what is under way; fails only if it has ended.
            let _ = flight.end.socket.shutdown(Shutdown::Both);
            self.release(member);
        }
    }

    /// Frees an end once the kernel has let go of it.
    fn release(&mut self, index: usize) {
        let is_over = |flight: &mut Flight| flight.is_closed && !flight.is_sending && !flight.is_receiving;
        self.ends[index].take_if(is_over);
    }
}

impl Flight {
    fn new(socket: TcpStream) -> Flight {
        let (is_sending, is_receiving, is_closed) = (false, false, false);
        let (end, flying) = (End::new(socket), Vec::new());
        Flight { end, flying, flown: 0, is_sending, is_receiving, is_closed }
    }
}
