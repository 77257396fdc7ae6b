//! One of those who arrive: its connection, and how far it has come.

use std::io;

use super::connection::Connection;
use crate::measure::{Recorder, Sequence};

pub struct Guest {
    pub connection: Connection,
    pub visit: usize,
    pub intended_ns: u64,
    pub stage: Stage,
    pub heard: Sequence,
    pub heard_count: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    Asked,
    LoggedIn,
    Done,
}

impl Guest {
    /// The connection is made: the login leaves.
    pub fn log_in(&mut self, login: &[u8], recorder: &mut Recorder) -> io::Result<()> {
        if let Some(error) = self.connection.stream.socket().take_error()? {
            return Err(error);
        }
        self.stage = Stage::Asked;
        recorder.counts.sent += 1;
        let framing = self.connection.framing;
        let outgoing = self.connection.outgoing();
        outgoing.extend_from_slice(framing.greeting());
        framing.append(login, outgoing);
        self.connection.write().map(drop)
    }
}
