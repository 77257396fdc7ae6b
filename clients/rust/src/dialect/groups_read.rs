//! Reads what happens to groups.

use super::seed_read::{Object, group, list, mark, named_role, number, person, text, user};
use super::v2_read::cid;
use super::{BadFrame, Heard};
use crate::group::{GroupChange, GroupEvent, Joining, Somebody, Until};
use crate::message::Conversation;
use chatd_chat::model::ids::Millis;
use chatd_chat::wire::msgid;

/// Reads a frame of such a kind; nothing, if it is none.
pub(super) fn read(kind: u32, object: &Object) -> Option<Result<Heard, BadFrame>> {
    let heard = match kind {
        msgid::GROUP_EVENT => event(object, None).map(Heard::Group),
        msgid::ACK if number(object, "re") == Some(msgid::JOINS.into()) => {
            cid(object).ok().map(|cid| Heard::Joins { cid, users: list(object, "users", person) })
        }
        _ => return None,
    };
    Some(heard.ok_or(BadFrame))
}

/// An event, in a push or as a row of a page of this conversation.
pub(super) fn event(object: &Object, of: Option<Conversation>) -> Option<GroupEvent> {
    let of = of.and_then(|of| match of {
        Conversation::In(group) => Some(group),
        Conversation::With(_) => None,
    });
    Some(GroupEvent {
        group: group(object, "groupid").or(of)?,
        mark: mark(object),
        by: somebody(object, "by", "name")?,
        whom: somebody(object, "userid", "username"),
        what: what(object)?,
    })
}

fn somebody(object: &Object, id: &str, name: &str) -> Option<Somebody> {
    Some(Somebody { id: user(object, id)?, name: text(object, name).unwrap_or_default() })
}

fn what(object: &Object) -> Option<GroupChange> {
    Some(match text(object, "what")?.as_str() {
        "joined" => GroupChange::Joined,
        "left" => GroupChange::Left,
        "kicked" => GroupChange::Kicked(until(object, "until")),
        "banned" => GroupChange::Banned(until(object, "until")),
        "muted" => GroupChange::Muted(until(object, "until")),
        "role" => GroupChange::Role(named_role(&text(object, "role")?)),
        "set" => GroupChange::Set {
            name: text(object, "groupname"),
            desc: text(object, "groupdesc"),
            join: text(object, "join").as_deref().and_then(joining),
        },
        "asks" => GroupChange::Asks,
        "refused" => GroupChange::Refused,
        other => GroupChange::Other(other.to_owned()),
    })
}

pub(super) fn until(object: &Object, key: &str) -> Until {
    match object.get(key).and_then(serde_json::Value::as_i64) {
        None | Some(0) => Until::Lifted,
        Some(at) => u64::try_from(at).map_or(Until::Ever, |at| Until::At(Millis(at))),
    }
}

pub(super) fn joining(name: &str) -> Option<Joining> {
    match name {
        "open" => Some(Joining::Open),
        "ask" => Some(Joining::Ask),
        "closed" => Some(Joining::Closed),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{group, user};
    use super::super::v2_read::read;
    use super::*;
    use crate::roster::Role;
    use chatd_chat::model::ids::MessageId;

    fn event(what: &str) -> GroupEvent {
        let frame = format!(
            r#"{{"cid":"k","mid":"5","pos":4,"ts":9,"by":2,"groupid":3,"msgid":51,"name":"amy",{what}}}"#
        );
        let Ok(Heard::Group(event)) = read(frame.as_bytes()) else { panic!("{frame}") };
        event
    }

    #[test]
    fn events_of_a_group_are_read() {
        let kicked = event(r#""until":-1,"userid":7,"username":"ben","what":"kicked""#);
        let ben = Somebody { id: user(7), name: "ben".into() };
        assert_eq!((kicked.group, kicked.by.name.as_str(), kicked.whom), (group(3), "amy", Some(ben)));
        assert_eq!((kicked.mark.pos, kicked.mark.mid), (Some(4), Some(MessageId(5))));
        let name = Some("x".to_owned());
        for (what, meant) in [
            (r#""until":-1,"what":"kicked""#, GroupChange::Kicked(Until::Ever)),
            (r#""until":0,"what":"banned""#, GroupChange::Banned(Until::Lifted)),
            (r#""until":77,"what":"muted""#, GroupChange::Muted(Until::At(Millis(77)))),
            (r#""role":"owner","what":"role""#, GroupChange::Role(Role::Owner)),
            (
                r#""groupname":"x","join":"closed","what":"set""#,
                GroupChange::Set { name, desc: None, join: Some(Joining::Closed) },
            ),
            (r#""what":"joined""#, GroupChange::Joined),
            (r#""what":"left""#, GroupChange::Left),
            (r#""what":"asks""#, GroupChange::Asks),
            (r#""what":"refused""#, GroupChange::Refused),
            (r#""what":"painted""#, GroupChange::Other("painted".into())),
        ] {
            assert_eq!(event(what).what, meant, "{what}");
        }
        for broken in ["{\"msgid\":51}", "{\"msgid\":51,\"groupid\":1,\"by\":2}"] {
            assert_eq!(read(broken.as_bytes()), Err(BadFrame));
        }
    }

    #[test]
    fn who_wants_to_join_is_read() {
        let joins = read(
            br#"{"cid":"c","errno":0,"groupid":3,"msgid":20,"re":56,"users":[{"id":7,"name":"ben","ts":5},{}]}"#,
        );
        let Ok(Heard::Joins { users, .. }) = joins else { panic!("{joins:?}") };
        assert_eq!((users.len(), users[0].id, users[0].name.as_str()), (1, user(7), "ben"));
        let refused = read(br#"{"cid":"c","errno":104,"errmsg":"no","msgid":21,"re":56}"#);
        assert!(matches!(refused, Ok(Heard::Refused { cid: Some(_), .. })), "{refused:?}");
    }
}
