//! One sender beside the load, who finds out how the server answers at this moment.
//!
//! It asks one thing at a time and waits. It is silent while anything is measured.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::door::Door;
use super::enlist::{self, Enlisted};
use crate::wire::{Acks, Answer, ChatFrame, Dialect, Framing, STAMP_BYTES, Speaker, Stamp, To, msgid};

/// It speaks the seed's dialect, in which nobody is pinged who has nothing to say.
pub struct Witness {
    line: Enlisted,
    frame: ChatFrame,
    said: u32,
}

/// How a message was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Testimony {
    /// 0: it is stored.
    pub errno: i64,
    pub took: Duration,
}

impl Witness {
    /// Registers two users and logs one of them in; it writes to the other, who stays away.
    pub fn enlist(door: &Door, stop: &AtomicBool) -> Result<Witness, String> {
        let users: Vec<Speaker> = enlist::register(door, &enlist::name_prefix(), 2, stop)?;
        let mut line = Enlisted::connect(door, 0)?;
        line.ask(&enlist::login(&users[0], Dialect::Seed), msgid::LOGIN_ACK)?;
        let to = To::User(users[1].id);
        let frame = ChatFrame::new(&users[0], to, "", STAMP_BYTES, Acks::Asked, Framing::Lines);
        Ok(Witness { line, frame, said: 0 })
    }

    /// Says one message more and hears what becomes of it.
    pub fn ask(&mut self) -> Result<Testimony, String> {
        let stamp = Stamp { talk: 0, sequence: self.said, time_ns: 0 };
        self.said += 1;
        let mut request = Vec::new();
        self.frame.append(stamp, &mut request);
        let began = Instant::now();
        self.line.say(&request)?;
        let errno = self.line.hear(|frame| {
            let is_it = Stamp::find_cid(frame).is_some_and(|found| found == stamp);
            is_it.then(|| Answer::read(frame).errno.unwrap_or(-1))
        })?;
        Ok(Testimony { errno, took: began.elapsed() })
    }
}
