//! One connection to Redis: commands go out in one pipeline, answers are awaited in that order.

use super::resp;
use super::wire::Secure;
use crate::net::ring::{Expect, Operation, Ring};
use crate::net::sockets::Hurry;
use chatd_chat::model::ids::{Monotonic, RequestId};
use chatd_chat::port::event::Channel;
use std::collections::VecDeque;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;

/// A pause of our own between two queries after which we know nothing of the other side.
const PAUSE_MS: u64 = 1_000;

/// What an answer is for. Redis confirms a subscription in its place among the answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Awaited {
    Publish(Option<RequestId>),
    Join {
        channel: Channel,
        id: Option<RequestId>,
    },
    /// One of the channels that are joined again.
    Rejoin,
    /// After every channel was joined again.
    Rejoined,
    /// Counts of the users from this place of the query on.
    QueryPresence {
        id: RequestId,
        from: usize,
    },
    /// Whether the other side is a replica now.
    Role,
    /// Nobody wants to know.
    Nothing,
}

/// A connection.
///
/// Invariant: `submitted` does not change while `sending`.
pub(super) struct Link {
    /// Tells the links of a core apart.
    pub(super) number: u32,
    stream: TcpStream,
    secure: Option<Secure>,
    pub(super) awaited: VecDeque<Awaited>,
    waiting: Vec<u8>,
    submitted: Vec<u8>,
    taken_bytes: usize,
    sending: bool,
    pub(super) receiving: bool,
    /// Received, and not a whole frame.
    pub(super) read: Vec<u8>,
    /// Whether nobody has looked yet at what was received while the connection began.
    is_new: bool,
    /// When something came last, or nothing was awaited.
    pub(super) answered_at: Monotonic,
    /// When that was looked at last.
    looked_at: Monotonic,
}

impl Link {
    /// `read` was received while the connection began.
    pub(super) fn new(number: u32, stream: TcpStream, secure: Option<Secure>, read: Vec<u8>) -> Self {
        Self {
            number,
            stream,
            secure,
            awaited: VecDeque::new(),
            waiting: Vec::new(),
            submitted: Vec::new(),
            taken_bytes: 0,
            sending: false,
            receiving: false,
            read,
            is_new: true,
            answered_at: Monotonic(0),
            looked_at: Monotonic(0),
        }
    }

    /// Whether this is asked for the first time.
    pub(super) fn is_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// Whether it takes one more command of those that may be refused.
    pub(super) fn has_room(&self, commands: usize, unsent_bytes: usize) -> bool {
        let unsent = self.waiting.len() + self.submitted.len() - self.taken_bytes;
        self.awaited.len() < commands && unsent < unsent_bytes
    }

    /// Writes a command that is answered once.
    pub(super) fn command(&mut self, command: &redis::Cmd, awaited: Awaited) {
        self.write(command);
        self.awaited.push_back(awaited);
    }

    pub(super) fn write(&mut self, command: &redis::Cmd) {
        command.write_packed_command(&mut self.waiting);
    }

    /// Publishes, and awaits how many have heard it.
    pub(super) fn publish(&mut self, channel: &str, payload: &[u8], id: Option<RequestId>) {
        resp::write_publish(&mut self.waiting, channel, payload);
        self.awaited.push_back(Awaited::Publish(id));
    }

    /// Whether Redis has said nothing for so long although something is awaited. What it said while
    /// this core slept is not read yet.
    pub(super) fn is_overdue(&mut self, now: Monotonic, patience_ms: u64) -> bool {
        let slept = now.since(self.looked_at) > PAUSE_MS;
        self.looked_at = now;
        if slept || self.awaited.is_empty() {
            self.answered_at = now;
        }
        now.since(self.answered_at) > patience_ms
    }

    /// Takes in what was received; false if it cannot be deciphered.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> bool {
        match &mut self.secure {
            None => {
                self.read.extend_from_slice(bytes);
                true
            }
            Some(secure) => secure.take_in(bytes, &mut self.read).is_ok(),
        }
    }

    pub(super) fn has_work(&self) -> bool {
        let wants = self.secure.as_ref().is_some_and(Secure::wants_write);
        let unsent = self.taken_bytes < self.submitted.len() || !self.waiting.is_empty() || wants;
        !self.receiving || (!self.sending && unsent)
    }

    /// Submits what is to be sent, and a receive if none is with the kernel. Where nothing else is to be done it is sent
    /// at once: the next system call is then the one that sleeps, and it ends with the answer, not with the send.
    pub(super) fn flush(&mut self, ring: &mut Ring, hurry: Hurry) {
        if !self.receiving {
            self.receiving = true;
            ring.receive_link(self.number, self.stream.as_raw_fd(), Expect::Nothing);
        }
        if self.sending {
            return;
        }
        // What the socket did not take at once goes by way of the ring, which waits until it does.
        let is_fresh = self.taken_bytes == self.submitted.len();
        if is_fresh {
            self.taken_bytes = 0;
            self.submitted.clear();
            match &mut self.secure {
                None => std::mem::swap(&mut self.submitted, &mut self.waiting),
                Some(secure) => secure.encrypt(&mut self.waiting, &mut self.submitted),
            }
        }
        if self.taken_bytes < self.submitted.len() {
            self.sending = true;
            if is_fresh && hurry == Hurry::Idle {
                let operation = Operation::LinkSend(self.number);
                return ring.send_now(operation, self.stream.as_raw_fd(), &self.submitted);
            }
            // SAFETY: `submitted` is not touched while `sending`, and a link is not dropped while it
            // is busy.
            unsafe {
                ring.send_link(self.number, self.stream.as_raw_fd(), &self.submitted[self.taken_bytes..])
            };
        }
    }

    /// A send has completed; false if the connection is broken.
    pub(super) fn sent(&mut self, result: i32) -> bool {
        self.sending = false;
        match usize::try_from(result) {
            Ok(bytes) => {
                self.taken_bytes += bytes;
                true
            }
            Err(_) => result == -libc::EAGAIN || result == -libc::EINTR,
        }
    }

    /// Whether operations of it are with the kernel: then it must stay where it is.
    pub(super) fn is_busy(&self) -> bool {
        self.sending || self.receiving
    }

    pub(super) fn let_go_of_send(&mut self) {
        self.sending = false;
    }

    pub(super) fn let_go_of_receive(&mut self) {
        self.receiving = false;
    }

    pub(super) fn shutdown(&self) {
        // Fails only if the connection is gone, which is what is wanted.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}
