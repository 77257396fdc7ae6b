//! What the second dialect says of friendships that are asked for, and of what a user lets others do.

use super::object::Object;
use crate::friend::{Settings, WhoWrites};
use crate::request::Request;
use chatd_chat::wire::msgid;

/// Writes such a request; false if it is none.
pub(super) fn ask(out: &mut Vec<u8>, cid: &str, request: &Request) -> bool {
    match request {
        Request::AskFriend { user, note } => Object::begin(out)
            .text("cid", cid)
            .number("msgid", msgid::FRIEND_ASK.into())
            .maybe(Some(note).filter(|note| !note.is_empty()), |object, note| object.text("note", note))
            .user("userid", *user)
            .end(),
        Request::AnswerFriend { user, yes } => Object::begin(out)
            .text("cid", cid)
            .number("msgid", msgid::FRIEND_ANSWER.into())
            .user("userid", *user)
            .flag("yes", *yes)
            .end(),
        Request::Settings(Settings { who_writes, read_receipts }) => Object::begin(out)
            .text("cid", cid)
            .number("msgid", msgid::SETTINGS.into())
            .maybe(*read_receipts, |object, on| object.flag("read_receipts", on))
            .maybe(*who_writes, |object, who| object.text("who_writes", who_writes_name(who)))
            .end(),
        _ => return false,
    }
    true
}

fn who_writes_name(who: WhoWrites) -> &'static str {
    match who {
        WhoWrites::All => "all",
        WhoWrites::Friends => "friends",
        WhoWrites::None => "none",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_written, user};
    use super::*;

    #[test]
    fn friendships_and_settings_are_written_as_the_protocol_has_them() {
        let user = user(26);
        for (request, line) in [
            (
                Request::AskFriend { user, note: "it is me".into() },
                r#"{"cid":"c-1","msgid":52,"note":"it is me","userid":26}"#,
            ),
            (Request::AskFriend { user, note: String::new() }, r#"{"cid":"c-1","msgid":52,"userid":26}"#),
            (Request::AnswerFriend { user, yes: true }, r#"{"cid":"c-1","msgid":53,"userid":26,"yes":true}"#),
            (Request::Settings(Settings::default()), r#"{"cid":"c-1","msgid":60}"#),
            (
                Request::Settings(Settings {
                    who_writes: Some(WhoWrites::Friends),
                    read_receipts: Some(false),
                }),
                r#"{"cid":"c-1","msgid":60,"read_receipts":false,"who_writes":"friends"}"#,
            ),
        ] {
            is_written(&request, line);
        }
    }
}
