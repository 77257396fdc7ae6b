//! One connection: requests that come one after the other, each answered before the next one is read.

use super::http::{BODY_BYTES, HEAD_BYTES};
use super::work::Work;
use rustix::event::PollFlags;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::Shutdown;
use std::time::{Duration, Instant};

/// How long a connection may be silent between two requests, a request take to come, an answer of a core to come, and an
/// answer to be read.
pub(super) const IDLE: Duration = Duration::from_secs(60);
pub(super) const REQUEST: Duration = Duration::from_secs(10);
pub(super) const STEP: Duration = Duration::from_secs(10);
pub(super) const WRITE: Duration = Duration::from_secs(10);
/// How long the peer may take to close after the last answer; what it still says is thrown away, because bytes that
/// nobody reads would make the kernel reset the connection under the answer.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are read at a time.
pub(super) const READ_BYTES: usize = 16 << 10;

/// Where a connection comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// The admin address: it needs a token.
    Address,
    /// The socket, which nobody else may open.
    Socket,
}

/// What a connection waits for.
#[derive(Debug)]
pub(super) enum Stage {
    /// A request, or the rest of one.
    Asking,
    /// A core is at work for it.
    Working(Box<Working>),
    /// The answer is being written, and then it goes on.
    Answering,
    /// The last answer is being written.
    Ending,
    /// The peer is to close.
    Lingering,
    Over,
}

/// An act that is being done.
#[derive(Debug)]
pub(super) struct Working {
    pub(super) work: Box<dyn Work>,
    /// What the log says of it: who, and what.
    pub(super) about: String,
    /// The number of the call that is awaited.
    pub(super) call: u64,
    /// Whether the connection ends with the answer.
    pub(super) is_last: bool,
    /// Whether lines of the answer have been written.
    pub(super) has_begun: bool,
    /// Whether users are somebody else afterwards than they were.
    pub(super) forgets: bool,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    pub(super) origin: Origin,
    pub(super) stage: Stage,
    /// What has come and was not read yet.
    pub(super) incoming: Vec<u8>,
    /// What is to be written.
    pub(super) outgoing: Vec<u8>,
    written: usize,
    /// Whether it was told to go on with its body.
    pub(super) told_to_go_on: bool,
    /// When it is closed, however far it is.
    pub(super) deadline: Instant,
}

impl Connection {
    pub(super) fn new(socket: OwnedFd, origin: Origin, incoming: Vec<u8>, now: Instant) -> Self {
        Self {
            socket,
            origin,
            stage: Stage::Asking,
            incoming,
            outgoing: Vec::new(),
            written: 0,
            told_to_go_on: false,
            deadline: now + REQUEST,
        }
    }

    /// What it waits for.
    pub(super) fn interest(&self) -> PollFlags {
        match self.stage {
            Stage::Asking if self.outgoing.is_empty() => PollFlags::IN,
            Stage::Lingering => PollFlags::IN,
            Stage::Asking | Stage::Answering | Stage::Ending => PollFlags::OUT,
            Stage::Working(_) if !self.outgoing.is_empty() => PollFlags::OUT,
            // That the peer is gone shows when the answer is written: what was begun is done in any case.
            Stage::Working(_) | Stage::Over => PollFlags::empty(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether nothing of a request has come.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Asking) && self.incoming.is_empty() && self.outgoing.is_empty()
    }

    /// Reads what has come, by way of `bytes`. A peer that says nothing more has its last answers all the same.
    pub(super) fn read(&mut self, bytes: &mut [u8; READ_BYTES], now: Instant) {
        match rustix::io::read(&self.socket, &mut *bytes) {
            Ok(0) => self.stage = Stage::Over,
            Ok(count) if matches!(self.stage, Stage::Asking) => {
                if self.incoming.is_empty() {
                    self.deadline = now + REQUEST;
                }
                self.incoming.extend_from_slice(&bytes[..count]);
                debug_assert!(
                    self.incoming.len() <= HEAD_BYTES + BODY_BYTES + READ_BYTES,
                    "it is read before"
                );
            }
            Ok(_) | Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => self.stage = Stage::Over,
        }
    }

    /// Writes as much as the socket takes.
    pub(super) fn write(&mut self, now: Instant) {
        while self.written < self.outgoing.len() {
            match rustix::io::write(&self.socket, &self.outgoing[self.written..]) {
                Ok(count @ 1..) => self.written += count,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                Ok(0) | Err(_) => return self.stage = Stage::Over,
            }
        }
        self.outgoing.clear();
        self.written = 0;
        match self.stage {
            Stage::Answering => {
                self.stage = Stage::Asking;
                self.told_to_go_on = false;
                self.deadline = now + if self.incoming.is_empty() { IDLE } else { REQUEST };
            }
            Stage::Ending => {
                // Fails only if the connection is gone, which shows at once.
                let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
                self.incoming = Vec::new();
                self.stage = Stage::Lingering;
                self.deadline = now + LINGER;
            }
            Stage::Asking | Stage::Working(_) | Stage::Lingering | Stage::Over => {}
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
