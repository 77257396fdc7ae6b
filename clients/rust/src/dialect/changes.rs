//! What the second dialect says to change what was said, and to search in it.

use super::object::Object;
use crate::request::Request;
use chatd_chat::wire::msgid;

/// Writes such a request; false if it is none.
pub(super) fn ask(out: &mut Vec<u8>, cid: &str, request: &Request) -> bool {
    match request {
        Request::Edit { of, pos, text } => Object::begin(out)
            .text("cid", cid)
            .inside(*of)
            .text("msg", text)
            .number("msgid", msgid::EDIT.into())
            .number("pos", *pos)
            .outside(*of)
            .end(),
        Request::Recall { of, pos } => Object::begin(out)
            .text("cid", cid)
            .inside(*of)
            .number("msgid", msgid::RECALL.into())
            .number("pos", *pos)
            .outside(*of)
            .end(),
        Request::React { of, pos, emoji, on } => Object::begin(out)
            .text("cid", cid)
            .text("emoji", emoji)
            .inside(*of)
            .number("msgid", msgid::REACT.into())
            .flag("on", *on)
            .number("pos", *pos)
            .outside(*of)
            .end(),
        Request::Search { words, of, before, limit } => Object::begin(out)
            .maybe(*before, |object, before| object.numeral("before_mid", before.0))
            .text("cid", cid)
            .maybe(*of, Object::inside)
            .number("limit", (*limit).into())
            .number("msgid", msgid::SEARCH.into())
            .text("q", words)
            .maybe(*of, Object::outside)
            .end(),
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::tests::{group, is_meant, is_written, user};
    use super::*;
    use crate::message::Conversation;
    use chatd_chat::model::change::Alteration;
    use chatd_chat::model::history;
    use chatd_chat::model::ids::MessageId;
    use chatd_chat::wire::request::Body;

    #[test]
    fn what_changes_a_message_is_written_as_the_protocol_has_it() {
        let (direct, within) = (Conversation::With(user(26)), Conversation::In(group(3)));
        let (with, inside) = (history::Conversation::With(user(26)), history::Conversation::Group(group(3)));
        let alter = |conversation, alteration| Body::Alter { conversation, pos: 7, alteration };
        for (request, line, body) in [
            (
                Request::Edit { of: direct, pos: 7, text: "bet\"ter".into() },
                r#"{"cid":"c-1","msg":"bet\"ter","msgid":43,"pos":7,"with":26}"#,
                alter(with, Alteration::Edit { msg: "bet\"ter".into() }),
            ),
            (
                Request::Recall { of: within, pos: 7 },
                r#"{"cid":"c-1","groupid":3,"msgid":44,"pos":7}"#,
                alter(inside, Alteration::Recall),
            ),
            (
                Request::React { of: within, pos: 7, emoji: "👍".into(), on: false },
                r#"{"cid":"c-1","emoji":"👍","groupid":3,"msgid":45,"on":false,"pos":7}"#,
                alter(inside, Alteration::React { emoji: "👍".into(), on: false }),
            ),
            (
                Request::Search { words: "green tea".into(), of: None, before: None, limit: 9 },
                r#"{"cid":"c-1","limit":9,"msgid":57,"q":"green tea"}"#,
                Body::Search { q: "green tea", conversation: None, before: None, messages: Some(9) },
            ),
            (
                Request::Search {
                    words: "tea".into(),
                    of: Some(direct),
                    before: Some(MessageId(5)),
                    limit: 9,
                },
                r#"{"before_mid":"5","cid":"c-1","limit":9,"msgid":57,"q":"tea","with":26}"#,
                Body::Search {
                    q: "tea",
                    conversation: Some(with),
                    before: Some(MessageId(5)),
                    messages: Some(9),
                },
            ),
        ] {
            is_written(&request, line);
            is_meant(line, &body);
        }
    }
}
