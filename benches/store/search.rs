//! Finding messages by their words: what it costs to index them, and how long a search takes among a million.

use super::fill;
use super::{Writer, cpu, enroll, one, open, report, user};
use chatd::chat::model::change::Wanted;
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::history::{Conversation, SearchPage};
use chatd::chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::search::{Indexed, Question, Searcher};
use chatd::storage::{Order, Store};
use chatd_testing::services::mariadb::MariaDb;
use std::time::Instant;

/// Of the conversations of whoever searches, so many are with one other and so many are groups.
const DIRECT: u64 = 150;
const GROUPS: u64 = 50;
/// Of so many messages one is in those.
const OWN: u64 = 20;
/// Words that there are, as often as Zipf says.
const WORDS: u64 = 20_000;

/// On the disk that the build is on.
pub fn embedded(full: bool) {
    let (mut store, path) = open("search");
    enroll(&mut *store);
    let mut room = Room::in_groups(&mut *store);
    for _ in 0..messages(full) / 1_000 {
        let orders: Vec<Order> = (0..1_000).map(|_| store_message(room.message())).collect();
        one(&mut *store, &orders);
    }
    search("embedded", &mut *store, &mut room, messages(full));
    store.close().expect("closed");
    drop(std::fs::remove_dir_all(path));
}

/// On a MariaDB.
pub fn mysql(mariadb: &MariaDb, full: bool) {
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).expect("a URL");
    let open = || MySql::open(&url, &Limits::default()).expect("a database");
    let mut store = open();
    enroll(&mut store);
    let mut room = Room::in_groups(&mut store);
    // Its connections would be idle for too long.
    drop(store);
    fill::load(mariadb, &database, (0..messages(full)).map(|_| room.message()));
    search("mysql", &mut open(), &mut room, messages(full));
}

fn messages(full: bool) -> u64 {
    if full { 1_000_000 } else { 2_000 }
}

fn store_message(envelope: Envelope) -> Order {
    Order::Request(StoreRequest::StoreMessage { envelope })
}

/// Has all that is stored indexed, as the product does it, and searches.
fn search(what: &str, store: &mut dyn Store, room: &mut Room, messages: u64) {
    let me = user(0);
    let mut searcher = store.searcher().expect("a searcher").expect("a store that searches");
    let (began, before, mut steps, mut stored) = (Instant::now(), cpu(), Vec::new(), Vec::new());
    loop {
        let step = Instant::now();
        let here = store.index().expect("indexed");
        let there = searcher.index().expect("indexed");
        steps.push(step.elapsed());
        if store.is_to_settle() {
            searcher.settle().expect("settled");
        }
        if here == Indexed::All && there == Indexed::All {
            break;
        }
        if steps.len().is_multiple_of(16) {
            // Somebody says something meanwhile.
            let order = store_message(room.message());
            let begun = Instant::now();
            one(store, &[order]);
            stored.push(begun.elapsed());
        }
    }
    let (took, used, longest) = (began.elapsed(), cpu() - before, steps.iter().max().copied());
    report(&format!("{what}, index a message"), messages as usize, took, steps, used);
    stored.sort_unstable();
    let at = |share: f64| {
        stored.get((stored.len() as f64 * share) as usize).map_or(0.0, |one| one.as_secs_f64() * 1e3)
    };
    println!("{what}, store a message meanwhile: ms p50 {:.3} p99 {:.3}", at(0.5), at(0.99));
    println!("{what}, the longest step: {:.1} ms", longest.unwrap_or_default().as_secs_f64() * 1e3);
    let rare = room.rare();
    for (name, q) in [
        ("a common word", "wa"),
        ("a rare word", rare.as_str()),
        ("a word that nobody said", "zzzzzz"),
        ("a common and a rare word", "wa qo"),
        ("one letter", "w"),
        ("two letters of Han", "\u{4e10}\u{4e11}"),
        ("one letter of Han", "\u{4e55}"),
    ] {
        time(&format!("{what}, search {name}"), &mut *searcher, me, q, None);
    }
    let group = GroupId::new(1).map(Conversation::Group);
    time(&format!("{what}, search a common word in a group"), &mut *searcher, me, "wa", group);
}

fn time(what: &str, searcher: &mut dyn Searcher, user: UserId, q: &str, conversation: Option<Conversation>) {
    let question = Question {
        user,
        q: q.to_owned(),
        conversation,
        before: None,
        wanted: Wanted { changes: true, events: false },
        messages: 50,
        bytes: 64 << 10,
    };
    let (began, before, mut each) = (Instant::now(), cpu(), Vec::new());
    let mut last = SearchPage::default();
    for _ in 0..100 {
        let start = Instant::now();
        match searcher.search(&question) {
            Ok(Ok(StoreReply::Search(page))) => last = page,
            other => panic!("{what}: {other:?}"),
        }
        each.push(start.elapsed());
    }
    report(what, 100, began.elapsed(), each, cpu() - before);
    let more = if last.before.is_some() { " and more" } else { "" };
    println!("    found {}{more}", last.hits.len());
}

struct Room {
    writer: Writer,
    dice: u64,
}

impl Room {
    /// Where whoever searches is in its groups, and nothing is said yet.
    fn in_groups(store: &mut dyn Store) -> Self {
        for number in 1..=GROUPS {
            let (name, desc) = (format!("g{number}"), String::new());
            one(store, &[Order::Request(StoreRequest::CreateGroup { user: user(0), name, desc })]);
        }
        Self { writer: Writer::new(), dice: 1 }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % end
    }

    /// The lower the number, the more often: the logarithm is spread evenly.
    fn number(&mut self) -> u64 {
        let even = self.below(1 << 20) as f64 / f64::from(1 << 20);
        (WORDS as f64).powf(even) as u64
    }

    /// A word that nearly nobody says.
    fn rare(&self) -> String {
        word(WORDS - 7)
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        if self.below(20) == 0 {
            for _ in 0..8 {
                let letter = 0x4e00 + self.below(2_000) as u32;
                text.extend(char::from_u32(letter));
            }
            return text;
        }
        for _ in 0..4 + self.below(12) {
            let number = self.number();
            text.push_str(&word(number));
            text.push(' ');
        }
        text
    }

    fn message(&mut self) -> Envelope {
        let me = user(0);
        let (sender, target) = if self.below(OWN) > 0 {
            (user(self.below(9_000) as u32 + 500), Target::User(user(self.below(9_000) as u32 + 500)))
        } else if self.below(DIRECT + GROUPS) < DIRECT {
            (user(1 + self.below(DIRECT) as u32), Target::User(me))
        } else {
            (me, Target::Group(GroupId::new(1 + self.below(GROUPS)).expect("an id")))
        };
        self.writer.mid += 1 << 10;
        let (mid, ts) = (MessageId(self.writer.mid), Millis(self.writer.mid >> 22));
        let body = format!(r#"{{"id":{sender},"msg":"{}","msgid":6,"name":"somebody"}}"#, self.text());
        let message = Message {
            sender,
            target,
            mid,
            ts,
            cid: "",
            durability: Durability::Always,
            body: body.as_bytes(),
        };
        Envelope::message(message, &mut Vec::new())
    }
}

/// Words of two to ten letters, the common ones short.
fn word(mut number: u64) -> String {
    let syllables = ["wa", "ti", "no", "ke", "su", "ra", "mi", "lo", "pe", "du", "qo", "ba"];
    let mut word = String::new();
    loop {
        word.push_str(syllables[(number % 12) as usize]);
        number /= 12;
        if number == 0 {
            return word;
        }
    }
}
