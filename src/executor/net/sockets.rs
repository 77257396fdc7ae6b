//! All client sockets of one core: who they are, and what is to be sent to them.
//!
//! Owns the ring, and every connection until the kernel has let go of it. What is received is
//! handled next door, in `reader`.

mod flush;
mod secure;
mod spare;
mod web;

use super::connection::{Connection, Outbox, Stage, Wrapped};
use super::mode::RingMode;
use super::pacing::PacingLimits;
use super::ring::{Expect, Ring};
use super::spoken::Spoken;
use crate::metrics::Marks;
use chatd_chat::model::ids::{ConnectionId, Monotonic};
use chatd_chat::model::limits::Limits;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::request::Request;
use spare::Spare;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
pub(super) use web::TEXT;

/// How long a connection that is being closed may take to deliver what was sent last.
const LINGER_MS: u64 = 1_000;

/// The client sockets of one core.
pub(crate) struct Sockets {
    limit: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Of the connections, those that have more than frames.
    pub(crate) wrapped: Wrapped,
    pub(crate) ring: Ring,
    /// Those with something to be sent.
    dirty: Vec<u32>,
    /// Whether sends are made at once, now.
    sends_now: bool,
    /// Those that may go on with what they have received before.
    pub(crate) resumed: Vec<ConnectionId>,
    /// Those that are gone, with what their peers had acknowledged, for the hub.
    pub(super) gone: Vec<(ConnectionId, u64)>,
    /// Those that are being closed.
    closing: Vec<ConnectionId>,
    spare: Spare,
    /// Those whose handshake waits for its turn.
    pub(super) put_off: VecDeque<ConnectionId>,
    /// How many handshakes may still begin in this turn.
    pub(super) handshakes_left: u32,
    /// What the last bytes of a connection that is encrypted said: memory that is used again.
    pub(super) plain: Vec<u8>,
    /// A frame that goes to several: memory that is used again.
    encoded: Vec<u8>,
    /// Memory of all that is half read.
    tail_bytes: usize,
    pacing: PacingLimits,
    /// Those whose next frame waits for its time, in nanoseconds: the earliest first.
    paced: BinaryHeap<Reverse<(u64, ConnectionId)>>,
    /// Wakes the task that waits for that time.
    pacer: Option<Waker>,
    /// The time of this turn.
    pub(crate) now: Monotonic,
    /// The same, of the clock to measure with.
    pub(crate) now_ns: u64,
    marks: Marks,
    /// Frames that were not measured because too many were under way.
    pub(crate) unmarked: u64,
}

/// Whether a core has anything to do besides sending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Hurry {
    Idle,
    Busy,
}

struct Slot {
    generation: u32,
    connection: Option<Box<Connection>>,
}

impl Sockets {
    /// No sockets, `connections` at most. Makes the core's ring: call on its thread.
    pub(crate) fn new(limits: &Limits, mode: Option<RingMode>) -> io::Result<Self> {
        Ok(Self {
            limit: limits.connections,
            slots: Vec::new(),
            free: Vec::new(),
            wrapped: Wrapped::default(),
            ring: Ring::new(mode)?,
            dirty: Vec::new(),
            sends_now: false,
            resumed: Vec::new(),
            gone: Vec::new(),
            closing: Vec::new(),
            spare: Spare::default(),
            put_off: VecDeque::new(),
            handshakes_left: 0,
            plain: Vec::new(),
            encoded: Vec::new(),
            tail_bytes: 0,
            pacing: PacingLimits::of(limits),
            paced: BinaryHeap::new(),
            pacer: None,
            now: Monotonic(0),
            now_ns: 0,
            marks: Marks::default(),
            unmarked: 0,
        })
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// Takes a socket in, if the limit allows one more, and begins to receive from it.
    pub(super) fn insert(&mut self, stream: TcpStream) -> Result<ConnectionId, TcpStream> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < self.limit => {
                self.slots.push(Slot { generation: 0, connection: None });
                self.slots.len() as u32 - 1
            }
            None => return Err(stream),
        };
        let slot = &mut self.slots[index as usize];
        let id = ConnectionId { index, generation: slot.generation };
        slot.connection = Some(Box::new(Connection::new(id, stream)));
        self.receive(index, Expect::Nothing);
        Ok(id)
    }

    fn get(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.at(id.index).filter(|connection| connection.id == id)
    }

    pub(super) fn at(&mut self, index: u32) -> Option<&mut Connection> {
        self.slots.get_mut(index as usize)?.connection.as_deref_mut()
    }

    /// Asks the kernel for more bytes, unless it was asked already.
    pub(super) fn receive(&mut self, index: u32, expect: Expect) {
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        if !connection.receiving {
            connection.receiving = true;
            self.ring.receive(index, connection.descriptor(), expect);
        }
    }

    pub(crate) fn pause(&mut self, id: ConnectionId) {
        if let Some(connection) = self.get(id) {
            connection.paused = true;
        }
    }

    pub(crate) fn resume(&mut self, id: ConnectionId) {
        if let Some(connection) = self.get(id) {
            connection.paused = false;
            self.resumed.push(id);
        }
    }

    /// What the peer's TCP has acknowledged. If much waits to be sent, it is submitted first.
    pub(crate) fn probe(&mut self, id: ConnectionId) -> Option<u64> {
        const MUCH_BYTES: usize = 64 << 10;
        if self.get(id)?.outbox.waiting.len() > MUCH_BYTES {
            self.flush(Hurry::Busy);
            self.ring.enter();
        }
        Some(self.get(id)?.acked_frames())
    }

    /// Closes a connection: what was said last is to arrive first.
    pub(crate) fn close(&mut self, id: ConnectionId, why: Option<Code>) {
        if self.get(id).is_none_or(|connection| connection.stage != Stage::Open) {
            return;
        }
        let deadline = self.part(id.index, why);
        self.forget_unsaid(id.index);
        let Some(connection) = self.get(id) else { return };
        connection.stage = Stage::Emptying(deadline);
        connection.partial_since = None;
        connection.tail = Default::default();
        self.charge(id.index);
        self.closing.push(id);
        self.hurry(id.index);
        self.close_if_flushed(id.index);
    }

    /// What a connection that is being closed still has to write is to be through before its time is over.
    fn hurry(&mut self, index: u32) {
        let by_ns = self.now_ns + LINGER_MS * 1_000_000 / 2;
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        let Some(pacing) = &mut connection.pacing else { return };
        pacing.hurry(self.now_ns, by_ns);
        if !std::mem::replace(&mut connection.outbox.dirty, true) {
            self.dirty.push(index);
        }
    }

    fn close_if_flushed(&mut self, index: u32) {
        let Some(connection) = self.at(index) else { return };
        let Stage::Emptying(deadline) = connection.stage else { return };
        if connection.is_flushed() {
            if connection.web.is_some() && self.refill(index) || self.say_end(index) {
                return;
            }
            let deadline = deadline.min(self.now.plus(LINGER_MS));
            let Some(connection) = self.at(index) else { return };
            connection.shutdown(Shutdown::Write);
            connection.stage = Stage::Lingering(deadline);
            if connection.is_through() {
                // The usual end: who comes back at once is not to find its own last session.
                self.end(index);
            } else if !connection.ended {
                // Bytes that nobody reads would make the kernel reset the connection, and a reset
                // may overtake what was said last.
                self.receive(index, Expect::Nothing);
            }
        }
    }

    /// The peer of a connection that is being closed has said its last word.
    pub(super) fn close_after_last_word(&mut self, index: u32) {
        self.close_if_flushed(index);
        let through = |connection: &Connection| {
            matches!(connection.stage, Stage::Lingering(_)) && connection.is_through()
        };
        if self.at(index).is_some_and(|connection| through(connection)) {
            self.end(index);
        }
    }

    /// A tick: goes on with the connections that are being closed.
    pub(crate) fn close_on(&mut self) {
        self.spare.shrink();
        for id in std::mem::take(&mut self.closing) {
            self.close_if_flushed(id.index);
            let now = self.now;
            let Some(connection) = self.get(id) else { continue };
            let over = match connection.stage {
                Stage::Emptying(deadline) => now >= deadline,
                Stage::Lingering(deadline) => now >= deadline || connection.is_through(),
                Stage::Open | Stage::Gone | Stage::Over => false,
            };
            if over {
                self.end(id.index);
            } else if !connection.is_over() {
                self.closing.push(id);
            }
        }
    }

    /// The connection is over: the hub will be told, and what the kernel still does comes to an end.
    pub(super) fn end(&mut self, index: u32) {
        let Some(connection) = self.at(index).filter(|connection| !connection.is_over()) else { return };
        connection.stage = Stage::Gone;
        let gone = (connection.id, connection.acked_frames());
        connection.shutdown(Shutdown::Both);
        connection.outbox.waiting = Vec::new();
        connection.partial_since = None;
        connection.tail = Default::default();
        self.charge(index);
        self.gone.push(gone);
    }

    /// The hub knows that the connection is gone.
    pub(super) fn told(&mut self, id: ConnectionId) {
        if let Some(connection) = self.get(id) {
            connection.stage = Stage::Over;
            self.release(id.index);
        }
    }

    /// Whether a turn has something to write or to handle, whatever completes.
    pub(crate) fn has_work(&self) -> bool {
        !(self.dirty.is_empty() && self.resumed.is_empty() && self.gone.is_empty() && self.put_off.is_empty())
    }

    /// Frees the slot of a connection that is over, once the kernel and the hub have let go of it.
    pub(super) fn release(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let over = |connection: &Connection| connection.stage == Stage::Over && !connection.is_busy();
        if slot.connection.as_deref().is_some_and(over) {
            if let Some(mut connection) = slot.connection.take() {
                self.marks.forget(&mut connection.outbox.marks);
                self.wrapped.forget(&connection);
            }
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(index);
        }
    }

    /// Learns from what a client says how it reads.
    pub(super) fn learn(&mut self, index: u32, request: &Request<'_>) {
        if let Some(pacing) = self.at(index).and_then(|connection| connection.pacing.as_mut()) {
            pacing.learn(request);
        }
    }

    /// The next frame of a connection is written at this time.
    fn write_later(&mut self, index: u32, due_ns: u64) {
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        let Some(pacing) = connection.pacing.as_mut().filter(|pacing| !pacing.listed) else { return };
        pacing.listed = true;
        self.paced.push(Reverse((due_ns, connection.id)));
        if let Some(pacer) = self.pacer.take() {
            pacer.wake();
        }
    }

    /// How long it is until the next frame of somebody's may be written, once there is such a frame.
    pub(crate) fn next_write(&mut self, cx: &mut Context<'_>) -> Poll<Duration> {
        match self.paced.peek() {
            Some(Reverse((due_ns, _))) => {
                Poll::Ready(Duration::from_nanos(due_ns.saturating_sub(self.now_ns)))
            }
            None => {
                self.pacer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Goes on with those whose time has come.
    pub(crate) fn write_due(&mut self) {
        while let Some(&Reverse((due_ns, id))) = self.paced.peek()
            && due_ns <= self.now_ns
        {
            self.paced.pop();
            let Some(connection) = self.get(id) else { continue };
            if let Some(pacing) = &mut connection.pacing {
                pacing.listed = false;
            }
            if !std::mem::replace(&mut connection.outbox.dirty, true) {
                self.dirty.push(id.index);
            }
        }
    }

    /// The connections to be cut where too much is half read: the largest frames under way first, and of
    /// these the oldest, until an eighth of `limit_bytes` is free again. What waits through a pause is
    /// not among them: it is one buffer at most, and it is we who do not read on.
    pub(crate) fn over(&self, limit_bytes: usize) -> Vec<ConnectionId> {
        if self.tail_bytes <= limit_bytes {
            return Vec::new();
        }
        let connections = self.slots.iter().filter_map(|slot| slot.connection.as_deref());
        let under_way = |connection: &Connection| {
            let since = connection.partial_since?;
            Some((std::cmp::Reverse(connection.charged), since, connection.id))
        };
        let mut under_way: Vec<_> = connections.filter_map(under_way).collect();
        under_way.sort_unstable();
        let mut excess = (self.tail_bytes - limit_bytes) + limit_bytes / 8;
        let mut chosen = Vec::new();
        for (std::cmp::Reverse(bytes), _, id) in under_way {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(bytes as usize);
            chosen.push(id);
        }
        chosen
    }

    /// Connections whose frame has been under way for longer than `frame_ms`, of one part of all slots: of so many
    /// looks one after the other, each meets another part.
    pub(crate) fn with_overdue_frame(&self, frame_ms: u64, look: usize, looks: usize) -> Vec<ConnectionId> {
        let overdue = |connection: &&Connection| {
            connection.partial_since.is_some_and(|since| self.now.since(since) > frame_ms)
        };
        let slots = self.slots.iter().skip(look % looks).step_by(looks);
        let connections = slots.filter_map(|slot| slot.connection.as_deref());
        connections.filter(overdue).map(|connection| connection.id).collect()
    }
}
