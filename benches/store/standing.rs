//! Where conversations stand: heads, SYNC and read markers of a user of 200 conversations.

use super::{Cid, HASH, Kind, Writer, cpu, enroll, one, open, report, user};
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::history::{Conversation, SyncFrom};
use chatd::chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::profile::Who;
use chatd::chat::model::token::Proof;
use chatd::chat::port::store::{Detail, Issue, StoreRequest};
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::{Order, Store, password_print};
use chatd_testing::services::mariadb::MariaDb;
use std::time::Instant;

/// Of a user's conversations, so many are with one other and so many are groups.
const DIRECT: u32 = 150;
const GROUPS: u32 = 50;
/// Messages of each conversation, and of everybody else meanwhile for each of them.
const SAID: u32 = 100;
const AROUND: usize = 10;

/// On the disk that the build is on.
pub fn embedded(full: bool) {
    let (mut store, path) = open("standing");
    enroll(&mut *store);
    standing("embedded", &mut *store, full);
    store.close().expect("closed");
    drop(std::fs::remove_dir_all(path));
}

/// On a MariaDB.
pub fn mysql(mariadb: &MariaDb, full: bool) {
    let url = MySqlUrl::parse(&mariadb.url(&mariadb.make_database())).expect("a URL");
    let mut store = MySql::open(&url, &Limits::default()).expect("a database");
    enroll(&mut store);
    standing("mysql", &mut store, full);
}

/// Measures what a user of 200 conversations asks for, and one that has very many unread messages.
fn standing(what: &str, store: &mut dyn Store, full: bool) {
    let me = user(0);
    let mut room = Room { store, writer: Writer::new(), rounds: if full { 200 } else { 2 } };
    let conversations = room.talk(me, if full { SAID } else { 4 });
    let heads = || Order::Request(StoreRequest::Heads { user: me, before: None, heads: 200 });
    let login = |heads: usize| {
        let (proof, detail, issue) = (Proof::Password(password_print(HASH)), Detail::Counts, Issue::Nothing);
        Order::Request(StoreRequest::LoadProfile { user: me, proof, detail, issue, device: None, heads })
    };
    room.time(&format!("{what}, heads, 200 with 67 unread each"), &heads());
    room.time(&format!("{what}, login with 200 heads, 67 unread each"), &login(200));
    let sync = |after: u64| {
        let since = conversations.iter().map(|(conversation, head)| SyncFrom {
            conversation: *conversation,
            after: head.saturating_sub(after),
            chg: None,
        });
        Order::Request(StoreRequest::Sync {
            user: me,
            since: since.collect(),
            wanted: Default::default(),
            messages: 200,
            bytes: 64 << 10,
        })
    };
    room.time(&format!("{what}, sync, 200 with nothing new"), &sync(0));
    room.time(&format!("{what}, sync, 200 with one new each"), &sync(1));
    let marks: Vec<Order> = conversations
        .iter()
        .map(|(conversation, head)| {
            Order::Request(StoreRequest::MoveMarker { user: me, conversation: *conversation, pos: *head })
        })
        .collect();
    let began = Instant::now();
    one(room.store, &marks);
    println!("{what}, 200 markers in one batch: {:.3} ms", began.elapsed().as_secs_f64() * 1e3);
    room.time(&format!("{what}, heads, 200 all read"), &heads());
    for heads in [0, 200] {
        room.time(&format!("{what}, login with {heads} heads, all read"), &login(heads));
    }
    let many = if full { 100_000 } else { 200 };
    let (away, group) = (user(9_999), GroupId::new(u64::from(GROUPS)).expect("an id"));
    one(room.store, &[Order::Request(StoreRequest::AddGroup { user: away, group, row: None })]);
    for (name, reader, target) in
        [("direct", user(9_998), Target::User(user(9_998))), ("group", away, Target::Group(group))]
    {
        for _ in 0..many / 200 {
            let stores: Vec<Order> = (0..200).map(|_| room.say(me, target)).collect();
            one(room.store, &stores);
            keep_awake(room.store);
        }
        let heads = Order::Request(StoreRequest::Heads { user: reader, before: None, heads: 200 });
        room.time(&format!("{what}, heads, 1 {name} with {many} unread"), &heads);
    }
}

/// Has every connection that reads do something: a MySQL hangs up on one that is idle for seconds.
fn keep_awake(store: &mut dyn Store) {
    let find = || Order::Lookup { who: Who::Id(user(0)) };
    one(store, &[find(), find(), find()]);
}

struct Room<'a> {
    store: &'a mut dyn Store,
    writer: Writer,
    rounds: usize,
}

impl Room<'_> {
    /// A message of 128 bytes of text.
    fn say(&mut self, sender: UserId, target: Target) -> Order {
        self.writer.mid += 1 << 10;
        let body = format!(r#"{{"msg":"{}"}}"#, "x".repeat(128));
        let (mid, ts, durability) =
            (MessageId(self.writer.mid), Millis(self.writer.mid >> 22), Durability::Always);
        let message = Message { sender, target, mid, ts, cid: "", durability, body: body.as_bytes() };
        let envelope = Envelope::message(message, &mut Vec::new());
        Order::Request(StoreRequest::StoreMessage { envelope })
    }

    /// Fills the conversations of `me`, by turns, while others talk too. A third is its own.
    fn talk(&mut self, me: UserId, said: u32) -> Vec<(Conversation, u64)> {
        let groups: Vec<GroupId> =
            (1..=GROUPS).map(|number| GroupId::new(u64::from(number)).expect("an id")).collect();
        let mut orders = Vec::new();
        for number in 1..=GROUPS {
            let (name, desc) = (format!("g{number}"), String::new());
            orders.push(Order::Request(StoreRequest::CreateGroup { user: me, name, desc }));
        }
        orders.extend(
            groups
                .iter()
                .map(|&group| Order::Request(StoreRequest::AddGroup { user: user(1), group, row: None })),
        );
        one(self.store, &orders);
        for number in 0..said {
            let mut orders = Vec::new();
            for peer in (1..=DIRECT).map(user) {
                let (sender, to) = if number % 3 == 0 { (me, peer) } else { (peer, me) };
                orders.push(self.say(sender, Target::User(to)));
            }
            let sender = if number % 3 == 0 { me } else { user(1) };
            for &group in &groups {
                orders.push(self.say(sender, Target::Group(group)));
            }
            orders.extend((0..AROUND * 100).map(|_| {
                let envelope = self.writer.message(Kind::Direct, Cid::None);
                Order::Request(StoreRequest::StoreMessage { envelope })
            }));
            orders.chunks(400).for_each(|orders| drop(one(self.store, orders)));
            keep_awake(self.store);
        }
        let direct = (1..=DIRECT).map(|number| Conversation::With(user(number)));
        let groups = groups.into_iter().map(Conversation::Group);
        direct.chain(groups).map(|conversation| (conversation, u64::from(said))).collect()
    }

    fn time(&mut self, what: &str, order: &Order) {
        let (start, before, mut each) = (Instant::now(), cpu(), Vec::new());
        for _ in 0..self.rounds {
            let start = Instant::now();
            one(self.store, std::slice::from_ref(order));
            each.push(start.elapsed());
        }
        report(what, self.rounds, start.elapsed(), each, cpu() - before);
    }
}
