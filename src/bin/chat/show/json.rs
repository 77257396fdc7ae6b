//! One object a line, for programs. docs/client.md lists the kinds.
//!
//! Texts are whole and unchanged: what a terminal must not see is written as `\u` escapes, which
//! are the same text to whoever reads JSON.

use super::objects::{self, joining, of_row, reactions, role, until};
use super::{Deed, Shown};
use crate::visible::is_hidden;
use chatd_client::{Conversation, Failure, Group, KnownDevice, Mark, Member, Message, Person, Refusal, Role};
use serde_json::{Value, json};

/// The line, with its newline; nothing, where there is nothing for a program.
pub fn line(shown: &Shown) -> Option<String> {
    let mut line = ascii_where_hidden(&object(shown)?.to_string());
    line.push('\n');
    Some(line)
}

fn object(shown: &Shown) -> Option<Value> {
    Some(match shown {
        Shown::Menu | Shown::Help | Shown::Greeting | Shown::Elsewhere | Shown::Places(_) => return None,
        Shown::Presence(id, name, online) => {
            json!({"kind": "presence", "id": id.get(), "name": name, "online": online})
        }
        Shown::Devices(_) | Shown::Read { .. } | Shown::Typing { .. } => return of_devices(shown),
        Shown::Found(who) => {
            json!({"kind": "found", "id": who.id.get(), "name": who.name, "online": who.online})
        }
        Shown::History { of, label, rows, complete, .. } => json!({
            "kind": "history", "id": id(*of), "group": is_group(*of), "name": label, "complete": complete,
            "messages": rows.iter().map(of_row).collect::<Vec<_>>(),
        }),
        Shown::Connected(address) => json!({"kind": "connected", "server": address.to_string()}),
        Shown::Lost { reason, retrying, unsafe_yet } => json!({
            "kind": "lost", "reason": reason.to_string(), "retrying": retrying, "unsafe": unsafe_yet,
        }),
        Shown::Unreachable(address, reason) => {
            json!({"kind": "unreachable", "server": address.to_string(), "reason": reason})
        }
        Shown::Delayed(refusal) => refused("login_delayed", refusal),
        Shown::SignedOut(refusal) => refused("signed_out", refusal),
        Shown::Announcement(text) => json!({"kind": "announcement", "text": text}),
        Shown::Notice(refusal) => refused("notice", refusal),
        Shown::BadFrame => json!({"kind": "garbled"}),
        Shown::TimedOut(seconds) => json!({"kind": "timed_out", "seconds": seconds}),
        Shown::Unsaid(count) => json!({"kind": "unsaid", "count": count}),
        Shown::Welcome { id, name, friends, online, groups } => json!({
            "kind": "welcome", "id": id.get(), "name": name,
            "friends": friends, "online": online, "groups": groups,
        }),
        Shown::Back => json!({"kind": "back"}),
        Shown::Registered(id, name) => json!({"kind": "registered", "id": id.get(), "name": name}),
        Shown::LoggedOut => json!({"kind": "logged_out"}),
        Shown::Said(message, label, _) => said(message, label),
        Shown::Friends(friends) => {
            json!({"kind": "friends", "friends": friends.iter().map(person).collect::<Vec<_>>()})
        }
        Shown::Groups(groups) => {
            json!({"kind": "groups", "groups": groups.iter().map(group).collect::<Vec<_>>()})
        }
        Shown::Members(label, members, _) => {
            json!({"kind": "members", "group": label, "members": members.iter().map(member).collect::<Vec<_>>()})
        }
        Shown::Done(deed) => done(deed),
        Shown::Failed(what, why) => failed(what, why),
        Shown::Opened(conversation, label) => {
            json!({"kind": "opened", "name": label, "id": id(*conversation), "group": is_group(*conversation)})
        }
        Shown::Closed => json!({"kind": "closed"}),
        Shown::Unread(unread) => {
            let counts = unread.iter().map(|(label, count)| json!({"name": label, "count": count}));
            json!({"kind": "unread", "conversations": counts.collect::<Vec<_>>()})
        }
        Shown::Bad(why) => json!({"kind": "bad_command", "text": why}),
        other => return objects::object(other),
    })
}

fn of_devices(shown: &Shown) -> Option<Value> {
    Some(match shown {
        Shown::Devices(devices) => {
            json!({"kind": "devices", "devices": devices.iter().map(device).collect::<Vec<_>>()})
        }
        Shown::Read { of, label, by, pos, .. } => json!({
            "kind": "read", "id": id(*of), "group": is_group(*of), "name": label, "by": by.get(), "pos": pos,
        }),
        Shown::Typing { to, label, by, on, .. } => json!({
            "kind": "typing", "id": id(*to), "group": is_group(*to), "name": label, "by": by.get(), "on": on,
        }),
        _ => return None,
    })
}

fn said(message: &Message, label: &str) -> Value {
    let mut object = row(message);
    object["kind"] = "message".into();
    if let Conversation::In(group) = message.conversation {
        object["groupid"] = group.get().into();
        object["group"] = label.into();
    }
    if message.own {
        object["own"] = true.into();
        if let Conversation::With(to) = message.conversation {
            object["toid"] = to.get().into();
        }
    }
    object
}

pub(super) fn row(message: &Message) -> Value {
    let mut object = json!({
        "from": message.from.get(), "name": message.name, "text": message.text, "time": message.time,
    });
    mark(&mut object, &message.mark);
    if let Some(pos) = message.extras.reply {
        object["reply"] = pos.into();
    }
    if let Some(data) = &message.extras.data {
        object["data"] = serde_json::from_str(&data.to_string()).unwrap_or_default();
    }
    if message.rev > 0 {
        object["rev"] = message.rev.into();
    }
    if !message.reactions.is_empty() {
        object["reactions"] = reactions(&message.reactions).into();
    }
    object
}

/// What the server knows of a message, where it knows something. A `mid` is a string, because many
/// programs read numbers as 64-bit floats.
pub(super) fn mark(object: &mut Value, mark: &Mark) {
    if let Some(cid) = &mark.cid {
        object["cid"] = cid.as_str().into();
    }
    if let Some(mid) = mark.mid {
        object["mid"] = mid.0.to_string().into();
    }
    if let Some(pos) = mark.pos {
        object["pos"] = pos.into();
    }
    if let Some(ts) = mark.ts {
        object["ts"] = ts.0.into();
    }
}

fn done(deed: &Deed) -> Value {
    let (what, id, name) = match deed {
        Deed::Sent { to, label, safe, .. } => {
            let mut object = json!({
                "kind": "done", "what": "sent", "id": id(*to), "group": is_group(*to), "name": label,
                "safe": safe.is_some(),
            });
            mark(&mut object, safe.as_ref().unwrap_or(&Mark::default()));
            return object;
        }
        Deed::DeviceDropped(name) => {
            return json!({"kind": "done", "what": "device_dropped", "name": name});
        }
        Deed::Read { of, label, pos } => {
            return json!({
                "kind": "done", "what": "read", "id": id(*of), "group": is_group(*of), "name": label, "pos": pos,
            });
        }
        Deed::Edited { .. } | Deed::Recalled { .. } | Deed::Reacted { .. } => {
            return objects::done(deed).unwrap_or_default();
        }
        Deed::Asked(id, name) => ("friend_asked", id.get(), name),
        Deed::Refused(id, name) => ("friend_refused", id.get(), name),
        Deed::PasswordChanged => return json!({"kind": "done", "what": "password_changed"}),
        Deed::Blocked(id, name) => ("blocked", id.get(), name),
        Deed::Unblocked(id, name) => ("unblocked", id.get(), name),
        Deed::Befriended(id, name) => ("friend_added", id.get(), name),
        Deed::Unfriended(id, name) => ("friend_removed", id.get(), name),
        Deed::Made(id, name) => ("group_made", id.get(), name),
        Deed::Joined(id, name) => ("group_joined", id.get(), name),
        Deed::Left(id, name) => ("group_left", id.get(), name),
    };
    json!({"kind": "done", "what": what, "id": id, "name": name})
}

fn failed(what: &str, why: &Failure) -> Value {
    let errno = match why {
        Failure::Refused(refusal) => Some(refusal.errno),
        _ => None,
    };
    json!({"kind": "failed", "what": what, "errno": errno, "text": why.to_string()})
}

fn refused(kind: &str, refusal: &Refusal) -> Value {
    json!({"kind": kind, "errno": refusal.errno, "text": refusal.text})
}

pub(super) fn person(person: &Person) -> Value {
    json!({"id": person.id.get(), "name": person.name, "online": person.online})
}

/// An id is a string, as a `mid` is.
fn device(device: &KnownDevice) -> Value {
    json!({
        "id": device.id.0.to_string(), "device": device.name, "created": device.created.0,
        "used": device.used.0, "online": device.online, "this": device.this,
    })
}

fn member(member: &Member) -> Value {
    let mut object = person(&member.person);
    object["creator"] = (member.role == Role::Owner).into();
    object["role"] = role(member.role).into();
    object["muted"] = until(member.muted);
    object
}

fn group(group: &Group) -> Value {
    let members: Vec<Value> = group.members.iter().map(member).collect();
    let mut object =
        json!({"id": group.id.get(), "name": group.name, "desc": group.desc, "members": members});
    if let Some(size) = group.size {
        object["size"] = size.into();
    }
    if let Some(join) = group.join {
        object["join"] = joining(join).into();
    }
    if let Some(own) = group.role {
        object["role"] = role(own).into();
    }
    object["muted"] = until(group.muted);
    object
}

/// What it is, and of which conversation.
pub(super) fn conversation(object: &mut Value, kind: &str, of: Conversation, label: &str) {
    object["kind"] = kind.into();
    (object["id"], object["group"], object["name"]) = (id(of).into(), is_group(of).into(), label.into());
}

fn id(conversation: Conversation) -> u32 {
    match conversation {
        Conversation::With(user) => user.get(),
        Conversation::In(group) => group.get(),
    }
}

fn is_group(conversation: Conversation) -> bool {
    matches!(conversation, Conversation::In(_))
}

/// The same JSON, with what a terminal must not see written as `\u` escapes. Such characters stand
/// in strings only, because JSON has them nowhere else.
fn ascii_where_hidden(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatd_chat::model::ids::UserId;

    #[test]
    fn texts_come_through_whole_and_touch_no_terminal() {
        let hostile = "\x1b[2J\u{9b}31m\u{202e}\u{e0041}\n\"\\ 你好 🙂";
        let from = UserId::new(2).unwrap();
        let message = Message::new(Conversation::With(from), from, "bob", hostile, "t");
        let line = line(&Shown::Said(message, String::new(), None)).unwrap();
        assert!(line.ends_with('\n') && !line.trim_end().chars().any(is_hidden), "{line:?}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["text"], hostile);
        assert_eq!((read["kind"].as_str(), read["from"].as_u64()), (Some("message"), Some(2)));
    }
}
