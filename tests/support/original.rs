//! A reader that is as narrow as the original client: one `recv(1024)`, one parse, and the end over anything else.
//!
//! What it asks for is what the original asks for, byte for byte: keys sorted, compact, one NUL after each.

use super::DEADLINE;
use super::client::User;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

pub struct Original {
    stream: TcpStream,
    id: u64,
}

impl Original {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("chatd listens");
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Self { stream, id: 0 }
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("chatd reads");
    }

    pub fn say(&mut self, frame: &Value) {
        self.write(&[frame.to_string().as_bytes(), b"\0"].concat());
    }

    /// One turn of its loop: what it takes for a frame. `None` at the end of the connection; `Err` with what it dies
    /// over.
    pub fn read(&mut self) -> Result<Option<Value>, String> {
        let mut bytes = [0; 1_024];
        let count = self.stream.read(&mut bytes).map_err(|error| format!("nothing came: {error}"))?;
        if count == 0 {
            return Ok(None);
        }
        // It reads a C string: what follows a NUL is not seen. Two frames without one are no JSON.
        let text = bytes[..count].split(|&byte| byte == 0).next().expect("split gives one at least");
        match serde_json::from_slice(text) {
            Ok(frame) => Ok(Some(frame)),
            Err(error) => Err(format!("{error}: {:?}", String::from_utf8_lossy(&bytes[..count]))),
        }
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
        look_sharp();
        match self.login(user) {
            Ok(texts) => self.go_on_until(texts, last),
            Err(why) => (Vec::new(), Some(why)),
        }
    }

    /// Shows what comes, after what it has shown, until it has shown `last` or dies.
    pub fn go_on_until(&mut self, mut texts: Vec<String>, last: &str) -> (Vec<String>, Option<String>) {
        look_sharp();
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

/// People's machines have time for the one client that they run; this one has tests beside it. Where it may, the thread
/// goes before them: its read is not to come late by a turn of theirs.
fn look_sharp() {
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the parameters are read during the call; 0 is this thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
}
