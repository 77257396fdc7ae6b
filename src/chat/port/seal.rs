//! Sealing: a client's message is encoded, the one time that this happens on its whole way.

use super::cx::Cx;
use crate::model::envelope::{Durability, Envelope, Message, Target};
use crate::model::extras::Extras;
use crate::model::ids::{GroupId, UserId};
use crate::model::retention::Retention;
use crate::wire::reply;

/// A message as its sender's core takes it in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'a> {
    pub(crate) sender: UserId,
    /// The server's record of the sender.
    pub(crate) name: &'a str,
    pub(crate) target: Target,
    pub(crate) cid: Option<&'a str>,
    pub(crate) said: Said<'a>,
    /// Whether it is stored before it goes anywhere.
    pub(crate) stored_first: bool,
}

/// What a client says in a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said<'a> {
    pub(crate) msg: &'a str,
    /// The sender's time; the server's if there is none.
    pub(crate) time: Option<&'a str>,
    pub(crate) extras: Option<&'a Extras>,
}

impl Said<'_> {
    /// Bytes of its content.
    pub(crate) fn bytes(&self) -> usize {
        self.msg.len() + self.extras.map_or(0, |extras| extras.fields().len())
    }
}

/// Buffers that are used again for each message.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    body: Vec<u8>,
    sealed: Vec<u8>,
}

impl Cx {
    /// What was done to a group and is no row, so that nothing is stored of it.
    pub(crate) fn seal_event(&mut self, sender: UserId, group: GroupId, body: &[u8]) -> Envelope {
        let (mid, ts, target) = (self.next_mid(), self.wall, Target::Group(group));
        let message = Message { sender, target, mid, ts, cid: "", durability: Durability::Always, body };
        Envelope::message(message, &mut self.scratch.sealed)
    }

    /// Encodes a message, and gives it its id.
    pub(crate) fn seal(&mut self, draft: Draft<'_>) -> Envelope {
        let Draft { sender, name, target, cid, said: Said { msg, time, extras }, stored_first } = draft;
        let (mid, ts) = (self.next_mid(), self.wall);
        let Scratch { body, sealed } = &mut self.scratch;
        body.clear();
        let time = time.unwrap_or_else(|| self.local_time.text(ts));
        match target {
            Target::User(to) => reply::one_chat(body, sender, name, to, msg, time),
            Target::Group(group) => reply::group_chat(body, sender, name, group, msg, time),
        }
        if let Some(extras) = extras {
            body.splice(1..1, extras.fields().bytes());
        }
        let durability = match target {
            Target::User(_) if stored_first => Durability::Always,
            Target::User(_) if cid.is_none() => Durability::IfUndelivered,
            Target::User(_) if self.retention == Retention::Undelivered => Durability::IfUnacked,
            Target::User(_) | Target::Group(_) => Durability::Always,
        };
        let message = Message { sender, target, mid, ts, cid: cid.unwrap_or(""), durability, body };
        Envelope::read_at(message, self.read_us, sealed)
    }
}
