//! The floor: a bare epoll relay that only moves bytes, the least that any server on this kernel must pay.
//!
//! One thread, edge-triggered. A connection's first line names its pair; two of the same name are told `paired`,
//! and from then on what one says is written to the other, read for read. It parses nothing and stores nothing.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use rustix::event::epoll;

use crate::load::wait_for_events;

const READ_BYTES: usize = 64 * 1024;
const EVENTS_A_TURN: usize = 256;
const LISTENER: u64 = u64::MAX;

/// One end of a pair. What waits in `unsent` is at most one read: nothing is read from the partner meanwhile.
struct End {
    socket: TcpStream,
    partner: Option<usize>,
    /// The first line, until it is whole.
    greeting: Vec<u8>,
    /// Bytes for this end that its socket did not take.
    unsent: Vec<u8>,
}

pub struct Relay {
    epoll: rustix::fd::OwnedFd,
    listener: TcpListener,
    ends: Vec<Option<End>>,
    unpaired: HashMap<Vec<u8>, usize>,
    buffer: Box<[u8]>,
}

impl Relay {
    pub fn listen() -> io::Result<Relay> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Ok(Relay { epoll, listener, ends: Vec::new(), unpaired: HashMap::new(), buffer })
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
            self.ends.push(Some(End { socket, partner: None, greeting: Vec::new(), unsent: Vec::new() }));
        }
    }

    fn attend(&mut self, index: usize, flags: epoll::EventFlags) {
        if flags.contains(epoll::EventFlags::OUT)
            && self.ends[index].as_ref().is_some_and(|end| !end.unsent.is_empty())
        {
            self.send_unsent(index);
            // What the partner said meanwhile gave its edge already.
            if let Some(partner) = self.ends[index].as_ref().and_then(|end| end.partner) {
                self.pump(partner, IsEnding::Perhaps);
            }
        }
        let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(ending) {
            self.pump(index, IsEnding::Perhaps);
        } else if flags.contains(epoll::EventFlags::IN) {
            self.pump(index, IsEnding::No);
        }
    }

    /// Moves what this end says to its partner, until it is silent or the partner's socket is full.
    fn pump(&mut self, index: usize, is_ending: IsEnding) {
        loop {
            let Some(end) = &self.ends[index] else { return };
            let partner = end.partner;
            let is_full = |end: &End| !end.unsent.is_empty();
            if partner.is_some_and(|partner| self.ends[partner].as_ref().is_some_and(is_full)) {
                return;
            }
            match (&end.socket).read(&mut self.buffer) {
                Ok(0) => return self.close(index),
                Ok(bytes) => {
                    match partner {
                        Some(partner) => self.send(partner, bytes),
                        None => self.greet(index, bytes),
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
        match end.socket.write(&self.buffer[..bytes]) {
            Ok(written) if written == bytes => {}
            Ok(written) => {
                end.unsent.extend_from_slice(&self.buffer[written..bytes]);
                // Only a refusal brings an edge later, and a short write is not one yet.
                self.send_unsent(index);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                end.unsent.extend_from_slice(&self.buffer[..bytes]);
            }
            Err(_) => self.close(index),
        }
    }

    fn send_unsent(&mut self, index: usize) {
        let Some(end) = &mut self.ends[index] else { return };
        while !end.unsent.is_empty() {
            match end.socket.write(&end.unsent) {
                Ok(written) => drop(end.unsent.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => return self.close(index),
            }
        }
    }

    fn greet(&mut self, index: usize, bytes: usize) {
        let Some(end) = &mut self.ends[index] else { return };
        end.greeting.extend_from_slice(&self.buffer[..bytes]);
        if !end.greeting.ends_with(b"\n") {
            return;
        }
        let name = std::mem::take(&mut end.greeting);
        let Some(first) = self.unpaired.remove(&name) else {
            self.unpaired.insert(name, index);
            return;
        };
        for (one, other) in [(first, index), (index, first)] {
            if let Some(end) = &mut self.ends[one] {
                end.partner = Some(other);
                // Fails only if this end has left, which its own event tells.
                let _ = end.socket.write_all(b"paired\n");
            }
        }
    }

    fn close(&mut self, index: usize) {
        if let Some(partner) = self.ends[index].take().and_then(|end| end.partner) {
            // Closing one end closes the other, as a cable would.
            self.ends[partner] = None;
        }
    }
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

/// The hidden `relay` command.
pub fn serve() -> Result<(), String> {
    let serve = || -> io::Result<()> {
        let mut relay = Relay::listen()?;
        println!("ready {}", relay.address()?);
        relay.run(Until::Killed)
    };
    serve().map_err(|error| format!("the relay failed: {error}"))
}
