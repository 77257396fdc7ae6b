//! Reads what a server tells a device of others: where conversations stand, what it lacks of them, how far they were
//! read, who is typing, where messages are stored.

use super::seed_read::{Object, group, is, list, number, text, user};
use super::v2_read::{cid, is_complete};
use super::{BadFrame, Heard, changes_read};
use crate::device::{DeviceId, Head, Heads, KnownDevice, Synced};
use crate::message::Conversation;
use chatd_chat::model::ids::{MessageId, Millis};
use chatd_chat::wire::msgid;
use std::time::Duration;

/// Reads a frame of such a kind; nothing, if it is none.
pub(super) fn read(kind: u32, object: &Object) -> Option<Result<Heard, BadFrame>> {
    let heard = match kind {
        msgid::SYNC_ACK if object.contains_key("heads") => {
            Some(Heard::Heads { cid: text(object, "cid"), heads: heads(object) })
        }
        msgid::SYNC_ACK => cid(object).ok().map(|cid| Heard::Synced {
            cid,
            synced: list(object, "convs", synced),
            complete: is_complete(object),
        }),
        msgid::DEVICES_ACK => {
            cid(object).ok().map(|cid| Heard::Devices { cid, devices: list(object, "devices", device) })
        }
        msgid::READ => read_marker(object),
        msgid::TYPING => typing(object),
        msgid::STORED => {
            conversation(object).map(|stored| Heard::Stored(stored, list(object, "places", place)))
        }
        _ => return None,
    };
    Some(heard.ok_or(BadFrame))
}

/// Where conversations stand.
pub(super) fn heads(object: &Object) -> Heads {
    Heads { heads: list(object, "heads", head), complete: is(object, "heads_complete") }
}

fn head(object: &Object) -> Option<Head> {
    Some(Head {
        conversation: conversation(object)?,
        name: text(object, "name")?,
        head: number(object, "head")?,
        mid: numeral(object, "mid").map(MessageId)?,
        ts: Millis(number(object, "ts")?),
        read: number(object, "read")?,
        unread: number(object, "unread")?,
        peer_read: number(object, "peer_read"),
        chg: number(object, "chg").unwrap_or(0),
    })
}

fn synced(object: &Object) -> Option<Synced> {
    let conversation = conversation(object)?;
    Some(Synced {
        conversation,
        rows: list(object, "messages", |entry| changes_read::row(entry, Some(conversation))),
        changes: list(object, "changes", |entry| changes_read::change(entry, conversation)),
        chg: number(object, "chg").unwrap_or(0),
        head: number(object, "head")?,
        peer_read: number(object, "peer_read"),
        complete: is_complete(object),
    })
}

fn device(object: &Object) -> Option<KnownDevice> {
    Some(KnownDevice {
        id: numeral(object, "id").map(DeviceId)?,
        name: text(object, "device").unwrap_or_default(),
        created: Millis(number(object, "created")?),
        used: Millis(number(object, "used")?),
        online: is(object, "online"),
        this: is(object, "this"),
    })
}

fn read_marker(object: &Object) -> Option<Heard> {
    Some(Heard::Read(conversation(object)?, user(object, "id")?, number(object, "pos")?))
}

fn typing(object: &Object) -> Option<Heard> {
    let expires = Duration::from_millis(number(object, "expires_ms")?);
    Some(Heard::Typing(conversation(object)?, user(object, "id")?, is(object, "on"), expires))
}

fn place(object: &Object) -> Option<(MessageId, u64)> {
    Some((numeral(object, "mid").map(MessageId)?, number(object, "pos")?))
}

pub(super) fn conversation(object: &Object) -> Option<Conversation> {
    match group(object, "groupid") {
        Some(group) => Some(Conversation::In(group)),
        None => user(object, "with").map(Conversation::With),
    }
}

/// A number in a string.
pub(super) fn numeral(object: &Object, key: &str) -> Option<u64> {
    text(object, key)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::v2_read::read;
    use super::*;
    use chatd_chat::model::ids::{GroupId, UserId};

    fn with(number: u64) -> Conversation {
        Conversation::With(UserId::new(number).unwrap())
    }

    /// The frames are those of docs/protocol.md.
    #[test]
    fn what_a_device_is_told_is_read() {
        let own = read(br#"{"cid":"f2","mid":"924731714562392066","own":true,"ts":1,"id":5,"msg":"Bring rope","msgid":6,"name":"fay","time":"t","toid":6}"#);
        let Ok(Heard::Message(message)) = own else { panic!("{own:?}") };
        assert_eq!((message.own, message.conversation), (true, with(6)));
        assert_eq!(
            read(br#"{"msgid":61,"places":[{"mid":"924731714562392066","pos":2},{}],"with":6}"#),
            Ok(Heard::Stored(with(6), vec![(MessageId(924_731_714_562_392_066), 2)]))
        );
        let group = Conversation::In(GroupId::new(3).unwrap());
        let reader = UserId::new(6).unwrap();
        assert_eq!(read(br#"{"groupid":3,"id":6,"msgid":38,"pos":2}"#), Ok(Heard::Read(group, reader, 2)));
        assert_eq!(
            read(br#"{"expires_ms":6000,"id":6,"msgid":39,"on":true,"with":6}"#),
            Ok(Heard::Typing(with(6), reader, true, Duration::from_secs(6)))
        );
        let devices = read(br#"{"cid":"i2","devices":[{"created":1,"device":"pad","id":"6917529027641081851","online":true,"this":false,"used":2}],"errno":0,"msgid":41}"#);
        let Ok(Heard::Devices { devices, .. }) = devices else { panic!("{devices:?}") };
        assert_eq!((devices[0].id, devices[0].online), (DeviceId(6_917_529_027_641_081_851), true));
        assert!(!devices[0].this);
    }

    #[test]
    fn answers_to_sync_are_read_and_so_are_heads_with_a_login() {
        let synced = read(br#"{"cid":"i1","complete":false,"convs":[{"changes":[],"chg":0,"complete":true,"head":1,"messages":[{"cid":"f1","mid":"9","pos":1,"ts":1,"id":5,"msg":"m","msgid":6,"name":"fay","time":"t","toid":6}],"peer_read":0,"with":6}],"errno":0,"msgid":37}"#);
        let Ok(Heard::Synced { synced, complete: false, .. }) = synced else { panic!("{synced:?}") };
        assert_eq!((synced[0].head, synced[0].peer_read, synced[0].complete), (1, Some(0), true));
        assert_eq!((synced[0].rows[0].conversation(), synced[0].rows[0].pos()), (with(6), Some(1)));
        let entry = r#"[{"head":4,"mid":"9","name":"gus","peer_read":1,"read":2,"ts":3,"unread":2,"with":6}],"heads_complete":false"#;
        let heads = read(format!(r#"{{"errno":0,"msgid":37,"heads":{entry}}}"#).as_bytes());
        let Ok(Heard::Heads { cid: None, heads }) = heads else { panic!("{heads:?}") };
        assert_eq!((heads.heads[0].head, heads.heads[0].unread, heads.complete), (4, 2, false));
        let login = read(
            format!(r#"{{"errno":0,"msgid":2,"id":5,"name":"fay","token":"t","heads":{entry}}}"#).as_bytes(),
        );
        let Ok(Heard::LoggedIn(entrance)) = login else { panic!("{login:?}") };
        assert_eq!(entrance.welcome.heads, Some(heads));
        let refused = read(br#"{"cid":"c","errno":102,"msgid":37}"#);
        assert!(matches!(refused, Ok(Heard::Refused { cid: Some(_), .. })), "{refused:?}");
    }

    #[test]
    fn rubbish_is_garbled_and_never_more() {
        for rubbish in ["37", "38", "38,\"with\":1", "39,\"with\":1,\"id\":2", "41", "61", "61,\"places\":[]"]
        {
            assert_eq!(read(format!("{{\"msgid\":{rubbish}}}").as_bytes()), Err(BadFrame), "{rubbish}");
        }
    }
}
