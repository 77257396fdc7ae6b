//! What a client is told.

use super::address::Address;
use super::change::{Change, Recalled};
use super::device::{Heads, KnownDevice, Synced};
use super::friend::{FriendEvent, Settings};
use super::group::GroupEvent;
use super::message::{Conversation, Mark, Message};
use super::refusal::{Failure, Refusal};
use super::roster::{Member, Person, Welcome};
use super::row::Row;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use std::fmt;
use std::time::Duration;

/// Names a request, so that its answer can be told from others. Unique for one `Client`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RequestId(pub u64);

/// What came of a request that was granted.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// It is done.
    Done,
    /// The message is safe: no failure of one process loses it.
    Safe(Mark),
    /// It was written to a server that acknowledges nothing, and may be lost.
    Sent,
    /// This group was made, joined or left.
    Group(GroupId),
    /// This user is logged in. The [`Event::LoggedIn`] came before.
    LoggedIn(UserId),
    /// This user was made.
    Registered(UserId),
    /// These are the user's friends.
    Friends(Vec<Person>),
    /// This user was looked for.
    Found(Person),
    /// A page of history.
    History {
        /// In their places, lowest first.
        rows: Vec<Row>,
        /// They are as they were after so many changes of the conversation, or later; where the server says so.
        chg: Option<u64>,
        /// Whether nothing that was said between the first and the last of them is missing.
        complete: bool,
    },
    /// A page of a group's members.
    Members {
        /// By id.
        members: Vec<Member>,
        /// Whether these were the last ones.
        complete: bool,
    },
    /// What a device lacks of the conversations that it named.
    Synced(Vec<Synced>),
    /// A page of where the user's conversations stand.
    Heads(Heads),
    /// The user's read marker is at this place now.
    ReadUpTo(u64),
    /// The user's devices, the one used last first.
    Devices(Vec<KnownDevice>),
    /// The group is run so from now on; its conversation has a row of it.
    Ruled(Mark),
    /// The message is changed: this is the number of the change in its conversation, or that of the last one where
    /// nothing had to be changed.
    Changed(u64),
    /// These users want to become members.
    Joins(Vec<Person>),
    /// What the user lets others do, now.
    Settings(Settings),
    /// A page of what was searched for.
    Sought {
        /// The newest first. To everything that is not in a group says the conversation with whom.
        rows: Vec<Row>,
        /// Where the next page begins: before this message.
        before: Option<MessageId>,
        /// Only what was said until then was looked at yet; nothing: everything was.
        searched_to: Option<Millis>,
    },
}

/// How a connection ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Lost {
    /// The server closed it.
    Closed,
    /// The server closed it and said why.
    Said(Refusal),
    /// The system reports this.
    Io(String),
    /// Nothing came for so long that the server is taken for dead.
    Silent,
    /// The server sent a frame over this many bytes.
    FrameTooLarge(usize),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Closed => f.write_str("the server closed it"),
            Lost::Said(refusal) => write!(f, "the server said: {refusal}"),
            Lost::Io(text) => f.write_str(text),
            Lost::Silent => f.write_str("the server does not answer"),
            Lost::FrameTooLarge(bytes) => write!(f, "a frame of more than {bytes} bytes came"),
        }
    }
}

/// Something that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// There is a connection. `again`: there was one before.
    Connected {
        /// To whom.
        address: Address,
        /// Whether this follows a [`Event::Lost`] or an [`Event::Unreachable`].
        again: bool,
    },
    /// The connection is lost. While somebody is logged in or something is asked for, it is tried
    /// again and again without a further word until [`Event::Connected`].
    Lost {
        /// How it ended.
        reason: Lost,
        /// After how long it is tried again; nothing where nobody needs a connection.
        retry_in: Option<Duration>,
    },
    /// No address could be reached. Told once an outage; it is tried again and again.
    Unreachable {
        /// The address tried last.
        address: Address,
        /// Why not, in the system's words.
        reason: String,
    },
    /// Somebody is logged in. What waited for the user follows as messages.
    LoggedIn {
        /// What the server told.
        welcome: Welcome,
        /// Whether this is the same login as before, on a new connection.
        again: bool,
    },
    /// The server does not let the user in just now, and is asked again.
    LoginDelayed(Refusal),
    /// The user could not be logged in again and is nobody now.
    SignedOut(Refusal),
    /// Somebody said something. With a server that speaks v2 each message is told once, and the
    /// server has to be told that it arrived: see [`Confirming`](super::Confirming).
    Message(Message),
    /// A friend has come or gone.
    Presence {
        /// Who.
        user: UserId,
        /// Whether the friend is there now.
        online: bool,
    },
    /// Somebody has read a conversation up to a place: the user, on another device, or the other one.
    Read {
        /// What was read.
        conversation: Conversation,
        /// Who read it.
        by: UserId,
        /// The place of the last message that was read.
        pos: u64,
    },
    /// Somebody is typing, or does so no more.
    Typing {
        /// Where.
        conversation: Conversation,
        /// Who.
        by: UserId,
        /// Whether it begins or ends.
        on: bool,
        /// After how long it has ended without a further word.
        expires: Duration,
    },
    /// Where messages are stored that were told without their place.
    Stored {
        /// In which conversation.
        conversation: Conversation,
        /// Which messages, and their places.
        places: Vec<(MessageId, u64)>,
    },
    /// Something that was said is edited or recalled, or somebody reacts to it. Told once. Whoever asked for
    /// [`Cap::Changed`](super::Cap::Changed) is told.
    Changed(Change),
    /// A message that this device lacked was recalled before the device could be told it, or while it was away.
    Recalled(Recalled),
    /// Something happened to a group. Whoever asked for [`Cap::Group`](super::Cap::Group) is told.
    Group(GroupEvent),
    /// Somebody asks for a friendship, accepts it or ends it. Whoever asked for [`Cap::Friend`](super::Cap::Friend) is told.
    Friend(FriendEvent),
    /// What the user lets others do is something else now, by another device's doing.
    Settings(Settings),
    /// All that was said in this conversation up to this place, and changed up to this number, has been told, or was
    /// before this program's time. Of a device that lives beside others. Whoever keeps what was told keeps this with it: see
    /// [`Device::places`](super::Device::places).
    UpTo {
        /// Which.
        conversation: Conversation,
        /// The place.
        pos: u64,
        /// The number of the change.
        chg: u64,
    },
    /// Where the user's conversations stand, told unasked.
    Heads(Heads),
    /// The user's friends, told unasked.
    Friends(Vec<Person>),
    /// A request is answered, for good.
    Answered {
        /// Which.
        request_id: RequestId,
        /// What came of it.
        result: Result<Answer, Failure>,
    },
    /// Whoever runs the server says this to everybody who is online.
    Announcement(String),
    /// The server says something that answers no request.
    Notice(Refusal),
    /// The server said something that nobody understands. Told once a connection.
    BadFrame,
}
