//! Completions to events: what was received becomes frames, requests, and news for the hub.
//!
//! The event loop takes in what has completed and lets the hub handle it. A connection has no task of its own.

use super::connection::{Connection, Stage, Tail};
use super::proxied::Origin;
use super::ring::{Completion, Expect, Operation};
use super::spoken::Spoken;
use super::tls::Tls;
use crate::event_loop;
use crate::metrics;
use crate::shard::Shard;
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::port::event::Event;
use chatd_chat::wire::frame::{self, Step, Terminator};
use chatd_chat::wire::request::{self, Fault};
use chatd_process::panic_policy;
use std::num::NonZeroU32;
use std::ops::Range;

/// What of received bytes was not handed over.
pub(super) struct Rest {
    /// Where it lies.
    pub(super) kept: Range<usize>,
    /// How much of it was searched in vain.
    pub(super) searched: usize,
    /// Whether it began after something that was whole: then it has its whole time.
    pub(super) is_fresh: bool,
}

impl Rest {
    /// Everything was.
    pub(super) const fn nothing() -> Self {
        Self { kept: 0..0, searched: 0, is_fresh: true }
    }

    /// What follows `start` of so many bytes.
    const fn after(start: usize, bytes: usize, searched: usize) -> Self {
        Self { kept: start..bytes, searched, is_fresh: start > 0 }
    }

    /// All of it, so far.
    pub(super) const fn all(bytes: usize) -> Self {
        Self { kept: 0..bytes, searched: bytes, is_fresh: false }
    }
}

impl Shard {
    /// The kernel has taken bytes for a socket, or not.
    fn sent(&mut self, index: u32, result: i32) {
        let now_ns = self.clock().steady_ns();
        let since = self.sockets.sent(index, result);
        if self.metrics.is_on() {
            if let Some(since_ns) = since {
                self.metrics.record(metrics::Stage::Flushed, since_ns, now_ns);
            }
            while let Some(mark) = self.sockets.flushed(index) {
                self.metrics.flushed(mark, now_ns);
            }
        }
        self.sockets.release(index);
    }

    pub(crate) fn complete(&mut self, completion: Completion) {
        let Completion { operation, result, more, lease } = completion;
        match operation {
            Operation::Receive(index) => {
                let Some(connection) = self.sockets.at(index) else { return };
                connection.receiving = false;
                match (connection.stage, lease) {
                    (Stage::Over, lease) => {
                        lease.into_iter().for_each(|lease| self.sockets.ring.give_back(lease));
                        self.sockets.release(index);
                    }
                    (_, Some(mut lease)) if result > 0 => {
                        let id = connection.id;
                        self.metrics.counters.received_bytes += lease.len() as u64;
                        self.guarded(id, |shard| shard.received(id, &mut lease, more));
                        self.sockets.ring.give_back(lease);
                    }
                    (_, lease) => {
                        lease.into_iter().for_each(|lease| self.sockets.ring.give_back(lease));
                        self.received_nothing(index, result);
                    }
                }
            }
            Operation::Send(index) => {
                self.metrics.counters.sent_bytes += u64::try_from(result).unwrap_or(0);
                self.sent(index, result);
            }
            Operation::LinkReceive(number) => {
                let bytes = lease.as_deref().unwrap_or(&[]);
                self.receive_link(number, bytes, result);
                lease.into_iter().for_each(|lease| self.sockets.ring.give_back(lease));
            }
            Operation::LinkSend(number) => self.sent_link(number, result),
            Operation::Poll(slot) => event_loop::polled(slot, result),
            Operation::Other => {}
        }
    }

    /// A panic over one connection's bytes costs that connection; one inside the hub, everything.
    pub(super) fn guarded(&mut self, id: ConnectionId, handle: impl FnOnce(&mut Self)) {
        if panic_policy::contain(|| handle(self)).is_err() {
            if self.is_broken() {
                panic_policy::die("the hub");
            }
            self.sockets.end(id.index);
        }
    }

    fn received(&mut self, id: ConnectionId, bytes: &mut [u8], more: bool) {
        let connection = self.sockets.at(id.index).expect("looked at before");
        match connection.stage {
            Stage::Open if connection.origin == Origin::HeaderDue => self.received_header(id, bytes),
            Stage::Open => self.received_open(id, bytes),
            // What a client says after its connection was closed is thrown away, up to a bound: who goes
            // on writing does not read what it was told.
            Stage::Emptying(_) | Stage::Lingering(_) => {
                connection.discarded += bytes.len() as u32;
                if connection.discarded as usize > self.limits.linger_bytes {
                    return self.sockets.end(id.index);
                }
            }
            Stage::Gone | Stage::Over => return,
        }
        let Some(connection) = self.sockets.at(id.index) else { return };
        let wanted = match connection.stage {
            Stage::Open => {
                let waits = |tls: &Tls| tls.is_put_off || tls.is_ended_by_client;
                !connection.paused && !connection.tls.as_deref().is_some_and(waits)
            }
            Stage::Emptying(_) | Stage::Lingering(_) => true,
            Stage::Gone | Stage::Over => false,
        };
        if wanted {
            self.sockets.receive(id.index, if more { Expect::Bytes } else { Expect::Nothing });
        }
    }

    /// Bytes of an open connection.
    pub(super) fn received_open(&mut self, id: ConnectionId, bytes: &mut [u8]) {
        let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
        let is_secret = connection.tls.is_some()
            || connection.spoken == Spoken::Unknown
                && Spoken::of(bytes[0]) == Spoken::Tls
                && self.begin_tls(id);
        if is_secret { self.received_secret(id, bytes) } else { self.take_in(id, bytes) }
    }

    /// Takes in what an open connection says.
    pub(super) fn take_in(&mut self, id: ConnectionId, bytes: &mut [u8]) {
        let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
        if connection.tail.bytes.is_empty() {
            let rest = self.hand_over(id, bytes, 0);
            self.keep_tail(id, &rest, |tail| tail.extend_from_slice(&bytes[rest.kept.clone()]));
        } else {
            // Doubling would take twice as much as it may.
            connection.tail.bytes.reserve_exact(bytes.len());
            connection.tail.bytes.extend_from_slice(bytes);
            self.hand_over_tail(id);
        }
    }

    /// The end of what the peer says, or an error.
    fn received_nothing(&mut self, index: u32, result: i32) {
        let connection = self.sockets.at(index).expect("looked at before");
        match result {
            0 => {
                connection.ended = true;
                let id = connection.id;
                self.tell_ended(id);
                self.sockets.close_after_last_word(index);
            }
            // Out of buffers for a moment, or nothing happened: again.
            _ if [-libc::ENOBUFS, -libc::EAGAIN, -libc::EINTR].contains(&result) => {
                self.sockets.receive(index, Expect::Bytes);
            }
            _ => self.sockets.end(index),
        }
    }

    /// Tells the hub that a client has said its last word, once all before it was handed over.
    pub(super) fn tell_ended(&mut self, id: ConnectionId) {
        let has_ended = |connection: &mut Connection| {
            connection.stage == Stage::Open && connection.ended && !connection.paused
        };
        if self.sockets.at(id.index).is_some_and(has_ended) {
            self.guarded(id, |shard| shard.feed(Event::HalfClosed { connection: id }));
        }
    }

    /// Goes on with a connection that was paused: first with what it said before.
    pub(crate) fn go_on(&mut self, id: ConnectionId) {
        let open = |connection: &mut Connection| connection.id == id && connection.stage == Stage::Open;
        if !self.sockets.at(id.index).is_some_and(open) {
            return;
        }
        self.guarded(id, |shard| shard.hand_over_tail(id));
        let connection = self.sockets.at(id.index).expect("looked at above");
        if connection.ended {
            self.tell_ended(id);
        } else if connection.stage == Stage::Open && !connection.paused {
            self.sockets.receive(id.index, Expect::Bytes);
        }
    }

    fn hand_over_tail(&mut self, id: ConnectionId) {
        let connection = self.sockets.at(id.index).expect("looked at before");
        let Tail { mut bytes, searched, read_us } = std::mem::take(&mut connection.tail);
        if let Some(read_us) = read_us {
            self.note_read(read_us.get());
        }
        let rest = self.hand_over(id, &mut bytes, searched as usize);
        if read_us.is_some() {
            self.note_read(self.read_us());
            if let Some(connection) = self.sockets.at(id.index) {
                connection.tail.read_us = read_us;
            }
        }
        self.keep_tail(id, &rest, |tail| {
            if !rest.kept.is_empty() {
                bytes.truncate(rest.kept.end);
                bytes.drain(..rest.kept.start);
                if bytes.capacity() > 2 * bytes.len() {
                    bytes.shrink_to_fit();
                }
                *tail = bytes;
            }
        });
    }

    /// Keeps what was not handed over, and notes since when a frame is under way.
    fn keep_tail(&mut self, id: ConnectionId, rest: &Rest, keep: impl FnOnce(&mut Vec<u8>)) {
        let (now, read_us) = (self.clock().now().monotonic, self.read_us());
        let Some(connection) = self.sockets.at(id.index).filter(|connection| connection.stage == Stage::Open)
        else {
            return;
        };
        keep(&mut connection.tail.bytes);
        connection.tail.searched = rest.searched as u32;
        // Messages that wait through a pause were read before it.
        let waits = connection.paused && !connection.tail.bytes.is_empty();
        connection.tail.read_us =
            if waits { connection.tail.read_us.or(NonZeroU32::new(read_us)) } else { None };
        let partial = !connection.paused && (!connection.tail.bytes.is_empty() || connection.is_within());
        let since = connection.partial_since.filter(|_| !rest.is_fresh);
        connection.partial_since = partial.then(|| since.unwrap_or(now));
        self.sockets.charge(id.index);
    }

    /// Hands over what is whole in `bytes`, by what the connection speaks, until it is paused or closed.
    pub(super) fn hand_over(&mut self, id: ConnectionId, bytes: &mut [u8], searched: usize) -> Rest {
        let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
        match connection.spoken {
            Spoken::Frames => self.hand_over_frames(id, bytes, searched),
            Spoken::Unknown => self.hand_over_first(id, bytes),
            Spoken::Http => self.hand_over_http(id, bytes, searched),
            Spoken::WebSocket => self.hand_over_messages(id, bytes),
            Spoken::Tls => Rest::nothing(),
        }
    }

    /// Hands over every whole frame of `bytes`.
    fn hand_over_frames(&mut self, id: ConnectionId, bytes: &mut [u8], mut searched: usize) -> Rest {
        let frame_bytes = self.limits.frame_bytes;
        let mut from = 0;
        loop {
            let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
            if connection.stage != Stage::Open {
                return Rest::nothing();
            }
            if connection.paused {
                return Rest::after(from, bytes.len(), 0);
            }
            match frame::next(bytes, from, searched, frame_bytes) {
                Step::Partial { start } => return Rest::after(start, bytes.len(), bytes.len() - start),
                Step::TooLarge => {
                    self.feed(Event::BadFrame { connection: id, fault: Fault::frame_too_large() })
                }
                Step::Frame { start, end, next, terminator } => {
                    if connection.terminator.is_none() {
                        connection.begin(terminator);
                    }
                    self.hand_over_frame(id, &mut bytes[start..end], terminator);
                    (from, searched) = (next, next);
                }
            }
        }
    }

    /// Hands over one frame.
    #[inline]
    pub(super) fn hand_over_frame(&mut self, id: ConnectionId, frame: &mut [u8], terminator: Terminator) {
        let sampled_ns = self.metrics.take_sample().then(|| self.clock().peek_ns());
        let parsed = request::parse(frame, &mut self.parser, &self.limits);
        if let Ok(request) = &parsed {
            self.sockets.learn(id.index, request);
        }
        let parsed_ns = sampled_ns.map(|_| self.clock().peek_ns());
        match parsed {
            Ok(request) => self.feed(Event::Request { connection: id, terminator, request }),
            Err(fault) => self.feed(Event::BadFrame { connection: id, fault }),
        }
        if let (Some(sampled_ns), Some(parsed_ns)) = (sampled_ns, parsed_ns) {
            let routed_ns = self.clock().peek_ns();
            self.metrics.record(metrics::Stage::Parsed, sampled_ns, parsed_ns);
            self.metrics.record(metrics::Stage::Routed, parsed_ns, routed_ns);
        }
    }

    /// Tells the hub of connections that are over.
    pub(crate) fn tell_gone(&mut self) {
        while let Some((connection, acked)) = self.sockets.gone.pop() {
            self.feed(Event::Closed { connection, acked });
            self.sockets.told(connection);
        }
    }
}
