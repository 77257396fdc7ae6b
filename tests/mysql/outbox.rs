//! The outbox of several servers: one of them posts at a time, and tells what is told of groups once.

use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::storage::mysql::{MySql, MySqlUrl};
use chatd::storage::outbox::{Kinds, Page, Step};
use chatd::storage::{Order, Outcome, Store};
use chatd_testing::services::install;
use chatd_testing::services::mariadb::MariaDb;
use std::time::Duration;

fn step(store: &mut MySql, holder: u64, posted: &[u64]) -> Page {
    store.outbox(&Step { posted: posted.to_vec(), ..plain_step(holder) }).expect("the store works")
}

fn plain_step(holder: u64) -> Step {
    Step {
        holder,
        now: Millis(0),
        renew: true,
        posted: Vec::new(),
        tell: None,
        trim: None,
        undelivered_before: None,
        wanted: true,
    }
}

#[test]
fn one_server_posts_until_its_lease_is_over() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let [mut one, mut two] = [0; 2].map(|_| MySql::open(&url, &Limits::default()).unwrap());
    one.set_outbox(Kinds::ALL, Duration::from_secs(10));
    let order = Order::Enroll { name: "amy".to_owned(), hash: String::new() };
    one.perform(&[order], &mut Vec::new()).expect("a user is stored");
    let first = step(&mut one, 1, &[]);
    assert_eq!((first.posts, first.rows.len()), (true, 1));
    let aside = step(&mut two, 2, &[]);
    assert_eq!((aside.posts, aside.rows.len()), (false, 0), "another one posts");
    assert!(step(&mut one, 1, &[]).posts, "it goes on");
    // As if the first had hung for long.
    mariadb.sql(&format!("UPDATE {database}.outbox_poster SET expires = '2001-01-01'"));
    let second = step(&mut two, 2, &[]);
    assert_eq!((second.posts, &second.rows), (true, &first.rows), "what was not deleted comes again");
    let late = step(&mut one, 1, &[first.rows[0].id]);
    assert!(!late.posts, "it learns that another one posts by now");
    assert_eq!(step(&mut two, 2, &[]).rows, [], "and what it has posted is deleted all the same");
}

fn user(id: u64) -> UserId {
    UserId::new(id).expect("an id")
}

pub fn tea() -> GroupId {
    GroupId::new(1).expect("an id")
}

/// The first user says something in the group at this time.
pub fn say(store: &mut MySql, ms: u64) {
    say_in(store, tea(), ms);
}

fn say_in(store: &mut MySql, group: GroupId, ms: u64) {
    let message = Message {
        sender: user(1),
        target: Target::Group(group),
        mid: MessageId(ms),
        ts: Millis(ms),
        cid: "",
        durability: Durability::Always,
        body: b"{}",
    };
    let envelope = Envelope::message(message, &mut Vec::new());
    let mut outcomes = Vec::new();
    store
        .perform(&[Order::Request(StoreRequest::StoreMessage { envelope })], &mut outcomes)
        .expect("it works");
    assert!(matches!(outcomes[..], [Outcome::Reply(Ok(StoreReply::Stored(_)))]), "{outcomes:?}");
}

/// A group of so many others.
pub fn crowd(store: &mut MySql, size: u64) {
    store.set_outbox(Kinds::named(["undelivered"]).expect("it is one"), Duration::from_secs(10));
    let enroll = |at| Order::Enroll { name: format!("user{at}"), hash: String::new() };
    let mut orders: Vec<Order> = (0..=size).map(enroll).collect();
    let request = StoreRequest::CreateGroup { user: user(1), name: "tea".into(), desc: String::new() };
    orders.push(Order::Request(request));
    let join = |id| StoreRequest::AddGroup { user: user(id), group: tea(), row: None };
    orders.extend((2..=size + 1).map(|id| Order::Request(join(id))));
    store.perform(&orders, &mut Vec::new()).expect("the store works");
}

/// Looks who lacks what was said before this time: of which users it is told now, and whether there are more. What is told
/// is posted.
pub fn look(store: &mut MySql, holder: u64, before: u64) -> (Vec<u64>, bool) {
    let undelivered_before = Some(Millis(before));
    let step = Step { now: Millis(before), undelivered_before, ..plain_step(holder) };
    let page = store.outbox(&step).expect("the store works");
    let mut users = Vec::new();
    for line in page.rows.iter().flat_map(|row| row.body.lines()) {
        let event: serde_json::Value = serde_json::from_str(&format!("{{{line}}}")).expect("an object");
        let told = event["users"].as_array().expect("users").iter();
        users.extend(told.map(|user| user["user"].as_u64().expect("a number")));
    }
    let posted = page.rows.iter().map(|row| row.id).collect();
    drop(store.outbox(&Step { posted, undelivered_before: None, ..step }).expect("the store works"));
    (users, page.more)
}

#[test]
fn members_are_told_of_once_whichever_server_goes_over_them() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let [mut one, mut two] = [0; 2].map(|_| MySql::open(&url, &Limits::default()).unwrap());
    crowd(&mut one, 1_100);
    say(&mut one, 1_000);
    let (mut told, more) = look(&mut one, 1, 2_000);
    assert_eq!((told.len(), more), (499, true), "a page, in which is who said it");
    // As if the first had hung for long.
    mariadb.sql(&format!("UPDATE {database}.outbox_poster SET expires = '2001-01-01'"));
    let (second, more) = look(&mut two, 2, 2_000);
    assert_eq!((second.len(), more), (500, true));
    assert_eq!(look(&mut one, 1, 2_000), (Vec::new(), false), "another one posts");
    let (third, more) = look(&mut two, 2, 2_000);
    told.extend(second.into_iter().chain(third));
    assert_eq!((told, more), ((2..=1_101).collect::<Vec<u64>>(), false));
    assert_eq!(look(&mut two, 2, 90_000), (Vec::new(), false));
}

#[test]
fn nothing_is_forgotten_that_is_said_while_a_pass_ends() {
    install::by_apt();
    let mariadb = MariaDb::start(&[]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    crowd(&mut store, 1);
    say(&mut store, 1_000);
    let rows = || mariadb.sql(&format!("SELECT COUNT(*) FROM {database}.untold"));
    // As somebody does who has found the row and is about to commit a message.
    let writes = mariadb.hold(&database, "SELECT * FROM allgroup WHERE id = 1 FOR UPDATE");
    assert_eq!(look(&mut store, 1, 2_000), (vec![2], false), "nobody waits for that");
    assert_eq!(rows().trim(), "1", "somebody may count on it");
    assert_eq!(look(&mut store, 1, 2_000), (Vec::new(), false), "once");
    drop(writes);
    say(&mut store, 3_000);
    assert_eq!(rows().trim(), "1");
    assert_eq!(look(&mut store, 1, 4_000), (vec![2], false));
    assert_eq!(rows().trim(), "0", "all is told");
}

/// Where a lock that somebody else has takes back all that was done before it was asked for, nothing of that is told.
#[test]
fn members_are_told_of_once_where_a_lock_that_is_held_takes_all_back() {
    install::by_apt();
    let mariadb = MariaDb::start(&["--innodb-rollback-on-timeout=1"]).unwrap();
    let database = mariadb.make_database();
    let url = MySqlUrl::parse(&mariadb.url(&database)).unwrap();
    let mut store = MySql::open(&url, &Limits::default()).unwrap();
    crowd(&mut store, 1);
    let other = GroupId::new(2).expect("an id");
    let make = StoreRequest::CreateGroup { user: user(1), name: "other".into(), desc: String::new() };
    let join = StoreRequest::AddGroup { user: user(2), group: other, row: None };
    store.perform(&[make, join].map(Order::Request), &mut Vec::new()).expect("the store works");
    say(&mut store, 1_000);
    say_in(&mut store, other, 1_001);
    let writes = mariadb.hold(&database, "SELECT * FROM allgroup WHERE id = 2 FOR UPDATE");
    let looks = Step { undelivered_before: Some(Millis(2_000)), ..plain_step(1) };
    drop(store.outbox(&looks));
    drop(writes);
    let mut told = Vec::new();
    for _ in 0..2 {
        told.extend(look(&mut store, 1, 2_000).0);
    }
    assert_eq!(told, [2, 2], "of each group once");
}
