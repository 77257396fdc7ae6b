//! What a message carries besides its text: the place of the message that it replies to, and an object of its
//! application. Kept as they are written in frames; nothing here reads what is in that object.

const DATA: &str = "\"data\":";
const REPLY: &str = "\"reply\":";

/// What a message carries besides its text, as fields of its frame: `"data":{…},"reply":7,`, one of them at least.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Extras(Box<str>);

impl Extras {
    /// `data` is an object as compact JSON. `None` if there is neither.
    pub fn new(data: Option<&str>, reply: Option<u64>) -> Option<Self> {
        if data.is_none() && reply.is_none() {
            return None;
        }
        let data = data.map_or_else(String::new, |data| format!("{DATA}{data},"));
        let reply = reply.map_or_else(String::new, |pos| format!("{REPLY}{pos},"));
        Some(Self((data + &reply).into()))
    }

    /// The fields, each with its comma.
    pub fn fields(&self) -> &str {
        &self.0
    }
}

/// The extras of a message, from its body: fields with their commas, or nothing. They stand in front of all others.
pub fn extras(body: &[u8]) -> &[u8] {
    // The body of a message without any begins with "groupid" or "id".
    let mut at = 1;
    while let Some(rest) = body.get(at..) {
        let key_bytes = match rest {
            [b'"', b'd', ..] if rest.starts_with(DATA.as_bytes()) => DATA.len(),
            [b'"', b'r', ..] if rest.starts_with(REPLY.as_bytes()) => REPLY.len(),
            _ => break,
        };
        at += key_bytes + value_bytes(&rest[key_bytes..]) + 1;
    }
    body.get(1..at).unwrap_or_default()
}

/// A body without its extras, as v1 has it: the two parts of it.
pub fn without_extras(body: &[u8]) -> [&[u8]; 2] {
    match extras(body).len() {
        0 => [body, b""],
        bytes => [b"{", &body[1 + bytes..]],
    }
}

/// How many bytes the value has that these begin with, up to a comma or the end of what it stands in.
fn value_bytes(bytes: &[u8]) -> usize {
    let (mut depth, mut at, mut in_text) = (0_usize, 0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => depth += 1,
            b',' | b'}' | b']' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at.min(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (text(extras(body.as_bytes())), text(&without_extras(body.as_bytes()).concat()))
    }

    #[test]
    fn what_was_put_in_front_is_found_and_taken_off() {
        let data = r#"{"a":"},\"{\\","b":[{"c":1},{}],"reply":9}"#;
        let rest = r#""id":1,"msg":"x\"reply\":5,","msgid":6,"name":"amy","time":"t","toid":2}"#;
        let seed = format!("{{{rest}");
        assert_eq!(found(&seed), (String::new(), seed.clone()));
        for (data, reply) in
            [(Some(data), None), (None, Some(7)), (Some("{}"), Some(7)), (Some(data), Some(1))]
        {
            let extras = Extras::new(data, reply).unwrap();
            let body = format!("{{{}{rest}", extras.fields());
            assert_eq!(found(&body), (extras.fields().to_owned(), seed.clone()));
        }
        assert_eq!(Extras::new(None, None), None);
    }

    #[test]
    fn bodies_of_others_harm_nobody() {
        for body in
            ["", "{", "{}", "x", "{\"data\":", "{\"data\":{", "{\"data\":\"\\", "{\"reply\":7", "{\"by\":1}"]
        {
            let (extras, seed) = found(body);
            assert!(extras.len() <= body.len() && seed.len() <= body.len() + 1, "{body}: {extras} {seed}");
        }
    }
}
