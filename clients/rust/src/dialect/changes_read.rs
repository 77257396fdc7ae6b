//! Reads what becomes of messages after they were said, and the rows of a conversation as they are now.

use super::devices_read::{conversation, numeral};
use super::seed_read::{self, Object, is, list, number, text, user};
use super::v2_read::cid;
use super::{BadFrame, Heard, groups_read};
use crate::change::{Change, Changed, Reaction, Recalled};
use crate::message::Conversation;
use crate::row::Row;
use chatd_chat::model::ids::{MessageId, Millis};
use chatd_chat::wire::msgid;

/// Reads a frame of such a kind; nothing, if it is none.
pub(super) fn read(kind: u32, object: &Object) -> Option<Result<Heard, BadFrame>> {
    let heard = match kind {
        msgid::CHANGED => conversation(object).and_then(|of| change(object, of)).map(Heard::Changed),
        msgid::SEARCH_ACK => cid(object).ok().map(|cid| Heard::Sought {
            cid,
            rows: list(object, "messages", |entry| row(entry, conversation(entry))),
            before: numeral(object, "before_mid").map(MessageId),
            searched_to: number(object, "searched_to").map(Millis),
        }),
        _ => return None,
    };
    Some(heard.ok_or(BadFrame))
}

/// A change, in a push or in an answer to SYNC, which says of which conversation it is.
pub(super) fn change(object: &Object, conversation: Conversation) -> Option<Change> {
    let what = match text(object, "kind").as_deref() {
        Some("edit") => {
            Some(Changed::Edited { text: text(object, "msg")?, rev: number(object, "rev").unwrap_or(1) })
        }
        Some("recall") => Some(Changed::Recalled),
        Some("react") => Some(Changed::Reacted {
            emoji: text(object, "emoji")?,
            on: is(object, "on"),
            n: number(object, "n").unwrap_or(0),
        }),
        _ => None,
    };
    Some(Change {
        conversation,
        chg: number(object, "chg")?,
        pos: number(object, "pos")?,
        mid: numeral(object, "mid").map(MessageId),
        by: user(object, "by")?,
        ts: Millis(number(object, "ts")?),
        what,
    })
}

/// A row of a page; `of`: the conversation that the page is of, where it is of one.
pub(super) fn row(object: &Object, of: Option<Conversation>) -> Option<Row> {
    let row = if is(object, "recalled") {
        Row::Recalled(recalled(object, of.or_else(|| conversation(object))?)?)
    } else if number(object, "msgid") == Some(msgid::GROUP_EVENT.into()) {
        Row::Happened(groups_read::event(object, of)?)
    } else {
        Row::Said(seed_read::message(object)?)
    };
    Some(match of {
        Some(of) => row.of(of),
        None => row,
    })
}

fn recalled(object: &Object, conversation: Conversation) -> Option<Recalled> {
    Some(Recalled {
        conversation,
        pos: number(object, "pos")?,
        mid: numeral(object, "mid").map(MessageId)?,
        by: user(object, "by")?,
        ts: Millis(number(object, "ts")?),
    })
}

pub(super) fn reaction(object: &Object) -> Option<Reaction> {
    Some(Reaction { emoji: text(object, "emoji")?, n: number(object, "n")?, mine: is(object, "mine") })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{group, user};
    use super::super::v2_read::read;
    use super::*;

    fn change(frame: &str) -> Change {
        let Ok(Heard::Changed(change)) = read(frame.as_bytes()) else { panic!("{frame}") };
        change
    }

    #[test]
    fn changes_are_read_whatever_they_are() {
        let frame =
            |what: &str| format!(r#"{{"by":2,"chg":4,"groupid":3,"msgid":46,"pos":7,"ts":9,{what}}}"#);
        let edit = change(&frame(r#""kind":"edit","msg":"so","rev":2"#));
        assert_eq!(edit.what, Some(Changed::Edited { text: "so".into(), rev: 2 }));
        assert_eq!((edit.conversation, edit.chg, edit.pos), (Conversation::In(group(3)), 4, 7));
        assert_eq!((edit.by, edit.ts), (user(2), Millis(9)));
        assert_eq!(change(&frame(r#""kind":"recall""#)).what, Some(Changed::Recalled));
        let reaction = change(&frame(r#""emoji":"👍","kind":"react","mid":"5","n":3,"on":true"#));
        assert_eq!(reaction.what, Some(Changed::Reacted { emoji: "👍".into(), on: true, n: 3 }));
        assert_eq!(
            change(&frame(r#""kind":"pin""#)).what,
            None,
            "a kind of a later server counts all the same"
        );
        for broken in [r#""kind":"edit""#, r#""kind":"react""#] {
            assert_eq!(read(frame(broken).as_bytes()), Err(BadFrame), "{broken}");
        }
    }

    #[test]
    fn rows_are_read_as_they_are_now() {
        let page = read(
            br#"{"cid":"c","complete":true,"errno":0,"with":2,"messages":[
            {"cid":"x","id":2,"mid":"5","msg":"m","msgid":6,"name":"ben","pos":3,"reactions":[{"emoji":"e","mine":true,"n":2}],"rev":1,"time":"t","toid":9,"ts":1},
            {"by":2,"mid":"6","pos":4,"recalled":true,"ts":8},{"recalled":true}],"msgid":27}"#,
        );
        let Ok(Heard::History { rows, .. }) = page else { panic!("{page:?}") };
        let of = Conversation::With(user(2));
        let Row::Said(said) = &rows[0] else { panic!("{rows:?}") };
        assert_eq!(
            (said.rev, &said.reactions[..]),
            (1, &[Reaction { emoji: "e".into(), n: 2, mine: true }][..])
        );
        let gone = Recalled { conversation: of, pos: 4, mid: MessageId(6), by: user(2), ts: Millis(8) };
        assert_eq!(rows[1..], [Row::Recalled(gone)]);
    }

    #[test]
    fn what_was_found_says_where() {
        let found = read(
            br#"{"before_mid":"5","cid":"c","complete":false,"errno":0,"messages":[
            {"cid":"x","id":9,"mid":"5","msg":"m","msgid":6,"name":"me","pos":3,"time":"t","toid":2,"ts":1,"with":2},
            {"cid":"y","groupid":3,"id":2,"mid":"4","msg":"m","msgid":10,"name":"ben","pos":1,"time":"t","ts":1}],
            "msgid":58,"searched_to":77}"#,
        );
        let Ok(Heard::Sought { rows, before, searched_to, .. }) = found else { panic!("{found:?}") };
        assert_eq!((before, searched_to), (Some(MessageId(5)), Some(Millis(77))));
        let places: Vec<Conversation> = rows.iter().map(Row::conversation).collect();
        assert_eq!(places, [Conversation::With(user(2)), Conversation::In(group(3))]);
        let refused = read(br#"{"cid":"c","errno":102,"msgid":21,"re":57}"#);
        assert!(matches!(refused, Ok(Heard::Refused { cid: Some(_), .. })), "{refused:?}");
    }
}
