//! What the body of a message says: its text, found without a parser.
//!
//! Whoever carries bodies does not read them, with one exception: whether two messages of the same
//! cid are the same message is a question of their text, because the `time` and `name` beside it may
//! differ from one try to the next.

use crate::model::extras::extras;
use std::ops::Range;

/// What the body of an event of a group begins with, and that of no message.
pub const EVENT_BEGINS: &[u8] = b"{\"by\":";

/// Whether this is the body of an event of a group.
pub fn is_event(body: &[u8]) -> bool {
    body.starts_with(EVENT_BEGINS)
}

/// What a cid stands for, of a body: what the message carries besides its text, and the text.
pub fn content(body: &[u8]) -> [&[u8]; 2] {
    [extras(body), said(body)]
}

/// The text of a frame: what stands between the quotes of its top-level `msg`, still escaped. All
/// bodies come from the one encoder of this program, so equal texts are equal here and different
/// ones differ. The whole body, if it has no such field: then all of it counts.
pub fn said(body: &[u8]) -> &[u8] {
    text_range(body).map_or(body, |range| &body[range])
}

/// Where the text of a frame stands, if it has one.
pub fn text_range(body: &[u8]) -> Option<Range<usize>> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(&byte) = body.get(at) {
        at += 1;
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let end = string_end(body, at);
                let is_key = depth == 1 && body.get(end..end + 3) == Some(b"\":\"");
                if is_key && &body[at..end] == b"msg" {
                    return Some(end + 3..string_end(body, end + 3));
                }
                at = end + 1;
            }
            _ => {}
        }
    }
    None
}

/// Where the string that begins at `at`, behind its quote, has its closing quote, or the end.
fn string_end(body: &[u8], mut at: usize) -> usize {
    while at < body.len() && body[at] != b'"' {
        at += if body[at] == b'\\' { 2 } else { 1 };
    }
    at.min(body.len())
}

#[cfg(test)]
mod tests {
    use super::said;

    #[test]
    fn the_text_is_found_and_nothing_else() {
        let said = |body: &'static str| std::str::from_utf8(said(body.as_bytes())).unwrap();
        assert_eq!(said(r#"{"id":1,"msg":"hello","msgid":6,"name":"amy","time":"t","toid":2}"#), "hello");
        assert_eq!(said(r#"{"groupid":3,"id":1,"msg":"","msgid":10}"#), "");
        assert_eq!(said(r#"{"msg":"a\"b\\","x":1}"#), r#"a\"b\\"#);
        // A name or a text that looks like the field is neither.
        assert_eq!(said(r#"{"name":"\",\"msg\":\"x","msg":"y"}"#), "y");
        assert_eq!(said(r#"{"a":{"msg":"inner"},"msg":"outer"}"#), "outer");
        assert_eq!(said(r#"{"time":"msg","msg":"y"}"#), "y");
    }

    #[test]
    fn without_a_text_the_whole_body_counts() {
        for body in ["", "{", "{}", "x", "\"", "{\"msg\"", "{\"msg\":7}", "{\"msg\":\"", "\\", "{\"a\\"] {
            let whole = if body == "{\"msg\":\"" { "" } else { body };
            assert_eq!(said(body.as_bytes()), whole.as_bytes(), "{body}");
        }
    }
}
