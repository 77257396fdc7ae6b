//! What is sent to connections that began with HTTP: answers, and what goes between the frames of a WebSocket.

use super::{LINGER_MS, Sockets};
use crate::net::connection::{Connection, Stage};
use crate::net::spoken::{Spoken, Web, WebSocket};
use chatd_chat::model::ids::Monotonic;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::http::answer::{self, Status};
use chatd_chat::wire::websocket;

/// What of an answer's body is copied to the outbox at a time.
const BODY_STEP_BYTES: usize = 16 << 10;
/// How long a client may take to read an answer.
const ANSWER_MS: u64 = 30_000;

impl Sockets {
    /// Answers a request: a head, and a body that is in the program. The connection is closed after it.
    pub(in crate::net) fn answer(&mut self, index: u32, head: &[u8], body: &'static [u8]) {
        let deadline = self.now.plus(ANSWER_MS);
        let Some(connection) = self.at(index).filter(|connection| connection.stage == Stage::Open) else {
            return;
        };
        connection.stage = Stage::Emptying(deadline);
        connection.partial_since = None;
        connection.tail = Default::default();
        connection.web = Some(Box::new(Web::Answer(body)));
        let id = connection.id;
        self.closing.push(id);
        self.charge(index);
        self.write(index, |connection| connection.outbox.waiting.extend_from_slice(head));
        self.refill(index);
    }

    /// The connection is a WebSocket from now on.
    pub(in crate::net) fn upgrade(&mut self, index: u32, accept: &str) {
        let head = answer::switching(accept);
        self.wrapped.websockets += 1;
        self.write(index, |connection| {
            connection.spoken = Spoken::WebSocket;
            connection.web = Some(Box::new(Web::Socket(WebSocket::new(head.len()))));
            connection.outbox.waiting.extend_from_slice(&head);
        });
    }

    /// Answers a ping.
    pub(in crate::net) fn answer_ping(&mut self, index: u32, payload: &[u8]) {
        self.write(index, |connection| {
            let (written, sent) = (connection.outbox.written(), connection.outbox.sent);
            if let Some(Web::Socket(socket)) = connection.web.as_deref_mut() {
                socket.answer(&mut connection.outbox.waiting, payload, written, sent);
            }
        });
    }

    /// Goes on with what waited for the kernel to take what was before it. Whether something did.
    pub(super) fn refill(&mut self, index: u32) -> bool {
        let Some(connection) = self.at(index) else { return false };
        let sent = connection.outbox.sent;
        match connection.web.as_deref_mut() {
            Some(Web::Answer(body)) if !body.is_empty() => {
                let (step, rest) = body.split_at(body.len().min(BODY_STEP_BYTES));
                *body = rest;
                self.write(index, |connection| connection.outbox.waiting.extend_from_slice(step));
                true
            }
            Some(Web::Socket(socket)) => match socket.take_ping(sent) {
                Some(ping) if connection.stage == Stage::Open => {
                    self.answer_ping(index, &ping);
                    true
                }
                _ => false,
            },
            Some(Web::Answer(_)) | None => false,
        }
    }

    /// Says to a connection that is about to be closed what it is to hear last, in what it speaks. The time that it
    /// has for that.
    pub(super) fn part(&mut self, index: u32, why: Option<Code>) -> Monotonic {
        let linger = self.now.plus(LINGER_MS);
        let Some(connection) = self.at(index) else { return linger };
        match connection.spoken {
            Spoken::Unknown | Spoken::Frames | Spoken::Tls => {}
            Spoken::Http => {
                let status = match why {
                    Some(Code::NotAFrame) => Status::TooSlow,
                    // Its client has said its last word.
                    None => Status::BadRequest,
                    _ => Status::Unavailable,
                };
                let text = status.text();
                let head = answer::head(status, TEXT, text.len(), None);
                self.write(index, |connection| {
                    connection.outbox.waiting.extend_from_slice(&head);
                    connection.outbox.waiting.extend_from_slice(text.as_bytes());
                });
            }
            Spoken::WebSocket => self.write(index, |connection| {
                let written = connection.outbox.written();
                if let Some(Web::Socket(socket)) = connection.web.as_deref_mut() {
                    socket.close(&mut connection.outbox.waiting, written, websocket::close_code(why));
                }
            }),
        }
        linger
    }

    /// Writes to an outbox, and sees to it that it is sent.
    fn write(&mut self, index: u32, write: impl FnOnce(&mut Connection)) {
        let Some(connection) =
            self.slots.get_mut(index as usize).and_then(|slot| slot.connection.as_deref_mut())
        else {
            return;
        };
        let outbox = &mut connection.outbox;
        if outbox.waiting.capacity() == 0 {
            outbox.waiting = self.spare.take_or_make();
        }
        if outbox.waiting.is_empty() {
            outbox.waiting_since_ns = self.now_ns;
        }
        let first = !std::mem::replace(&mut outbox.dirty, true);
        write(connection);
        if first {
            self.dirty.push(index);
        }
    }
}

/// What sentences are.
pub(in crate::net) const TEXT: &str = "text/plain; charset=utf-8";
