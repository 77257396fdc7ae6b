//! One frame to one request: which fields each msgid has, and which of them it needs.

use super::fault::{Fault, Severity};
use super::fields::{Checked, Reader, invalid};
use super::{Body, Client, Dialect, Named, Request, Takeover};
use crate::model::change::Alteration;
use crate::model::consent::{FriendAnswer, SettingsChange, WhoWrites};
use crate::model::device::PushToken;
use crate::model::history::{Conversation, Span, SyncFrom};
use crate::model::ids::{ID_MAX, UserId};
use crate::model::limits::Limits;
use crate::wire::code::Code;
use crate::wire::json::Parser;
use crate::wire::msgid;
use std::borrow::Cow;

/// Reads one frame. The frame's bytes are unescaped in place and are garbage afterwards, but for
/// the texts that the request borrows.
///
/// # Errors
/// A [`Fault`] that says what to tell the client and whether to go on.
pub fn parse<'a>(frame: &'a mut [u8], parser: &mut Parser, limits: &Limits) -> Result<Request<'a>, Fault> {
    let bytes = frame.len() as u32;
    let fields = parser.parse(frame, limits.nesting_depth).map_err(|_| Fault::not_a_frame())?;
    let reader = Reader { fields: &fields, limits };
    let (mut re, mut cid) = (None, None);
    let request = request(reader, bytes, &mut re, &mut cid);
    request.map_err(|(code, text)| {
        let severity = Severity::Answer;
        Fault { code, text, re, cid: cid.map(str::to_owned), severity }
    })
}

/// The request, and in any case as much of its names as could be read.
fn request<'a>(
    reader: Reader<'_, 'a>,
    bytes: u32,
    re: &mut Option<u32>,
    cid: &mut Option<&'a str>,
) -> Checked<Request<'a>> {
    *re = u32::try_from(reader.number("msgid")?).ok();
    *cid = reader.cid()?;
    if let Some(twice) = reader.fields.repeated() {
        return Err(invalid(format!("field appears twice: {}", printable(twice))));
    }
    let body = match re {
        Some(msgid) => reader.body(*msgid)?,
        None => return Err(unknown()),
    };
    Ok(Request { id: reader.id(&body)?, cid: *cid, body, bytes })
}

impl<'a> Reader<'_, 'a> {
    fn body(&self, msgid: u32) -> Checked<Body<'a>> {
        Ok(match msgid {
            msgid::LOGIN => self.login()?,
            msgid::LOGOUT => Body::Logout,
            msgid::REGISTER => {
                let (name, password) = (self.text("name")?, self.text("password")?);
                // The original never says it, and what is no text is none.
                let invitation = self.text("token").ok();
                Body::Register { name, password, invitation, client: self.client(self.dialect()?)? }
            }
            msgid::ONE_CHAT => {
                let to = if self.has("to") && !self.has("toid") { "to" } else { "toid" };
                let (to, msg, time) = (self.user(to)?, self.msg()?, self.time()?);
                Body::OneChat { to, msg, time, extras: self.extras() }
            }
            msgid::GROUP_CHAT => {
                let (group, msg, time) = (self.group("groupid")?, self.msg()?, self.time()?);
                Body::GroupChat { group, msg, time, extras: self.extras() }
            }
            msgid::ADD_FRIEND => Body::AddFriend { friend: self.user("friendid")? },
            msgid::DEL_FRIEND => Body::DelFriend { friend: self.user("friendid")? },
            msgid::CREATE_GROUP => {
                // The core looks at it: blanks at its ends do not count.
                let name = self.text("groupname")?;
                let desc = self.bounded("groupdesc", 0, self.limits.desc_chars)?;
                Body::CreateGroup { name, desc }
            }
            msgid::ADD_GROUP => Body::AddGroup { group: self.group("groupid")? },
            msgid::DEL_GROUP => Body::DelGroup { group: self.group("groupid")? },
            msgid::SHOW_FRIENDS => Body::ShowFriends,
            _ => return self.body_of_v2(msgid),
        })
    }

    fn body_of_v2(&self, msgid: u32) -> Checked<Body<'a>> {
        Ok(match msgid {
            msgid::PING => Body::Ping { n: self.number("n")? },
            // Whatever it says, the client is there.
            msgid::PONG => Body::Pong,
            msgid::CONFIRM => Body::Confirm { mids: self.mids()? },
            msgid::RESUME => {
                if self.has("v") && self.dialect()? != Dialect::V2 {
                    return Err(invalid("v must be 2".into()));
                }
                Body::Resume { token: self.text("token")?, client: self.client(Dialect::V2)? }
            }
            msgid::SYNC => self.sync()?,
            msgid::READ => {
                let (conversation, pos) = (self.conversation()?, self.number_from("pos", 0)?);
                let private = self.optional("private", Self::flag)? == Some(true);
                Body::Read { conversation, pos, private }
            }
            msgid::TYPING => Body::Typing { conversation: self.conversation()?, on: self.flag("on")? },
            msgid::EDIT => self.alter(Alteration::Edit { msg: self.msg()?.into() })?,
            msgid::RECALL => self.alter(Alteration::Recall)?,
            msgid::REACT => {
                self.alter(Alteration::React { emoji: self.emoji()?.into(), on: self.flag("on")? })?
            }
            msgid::ROLE | msgid::KICK | msgid::MUTE | msgid::GROUP_SET | msgid::JOIN_ANSWER => {
                Body::RuleGroup { group: self.group("groupid")?, rule: self.rule(msgid)? }
            }
            msgid::JOINS => Body::JoinRequests { group: self.group("groupid")? },
            msgid::DEVICES => Body::Devices,
            msgid::DROP_DEVICE => Body::DropDevice { token: self.token_id("deviceid")? },
            msgid::PUSH_TOKEN => Body::PushToken { push: self.push_token()? },
            msgid::FRIEND_ASK => {
                let most = self.limits.note_chars;
                let note = self.optional("note", |reader, name| reader.bounded(name, 0, most))?;
                Body::FriendAsk { friend: self.user("userid")?, note: note.unwrap_or_default() }
            }
            msgid::FRIEND_ANSWER => {
                let answer = if self.flag("yes")? { FriendAnswer::Yes } else { FriendAnswer::No };
                Body::FriendAnswer { friend: self.user("userid")?, answer }
            }
            msgid::SETTINGS => Body::Settings { change: self.settings()? },
            msgid::HISTORY => self.history()?,
            msgid::SEARCH => self.search()?,
            msgid::FIND => Body::Find { who: self.named()? },
            msgid::PASSWORD => Body::Password { old: self.text("old")?, new: self.text("new")? },
            msgid::BLOCK => Body::Block { user: self.user("userid")? },
            msgid::UNBLOCK => Body::Unblock { user: self.user("userid")? },
            msgid::MEMBERS => {
                let group = self.group("groupid")?;
                let after = self.optional("after", |reader, name| reader.number_from(name, 0))?;
                // Beyond the largest id there is nobody.
                let after = after.and_then(|after| UserId::new(after.min(ID_MAX)));
                Body::Members { group, after, members: self.limit()? }
            }
            _ => return Err(unknown()),
        })
    }

    /// The `id` field, where it tells who asks: required in what v1 has, checked where
    /// it is there in what only v2 has.
    fn id(&self, body: &Body<'a>) -> Checked<Option<UserId>> {
        match body {
            Body::Login { who: Named::Id(user), .. } => Ok(Some(*user)),
            Body::Login { .. } | Body::JwtLogin { .. } => Ok(None),
            Body::Register { .. } | Body::Resume { .. } => Ok(None),
            Body::Ping { .. } | Body::Pong | Body::Find { .. } => Ok(None),
            Body::Confirm { .. } | Body::History { .. } | Body::Password { .. } => {
                self.optional("id", Self::user)
            }
            Body::Block { .. } | Body::Unblock { .. } | Body::Members { .. } => {
                self.optional("id", Self::user)
            }
            Body::Sync { .. } | Body::Heads { .. } | Body::Read { .. } | Body::Typing { .. } => {
                self.optional("id", Self::user)
            }
            Body::Devices | Body::DropDevice { .. } | Body::Alter { .. } => self.optional("id", Self::user),
            Body::PushToken { .. } => self.optional("id", Self::user),
            Body::Search { .. } => self.optional("id", Self::user),
            Body::FriendAsk { .. } | Body::FriendAnswer { .. } | Body::Settings { .. } => {
                self.optional("id", Self::user)
            }
            Body::RuleGroup { .. } | Body::JoinRequests { .. } => self.optional("id", Self::user),
            Body::Logout
            | Body::OneChat { .. }
            | Body::GroupChat { .. }
            | Body::AddFriend { .. }
            | Body::DelFriend { .. }
            | Body::CreateGroup { .. }
            | Body::AddGroup { .. }
            | Body::DelGroup { .. }
            | Body::ShowFriends => self.user("id").map(Some),
        }
    }

    /// `name`, `takeover` and what a client says of itself mean something in v2 only; to the seed they are unknown fields.
    fn login(&self) -> Checked<Body<'a>> {
        let dialect = self.dialect()?;
        if dialect == Dialect::V2 && self.has("jwt") {
            return self.jwt_login();
        }
        let (who, takeover) = match dialect {
            Dialect::V1 => (Named::Id(self.user("id")?), None),
            Dialect::V2 => (self.named()?, self.optional("takeover", Self::flag)?),
        };
        let takeover = if takeover == Some(true) { Takeover::Replace } else { Takeover::Refuse };
        Ok(Body::Login { who, password: self.text("password")?, client: self.client(dialect)?, takeover })
    }

    fn jwt_login(&self) -> Checked<Body<'a>> {
        if let Some(beside) = ["id", "name", "password"].into_iter().find(|name| self.has(name)) {
            return Err(invalid(format!("{beside}: jwt says who it is")));
        }
        let takeover = match self.optional("takeover", Self::flag)? {
            Some(true) => Takeover::Replace,
            Some(false) | None => Takeover::Refuse,
        };
        let jwt = self.text("jwt")?;
        if !(1..=self.limits.jwt_bytes).contains(&jwt.len()) {
            return Err(invalid(format!("jwt must have 1 to {} bytes", self.limits.jwt_bytes)));
        }
        Ok(Body::JwtLogin { jwt, client: self.client(Dialect::V2)?, takeover })
    }

    fn dialect(&self) -> Checked<Dialect> {
        match self.optional("v", Self::number)? {
            None | Some(1) => Ok(Dialect::V1),
            Some(2) => Ok(Dialect::V2),
            Some(_) => Err(invalid("v must be 1 or 2".into())),
        }
    }

    fn client(&self, dialect: Dialect) -> Checked<Client<'a>> {
        if dialect == Dialect::V1 {
            return Ok(Client::default());
        }
        let most = self.limits.device_chars;
        Ok(Client {
            dialect,
            capabilities: self.optional("caps", Self::capabilities)?.unwrap_or_default(),
            device: self.optional("device", |reader, name| reader.bounded(name, 1, most))?,
            multi: self.optional("multi", Self::flag)? == Some(true),
        })
    }

    fn named(&self) -> Checked<Named<'a>> {
        match self.one_of("id", "name")? {
            "name" => self.text("name").map(Named::Name),
            id => self.user(id).map(Named::Id),
        }
    }

    fn history(&self) -> Checked<Body<'a>> {
        let conversation = self.conversation()?;
        let span = if !self.has("before") && !self.has("after") {
            Span::Newest
        } else if self.one_of("before", "after")? == "before" {
            Span::Before(self.number_from("before", 1)?)
        } else {
            Span::After(self.number_from("after", 0)?)
        };
        Ok(Body::History { conversation, span, messages: self.limit()? })
    }

    fn search(&self) -> Checked<Body<'a>> {
        let q = self.bounded("q", 1, self.limits.search_chars)?;
        let everywhere = !self.has("with") && !self.has("groupid");
        let conversation = if everywhere { None } else { Some(self.conversation()?) };
        let before = self.optional("before_mid", Self::mid)?;
        Ok(Body::Search { q, conversation, before, messages: self.limit()? })
    }

    fn conversation(&self) -> Checked<Conversation> {
        Ok(match self.one_of("with", "groupid")? {
            "with" => Conversation::With(self.user("with")?),
            groupid => Conversation::Group(self.group(groupid)?),
        })
    }

    fn sync(&self) -> Checked<Body<'a>> {
        if !self.has("since") {
            let before = self.optional("before_mid", Self::mid)?;
            return Ok(Body::Heads { before, heads: self.limit()? });
        }
        if self.has("before_mid") {
            return Err(invalid("since or before_mid, not both".into()));
        }
        let most = self.limits.sync_conversations;
        let since = self.records("since", most, |record| record.sync_from())?;
        Ok(Body::Sync { since, messages: self.limit()? })
    }

    /// One entry of `since`.
    fn sync_from(&self) -> Checked<SyncFrom> {
        let (conversation, after) = (self.conversation()?, self.number_from("after", 0)?);
        let chg = self.optional("chg", |reader, name| reader.number_from(name, 0))?;
        Ok(SyncFrom { conversation, after, chg })
    }

    /// What is to be done to the message that the frame names.
    fn alter(&self, alteration: Alteration) -> Checked<Body<'a>> {
        let (conversation, pos) = (self.conversation()?, self.number_from("pos", 1)?);
        Ok(Body::Alter { conversation, pos, alteration })
    }

    /// By what a device is reached; no token says that it is not any more, whatever its kind.
    fn push_token(&self) -> Checked<Option<PushToken>> {
        let (token, most) = (self.text("token")?, self.limits.push_token_bytes);
        if token.is_empty() {
            return Ok(None);
        }
        if token.len() > most {
            return Err(invalid(format!("token must have 0 to {most} bytes")));
        }
        let kind = self.bounded("kind", 1, self.limits.push_kind_chars)?;
        Ok(Some(PushToken { token: token.into(), kind: kind.into() }))
    }

    fn settings(&self) -> Checked<SettingsChange> {
        let who_writes = self.optional("who_writes", |reader, name| {
            let who = WhoWrites::named(reader.text(name)?);
            who.ok_or_else(|| invalid("who_writes must be all, friends or none".into()))
        })?;
        Ok(SettingsChange { who_writes, read_receipts: self.optional("read_receipts", Self::flag)? })
    }

    fn limit(&self) -> Checked<Option<u64>> {
        self.optional("limit", |reader, name| reader.number_from(name, 1))
    }

    /// Which of two fields the frame has: it needs one and may not have both.
    fn one_of(&self, one: &'static str, other: &'static str) -> Checked<&'static str> {
        match (self.has(one), self.has(other)) {
            (true, false) => Ok(one),
            (false, true) => Ok(other),
            (true, true) => Err(invalid(format!("{one} or {other}, not both"))),
            (false, false) => Err(invalid(format!("missing field: {one} or {other}"))),
        }
    }
}

fn unknown() -> (Code, Cow<'static, str>) {
    (Code::UnknownMsgid, Cow::Borrowed(Code::UnknownMsgid.text()))
}

/// A key as an errmsg may repeat it: short, and without anything that could upset a terminal.
fn printable(key: &str) -> String {
    key.chars().take(32).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
