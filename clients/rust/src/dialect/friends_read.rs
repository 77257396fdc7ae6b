//! Reads what comes of friendships that are asked for, and what a user lets others do.

use super::seed_read::{Object, is, number, text, user};
use super::{BadFrame, Heard};
use crate::friend::{Asking, FriendChange, FriendEvent, OwnDeed, Settings, WhoWrites};
use chatd_chat::wire::msgid;
use serde_json::Value;

/// Reads a frame of such a kind; nothing, if it is none.
pub(super) fn read(kind: u32, object: &Object) -> Option<Result<Heard, BadFrame>> {
    let heard = match kind {
        msgid::FRIEND_EVENT => event(object).map(Heard::Friend),
        msgid::SETTINGS => Some(Heard::Settings(text(object, "cid"), settings(object))),
        msgid::ACK if number(object, "re") == Some(msgid::SETTINGS.into()) => {
            text(object, "cid").map(|cid| Heard::Settings(Some(cid), settings(object)))
        }
        _ => return None,
    };
    Some(heard.ok_or(BadFrame))
}

fn event(object: &Object) -> Option<FriendEvent> {
    let what = match (text(object, "what")?.as_str(), is(object, "own")) {
        ("added", true) => FriendChange::Own(OwnDeed::Added),
        ("gone", true) => FriendChange::Own(OwnDeed::Gone),
        ("blocked", true) => FriendChange::Own(OwnDeed::Blocked),
        ("unblocked", true) => FriendChange::Own(OwnDeed::Unblocked),
        ("asked", true) => FriendChange::Own(OwnDeed::Asked),
        ("refused", true) => FriendChange::Own(OwnDeed::Refused),
        ("asks", _) => FriendChange::Asks(text(object, "note").unwrap_or_default()),
        ("accepted", _) => FriendChange::Accepted,
        ("gone", _) => FriendChange::Gone,
        (other, _) => FriendChange::Other(other.to_owned()),
    };
    Some(FriendEvent { id: user(object, "id")?, name: text(object, "name"), what })
}

pub(super) fn asking(object: &Object) -> Option<Asking> {
    let note = text(object, "note").unwrap_or_default();
    Some(Asking { id: user(object, "id")?, name: text(object, "name")?, note })
}

pub(super) fn settings(object: &Object) -> Settings {
    let who_writes = match text(object, "who_writes").as_deref() {
        Some("all") => Some(WhoWrites::All),
        Some("friends") => Some(WhoWrites::Friends),
        Some("none") => Some(WhoWrites::None),
        _ => None,
    };
    Settings { who_writes, read_receipts: object.get("read_receipts").and_then(Value::as_bool) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::user;
    use super::super::v2_read::read;
    use super::*;

    #[test]
    fn words_of_friendships_are_read() {
        for (what, meant) in [
            (r#""note":"hi","what":"asks""#, FriendChange::Asks("hi".into())),
            (r#""what":"asks""#, FriendChange::Asks(String::new())),
            (r#""what":"accepted""#, FriendChange::Accepted),
            (r#""what":"gone""#, FriendChange::Gone),
            (r#""what":"winks""#, FriendChange::Other("winks".into())),
        ] {
            let frame = format!(r#"{{"id":7,"msgid":54,"name":"ben",{what}}}"#);
            let Ok(Heard::Friend(event)) = read(frame.as_bytes()) else { panic!("{frame}") };
            assert_eq!((event.id, event.name.as_deref(), event.what), (user(7), Some("ben"), meant));
        }
        assert_eq!(read(br#"{"msgid":54,"id":7}"#), Err(BadFrame));
        for (what, deed) in [
            ("added", OwnDeed::Added),
            ("gone", OwnDeed::Gone),
            ("blocked", OwnDeed::Blocked),
            ("unblocked", OwnDeed::Unblocked),
            ("asked", OwnDeed::Asked),
            ("refused", OwnDeed::Refused),
        ] {
            let own = read(format!(r#"{{"id":7,"msgid":54,"own":true,"what":"{what}"}}"#).as_bytes());
            let event = FriendEvent::new(user(7), None, FriendChange::Own(deed));
            assert_eq!(own, Ok(Heard::Friend(event)), "{what}");
        }
        let login = read(
            br#"{"asking":[{"id":7,"name":"ben","note":"hi"},{"id":0}],"errno":0,"id":9,"msgid":2,"name":"amy","settings":{"read_receipts":true,"who_writes":"none"},"token":"t"}"#,
        );
        let Ok(Heard::LoggedIn(entrance)) = login else { panic!("{login:?}") };
        let ben = Asking { id: user(7), name: "ben".into(), note: "hi".into() };
        assert_eq!(entrance.welcome.asking, [ben]);
        let settings = Settings { who_writes: Some(WhoWrites::None), read_receipts: Some(true) };
        assert_eq!(entrance.welcome.settings, Some(settings));
    }

    #[test]
    fn settings_are_read_in_answers_and_pushes() {
        let friends = Settings { who_writes: Some(WhoWrites::Friends), read_receipts: Some(false) };
        let told = r#""read_receipts":false,"who_writes":"friends""#;
        let answer = read(format!(r#"{{"cid":"c","errno":0,"msgid":20,"re":60,{told}}}"#).as_bytes());
        assert_eq!(answer, Ok(Heard::Settings(Some("c".into()), friends)));
        let push = read(format!(r#"{{"msgid":60,{told}}}"#).as_bytes());
        assert_eq!(push, Ok(Heard::Settings(None, friends)));
        let later = read(br#"{"msgid":60,"who_writes":"neighbours"}"#);
        assert_eq!(later, Ok(Heard::Settings(None, Settings::default())));
    }
}
