//! Reads what a server says in the seed's dialect.
//!
//! A list's entry is a string that holds an object; an object is taken too. An entry that makes no
//! sense is left out: the rest of an answer is worth more than its worst line.

use super::{BadFrame, Entrance, Heard, changes_read, devices_read, friends_read, groups_read};
use crate::message::{Conversation, Data, Extras, Mark, Message};
use crate::refusal::Refusal;
use crate::roster::{Group, Member, Person, Role, Spoken, Welcome};
use crate::secret::Secret;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::wire::msgid;
use serde_json::{Map, Value};
use std::borrow::Cow;

pub(super) type Object = Map<String, Value>;

/// Reads one frame.
pub(super) fn read(frame: &[u8]) -> Result<Heard, BadFrame> {
    let (kind, object) = open(frame)?;
    read_object(kind, &object)
}

/// The frame's msgid and fields.
pub(super) fn open(frame: &[u8]) -> Result<(u32, Object), BadFrame> {
    let Ok(Value::Object(object)) = serde_json::from_slice(frame) else { return Err(BadFrame) };
    let kind = number(&object, "msgid").and_then(|kind| u32::try_from(kind).ok()).ok_or(BadFrame)?;
    Ok((kind, object))
}

pub(super) fn read_object(kind: u32, object: &Object) -> Result<Heard, BadFrame> {
    let errno = number(object, "errno").unwrap_or(0);
    match kind {
        // A login is answered without a cid; this is a session that goes on, or does not.
        msgid::LOGIN_ACK if object.contains_key("cid") => Ok(match text(object, "cid") {
            Some(cid) if errno == 0 => {
                Heard::Done { cid, group: None, mark: Mark::default(), chg: None, token: None }
            }
            cid => Heard::Refused { cid, refusal: refusal(object) },
        }),
        msgid::LOGIN_ACK if errno != 0 => Ok(Heard::LoginRefused(refusal(object))),
        msgid::LOGIN_ACK => logged_in(object).ok_or(BadFrame),
        msgid::REGISTER_ACK if errno != 0 => Ok(Heard::NotRegistered(refusal(object))),
        msgid::REGISTER_ACK => user(object, "id").map(Heard::Registered).ok_or(BadFrame),
        // Nobody has this id.
        msgid::ONE_CHAT if number(object, "id") == Some(0) => {
            text(object, "msg").map(Heard::Announced).ok_or(BadFrame)
        }
        msgid::ONE_CHAT | msgid::GROUP_CHAT => message(object).map(Heard::Message).ok_or(BadFrame),
        msgid::SHOW_FRIENDS => {
            Ok(Heard::Friends { friends: list(object, "friends", person), complete: is_complete(object) })
        }
        msgid::ACK if errno == 0 => Ok(Heard::Done {
            cid: text(object, "cid").ok_or(BadFrame)?,
            group: group(object, "groupid"),
            mark: mark(object),
            chg: number(object, "chg"),
            token: text(object, "token").map(Secret::from),
        }),
        // Without an error and about no request.
        msgid::ERROR if number(object, "errno") == Some(0) && !object.contains_key("cid") => {
            text(object, "errmsg").map(Heard::Announced).ok_or(BadFrame)
        }
        msgid::ACK | msgid::ERROR => Ok(refused(object)),
        _ => Ok(Heard::Unknown),
    }
}

/// An ERROR about a login or a registration that was no good has no `cid`; its `re` tells.
pub(super) fn refused(object: &Object) -> Heard {
    let refusal = refusal(object);
    match number(object, "re").and_then(|re| u32::try_from(re).ok()) {
        Some(msgid::LOGIN | msgid::RESUME) => Heard::LoginRefused(refusal),
        Some(msgid::REGISTER) => Heard::NotRegistered(refusal),
        _ => Heard::Refused { cid: text(object, "cid"), refusal },
    }
}

fn refusal(object: &Object) -> Refusal {
    Refusal {
        errno: number(object, "errno").and_then(|errno| u16::try_from(errno).ok()).unwrap_or(u16::MAX),
        text: text(object, "errmsg").unwrap_or_default(),
        retry_after_ms: number(object, "retry_after_ms"),
    }
}

fn logged_in(object: &Object) -> Option<Heard> {
    let mut welcome = Welcome::new(user(object, "id")?, text(object, "name")?);
    welcome.friends = list(object, "friends", person);
    welcome.groups = list(object, "groups", |entry| {
        let mut known = Group::new(group(entry, "id")?, &text(entry, "groupname")?, "");
        known.desc = text(entry, "groupdesc").unwrap_or_default();
        known.members = list(entry, "users", member);
        known.size = number(entry, "members");
        known.join = text(entry, "join").as_deref().and_then(groups_read::joining);
        known.muted = groups_read::until(entry, "muted");
        known.role = entry.contains_key("role").then(|| role(entry));
        Some(known)
    });
    let token = text(object, "token").map(Secret::from);
    welcome.spoken = if token.is_some() { Spoken::V2 } else { Spoken::Seed };
    welcome.heads = object.contains_key("heads").then(|| devices_read::heads(object));
    welcome.asking = list(object, "asking", friends_read::asking);
    let settings = object.get("settings").and_then(Value::as_object);
    welcome.settings = settings.map(friends_read::settings);
    let waiting = list(object, "offlinemsg", |entry| changes_read::row(entry, None));
    Some(Heard::LoggedIn(Box::new(Entrance { welcome, waiting, token, complete: is_complete(object) })))
}

pub(super) fn message(object: &Object) -> Option<Message> {
    let from = user(object, "id")?;
    let own = is(object, "own");
    let conversation = match u32::try_from(number(object, "msgid")?).ok()? {
        msgid::GROUP_CHAT => Conversation::In(group(object, "groupid")?),
        _ if own => Conversation::With(user(object, "toid")?),
        _ => Conversation::With(from),
    };
    let field = |key| text(object, key);
    Some(Message {
        conversation,
        from,
        name: field("name")?,
        text: field("msg")?,
        time: field("time").unwrap_or_default(),
        extras: extras(object),
        mark: mark(object),
        own,
        rev: number(object, "rev").unwrap_or(0),
        reactions: list(object, "reactions", changes_read::reaction),
    })
}

fn extras(object: &Object) -> Extras {
    let data = object.get("data").and_then(Value::as_object);
    Extras { reply: number(object, "reply"), data: data.map(Data::of) }
}

pub(super) fn is(object: &Object, key: &str) -> bool {
    object.get(key) == Some(&Value::Bool(true))
}

/// Of the seed's frames: nothing.
pub(super) fn mark(object: &Object) -> Mark {
    Mark {
        cid: text(object, "cid"),
        mid: text(object, "mid").and_then(|mid| mid.parse().ok()).map(MessageId),
        pos: number(object, "pos"),
        ts: number(object, "ts").map(Millis),
    }
}

/// Frames of the seed's dialect say nothing of it, and are.
fn is_complete(object: &Object) -> bool {
    object.get("complete") != Some(&Value::Bool(false))
}

pub(super) fn member(object: &Object) -> Option<Member> {
    Some(Member { person: person(object)?, role: role(object), muted: groups_read::until(object, "muted") })
}

pub(super) fn person(object: &Object) -> Option<Person> {
    Some(Person { id: user(object, "id")?, name: text(object, "name")?, online: is_online(object) })
}

pub(super) fn is_online(object: &Object) -> bool {
    object.get("state").and_then(Value::as_str) == Some("online")
}

fn role(object: &Object) -> Role {
    named_role(object.get("role").and_then(Value::as_str).unwrap_or_default())
}

/// The seed's owner is called the creator.
pub(super) fn named_role(name: &str) -> Role {
    match name {
        "creator" | "owner" => Role::Owner,
        "admin" => Role::Admin,
        _ => Role::Normal,
    }
}

pub(super) fn list<T>(object: &Object, key: &str, entry: impl Fn(&Object) -> Option<T>) -> Vec<T> {
    let entries = object.get(key).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().filter_map(inner).filter_map(|object| entry(&object)).collect()
}

fn inner(entry: &Value) -> Option<Cow<'_, Object>> {
    match entry {
        Value::Object(object) => Some(Cow::Borrowed(object)),
        Value::String(text) => serde_json::from_str(text).ok().map(Cow::Owned),
        _ => None,
    }
}

pub(super) fn number(object: &Object, key: &str) -> Option<u64> {
    object.get(key)?.as_u64()
}

pub(super) fn text(object: &Object, key: &str) -> Option<String> {
    Some(object.get(key)?.as_str()?.to_owned())
}

pub(super) fn user(object: &Object, key: &str) -> Option<UserId> {
    UserId::new(number(object, key)?)
}

pub(super) fn group(object: &Object, key: &str) -> Option<GroupId> {
    GroupId::new(number(object, key)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Row;

    fn uid(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    #[test]
    fn a_login_answer_is_read_to_its_depths() {
        let frame = br#"{"errno":0,"friends":["{\"id\":2,\"name\":\"bob\",\"state\":\"online\"}","rubbish",7],
            "groups":["{\"groupdesc\":\"d\",\"groupname\":\"dev\",\"id\":1,\"users\":[\"{\\\"id\\\":9,\\\"name\\\":\\\"amy\\\",\\\"role\\\":\\\"creator\\\",\\\"state\\\":\\\"offline\\\"}\"]}"],
            "id":9,"msgid":2,"name":"amy",
            "offlinemsg":["{\"groupid\":1,\"id\":2,\"msg\":\"hi\",\"msgid\":10,\"name\":\"bob\",\"time\":\"t\"}"]}"#;
        let Ok(Heard::LoggedIn(entrance)) = read(frame) else { panic!("not a login") };
        let Entrance { welcome, waiting, token, complete: true } = *entrance else { panic!("not complete") };
        assert_eq!((welcome.spoken, token), (Spoken::Seed, None));
        assert_eq!((welcome.id, welcome.name.as_str()), (uid(9), "amy"));
        assert_eq!(welcome.friends, [Person { id: uid(2), name: "bob".into(), online: true }]);
        let dev = &welcome.groups[0];
        assert_eq!((dev.name.as_str(), dev.desc.as_str()), ("dev", "d"));
        assert_eq!(dev.members[0].role, Role::Owner);
        let said = Message::new(Conversation::In(dev.id), uid(2), "bob", "hi", "t");
        assert_eq!(waiting, [Row::Said(said)]);
    }

    #[test]
    fn refusals_find_what_they_refuse() {
        let refused = |text: &str| Refusal { errno: 102, text: text.into(), retry_after_ms: None };
        assert_eq!(
            read(br#"{"errmsg":"x","errno":102,"msgid":21,"re":1}"#),
            Ok(Heard::LoginRefused(refused("x")))
        );
        assert_eq!(
            read(br#"{"errno":102,"msgid":21,"re":6,"cid":"c"}"#),
            Ok(Heard::Refused { cid: Some("c".into()), refusal: refused("") })
        );
        assert_eq!(read(br#"{"msgid":99}"#), Ok(Heard::Unknown));
    }

    #[test]
    fn what_is_announced_is_no_message_and_no_refusal() {
        let pushed = br#"{"id":0,"msg":"Down at ten","msgid":6,"name":"announcement","time":"t","toid":7}"#;
        for said in [&pushed[..], br#"{"errmsg":"Down at ten","errno":0,"msgid":21}"#] {
            assert_eq!(read(said), Ok(Heard::Announced("Down at ten".into())));
        }
        assert_eq!(read(br#"{"errno":0,"msgid":21}"#), Err(BadFrame));
    }

    #[test]
    fn rubbish_is_garbled_and_never_more() {
        let deep = "[".repeat(100_000);
        let nested = format!("{{\"msgid\":2,\"friends\":{}", "[".repeat(60_000));
        for rubbish in [
            "",
            "{",
            "[]",
            "1",
            "{}",
            "{\"msgid\":\"2\"}",
            "{\"msgid\":2}",
            "{\"msgid\":6,\"id\":0}",
            "{\"msgid\":-1}",
            "{\"msgid\":20,\"errno\":0}",
            "\u{0}",
            "{\"msgid\":5,\"errno\":0,\"id\":99999999999}",
            &deep,
            &nested,
        ] {
            assert_eq!(read(rubbish.as_bytes()), Err(BadFrame), "{}", &rubbish[..rubbish.len().min(60)]);
        }
        assert_eq!(read(b"{\"msgid\":2,\"name\":\"\xff\"}"), Err(BadFrame));
    }
}
