//! The server's API, as an application's own server uses it: one connection that goes on, JSON in and out.

use crate::DEADLINE;
use crate::chatd::{Chatd, Setup};
use crate::scratch::Scratch;
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// The token of the server that [`start`] starts, which is called `tests` in the log.
pub const TOKEN: &str = "a-token-that-tests-have-0123456789";

/// A chatd whose API takes [`TOKEN`].
pub fn start(cores: usize) -> (Chatd, Api) {
    with_api(Setup::new(cores))
}

/// The same of one that was set up already.
pub fn with_api(setup: Setup) -> (Chatd, Api) {
    let scratch = Arc::new(Scratch::new());
    let chatd = taking(setup, &scratch).start();
    let api = Api::of(&chatd);
    (chatd, api)
}

/// A server whose API takes [`TOKEN`], and that is to be started; the token is in a file there.
pub fn taking(setup: Setup, scratch: &Scratch) -> Setup {
    let file = scratch.path().join("tokens");
    fs::write(&file, format!("tests {TOKEN}\n")).expect("a file can be written");
    setup.admin("127.0.0.1:0").argument(&format!("--api-token-file={}", file.display()))
}

/// One connection to the API. It begins with the first that is said on it: of one that says nothing the server hangs up.
pub struct Api {
    /// The admin address.
    pub address: SocketAddr,
    stream: Option<TcpStream>,
    heard: Vec<u8>,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Api {
    /// A connection to the API of a server that [`with_api`] has started.
    pub fn of(chatd: &Chatd) -> Self {
        let line = chatd.stdout_lines().into_iter().find(|line| line.starts_with("  admin "));
        let line = line.expect("the start-up screen has a line on the admin address");
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        Self::at(address.and_then(|address| address.parse().ok()).expect("an address"))
    }

    /// A connection to the API there.
    pub fn at(address: SocketAddr) -> Self {
        Self { address, stream: None, heard: Vec::new() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the admin address listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("not zero");
        stream.set_write_timeout(Some(DEADLINE)).expect("not zero");
        stream
    }

    /// Says these bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let stream = self.stream.take().unwrap_or_else(|| self.connect());
        self.stream.insert(stream).write_all(bytes).expect("it is read");
    }

    /// A request for an act, as it is written.
    pub fn request(path: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    }

    /// Has something done, and hears what came of it.
    pub fn post(&mut self, act: &str, body: &Value) -> Answer {
        self.write(&Self::request(&format!("/v1/{act}"), &body.to_string()));
        self.hear()
    }

    /// The same of an act that HTTP has nothing against.
    pub fn act(&mut self, act: &str, body: &Value) -> Value {
        let answer = self.post(act, body);
        assert_eq!(answer.status, 200, "{act} {body}: {answer:?}");
        answer.json()
    }

    /// The same of an act that is done.
    pub fn done(&mut self, act: &str, body: &Value) -> Value {
        let answer = self.act(act, body);
        assert_eq!(answer["errno"], 0, "{act} {body}: {answer}");
        answer
    }

    /// The next answer.
    pub fn hear(&mut self) -> Answer {
        let end = self.hear_until(b"\r\n\r\n");
        let head = String::from_utf8(self.heard.drain(..end).collect()).expect("a head is ASCII");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|head| head.get(..3)?.parse().ok());
        let header = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let body = match header("Content-Length").and_then(|length| length.parse().ok()) {
            Some(length) => self.hear_bytes(length),
            None if header("Transfer-Encoding") == Some("chunked") => self.hear_chunks(),
            None => Vec::new(),
        };
        Answer { status: status.unwrap_or_else(|| panic!("a status: {head}")), body, head }
    }

    fn hear_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let end = self.hear_until(b"\r\n");
            let line: Vec<u8> = self.heard.drain(..end).collect();
            let line = String::from_utf8(line).expect("a length is ASCII");
            let length = usize::from_str_radix(line.trim(), 16).expect("a length");
            body.extend(self.hear_bytes(length));
            assert_eq!(self.hear_bytes(2), b"\r\n");
            if length == 0 {
                return body;
            }
        }
    }

    /// Hears until these bytes have come; where they end.
    fn hear_until(&mut self, mark: &[u8]) -> usize {
        loop {
            let at = self.heard.windows(mark.len()).position(|window| window == mark);
            match at {
                Some(at) => return at + mark.len(),
                None => {
                    assert!(self.hear_more(), "an answer goes on: {}", String::from_utf8_lossy(&self.heard))
                }
            }
        }
    }

    fn hear_bytes(&mut self, count: usize) -> Vec<u8> {
        while self.heard.len() < count {
            assert!(self.hear_more(), "a body goes on");
        }
        self.heard.drain(..count).collect()
    }

    /// Hears that the connection ends, and nothing before that.
    pub fn hear_end(&mut self) {
        assert!(!self.hear_more(), "the connection ends: {}", String::from_utf8_lossy(&self.heard));
    }

    fn hear_more(&mut self) -> bool {
        let mut bytes = [0; 16 << 10];
        let stream = self.stream.as_mut().expect("something was said");
        let count = stream.read(&mut bytes).expect("something comes in time");
        self.heard.extend_from_slice(&bytes[..count]);
        count > 0
    }
}
