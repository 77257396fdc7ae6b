//! What may be said: one frame to one checked request.
//!
//! Every field is checked here for type and size, so the hub works with what is valid by itself.
//! Whether it is *allowed* is the hub's to say. Texts borrow from the frame, which was unescaped
//! in place.

use super::code::Code;
use super::json::{Fields, Parser, Value};
use super::msgid;
use crate::chat::ask::{Conversation, Span};
use crate::chat::ids::{GroupId, MessageId, UserId};
use crate::chat::limits::Limits;
use std::borrow::Cow;

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
}

/// What a session speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Dialect {
    /// What the original client speaks.
    #[default]
    Seed,
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
        /// What the session will speak.
        dialect: Dialect,
        /// What becomes of a session that the user has already.
        takeover: Takeover,
    },
    /// RESUME.
    Resume {
        /// What an earlier login answer gave.
        token: &'a str,
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
    /// FIND.
    Find {
        /// Whom.
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
        /// Whom.
        user: UserId,
    },
    /// UNBLOCK.
    Unblock {
        /// Whom.
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
    /// LOGINOUT_MSG.
    Logout,
    /// REG_MSG.
    Register {
        /// Not checked for length: the answer to a bad name is REG_MSG_ACK.
        name: &'a str,
        /// Not checked for length either.
        password: &'a str,
        /// What the connection will speak.
        dialect: Dialect,
    },
    /// ONE_CHAT_MSG.
    OneChat {
        /// To whom.
        to: UserId,
        /// The text.
        msg: &'a str,
        /// The sender's time, as text.
        time: Option<&'a str>,
    },
    /// GROUP_CHAT_MSG.
    GroupChat {
        /// To which group.
        group: GroupId,
        /// The text.
        msg: &'a str,
        /// The sender's time, as text.
        time: Option<&'a str>,
    },
    /// ADD_FRIEND_MSG.
    AddFriend {
        /// Whom.
        friend: UserId,
    },
    /// DEL_FRIEND_MSG.
    DelFriend {
        /// Whom.
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
        /// Which.
        group: GroupId,
    },
    /// DEL_GROUP_MSG.
    DelGroup {
        /// Which.
        group: GroupId,
    },
    /// SHOW_FRIEND_LIST_MSG.
    ShowFriends,
}

impl Body<'_> {
    /// The msgid that this came with.
    pub const fn msgid(&self) -> u32 {
        match self {
            Body::Login { .. } => msgid::LOGIN,
            Body::Resume { .. } => msgid::RESUME,
            Body::Ping { .. } => msgid::PING,
            Body::Pong => msgid::PONG,
            Body::Confirm { .. } => msgid::CONFIRM,
            Body::History { .. } => msgid::HISTORY,
            Body::Find { .. } => msgid::FIND,
            Body::Password { .. } => msgid::PASSWORD,
            Body::Block { .. } => msgid::BLOCK,
            Body::Unblock { .. } => msgid::UNBLOCK,
            Body::Members { .. } => msgid::MEMBERS,
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
        }
    }
}

/// What happens to the connection after a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The object was well formed: ERROR, and the connection lives on.
    Answer,
    /// The stream can not be trusted any more: ERROR, and close.
    Close,
}

/// Why a frame is not a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// errno.
    pub code: Code,
    /// errmsg: names the field, never repeats its content.
    pub text: Cow<'static, str>,
    /// The msgid, where it could be read.
    pub re: Option<u32>,
    /// The cid, where it could be read.
    pub cid: Option<String>,
    /// What happens then.
    pub severity: Severity,
}

impl Fault {
    /// A frame over the bound.
    pub fn frame_too_large() -> Self {
        Self::closing(Code::TooLarge, "frame too large")
    }

    fn closing(code: Code, text: &'static str) -> Self {
        Self { code, text: Cow::Borrowed(text), re: None, cid: None, severity: Severity::Close }
    }
}

/// Reads one frame. The frame's bytes are unescaped in place and are garbage afterwards, but for
/// the texts that the request borrows.
///
/// # Errors
/// A [`Fault`] that says what to tell the client and whether to go on.
pub fn parse<'a>(frame: &'a mut [u8], parser: &mut Parser, limits: &Limits) -> Result<Request<'a>, Fault> {
    let fields = match parser.parse(frame, limits.nesting_depth) {
        Ok(fields) => fields,
        Err(_) => return Err(Fault::closing(Code::NotAFrame, Code::NotAFrame.text())),
    };
    let mut reader = Reader { fields: &fields, limits, re: None, cid: None };
    let request = reader.request();
    request.map_err(|(code, text)| Fault {
        code,
        text,
        re: reader.re,
        cid: reader.cid.map(str::to_owned),
        severity: Severity::Answer,
    })
}

type Checked<T> = Result<T, (Code, Cow<'static, str>)>;

struct Reader<'f, 'a> {
    fields: &'f Fields<'a>,
    limits: &'f Limits,
    re: Option<u32>,
    cid: Option<&'a str>,
}

impl<'a> Reader<'_, 'a> {
    fn request(&mut self) -> Checked<Request<'a>> {
        let number = self.number("msgid")?;
        self.re = u32::try_from(number).ok();
        self.cid = self.cid()?;
        if let Some(twice) = self.fields.repeated() {
            return Err(invalid(format!("field appears twice: {}", printable(twice))));
        }
        let (id, body) = match self.re {
            Some(msgid::LOGIN) => {
                let (user, password) = (self.user("id")?, self.text("password")?);
                let (who, dialect, takeover) = (Named::Id(user), Dialect::Seed, Takeover::Refuse);
                (Some(user), Body::Login { who, password, dialect, takeover })
            }
            Some(msgid::LOGOUT) => (Some(self.user("id")?), Body::Logout),
            Some(msgid::REGISTER) => {
                let (name, password) = (self.text("name")?, self.text("password")?);
                (None, Body::Register { name, password, dialect: Dialect::Seed })
            }
            Some(msgid::ONE_CHAT) => {
                let to = if self.fields.has("to") && !self.fields.has("toid") { "to" } else { "toid" };
                let to = self.user(to)?;
                (Some(self.user("id")?), Body::OneChat { to, msg: self.msg()?, time: self.time()? })
            }
            Some(msgid::GROUP_CHAT) => {
                let group = self.group()?;
                (Some(self.user("id")?), Body::GroupChat { group, msg: self.msg()?, time: self.time()? })
            }
            Some(msgid::ADD_FRIEND) => {
                (Some(self.user("id")?), Body::AddFriend { friend: self.user("friendid")? })
            }
            Some(msgid::DEL_FRIEND) => {
                (Some(self.user("id")?), Body::DelFriend { friend: self.user("friendid")? })
            }
            Some(msgid::CREATE_GROUP) => {
                let name = self.bounded("groupname", 1, self.limits.name_chars)?;
                let desc = self.bounded("groupdesc", 0, self.limits.desc_chars)?;
                (Some(self.user("id")?), Body::CreateGroup { name, desc })
            }
            Some(msgid::ADD_GROUP) => (Some(self.user("id")?), Body::AddGroup { group: self.group()? }),
            Some(msgid::DEL_GROUP) => (Some(self.user("id")?), Body::DelGroup { group: self.group()? }),
            Some(msgid::SHOW_FRIENDS) => (Some(self.user("id")?), Body::ShowFriends),
            _ => return Err((Code::UnknownMsgid, Cow::Borrowed(Code::UnknownMsgid.text()))),
        };
        Ok(Request { id, cid: self.cid, body })
    }

    fn field(&self, name: &'static str) -> Checked<Value<'a>> {
        self.fields.get(name).ok_or_else(|| invalid(format!("missing field: {name}")))
    }

    fn number(&self, name: &'static str) -> Checked<u64> {
        match self.field(name)? {
            Value::Number(number) => Ok(number),
            _ => Err(invalid(format!("not an integer in range: {name}"))),
        }
    }

    fn text(&self, name: &'static str) -> Checked<&'a str> {
        match self.field(name)? {
            Value::Text(text) => Ok(text),
            _ => Err(invalid(format!("not a string: {name}"))),
        }
    }

    fn user(&self, name: &'static str) -> Checked<UserId> {
        UserId::new(self.number(name)?).ok_or_else(|| invalid(format!("not an integer in range: {name}")))
    }

    fn group(&self) -> Checked<GroupId> {
        GroupId::new(self.number("groupid")?)
            .ok_or_else(|| invalid("not an integer in range: groupid".into()))
    }

    fn bounded(&self, name: &'static str, least: usize, most: usize) -> Checked<&'a str> {
        let text = self.text(name)?;
        let long = text.len() > most && text.chars().count() > most;
        if long || text.len() < least {
            return Err(invalid(format!("{name} must have {least} to {most} characters")));
        }
        Ok(text)
    }

    fn msg(&self) -> Checked<&'a str> {
        let msg = self.text("msg")?;
        if msg.len() > self.limits.msg_bytes {
            let text = format!("msg is longer than {} bytes", self.limits.msg_bytes);
            return Err((Code::TooLarge, Cow::Owned(text)));
        }
        Ok(msg)
    }

    fn time(&self) -> Checked<Option<&'a str>> {
        if !self.fields.has("time") {
            return Ok(None);
        }
        let time = self.text("time")?;
        if time.len() > self.limits.time_bytes {
            return Err(invalid(format!("time is longer than {} bytes", self.limits.time_bytes)));
        }
        Ok(Some(time))
    }

    fn cid(&self) -> Checked<Option<&'a str>> {
        if !self.fields.has("cid") {
            return Ok(None);
        }
        match self.text("cid")? {
            cid if (1..=self.limits.cid_bytes).contains(&cid.len()) => Ok(Some(cid)),
            _ => Err(invalid(format!("cid must have 1 to {} bytes", self.limits.cid_bytes))),
        }
    }
}

fn invalid(text: String) -> (Code, Cow<'static, str>) {
    (Code::InvalidField, Cow::Owned(text))
}

/// A key as an errmsg may repeat it: short, and without anything that could upset a terminal.
fn printable(key: &str) -> String {
    key.chars().take(32).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
