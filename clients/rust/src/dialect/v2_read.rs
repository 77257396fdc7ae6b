//! Reads what a server says in the second dialect: what the seed's has not, and for the rest the
//! seed's reader, which takes objects in lists as well as strings, and what a message is marked with.

use super::devices_read::conversation;
use super::seed_read::{self, Object, list, member, number, person, text, user};
use super::{BadFrame, Heard, changes_read, devices_read, friends_read, groups_read};
use chatd_chat::wire::msgid;

/// Reads one frame.
pub(super) fn read(frame: &[u8]) -> Result<Heard, BadFrame> {
    let (kind, object) = seed_read::open(frame)?;
    let object = &object;
    match kind {
        msgid::PING => Ok(Heard::Ping(number(object, "n").unwrap_or(0))),
        msgid::PONG => Ok(Heard::Pong),
        msgid::PRESENCE => {
            Ok(Heard::Presence(user(object, "id").ok_or(BadFrame)?, seed_read::is_online(object)))
        }
        msgid::FIND_ACK
        | msgid::HISTORY_ACK
        | msgid::MEMBERS_ACK
        | msgid::SYNC_ACK
        | msgid::DEVICES_ACK
        | msgid::SEARCH_ACK
            if number(object, "errno").unwrap_or(0) != 0 =>
        {
            Ok(seed_read::refused(object))
        }
        msgid::FIND_ACK => Ok(Heard::Found { cid: cid(object)?, person: person(object).ok_or(BadFrame)? }),
        msgid::HISTORY_ACK => Ok(Heard::History {
            cid: cid(object)?,
            rows: list(object, "messages", |entry| changes_read::row(entry, conversation(object))),
            chg: number(object, "chg"),
            complete: is_complete(object),
        }),
        msgid::MEMBERS_ACK => Ok(Heard::Members {
            cid: cid(object)?,
            members: list(object, "users", member),
            complete: is_complete(object),
        }),
        msgid::ACK if number(object, "errno").unwrap_or(0) != 0 => Ok(seed_read::refused(object)),
        _ => [devices_read::read, changes_read::read, groups_read::read, friends_read::read]
            .iter()
            .find_map(|read| read(kind, object))
            .unwrap_or_else(|| seed_read::read_object(kind, object)),
    }
}

pub(super) fn cid(object: &Object) -> Result<String, BadFrame> {
    text(object, "cid").ok_or(BadFrame)
}

pub(super) fn is_complete(object: &Object) -> bool {
    seed_read::is(object, "complete")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Entrance;
    use crate::message::Conversation;
    use crate::roster::{Role, Spoken};
    use chatd_chat::model::ids::{MessageId, Millis, UserId};

    fn uid(number: u64) -> UserId {
        UserId::new(number).unwrap()
    }

    #[test]
    fn a_login_answer_is_read_to_its_depths() {
        let frame = br#"{"complete":false,"errno":0,"friends":[{"id":2,"name":"bob","state":"online"}],
            "groups":[{"groupdesc":"d","groupname":"dev","id":1,"members":700,"role":"creator"}],
            "id":9,"msgid":2,"name":"amy","token":"t0k",
            "offlinemsg":[{"cid":"c","mid":"9007199254740993","ts":5,"groupid":1,"id":2,"msg":"hi","msgid":10,"name":"bob","time":"t"}]}"#;
        let Ok(Heard::LoggedIn(entrance)) = read(frame) else { panic!("not a login") };
        assert!(!format!("{entrance:?}").contains("t0k"), "a token is not shown");
        let Entrance { welcome, waiting, token, complete } = *entrance;
        assert!(!complete, "there is more to come");
        assert_eq!((welcome.spoken, token.unwrap().reveal()), (Spoken::V2, "t0k"));
        assert!(welcome.friends[0].online);
        assert_eq!((welcome.groups[0].size, welcome.groups[0].role), (Some(700), Some(Role::Owner)));
        let mark = &waiting[0].message().unwrap().mark;
        assert_eq!((mark.cid.as_deref(), mark.mid), (Some("c"), Some(MessageId(9_007_199_254_740_993))));
        assert_eq!((mark.ts, mark.pos), (Some(Millis(5)), None));
    }

    #[test]
    fn answers_are_read_and_so_are_their_refusals() {
        assert_eq!(read(br#"{"msgid":22,"n":7}"#), Ok(Heard::Ping(7)));
        assert_eq!(read(br#"{"id":2,"msgid":28,"state":"offline"}"#), Ok(Heard::Presence(uid(2), false)));
        let found = read(br#"{"cid":"c","errno":0,"id":2,"msgid":30,"name":"bob","state":"online"}"#);
        let Ok(Heard::Found { cid, person }) = found else { panic!("{found:?}") };
        assert_eq!((cid.as_str(), person.id, person.online), ("c", uid(2), true));
        let page = read(
            br#"{"cid":"c","complete":false,"messages":[{"cid":"x","id":2,"mid":"5","msg":"m","msgid":6,"name":"bob","pos":3,"time":"t","toid":9,"ts":1}],"msgid":27}"#,
        );
        let Ok(Heard::History { rows, complete: false, .. }) = page else { panic!("{page:?}") };
        assert_eq!((rows[0].conversation(), rows[0].pos()), (Conversation::With(uid(2)), Some(3)));
        let page = read(br#"{"cid":"c","complete":true,"msgid":35,"users":[{"id":2,"name":"b","role":"creator","state":"online"},{}]}"#);
        let Ok(Heard::Members { members, complete: true, .. }) = page else { panic!("{page:?}") };
        assert_eq!(members.len(), 1);
        let refused = read(br#"{"cid":"c","errno":105,"msgid":30}"#);
        assert!(matches!(refused, Ok(Heard::Refused { cid: Some(_), .. })), "{refused:?}");
        let token = read(br#"{"errno":1,"msgid":21,"re":25}"#);
        assert!(matches!(token, Ok(Heard::LoginRefused(_))), "{token:?}");
    }

    #[test]
    fn rubbish_is_garbled_and_never_more() {
        for rubbish in ["", "{}", "{\"msgid\":27}", "{\"msgid\":28}", "{\"msgid\":30,\"cid\":\"c\"}", "[26]"]
        {
            assert_eq!(read(rubbish.as_bytes()), Err(BadFrame), "{rubbish}");
        }
    }
}
