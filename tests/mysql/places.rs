//! Places and read markers that two servers give at the same time.

use super::{mark, user};
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{GroupId, MessageId, Millis};
use chatd::chat::model::limits::Limits;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::{Order, Outcome, Store};
use chatd_testing::services::install;
use chatd_testing::services::mariadb::MariaDb;

const USERS: u64 = 6;
const BATCHES: u64 = 40;
const MESSAGES: u64 = 50;

/// Two servers store messages of the same few people and groups at the same time, in no order, and these read
/// meanwhile.
#[test]
fn places_have_no_gap_though_two_servers_give_them() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let url = MySqlUrl::parse(&mariadb.url(&mariadb.make_database())).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    let enroll = |number| Order::Enroll { name: format!("u{number}"), hash: String::new() };
    let mut orders: Vec<Order> = (1..=USERS).map(enroll).collect();
    orders.extend([1, 2].map(|number| {
        let (name, desc) = (format!("g{number}"), String::new());
        Order::Request(StoreRequest::CreateGroup { user: user(1), name, desc })
    }));
    orders.extend([1, 2].map(|number| {
        Order::Request(StoreRequest::AddGroup { user: user(2), group: group(number), row: None })
    }));
    store.perform(&orders, &mut Vec::new()).unwrap();
    let stored: usize = std::thread::scope(|scope| {
        let servers = [0, 1].map(|server| {
            scope.spawn({
                let url = &url;
                move || work(url, server)
            })
        });
        servers.map(|server| server.join().unwrap()).iter().sum()
    });
    assert_eq!(stored as u64, 2 * BATCHES * MESSAGES);
    let both = (0..BATCHES * MESSAGES).filter(|number| number % 9 == 0).count() as u64;
    let different = 2 * BATCHES * MESSAGES - both;
    assert_eq!(gaps(&mariadb, url.database()), ["0", "0", &different.to_string()]);
    assert_eq!(unknown(&mariadb, url.database()), ["0", "0"], "everybody knows what it has a part in");
}

fn group(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

/// What one of the servers does. Says how many messages it was told are stored.
fn work(url: &MySqlUrl, server: u64) -> usize {
    let mut store = MySql::open(url, &Limits::default()).unwrap();
    let mut stored = 0;
    for batch in 0..BATCHES {
        let mut orders: Vec<Order> =
            (0..MESSAGES).map(|place| message(server, batch * MESSAGES + place)).collect();
        // Everybody reads everything, in no order either.
        for number in (0..USERS * USERS).map(|number| (number * (5 + 2 * server) + batch) % (USERS * USERS)) {
            let conversation = Conversation::With(user(1 + number / USERS));
            orders.insert(number as usize, mark(user(1 + number % USERS), conversation));
        }
        orders.push(mark(user(1 + batch % 2), Conversation::Group(group(1))));
        let mut outcomes = Vec::new();
        store.perform(&orders, &mut outcomes).expect("neither keeps the other from durability");
        let is_stored = |one: &&Outcome| matches!(one, Outcome::Reply(Ok(StoreReply::Stored(_))));
        stored += outcomes.iter().filter(is_stored).count();
    }
    stored
}

/// A message of one of them. Both servers are given some, under different ids.
fn message(server: u64, number: u64) -> Order {
    let sender = number.wrapping_mul(7 + server) % USERS;
    let cid = if number.is_multiple_of(9) { format!("both {number}") } else { String::new() };
    let place = number / 3 + server;
    let (sender, target) = match place % 5 {
        _ if !cid.is_empty() => (1, Target::User(user(2))),
        0 if sender < 2 => (sender + 1, Target::Group(group(1 + place % 2))),
        other => (sender + 1, Target::User(user(1 + (sender + other) % USERS))),
    };
    let mid = MessageId(1_000_000 * (server + 1) + number);
    let (ts, durability, body) = (Millis(1), Durability::Always, "{}".as_bytes());
    let message = Message { sender: user(sender), target, mid, ts, cid: &cid, durability, body };
    Order::Request(StoreRequest::StoreMessage { envelope: Envelope::message(message, &mut Vec::new()) })
}

/// Conversations with a gap in their places, those whose head is not their last place, and messages.
pub fn gaps(mariadb: &MariaDb, database: &str) -> Vec<String> {
    let found = mariadb.sql(&format!(
        "USE {database}; SELECT COUNT(*) FROM (
             SELECT COUNT(*) AS messages, COUNT(DISTINCT pos) AS places, MAX(pos) AS last FROM message
             GROUP BY groupid, LEAST(sender, recipient), GREATEST(sender, recipient)
             HAVING messages <> places OR messages <> last
         ) AS gaps;
         SELECT COUNT(*) FROM conversation JOIN (
             SELECT LEAST(sender, recipient) AS low, GREATEST(sender, recipient) AS high, MAX(pos) AS last
             FROM message WHERE groupid IS NULL GROUP BY 1, 2
         ) AS found USING (low, high) WHERE head <> last;
         SELECT COUNT(*) FROM message"
    ));
    found.split_whitespace().map(str::to_owned).collect()
}

/// Conversations that one of their people is not known to have, and read markers beyond the last message.
fn unknown(mariadb: &MariaDb, database: &str) -> Vec<String> {
    let found = mariadb.sql(&format!(
        "USE {database}; SELECT COUNT(*) FROM (
             SELECT sender AS userid, recipient AS peer FROM message WHERE groupid IS NULL
             UNION SELECT recipient, sender FROM message WHERE groupid IS NULL
         ) AS said LEFT JOIN dialogue USING (userid, peer) WHERE marker IS NULL;
         SELECT COUNT(*) FROM dialogue
         LEFT JOIN conversation ON low = LEAST(userid, peer) AND high = GREATEST(userid, peer)
         WHERE marker > IFNULL(head, 0)"
    ));
    found.split_whitespace().map(str::to_owned).collect()
}
