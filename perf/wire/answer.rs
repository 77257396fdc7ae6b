//! Reads the few fields that the harness wants out of a server's frame.
//!
//! Looks at the outermost object only, so an `id` inside a list is never mistaken for the answer's own. It is
//! not a validating JSON parser: the harness judges speed, the server's own tests judge its JSON.

/// The msgids that the harness says or hears.
pub mod msgid {
    pub const LOGIN: i64 = 1;
    pub const LOGIN_ACK: i64 = 2;
    pub const REGISTER: i64 = 4;
    pub const REGISTER_ACK: i64 = 5;
    pub const ONE_CHAT: i64 = 6;
    pub const CREATE_GROUP: i64 = 8;
    pub const ADD_GROUP: i64 = 9;
    pub const GROUP_CHAT: i64 = 10;
    pub const ACK: i64 = 20;
    pub const ERROR: i64 = 21;
    pub const PING: i64 = 22;
    pub const PONG: i64 = 23;
    pub const CONFIRM: i64 = 24;
    pub const RESUME: i64 = 25;
}

/// The outermost fields of a frame that matter here.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Answer {
    pub msgid: Option<i64>,
    pub errno: Option<i64>,
    pub id: Option<i64>,
    pub groupid: Option<i64>,
    pub retry_after_ms: Option<i64>,
    pub errmsg: Option<String>,
    /// What comes back without a password.
    pub token: Option<String>,
    /// Of a ping.
    pub n: Option<i64>,
}

impl Answer {
    /// Reads what can be read; a frame that is no object gives an answer with nothing in it.
    pub fn read(frame: &[u8]) -> Answer {
        let mut answer = Answer::default();
        let mut rest = Cursor { bytes: frame, at: 0 };
        if !rest.skip_to(b'{') {
            return answer;
        }
        while let Some(key) = rest.string() {
            if !rest.skip_to(b':') {
                break;
            }
            let value = rest.value();
            match key {
                b"msgid" => answer.msgid = integer(value),
                b"errno" => answer.errno = integer(value),
                b"id" => answer.id = integer(value),
                b"groupid" => answer.groupid = integer(value),
                b"retry_after_ms" => answer.retry_after_ms = integer(value),
                b"n" => answer.n = integer(value),
                b"errmsg" => answer.errmsg = Some(text(value)),
                b"token" => answer.token = Some(text(value)),
                _ => {}
            }
        }
        answer
    }

    /// The id of a pushed message, in v2.
    pub fn mid(frame: &[u8]) -> Option<&[u8]> {
        const KEY: &[u8] = b"\"mid\":\"";
        let rest = &frame[memchr::memmem::find(frame, KEY)? + KEY.len()..];
        Some(&rest[..memchr::memchr(b'"', rest)?])
    }

    /// What a ping wants to hear again; `None` of any other frame.
    pub fn ping(frame: &[u8]) -> Option<i64> {
        memchr::memmem::find(frame, b"\"msgid\":22")?;
        let answer = Answer::read(frame);
        (answer.msgid == Some(msgid::PING)).then(|| answer.n.unwrap_or(0))
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_matches('"').to_owned()
}

fn integer(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

/// A place in a frame; `at ≤ bytes.len()`.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// Moves behind the next `wanted`.
    fn skip_to(&mut self, wanted: u8) -> bool {
        match memchr::memchr(wanted, &self.bytes[self.at..]) {
            Some(offset) => {
                self.at += offset + 1;
                true
            }
            None => false,
        }
    }

    /// The inside of the next string, escapes left as they are.
    fn string(&mut self) -> Option<&'a [u8]> {
        if !self.skip_to(b'"') {
            return None;
        }
        let start = self.at;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => return Some(&self.bytes[start..self.at - 1]),
                b'\\' => self.at = (self.at + 1).min(self.bytes.len()),
                _ => {}
            }
        }
        None
    }

    /// The text of the value that begins here, up to the comma or brace that ends it.
    fn value(&mut self) -> &'a [u8] {
        let start = self.at;
        let mut depth = 0;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' if depth == 0 => break,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
        &self.bytes[start..self.at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_original_server_answers() {
        let answer = Answer::read(br#"{"errno":0,"id":25,"msgid":5}"#);
        assert_eq!((answer.errno, answer.id, answer.msgid), (Some(0), Some(25), Some(5)));
        let answer = Answer::read(br#"{"errmsg":"id or password is invalid!","errno":1,"msgid":2}"#);
        assert_eq!(answer.errmsg.as_deref(), Some("id or password is invalid!"));
        assert_eq!((answer.errno, answer.msgid), (Some(1), Some(2)));
    }

    #[test]
    fn inner_fields_are_not_its_own() {
        let frame =
            br#"{"friends":["{\"id\":2,\"errno\":9}"],"x":{"id":4,"y":[{"id":5}]},"id": 7 ,"msgid":2}"#;
        let answer = Answer::read(frame);
        assert_eq!((answer.id, answer.errno, answer.msgid), (Some(7), None, Some(2)));
    }

    #[test]
    fn the_id_of_a_push_is_found() {
        assert_eq!(Answer::mid(br#"{"cid":"a","mid":"913","ts":1,"id":2}"#), Some(b"913".as_slice()));
        assert_eq!(Answer::mid(br#"{"mid":"913"#), None);
        assert_eq!(Answer::mid(b"{}"), None);
    }

    #[test]
    fn nonsense_reads_as_nothing() {
        let frame = br#"{"id":1,"msg":"a\"b","msgid":21}"#;
        for end in 0..frame.len() {
            let cut = Answer::read(&frame[..end]);
            assert!(cut.msgid != Some(21) || end > frame.len() - 2);
        }
        for nonsense in ["", "no", "[1]", "{", "{\"", "{\"a\\"] {
            assert_eq!(Answer::read(nonsense.as_bytes()), Answer::default());
        }
    }
}
