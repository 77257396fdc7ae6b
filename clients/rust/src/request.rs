//! What a client may ask for.

use super::device::{DeviceId, Since};
use super::friend::Settings;
use super::group::{Joining, Muted, Until};
use super::message::{Conversation, Extras};
use super::roster::Role;
use super::secret::Secret;
use chatd_chat::model::ids::{GroupId, MessageId, UserId};

/// How a user is named: by id, or by the name of the registration.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Named {
    /// By its id.
    Id(UserId),
    /// By its name, letter for letter. Only v2 knows users by name.
    Name(String),
}

impl From<UserId> for Named {
    fn from(id: UserId) -> Self {
        Named::Id(id)
    }
}

impl From<&str> for Named {
    fn from(name: &str) -> Self {
        Named::Name(name.to_owned())
    }
}

impl From<String> for Named {
    fn from(name: String) -> Self {
        Named::Name(name)
    }
}

/// What becomes of the session that the user has somewhere else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Takeover {
    /// It stays, and the login is refused with errno 2.
    #[default]
    Refuse,
    /// It is replaced, and told so. Only v2 does that.
    Replace,
}

/// Which page of a conversation's history: places are counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// The last one.
    Latest,
    /// The one that ends before this place.
    Before(u64),
    /// The one that begins after this place.
    After(u64),
}

/// Something that a client wants of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Request {
    /// To be this user from now on.
    Login {
        /// Who.
        user: Named,
        /// Kept for as long as the user is logged in, for logging in again.
        password: Secret,
        /// What becomes of another session of this user.
        takeover: Takeover,
    },
    /// To be the user of another application from now on, by its word; of somebody who is that user already: to be so for
    /// longer, with a new word. v2.
    LoginJwt {
        /// What the application has signed. Kept for as long as the user is logged in, for logging in again.
        jwt: Secret,
        /// What becomes of another session of this user.
        takeover: Takeover,
    },
    /// To be nobody again; what was asked before is finished first.
    Logout,
    /// A new user.
    Register {
        /// Unique.
        name: String,
        /// To log in with.
        password: Secret,
        /// An invitation, for a server that takes nobody without one.
        invitation: Option<Secret>,
    },
    /// To say something.
    Say {
        /// Where.
        to: Conversation,
        /// What.
        text: String,
        /// When, as others are to see it: `YYYY-MM-DD HH:MM:SS`.
        time: String,
        /// What it carries besides.
        extras: Extras,
    },
    /// To have this user among one's friends.
    AddFriend(UserId),
    /// To have this user among one's friends no more.
    DelFriend(UserId),
    /// A new group, with oneself as its creator.
    CreateGroup {
        /// Unique.
        name: String,
        /// May be empty.
        desc: String,
    },
    /// To become a member.
    AddGroup(GroupId),
    /// To be a member no more; of its creator: to dissolve it.
    DelGroup(GroupId),
    /// Who one's friends are, and which of them are online.
    ShowFriends,
    /// One page of what was said. v2.
    History {
        /// Where.
        of: Conversation,
        /// Which page.
        span: Span,
        /// Messages in it at most; the server may give fewer.
        limit: u32,
    },
    /// Who this is, and whether online. v2.
    Find(Named),
    /// Another password, which the one that is used now allows. Other sessions of the user stay,
    /// but cannot come back without the new one. v2.
    ChangePassword {
        /// What it is.
        old: Secret,
        /// What it is to be.
        new: Secret,
    },
    /// To hear nothing from this user any more. v2.
    Block(UserId),
    /// To hear from this user again. v2.
    Unblock(UserId),
    /// One page of who is in a group, by id. v2.
    Members {
        /// Which.
        group: GroupId,
        /// Only those with a greater id.
        after: Option<UserId>,
        /// Members in it at most; the server may give fewer.
        limit: u32,
    },
    /// What this device lacks of these conversations, 200 at most, each after a place. v2.
    Sync {
        /// Which, and how far the device is.
        since: Vec<Since>,
        /// Messages of each at most; the server may give fewer.
        limit: u32,
    },
    /// One page of where the user's conversations stand, newest first. v2.
    Heads {
        /// Only those whose last message is before this one.
        before: Option<MessageId>,
        /// Conversations in it at most; the server may give fewer.
        limit: u32,
    },
    /// To have read a conversation up to a place, on all devices. v2.
    Read {
        /// Which.
        of: Conversation,
        /// The place of the last message that was read.
        pos: u64,
        /// Whether the other user is not told.
        private: bool,
    },
    /// To be typing, or to do so no more. It is for now: without a connection it comes to nothing. v2.
    Typing {
        /// Where.
        to: Conversation,
        /// Whether it begins or ends.
        on: bool,
    },
    /// Which devices the user has. v2.
    Devices,
    /// To end one of the user's devices: its session, and its way back without the password. v2.
    DropDevice(DeviceId),
    /// Another text in the place of one that the user has said. v2.
    Edit {
        /// Where.
        of: Conversation,
        /// The message's place.
        pos: u64,
        /// The text.
        text: String,
    },
    /// A message taken back: one's own, or, of an admin, somebody else's in a group. v2.
    Recall {
        /// Where.
        of: Conversation,
        /// The message's place.
        pos: u64,
    },
    /// To react to a message, or to do so no more. v2.
    React {
        /// Where.
        of: Conversation,
        /// The message's place.
        pos: u64,
        /// With what.
        emoji: String,
        /// Whether it begins or ends.
        on: bool,
    },
    /// Another role for a member of one's group; to make somebody the owner is to hand it over. v2.
    SetRole {
        /// Which.
        group: GroupId,
        /// Whose.
        user: UserId,
        /// What the member is to be.
        role: Role,
    },
    /// To send a member away, or to lift a ban. v2.
    Kick {
        /// From where.
        group: GroupId,
        /// Whom.
        user: UserId,
        /// How long that user may not come back; nothing: not at all.
        ban: Until,
    },
    /// To let a member, or everybody, say nothing, or something again. v2.
    Mute {
        /// Where.
        group: GroupId,
        /// Whom.
        whom: Muted,
        /// How long.
        until: Until,
    },
    /// Another name, another description, another way to join; nothing stays as it is. v2.
    SetGroup {
        /// Of which.
        group: GroupId,
        /// The name.
        name: Option<String>,
        /// The description.
        desc: Option<String>,
        /// The way to join.
        join: Option<Joining>,
    },
    /// To let somebody in who asked to become a member, or not. v2.
    AnswerJoin {
        /// Where.
        group: GroupId,
        /// Whom.
        user: UserId,
        /// Whether to let in.
        yes: bool,
    },
    /// Who wants to become a member. v2.
    Joins(GroupId),
    /// To ask somebody for friendship: both have each other among their friends once it is accepted. v2.
    AskFriend {
        /// Whom.
        user: UserId,
        /// A word to it; may be empty.
        note: String,
    },
    /// To accept a friendship that somebody asked for, or not. v2.
    AnswerFriend {
        /// Whose.
        user: UserId,
        /// Whether to accept.
        yes: bool,
    },
    /// To let others do something, or no more; without anything: what is so now. v2.
    Settings(Settings),
    /// One page of what was said with all of these words, newest first. v2.
    Search {
        /// The words.
        words: String,
        /// Where; nothing: everywhere.
        of: Option<Conversation>,
        /// Only what was said before this message.
        before: Option<MessageId>,
        /// Messages in it at most; the server may give fewer.
        limit: u32,
    },
}

impl Request {
    /// Whether the seed's dialect has no words for it.
    pub fn is_of_v2(&self) -> bool {
        match self {
            Request::Login { user, .. } => matches!(user, Named::Name(_)),
            Request::LoginJwt { .. }
            | Request::History { .. }
            | Request::Find(_)
            | Request::ChangePassword { .. }
            | Request::Block(_)
            | Request::Unblock(_)
            | Request::Members { .. }
            | Request::Sync { .. }
            | Request::Heads { .. }
            | Request::Read { .. }
            | Request::Typing { .. }
            | Request::Devices
            | Request::DropDevice(_)
            | Request::Edit { .. }
            | Request::Recall { .. }
            | Request::React { .. }
            | Request::SetRole { .. }
            | Request::Kick { .. }
            | Request::Mute { .. }
            | Request::SetGroup { .. }
            | Request::AnswerJoin { .. }
            | Request::Joins(_)
            | Request::AskFriend { .. }
            | Request::AnswerFriend { .. }
            | Request::Settings(_)
            | Request::Search { .. } => true,
            Request::Logout
            | Request::Register { .. }
            | Request::Say { .. }
            | Request::AddFriend(_)
            | Request::DelFriend(_)
            | Request::CreateGroup { .. }
            | Request::AddGroup(_)
            | Request::DelGroup(_)
            | Request::ShowFriends => false,
        }
    }
}
