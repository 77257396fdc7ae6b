//! The way out: what was written to outboxes becomes sends, and sends that have completed make room.

use super::{Hurry, Outbox, Sockets, Spoken, Stage};
use crate::metrics::Mark;
use crate::net::ring::Operation;
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::port::effect::Frame;

/// Sends that are made at once where nothing else is to be done.
const SENDS_AT_ONCE: usize = 4;
/// More sends than these are many.
const MANY_SENDS: usize = 64;

impl Sockets {
    /// Appends a frame to an outbox. Whether it was: not to a connection that is being closed.
    pub(crate) fn send(&mut self, id: ConnectionId, frame: &Frame, mark: Option<Mark>) -> bool {
        self.append(id, frame.len(), |out| frame.write(out), mark)
    }

    /// Appends a frame to several outboxes. To how many it was.
    pub(crate) fn send_all(&mut self, ids: &[ConnectionId], frame: &Frame, mark: Option<Mark>) -> u64 {
        let mut bytes = std::mem::take(&mut self.encoded);
        bytes.clear();
        frame.write(&mut bytes);
        let append =
            |&&id: &&ConnectionId| self.append(id, bytes.len(), |out| out.extend_from_slice(&bytes), mark);
        let written = ids.iter().filter(append).count() as u64;
        self.encoded = bytes;
        written
    }

    fn append(
        &mut self,
        id: ConnectionId,
        frame_bytes: usize,
        write: impl Fn(&mut Vec<u8>),
        mark: Option<Mark>,
    ) -> bool {
        let Some(slot) = self.slots.get_mut(id.index as usize) else { return false };
        let Some(connection) = slot.connection.as_deref_mut().filter(|connection| connection.id == id) else {
            return false;
        };
        // Who speaks HTTP hears no frame: what is to be said at its end is said then.
        if connection.stage != Stage::Open || connection.spoken == Spoken::Http {
            return false;
        }
        if connection.outbox.waiting.capacity() == 0 {
            connection.outbox.waiting = self.spare.take_or_make();
        }
        if connection.outbox.waiting.is_empty() {
            connection.outbox.waiting_since_ns = self.now_ns;
        }
        connection.append(frame_bytes, write, self.now_ns, &self.pacing);
        if let Some(mark) = mark {
            let end = connection.outbox.written();
            self.unmarked += u64::from(!self.marks.push(&mut connection.outbox.marks, mark, end));
        }
        if !std::mem::replace(&mut connection.outbox.dirty, true) {
            self.dirty.push(id.index);
        }
        true
    }

    /// Whether a flush would be of many sends.
    pub(crate) fn is_for_many(&self) -> bool {
        self.dirty.len() > MANY_SENDS
    }

    /// Submits a send for everybody that was written to; or makes it at once, if there are few and nothing else is to
    /// be done: the next system call is then the one that sleeps, and no completion of a send ends it.
    pub(crate) fn flush(&mut self, hurry: Hurry) {
        self.sends_now = hurry == Hurry::Idle && self.dirty.len() <= SENDS_AT_ONCE;
        for at in 0..self.dirty.len() {
            let index = self.dirty[at];
            if let Some(connection) = self.at(index) {
                connection.outbox.dirty = false;
                if !connection.outbox.sending {
                    self.send_waiting(index);
                }
            }
        }
        self.dirty.clear();
        self.sends_now = false;
    }

    pub(super) fn send_waiting(&mut self, index: u32) {
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        if connection.tls.is_some() {
            return self.send_secure(index);
        }
        let descriptor = connection.descriptor();
        let outbox = &mut connection.outbox;
        if outbox.taken_bytes == outbox.submitted.len() {
            outbox.taken_bytes = 0;
            outbox.submitted_since_ns = outbox.waiting_since_ns;
            if connection.pacing.is_none() {
                let empty = std::mem::replace(&mut outbox.submitted, std::mem::take(&mut outbox.waiting));
                self.spare.keep(empty);
            } else if let Some(due_ns) = connection.take_paced(self.now_ns, &self.pacing) {
                return self.write_later(index, due_ns);
            } else if connection.outbox.waiting.is_empty() {
                self.spare.keep(std::mem::take(&mut connection.outbox.waiting));
            }
        }
        let outbox = &mut connection.outbox;
        if outbox.submitted.is_empty() {
            return self.spare.keep(std::mem::take(&mut outbox.submitted));
        }
        outbox.sending = true;
        if self.sends_now {
            let bytes = &outbox.submitted[outbox.taken_bytes..];
            return self.ring.send_now(Operation::Send(index), descriptor, bytes);
        }
        // SAFETY: `submitted` is not touched while `sending`, and the connection is not dropped while
        // it is busy (see `release`); the vector's bytes stay where they are when the box moves.
        unsafe { self.ring.send(index, descriptor, &outbox.submitted[outbox.taken_bytes..]) };
    }

    /// The socket has taken all that was submitted, or a part of it. What waits behind all of it goes with the next flush, and with
    /// what is still written until then.
    fn send_on(&mut self, index: u32) {
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        let outbox = &mut connection.outbox;
        let all_taken = connection.tls.is_none() && outbox.taken_bytes == outbox.submitted.len();
        if !all_taken || outbox.waiting.is_empty() {
            self.send_waiting(index);
        } else if !std::mem::replace(&mut outbox.dirty, true) {
            self.dirty.push(index);
        }
    }

    /// A send has completed. If all of it was taken: since when its first byte was under way.
    pub(in crate::net) fn sent(&mut self, index: u32, result: i32) -> Option<u64> {
        let now_ns = self.now_ns;
        let connection = self.at(index)?;
        let Outbox { sending, taken_bytes, submitted, sent, submitted_since_ns, .. } = &mut connection.outbox;
        *sending = false;
        match result {
            0.. => {
                if let Some(pacing) = &mut connection.pacing {
                    pacing.taken(now_ns);
                }
                // Of what is encrypted the outbox has nothing before all of it is taken.
                let bytes = match connection.tls.as_deref_mut() {
                    Some(tls) => {
                        let all_taken = tls.taken(result as usize);
                        if all_taken { submitted.len() - *taken_bytes } else { 0 }
                    }
                    None => result as usize,
                };
                *taken_bytes += bytes;
                *sent += bytes as u64;
            }
            // Nothing happened: again.
            _ if result == -libc::EAGAIN || result == -libc::EINTR => {}
            _ => {
                self.end(index);
                return None;
            }
        }
        // What TLS says of its own is nobody's frame.
        let is_frames = connection.tls.is_none() || !submitted.is_empty();
        let since = (is_frames && taken_bytes == &submitted.len()).then_some(*submitted_since_ns);
        let is_web = connection.web.is_some();
        if !connection.is_over() {
            if is_web {
                self.refill(index);
            }
            self.send_on(index);
            self.close_if_flushed(index);
        }
        since
    }

    /// The next frame that was measured and that the socket has taken.
    pub(in crate::net) fn flushed(&mut self, index: u32) -> Option<Mark> {
        let outbox = &mut self.slots[index as usize].connection.as_deref_mut()?.outbox;
        self.marks.pop(&mut outbox.marks, outbox.sent)
    }
}
