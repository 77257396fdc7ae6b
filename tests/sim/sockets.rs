//! Connections: bytes from clients to the hub that they are connected to, and back.

use super::tcp::{Conn, Reading, Taken};
use super::world::{Next, World};
use crate::trace;
use chatd::chat::model::ids::ConnectionId;
use chatd::chat::model::source::Source;
use chatd::chat::port::effect::Frame;
use chatd::chat::port::event::Event;
use chatd::chat::wire::frame::Terminator;
use chatd::chat::wire::request::{self, Fault};

impl World {
    /// Opens a connection to a core; of a WebSocket the upgrade is done.
    pub fn open(&mut self, core: usize, terminator: Terminator, is_websocket: bool) -> usize {
        let slots = &mut self.cores[core].slots;
        let index = slots.iter().position(|(_, used)| used.is_none()).unwrap_or_else(|| {
            slots.push((0, None));
            slots.len() - 1
        });
        let conn = self.conns.len();
        slots[index].1 = Some(conn);
        let id = ConnectionId { index: index as u32, generation: slots[index].0 };
        self.conns.push(Conn::new(core, id, terminator, is_websocket));
        self.feed(core, Event::Opened { connection: id, from: Source::Proxy });
        if is_websocket {
            self.feed(core, Event::Upgraded { connection: id });
        }
        conn
    }

    pub fn conn(&self, core: usize, id: ConnectionId) -> usize {
        let (generation, conn) = self.cores[core].slots[id.index as usize];
        assert_eq!(generation, id.generation, "an effect for a connection that is gone");
        conn.expect("an effect for a connection that is gone")
    }

    pub fn come_to_server(&mut self, conn: usize, after_us: u64) {
        if !std::mem::replace(&mut self.conns[conn].coming, true) {
            self.later(after_us, Next::ToServer(conn));
        }
    }

    /// Some of what the client has written is at the server.
    pub fn server_gets(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        conn.coming = false;
        if conn.closed || conn.closing {
            return;
        }
        let all = conn.to_server.len();
        let some = if self.rng.chance(600) { all } else { self.rng.index(all + 1) };
        conn.input.extend(conn.to_server.drain(..some));
        let more = !conn.to_server.is_empty();
        self.serve(number);
        if more {
            let after = self.rng.delay(self.plan.net_us);
            self.come_to_server(number, after);
        }
    }

    /// Hands over what has come, frame by frame, until told to pause.
    pub fn serve(&mut self, number: usize) {
        loop {
            let conn = &mut self.conns[number];
            if conn.paused || conn.closing || conn.closed {
                return;
            }
            let (core, session, terminator) = (conn.core, conn.id, conn.terminator);
            match conn.take(self.plan.limits.frame_bytes) {
                Taken::Frame(mut bytes) => {
                    let mut parser = std::mem::take(&mut self.cores[core].parser);
                    let limits = self.plan.limits.clone();
                    match request::parse(&mut bytes, &mut parser, &limits) {
                        Ok(request) => {
                            self.hear(number, &request);
                            self.feed(core, Event::Request { connection: session, terminator, request });
                        }
                        Err(fault) => self.feed(core, Event::BadFrame { connection: session, fault }),
                    }
                    self.cores[core].parser = parser;
                }
                Taken::Partial => break,
                Taken::TooLarge => {
                    return self.feed(
                        core,
                        Event::BadFrame { connection: session, fault: Fault::frame_too_large() },
                    );
                }
            }
        }
        let conn = &mut self.conns[number];
        if conn.finished && conn.to_server.is_empty() && !std::mem::replace(&mut conn.told_ended, true) {
            let (core, session) = (conn.core, conn.id);
            self.feed(core, Event::HalfClosed { connection: session });
        }
    }

    pub fn send(&mut self, core: usize, session: ConnectionId, frame: &Frame) {
        let number = self.conn(core, session);
        if let Frame::Reply(bytes) = frame {
            self.replied(number, bytes);
        }
        let conn = &mut self.conns[number];
        assert!(!conn.closing, "a frame for a connection that is being closed");
        conn.send(frame);
        self.go_to_client(number);
    }

    pub fn go_to_client(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        if conn.broken || conn.reading == Reading::NotAtAll || std::mem::replace(&mut conn.going, true) {
            return;
        }
        let slowly = conn.reading == Reading::Slowly;
        let after = self.rng.delay(self.plan.net_us) + if slowly { 30_000 } else { 0 };
        self.later(after, Next::ToClient(number));
    }

    /// The client's TCP takes some of what was sent.
    pub fn client_gets(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        conn.going = false;
        if conn.broken || conn.closed || conn.reading == Reading::NotAtAll {
            return;
        }
        let all = conn.out.len() - conn.acked;
        let some = if self.rng.chance(600) { all } else { self.rng.index(all + 1) };
        conn.acked += some;
        self.read(number);
        let conn = &self.conns[number];
        if conn.acked < conn.out.len() {
            self.go_to_client(number);
        }
    }

    pub fn read(&mut self, number: usize) {
        while let Some(frame) = self.conns[number].next_frame() {
            trace!(self, "conn {number} got {}", String::from_utf8_lossy(&frame));
            self.got(number, &frame);
        }
    }

    pub fn probed(&mut self, number: usize) {
        let conn = &self.conns[number];
        if !conn.closed {
            let (core, session, bytes) = (conn.core, conn.id, conn.acked as u64);
            self.feed(core, Event::Acked { connection: session, bytes });
        }
    }

    /// The server knows that the connection is gone.
    pub fn gone(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        if std::mem::replace(&mut conn.closed, true) {
            return;
        }
        let (core, session, acked) = (conn.core, conn.id, conn.acked as u64);
        self.parted(number);
        self.feed(core, Event::Closed { connection: session, acked });
        let slot = &mut self.cores[core].slots[session.index as usize];
        *slot = (slot.0 + 1, None);
        // What was on its way may still arrive.
        let conn = &mut self.conns[number];
        if !conn.broken && self.rng.chance(500) {
            let left = conn.out.len() - conn.acked;
            conn.acked += self.rng.index(left + 1);
            self.read(number);
        }
    }
}
