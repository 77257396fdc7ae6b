//! The handshake with Redis: commands by blocking calls while a connection begins, one at a time, each with its answer.

use super::error::{RedisError, Refused};
use super::resp::{self, Frame};
use super::wire::Wire;
use redis::Value;
use std::io::{self, Read, Write};

/// A connection to Redis that begins: one command at a time.
pub(super) struct Handshake {
    pub(super) wire: Wire,
    /// Received, and not a whole frame.
    pub(super) read: Vec<u8>,
    /// Messages that came among the answers.
    pub(super) heard: Vec<u8>,
    /// Bytes of either at most.
    pub(super) bytes: usize,
    pub(super) at: String,
}

impl Handshake {
    pub(super) fn ask(&mut self, command: &redis::Cmd) -> Result<Value, RedisError> {
        let asked = name_of(command);
        let unreachable = |at: &str, why| RedisError::Unreachable(at.to_owned(), why);
        self.wire.write_all(&command.get_packed_command()).map_err(|why| unreachable(&self.at, why))?;
        loop {
            let refused = |why: &str| {
                RedisError::Refused(Refused {
                    at: self.at.clone(),
                    command: asked.clone(),
                    why: why.to_owned(),
                })
            };
            let found = resp::next(&self.read, self.bytes).map_err(|fault| refused(fault.why()))?;
            if let Some((Frame::Message { .. }, length)) = found {
                self.heard.extend(self.read.drain(..length));
                if self.heard.len() > self.bytes {
                    return Err(refused(resp::Fault::TooLarge.why()));
                }
                continue;
            }
            if let Some((_, length)) = found {
                let frame: Vec<u8> = self.read.drain(..length).collect();
                let value = redis::parse_redis_value(&frame).and_then(Value::extract_error);
                // Nothing of our command: it may hold a password.
                return value.map_err(|error| refused(&words(&error)));
            }
            let mut chunk = [0; 32 << 10];
            match self.wire.read(&mut chunk) {
                Ok(0) => return Err(unreachable(&self.at, io::ErrorKind::UnexpectedEof.into())),
                Ok(bytes) => self.read.extend_from_slice(&chunk[..bytes]),
                Err(why) if why.kind() == io::ErrorKind::Interrupted => {}
                Err(why) => return Err(unreachable(&self.at, why)),
            }
        }
    }
}

/// What a command is called: its name, and the part of it where it has parts.
fn name_of(command: &redis::Cmd) -> String {
    let mut words = command.args_iter().filter_map(|argument| match argument {
        redis::Arg::Simple(word) => Some(String::from_utf8_lossy(word)),
        _ => None,
    });
    match (words.next(), words.next()) {
        (Some(name), Some(part)) if ["CLIENT", "PUBSUB"].contains(&&*name) => format!("{name} {part}"),
        (Some(name), _) => name.into_owned(),
        (None, _) => String::new(),
    }
}

/// What Redis says of an error, without the arguments that it repeats: one of them may be a password.
pub(super) fn words(error: &redis::RedisError) -> String {
    let said = match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (None, Some(detail)) => detail.to_owned(),
        _ => error.to_string(),
    };
    match said.split_once(", with args beginning with") {
        Some((said, _)) => said.to_owned(),
        None => said,
    }
}
