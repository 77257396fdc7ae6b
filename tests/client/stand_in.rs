//! A server that says what a test wants, and nothing else.

use crate::common::DEADLINE;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

pub struct StandIn {
    listener: TcpListener,
    pub address: SocketAddr,
}

/// A client's connection to it.
pub struct Line {
    reader: BufReader<TcpStream>,
}

impl StandIn {
    pub fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        Self { listener, address }
    }

    pub fn accept(&self) -> Line {
        let (stream, _) = self.listener.accept().expect("a client comes");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Line { reader: BufReader::new(stream) }
    }
}

impl Line {
    pub fn hear(&mut self, waited_for: &str) -> Value {
        let mut frame = String::new();
        self.reader.read_line(&mut frame).unwrap_or_else(|error| panic!("waited for {waited_for}: {error}"));
        serde_json::from_str(&frame).unwrap_or_else(|error| panic!("{waited_for}: {error}: {frame:?}"))
    }

    pub fn say(&mut self, frame: &Value) {
        self.write(format!("{frame}\n").as_bytes());
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the client reads");
    }

    /// Hears a login and grants it to whoever asks.
    pub fn let_in(&mut self, name: &str) {
        let login = self.hear("a login");
        assert_eq!(login["msgid"], 1, "{login}");
        self.say(&json!({
            "msgid": 2, "errno": 0, "id": login["id"], "name": name,
            "friends": [], "groups": [], "offlinemsg": [],
        }));
    }

    /// Hears a login, by password or by token, and grants it as a server that speaks v2 does.
    pub fn let_in_v2(&mut self, name: &str, token: &str) -> Value {
        let login = self.hear("a login");
        assert_eq!(login["v"], 2, "{login}");
        self.say(&json!({
            "msgid": 2, "errno": 0, "id": 1, "name": name, "token": token, "complete": true,
            "friends": [], "groups": [], "offlinemsg": [],
        }));
        login
    }

    /// Pushes a message of user 2 to user 1.
    pub fn push(&mut self, cid: &str, mid: u64, msg: &str) {
        self.say(&json!({
            "cid": cid, "mid": mid.to_string(), "ts": 1, "id": 2, "msg": msg, "msgid": 6, "name": "ben",
            "time": "12:34", "toid": 1,
        }));
    }

    /// Hears a request and says that it is done.
    pub fn grant(&mut self, msgid: u64) -> Value {
        let request = self.hear("a request");
        assert_eq!(request["msgid"], msgid, "{request}");
        self.say(&json!({"msgid": 20, "errno": 0, "cid": request["cid"], "re": msgid}));
        request
    }

    /// The connection ends, with nothing before.
    pub fn hear_end(&mut self) {
        let mut rest = Vec::new();
        let read = self.reader.read_until(b'\n', &mut rest);
        assert!(matches!(read, Ok(0) | Err(_)), "{}", String::from_utf8_lossy(&rest));
    }
}
