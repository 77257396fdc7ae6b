//! The frame of a message with another text: what stands around it stays.

use super::text::escape;
use crate::model::envelope::said::text_range;

/// The frame with this text. `None` if that is what it says, or if it has no text.
pub fn edited(body: &[u8], msg: &str) -> Option<Vec<u8>> {
    let range = text_range(body)?;
    let mut out = Vec::with_capacity(body.len() + msg.len());
    out.extend_from_slice(&body[..range.start]);
    escape(&mut out, msg.as_bytes());
    if out[range.start..] == body[range.clone()] {
        return None;
    }
    out.extend_from_slice(&body[range.end..]);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::edited;

    #[test]
    fn the_text_is_another_and_the_rest_stays() {
        let body = br#"{"id":1,"msg":"a\"b","msgid":6,"name":"\",\"msg\":\"x","toid":2}"#;
        let text = |msg| edited(body, msg).map(|body| String::from_utf8(body).unwrap());
        let rest = r#","msgid":6,"name":"\",\"msg\":\"x","toid":2}"#;
        assert_eq!(text("c\n\"d").unwrap(), format!(r#"{{"id":1,"msg":"c\n\"d"{rest}"#));
        assert_eq!(text("").unwrap(), format!(r#"{{"id":1,"msg":""{rest}"#));
        assert_eq!(text("a\"b"), None, "it says that already");
        assert_eq!(edited(b"{}", "x"), None);
    }
}
