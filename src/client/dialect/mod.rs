//! What is said in bytes, and what bytes say: one sibling a dialect of the wire.
//!
//! [`seed::Seed`] speaks the original client's dialect, with `cid`s. A further dialect is a further
//! implementation of [`Dialect`]; what it can hear more becomes a variant of [`Heard`], what it can
//! ask more a variant of [`Request`]. Which one is spoken is decided once, where a
//! [`Config`](super::Config) is made.

pub mod seed;
mod seed_read;

use super::message::Message;
use super::refusal::Refusal;
use super::request::Request;
use super::roster::{Person, Welcome};
use crate::chat::ids::{GroupId, UserId};

/// Something that the server said.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Heard {
    /// The login is granted. Messages that waited come with it.
    LoggedIn(Welcome, Vec<Message>),
    /// The login is refused.
    LoginRefused(Refusal),
    /// There is a new user.
    Registered(UserId),
    /// There is no new user.
    NotRegistered(Refusal),
    /// Somebody said something.
    Message(Message),
    /// The user's friends.
    Friends(Vec<Person>),
    /// The request with this `cid` is done.
    Done {
        /// The request's.
        cid: String,
        /// The group that was made, joined or left.
        group: Option<GroupId>,
    },
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
pub struct Garbled;

/// Who says something. In the seed dialect every request but the first ones names its sender.
#[derive(Clone, Copy, Debug)]
pub struct Speaker<'a> {
    /// Who is logged in.
    pub id: UserId,
    /// The user's name.
    pub name: &'a str,
}

/// A way of putting requests and answers into frames. Has no state.
pub trait Dialect: Send {
    /// Appends the frame of `request`, with its terminator.
    ///
    /// `speaker` is who is logged in: nobody for a login and a registration. `cid` names the request
    /// for its answer; logins and registrations are answered without one.
    fn write(&self, out: &mut Vec<u8>, speaker: Option<Speaker<'_>>, cid: &str, request: &Request);

    /// Reads one frame, which comes without its terminator.
    ///
    /// # Errors
    /// If it says nothing.
    fn read(&self, frame: &[u8]) -> Result<Heard, Garbled>;

    /// The longest frame that the server may send, without its terminator.
    fn frame_bytes(&self) -> usize;

    /// The longest frame that the server takes, without its terminator. It hangs up on longer ones,
    /// so they are not sent.
    fn request_bytes(&self) -> usize;
}
