//! What is said in bytes, and what bytes say: one sibling a dialect of the wire.
//!
//! [`seed::Seed`] speaks the original client's dialect, with `cid`s; [`v2::V2`] the same and more,
//! and it understands a server that answers in the seed's. A further dialect is a further
//! implementation of [`Dialect`]; what it can hear more becomes a variant of [`Heard`], what it can
//! ask more a variant of [`Request`]. Which one is spoken is decided once, where a
//! [`Config`](super::Config) is made.

mod changes;
mod changes_read;
mod devices;
mod devices_read;
mod friends;
mod friends_read;
mod groups;
mod groups_read;
mod object;
pub mod seed;
mod seed_read;
#[cfg(test)]
mod tests;
pub mod v2;
mod v2_read;

use super::change::Change;
use super::device::{Device, Heads, KnownDevice, Synced};
use super::friend::{FriendEvent, Settings};
use super::group::GroupEvent;
use super::message::{Conversation, Mark, Message};
use super::refusal::Refusal;
use super::request::Request;
use super::roster::{Member, Person, Welcome};
use super::row::Row;
use super::secret::Secret;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use std::time::Duration;

/// The answer to a login.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entrance {
    /// Who is in, and knows whom.
    pub welcome: Welcome,
    /// What waited; more may follow by themselves.
    pub waiting: Vec<Row>,
    /// What to come back with. A server that speaks v2 gives one.
    pub token: Option<Secret>,
    /// Whether this is all of it. Else the rest is in the next answer of this kind.
    pub complete: bool,
}

/// Something that the server said.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Heard {
    /// The login is granted.
    LoggedIn(Box<Entrance>),
    /// The login is refused.
    LoginRefused(Refusal),
    /// There is a new user.
    Registered(UserId),
    /// There is no new user.
    NotRegistered(Refusal),
    /// Somebody said something.
    Message(Message),
    /// Everybody is told this.
    Announced(String),
    /// The user's friends.
    Friends {
        /// Some or all of them.
        friends: Vec<Person>,
        /// Whether this is all of them. Else the rest is in the next list.
        complete: bool,
    },
    /// The request with this `cid` is done.
    Done {
        /// The request's.
        cid: String,
        /// The group that was made, joined or left.
        group: Option<GroupId>,
        /// What the server knows of the message that this was.
        mark: Mark,
        /// The number of the change that it was.
        chg: Option<u64>,
        /// What to come back with from now on, where that is another than before.
        token: Option<Secret>,
    },
    /// The user that was looked for.
    Found {
        /// The request's.
        cid: String,
        /// Who.
        person: Person,
    },
    /// A page of history.
    History {
        /// The request's.
        cid: String,
        /// In their places. Those that the user said are as if said to the user.
        rows: Vec<Row>,
        /// How many changes the conversation had.
        chg: Option<u64>,
        /// Whether nothing between them is missing.
        complete: bool,
    },
    /// A page of a group's members.
    Members {
        /// The request's.
        cid: String,
        /// By id.
        members: Vec<Member>,
        /// Whether these were the last ones.
        complete: bool,
    },
    /// What a device lacks of some or all of the conversations that it named.
    Synced {
        /// The request's.
        cid: String,
        /// One entry a conversation.
        synced: Vec<Synced>,
        /// Whether this is all of it. Else the rest is in the next answer.
        complete: bool,
    },
    /// Where the user's conversations stand.
    Heads {
        /// The request's; nothing, where the server says so unasked.
        cid: Option<String>,
        /// Where.
        heads: Heads,
    },
    /// The user's devices.
    Devices {
        /// The request's.
        cid: String,
        /// The one used last first.
        devices: Vec<KnownDevice>,
    },
    /// Somebody has read a conversation up to a place.
    Read(Conversation, UserId, u64),
    /// Somebody is typing or does so no more, and for how long that counts.
    Typing(Conversation, UserId, bool, Duration),
    /// What was searched for.
    Sought {
        /// The request's.
        cid: String,
        /// The newest first.
        rows: Vec<Row>,
        /// Where the next page begins.
        before: Option<MessageId>,
        /// What was said after this was not looked at yet.
        searched_to: Option<Millis>,
    },
    /// Who wants to become a member.
    Joins {
        /// The request's.
        cid: String,
        /// Them.
        users: Vec<Person>,
    },
    /// What the user lets others do: an answer, where there is a `cid`.
    Settings(Option<String>, Settings),
    /// A message is changed.
    Changed(Change),
    /// Something happened to a group.
    Group(GroupEvent),
    /// A word of a friendship.
    Friend(FriendEvent),
    /// Where messages of a conversation are stored.
    Stored(Conversation, Vec<(MessageId, u64)>),
    /// A friend has come or gone.
    Presence(UserId, bool),
    /// The server wants to hear this number, to know that somebody is there.
    Ping(u64),
    /// The server is there.
    Pong,
    /// Something is refused.
    Refused {
        /// The request's, where the server knows.
        cid: Option<String>,
        /// Why.
        refusal: Refusal,
    },
    /// Something that this dialect does not know, and that is to be ignored.
    Unknown,
}

/// A frame that says nothing: no JSON object, or one whose fields make no sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadFrame;

/// Who says something. In the seed dialect every request but the first ones names its sender.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Who is logged in.
    pub id: UserId,
    /// The user's name.
    pub name: &'a str,
}

/// What a client says to the server.
#[derive(Clone, Copy, Debug)]
pub enum Saying<'a> {
    /// What the user wants.
    Ask(&'a Request),
    /// To log in, as this request wants, on this device.
    Enter(&'a Request, &'a Device),
    /// To be again who the token was given to, on this device.
    Resume(&'a Secret, &'a Device),
    /// Is anybody there?
    Ping(u64),
    /// Somebody is.
    Pong(u64),
    /// These messages arrived.
    Confirm(&'a [MessageId]),
}

/// A way of putting requests and answers into frames. Has no state.
pub trait Dialect: Send {
    /// Appends the frame of `saying`, with its terminator; nothing, where there are no words for it.
    ///
    /// `speaker` is who is logged in: nobody for a login and a registration. `cid` names the request
    /// for its answer; logins and registrations are answered without one.
    fn write(&self, out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, saying: Saying<'_>);

    /// Reads one frame, which comes without its terminator.
    ///
    /// # Errors
    /// If it says nothing.
    fn read(&self, frame: &[u8]) -> Result<Heard, BadFrame>;

    /// The longest frame that the server may send, without its terminator.
    fn frame_bytes(&self) -> usize;

    /// The longest frame that the server takes, without its terminator. It hangs up on longer ones,
    /// so they are not sent.
    fn request_bytes(&self) -> usize;
}
