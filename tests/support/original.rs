//! A reader that is as narrow as the original client: one `recv(1024)`, one parse, and the end over anything else.
//!
//! What it asks for is what the original asks for, byte for byte: keys sorted, compact, one NUL after each.

use super::DEADLINE;
use super::client::User;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What a server that paces leaves between two frames at least.
const GAP: Duration = Duration::from_millis(2);

pub struct Original {
    stream: TcpStream,
    id: u64,
    /// Frames that were read and not shown, and what follows the last of them.
    inbox: VecDeque<Value>,
    rest: Vec<u8>,
    /// When there was nothing in its socket for the last time, and how many frames were read since.
    since: Instant,
    read: u32,
}

impl Original {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("chatd listens");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let (inbox, rest) = (VecDeque::new(), Vec::new());
        Self { stream, id: 0, inbox, rest, since: Instant::now(), read: 0 }
    }

    /// What comes from now on was not there before.
    pub fn begin(&mut self) {
        (self.since, self.read) = (Instant::now(), 0);
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("chatd reads");
    }

    pub fn say(&mut self, frame: &Value) {
        self.write(&[frame.to_string().as_bytes(), b"\0"].concat());
    }

    /// One turn of its loop: what it takes for a frame. `None` at the end of the connection; `Err` with what it dies
    /// over.
    ///
    /// Frames that come together, or in two parts, end it, unless it comes too late for them itself: on a machine that
    /// keeps it waiting, frames meet that were written one by one. So many frames take so many gaps to be written,
    /// however late anybody is; a read that brings them sooner shows that they were not.
    pub fn read(&mut self) -> Result<Option<Value>, String> {
        loop {
            if let Some(frame) = self.inbox.pop_front() {
                return Ok(Some(frame));
            }
            let mut bytes = [0; 1_024];
            // Until there is something to be read.
            self.stream.peek(&mut [0]).map_err(|error| format!("nothing came: {error}"))?;
            let before = Instant::now();
            let count = self.stream.read(&mut bytes).map_err(|error| format!("nothing came: {error}"))?;
            if count == 0 {
                return if self.rest.is_empty() { Ok(None) } else { Err("half a frame came last".into()) };
            }
            let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
            let parts = self.take(&bytes[..count]).map_err(|error| format!("{error}: {text:?}"))?;
            self.read += parts;
            if self.read > 1 && self.since.elapsed() < GAP * (self.read - 1) {
                return Err(format!("{} frames within {:?}: {text:?}", self.read, self.since.elapsed()));
            }
            if count < bytes.len() {
                (self.since, self.read) = (before, 0);
            }
        }
    }

    /// Takes in what was read; of how many frames it is.
    fn take(&mut self, bytes: &[u8]) -> Result<u32, serde_json::Error> {
        let continues = !self.rest.is_empty();
        // A NUL ends a frame, and none may follow.
        self.rest.extend(bytes.iter().map(|&byte| if byte == 0 { b' ' } else { byte }));
        let mut frames = serde_json::Deserializer::from_slice(&self.rest).into_iter::<Value>();
        let (mut whole, mut end) = (0, 0);
        loop {
            match frames.next() {
                Some(Ok(frame)) => {
                    self.inbox.push_back(frame);
                    (whole, end) = (whole + 1, frames.byte_offset());
                }
                Some(Err(error)) if !error.is_eof() => return Err(error),
                _ => break,
            }
        }
        self.rest.drain(..end);
        if self.rest.iter().all(u8::is_ascii_whitespace) {
            // A NUL that comes by itself is no frame, and is one to the original.
            let alone = whole == 0 && !continues;
            self.rest.clear();
            return if alone { serde_json::from_str("").map(|()| 0) } else { Ok(whole) };
        }
        // A frame in two parts takes two writes.
        Ok(whole + 1)
    }

    /// Logs in; the texts that the answer shows.
    pub fn login(&mut self, user: &User) -> Result<Vec<String>, String> {
        self.id = user.id;
        self.say(&json!({"id": user.id, "msgid": 1, "password": user.password}));
        let answer = self.read()?.ok_or("the connection ended")?;
        if (&answer["msgid"], &answer["errno"]) != (&json!(2), &json!(0)) {
            return Err(format!("no login: {answer}"));
        }
        for list in ["friends", "groups", "offlinemsg"] {
            let entries = answer[list].as_array().map_or(&[][..], Vec::as_slice);
            if let Some(entry) = entries.iter().find(|entry| !entry.is_string()) {
                return Err(format!("{list} has {entry}"));
            }
        }
        let offline = answer["offlinemsg"].as_array().map_or(&[][..], Vec::as_slice);
        offline.iter().map(|entry| shown(&serde_json::from_str(entry.as_str().unwrap()).unwrap())).collect()
    }

    /// Logs in and shows what comes, until it has shown `last` or dies: all that it has shown, and how it died.
    pub fn show_until(&mut self, user: &User, last: &str) -> (Vec<String>, Option<String>) {
        match self.login(user) {
            Ok(texts) => self.go_on_until(texts, last),
            Err(why) => (Vec::new(), Some(why)),
        }
    }

    /// Shows what comes, after what it has shown, until it has shown `last` or dies.
    pub fn go_on_until(&mut self, mut texts: Vec<String>, last: &str) -> (Vec<String>, Option<String>) {
        while texts.last().is_none_or(|text| text != last) {
            match self.read() {
                Ok(Some(frame)) if frame["msgid"] == 6 || frame["msgid"] == 10 => match shown(&frame) {
                    Ok(text) => texts.push(text),
                    Err(why) => return (texts, Some(why)),
                },
                // It ignores what it does not know.
                Ok(Some(_)) => {}
                Ok(None) => return (texts, Some("the connection ended".into())),
                Err(why) => return (texts, Some(why)),
            }
        }
        (texts, None)
    }
}

/// What it prints of a message, which must have texts where it wants texts.
fn shown(frame: &Value) -> Result<String, String> {
    let text = |name: &str| frame[name].as_str().ok_or_else(|| format!("no {name}: {frame}"));
    text("time").and(text("name"))?;
    Ok(text("msg")?.to_owned())
}
