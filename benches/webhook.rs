//! What a webhook costs: the embedded store as the cores use it, with nobody who is told, with somebody who takes nothing,
//! and with somebody on this machine who takes all of it.
//!
//! ```console
//! $ cargo bench --bench webhook                 # 100,000 messages, three times each
//! $ cargo bench --bench webhook -- 20000 1
//! ```
//!
//! CPU is that of this process without the receiver's thread: of the store, of whoever posts and of whoever asks, so the
//! difference between two lines is what the webhook costs. A message tells one event.

use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::ids::{MessageId, Millis, RequestId, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::retention::Retention;
use chatd::chat::port::store::{StoreCall, StoreReply, StoreRequest, StoreReturn};
use chatd::storage::outbox::{Bounds, Kinds, Secret, Webhook};
use chatd::storage::password::Cost;
use chatd::storage::{self, Backend, Config, Order, Outcome, Store};
use rustix::time::{ClockId, clock_gettime};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Messages that wait for the store at one time: those of some hundred people who write as fast as they are answered.
const UNDER_WAY: usize = 1_024;
const PEOPLE: usize = 256;

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// CPU that the receiver has used, in nanoseconds.
type Used = Arc<AtomicU64>;

/// Takes all that comes, on a thread.
fn receive(used: &Used) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, used) = (listener.local_addr().expect("an address"), used.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(&stream.expect("a connection"), &used);
        }
    });
    address
}

fn serve(stream: &TcpStream, used: &Used) {
    let mut reader = BufReader::with_capacity(1 << 20, stream);
    let (mut length, mut line, mut body) = (0, String::new(), Vec::new());
    loop {
        line.clear();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(2) => {
                body.resize(length, 0);
                reader.read_exact(&mut body).expect("a body");
                let mut out = stream;
                out.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    .expect("it waits for an answer");
                used.store(cpu(ClockId::ThreadCPUTime).as_nanos() as u64, Ordering::Relaxed);
            }
            Ok(_) => {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a length");
                }
            }
        }
    }
}

fn users(directory: &Path) -> Vec<UserId> {
    let mut store = storage::embedded::Embedded::open(directory, &Limits::default()).expect("a store");
    let orders: Vec<Order> =
        (0..PEOPLE).map(|at| Order::Enroll { name: format!("user{at}"), hash: "x".into() }).collect();
    let mut outcomes = Vec::new();
    store.perform(&orders, &mut outcomes).expect("it works");
    let made = outcomes.into_iter().map(|outcome| match outcome {
        Outcome::Reply(Ok(StoreReply::Registered(user))) => user,
        other => panic!("a user is made, not {other:?}"),
    });
    made.collect()
}

fn message(users: &[UserId], at: usize, scratch: &mut Vec<u8>) -> StoreRequest {
    let (sender, to) = (users[at % PEOPLE], users[(at * 7 + 1) % PEOPLE]);
    let ts = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let text = "a message of some eighty characters, which is about what people say to each other";
    let body = format!(
        r#"{{"id":{sender},"msg":"{text}","msgid":6,"name":"user","time":"2026-11-23 04:04:14","toid":{to}}}"#
    );
    let cid = format!("c{at}");
    let mid = MessageId(MessageId::of_time(Millis(ts)).0 + at as u64 % (1 << 22));
    let parts = Message {
        sender,
        target: Target::User(to),
        mid,
        ts: Millis(ts),
        cid: &cid,
        durability: Durability::Always,
        body: body.as_bytes(),
    };
    StoreRequest::StoreMessage { envelope: Envelope::message(parts, scratch) }
}

fn webhook(address: SocketAddr) -> Webhook {
    Webhook {
        url: format!("http://{address}/"),
        secret: Secret(b"a secret of this benchmark".to_vec()),
        kinds: Kinds::named(["message"]).expect("it is one"),
        bounds: Bounds { rows: 1_000_000, age_ms: 86_400_000 },
        push_after: Duration::from_secs(10),
    }
}

fn run(name: &str, messages: usize, webhook: Option<Webhook>, used: &Used) {
    let directory: PathBuf = std::env::temp_dir().join(format!("chatd-bench-{}", std::process::id()));
    drop(std::fs::remove_dir_all(&directory));
    let users = users(&directory);
    let config = Config {
        hook: None,
        backend: Backend::Directory(directory.clone()),
        cost: Cost::default(),
        application: None,
        limits: Limits::default(),
        retention: Retention::All,
        search: false,
        webhook,
    };
    let (ask, questions) = flume::bounded(16_384);
    let (answer, answers) = flume::unbounded::<Vec<StoreReturn>>();
    let running = storage::open(config).expect("a store").start(questions, vec![answer]).expect("threads");
    let figures = running.webhook();
    let (mut scratch, mut under_way) = (Vec::new(), 0);
    let before =
        |used: &Used| cpu(ClockId::ProcessCPUTime) - Duration::from_nanos(used.load(Ordering::Relaxed));
    let (began, cpu_before) = (Instant::now(), before(used));
    for at in 0..messages {
        while under_way >= UNDER_WAY {
            under_way -= answers.recv().expect("an answer").len();
        }
        let id = RequestId { index: at as u32, generation: 0 };
        ask.send(StoreCall { core: 0, id, request: message(&users, at, &mut scratch) }).expect("it is taken");
        under_way += 1;
    }
    while under_way > 0 {
        under_way -= answers.recv().expect("an answer").len();
    }
    let stored = began.elapsed();
    let takes = figures.as_ref().is_some_and(|figures| figures.failed() == 0);
    while takes && figures.as_ref().is_some_and(|figures| figures.posted() < messages as u64) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (told, cpu_after) = (began.elapsed(), before(used));
    let each = |time: Duration| messages as f64 / time.as_secs_f64();
    let cpu = (cpu_after - cpu_before).as_secs_f64() * 1e6 / messages as f64;
    let told = if takes { format!("{:9.0} events/s told", each(told)) } else { String::new() };
    println!("{name:28} {:9.0} messages/s stored  {cpu:6.2} µs of CPU a message  {told}", each(stored));
    drop(ask);
    running.join().expect("no panic");
    drop(std::fs::remove_dir_all(&directory));
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let (messages, times) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(3));
    let used = Used::default();
    let takes = receive(&used);
    // A port that nobody listens at any more.
    let dead = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for _ in 0..times {
        run("no webhook", messages, None, &used);
        run("a webhook that is dead", messages, Some(webhook(dead)), &used);
        run("a webhook that takes all", messages, Some(webhook(takes)), &used);
    }
}
