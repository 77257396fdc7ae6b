//! The task of one connection: bytes to frames to requests, until it ends.
//!
//! All connections of a core read into one shared buffer and parse with one parser. A connection
//! owns memory only while a frame of it is under way, or while it is paused with frames unread.

use super::closing::{self, Ending};
use super::connection::{Awaiting, Connection, Woken};
use crate::chat::event::Event;
use crate::chat::limits::Limits;
use crate::chat::wire::frame::{self, Step};
use crate::chat::wire::json::Parser;
use crate::chat::wire::request::{self, Fault};
use crate::executor::guard;
use crate::executor::shard::{Shard, SharedShard};
use futures_lite::FutureExt;
use futures_lite::future::yield_now;
use glommio::io::PollState;
use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

/// Bytes that one connection may have read in one turn.
const READ_BYTES: usize = 32 << 10;

/// What the connections of a core read and parse with.
pub(in crate::executor) struct ReadBuffers {
    bytes: Vec<u8>,
    parser: Parser,
    limits: Limits,
}

impl ReadBuffers {
    pub(in crate::executor) fn new(limits: Limits) -> Self {
        Self { bytes: vec![0; READ_BYTES], parser: Parser::new(), limits }
    }
}

/// What a connection has read and not handed over.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    /// How far it was searched for a terminator in vain.
    searched: usize,
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Progress {
    /// All is read that was there.
    Drained,
    /// There may be more.
    More,
    /// Nothing more is to be handed over for now.
    Paused,
    /// The client has said its last word.
    Ended,
    /// The connection is of no use any more.
    Broken,
}

/// Serves a connection to its end. A panic on the way costs this connection alone.
pub(super) async fn serve(shard: SharedShard, connection: Rc<Connection>, buffers: Rc<RefCell<ReadBuffers>>) {
    let reading = AssertUnwindSafe(read(&shard, &connection, &buffers)).catch_unwind().await;
    let ending = reading.unwrap_or_else(|_| {
        if shard.try_borrow().is_ok_and(|shard| shard.is_broken()) {
            guard::die("the hub");
        }
        Ending::Broken
    });
    closing::close(&shard, &connection, ending).await;
}

async fn read(shard: &SharedShard, connection: &Connection, buffers: &RefCell<ReadBuffers>) -> Ending {
    let mut tail = Tail::default();
    let mut state = PollState::new();
    let mut awaiting = Awaiting::Bytes;
    loop {
        match poll_fn(|cx| connection.poll_reader(cx, &mut state, awaiting)).await {
            Woken::Closing if connection.outbox.borrow().broken => return Ending::Broken,
            Woken::Closing => return Ending::Ours,
            Woken::Awaited => {}
        }
        let progress = Turn { shard, connection, tail: &mut tail }.run(&mut buffers.borrow_mut(), awaiting);
        awaiting = match progress {
            Progress::Paused => Awaiting::Resumption,
            Progress::Drained => Awaiting::Bytes,
            Progress::More => {
                // Everybody else gets a turn before this connection has another one.
                yield_now().await;
                Awaiting::Bytes
            }
            Progress::Ended => Awaiting::Closing,
            Progress::Broken => return Ending::Broken,
        };
    }
}

/// One connection's turn with the shared buffers.
struct Turn<'a> {
    shard: &'a SharedShard,
    connection: &'a Connection,
    tail: &'a mut Tail,
}

impl Turn<'_> {
    fn run(&mut self, buffers: &mut ReadBuffers, awaited: Awaiting) -> Progress {
        let mut shard = self.shard.borrow_mut();
        shard.begin_turn();
        if awaited == Awaiting::Resumption {
            self.hand_over_tail(&mut shard, buffers);
            if self.connection.paused.get() {
                return Progress::Paused;
            }
        }
        let bytes = match self.connection.read(&mut buffers.bytes) {
            Ok(0) => {
                shard.feed(Event::Ended { session: self.connection.id });
                return Progress::Ended;
            }
            Ok(bytes) => bytes,
            Err(error) => {
                return match error.kind() {
                    io::ErrorKind::WouldBlock => Progress::Drained,
                    io::ErrorKind::Interrupted => Progress::More,
                    _ => Progress::Broken,
                };
            }
        };
        let full = bytes == buffers.bytes.len();
        if self.tail.bytes.is_empty() {
            let mut read = std::mem::take(&mut buffers.bytes);
            let (rest, searched) = self.hand_over(&mut shard, &mut read[..bytes], 0, buffers);
            self.tail.bytes.extend_from_slice(&read[rest..bytes]);
            self.tail.searched = searched - rest;
            buffers.bytes = read;
        } else {
            self.tail.bytes.extend_from_slice(&buffers.bytes[..bytes]);
            self.hand_over_tail(&mut shard, buffers);
        }
        self.note_partial(&shard);
        match (self.connection.paused.get(), full) {
            (true, _) => Progress::Paused,
            (false, true) => Progress::More,
            (false, false) => Progress::Drained,
        }
    }

    fn hand_over_tail(&mut self, shard: &mut Shard, buffers: &mut ReadBuffers) {
        let mut bytes = std::mem::take(&mut self.tail.bytes);
        let (rest, searched) = self.hand_over(shard, &mut bytes, self.tail.searched, buffers);
        self.tail.searched = searched - rest;
        if rest < bytes.len() {
            bytes.drain(..rest);
            self.tail.bytes = bytes;
        }
    }

    /// Hands over every whole frame of `bytes`, until the connection is paused or closed. Gives
    /// back where the rest begins, and how far it was searched.
    fn hand_over(
        &self,
        shard: &mut Shard,
        bytes: &mut [u8],
        mut searched: usize,
        buffers: &mut ReadBuffers,
    ) -> (usize, usize) {
        let connection = self.connection;
        let session = connection.id;
        let mut from = 0;
        loop {
            if connection.closing.get() {
                return (bytes.len(), bytes.len());
            }
            if connection.paused.get() {
                return (from, from);
            }
            match frame::next(bytes, from, searched, buffers.limits.frame_bytes) {
                Step::Partial { start } => return (start, bytes.len()),
                Step::TooLarge => shard.feed(Event::Garbled { session, fault: Fault::frame_too_large() }),
                Step::Frame { start, end, next, terminator } => {
                    if connection.terminator.get().is_none() {
                        connection.terminator.set(Some(terminator));
                    }
                    match request::parse(&mut bytes[start..end], &mut buffers.parser, &buffers.limits) {
                        Ok(request) => shard.feed(Event::Said { session, terminator, request }),
                        Err(fault) => shard.feed(Event::Garbled { session, fault }),
                    }
                    (from, searched) = (next, next);
                }
            }
        }
    }

    /// A frame may take its time, but not for ever.
    fn note_partial(&self, shard: &Shard) {
        let partial = !self.tail.bytes.is_empty() && !self.connection.paused.get();
        let since = self.connection.partial_since.get();
        self.connection.partial_since.set(match (partial, since) {
            (true, None) => Some(shard.clock().now()),
            (true, since) => since,
            (false, _) => None,
        });
    }
}
