//! The ends of the relay's cables, and the rooms in which they meet.

use std::io::{self, Write};
use std::net::TcpStream;

/// One connection.
pub(super) struct End {
    pub(super) socket: TcpStream,
    pub(super) room: Option<usize>,
    /// The first line, until it is whole.
    pub(super) greeting: Vec<u8>,
    /// Bytes for this end that its socket has not taken.
    pub(super) unsent: Vec<u8>,
    /// In a large room: whether it is on the list of those to be written to.
    pub(super) is_dirty: bool,
    /// In a large room: what it said after the end of its last frame.
    partial: Vec<u8>,
}

/// Those who hear each other.
pub(super) struct Room {
    pub(super) size: usize,
    pub(super) members: Vec<usize>,
    /// Of all members together; in rooms of two it is not kept.
    pub(super) unsent_bytes: usize,
}

impl Room {
    pub(super) fn is_full(&self) -> bool {
        self.members.len() == self.size
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    All,
    /// The rest waits for the socket to be writable.
    Partly,
    Failed,
}

impl End {
    pub(super) fn new(socket: TcpStream) -> End {
        End {
            socket,
            room: None,
            greeting: Vec::new(),
            unsent: Vec::new(),
            is_dirty: false,
            partial: Vec::new(),
        }
    }

    /// Writes these bytes at once; only while nothing else waits.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Sent {
        match self.socket.write(bytes) {
            Ok(written) if written == bytes.len() => Sent::All,
            Ok(written) => {
                self.unsent.extend_from_slice(&bytes[written..]);
                // Only a refusal brings an edge later, and a short write is not one yet.
                self.send_unsent()
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.unsent.extend_from_slice(bytes);
                Sent::Partly
            }
            Err(_) => Sent::Failed,
        }
    }

    pub(super) fn send_unsent(&mut self) -> Sent {
        let mut written = 0;
        let sent = loop {
            if written == self.unsent.len() {
                break Sent::All;
            }
            match self.socket.write(&self.unsent[written..]) {
                Ok(bytes) => written += bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Sent::Partly,
                Err(_) => break Sent::Failed,
            }
        };
        self.unsent.drain(..written);
        sent
    }

    /// The whole frames of what it has said; what comes after the last end of a frame is kept for the next time.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> Vec<u8> {
        let end = memchr::memrchr2(0, b'\n', bytes).map_or(0, |at| at + 1);
        if end == 0 {
            self.partial.extend_from_slice(bytes);
            return Vec::new();
        }
        let mut whole = std::mem::replace(&mut self.partial, bytes[end..].to_vec());
        whole.extend_from_slice(&bytes[..end]);
        whole
    }
}
