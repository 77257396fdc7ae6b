//! Reads what a server says in the seed's dialect.
//!
//! A list's entry is a string that holds an object; an object is taken too. An entry that makes no
//! sense is left out: the rest of an answer is worth more than its worst line.

use super::{Garbled, Heard};
use crate::chat::ids::{GroupId, UserId};
use crate::chat::wire::msgid;
use crate::client::message::{Conversation, Message};
use crate::client::refusal::Refusal;
use crate::client::roster::{Group, Member, Person, Role, Welcome};
use serde_json::{Map, Value};
use std::borrow::Cow;

type Object = Map<String, Value>;

/// Reads one frame.
pub(super) fn read(frame: &[u8]) -> Result<Heard, Garbled> {
    let Ok(Value::Object(object)) = serde_json::from_slice(frame) else { return Err(Garbled) };
    let object = &object;
    let errno = number(object, "errno").unwrap_or(0);
    let kind = u32::try_from(number(object, "msgid").ok_or(Garbled)?).map_err(|_| Garbled)?;
    match kind {
        msgid::LOGIN_ACK if errno != 0 => Ok(Heard::LoginRefused(refusal(object))),
        msgid::LOGIN_ACK => logged_in(object).ok_or(Garbled),
        msgid::REGISTER_ACK if errno != 0 => Ok(Heard::NotRegistered(refusal(object))),
        msgid::REGISTER_ACK => user(object, "id").map(Heard::Registered).ok_or(Garbled),
        msgid::ONE_CHAT | msgid::GROUP_CHAT => message(object).map(Heard::Message).ok_or(Garbled),
        msgid::SHOW_FRIENDS => Ok(Heard::Friends(list(object, "friends", person))),
        msgid::ACK if errno == 0 => {
            Ok(Heard::Done { cid: text(object, "cid").ok_or(Garbled)?, group: group(object, "groupid") })
        }
        msgid::ACK | msgid::ERROR => Ok(refused(object)),
        _ => Ok(Heard::Unknown),
    }
}

/// An ERROR about a login or a registration that was no good has no `cid`; its `re` tells.
fn refused(object: &Object) -> Heard {
    let refusal = refusal(object);
    match number(object, "re").and_then(|re| u32::try_from(re).ok()) {
        Some(msgid::LOGIN) => Heard::LoginRefused(refusal),
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
        Some(Group {
            id: group(entry, "id")?,
            name: text(entry, "groupname")?,
            desc: text(entry, "groupdesc").unwrap_or_default(),
            members: list(entry, "users", |entry| Some(Member { person: person(entry)?, role: role(entry) })),
        })
    });
    Some(Heard::LoggedIn(welcome, list(object, "offlinemsg", message)))
}

fn message(object: &Object) -> Option<Message> {
    let from = user(object, "id")?;
    let conversation = match u32::try_from(number(object, "msgid")?).ok()? {
        msgid::GROUP_CHAT => Conversation::In(group(object, "groupid")?),
        _ => Conversation::With(from),
    };
    let field = |key| text(object, key);
    Some(Message {
        conversation,
        from,
        name: field("name")?,
        text: field("msg")?,
        time: field("time").unwrap_or_default(),
    })
}

fn person(object: &Object) -> Option<Person> {
    let online = object.get("state").and_then(Value::as_str) == Some("online");
    Some(Person { id: user(object, "id")?, name: text(object, "name")?, online })
}

fn role(object: &Object) -> Role {
    let creator = object.get("role").and_then(Value::as_str) == Some("creator");
    if creator { Role::Creator } else { Role::Normal }
}

fn list<T>(object: &Object, key: &str, entry: impl Fn(&Object) -> Option<T>) -> Vec<T> {
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

fn number(object: &Object, key: &str) -> Option<u64> {
    object.get(key)?.as_u64()
}

fn text(object: &Object, key: &str) -> Option<String> {
    Some(object.get(key)?.as_str()?.to_owned())
}

fn user(object: &Object, key: &str) -> Option<UserId> {
    UserId::new(number(object, key)?)
}

fn group(object: &Object, key: &str) -> Option<GroupId> {
    GroupId::new(number(object, key)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    #[test]
    fn a_login_answer_is_read_to_its_depths() {
        let frame = br#"{"errno":0,"friends":["{\"id\":2,\"name\":\"bob\",\"state\":\"online\"}","rubbish",7],
            "groups":["{\"groupdesc\":\"d\",\"groupname\":\"dev\",\"id\":1,\"users\":[\"{\\\"id\\\":9,\\\"name\\\":\\\"amy\\\",\\\"role\\\":\\\"creator\\\",\\\"state\\\":\\\"offline\\\"}\"]}"],
            "id":9,"msgid":2,"name":"amy",
            "offlinemsg":["{\"groupid\":1,\"id\":2,\"msg\":\"hi\",\"msgid\":10,\"name\":\"bob\",\"time\":\"t\"}"]}"#;
        let Ok(Heard::LoggedIn(welcome, waiting)) = read(frame) else { panic!("not a login") };
        assert_eq!((welcome.id, welcome.name.as_str()), (uid(9), "amy"));
        assert_eq!(welcome.friends, [Person { id: uid(2), name: "bob".into(), online: true }]);
        let dev = &welcome.groups[0];
        assert_eq!((dev.name.as_str(), dev.desc.as_str()), ("dev", "d"));
        assert_eq!(dev.members[0].role, Role::Creator);
        assert_eq!(waiting, [Message::new(Conversation::In(dev.id), uid(2), "bob", "hi", "t")]);
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
            assert_eq!(read(rubbish.as_bytes()), Err(Garbled), "{}", &rubbish[..rubbish.len().min(60)]);
        }
        assert_eq!(read(b"{\"msgid\":2,\"name\":\"\xff\"}"), Err(Garbled));
    }
}
