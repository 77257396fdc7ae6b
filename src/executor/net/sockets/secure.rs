//! What is sent to connections that are encrypted.

use super::Sockets;
use crate::net::connection::Stage;
use crate::net::tls::Tls;
use chatd_process::panic_policy;

/// What of an outbox is ciphered at a time: what the socket has taken of it counts when it has taken all.
const FLIGHT_BYTES: usize = 64 << 10;

impl Sockets {
    /// Submits a send of what TLS has to say and of what waits.
    pub(super) fn send_secure(&mut self, index: u32) {
        let spare = self.spare.take().unwrap_or_default();
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        let Some(tls) = connection.tls.as_deref_mut() else { return };
        if !tls.all_taken() {
            self.spare.keep(spare);
            return self.submit_secure(index);
        }
        let empty = tls.begin_send(spare);
        self.spare.keep(empty);
        let (may, outbox) = (tls.is_open(), &mut connection.outbox);
        outbox.taken_bytes = 0;
        outbox.submitted.clear();
        outbox.submitted_since_ns = outbox.waiting_since_ns;
        let mut due = None;
        if may && connection.pacing.is_some() {
            due = connection.take_paced(self.now_ns, &self.pacing);
        } else if may && outbox.waiting.len() <= FLIGHT_BYTES {
            std::mem::swap(&mut outbox.submitted, &mut outbox.waiting);
        } else if may {
            outbox.submitted.extend(outbox.waiting.drain(..FLIGHT_BYTES));
        }
        let outbox = &mut connection.outbox;
        let is_safe = match connection.tls.as_deref_mut() {
            // A panic costs this connection, and no other.
            Some(tls) => panic_policy::contain(|| tls.cipher(&outbox.submitted)).unwrap_or(false),
            None => false,
        };
        if outbox.waiting.is_empty() {
            self.spare.keep(std::mem::take(&mut outbox.waiting));
        }
        if outbox.submitted.is_empty() {
            self.spare.keep(std::mem::take(&mut outbox.submitted));
        }
        if !is_safe {
            // Nothing of it may leave.
            return self.end(index);
        }
        if let Some(due_ns) = due {
            self.write_later(index, due_ns);
        }
        self.submit_secure(index);
    }

    fn submit_secure(&mut self, index: u32) {
        let Some(connection) = self.slots[index as usize].connection.as_deref_mut() else { return };
        let descriptor = connection.descriptor();
        let Some(tls) = connection.tls.as_deref_mut() else { return };
        if tls.rest().is_empty() {
            let nothing = tls.begin_send(Vec::new());
            return self.spare.keep(nothing);
        }
        connection.outbox.sending = true;
        // SAFETY: what is submitted is not touched while `sending` (see `Tls`), and the connection is not dropped while it
        // is busy (see `release`); the vector's bytes stay where they are when the box moves.
        unsafe { self.ring.send(index, descriptor, tls.rest()) };
    }

    /// Sees to it that what TLS has to say is sent.
    pub(in crate::net) fn say_own(&mut self, index: u32) {
        let Some(connection) = self.at(index) else { return };
        let first = connection.tls.as_deref().is_some_and(|tls| tls.has_own()) && !connection.outbox.dirty;
        if first {
            connection.outbox.dirty = true;
            self.dirty.push(index);
        }
    }

    /// Says to a connection that is encrypted that nothing follows. Whether that is still to be sent.
    pub(super) fn say_end(&mut self, index: u32) -> bool {
        let ends = self
            .at(index)
            .and_then(|connection| connection.tls.as_deref_mut())
            .is_some_and(|tls| panic_policy::contain(|| tls.end()).unwrap_or(false));
        if ends {
            self.say_own(index);
        }
        ends
    }

    /// What waits for a handshake that is not to be done any more is never said: not in clear.
    pub(super) fn forget_unsaid(&mut self, index: u32) {
        let Some(connection) = self.at(index) else { return };
        if connection.tls.as_deref().is_some_and(|tls| !tls.is_open()) {
            connection.outbox.waiting = Vec::new();
        }
    }

    /// The tail of a connection has changed: so has the sum of all.
    pub(in crate::net) fn charge(&mut self, index: u32) {
        let Some(connection) = self.slots.get_mut(index as usize).and_then(|slot| slot.connection.as_mut())
        else {
            return;
        };
        let secret = connection.tls.as_deref().map_or(0, Tls::held);
        let held = connection.tail.bytes.capacity() + secret;
        self.tail_bytes = self.tail_bytes + held - connection.charged as usize;
        connection.charged = held as u32;
    }

    /// Whether a connection is open and its handshake waits for its turn.
    pub(in crate::net) fn is_put_off(&mut self, index: u32) -> bool {
        let is_put_off = |tls: &Tls| tls.is_put_off;
        self.at(index).is_some_and(|connection| {
            connection.stage == Stage::Open && connection.tls.as_deref().is_some_and(is_put_off)
        })
    }
}
