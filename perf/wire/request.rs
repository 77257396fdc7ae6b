//! What the harness says, byte for byte as the original client says it: keys sorted, compact, one NUL after each.

use super::answer::msgid;
use super::stamp::{STAMP_BYTES, Stamp};

/// A user as the harness knows it.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub id: i64,
    pub name: String,
}

pub fn register(name: &str, password: &str) -> Vec<u8> {
    format!("{{\"msgid\":{},\"name\":\"{name}\",\"password\":\"{password}\"}}\0", msgid::REGISTER)
        .into_bytes()
}

pub fn login(id: i64, password: &str) -> Vec<u8> {
    format!("{{\"id\":{id},\"msgid\":{},\"password\":\"{password}\"}}\0", msgid::LOGIN).into_bytes()
}

/// The one-to-one message of a pair, encoded once; only the stamp changes from message to message.
pub struct ChatFrame {
    bytes: Vec<u8>,
    stamp_at: usize,
}

impl ChatFrame {
    /// `text_bytes` is the length of the message text, stamp included; at least `STAMP_BYTES`.
    pub fn new(from: &Speaker, to_id: i64, time: &str, text_bytes: usize) -> ChatFrame {
        assert!(text_bytes >= STAMP_BYTES, "the text holds the stamp");
        let head = format!("{{\"id\":{},\"msg\":\"", from.id);
        let text = "x".repeat(text_bytes);
        let (kind, name) = (msgid::ONE_CHAT, &from.name);
        let tail =
            format!("\",\"msgid\":{kind},\"name\":\"{name}\",\"time\":\"{time}\",\"toid\":{to_id}}}\0");
        ChatFrame { stamp_at: head.len(), bytes: [head, text, tail].concat().into_bytes() }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one message to what is to be sent.
    pub fn append(&self, stamp: Stamp, outgoing: &mut Vec<u8>) {
        let start = outgoing.len();
        outgoing.extend_from_slice(&self.bytes);
        stamp.write(&mut outgoing[start + self.stamp_at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_original_clients() {
        assert_eq!(
            register("amy406654", "pw1"),
            b"{\"msgid\":4,\"name\":\"amy406654\",\"password\":\"pw1\"}\0"
        );
        assert_eq!(login(25, "pw1"), b"{\"id\":25,\"msgid\":1,\"password\":\"pw1\"}\0");
        let frame = ChatFrame::new(&Speaker { id: 25, name: "amy".into() }, 26, "2026-01-02 03:04:05", 28);
        let mut sent = b"before".to_vec();
        let stamp = Stamp { pair: 1, sequence: 2, time_ns: 3 };
        frame.append(stamp, &mut sent);
        let expected: &[u8] = b"before{\"id\":25,\"msg\":\"@0000100000002000000000003xx\",\"msgid\":6,\
            \"name\":\"amy\",\"time\":\"2026-01-02 03:04:05\",\"toid\":26}\0";
        assert_eq!(sent, expected);
        assert_eq!(frame.len() + 6, sent.len());
        assert_eq!(Stamp::find(&sent[6..]), Some(stamp));
    }
}
