//! What one connection owns: its socket, its outbox, and the state that its tasks share.

use crate::chat::effect::Frame;
use crate::chat::ids::{Millis, SessionId};
use crate::chat::wire::frame::Terminator;
use glommio::io::{PollState, PollableFd};
use std::cell::{Cell, RefCell};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// One connection of this core.
pub(in crate::executor) struct Connection {
    pub(in crate::executor) id: SessionId,
    stream: PollableFd<TcpStream>,
    pub(super) outbox: RefCell<Outbox>,
    /// What ends its frames; known from the first frame of the client.
    pub(super) terminator: Cell<Option<Terminator>>,
    pub(super) paused: Cell<bool>,
    pub(super) closing: Cell<bool>,
    /// Since when a frame is under way.
    pub(super) partial_since: Cell<Option<Millis>>,
    /// Wakes the reader when `paused` or `closing` changes.
    reader: Cell<Option<Waker>>,
}

/// Bytes for a socket. An outbox with nothing in it owns no memory.
///
/// Invariant: `written ≤ buffer.len()`.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) buffer: Vec<u8>,
    /// How much of `buffer` is with the kernel.
    pub(super) written: usize,
    /// Bytes given to the kernel since the connection was opened.
    pub(super) sent: u64,
    /// Whether it is on the list of those to be flushed this turn.
    pub(super) dirty: bool,
    /// Whether the socket takes no more and a task waits until it does.
    pub(super) blocked: bool,
    /// Whether the socket has failed: what is appended goes nowhere.
    pub(super) broken: bool,
}

/// What a reader waits for; it always hears that the connection is to be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Awaiting {
    /// Bytes, or the end of them.
    Bytes,
    /// That it may go on with what it has read before.
    Resumption,
    /// Nothing else.
    Closing,
}

/// What a reader woke up for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Woken {
    Awaited,
    Closing,
}

impl Connection {
    pub(super) fn new(id: SessionId, stream: TcpStream) -> Self {
        Self {
            id,
            stream: PollableFd::new(stream).expect("connections are made on an executor"),
            outbox: RefCell::default(),
            terminator: Cell::new(None),
            paused: Cell::new(false),
            closing: Cell::new(false),
            partial_since: Cell::new(None),
            reader: Cell::new(None),
        }
    }

    /// Appends a frame and its terminator; whether the outbox was clean before.
    pub(super) fn append(&self, frame: &Frame) -> bool {
        let mut outbox = self.outbox.borrow_mut();
        if outbox.broken {
            return false;
        }
        outbox.buffer.extend_from_slice(frame.bytes());
        outbox.buffer.push(self.terminator.get().unwrap_or(Terminator::Newline).byte());
        !std::mem::replace(&mut outbox.dirty, true)
    }

    /// Reads what is there.
    pub(super) fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.get_ref().read(buffer)
    }

    /// Writes what the socket takes at once. `WouldBlock` if it is not everything.
    pub(super) fn write(&self) -> io::Result<()> {
        let mut outbox = self.outbox.borrow_mut();
        while outbox.written < outbox.buffer.len() {
            match self.stream.get_ref().write(&outbox.buffer[outbox.written..]) {
                Ok(bytes) => {
                    outbox.written += bytes;
                    outbox.sent += bytes as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let written = outbox.written;
                    if written > 0 {
                        outbox.buffer.drain(..written);
                        outbox.written = 0;
                    }
                    return Err(error);
                }
            }
        }
        outbox.written = 0;
        outbox.buffer.clear();
        Ok(())
    }

    pub(super) async fn writable(&self) -> bool {
        self.stream.writable().await.is_ok()
    }

    /// Bytes, of all that were ever sent, that the peer's TCP has acknowledged.
    pub(super) fn acked(&self) -> u64 {
        let mut in_flight: libc::c_int = 0;
        // SAFETY: SIOCOUTQ writes one int to the address given, which outlives the call; the
        // descriptor is open as long as `stream` is.
        let result =
            unsafe { libc::ioctl(self.stream.get_ref().as_raw_fd(), libc::TIOCOUTQ, &raw mut in_flight) };
        let sent = self.outbox.borrow().sent;
        if result == 0 { sent.saturating_sub(in_flight.max(0) as u64) } else { 0 }
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        // Fails only if the connection is gone, which is what is wanted.
        let _ = self.stream.get_ref().shutdown(how);
    }

    /// Wakes the reader to look at `paused` and `closing`.
    pub(super) fn wake_reader(&self) {
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }

    /// Waits for what a reader waits for.
    pub(super) fn poll_reader(
        &self,
        cx: &mut Context<'_>,
        state: &mut PollState,
        awaiting: Awaiting,
    ) -> Poll<Woken> {
        if self.closing.get() {
            return Poll::Ready(Woken::Closing);
        }
        let ready = match awaiting {
            Awaiting::Bytes => self.stream.poll_readable(cx, state).is_ready(),
            Awaiting::Resumption => !self.paused.get(),
            Awaiting::Closing => false,
        };
        if ready {
            return Poll::Ready(Woken::Awaited);
        }
        self.reader.set(Some(cx.waker().clone()));
        Poll::Pending
    }

    pub(super) async fn readable(&self) -> bool {
        self.stream.readable().await.is_ok()
    }
}

/// A shared connection.
pub(super) type SharedConnection = Rc<Connection>;
