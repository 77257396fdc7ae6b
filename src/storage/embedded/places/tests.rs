//! What waits to be written is found all the same, whatever happens before it is.

use crate::embedded::Embedded;
use crate::scratch::Scratch;
use crate::{Order, Outcome, Store, StoreError, contract, migrate};
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::history::{Conversation, Span};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{StoreReply, StoreRequest};
use rusqlite::Connection;
use std::path::Path;

/// A store that writes its places after so many messages.
fn open(path: &Path, due: usize) -> Embedded {
    let mut store = Embedded::open(path, &Limits::default()).unwrap();
    store.memory.places.make_due_after(due);
    store
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn perform(store: &mut Embedded, orders: &[Order]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    store.perform(orders, &mut outcomes).unwrap();
    outcomes
}

/// The users 1 to 3, of whom the first has group 1.
fn enroll(store: &mut Embedded) {
    let enroll = |name: &str| Order::Enroll { name: name.into(), hash: "h".into() };
    perform(store, &["amy", "ben", "cleo"].map(enroll));
    let (name, desc) = ("g".to_owned(), String::new());
    perform(store, &[Order::Request(StoreRequest::CreateGroup { user: user(1), name, desc })]);
}

fn envelope(sender: u64, target: Target, mid: u64) -> Envelope {
    let (sender, mid, durability) = (user(sender), MessageId(mid), Durability::IfUndelivered);
    let message = Message { sender, target, mid, ts: Millis(1), cid: "", durability, body: b"{}" };
    Envelope::message(message, &mut Vec::new())
}

/// So many messages from 1 to 2 and as many from 3 to 1, mixed, with ids from `mid` on.
fn talk(mid: u64, messages: u64) -> Order {
    let two = |mid| [envelope(1, Target::User(user(2)), mid), envelope(3, Target::User(user(1)), mid + 1)];
    let envelopes = (0..messages).flat_map(|number| two(mid + number * 2)).collect();
    Order::Request(StoreRequest::AppendHistory { envelopes })
}

/// Ids and places of a conversation's messages.
fn told(store: &mut Embedded, one: u64, other: u64, span: Span, messages: usize) -> Vec<(u64, u64)> {
    let conversation = Conversation::With(user(other));
    let (user, wanted, bytes) = (user(one), Default::default(), usize::MAX);
    let request = StoreRequest::History { user, conversation, span, wanted, messages, bytes };
    match perform(store, &[Order::Request(request)]).remove(0) {
        Outcome::Reply(Ok(StoreReply::History(page))) => {
            page.messages.iter().map(|message| (message.envelope.mid().0, message.pos)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn all(store: &mut Embedded) -> [Vec<(u64, u64)>; 2] {
    [(2, 1), (1, 3)].map(|(one, other)| told(store, one, other, Span::Newest, usize::MAX))
}

/// As a crash leaves it: nothing closed, nothing checkpointed, the lock gone with the process.
fn crashed(path: &Path, due: usize) -> (Scratch, Embedded) {
    let copy = Scratch::new();
    for file in ["chatd.db", "chatd.db-wal"] {
        std::fs::copy(path.join(file), copy.path().join(file)).unwrap();
    }
    let store = open(copy.path(), due);
    (copy, store)
}

fn count(path: &Path, sql: &str) -> i64 {
    Connection::open(path.join("chatd.db")).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

const RUNS: &str = "SELECT count(*) FROM place";
const PLACED: &str = "SELECT ifnull(sum(octet_length(mids) / 8), 0) FROM place";

#[test]
fn the_contract_is_kept_however_often_they_are_written() {
    for due in [1, 3] {
        let scratch = Scratch::new();
        let mut count = 0;
        contract::run(&mut |limits: &Limits| {
            count += 1;
            let mut store = Embedded::open(&scratch.path().join(count.to_string()), limits).unwrap();
            store.memory.places.make_due_after(due);
            Box::new(store) as Box<dyn Store>
        });
    }
}

#[test]
fn a_crash_at_any_batch_loses_no_place() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path(), 10);
    enroll(&mut store);
    let mut waited = Vec::new();
    for batch in 0..6 {
        perform(&mut store, &[talk(1_000 + batch * 100, 2)]);
        // Ids of long ago, which a start does not look for once the table was written.
        perform(&mut store, &[talk(10 + batch * 10, 1)]);
        waited.push(store.memory.places.waiting());
        let expected = all(&mut store);
        assert_eq!(expected[0].len() as u64, 3 * (batch + 1));
        assert!(expected.iter().all(|told| told.iter().map(|(_, pos)| *pos).eq(1..=3 * (batch + 1))));
        let (copy, mut crashed) = crashed(scratch.path(), 10);
        assert_eq!(all(&mut crashed), expected, "after batch {batch}");
        perform(&mut crashed, &[talk(5_000, 10)]);
        let mut longer = all(&mut crashed);
        assert_eq!(longer[0].len() as u64, 3 * (batch + 1) + 10);
        longer.iter_mut().for_each(|told| told.truncate(expected[0].len()));
        assert_eq!(longer, expected, "what comes then has the places after them");
        Box::new(crashed).close().unwrap();
        assert_eq!(count(copy.path(), PLACED), 2 * (3 * (batch as i64 + 1) + 10), "each place once");
    }
    assert_eq!(waited, [6, 0, 4, 8, 0, 4]);
    Box::new(store).close().unwrap();
    assert_eq!(count(scratch.path(), PLACED), 36);
}

#[test]
fn those_that_follow_each_other_are_one_row() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path(), 1_000);
    enroll(&mut store);
    perform(&mut store, &[talk(1, 300)]);
    assert_eq!((count(scratch.path(), RUNS), store.memory.places.waiting()), (0, 600));
    perform(&mut store, &[talk(1_001, 200)]);
    let full = 500_i64.div_euclid(super::RUN as i64) + 1;
    assert_eq!((count(scratch.path(), RUNS), count(scratch.path(), PLACED)), (2 * full, 1_000));
    assert!(store.memory.places.waiting() == 0);
    // Some wait again, so that a page may be of both.
    perform(&mut store, &[talk(2_001, 50)]);
    let every: Vec<(u64, u64)> = told(&mut store, 1, 2, Span::Newest, usize::MAX);
    assert!(every.iter().map(|(_, pos)| *pos).eq(1..=550) && every.is_sorted());
    for pos in [0, 1, 2, 119, 120, 121, 239, 240, 241, 499, 500, 501, 549, 550, 551, 9_999] {
        for most in [1, 7, 130, 1_000] {
            let after: Vec<_> = every.iter().copied().filter(|(_, at)| *at > pos).take(most).collect();
            assert_eq!(told(&mut store, 2, 1, Span::After(pos), most), after, "{most} after {pos}");
            let mut before: Vec<_> = every.iter().rev().copied().filter(|(_, at)| *at < pos).collect();
            before.truncate(most);
            before.reverse();
            assert_eq!(told(&mut store, 2, 1, Span::Before(pos), most), before, "{most} before {pos}");
        }
        let at = store.memory.places.at(&store.db, (user(2), user(1)), pos).unwrap();
        assert_eq!(at.map(|mid| (mid.0, pos)), every.iter().copied().find(|(_, at)| *at == pos));
    }
}

#[test]
fn a_batch_that_fails_while_they_are_written_changes_nothing() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path(), 8);
    enroll(&mut store);
    perform(&mut store, &[talk(1, 3)]);
    let before = all(&mut store);
    let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON place BEGIN SELECT RAISE(ABORT, 'no'); END";
    store.db.execute_batch(refuses).unwrap();
    for _ in 0..2 {
        let failed = store.perform(&[talk(101, 5)], &mut Vec::new());
        assert!(matches!(failed, Err(StoreError::Order(_))), "{failed:?}");
        // That the table is due does not stop who only reads.
        store.memory.places.make_due_after(usize::MAX);
        assert_eq!(all(&mut store), before);
        store.memory.places.make_due_after(8);
    }
    store.db.execute_batch("DROP TRIGGER refuses").unwrap();
    perform(&mut store, &[talk(201, 5)]);
    assert!(store.memory.places.waiting() == 0);
    let after = all(&mut store);
    assert!(after[0].iter().map(|(_, pos)| *pos).eq(1..=8), "{after:?}");
    assert_eq!(after[0][..3], before[0]);
}

#[test]
fn a_start_has_few_messages_to_look_at_however_many_went_to_groups() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path(), 8);
    enroll(&mut store);
    perform(&mut store, &[talk(1, 1)]);
    let post = |mid| {
        let envelope = envelope(1, Target::Group(GroupId::new(1).unwrap()), mid);
        Order::Request(StoreRequest::StoreMessage { envelope })
    };
    perform(&mut store, &(0..20).map(|number| post(100 + number)).collect::<Vec<_>>());
    assert_eq!(count(scratch.path(), "SELECT placed_upto FROM history"), 119);
    assert_eq!(count(scratch.path(), PLACED), 2);
    let (_copy, mut crashed) = crashed(scratch.path(), 8);
    assert_eq!(all(&mut crashed), [vec![(1, 1)], vec![(2, 1)]]);
}

#[test]
fn places_of_before_are_found_and_whoever_deletes_messages_deletes_no_more() {
    let scratch = Scratch::new();
    let path = scratch.path().join("chatd.db");
    let mut db = Connection::open(&path).unwrap();
    migrate::migrate(&mut db, &path, &migrate::SQLITE[..4]).unwrap();
    db.execute_batch(
        "INSERT INTO user (id, name, password) VALUES (1, 'amy', 'h'), (2, 'ben', 'h'), (3, 'cleo', 'h');
         WITH RECURSIVE n (n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n WHERE n < 250)
         INSERT INTO message (mid, ts, sender, recipient, pos, body)
             SELECT n * 1000, 1, 1 + n % 2, 2 - n % 2, n, '{}' FROM n
             UNION ALL SELECT n * 1000 + 1, 1, 3, 1, n, '{}' FROM n WHERE n < 3;
         DELETE FROM message WHERE mid BETWEEN 37000 AND 39000",
    )
    .unwrap();
    drop(db);
    let mut store = open(scratch.path(), 8);
    let expected: Vec<(u64, u64)> =
        (1..=250).filter(|pos| !(37..=39).contains(pos)).map(|pos| (pos * 1_000, pos)).collect();
    assert_eq!(told(&mut store, 1, 2, Span::Newest, usize::MAX), expected);
    assert_eq!(told(&mut store, 1, 3, Span::Newest, usize::MAX), [(1_001, 1), (2_001, 2)]);
    perform(&mut store, &[talk(300_001, 1)]);
    assert_eq!(told(&mut store, 1, 2, Span::After(249), 9), [(250_000, 250), (300_001, 251)]);
    store.db.execute("DELETE FROM message WHERE mid IN (2000, 300001)", []).unwrap();
    // What is gone is passed over, and the page is filled with what follows.
    assert_eq!(told(&mut store, 1, 2, Span::After(0), 3), [(1_000, 1), (3_000, 3), (4_000, 4)]);
    assert_eq!(told(&mut store, 1, 2, Span::After(249), 9), [(250_000, 250)]);
    perform(&mut store, &[talk(400_001, 1)]);
    assert_eq!(told(&mut store, 1, 2, Span::After(249), 9), [(250_000, 250), (400_001, 252)]);
}
