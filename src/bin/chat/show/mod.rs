//! What there is to show, and its two forms: lines for people, objects for programs.
//!
//! Everything here is as others typed it; [`text`] and [`json`] make it safe, and nothing else
//! writes to the terminal.

pub mod json;
pub mod text;

use chatd::chat::ids::{GroupId, UserId};
use chatd::client::{Address, Conversation, Failure, Group, Member, Message, Person, Refusal, event::Lost};

/// Something to be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Shown {
    /// What there is to choose while nobody is logged in.
    Menu,
    /// The commands.
    Help,
    /// There is a connection again.
    Connected(Address),
    /// The connection is gone; whether it is tried again.
    Lost(Lost, bool),
    /// There is no connection to be had, and it is tried again.
    Unreachable(Address, String),
    /// The login is asked for again and again.
    Delayed(Refusal),
    /// The user could not be logged in again.
    SignedOut(Refusal),
    /// A word of the server's that answers nothing.
    Notice(Refusal),
    /// The server said something that nobody understands.
    Garbled,
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
    /// A message, with what its conversation is called.
    Said(Message, String),
    /// The friends.
    Friends(Vec<Person>),
    /// The groups.
    Groups(Vec<Group>),
    /// Who is in the group that is called this.
    Members(String, Vec<Member>),
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

/// Something that was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Deed {
    /// A message is with the server, for the conversation that is called this.
    Sent(Conversation, String),
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
