//! Somebody who takes events: checks each request, writes down what is in it, and can be as good as killed at any moment.

use crate::common::DEADLINE;
use crate::common::chatd::Setup;
use crate::common::scratch::Scratch;
use ring::hmac;
use serde_json::Value;
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What both ends have.
pub const SECRET: &str = "a secret of the webhook's tests";

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    /// It is taken.
    Takes,
    /// The connection is reset before anything is read, as by a process that is gone.
    Dead,
    /// It is read, and then the connection is reset.
    DiesAfterReading,
    /// It is written down, and then the connection is reset: the sender cannot know.
    DiesAfterWriting,
    /// It is answered with this status.
    Refuses(u16),
}

struct Inside {
    mood: Mood,
    events: Vec<Value>,
    failed: u64,
    wrong: Vec<String>,
}

struct Shared {
    inside: Mutex<Inside>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    scratch: Scratch,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inside = Inside { mood: Mood::Takes, events: Vec::new(), failed: 0, wrong: Vec::new() };
        let shared = Arc::new(Shared { inside: Mutex::new(inside), changed: Condvar::new() });
        let known = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = known.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        let scratch = Scratch::new();
        std::fs::write(scratch.path().join("secret"), format!("{SECRET}\n")).unwrap();
        Self { address, shared, scratch }
    }

    /// A server that posts here, and is to be started.
    pub fn told_by(&self, setup: Setup) -> Setup {
        setup
            .argument(&format!("--webhook-url=http://{}/events?from=chatd", self.address))
            .argument(&format!("--webhook-secret-file={}", self.scratch.path().join("secret").display()))
    }

    pub fn set(&self, mood: Mood) {
        self.shared.lock().mood = mood;
    }

    /// Waits until so many requests more have failed here.
    pub fn wait_for_failures(&self, more: u64) {
        let wanted = self.shared.lock().failed + more;
        drop(self.wait("failed requests", |inside| inside.failed >= wanted));
    }

    /// Waits until what was told has all that is wanted; all events, as they came.
    pub fn wait_until(&self, what: &str, has: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.wait(what, |inside| has(&inside.events)).events.clone()
    }

    fn wait(&self, what: &str, is_so: impl Fn(&Inside) -> bool) -> MutexGuard<'_, Inside> {
        let end = Instant::now() + 2 * DEADLINE;
        let mut inside = self.shared.lock();
        loop {
            assert!(inside.wrong.is_empty(), "{:?}", inside.wrong);
            if is_so(&inside) {
                return inside;
            }
            let left = end.saturating_duration_since(Instant::now());
            let last = inside.events.last();
            assert!(!left.is_zero(), "waited for {what}: {} events, {last:?}", inside.events.len());
            let waited = self.shared.changed.wait_timeout(inside, left.min(Duration::from_secs(1)));
            inside = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}

/// The events as somebody has them who takes each number once.
pub fn once(events: &[Value]) -> Vec<&Value> {
    let mut seen = HashSet::new();
    events.iter().filter(|event| seen.insert(event["id"].as_u64().expect("an event has a number"))).collect()
}

fn reset(stream: &TcpStream) {
    // Without a good-bye: what is under way is lost.
    drop(socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)));
}

/// One connection: several requests, one after the other.
fn serve(stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().expect("a descriptor"));
    loop {
        if shared.lock().mood == Mood::Dead {
            shared.lock().failed += 1;
            shared.changed.notify_all();
            return reset(&stream);
        }
        let Some((head, body)) = request(&mut reader) else { return };
        let wrong = wrong(&head, &body);
        let mut inside = shared.lock();
        inside.wrong.extend(wrong);
        let mood = inside.mood;
        if matches!(mood, Mood::Takes | Mood::DiesAfterWriting) {
            let body: Value = serde_json::from_slice(&body).expect("it was looked at");
            inside.events.extend(body["events"].as_array().expect("it was looked at").clone());
        }
        if mood != Mood::Takes {
            inside.failed += 1;
        }
        drop(inside);
        let status = match mood {
            Mood::Takes => 200,
            Mood::Refuses(status) => status,
            Mood::Dead | Mood::DiesAfterReading | Mood::DiesAfterWriting => {
                shared.changed.notify_all();
                return reset(&stream);
            }
        };
        // A refusal that asks to be followed is not.
        let answer = format!("HTTP/1.1 {status} x\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
        let answered = (&stream).write_all(answer.as_bytes());
        shared.changed.notify_all();
        if answered.is_err() {
            return;
        }
    }
}

/// The lines of a head, in lower case up to their colons, and the body.
fn request(reader: &mut impl BufRead) -> Option<(Vec<String>, Vec<u8>)> {
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => head.push(line.split_once(':').map_or_else(
                || line.to_owned(),
                |(name, value)| format!("{}:{}", name.to_lowercase(), value.trim()),
            )),
        }
    }
    let mut body = vec![0; field(&head, "content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn field<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

/// What is wrong with a request, if something is.
fn wrong(head: &[String], body: &[u8]) -> Option<String> {
    let say = |what: &str| Some(format!("{what}: {head:?}"));
    if head.first().is_none_or(|line| !line.starts_with("POST /events?from=chatd ")) {
        return say("it is posted elsewhere");
    }
    let signature =
        field(head, "x-chatd-signature").and_then(|text| text.strip_prefix("t=")?.split_once(",v1="));
    let Some((seconds, hex)) = signature else { return say("it is not signed") };
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let signed = [seconds.as_bytes(), b".", body].concat();
    let bytes: Option<Vec<u8>> =
        (0..hex.len() / 2).map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()).collect();
    if hmac::verify(&key, &signed, &bytes.unwrap_or_default()).is_err() {
        return say("its signature is another one");
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return say("its body is no JSON") };
    let first = body["events"].as_array().and_then(|events| events.first()?["id"].as_u64());
    if first.is_none() || field(head, "x-chatd-event-id") != first.map(|id| id.to_string()).as_deref() {
        return say("its number is not that of its first event");
    }
    None
}
