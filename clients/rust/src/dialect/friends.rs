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
    use super::super::tests::{is_meant, is_written, user};
    use super::*;
    use chatd_chat::model::consent::{self, FriendAnswer, SettingsChange};
    use chatd_chat::wire::request::Body;

    #[test]
    fn friendships_and_settings_are_written_as_the_protocol_has_them() {
        let (user, friend) = (user(26), user(26));
        let change = |who_writes, read_receipts| Body::Settings {
            change: SettingsChange { who_writes, read_receipts },
        };
        for (request, line, body) in [
            (
                Request::AskFriend { user, note: "it is me".into() },
                r#"{"cid":"c-1","msgid":52,"note":"it is me","userid":26}"#,
                Body::FriendAsk { friend, note: "it is me" },
            ),
            (
                Request::AskFriend { user, note: String::new() },
                r#"{"cid":"c-1","msgid":52,"userid":26}"#,
                Body::FriendAsk { friend, note: "" },
            ),
            (
                Request::AnswerFriend { user, yes: true },
                r#"{"cid":"c-1","msgid":53,"userid":26,"yes":true}"#,
                Body::FriendAnswer { friend, answer: FriendAnswer::Yes },
            ),
            (Request::Settings(Settings::default()), r#"{"cid":"c-1","msgid":60}"#, change(None, None)),
            (
                Request::Settings(Settings {
                    who_writes: Some(WhoWrites::Friends),
                    read_receipts: Some(false),
                }),
                r#"{"cid":"c-1","msgid":60,"read_receipts":false,"who_writes":"friends"}"#,
                change(Some(consent::WhoWrites::Friends), Some(false)),
            ),
        ] {
            is_written(&request, line);
            is_meant(line, &body);
        }
    }
}
