//! What may be said: requests whose every field is valid by itself.
//!
//! Types, size and range are checked where a request is read, in `request/read.rs`. Whether it is
//! *allowed* is the hub's to say. Texts borrow from the frame, which was unescaped in place.

mod fault;
mod fields;
mod read;
mod rule;

use super::code::Code;
use super::msgid;
use crate::model::capabilities::Capabilities;
use crate::model::change::Alteration;
use crate::model::consent::{FriendAnswer, SettingsChange};
use crate::model::device::PushToken;
use crate::model::extras::Extras;
use crate::model::group_rule::GroupRule;
use crate::model::history::{Conversation, Span, SyncFrom};
use crate::model::ids::{GroupId, MessageId, UserId};
use crate::model::token::TokenId;
pub use fault::{Fault, Severity};
pub use read::parse;

/// A valid request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// The `id` field: who the client says it is. Checked against the session, never believed.
    /// Absent only where the body does not need it.
    pub id: Option<UserId>,
    /// The client's name for this request, if it wants an ACK.
    pub cid: Option<&'a str>,
    /// What it wants.
    pub body: Body<'a>,
    /// Bytes of its frame.
    pub bytes: u32,
}

/// What a session speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// What the original client speaks.
    #[default]
    V1,
    /// The same and more: `"v":2`.
    V2,
}

/// What becomes of a session that the user has already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Takeover {
    /// It stays, and the login is refused.
    #[default]
    Refuse,
    /// It is replaced: ERROR 113, close.
    Replace,
}

/// What a client says of itself when it logs in or registers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Client<'a> {
    /// What the session will speak.
    pub dialect: Dialect,
    /// Which pushes it understands besides those of every client.
    pub capabilities: Capabilities,
    /// What the device calls itself.
    pub device: Option<&'a str>,
    /// Whether the session lives beside others of its user that say so.
    pub multi: bool,
}

/// What is wrong with what a message carries besides its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadExtras {
    /// errno.
    pub code: Code,
    /// errmsg.
    pub text: Box<str>,
}

/// How a request names a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Named<'a> {
    /// By its id.
    Id(UserId),
    /// By its name (v2).
    Name(&'a str),
}

/// What a request wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body<'a> {
    /// LOGIN_MSG.
    Login {
        /// Who wants in.
        who: Named<'a>,
        /// What was typed.
        password: &'a str,
        /// What the client says of itself.
        client: Client<'a>,
        /// What becomes of a session that the user has already.
        takeover: Takeover,
    },
    /// LOGIN_MSG with another application's word for whoever it is.
    JwtLogin {
        /// What that application has signed.
        jwt: &'a str,
        /// What the client says of itself.
        client: Client<'a>,
        /// What becomes of a session that the user has already.
        takeover: Takeover,
    },
    /// RESUME.
    Resume {
        /// What an earlier login answer gave.
        token: &'a str,
        /// What the client says of itself.
        client: Client<'a>,
    },
    /// PING from a client.
    Ping {
        /// Echoed.
        n: u64,
    },
    /// PONG: the answer to a ping of ours.
    Pong,
    /// CONFIRM.
    Confirm {
        /// Messages that are safe with the reader; at most `confirm_mids`.
        mids: Vec<MessageId>,
    },
    /// HISTORY.
    History {
        /// Between whom.
        conversation: Conversation,
        /// Where the page lies.
        span: Span,
        /// Messages in it at most, as asked for; the hub bounds it.
        messages: Option<u64>,
    },
    /// SEARCH.
    Search {
        /// What is looked for; not yet taken to words.
        q: &'a str,
        /// Only in this conversation.
        conversation: Option<Conversation>,
        /// Only messages with a smaller id.
        before: Option<MessageId>,
        /// Messages in the page at most, as asked for; the hub bounds it.
        messages: Option<u64>,
    },
    /// FIND.
    Find {
        /// The user who is looked for.
        who: Named<'a>,
    },
    /// PASSWORD.
    Password {
        /// What it is.
        old: &'a str,
        /// What it is to be. Not checked for length.
        new: &'a str,
    },
    /// BLOCK.
    Block {
        /// The user whose messages are refused from now on.
        user: UserId,
    },
    /// UNBLOCK.
    Unblock {
        /// The user whose messages are taken again.
        user: UserId,
    },
    /// MEMBERS.
    Members {
        /// Of which group.
        group: GroupId,
        /// Only those with a greater id.
        after: Option<UserId>,
        /// How many at most, as asked for; the hub bounds it.
        members: Option<u64>,
    },
    /// SYNC with `since`: what a device lacks of these conversations.
    Sync {
        /// Which, and how far the device is; at most `sync_conversations`.
        since: Vec<SyncFrom>,
        /// Messages of one conversation at most, as asked for; the hub bounds it.
        messages: Option<u64>,
    },
    /// SYNC without `since`: the next page of conversations.
    Heads {
        /// Only those whose last message has a smaller id.
        before: Option<MessageId>,
        /// How many at most, as asked for; the hub bounds it.
        heads: Option<u64>,
    },
    /// READ.
    Read {
        /// In which conversation.
        conversation: Conversation,
        /// Everything up to this place was read.
        pos: u64,
        /// Whether the other user is not told.
        private: bool,
    },
    /// TYPING.
    Typing {
        /// In which conversation.
        conversation: Conversation,
        /// Whether the user types, or does so no more.
        on: bool,
    },
    /// EDIT, RECALL, REACT.
    Alter {
        /// In which conversation.
        conversation: Conversation,
        /// The message's place.
        pos: u64,
        /// What is to be done to it.
        alteration: Alteration,
    },
    /// DEVICES.
    Devices,
    /// DROP_DEVICE.
    DropDevice {
        /// The device, by the name of its token.
        token: TokenId,
    },
    /// PUSH_TOKEN.
    PushToken {
        /// By what the session's device is reached; `None` if it no longer is.
        push: Option<PushToken>,
    },
    /// FRIEND_ASK.
    FriendAsk {
        /// The user who is asked.
        friend: UserId,
        /// What is said with it.
        note: &'a str,
    },
    /// FRIEND_ANSWER.
    FriendAnswer {
        /// Who asks.
        friend: UserId,
        /// Yes or no.
        answer: FriendAnswer,
    },
    /// SETTINGS.
    Settings {
        /// What is changed, if anything is.
        change: SettingsChange,
    },
    /// LOGINOUT_MSG.
    Logout,
    /// REG_MSG.
    Register {
        /// Not checked for length: the answer to a bad name is REG_MSG_ACK.
        name: &'a str,
        /// Not checked for length either.
        password: &'a str,
        /// An invitation, for servers that take nobody without one.
        invitation: Option<&'a str>,
        /// What the client says of itself.
        client: Client<'a>,
    },
    /// ONE_CHAT_MSG.
    OneChat {
        /// To whom.
        to: UserId,
        /// The text.
        msg: &'a str,
        /// The sender's time, as text.
        time: Option<&'a str>,
        /// What it carries besides, if the session speaks v2; v1 has no such fields.
        extras: Result<Option<Extras>, BadExtras>,
    },
    /// GROUP_CHAT_MSG.
    GroupChat {
        /// To which group.
        group: GroupId,
        /// The text.
        msg: &'a str,
        /// The sender's time, as text.
        time: Option<&'a str>,
        /// What it carries besides, if the session speaks v2; v1 has no such fields.
        extras: Result<Option<Extras>, BadExtras>,
    },
    /// ADD_FRIEND_MSG.
    AddFriend {
        /// The user who goes on the list.
        friend: UserId,
    },
    /// DEL_FRIEND_MSG.
    DelFriend {
        /// The friend to be removed.
        friend: UserId,
    },
    /// CREATE_GROUP_MSG.
    CreateGroup {
        /// Unique.
        name: &'a str,
        /// May be empty.
        desc: &'a str,
    },
    /// ADD_GROUP_MSG.
    AddGroup {
        /// The group to be joined.
        group: GroupId,
    },
    /// DEL_GROUP_MSG.
    DelGroup {
        /// The group to be left, or dissolved by its creator.
        group: GroupId,
    },
    /// ROLE, KICK, MUTE, GROUP_SET or JOIN_ANSWER. A name is not checked: the hub does that.
    RuleGroup {
        /// The group that is run.
        group: GroupId,
        /// What is to be.
        rule: GroupRule,
    },
    /// JOINS.
    JoinRequests {
        /// Of which group.
        group: GroupId,
    },
    /// SHOW_FRIEND_LIST_MSG.
    ShowFriends,
}

impl Body<'_> {
    /// The msgid that this came with.
    pub const fn msgid(&self) -> u32 {
        match self {
            Body::Login { .. } | Body::JwtLogin { .. } => msgid::LOGIN,
            Body::Resume { .. } => msgid::RESUME,
            Body::Ping { .. } => msgid::PING,
            Body::Pong => msgid::PONG,
            Body::Confirm { .. } => msgid::CONFIRM,
            Body::History { .. } => msgid::HISTORY,
            Body::Search { .. } => msgid::SEARCH,
            Body::Find { .. } => msgid::FIND,
            Body::Password { .. } => msgid::PASSWORD,
            Body::Block { .. } => msgid::BLOCK,
            Body::Unblock { .. } => msgid::UNBLOCK,
            Body::Members { .. } => msgid::MEMBERS,
            Body::Sync { .. } | Body::Heads { .. } => msgid::SYNC,
            Body::Read { .. } => msgid::READ,
            Body::Typing { .. } => msgid::TYPING,
            Body::Alter { alteration: Alteration::Edit { .. }, .. } => msgid::EDIT,
            Body::Alter { alteration: Alteration::Recall, .. } => msgid::RECALL,
            Body::Alter { alteration: Alteration::React { .. }, .. } => msgid::REACT,
            Body::Devices => msgid::DEVICES,
            Body::DropDevice { .. } => msgid::DROP_DEVICE,
            Body::PushToken { .. } => msgid::PUSH_TOKEN,
            Body::FriendAsk { .. } => msgid::FRIEND_ASK,
            Body::FriendAnswer { .. } => msgid::FRIEND_ANSWER,
            Body::Settings { .. } => msgid::SETTINGS,
            Body::Logout => msgid::LOGOUT,
            Body::Register { .. } => msgid::REGISTER,
            Body::OneChat { .. } => msgid::ONE_CHAT,
            Body::AddFriend { .. } => msgid::ADD_FRIEND,
            Body::CreateGroup { .. } => msgid::CREATE_GROUP,
            Body::AddGroup { .. } => msgid::ADD_GROUP,
            Body::GroupChat { .. } => msgid::GROUP_CHAT,
            Body::DelGroup { .. } => msgid::DEL_GROUP,
            Body::DelFriend { .. } => msgid::DEL_FRIEND,
            Body::ShowFriends => msgid::SHOW_FRIENDS,
            Body::RuleGroup { rule: GroupRule::Role { .. }, .. } => msgid::ROLE,
            Body::RuleGroup { rule: GroupRule::Kick { .. }, .. } => msgid::KICK,
            Body::RuleGroup { rule: GroupRule::Mute { .. } | GroupRule::MuteAll { .. }, .. } => msgid::MUTE,
            Body::RuleGroup { rule: GroupRule::Set { .. }, .. } => msgid::GROUP_SET,
            Body::RuleGroup { rule: GroupRule::Answer { .. }, .. } => msgid::JOIN_ANSWER,
            Body::JoinRequests { .. } => msgid::JOINS,
        }
    }
}
