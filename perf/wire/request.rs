//! What the harness says, byte for byte as the original client says it, keys sorted and compact, but for the byte that
//! ends a frame: a newline. Whoever ends frames with NUL is sent one frame a write, some milliseconds apart.

use super::answer::msgid;
use super::stamp::{STAMP_BYTES, Stamp};
use super::websocket::Framing;

/// How connections speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// As the original client.
    Seed,
    V2,
}

/// A user as the harness knows it.
#[derive(Clone, Debug)]
pub struct Speaker {
    pub id: i64,
    pub name: String,
}

pub fn register(name: &str, password: &str) -> Vec<u8> {
    format!("{{\"msgid\":{},\"name\":\"{name}\",\"password\":\"{password}\"}}\n", msgid::REGISTER)
        .into_bytes()
}

pub fn login(id: i64, password: &str, dialect: Dialect) -> Vec<u8> {
    let version = if dialect == Dialect::V2 { ",\"v\":2" } else { "" };
    let kind = msgid::LOGIN;
    format!("{{\"id\":{id},\"msgid\":{kind},\"password\":\"{password}\"{version}}}\n").into_bytes()
}

/// Comes with what an application has signed.
pub fn login_with_jwt(jwt: &str, dialect: Dialect) -> Vec<u8> {
    let version = if dialect == Dialect::V2 { ",\"v\":2" } else { "" };
    format!("{{\"jwt\":\"{jwt}\",\"msgid\":{}{version}}}\n", msgid::LOGIN).into_bytes()
}

/// Comes back without a password.
pub fn resume(token: &str) -> Vec<u8> {
    format!("{{\"msgid\":{},\"token\":\"{token}\",\"v\":2}}\n", msgid::RESUME).into_bytes()
}

/// Says that messages are safe with their reader, by their ids as they were pushed.
#[derive(Default)]
pub struct Confirmation {
    bytes: Vec<u8>,
    mids: usize,
}

impl Confirmation {
    /// As many as the server takes at once, and some to spare.
    const MIDS_MAX: usize = 500;

    /// One more message. Whether that is enough for one frame.
    pub fn add(&mut self, mid: &[u8]) -> bool {
        let lead: &[u8] = if self.mids == 0 { b"{\"mids\":[\"" } else { b"\",\"" };
        self.bytes.extend_from_slice(lead);
        self.bytes.extend_from_slice(mid);
        self.mids += 1;
        self.mids >= Self::MIDS_MAX
    }

    /// The frame, if there is anything to say; the next one begins afresh in the same memory.
    pub fn take(&mut self, say: impl FnOnce(&[u8])) {
        if self.mids > 0 {
            let tail = format!("\"],\"msgid\":{}}}\n", msgid::CONFIRM);
            self.bytes.extend_from_slice(tail.as_bytes());
            say(&self.bytes);
            self.bytes.clear();
            self.mids = 0;
        }
    }
}

/// The answer to a ping.
pub fn pong(n: i64) -> Vec<u8> {
    format!("{{\"msgid\":{},\"n\":{n}}}\n", msgid::PONG).into_bytes()
}

pub fn create_group(id: i64, name: &str, cid: &str) -> Vec<u8> {
    let kind = msgid::CREATE_GROUP;
    format!(
        "{{\"cid\":\"{cid}\",\"groupdesc\":\"\",\"groupname\":\"{name}\",\"id\":{id},\"msgid\":{kind}}}\n"
    )
    .into_bytes()
}

pub fn add_group(id: i64, group: i64, cid: &str) -> Vec<u8> {
    let kind = msgid::ADD_GROUP;
    format!("{{\"cid\":\"{cid}\",\"groupid\":{group},\"id\":{id},\"msgid\":{kind}}}\n").into_bytes()
}

/// Whom a talk is to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum To {
    User(i64),
    Group(i64),
}

/// Whether the sender asks to be told when its message is safe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Acks {
    Asked,
    NotAsked,
}

/// The message of a talk, encoded once; only the stamp changes from message to message.
pub struct ChatFrame {
    bytes: Vec<u8>,
    text_stamp_at: usize,
    cid_stamp_at: Option<usize>,
}

impl ChatFrame {
    /// `text_bytes` is the length of the message text, stamp included; at least `STAMP_BYTES`.
    pub fn new(
        from: &Speaker,
        to: To,
        time: &str,
        text_bytes: usize,
        acks: Acks,
        framing: Framing,
    ) -> ChatFrame {
        assert!(text_bytes >= STAMP_BYTES, "the text holds the stamp");
        let (id, name, text) = (from.id, &from.name, "x".repeat(text_bytes));
        let (cid, cid_stamp_at) = match acks {
            Acks::Asked => (format!("\"cid\":\"{}\",", "x".repeat(STAMP_BYTES)), Some("{\"cid\":\"".len())),
            Acks::NotAsked => (String::new(), None),
        };
        let (group, kind, user) = match to {
            To::User(to) => (String::new(), msgid::ONE_CHAT, format!(",\"toid\":{to}")),
            To::Group(to) => (format!("\"groupid\":{to},"), msgid::GROUP_CHAT, String::new()),
        };
        let head = format!("{{{cid}{group}\"id\":{id},\"msg\":\"");
        let tail = format!("\",\"msgid\":{kind},\"name\":\"{name}\",\"time\":\"{time}\"{user}}}\n");
        let text_stamp_at = head.len();
        let line = [head, text, tail].concat().into_bytes();
        let mut bytes = Vec::new();
        framing.append(&line, &mut bytes);
        // A message has its header in front, and no newline.
        let before = if framing == Framing::Lines { 0 } else { bytes.len() - (line.len() - 1) };
        let cid_stamp_at = cid_stamp_at.map(|at| before + at);
        ChatFrame { text_stamp_at: before + text_stamp_at, cid_stamp_at, bytes }
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one message to what is to be sent.
    pub fn append(&self, stamp: Stamp, outgoing: &mut Vec<u8>) {
        let start = outgoing.len();
        outgoing.extend_from_slice(&self.bytes);
        stamp.write(&mut outgoing[start + self.text_stamp_at..]);
        if let Some(at) = self.cid_stamp_at {
            stamp.write(&mut outgoing[start + at..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_the_original_clients_but_for_the_newline() {
        assert_eq!(
            register("amy406654", "pw1"),
            b"{\"msgid\":4,\"name\":\"amy406654\",\"password\":\"pw1\"}\n"
        );
        assert_eq!(login(25, "pw1", Dialect::Seed), b"{\"id\":25,\"msgid\":1,\"password\":\"pw1\"}\n");
        let amy = Speaker { id: 25, name: "amy".into() };
        let frame =
            ChatFrame::new(&amy, To::User(26), "2026-01-02 03:04:05", 28, Acks::NotAsked, Framing::Lines);
        let mut sent = b"before".to_vec();
        let stamp = Stamp { talk: 1, sequence: 2, time_ns: 3 };
        frame.append(stamp, &mut sent);
        let expected: &[u8] = b"before{\"id\":25,\"msg\":\"@0000100000002000000000003xx\",\"msgid\":6,\
            \"name\":\"amy\",\"time\":\"2026-01-02 03:04:05\",\"toid\":26}\n";
        assert_eq!(sent, expected);
        assert_eq!(frame.len() + 6, sent.len());
        assert_eq!(Stamp::find(&sent[6..]), Some(stamp));
    }

    #[test]
    fn v2_says_so_when_it_logs_in() {
        assert_eq!(login(25, "pw1", Dialect::V2), b"{\"id\":25,\"msgid\":1,\"password\":\"pw1\",\"v\":2}\n");
        assert_eq!(resume("abc"), b"{\"msgid\":25,\"token\":\"abc\",\"v\":2}\n");
        let mut confirmation = Confirmation::default();
        confirmation.take(|_| panic!("nothing is to be said"));
        assert!(!confirmation.add(b"12") && !confirmation.add(b"345"));
        confirmation.take(|said| assert_eq!(said, b"{\"mids\":[\"12\",\"345\"],\"msgid\":24}\n"));
        assert!((1..500).all(|_| !confirmation.add(b"9")) && confirmation.add(b"9"));
        assert_eq!(pong(7), b"{\"msgid\":23,\"n\":7}\n");
    }

    #[test]
    fn a_group_message_with_a_cid() {
        let amy = Speaker { id: 25, name: "amy".into() };
        let frame = ChatFrame::new(&amy, To::Group(7), "t", STAMP_BYTES, Acks::Asked, Framing::Lines);
        let mut sent = Vec::new();
        frame.append(Stamp { talk: 1, sequence: 2, time_ns: 3 }, &mut sent);
        let expected: &[u8] = b"{\"cid\":\"@0000100000002000000000003\",\"groupid\":7,\"id\":25,\
            \"msg\":\"@0000100000002000000000003\",\"msgid\":10,\"name\":\"amy\",\"time\":\"t\"}\n";
        assert_eq!(sent, expected);
        let frame = ChatFrame::new(&amy, To::Group(7), "t", STAMP_BYTES, Acks::Asked, Framing::WebSocket);
        let mut message = Vec::new();
        frame.append(Stamp { talk: 1, sequence: 2, time_ns: 3 }, &mut message);
        assert_eq!(
            (&message[..8], &message[8..]),
            (&[0x81, 0xfe, 0, 126, 0, 0, 0, 0][..], &expected[..expected.len() - 1])
        );
    }
}
