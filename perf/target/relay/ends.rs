//! The ends of the relay's cables, and the rooms in which they meet.

use std::collections::HashMap;
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
struct Room {
    size: usize,
    members: Vec<usize>,
    /// Of all members together.
    unsent_bytes: usize,
}

/// All rooms, by number.
#[derive(Default)]
pub(super) struct Rooms {
    rooms: Vec<Room>,
    /// Those that are not full, by the line that leads there.
    of_line: HashMap<Vec<u8>, usize>,
}

impl Rooms {
    /// Whom this line leads to a room; the number of that room.
    pub(super) fn enter(&mut self, index: usize, line: &[u8]) -> Option<usize> {
        let text = String::from_utf8_lossy(line);
        let size = text.split(' ').next().and_then(|size| size.parse().ok())?;
        let number = *self.of_line.entry(line.to_vec()).or_insert(self.rooms.len());
        if number == self.rooms.len() {
            self.rooms.push(Room { size, members: Vec::new(), unsent_bytes: 0 });
        }
        self.rooms[number].members.push(index);
        if self.is_full(number) {
            self.of_line.remove(line);
        }
        Some(number)
    }

    pub(super) fn is_full(&self, room: usize) -> bool {
        self.rooms[room].members.len() == self.rooms[room].size
    }

    pub(super) fn members(&self, room: usize) -> &[usize] {
        &self.rooms[room].members
    }

    /// So many bytes more wait there, or fewer. The sum is kept as it goes, since looking at a thousand members a read
    /// would be the whole cost.
    pub(super) fn unsent(&mut self, room: usize, more: isize) {
        let unsent = &mut self.rooms[room].unsent_bytes;
        *unsent = unsent.saturating_add_signed(more);
    }

    /// Whether more than so many bytes a member wait there.
    pub(super) fn is_clogged(&self, room: usize, bytes: usize) -> bool {
        self.rooms[room].unsent_bytes > bytes * self.rooms[room].size
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
