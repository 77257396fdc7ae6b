//! What may be heard: replies to bytes, without their terminator, keys sorted.
//!
//! The lists of a login answer are next door, in [`super::lists`]; what v2 has of its own is in
//! [`super::welcome`] and [`super::found`].

use super::code::{BAD_JWT, BAD_LOGIN, BAD_TOKEN, Code, TOO_MANY_REGISTRATIONS};
use super::consent;
use super::msgid;
use super::text::{number, string};
use crate::model::consent::Settings;
use crate::model::history::Conversation;
use crate::model::ids::{GroupId, MessageId, Millis, UserId};
use crate::model::token::Secret;

/// The ONE_CHAT frame as its recipient gets it.
pub fn one_chat(out: &mut Vec<u8>, sender: UserId, name: &str, to: UserId, msg: &str, time: &str) {
    out.extend_from_slice(b"{\"id\":");
    number(out, sender.get().into());
    out.extend_from_slice(b",\"msg\":");
    string(out, msg);
    out.extend_from_slice(b",\"msgid\":6,\"name\":");
    string(out, name);
    out.extend_from_slice(b",\"time\":");
    string(out, time);
    out.extend_from_slice(b",\"toid\":");
    number(out, to.get().into());
    out.push(b'}');
}

/// The GROUP_CHAT frame as members get it.
pub fn group_chat(out: &mut Vec<u8>, sender: UserId, name: &str, group: GroupId, msg: &str, time: &str) {
    out.extend_from_slice(b"{\"groupid\":");
    number(out, group.get().into());
    out.extend_from_slice(b",\"id\":");
    number(out, sender.get().into());
    out.extend_from_slice(b",\"msg\":");
    string(out, msg);
    out.extend_from_slice(b",\"msgid\":10,\"name\":");
    string(out, name);
    out.extend_from_slice(b",\"time\":");
    string(out, time);
    out.push(b'}');
}

/// REG_MSG_ACK of a new user.
pub fn registered(user: UserId) -> Vec<u8> {
    let mut out = b"{\"errno\":0,\"id\":".to_vec();
    number(&mut out, user.get().into());
    out.extend_from_slice(b",\"msgid\":5}");
    out
}

/// LOGIN_MSG_ACK of a session that goes on with another application's new word: until when, by the wall clock.
pub fn renewed(user: UserId, name: &str, expires: Millis, cid: Option<&str>) -> Vec<u8> {
    let mut out = begin(cid, None);
    out.extend_from_slice(b",\"expires\":");
    number(&mut out, expires.0);
    out.extend_from_slice(b",\"id\":");
    number(&mut out, user.get().into());
    out.extend_from_slice(b",\"msgid\":2,\"name\":");
    string(&mut out, name);
    out.push(b'}');
    out
}

/// REG_MSG_ACK of a refused one. The seed's own refusal, a name that is taken, has no text.
pub fn not_registered(code: Code, text: Option<&str>) -> Vec<u8> {
    refused(msgid::REGISTER_ACK, None, code, text)
}

/// LOGIN_MSG_ACK of a refused login. V1 has no cid in it.
pub fn not_logged_in(code: Code, cid: Option<&str>) -> Vec<u8> {
    let text = if code == Code::Refused { BAD_LOGIN } else { code.text() };
    refused(msgid::LOGIN_ACK, cid, code, Some(text))
}

/// LOGIN_MSG_ACK of a login that asks for what this server does not do.
pub fn not_logged_in_for(code: Code, text: &str, cid: Option<&str>) -> Vec<u8> {
    refused(msgid::LOGIN_ACK, cid, code, Some(text))
}

/// LOGIN_MSG_ACK of a login whose jwt is not believed.
pub fn not_admitted(code: Code, cid: Option<&str>) -> Vec<u8> {
    let text = if code == Code::Refused { BAD_JWT } else { code.text() };
    refused(msgid::LOGIN_ACK, cid, code, Some(text))
}

/// LOGIN_MSG_ACK of a refused RESUME.
pub fn not_resumed(code: Code, cid: Option<&str>) -> Vec<u8> {
    let text = if code == Code::Refused { BAD_TOKEN } else { code.text() };
    refused(msgid::LOGIN_ACK, cid, code, Some(text))
}

/// LOGIN_MSG_ACK of a login where there are too many: nobody has looked at its password. The
/// original client shows the text, like that of every refused login.
pub fn not_logged_in_yet(retry_after_ms: u64, text: &str, cid: Option<&str>) -> Vec<u8> {
    with_pause(refused(msgid::LOGIN_ACK, cid, Code::TooFast, Some(text)), retry_after_ms)
}

/// REG_MSG_ACK of a registration where there are too many.
pub fn not_registered_yet(retry_after_ms: u64) -> Vec<u8> {
    let out = refused(msgid::REGISTER_ACK, None, Code::TooFast, Some(TOO_MANY_REGISTRATIONS));
    with_pause(out, retry_after_ms)
}

/// A refusal, and when it makes sense to try again.
fn with_pause(mut out: Vec<u8>, retry_after_ms: u64) -> Vec<u8> {
    out.pop();
    out.extend_from_slice(b",\"retry_after_ms\":");
    number(&mut out, retry_after_ms);
    out.push(b'}');
    out
}

/// A refusal in the frame that would have been the answer.
pub(super) fn refused(msgid: u32, cid: Option<&str>, code: Code, text: Option<&str>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    if let Some(cid) = cid {
        out.extend_from_slice(b"\"cid\":");
        string(&mut out, cid);
        out.push(b',');
    }
    if let Some(text) = text {
        out.extend_from_slice(b"\"errmsg\":");
        string(&mut out, text);
        out.push(b',');
    }
    out.extend_from_slice(b"\"errno\":");
    number(&mut out, code.errno().into());
    out.extend_from_slice(b",\"msgid\":");
    number(&mut out, msgid.into());
    out.push(b'}');
    out
}

/// What an ACK tells besides that it was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome<'a> {
    /// The group that was made, joined or left.
    pub group: Option<GroupId>,
    /// The message's id.
    pub mid: Option<MessageId>,
    /// The message's place in its conversation.
    pub pos: Option<u64>,
    /// What the user has chosen.
    pub settings: Option<Settings>,
    /// The number of the change.
    pub chg: Option<u64>,
    /// When the message was accepted.
    pub ts: Option<Millis>,
    /// The only token that is good from now on.
    pub token: Option<&'a Secret>,
    /// Who asks to join a group: objects.
    pub users: Option<&'a [u8]>,
}

/// ACK with errno 0 for the request `re` that was named `cid`.
pub fn ack(cid: &str, re: u32, outcome: Outcome<'_>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    if let Some(chg) = outcome.chg {
        out.extend_from_slice(b"\"chg\":");
        number(&mut out, chg);
        out.push(b',');
    }
    out.extend_from_slice(b"\"cid\":");
    string(&mut out, cid);
    out.extend_from_slice(b",\"errno\":0");
    if let Some(group) = outcome.group {
        out.extend_from_slice(b",\"groupid\":");
        number(&mut out, group.get().into());
    }
    if let Some(mid) = outcome.mid {
        out.extend_from_slice(b",\"mid\":\"");
        number(&mut out, mid.0);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"msgid\":20");
    if let Some(pos) = outcome.pos {
        out.extend_from_slice(b",\"pos\":");
        number(&mut out, pos);
    }
    out.extend_from_slice(b",\"re\":");
    number(&mut out, re.into());
    if let Some(settings) = outcome.settings {
        out.push(b',');
        consent::read_receipts(&mut out, settings);
    }
    if let Some(Secret(token)) = outcome.token {
        out.extend_from_slice(b",\"token\":");
        string(&mut out, token);
    }
    if let Some(ts) = outcome.ts {
        out.extend_from_slice(b",\"ts\":");
        number(&mut out, ts.0);
    }
    if let Some(settings) = outcome.settings {
        out.push(b',');
        consent::who_writes(&mut out, settings);
    }
    if let Some(users) = outcome.users {
        super::pages::list(&mut out, "users", users);
    }
    out.push(b'}');
    out
}

/// TYPING: `user` types in a conversation, or does so no more. It counts for `expires_ms`. `conversation` is as the
/// receiver sees it.
pub fn typing(conversation: Conversation, user: UserId, on: bool, expires_ms: u64) -> Vec<u8> {
    let mut out = b"{\"expires_ms\":".to_vec();
    number(&mut out, if on { expires_ms } else { 0 });
    if let Conversation::Group(group) = conversation {
        out.extend_from_slice(b",\"groupid\":");
        number(&mut out, group.get().into());
    }
    out.extend_from_slice(b",\"id\":");
    number(&mut out, user.get().into());
    out.extend_from_slice(b",\"msgid\":39,\"on\":");
    out.extend_from_slice(if on { b"true" } else { b"false" });
    if let Conversation::With(user) = conversation {
        out.extend_from_slice(b",\"with\":");
        number(&mut out, user.get().into());
    }
    out.push(b'}');
    out
}

/// How an answer of v2 begins: with its cid, if the request had one.
pub(super) fn begin_named(cid: Option<&str>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    if let Some(cid) = cid {
        out.extend_from_slice(b"\"cid\":");
        string(&mut out, cid);
        out.push(b',');
    }
    out
}

/// How an answer of v2 begins that is no failure: cid, whether it is complete, errno.
pub(super) fn begin(cid: Option<&str>, complete: Option<bool>) -> Vec<u8> {
    let mut out = begin_named(cid);
    match complete {
        Some(true) => out.extend_from_slice(b"\"complete\":true,"),
        Some(false) => out.extend_from_slice(b"\"complete\":false,"),
        None => {}
    }
    out.extend_from_slice(b"\"errno\":0");
    out
}

/// The same, of what has been changed so often.
pub(super) fn begin_at(chg: Option<u64>, cid: Option<&str>, complete: bool) -> Vec<u8> {
    let mut out = begin(cid, Some(complete));
    if let Some(chg) = chg {
        let mut counted = b"{\"chg\":".to_vec();
        number(&mut counted, chg);
        counted.push(b',');
        out.splice(..1, counted);
    }
    out
}

/// PING of ours.
pub fn ping(n: u64) -> Vec<u8> {
    beat(msgid::PING, n)
}

/// PONG: what a client's ping hears.
pub fn pong(n: u64) -> Vec<u8> {
    beat(msgid::PONG, n)
}

fn beat(msgid: u32, n: u64) -> Vec<u8> {
    let mut out = b"{\"msgid\":".to_vec();
    number(&mut out, msgid.into());
    out.extend_from_slice(b",\"n\":");
    number(&mut out, n);
    out.push(b'}');
    out
}

/// PRESENCE: a friend has come or gone.
pub fn presence(user: UserId, online: bool) -> Vec<u8> {
    let mut out = b"{\"id\":".to_vec();
    number(&mut out, user.get().into());
    out.extend_from_slice(b",\"msgid\":28,\"state\":");
    string(&mut out, state(online));
    out.push(b'}');
    out
}

/// What `state` says of a user.
pub(super) fn state(online: bool) -> &'static str {
    if online { "online" } else { "offline" }
}

/// What an ERROR is about.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// errno.
    pub code: Code,
    /// errmsg.
    pub text: &'a str,
    /// The msgid refused, where it is known.
    pub re: Option<u32>,
    /// The request's cid, if it had one.
    pub cid: Option<&'a str>,
    /// When to try again.
    pub retry_after_ms: Option<u64>,
}

/// ERROR.
pub fn error(refusal: Refusal<'_>) -> Vec<u8> {
    let mut out = b"{".to_vec();
    if let Some(cid) = refusal.cid {
        out.extend_from_slice(b"\"cid\":");
        string(&mut out, cid);
        out.push(b',');
    }
    out.extend_from_slice(b"\"errmsg\":");
    string(&mut out, refusal.text);
    out.extend_from_slice(b",\"errno\":");
    number(&mut out, refusal.code.errno().into());
    out.extend_from_slice(b",\"msgid\":21");
    if let Some(re) = refusal.re {
        out.extend_from_slice(b",\"re\":");
        number(&mut out, re.into());
    }
    if let Some(ms) = refusal.retry_after_ms {
        out.extend_from_slice(b",\"retry_after_ms\":");
        number(&mut out, ms);
    }
    out.push(b'}');
    out
}
