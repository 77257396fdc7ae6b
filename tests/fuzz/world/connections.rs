//! Connections, as the executor promises them to a hub, and what a hub may want of one.

use super::lanes::Fact;
use super::{CORES, World};
use chatd_chat::model::ids::ConnectionId;
use chatd_chat::model::source::Source;
use chatd_chat::port::effect::Frame;
use chatd_chat::port::event::Event;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::frame::{Framing, Terminator};
use chatd_chat::wire::request::{self, Fault};
use std::collections::VecDeque;
use std::rc::Rc;

/// One of them, or where one was.
#[derive(Default)]
pub(super) struct Connection {
    generation: u32,
    stage: Stage,
    framing: Framing,
    is_paused: bool,
    /// It reads nothing.
    is_slow: bool,
    /// It says nothing more, and whether the hub has heard so.
    has_ended: bool,
    is_told_ended: bool,
    has_spoken: bool,
    sent: u64,
    acked: u64,
    /// Frames that are not handed over yet.
    input: VecDeque<Vec<u8>>,
    last_mid: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Stage {
    #[default]
    Gone,
    Open,
    /// The hub has closed it.
    Closing,
}

/// Frames that a client has written and that are not handed over, at most.
const INPUT: usize = 8;

impl World {
    fn id(&self, at: usize) -> ConnectionId {
        ConnectionId { index: (at / CORES) as u32, generation: self.connections[at].generation }
    }

    /// The connection that an effect is for: it is not gone.
    fn at(&mut self, core: usize, id: ConnectionId) -> (usize, &mut Connection) {
        let at = id.index as usize * CORES + core;
        let connection = &mut self.connections[at];
        let is_there = connection.generation == id.generation && connection.stage != Stage::Gone;
        assert!(is_there, "an effect for connection {at}, which is gone");
        (at, connection)
    }

    pub(super) fn open(&mut self, at: usize) {
        self.current = at;
        if self.connections[at].stage == Stage::Gone {
            let generation = self.connections[at].generation + 1;
            self.connections[at] = Connection { generation, stage: Stage::Open, ..Connection::default() };
            let from = [Source::Proxy, Source::V4(at as u32), Source::V6(7)][at % 3];
            let connection = self.id(at);
            self.feed(at % CORES, Event::Opened { connection, from });
        }
    }

    pub(super) fn say(&mut self, frame: &[u8]) {
        let at = self.current;
        let connection = &mut self.connections[at];
        if connection.stage != Stage::Open || connection.has_ended || connection.input.len() == INPUT {
            return;
        }
        let mid = connection.last_mid.to_string();
        connection.input.push_back(replaced(frame, b"$m", mid.as_bytes()));
        let generation = connection.generation;
        self.serve(at, generation);
    }

    /// Hands over what a client has said, until told to pause.
    pub(super) fn serve(&mut self, at: usize, generation: u32) {
        loop {
            let connection = &mut self.connections[at];
            let is_open = connection.generation == generation && connection.stage == Stage::Open;
            if !is_open || connection.is_paused {
                return;
            }
            let Some(mut frame) = connection.input.pop_front() else { break };
            connection.has_spoken = true;
            let (id, limits) = (self.id(at), Rc::clone(&self.limits));
            let terminator = if at < 4 { Terminator::Nul } else { Terminator::Newline };
            // One that is served meanwhile has another one.
            let mut parser = self.parser.take().unwrap_or_default();
            match request::parse(&mut frame, &mut parser, &limits) {
                Ok(request) => self.feed(at % CORES, Event::Request { connection: id, terminator, request }),
                Err(fault) => self.feed(at % CORES, Event::BadFrame { connection: id, fault }),
            }
            self.parser = Some(parser);
        }
        let connection = &mut self.connections[at];
        if connection.has_ended && !std::mem::replace(&mut connection.is_told_ended, true) {
            let connection = self.id(at);
            self.feed(at % CORES, Event::HalfClosed { connection });
        }
    }

    pub(super) fn happens_to_current(&mut self, verb: u8) {
        let (at, connection) = (self.current, self.id(self.current));
        let core = at % CORES;
        let this = &mut self.connections[at];
        if verb == b'c' && this.stage != Stage::Gone {
            return self.gone(at, connection.generation);
        }
        if this.stage != Stage::Open {
            return;
        }
        match verb {
            b'z' => this.is_slow = !this.is_slow,
            b'h' if !this.has_ended => {
                this.has_ended = true;
                self.serve(at, connection.generation);
            }
            b'w' if !this.has_spoken => {
                (this.has_spoken, this.framing) = (true, Framing::Message);
                self.feed(core, Event::Upgraded { connection });
            }
            b'F' if !this.has_ended => self.feed(core, Event::FrameTimeout { connection }),
            b'S' if !this.has_ended => self.feed(core, Event::Shed { connection }),
            b'x' if !this.has_ended && !this.is_paused => {
                let fault = Fault::closing(Code::NotAFrame, "no frame");
                self.feed(core, Event::BadFrame { connection, fault });
            }
            _ => {}
        }
    }

    pub(super) fn send(&mut self, core: usize, id: ConnectionId, frame: &Frame) {
        let forged = self.forged;
        let (_, connection) = self.at(core, id);
        assert!(connection.stage == Stage::Open, "a frame for a connection that is closed");
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        assert_eq!(bytes.len(), frame.len(), "a frame has as many bytes as it says");
        connection.sent += (bytes.len() + connection.framing.overhead(bytes.len())) as u64;
        if let Some(message) = frame.message() {
            connection.last_mid = message.mid().0;
        }
        let object: Result<serde_json::Map<String, serde_json::Value>, _> = serde_json::from_slice(&bytes);
        assert!(forged || object.is_ok() && !bytes.contains(&b'\n'), "{}", bytes.escape_ascii());
    }

    pub(super) fn close(&mut self, core: usize, id: ConnectionId) {
        let (at, connection) = self.at(core, id);
        assert!(connection.stage == Stage::Open, "it is closed already");
        connection.stage = Stage::Closing;
        self.later(core, Fact::Gone(at, id.generation));
    }

    pub(super) fn pause(&mut self, core: usize, id: ConnectionId) {
        let (_, connection) = self.at(core, id);
        assert!(!std::mem::replace(&mut connection.is_paused, true), "it is paused already");
    }

    pub(super) fn resume(&mut self, core: usize, id: ConnectionId) {
        let (at, connection) = self.at(core, id);
        assert!(std::mem::replace(&mut connection.is_paused, false), "it is not paused");
        self.later(core, Fact::Serve(at, id.generation));
    }

    pub(super) fn probe(&mut self, core: usize, id: ConnectionId) {
        let (at, _) = self.at(core, id);
        self.later(core, Fact::Acked(at, id.generation));
    }

    pub(super) fn acked(&mut self, at: usize, generation: u32) {
        let connection = &mut self.connections[at];
        if connection.generation != generation || connection.stage == Stage::Gone {
            return;
        }
        if !connection.is_slow {
            connection.acked = connection.sent;
        }
        let (bytes, connection) = (connection.acked, self.id(at));
        self.feed(at % CORES, Event::Acked { connection, bytes });
    }

    pub(super) fn gone(&mut self, at: usize, generation: u32) {
        let connection = &mut self.connections[at];
        if connection.generation != generation || connection.stage == Stage::Gone {
            return;
        }
        connection.stage = Stage::Gone;
        let (acked, connection) = (connection.acked, self.id(at));
        self.feed(at % CORES, Event::Closed { connection, acked });
    }
}

/// `text` with each `word` replaced.
fn replaced(text: &[u8], word: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, word) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + word.len()..];
    }
    out.extend_from_slice(rest);
    out
}
