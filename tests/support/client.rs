//! A client of the seed dialect, as plain as can be.

use super::DEADLINE;
use super::chatd::SECRET;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

/// Somebody who is registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct User {
    pub id: u64,
    pub name: String,
    pub password: String,
}

/// One connection.
pub struct Client {
    pub stream: TcpStream,
    /// What ends its frames.
    pub end: &'static [u8],
    /// Who is logged in on it.
    pub id: u64,
    inbox: Vec<u8>,
    /// How much of the inbox was heard.
    heard: usize,
    over: bool,
    /// Whether it hears the server's PINGs, and answers none. All else do: on a busy machine one may be silent for 30 s.
    pub sees_pings: bool,
}

fn password_of(name: &str) -> String {
    format!("{SECRET} of {name}")
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).expect("chatd listens"))
    }

    /// From an address of this machine: all of 127.0.0.0/8 are.
    pub fn connect_from(source: [u8; 4], address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from((source, 0)).into()).expect("it is an address of this machine");
        socket.connect(&address.into()).expect("chatd listens");
        Self::of(socket.into())
    }

    /// On a connection that is there.
    pub fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self { stream, end: b"\0", id: 0, inbox: Vec::new(), heard: 0, over: false, sees_pings: false }
    }

    /// Ends its frames with a newline from now on.
    pub fn with_newlines(mut self) -> Self {
        self.end = b"\n";
        self
    }

    /// Sends bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("chatd reads");
    }

    /// Sends bytes as they are; the connection may be gone.
    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends as many of these bytes as the kernel takes.
    pub fn try_part(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.stream.write(bytes)
    }

    /// Sends one frame.
    pub fn say_text(&mut self, frame: &str) {
        let bytes = [frame.as_bytes(), self.end].concat();
        self.write(&bytes);
    }

    pub fn say(&mut self, frame: Value) {
        self.say_text(&frame.to_string());
    }

    /// Says nothing more, and still listens.
    pub fn half_close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset: what was not read is thrown away.
    pub fn reset(self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        let (address, size) = ((&raw const linger).cast(), size_of::<libc::linger>() as u32);
        // SAFETY: the option is read during the call.
        let set = unsafe {
            libc::setsockopt(self.stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_LINGER, address, size)
        };
        assert_eq!(set, 0);
    }

    /// Makes the kernel take in only little for this client. Call before much was sent to it.
    pub fn small_window(&mut self) {
        let bytes: libc::c_int = 4_096;
        let (address, size) = ((&raw const bytes).cast(), size_of::<libc::c_int>() as u32);
        // SAFETY: the option is read during the call.
        let set = unsafe {
            libc::setsockopt(self.stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, address, size)
        };
        assert_eq!(set, 0);
    }

    /// Whether something has come for this client that it has not read.
    pub fn has_heard(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let heard = self.stream.peek(&mut [0]).is_ok();
        self.stream.set_nonblocking(false).unwrap();
        heard
    }

    /// What the kernel has taken in for this client and it has not read.
    pub fn taken(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; 1 << 20];
        self.stream.set_nonblocking(true).unwrap();
        let taken = self.stream.peek(&mut bytes).unwrap_or(0);
        self.stream.set_nonblocking(false).unwrap();
        bytes.truncate(taken);
        bytes
    }

    /// Reads until there is one more frame that is for the test, or the end.
    fn next(&mut self, waited_for: &str) -> Option<Vec<u8>> {
        loop {
            let frame = self.next_of_any(waited_for)?;
            match frame.strip_prefix(b"{\"msgid\":22") {
                Some(rest) if !self.sees_pings => {
                    // It may be that the server hears nothing more.
                    let _ = self.try_write(&[b"{\"msgid\":23", rest, self.end].concat());
                }
                _ => return Some(frame),
            }
        }
    }

    fn next_of_any(&mut self, waited_for: &str) -> Option<Vec<u8>> {
        let mut searched = self.heard;
        loop {
            if let Some(found) = self.inbox[searched..].iter().position(|&b| b == 0 || b == b'\n') {
                let frame = self.inbox[self.heard..searched + found].to_vec();
                self.heard = searched + found + 1;
                if self.heard == self.inbox.len() {
                    self.inbox.clear();
                    self.heard = 0;
                }
                return Some(frame);
            }
            self.inbox.drain(..self.heard);
            self.heard = 0;
            searched = self.inbox.len();
            if self.over {
                return None;
            }
            let mut bytes = [0; 65_536];
            match self.stream.read(&mut bytes) {
                Ok(0) => self.over = true,
                Ok(count) => self.inbox.extend_from_slice(&bytes[..count]),
                Err(error) if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => {
                    self.over = true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!(
                    "user {} waited for {waited_for}: {error}; had {:?}",
                    self.id,
                    String::from_utf8_lossy(&self.inbox)
                ),
            }
        }
    }

    /// The next frame, byte for byte, without its terminator.
    pub fn hear_bytes(&mut self, waited_for: &str) -> Vec<u8> {
        match self.next(waited_for) {
            Some(frame) => frame,
            None => panic!("user {} waited for {waited_for}, and the connection ended", self.id),
        }
    }

    pub fn hear_text(&mut self, waited_for: &str) -> String {
        String::from_utf8(self.hear_bytes(waited_for)).expect("frames are UTF-8")
    }

    /// The next frame.
    pub fn hear(&mut self, waited_for: &str) -> Value {
        let frame = self.hear_text(waited_for);
        serde_json::from_str(&frame).unwrap_or_else(|error| panic!("{error}: {frame}"))
    }

    /// The next frame, unless the connection ends.
    pub fn hear_or_end(&mut self, waited_for: &str) -> Option<Value> {
        let frame = self.next(waited_for)?;
        Some(serde_json::from_slice(&frame).expect("a frame is JSON"))
    }

    /// All frames until the connection ends. What is left of a frame that was cut is dropped.
    pub fn hear_until_end(&mut self, waited_for: &str) -> Vec<Value> {
        let mut frames = Vec::new();
        while let Some(frame) = self.next(waited_for) {
            frames.push(serde_json::from_slice(&frame).expect("a frame is JSON"));
        }
        frames
    }

    /// The bytes as they come, until there are `count` or the connection ends.
    pub fn hear_raw(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.inbox).split_off(self.heard);
        self.heard = 0;
        while bytes.len() < count {
            let mut more = [0; 4_096];
            match self.stream.read(&mut more).expect("bytes come") {
                0 => break,
                read => bytes.extend_from_slice(&more[..read]),
            }
        }
        bytes
    }

    /// The next frame is an ERROR with this errno.
    pub fn hear_error(&mut self, errno: u64) -> Value {
        let frame = self.hear(&format!("ERROR {errno}"));
        assert_eq!((&frame["msgid"], &frame["errno"]), (&json!(21), &json!(errno)), "{frame}");
        frame
    }

    /// The next frame is an ERROR with this errno, and after it the connection ends.
    pub fn hear_error_and_end(&mut self, errno: u64) {
        self.hear_error(errno);
        self.hear_end();
    }

    /// The connection ends, with nothing before.
    pub fn hear_end(&mut self) {
        let rest = self.hear_until_end("the end of the connection");
        assert!(rest.is_empty(), "user {} waited for the end, and heard {rest:?}", self.id);
    }

    /// Everything that came before the answer to what is asked now.
    pub fn hear_until_now(&mut self) -> Vec<Value> {
        let mut frames = Vec::new();
        self.say(json!({"msgid": 13, "id": self.id}));
        loop {
            let frame = self.hear("the friend list");
            if frame["msgid"] == 13 {
                return frames;
            }
            frames.push(frame);
        }
    }

    /// Whether the connection still works: what is asked now is answered.
    pub fn is_answered(&mut self) -> bool {
        let request = json!({"msgid": 13, "id": self.id}).to_string();
        let asked = self.try_write(&[request.as_bytes(), self.end].concat());
        asked.is_ok() && self.next("an answer or the end").is_some()
    }

    /// Nothing came.
    pub fn hear_nothing(&mut self) {
        let frames = self.hear_until_now();
        assert!(frames.is_empty(), "user {} heard {frames:?}", self.id);
    }

    pub fn register(&mut self, name: &str) -> User {
        self.register_many(&[name.to_owned()]).remove(0)
    }

    pub fn register_many(&mut self, names: &[String]) -> Vec<User> {
        for name in names {
            self.say(json!({"msgid": 4, "name": name, "password": password_of(name)}));
        }
        let mut users = Vec::new();
        for name in names {
            let answer = self.hear("the answer to a registration");
            assert_eq!((&answer["msgid"], &answer["errno"]), (&json!(5), &json!(0)), "{answer}");
            let id = answer["id"].as_u64().expect("an id");
            users.push(User { id, name: name.clone(), password: password_of(name) });
        }
        users
    }

    pub fn ask_login(&mut self, user: &User) {
        self.say(json!({"msgid": 1, "id": user.id, "password": user.password}));
        self.id = user.id;
    }

    /// The login worked; its answer.
    pub fn hear_login(&mut self) -> Value {
        let answer = self.hear("the answer to a login");
        assert_eq!((&answer["msgid"], &answer["errno"]), (&json!(2), &json!(0)), "{answer}");
        assert_eq!(answer["id"], json!(self.id), "{answer}");
        answer
    }

    pub fn login(&mut self, user: &User) -> Value {
        self.ask_login(user);
        self.hear_login()
    }

    /// Logs in and takes in what waited: `count` messages, in the order in which they came, in the
    /// login answer and as pushes after it.
    pub fn login_with_backlog(&mut self, user: &User, count: usize) -> Vec<Value> {
        self.ask_login(user);
        self.hear_login_with_backlog(count)
    }

    /// The answer to a login that was asked for, and what waited.
    pub fn hear_login_with_backlog(&mut self, count: usize) -> Vec<Value> {
        let mut messages = entries(&self.hear_login()["offlinemsg"]);
        while messages.len() < count {
            let had = messages.len();
            messages.push(self.hear(&format!("the rest of a backlog of {count}, after {had}")));
        }
        messages
    }

    pub fn logout(&mut self) {
        self.say(json!({"msgid": 3, "id": self.id}));
    }

    /// Until the session is nobody's: what is asked then is refused.
    pub fn hear_until_logged_out(&mut self) {
        self.say(json!({"msgid": 13, "id": self.id}));
        self.hear_error(103);
    }

    pub fn chat(&mut self, to: &User, msg: &str) {
        self.say(chat(self.id, to.id, msg));
    }

    /// Sends a message and hears that it is stored.
    pub fn chat_stored(&mut self, to: &User, msg: &str, cid: &str) {
        let mut frame = chat(self.id, to.id, msg);
        frame["cid"] = json!(cid);
        self.say(frame);
        self.hear_ack(cid);
    }

    pub fn group_chat(&mut self, group: u64, msg: &str) {
        self.say(group_chat(self.id, group, msg));
    }

    pub fn group_chat_stored(&mut self, group: u64, msg: &str, cid: &str) {
        let mut frame = group_chat(self.id, group, msg);
        frame["cid"] = json!(cid);
        self.say(frame);
        self.hear_ack(cid);
    }

    /// The next frame says that the request named `cid` is done.
    pub fn hear_ack(&mut self, cid: &str) -> Value {
        let frame = self.hear(&format!("the ACK of {cid}"));
        let done = (&frame["msgid"], &frame["errno"], &frame["cid"]);
        assert_eq!(done, (&json!(20), &json!(0), &json!(cid)), "{frame}");
        frame
    }

    /// The next frame is a message with this text.
    pub fn hear_msg(&mut self, msg: &str) -> Value {
        let short: String = msg.chars().take(100).collect();
        let frame = self.hear(&format!("the message {short:?}"));
        assert_eq!(frame["msg"], json!(msg), "{frame}");
        frame
    }

    /// Makes a group; its id.
    pub fn create_group(&mut self, name: &str) -> u64 {
        let cid = format!("create {name}");
        let id = self.id;
        self.say(json!({"msgid": 8, "id": id, "groupname": name, "groupdesc": "of a test", "cid": cid}));
        self.hear_ack(&cid)["groupid"].as_u64().expect("a group id")
    }

    pub fn join_group(&mut self, group: u64) {
        let cid = format!("join {group}");
        self.say(json!({"msgid": 9, "id": self.id, "groupid": group, "cid": cid}));
        self.hear_ack(&cid);
    }
}

pub fn chat(from: u64, to: u64, msg: &str) -> Value {
    json!({"msgid": 6, "id": from, "name": "ignored", "toid": to, "msg": msg, "time": "2026-11-23 04:04:14"})
}

pub fn group_chat(from: u64, group: u64, msg: &str) -> Value {
    json!({
        "msgid": 10, "id": from, "name": "ignored", "groupid": group, "msg": msg,
        "time": "2026-11-23 04:04:15"
    })
}

/// The entries of a list of strings, each the text of an object.
pub fn entries(list: &Value) -> Vec<Value> {
    let list = list.as_array().expect("a list");
    let entry = |entry: &Value| serde_json::from_str(entry.as_str().expect("a string")).expect("an object");
    list.iter().map(entry).collect()
}

/// The texts of messages.
pub fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["msg"].as_str().expect("a text").to_owned()).collect()
}

/// The same texts in the same order; says where they begin to differ.
pub fn assert_same(heard: &[String], sent: &[String], at: &str) {
    let differ = |&number: &usize| heard.get(number) != sent.get(number);
    if let Some(first) = (0..heard.len().max(sent.len())).find(differ) {
        let around = |texts: &[String]| {
            let shown = first.saturating_sub(2)..(first + 6).min(texts.len());
            let short = |text: &String| text.chars().take(60).collect::<String>();
            texts.get(shown).unwrap_or_default().iter().map(short).collect::<Vec<_>>()
        };
        panic!("{at}: from {first} on heard {:?} and not {:?}", around(heard), around(sent));
    }
}
