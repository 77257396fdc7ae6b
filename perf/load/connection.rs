//! One of the generator's sockets: bytes that wait to leave, and the frame that has not come whole.
//!
//! Never blocks and never waits; whoever owns it listens to epoll.

use std::io::{self, Read, Write};
use std::net::Shutdown;

use super::enlist::Enlisted;
use super::stream::Stream;
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
    /// These, and the socket was empty then.
    Last(usize),
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
    pub stream: Stream,
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
        enlisted.stream.socket().set_nonblocking(true)?;
        Ok(Connection {
            stream: enlisted.stream,
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
        !self.outgoing.is_empty() || self.stream.has_unsent()
    }

    /// Writes what waits, until all has left or the socket is full.
    pub fn write(&mut self) -> io::Result<Written> {
        while self.written < self.outgoing.len() {
            match self.stream.write(&self.outgoing[self.written..]) {
                Ok(bytes) => self.written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(self.wait_for_room()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outgoing.clear();
        self.written = 0;
        match self.stream.flush() {
            Ok(()) => Ok(Written::All),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(self.wait_for_room()),
            Err(error) => Err(error),
        }
    }

    fn wait_for_room(&mut self) -> Written {
        self.flow = Flow::Full;
        Written::Full
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Heard> {
        loop {
            let result = self.stream.read(buffer);
            if self.flow == Flow::Open && self.stream.has_unsent() {
                // A handshake has something to say, and the socket is full.
                self.flow = Flow::Full;
            }
            match result {
                Ok(0) => return Ok(Heard::Closed),
                Ok(bytes) if self.stream.is_drained() => return Ok(Heard::Last(bytes)),
                Ok(bytes) => return Ok(Heard::Bytes(bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::Nothing),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Says and hears nothing more.
    pub fn shut(&self) {
        // Fails only if the server has closed first.
        let _ = self.stream.socket().shutdown(Shutdown::Both);
    }
}
