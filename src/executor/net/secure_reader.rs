//! What is received from connections that are encrypted, and which must be.

use super::connection::Stage;
use super::reader::Rest;
use super::ring::Expect;
use super::site;
use super::spoken::Spoken;
use super::tls::Tls;
use crate::shard::Shard;
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::port::event::Event;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::request::Fault;
use chatd_tls::Identity;
use rustls::HandshakeKind;
use std::sync::Arc;
use tracing::debug;

/// Handshakes that may begin in a turn: each takes some tenths of a millisecond, and the others wait for it.
const HANDSHAKES_A_TURN: u32 = 4;
/// What is kept of the memory for deciphered bytes.
const PLAIN_BYTES: usize = 32 << 10;

/// How a server's port is encrypted.
#[derive(Clone, Debug, Default)]
pub struct Secrecy {
    /// Who the server is; nothing where it speaks no TLS.
    pub identity: Option<Arc<Identity>>,
    /// Whether everybody must speak TLS who does not come from this machine.
    pub required: bool,
}

/// What they are told who do not.
const REQUIRED: &str = "this server is spoken to in TLS only (tls:// or https://)";

impl Shard {
    /// The first bytes of a connection that wants to be encrypted; nothing where this server speaks no TLS.
    pub(super) fn begin_tls(&mut self, id: ConnectionId) -> bool {
        let Some(identity) = &self.secrecy.identity else { return false };
        let tls = Tls::new(identity.config()).ok().map(Box::new);
        let now = self.clock().now().monotonic;
        let Some(connection) = self.sockets.at(id.index) else { return false };
        connection.tls = tls;
        connection.partial_since = Some(now);
        let is_encrypted = connection.tls.is_some();
        self.sockets.wrapped.encrypted += u64::from(is_encrypted);
        is_encrypted
    }

    /// Bytes of a connection that is encrypted.
    pub(super) fn received_secret(&mut self, id: ConnectionId, bytes: &mut [u8]) {
        let may = self.sockets.handshakes_left > 0;
        let Some(tls) = self.sockets.at(id.index).and_then(|connection| connection.tls.as_deref_mut()) else {
            return;
        };
        if tls.is_new() && !may {
            tls.put_off(bytes);
            self.sockets.put_off.push_back(id);
            return self.sockets.charge(id.index);
        }
        self.decipher(id, bytes);
    }

    /// Goes on with handshakes that waited for their turn.
    pub(crate) fn shake_hands(&mut self) {
        self.sockets.handshakes_left = HANDSHAKES_A_TURN;
        while self.sockets.handshakes_left > 0
            && let Some(id) = self.sockets.put_off.pop_front()
        {
            let is_it = self.sockets.at(id.index).is_some_and(|connection| connection.id == id);
            if !is_it || !self.sockets.is_put_off(id.index) {
                continue;
            }
            self.guarded(id, |shard| shard.decipher(id, &mut []));
            let is_open = self.sockets.at(id.index).is_some_and(|connection| connection.stage == Stage::Open);
            if is_open {
                self.sockets.receive(id.index, Expect::Bytes);
            }
        }
    }

    fn decipher(&mut self, id: ConnectionId, bytes: &mut [u8]) {
        let mut plain = std::mem::take(&mut self.sockets.plain);
        let Some(tls) = self.sockets.at(id.index).and_then(|connection| connection.tls.as_deref_mut()) else {
            return;
        };
        let (was_new, was_open) = (tls.is_new(), tls.is_open());
        let done = tls.take_in(bytes, &mut plain);
        let kind = tls.kind().filter(|_| !was_open);
        self.sockets.handshakes_left -= u32::from(was_new && self.sockets.handshakes_left > 0);
        match kind {
            Some(HandshakeKind::Resumed) => self.metrics.counters.tls_resumed += 1,
            Some(_) => self.metrics.counters.tls_full += 1,
            None => {}
        }
        self.sockets.say_own(id.index);
        self.sockets.charge(id.index);
        if !plain.is_empty() {
            self.take_in(id, &mut plain);
            plain.clear();
        }
        plain.shrink_to(PLAIN_BYTES);
        self.sockets.plain = plain;
        if let Err(error) = done {
            debug!("TLS with a client has failed: {error}");
            self.metrics.counters.tls_failed += 1;
            // What it was told of that is sent first.
            return self.sockets.close(id, None);
        }
        self.note_partial(id);
    }

    /// Notes since when a record or a handshake is under way, and whether the client has said its last word.
    fn note_partial(&mut self, id: ConnectionId) {
        let now = self.clock().now().monotonic;
        let Some(connection) = self.sockets.at(id.index).filter(|connection| connection.stage == Stage::Open)
        else {
            return;
        };
        let Some(tls) = connection.tls.as_deref() else { return };
        let (is_within, has_ended) = (tls.is_within(), tls.is_ended_by_client);
        if is_within {
            connection.partial_since.get_or_insert(now);
        } else if connection.tail.bytes.is_empty() && !connection.is_within() {
            connection.partial_since = None;
        }
        if has_ended && !connection.ended {
            connection.ended = true;
            self.tell_ended(id);
            self.sockets.close_after_last_word(id.index);
        }
    }

    /// Refuses who speaks in clear text and may not: whether it was.
    pub(super) fn refuse_clear_text(&mut self, id: ConnectionId) -> Option<Rest> {
        let connection = self.sockets.at(id.index)?;
        if !self.secrecy.required || connection.tls.is_some() || connection.is_local() {
            return None;
        }
        if connection.spoken == Spoken::Http {
            let (head, body) = site::forbidden(REQUIRED);
            self.sockets.answer(id.index, &head, body.as_bytes());
        } else {
            let fault = Fault::closing(Code::NotAFrame, REQUIRED);
            self.feed(Event::BadFrame { connection: id, fault });
        }
        Some(Rest::nothing())
    }
}
