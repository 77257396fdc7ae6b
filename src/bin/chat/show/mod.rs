//! What there is to show, and its two forms: lines for people, objects for programs.
//!
//! Everything here is as others typed it; [`text`] and [`json`] make it safe, and nothing else
//! writes to the terminal.

mod happened;
pub mod json;
mod objects;
pub mod text;

use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_client::{
    Address, Change, Conversation, Failure, FriendEvent, Group, GroupEvent, KnownDevice, Mark, Member,
    Message, Person, Recalled, Refusal, Row, Settings, Spoken, event::Lost,
};
use std::collections::BTreeMap;

/// Something to be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// A word to whoever has just come.
    Greeting,
    /// What there is to choose while nobody is logged in.
    Menu,
    /// The commands.
    Help,
    /// There is a connection again.
    Connected(Address),
    /// The connection is gone.
    Lost {
        /// Why.
        reason: Lost,
        /// Whether it is tried again.
        retrying: bool,
        /// Messages that are not known to be safe.
        unsafe_yet: usize,
    },
    /// There is no connection to be had, and it is tried again.
    Unreachable(Address, String),
    /// The login is asked for again and again.
    Delayed(Refusal),
    /// The user could not be logged in again.
    SignedOut(Refusal),
    /// What whoever runs the server says to everybody.
    Announcement(String),
    /// A word of the server's that answers nothing.
    Notice(Refusal),
    /// The server said something that nobody understands.
    BadFrame,
    /// There was no connection, or no answer, for as long as this run may wait.
    TimedOut(u64),
    /// So many messages were not taken by the server, and are not said.
    Unsaid(usize),
    /// Somebody is logged in.
    Welcome {
        /// Who.
        id: UserId,
        /// The user's name.
        name: String,
        /// How many friends.
        friends: usize,
        /// How many of them are online.
        online: usize,
        /// How many groups.
        groups: usize,
    },
    /// The same login, on a new connection.
    Back,
    /// A new user.
    Registered(UserId, String),
    /// Nobody is logged in any more, as was asked for.
    LoggedOut,
    /// A message, with what its conversation is called, and the first words of what it replies to, if they are known.
    Said(Message, String, Option<String>),
    /// The friends.
    Friends(Vec<Person>),
    /// The groups.
    Groups(Vec<Group>),
    /// Who is in the group that is called this, told by a server that speaks this: the seed's dialect
    /// tells it at the login only.
    Members(String, Vec<Member>, Spoken),
    /// A friend, who is called this, has come or gone.
    Presence(UserId, String, bool),
    /// The user's devices.
    Devices(Vec<KnownDevice>),
    /// Somebody has read a conversation, which is called this.
    Read {
        /// Which.
        of: Conversation,
        /// What it is called.
        label: String,
        /// Who.
        by: UserId,
        /// What that one is called.
        name: String,
        /// Up to which place.
        pos: u64,
        /// Whether that is all that the user has said there, where somebody else has read it.
        all_mine: Option<bool>,
    },
    /// Somebody is typing, or does so no more.
    Typing {
        /// Where.
        to: Conversation,
        /// What that is called.
        label: String,
        /// Who.
        by: UserId,
        /// What that one is called.
        name: String,
        /// Whether it begins or ends.
        on: bool,
        /// Whether a person is to be told.
        news: bool,
    },
    /// What was said is changed.
    Changed {
        /// What the conversation is called.
        label: String,
        /// What the one is called who did it.
        by: String,
        /// How.
        change: Change,
        /// The first words of what stood there, where they are known.
        words: Option<String>,
    },
    /// A message was recalled while this device was away.
    Recalled {
        /// What the conversation is called.
        label: String,
        /// What the one is called who did it.
        by: String,
        /// Which.
        recalled: Recalled,
    },
    /// Where messages stand.
    Stored {
        /// In which conversation.
        at: Conversation,
        /// What that is called.
        label: String,
        /// Which, and where.
        places: Vec<(MessageId, u64)>,
        /// The first words of each, where a person is to be told.
        words: Vec<Option<String>>,
    },
    /// Whether places are shown from now on.
    Places(bool),
    /// Something happened to a group.
    Group {
        /// What.
        event: GroupEvent,
        /// What the group was called until then.
        label: String,
        /// Who is told.
        me: Option<UserId>,
        /// Whether it is the answer to what was asked for.
        asked: bool,
    },
    /// Who wants to become a member of a group.
    Joins {
        /// Which.
        group: GroupId,
        /// What it is called.
        label: String,
        /// Who, the first at first.
        users: Vec<Person>,
    },
    /// A word of a friendship.
    Friend {
        /// Which.
        event: FriendEvent,
        /// What the other one is called.
        label: String,
        /// Whether a person is to be told.
        news: bool,
    },
    /// What others may do.
    Settings(Settings),
    /// What was found.
    Sought {
        /// What was searched for.
        words: String,
        /// Each with what its conversation is called; the newest first.
        rows: Vec<(String, Row)>,
        /// Whether there is more.
        more: bool,
        /// What was said after this was not looked at.
        searched_to: Option<Millis>,
    },
    /// Somebody was looked for and found.
    Found(Person),
    /// A page of what was said.
    History {
        /// Where.
        of: Conversation,
        /// What that is called.
        label: String,
        /// In their places.
        rows: Vec<Row>,
        /// Whether nothing is missing between them.
        complete: bool,
        /// Who is shown it.
        me: Option<UserId>,
        /// What those are called who recalled something.
        by: BTreeMap<UserId, String>,
    },
    /// The user is logged in somewhere else, and could be here instead.
    Elsewhere,
    /// Something was done.
    Done(Deed),
    /// Something was not done: what, and why.
    Failed(String, Failure),
    /// A conversation is open.
    Opened(Conversation, String),
    /// No conversation is open.
    Closed,
    /// The conversations that have something new, and how much.
    Unread(Vec<(String, u32)>),
    /// A line that cannot be done: a sentence that says why.
    Bad(String),
}

impl Shown {
    /// The message that has arrived once this is shown.
    pub fn mid(&self) -> Option<MessageId> {
        match self {
            // What the user says elsewhere waits for nobody, but for what is said to oneself.
            Shown::Said(message, ..)
                if message.own && message.conversation != Conversation::With(message.from) =>
            {
                None
            }
            Shown::Said(message, ..) => message.mark.mid,
            Shown::Group { event, asked: false, .. } => event.mark.mid,
            _ => None,
        }
    }
}

/// Something that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A message is with the server.
    Sent {
        /// Where it was said.
        to: Conversation,
        /// What that is called.
        label: String,
        /// What was said.
        text: String,
        /// What the server knows of it, where it says that the message is safe.
        safe: Option<Mark>,
        /// Whether its place is to be shown.
        numbered: bool,
    },
    /// Nothing is heard from this user any more.
    Blocked(UserId, String),
    /// This user is heard again.
    Unblocked(UserId, String),
    /// The password is another now.
    PasswordChanged,
    /// The device that is called this has to log in again.
    DeviceDropped(String),
    /// A conversation is read, on all devices.
    Read {
        /// Which.
        of: Conversation,
        /// What it is called.
        label: String,
        /// Up to which place.
        pos: u64,
    },
    /// A message has another text.
    Edited {
        /// Where.
        of: Conversation,
        /// What that is called.
        label: String,
        /// At which place.
        pos: u64,
        /// The number of the change.
        chg: u64,
        /// Which text.
        text: String,
    },
    /// A message is taken back.
    Recalled {
        /// Where.
        of: Conversation,
        /// What that is called.
        label: String,
        /// At which place.
        pos: u64,
        /// The number of the change.
        chg: u64,
    },
    /// The user reacts to a message, or does so no more.
    Reacted {
        /// Where.
        of: Conversation,
        /// What that is called.
        label: String,
        /// At which place.
        pos: u64,
        /// The number of the change.
        chg: u64,
        /// With what.
        emoji: String,
        /// Whether it begins or ends.
        on: bool,
        /// The first words of the message, where they are known.
        words: Option<String>,
    },
    /// This user is asked for friendship.
    Asked(UserId, String),
    /// This user's friendship is not accepted.
    Refused(UserId, String),
    /// A friend more, who is called this.
    Befriended(UserId, String),
    /// A friend less.
    Unfriended(UserId, String),
    /// A new group.
    Made(GroupId, String),
    /// A member of it now.
    Joined(GroupId, String),
    /// A member of it no more.
    Left(GroupId, String),
}
