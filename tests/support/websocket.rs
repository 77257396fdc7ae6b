//! A WebSocket client of the tests: raw bytes, and nothing that it would not let itself be told to do.

use super::DEADLINE;
use super::client::Client;
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

/// The request that asks for a WebSocket, byte for byte.
pub const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Opcodes of RFC 6455.
pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The bit that says that a frame is its message's last.
pub const LAST: u8 = 0x80;

/// One frame of the server's: its first byte and its payload.
pub type Heard = (u8, Vec<u8>);

/// One connection that began with HTTP.
pub struct WebSocket {
    pub stream: TcpStream,
    inbox: Vec<u8>,
    /// Bytes that frames took, their headers included.
    pub taken_bytes: usize,
}

/// A client's frame: `first` is its first byte. The mask is made of its length.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    match payload.len() {
        bytes @ 0..126 => out.push(0x80 | bytes as u8),
        bytes @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend((bytes as u16).to_be_bytes());
        }
        bytes => {
            out.push(0x80 | 127);
            out.extend((bytes as u64).to_be_bytes());
        }
    }
    let mask = [0x5a, 0x01, 0xc3, payload.len() as u8];
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

impl WebSocket {
    /// A connection that has said nothing yet.
    pub fn dial(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("chatd listens"))
    }

    /// The same from an address of this machine.
    pub fn dial_from(source: [u8; 4], address: SocketAddr) -> Self {
        Self::of(Client::connect_from(source, address).stream)
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, inbox: Vec::new(), taken_bytes: 0 }
    }

    /// A WebSocket.
    pub fn connect(address: SocketAddr) -> Self {
        let mut socket = Self::dial(address);
        socket.write(UPGRADE.as_bytes());
        let head = socket.hear_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        socket
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("chatd reads");
    }

    /// Sends a text message.
    pub fn say_text(&mut self, text: &str) {
        self.write(&frame(LAST | TEXT, text.as_bytes()));
    }

    pub fn say(&mut self, message: Value) {
        self.say_text(&message.to_string());
    }

    /// Says nothing more, and still listens.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Reads until there are `count` bytes; whether there are.
    fn fill(&mut self, count: usize) -> bool {
        while self.inbox.len() < count {
            let mut bytes = [0; 65_536];
            match self.stream.read(&mut bytes) {
                Ok(0) => return false,
                Ok(read) => self.inbox.extend_from_slice(&bytes[..read]),
                Err(error) if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => {
                    return false;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}; had {:?}", String::from_utf8_lossy(&self.inbox)),
            }
        }
        true
    }

    /// The head of an answer, to its empty line.
    pub fn hear_head(&mut self) -> String {
        let end = |inbox: &[u8]| inbox.windows(4).position(|four| four == b"\r\n\r\n");
        while end(&self.inbox).is_none() {
            assert!(self.fill(self.inbox.len() + 1), "{:?}", String::from_utf8_lossy(&self.inbox));
        }
        let end = end(&self.inbox).expect("looked for above") + 4;
        String::from_utf8(self.inbox.drain(..end).collect()).expect("a head is text")
    }

    /// Everything until the connection ends.
    pub fn hear_rest(&mut self) -> Vec<u8> {
        while self.fill(self.inbox.len() + 1) {}
        std::mem::take(&mut self.inbox)
    }

    /// Makes the kernel take in only some 128 KiB for this client. Call before much was sent to it.
    pub fn small_window(&mut self) {
        socket2::SockRef::from(&self.stream).set_recv_buffer_size(64 << 10).expect("a small one");
    }

    /// The next frame; nothing at the end of the connection.
    pub fn hear_frame(&mut self) -> Option<Heard> {
        let heard = self.hear_frame_or_cut();
        assert!(heard.is_some() || self.inbox.is_empty(), "the connection ended within a frame");
        heard
    }

    /// The next frame; nothing at the end of the connection, wherever that is.
    pub fn hear_frame_or_cut(&mut self) -> Option<Heard> {
        if !self.fill(2) {
            return None;
        }
        let [first, second] = [self.inbox[0], self.inbox[1]];
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let length_bytes = match second {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if !self.fill(2 + length_bytes) {
            return None;
        }
        let length = match length_bytes {
            0 => usize::from(second),
            _ => self.inbox[2..2 + length_bytes].iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)),
        };
        let end = 2 + length_bytes + length;
        if !self.fill(end) {
            return None;
        }
        self.taken_bytes += end;
        let payload = self.inbox.drain(..end).skip(2 + length_bytes).collect();
        Some((first, payload))
    }

    /// The next message, which is text.
    pub fn hear_text(&mut self) -> String {
        let (first, payload) = self.hear_frame().expect("a message, and not the end");
        let payload = String::from_utf8(payload).expect("a text is UTF-8");
        assert_eq!(first, LAST | TEXT, "{payload}");
        payload
    }

    pub fn hear(&mut self) -> Value {
        let text = self.hear_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The next message is an ERROR with this errno.
    pub fn hear_error(&mut self, errno: u64) {
        let frame = self.hear();
        assert_eq!((&frame["msgid"], &frame["errno"]), (&json!(21), &json!(errno)), "{frame}");
    }

    /// The connection is closed with this code, and after that there is nothing.
    pub fn hear_close(&mut self, code: Option<u16>) {
        let payload = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
        assert_eq!(self.hear_frame(), Some((LAST | CLOSE, payload)));
        assert_eq!(self.hear_frame(), None);
    }

    /// The connection still works: what is asked now is answered.
    pub fn hear_nothing(&mut self) {
        self.say(json!({"msgid": 22, "n": 4_711}));
        assert_eq!(self.hear(), json!({"msgid": 23, "n": 4_711}));
    }

    /// Registers and logs in, with v2 if `v2` says so; the user's id.
    pub fn enter(&mut self, name: &str, dialect: Option<u64>) -> u64 {
        self.say(json!({"msgid": 4, "name": name, "password": "of a test"}));
        let id = self.hear()["id"].as_u64().expect("an id");
        let mut login = json!({"msgid": 1, "id": id, "password": "of a test"});
        if let Some(dialect) = dialect {
            login["v"] = json!(dialect);
        }
        self.say(login);
        let answer = self.hear();
        assert_eq!((&answer["msgid"], &answer["errno"]), (&json!(2), &json!(0)), "{answer}");
        id
    }
}
