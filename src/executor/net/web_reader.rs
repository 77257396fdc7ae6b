//! What is received from connections that began with HTTP: a request, and after an upgrade messages.

use super::connection::Stage;
use super::reader::Rest;
use super::site::{self, Met};
use super::spoken::{Spoken, Web, WebSocket};
use crate::shard::Shard;
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::port::event::Event;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::frame::{self, Step, Terminator};
use chatd_chat::wire::http::{self, Arrival};
use chatd_chat::wire::request::Fault;
use chatd_chat::wire::websocket::{Piece, Violation};

impl Shard {
    /// The first bytes of a connection: the first of all tells what it speaks.
    pub(super) fn hand_over_first(&mut self, id: ConnectionId, bytes: &mut [u8]) -> Rest {
        let Some(&first) = bytes.first() else { return Rest::nothing() };
        let spoken = Spoken::of(first);
        self.sockets.at(id.index).expect("a connection stays while it is handled").spoken = spoken;
        if let Some(refused) = self.refuse_clear_text(id) {
            return refused;
        }
        if spoken == Spoken::Frames && self.refuse_unlocated(id) {
            return Rest::nothing();
        }
        if spoken == Spoken::Tls {
            let text = "no TLS here: this server speaks none, or the connection is encrypted already";
            self.feed(Event::BadFrame { connection: id, fault: Fault::closing(Code::NotAFrame, text) });
            return Rest::nothing();
        }
        self.hand_over(id, bytes, 0)
    }

    /// Meets a request once its head is whole.
    pub(super) fn hand_over_http(&mut self, id: ConnectionId, bytes: &mut [u8], searched: usize) -> Rest {
        let met = match http::arrive(bytes, searched) {
            _ if bytes.starts_with(b"PROXY ") => (undeclared(), bytes.len()),
            Arrival::Partial => return Rest::all(bytes.len()),
            Arrival::Whole(end) => (self.meet(id, &bytes[..end]), end),
            Arrival::Refused(status) => (site::refused(status), bytes.len()),
        };
        match met {
            (Met::Upgrade(accept), end) => {
                self.sockets.upgrade(id.index, &accept);
                self.feed(Event::Upgraded { connection: id });
                let mut rest = self.hand_over_messages(id, &mut bytes[end..]);
                rest.kept = rest.kept.start + end..rest.kept.end + end;
                rest.is_fresh = true;
                rest
            }
            (Met::Answer(head, body), _) => {
                self.sockets.answer(id.index, &head, body);
                Rest::nothing()
            }
        }
    }

    /// Meets a request, once it is known whom it is for.
    fn meet(&mut self, id: ConnectionId, head: &[u8]) -> Met {
        let is_located = self.locate_by_field(id, head);
        match self.site.meet(head) {
            Met::Upgrade(_) if !is_located => {
                let (head, body) = site::forbidden("a proxy says for whom it asks: X-Forwarded-For\n");
                Met::Answer(head, body.as_bytes())
            }
            met => met,
        }
    }

    /// Hands over every whole message of `bytes`, until the connection is paused or closed.
    pub(super) fn hand_over_messages(&mut self, id: ConnectionId, bytes: &mut [u8]) -> Rest {
        let mut is_fresh = false;
        loop {
            let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
            let (stage, paused) = (connection.stage, connection.paused);
            let Some(Web::Socket(socket)) = connection.web.as_deref_mut() else { return Rest::nothing() };
            if stage != Stage::Open {
                return Rest::nothing();
            }
            if socket.is_ending() {
                connection.discarded += bytes.len() as u32;
                if connection.discarded as usize > self.limits.linger_bytes {
                    self.sockets.end(id.index);
                }
                return Rest::nothing();
            }
            let piece =
                if paused { Piece::Partial } else { socket.decoder.next(bytes, self.limits.frame_bytes) };
            match piece {
                Piece::Partial => {
                    return Rest { kept: socket.decoder.rest(bytes), searched: 0, is_fresh };
                }
                Piece::Text { start, end } => {
                    is_fresh = true;
                    self.hand_over_message(id, bytes, start, end);
                }
                Piece::Ping { start, end } => self.sockets.answer_ping(id.index, &bytes[start..end]),
                Piece::Pong => {}
                Piece::Close(code) => {
                    socket.note_close(code);
                    self.feed(Event::HalfClosed { connection: id });
                    return Rest::nothing();
                }
                Piece::Violation(violation) => {
                    socket.note_violation(violation.close_code());
                    self.feed(Event::BadFrame { connection: id, fault: fault_of(violation) });
                }
            }
        }
    }

    /// Hands over the frames of a message: its end ends the last of them.
    fn hand_over_message(&mut self, id: ConnectionId, bytes: &mut [u8], start: usize, end: usize) {
        let mut from = start;
        while from < end {
            let connection = self.sockets.at(id.index).expect("a connection stays while it is handled");
            if connection.stage != Stage::Open {
                return;
            }
            if connection.paused {
                if let Some(Web::Socket(WebSocket { decoder, .. })) = connection.web.as_deref_mut() {
                    decoder.put_back(from, end);
                }
                return;
            }
            let frame = match frame::next(&bytes[..end], from, from, end) {
                Step::Frame { start, end, next, .. } => {
                    from = next;
                    start..end
                }
                Step::Partial { start } => {
                    from = end;
                    start..end
                }
                Step::TooLarge => unreachable!("no frame is longer than what it is in"),
            };
            if !frame.is_empty() {
                self.hand_over_frame(id, &mut bytes[frame], Terminator::Newline);
            }
        }
    }
}

/// The answer to a PROXY header of who may send none: soon, for whoever has set this up waits for it.
fn undeclared() -> Met {
    let (head, body) =
        site::forbidden("PROXY headers are taken from --proxy-from, and this is another address\n");
    Met::Answer(head, body.as_bytes())
}

/// What the hub is told of a violation.
fn fault_of(violation: Violation) -> Fault {
    match violation {
        Violation::Protocol(text) => Fault::closing(Code::NotAFrame, text),
        Violation::Binary => Fault::closing(Code::NotAFrame, "messages are text"),
        Violation::NotUtf8 => Fault::closing(Code::NotAFrame, Code::NotAFrame.text()),
        Violation::TooLarge => Fault::frame_too_large(),
    }
}
