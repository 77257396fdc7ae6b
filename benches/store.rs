//! What a store does in a second, on a real disk: `cargo bench --bench store`, and with `-- mysql` on a
//! MariaDB that it starts, with its usual settings and a flush for every commit.
//!
//! Everything is durable when it counts: the clock stops at the answer, and answers come after the
//! commit. Started by a test run (without `--bench`) it does a hundredth and proves only that it works.

use chatd_testing::services;
#[path = "store/fill.rs"]
mod fill;
#[path = "store/history.rs"]
mod history;
#[path = "store/search.rs"]
mod search;
#[path = "store/standing.rs"]
mod standing;
#[path = "store/storm.rs"]
mod storm;
#[path = "store/talk.rs"]
mod talk;
#[path = "store/through.rs"]
mod through;

use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::token::Proof;
use chatd::chat::port::store::{CursorUpdate, Detail, Issue, StoreReply, StoreRequest};
use chatd::storage::mysql::MySqlUrl;
use chatd::storage::password::{Cost, Hasher};
use chatd::storage::password_print;
use chatd::storage::{self, Backend, Order, Outcome, Store};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use talk::Readers;

const USERS: u32 = 10_000;
/// Everybody's password, as long as a real hash.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE";

fn main() {
    let full = std::env::args().any(|argument| argument == "--bench");
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let messages = if full { 200_000 } else { 2_000 };
    if only.as_deref() == Some("mysql") {
        return mysql(messages, full);
    }
    let wanted = |name: &str| only.as_ref().is_none_or(|only| name.contains(only.as_str()));
    for batch in [1, 16, 64, 128, 256] {
        if wanted("direct") {
            keep("direct", batch, messages / if batch == 1 { 10 } else { 1 }, Cid::None, Kind::Direct);
        }
    }
    if wanted("settled") {
        keep_and_settle(256, messages);
    }
    if wanted("cid") {
        keep("direct, random cid", 256, messages, Cid::Random, Kind::Direct);
        keep("direct, timed cid", 256, messages, Cid::Timed, Kind::Direct);
    }
    if wanted("group") {
        keep("group", 256, messages, Cid::None, Kind::Group);
        keep("group, timed cid", 256, messages, Cid::Timed, Kind::Group);
    }
    if wanted("history") {
        history::flat_out(messages);
    }
    if wanted("talk") {
        for (readers, what) in [(Readers::Away, "readers away"), (Readers::There, "settled")] {
            for under_way in [64, 256, 1_024, 4_096] {
                let (backend, path) = populated("talk");
                talk::flat_out(
                    &format!("direct, {what}"),
                    backend,
                    messages,
                    under_way,
                    Kind::Direct,
                    readers,
                );
                drop(std::fs::remove_dir_all(path));
            }
        }
        let (backend, path) = populated("talk");
        talk::paced("direct, settled", backend, messages, 20_000, Kind::Direct, Readers::There);
        drop(std::fs::remove_dir_all(path));
    }
    if wanted("storm") && full {
        let (backend, path) = populated("storm");
        storm::form_groups(backend.clone());
        storm::storm("resumed within a second", backend);
        drop(std::fs::remove_dir_all(path));
    }
    if wanted("backlog") {
        backlog(messages / 10);
    }
    if wanted("standing") {
        standing::embedded(full);
    }
    if wanted("search") {
        search::embedded(full);
    }
    if wanted("password") {
        passwords();
    }
}

#[derive(Clone, Copy)]
pub enum Cid {
    None,
    /// As clients should make them: they begin with the time.
    Timed,
    /// As clients may make them.
    Random,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Direct,
    Group,
}

/// A directory on the disk that the build is on.
fn directory(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    drop(std::fs::remove_dir_all(&path));
    path
}

fn open(name: &str) -> (Box<dyn Store>, PathBuf) {
    let path = directory(name);
    let store = storage::embedded::Embedded::open(&path, &Limits::default()).expect("the bench's directory");
    (Box::new(store), path)
}

fn user(number: u32) -> UserId {
    UserId::new(u64::from(number % USERS) + 1).expect("an id")
}

fn group(number: u32) -> GroupId {
    GroupId::new(u64::from(number % 1_000) + 1).expect("an id")
}

fn one(store: &mut dyn Store, orders: &[Order]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(orders.len());
    store.perform(orders, &mut outcomes).expect("the store works");
    outcomes
}

fn enroll(store: &mut dyn Store) {
    let orders: Vec<Order> = (0..USERS)
        .map(|number| Order::Enroll { name: format!("user{number}"), hash: HASH.to_owned() })
        .collect();
    one(store, &orders);
}

/// A thousand groups, every user in two.
fn form_groups(store: &mut dyn Store) {
    let mut orders: Vec<Order> = (0..1_000)
        .map(|number| {
            Order::Request(StoreRequest::CreateGroup {
                user: user(number),
                name: format!("group{number}"),
                desc: String::new(),
            })
        })
        .collect();
    for number in 1_000..USERS {
        for step in [0, 1] {
            orders.push(Order::Request(StoreRequest::AddGroup {
                user: user(number),
                group: group(number + step),
                row: None,
            }));
        }
    }
    one(store, &orders);
}

struct Writer {
    random: u64,
    mid: u64,
    scratch: Vec<u8>,
}

impl Writer {
    fn new() -> Self {
        Self { random: 88_172_645_463_325_252, mid: 790_000_000_000_000_000, scratch: Vec::new() }
    }

    fn next(&mut self) -> u32 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) as u32
    }

    /// From one of two users who talk with nobody else to the other.
    fn between(&mut self, conversation: u32) -> Envelope {
        let first = self.next() % 2;
        let (sender, to) = (user(conversation * 2 + first), user(conversation * 2 + 1 - first));
        self.text(sender, Target::User(to), Cid::None)
    }

    /// From a random user to one of its eight friends, or from a member to its group.
    fn message(&mut self, kind: Kind, cid: Cid) -> Envelope {
        let number = 1_000 + self.next() % (USERS - 1_000);
        let target = match kind {
            Kind::Direct => Target::User(user(number + 1 + self.next() % 8)),
            Kind::Group => Target::Group(group(number)),
        };
        self.text(user(number), target, cid)
    }

    /// 128 bytes of text.
    fn text(&mut self, sender: UserId, target: Target, cid: Cid) -> Envelope {
        self.mid += 1 << 10;
        let cid = match cid {
            Cid::None => String::new(),
            Cid::Timed => format!("{:012x}-{:08x}", self.mid >> 16, self.next()),
            Cid::Random => format!("{:08x}-{:08x}-{:04x}", self.next(), self.next(), self.next() & 0xffff),
        };
        let body = format!(
            r#"{{"id":{sender},"msg":"{}","msgid":6,"name":"somebody","time":"2026-01-01 00:00:00","toid":7}}"#,
            "x".repeat(128)
        );
        let message = Message {
            sender,
            target,
            mid: MessageId(self.mid),
            ts: Millis(self.mid >> 22),
            cid: &cid,
            durability: Durability::Always,
            body: body.as_bytes(),
        };
        Envelope::message(message, &mut self.scratch)
    }
}

fn report(what: &str, count: usize, took: Duration, mut each: Vec<Duration>, cpu: Duration) {
    each.sort_unstable();
    let at = |share: f64| each[((each.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{what:<40} {:>9.0}/s   cpu {:>6.2} µs each   wait ms p50 {:>7.3} p99 {:>7.3} max {:>7.3}",
        count as f64 / took.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / count as f64,
        at(0.5),
        at(0.99),
        at(1.0),
    );
}

fn cpu() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(used.tv_sec as u64, used.tv_nsec as u32)
}

fn keep(what: &str, batch: usize, messages: usize, cid: Cid, kind: Kind) {
    let (mut store, path) = open(&format!("{what} {batch}"));
    enroll(&mut *store);
    if kind == Kind::Group {
        form_groups(&mut *store);
    }
    let mut writer = Writer::new();
    let batches: Vec<Vec<Order>> = (0..messages / batch)
        .map(|_| {
            (0..batch)
                .map(|_| Order::Request(StoreRequest::StoreMessage { envelope: writer.message(kind, cid) }))
                .collect()
        })
        .collect();
    let (start, before) = (Instant::now(), cpu());
    let mut each = Vec::with_capacity(batches.len());
    for orders in &batches {
        let start = Instant::now();
        let outcomes = one(&mut *store, orders);
        each.push(start.elapsed());
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Reply(Ok(StoreReply::Stored(_))))));
    }
    report(
        &format!("{what}, batches of {batch}"),
        batches.len() * batch,
        start.elapsed(),
        each,
        cpu() - before,
    );
    store.close().expect("closed");
    drop(std::fs::remove_dir_all(path));
}

/// The everyday case: every message is kept, delivered, and settled in the batch that follows.
fn keep_and_settle(batch: usize, messages: usize) {
    let (mut store, path) = open("settled");
    enroll(&mut *store);
    let mut writer = Writer::new();
    let mut arrived: Vec<(UserId, MessageId)> = Vec::new();
    let batches: Vec<Vec<Order>> = (0..messages / batch)
        .map(|_| {
            let settle = |(user, mid)| {
                Order::Request(StoreRequest::AckDelivered { user, mids: vec![mid], cursors: vec![] })
            };
            let mut orders: Vec<Order> = arrived.drain(..).map(settle).collect();
            for _ in 0..batch {
                let envelope = writer.message(Kind::Direct, Cid::Timed);
                arrived.push((envelope.user(), envelope.mid()));
                orders.push(Order::Request(StoreRequest::StoreMessage { envelope }));
            }
            orders
        })
        .collect();
    let (start, before) = (Instant::now(), cpu());
    let mut each = Vec::with_capacity(batches.len());
    for orders in &batches {
        let start = Instant::now();
        let outcomes = one(&mut *store, orders);
        each.push(start.elapsed());
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Reply(Ok(_)))));
    }
    let what = format!("direct, timed cid, settled, {batch}");
    report(&what, batches.len() * batch, start.elapsed(), each, cpu() - before);
    store.close().expect("closed");
    drop(std::fs::remove_dir_all(path));
}

/// A store on disk with all users in it.
fn populated(name: &str) -> (Backend, PathBuf) {
    let (mut store, path) = open(name);
    enroll(&mut *store);
    store.close().expect("closed");
    (Backend::Directory(path.clone()), path)
}

/// The same on a MariaDB; with `-- mysql standing` only where conversations stand.
fn mysql(messages: usize, full: bool) {
    let mariadb = services::mariadb::MariaDb::start(&[]).expect("a MariaDB");
    if std::env::args().nth(2).as_deref() == Some("standing") {
        return standing::mysql(&mariadb, full);
    }
    if std::env::args().nth(2).as_deref() == Some("search") {
        return search::mysql(&mariadb, full);
    }
    let place = || {
        let url = MySqlUrl::parse(&mariadb.url(&mariadb.make_database())).expect("a URL");
        let mut store = storage::mysql::MySql::open(&url, &Limits::default()).expect("a database");
        enroll(&mut store);
        Backend::MySql(url)
    };
    for under_way in [256, 1_024, 4_096] {
        talk::flat_out(
            "mysql, direct, readers away",
            place(),
            messages,
            under_way,
            Kind::Direct,
            Readers::Away,
        );
        talk::flat_out("mysql, direct, settled", place(), messages, under_way, Kind::Direct, Readers::There);
    }
    for a_second in [20_000, 30_000, 50_000] {
        talk::paced("mysql, direct, readers away", place(), messages, a_second, Kind::Direct, Readers::Away);
        talk::paced("mysql, direct, settled", place(), messages, a_second, Kind::Direct, Readers::There);
    }
    let groups = place();
    storm::form_groups(groups.clone());
    talk::flat_out("mysql, group", groups, messages, 4_096, Kind::Group, Readers::Away);
    if full {
        let place = place();
        storm::form_groups(place.clone());
        storm::storm("mysql, resumed within a second", place);
    }
}

fn backlog(rounds: usize) {
    let (mut store, path) = open("backlog");
    enroll(&mut *store);
    let me = user(0);
    let orders: Vec<Order> = (0..200)
        .map(|number| {
            Order::Request(StoreRequest::CreateGroup {
                user: me,
                name: format!("g{number}"),
                desc: String::new(),
            })
        })
        .collect();
    one(&mut *store, &orders);
    let take = |bytes: usize| {
        Order::Request(StoreRequest::FetchBacklog {
            user: me,
            after: MessageId(0),
            have: vec![],
            messages: 200,
            bytes,
        })
    };
    let rounds = rounds.clamp(20, 2_000);
    let time = |what: &str, store: &mut dyn Store, order: Order| {
        let (start, before) = (Instant::now(), cpu());
        let mut each = Vec::new();
        for _ in 0..rounds {
            let start = Instant::now();
            one(store, std::slice::from_ref(&order));
            each.push(start.elapsed());
        }
        report(what, rounds, start.elapsed(), each, cpu() - before);
    };
    time("take, 200 groups up to date", &mut *store, take(32 << 10));
    let proof = Proof::Password(password_print(HASH));
    time(
        "roster, 200 groups",
        &mut *store,
        Order::Request(StoreRequest::LoadProfile {
            user: me,
            proof,
            detail: Detail::Members,
            issue: Issue::Nothing,
            device: None,
            heads: 0,
        }),
    );
    // Everybody else writes: 50 messages in each of the 200 groups.
    let other = user(1);
    let groups: Vec<GroupId> = (1..=200).map(|number| GroupId::new(number).expect("an id")).collect();
    one(
        &mut *store,
        &groups
            .iter()
            .map(|group| Order::Request(StoreRequest::AddGroup { user: other, group: *group, row: None }))
            .collect::<Vec<_>>(),
    );
    let mut writer = Writer::new();
    for _ in 0..50 {
        let orders: Vec<Order> = groups
            .iter()
            .map(|group| {
                let envelope = writer.message(Kind::Direct, Cid::None);
                let message = Message {
                    sender: other,
                    target: Target::Group(*group),
                    mid: envelope.mid(),
                    ts: envelope.ts(),
                    cid: "",
                    durability: Durability::Always,
                    body: envelope.body(),
                };
                Order::Request(StoreRequest::StoreMessage {
                    envelope: Envelope::message(message, &mut Vec::new()),
                })
            })
            .collect();
        one(&mut *store, &orders);
    }
    time("take a page, 200 groups behind by 50", &mut *store, take(32 << 10));
    time("take 200 messages, 200 groups behind", &mut *store, take(1 << 20));
    let progress = groups
        .iter()
        .map(|group| CursorUpdate { group: *group, upto: 50, beyond: vec![] })
        .collect::<Vec<_>>();
    one(
        &mut *store,
        &[Order::Request(StoreRequest::AckDelivered { user: me, mids: vec![], cursors: progress })],
    );
    for _ in 0..10 {
        let orders: Vec<Order> = (0..100)
            .map(|_| {
                let envelope = writer.message(Kind::Direct, Cid::None);
                let message = Message {
                    sender: other,
                    target: Target::User(me),
                    mid: envelope.mid(),
                    ts: envelope.ts(),
                    cid: "",
                    durability: Durability::Always,
                    body: envelope.body(),
                };
                Order::Request(StoreRequest::StoreMessage {
                    envelope: Envelope::message(message, &mut Vec::new()),
                })
            })
            .collect();
        one(&mut *store, &orders);
    }
    time("take 200 of 1,000 direct messages", &mut *store, take(1 << 20));
    store.close().expect("closed");
    drop(std::fs::remove_dir_all(path));
}

fn passwords() {
    let mut hasher = Hasher::new(Cost::default());
    let hash = hasher.hash("secret").expect("hashed");
    let time = |what: &str, hasher: &mut Hasher, work: &dyn Fn(&mut Hasher)| {
        let (start, before) = (Instant::now(), cpu());
        let mut each = Vec::new();
        for _ in 0..30 {
            let start = Instant::now();
            work(hasher);
            each.push(start.elapsed());
        }
        report(what, 30, start.elapsed(), each, cpu() - before);
    };
    time("argon2id, m=19456,t=2,p=1, memory kept", &mut hasher, &|hasher| {
        hasher.verify("secret", &hash);
    });
    time("the same, memory taken anew", &mut hasher, &|hasher| {
        hasher.rest();
        hasher.verify("secret", &hash);
    });
    time("the same, unknown user", &mut hasher, &|hasher| hasher.verify_stranger("secret"));
}
