//! One connection: what the client has written and the server not read, what the server has sent
//! and the client's TCP not acknowledged.

use chatd::chat::model::ids::ConnectionId;
use chatd::chat::wire::frame::Terminator;
use std::collections::VecDeque;

/// How a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    Fast,
    Slowly,
    NotAtAll,
}

pub struct Conn {
    pub core: usize,
    pub id: ConnectionId,
    pub terminator: Terminator,
    /// Written by the client, not at the server yet.
    pub to_server: VecDeque<u8>,
    /// At the server, not handed over.
    pub input: Vec<u8>,
    /// The client will write nothing more.
    pub finished: bool,
    pub told_ended: bool,
    pub paused: bool,
    /// The hub has asked for it to be closed.
    pub closing: bool,
    /// The client is gone without a word: nothing is acknowledged any more.
    pub broken: bool,
    /// The hub was told that it is gone.
    pub closed: bool,
    /// All that was ever sent to the client.
    pub out: Vec<u8>,
    /// How much of it the client's TCP has acknowledged.
    pub acked: usize,
    /// How much of that the client has taken apart.
    pub parsed: usize,
    pub reading: Reading,
    /// Bytes are on their way.
    pub coming: bool,
    pub going: bool,
}

impl Conn {
    pub fn new(core: usize, id: ConnectionId, terminator: Terminator) -> Self {
        Self {
            core,
            id,
            terminator,
            to_server: VecDeque::new(),
            input: Vec::new(),
            finished: false,
            told_ended: false,
            paused: false,
            closing: false,
            broken: false,
            closed: false,
            out: Vec::new(),
            acked: 0,
            parsed: 0,
            reading: Reading::Fast,
            coming: false,
            going: false,
        }
    }

    /// Whether the person behind it can still do something with it.
    pub fn is_usable(&self) -> bool {
        !self.broken && !self.closed && !self.finished && !self.closing
    }

    /// The next whole frame that the client has got, without its terminator.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        let got = &self.out[self.parsed..self.acked];
        let end = got.iter().position(|&byte| byte == 0 || byte == b'\n')?;
        let frame = got[..end].to_vec();
        self.parsed += end + 1;
        Some(frame)
    }
}
