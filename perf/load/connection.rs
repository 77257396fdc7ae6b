//! One of the generator's sockets: bytes that wait to leave, and the frame that has not come whole.
//!
//! Never blocks and never waits; whoever owns it listens to epoll.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::enlist::Enlisted;
use crate::wire::{Frames, Framing};

/// What a write came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    All,
    /// The socket is full; epoll will say when it is not.
    Full,
}

/// What a read came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    Bytes(usize),
    /// Nothing more for now.
    Nothing,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flow {
    Open,
    /// A write found the socket full and nothing is tried until epoll calls it writable.
    Full,
    Closed,
}

/// `written ≤ outgoing.len()`; both are zero whenever everything has left.
pub struct Connection {
    pub socket: TcpStream,
    pub frames: Frames,
    pub framing: Framing,
    pub flow: Flow,
    outgoing: Vec<u8>,
    written: usize,
}

/// Enough for a burst; grows only when a socket is full or messages are large.
const OUTGOING_BYTES: usize = 4 * 1024;

impl Connection {
    pub fn new(enlisted: Enlisted) -> io::Result<Connection> {
        enlisted.socket.set_nonblocking(true)?;
        Ok(Connection {
            socket: enlisted.socket,
            framing: enlisted.frames.framing(),
            frames: enlisted.frames,
            flow: Flow::Open,
            outgoing: Vec::with_capacity(OUTGOING_BYTES),
            written: 0,
        })
    }

    /// Where new bytes are appended; only while nothing waits.
    pub fn outgoing(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.outgoing.is_empty() && self.written == 0);
        &mut self.outgoing
    }

    /// Sends this behind whatever waits.
    pub fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.framing.append(bytes, &mut self.outgoing);
        match self.flow {
            Flow::Open => self.write().map(drop),
            Flow::Full | Flow::Closed => Ok(()),
        }
    }

    pub fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Writes what waits, until all has left or the socket is full.
    pub fn write(&mut self) -> io::Result<Written> {
        while self.written < self.outgoing.len() {
            match self.socket.write(&self.outgoing[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flow = Flow::Full;
                    return Ok(Written::Full);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.written = 0;
        Ok(Written::All)
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Heard> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Ok(Heard::Closed),
                Ok(bytes) => return Ok(Heard::Bytes(bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
