//! Reads the few fields that the harness wants out of a server's frame.
//!
//! Of the many frames that are pushed only the id of a message is looked for, and not read as JSON.

use serde::Deserialize;

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
#[derive(Deserialize, Default, PartialEq, Eq, Debug)]
#[serde(default)]
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
    /// Reads a frame; one that is no JSON object gives an answer with nothing in it.
    pub fn read(frame: &[u8]) -> Answer {
        // serde takes a list for an object without its keys.
        let is_object = frame.trim_ascii_start().first() == Some(&b'{');
        is_object.then(|| serde_json::from_slice(frame).ok()).flatten().unwrap_or_default()
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
            assert_eq!(cut, Answer::default());
        }
        for nonsense in ["", "no", "[1]", "{", "{\"", "{\"a\\"] {
            assert_eq!(Answer::read(nonsense.as_bytes()), Answer::default());
        }
    }
}
