//! All connections of one core, and the flusher that writes their outboxes once a turn.

use super::connection::{Connection, SharedConnection};
use crate::chat::effect::Frame;
use crate::chat::ids::{Millis, SessionId};
use crate::executor::guard::spawn_service;
use crate::executor::shard::SharedShard;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// The connections of one core.
pub(in crate::executor) struct Connections {
    limit: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Those with something to be flushed.
    dirty: Vec<SharedConnection>,
    flusher: Option<Waker>,
    /// Memory for outboxes, on loan while there is something in them.
    spare: Vec<Vec<u8>>,
}

struct Slot {
    generation: u32,
    connection: Option<SharedConnection>,
}

/// Outbox buffers that are kept for the next turn, and how large they may be.
const SPARE_BUFFERS: usize = 256;
const SPARE_BYTES: usize = 64 << 10;

impl Connections {
    pub(in crate::executor) fn new(limit: usize) -> Self {
        Self {
            limit,
            slots: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            flusher: None,
            spare: Vec::new(),
        }
    }

    pub(in crate::executor) fn is_empty(&self) -> bool {
        self.free.len() == self.slots.len()
    }

    /// A name for one more connection, if the limit allows one.
    pub(super) fn free_slot(&mut self) -> Option<SessionId> {
        if let Some(&index) = self.free.last() {
            return Some(SessionId { index, generation: self.slots[index as usize].generation });
        }
        if self.slots.len() == self.limit {
            return None;
        }
        let index = self.slots.len() as u32;
        self.slots.push(Slot { generation: 0, connection: None });
        self.free.push(index);
        Some(SessionId { index, generation: 0 })
    }

    /// Puts a connection where [`Self::free_slot`] said.
    pub(super) fn insert(&mut self, connection: SharedConnection) {
        let index = self.free.pop().expect("free_slot found one");
        assert_eq!(index, connection.id.index, "a connection goes into the slot that was found for it");
        self.slots[index as usize].connection = Some(connection);
    }

    /// Forgets a connection. Its slot is free for the next one.
    pub(super) fn remove(&mut self, id: SessionId) {
        let slot = &mut self.slots[id.index as usize];
        assert_eq!(slot.generation, id.generation, "a connection is removed once");
        slot.connection = None;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
    }

    fn get(&self, id: SessionId) -> Option<&SharedConnection> {
        let slot = self.slots.get(id.index as usize)?;
        slot.connection.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub(in crate::executor) fn send(&mut self, id: SessionId, frame: &Frame) {
        let Some(connection) = self.get(id) else { return };
        let connection = connection.clone();
        if connection.outbox.borrow().buffer.capacity() == 0 {
            connection.outbox.borrow_mut().buffer = self.spare.pop().unwrap_or_default();
        }
        if connection.append(frame) {
            self.dirty.push(connection);
            if let Some(waker) = self.flusher.take() {
                waker.wake();
            }
        }
    }

    pub(in crate::executor) fn close(&mut self, id: SessionId) {
        if let Some(connection) = self.get(id) {
            connection.closing.set(true);
            connection.wake_reader();
        }
    }

    pub(in crate::executor) fn pause(&mut self, id: SessionId) {
        if let Some(connection) = self.get(id) {
            connection.paused.set(true);
        }
    }

    pub(in crate::executor) fn resume(&mut self, id: SessionId) {
        if let Some(connection) = self.get(id) {
            connection.paused.set(false);
            connection.wake_reader();
        }
    }

    /// Flushes a connection's outbox, and says what its peer's TCP has acknowledged.
    pub(in crate::executor) fn probe(&mut self, id: SessionId) -> Option<u64> {
        let connection = self.get(id)?.clone();
        self.flush(&connection);
        Some(connection.acked())
    }

    /// Closes connections whose frame has been under way for longer than `frame_ms`.
    pub(in crate::executor) fn cut_slow_frames(&self, now: Millis, frame_ms: u64) {
        for connection in self.slots.iter().filter_map(|slot| slot.connection.as_ref()) {
            if connection.partial_since.get().is_some_and(|since| now.since(since) > frame_ms) {
                connection.closing.set(true);
                connection.wake_reader();
            }
        }
    }

    /// Writes what the socket takes; a task of its own waits for the rest.
    pub(super) fn flush(&mut self, connection: &SharedConnection) {
        if connection.outbox.borrow().blocked {
            return;
        }
        match connection.write() {
            Ok(()) => self.reclaim(connection),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                connection.outbox.borrow_mut().blocked = true;
                glommio::spawn_local(unblock(connection.clone())).detach();
            }
            Err(_) => broken(connection),
        }
    }

    /// Takes back the memory of an empty outbox.
    fn reclaim(&mut self, connection: &Connection) {
        let mut outbox = connection.outbox.borrow_mut();
        let buffer = std::mem::take(&mut outbox.buffer);
        if self.spare.len() < SPARE_BUFFERS && (1..=SPARE_BYTES).contains(&buffer.capacity()) {
            self.spare.push(buffer);
        }
    }

    fn flush_all(&mut self) {
        for at in 0..self.dirty.len() {
            let connection = self.dirty[at].clone();
            connection.outbox.borrow_mut().dirty = false;
            self.flush(&connection);
        }
        self.dirty.clear();
    }
}

/// Flushes, once a turn, what was written to in that turn.
pub(in crate::executor) fn spawn_flusher(shard: SharedShard) {
    spawn_service("the flusher", async move {
        poll_fn(|cx| {
            let connections = &mut shard.borrow_mut().connections;
            connections.flush_all();
            connections.flusher = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
        .await;
    });
}

/// Waits until the socket takes more, and writes it.
async fn unblock(connection: Rc<Connection>) {
    loop {
        if !connection.writable().await {
            return broken(&connection);
        }
        match connection.write() {
            Ok(()) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return broken(&connection),
        }
    }
    let mut outbox = connection.outbox.borrow_mut();
    outbox.blocked = false;
    outbox.buffer = Vec::new();
}

/// The reader finds out for itself, and ends the connection.
fn broken(connection: &Connection) {
    let mut outbox = connection.outbox.borrow_mut();
    outbox.broken = true;
    outbox.buffer = Vec::new();
    outbox.written = 0;
    drop(outbox);
    connection.closing.set(true);
    connection.wake_reader();
}
