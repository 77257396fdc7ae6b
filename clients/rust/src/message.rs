//! What people say to each other, and what is known of a message besides its text.

use super::change::Reaction;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use serde_json::{Map, Value};
use std::fmt;

/// Where something is said.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Conversation {
    /// Between this user and another.
    With(UserId),
    /// In a group.
    In(GroupId),
}

/// What the server knows of a message besides what was said. Of the seed's dialect: nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Mark {
    /// What the sender calls it. It and the sender together tell a message from all others.
    pub cid: Option<String>,
    /// Its place in the order in which everybody shows messages.
    pub mid: Option<MessageId>,
    /// Its place in its conversation, counted from 1 without gaps. A message that is just being
    /// said has none yet.
    pub pos: Option<u64>,
    /// When the server took it.
    pub ts: Option<Millis>,
}

/// An object of an application, which is passed on as it is: at most 4 KiB as JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Data(Box<str>);

impl Data {
    pub(crate) fn of(object: &Map<String, Value>) -> Self {
        Self(serde_json::to_string(object).unwrap_or_default().into())
    }

    /// Reads it. `None`: it is no object.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str::<Map<String, Value>>(json).ok().map(|object| Self::of(&object))
    }
}

impl fmt::Display for Data {
    /// As compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a message carries besides its text. v2.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extras {
    /// The place of the message that it replies to.
    pub reply: Option<u64>,
    /// What its application says with it.
    pub data: Option<Data>,
}

/// A message, from somebody else or out of the history.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Message {
    /// Where it was said, as seen by the one who got it: an answer goes there.
    pub conversation: Conversation,
    /// Who said it.
    pub from: UserId,
    /// The sender's name, by the server's own record; not safe to show as it is.
    pub name: String,
    /// What was said; not safe to show as it is.
    pub text: String,
    /// When, as the sender wrote it; not safe to show as it is.
    pub time: String,
    /// What it carries besides.
    pub extras: Extras,
    /// What the server knows of it.
    pub mark: Mark,
    /// Whether another device of the user said it.
    pub own: bool,
    /// How often its text was edited.
    pub rev: u64,
    /// Who reacts to it how, where it comes out of the history.
    pub reactions: Vec<Reaction>,
}

impl Message {
    /// A message of `from`, whose name is `name`, of which nothing more is known.
    pub fn new(conversation: Conversation, from: UserId, name: &str, text: &str, time: &str) -> Self {
        let (name, text, time) = (name.to_owned(), text.to_owned(), time.to_owned());
        Self {
            conversation,
            from,
            name,
            text,
            time,
            extras: Extras::default(),
            mark: Mark::default(),
            own: false,
            rev: 0,
            reactions: Vec::new(),
        }
    }
}
