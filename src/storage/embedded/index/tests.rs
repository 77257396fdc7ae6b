//! What only the embedded store does with its index: goes on after a crash, and forgets with the messages.

use super::{AGAIN_STEP, PIECE, PUT, RUN_BYTES, SETTLED_RUNS};
use crate::embedded::Embedded;
use crate::embedded::tests::{amy, count, enroll, open, perform, store_message};
use crate::scratch::Scratch;
use crate::search::Indexed;
use crate::{Order, Store};
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::ids::{GroupId, MessageId, Millis};
use chatd_chat::port::store::StoreRequest;
use rusqlite::Connection;

fn group() -> GroupId {
    GroupId::new(1).unwrap()
}

/// A store in which amy has made that group.
fn with_a_group(scratch: &Scratch) -> Embedded {
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    let (name, desc) = ("g".into(), String::new());
    perform(&mut store, &[Order::Request(StoreRequest::CreateGroup { user: amy(), name, desc })]);
    store
}

/// What amy says there, in so many words and its number.
fn said(mid: u64, words: usize) -> Order {
    let body = format!(r#"{{"id":1,"msg":"{} {mid}","msgid":10}}"#, "tea ".repeat(words));
    let (sender, target, durability) = (amy(), Target::Group(group()), Durability::Always);
    let (mid, ts) = (MessageId(mid), Millis(mid));
    let message = Message { sender, target, mid, ts, cid: "", durability, body: body.as_bytes() };
    Order::Request(StoreRequest::StoreMessage { envelope: Envelope::message(message, &mut Vec::new()) })
}

#[test]
fn the_index_of_a_group_that_is_dissolved_is_deleted() {
    let scratch = Scratch::new();
    let mut store = with_a_group(&scratch);
    let said = |mid: u64| said(mid, 90);
    perform(&mut store, &(1..=1_500).map(said).collect::<Vec<_>>());
    while store.index().unwrap() == Indexed::Partly {}
    perform(&mut store, &(1_501..=3_000).map(said).collect::<Vec<_>>());
    // Some of these are read and not written yet when the group goes.
    assert_eq!(store.index().unwrap(), Indexed::Partly);
    assert!(count(scratch.path(), "search") > 100);
    perform(&mut store, &[Order::Request(StoreRequest::DelGroup { user: amy(), group: group(), row: None })]);
    for _ in 0..20 {
        while store.index().unwrap() == Indexed::Partly {}
        perform(&mut store, &[Order::Request(StoreRequest::Friends { user: amy() })]);
    }
    assert_eq!((count(scratch.path(), "message"), count(scratch.path(), "search")), (0, 0));
}

/// Late messages, and whatever else is to be indexed anew, are not forgotten by a crash; nor is what was never indexed.
#[test]
fn the_index_goes_on_after_a_crash() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    perform(&mut store, &(100..200).map(|mid| store_message(Target::User(amy()), mid)).collect::<Vec<_>>());
    while store.index().unwrap() == Indexed::Partly {}
    perform(&mut store, &[store_message(Target::User(amy()), 50)]);
    assert_eq!(count(scratch.path(), "search_again"), 1);
    perform(&mut store, &[store_message(Target::User(amy()), 250)]);
    assert_eq!(count(scratch.path(), "search_again"), 1, "what is not late waits for its turn");
    drop(store);
    let mut store = open(scratch.path()).unwrap();
    while store.index().unwrap() == Indexed::Partly {}
    assert_eq!(count(scratch.path(), "search_again"), 0);
    let db = Connection::open(scratch.path().join("chatd.db")).unwrap();
    let upto: i64 = db.query_row("SELECT searched_upto FROM history", [], |row| row.get(0)).unwrap();
    assert_eq!(upto, 250);
}

/// The index waits for no disk; whoever is acknowledged does.
#[test]
fn a_batch_is_flushed_whatever_was_indexed_before() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    let synchronous = |store: &Embedded| {
        store.db.pragma_query_value(None, "synchronous", |found| found.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(synchronous(&store), 2);
    store.index().unwrap();
    assert_eq!(synchronous(&store), 2);
    // A step that somebody else is in the way of.
    let other = Connection::open(scratch.path().join("chatd.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.db.busy_timeout(std::time::Duration::ZERO).unwrap();
    assert!(store.index().is_err());
    assert_eq!(synchronous(&store), 2);
    other.execute_batch("ROLLBACK").unwrap();
    // One that could not be taken back.
    store.db.pragma_update(None, "synchronous", "NORMAL").unwrap();
    store.memory.indexer.flushes_nothing = true;
    perform(&mut store, &[store_message(Target::User(amy()), 1)]);
    assert_eq!(synchronous(&store), 2);
}

/// Whatever there is to be indexed, what comes meanwhile waits for no more than a step, and a step has its bounds in work:
/// a group in which thousands were said since the last one, and all of it anew, message by message.
#[test]
fn no_step_does_more_than_it_may() {
    let scratch = Scratch::new();
    let mut store = with_a_group(&scratch);
    let said = |mid: u64| said(mid, 12);
    perform(&mut store, &(1..=4_000).map(said).collect::<Vec<_>>());
    let mut indexed = 0;
    let mut step = |store: &mut Embedded| {
        let done = store.index().unwrap();
        let work = store.memory.indexer.work;
        assert!(work.put < PUT + AGAIN_STEP + PIECE, "{work:?}");
        // A piece ends the run that it begins in, and fills others.
        assert!(work.runs <= 2 * PUT.div_ceil(PIECE) + work.put / 16 + AGAIN_STEP * 2, "{work:?}");
        indexed += work.put;
        done
    };
    while step(&mut store) == Indexed::Partly {}
    let runs = count(scratch.path(), "search");
    // Some 50 bytes a message.
    assert!(runs < 4_000 * 70 / RUN_BYTES as i64, "the runs are full: {runs}");
    store.db.execute_batch("INSERT INTO search_again (mid) SELECT mid FROM message").unwrap();
    while step(&mut store) == Indexed::Partly {}
    assert_eq!((indexed, count(scratch.path(), "search_again")), (8_000, 0));
    assert_eq!(count(scratch.path(), "search"), runs);
}

/// No step waits for the log to be moved into the database: whoever searches does that, and the log begins anew.
#[test]
fn what_is_indexed_is_settled_aside() {
    let scratch = Scratch::new();
    let mut store = with_a_group(&scratch);
    // One of them fills a run.
    let said = |mid: u64| said(mid, 900);
    let messages: Vec<Order> = (1..=3_000).map(said).collect();
    messages.chunks(500).for_each(|messages| drop(perform(&mut store, messages)));
    let mut searcher = store.searcher().unwrap().unwrap();
    store.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let log_pages = || std::fs::metadata(scratch.path().join("chatd.db-wal")).unwrap().len() as usize / 4_120;
    assert_eq!(log_pages(), 0);
    let mut settled = 0;
    while store.index().unwrap() == Indexed::Partly {
        if store.is_to_settle() {
            let pages = log_pages();
            assert!(pages >= SETTLED_RUNS, "{pages} pages are in the log: no step has moved them");
            searcher.settle().unwrap();
            settled += 1;
        }
    }
    assert!(settled >= 2, "settled {settled} times");
    let (pages, most) = (log_pages(), 2 * SETTLED_RUNS);
    assert!(pages < most, "the log has begun anew: {pages} pages, {most} at most");
    assert!(count(scratch.path(), "search") >= 3_000);
}
