//! What only the embedded store promises: its directory, its file, its lock, what a crash leaves.

use super::{Embedded, SWEEP_MESSAGES};
use crate::scratch::Scratch;
use crate::{OpenError, Order, Outcome, Store, StoreError, contract, migrate};
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{BacklogPage, StoreReply, StoreRequest, StoredMessage};
use rusqlite::Connection;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(super) fn open(path: &Path) -> Result<Embedded, OpenError> {
    Embedded::open(path, &Limits::default())
}

fn refusal(path: &Path) -> String {
    open(path).err().expect("refused").to_string()
}

pub(super) fn perform(store: &mut Embedded, orders: &[Order]) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    store.perform(orders, &mut outcomes).unwrap();
    outcomes
}

pub(super) fn enroll(store: &mut Embedded, name: &str) {
    let outcomes = perform(store, &[Order::Enroll { name: name.into(), hash: "h".into() }]);
    assert!(matches!(outcomes[..], [Outcome::Reply(Ok(StoreReply::Registered(_)))]), "{outcomes:?}");
}

pub(super) fn amy() -> UserId {
    UserId::new(1).unwrap()
}

pub(super) fn store_message(target: Target, mid: u64) -> Order {
    let message = Message {
        sender: amy(),
        target,
        mid: MessageId(mid),
        ts: Millis(mid),
        cid: "",
        durability: Durability::Always,
        body: b"{}",
    };
    Order::Request(StoreRequest::StoreMessage { envelope: Envelope::message(message, &mut Vec::new()) })
}

pub(super) fn count(path: &Path, table: &str) -> i64 {
    let db = Connection::open(path.join("chatd.db")).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn the_contract_is_kept() {
    let scratch = Scratch::new();
    let mut count = 0;
    contract::run(&mut |limits: &Limits| {
        count += 1;
        let directory = scratch.path().join(count.to_string());
        Box::new(Embedded::open(&directory, limits).unwrap()) as Box<dyn Store>
    });
}

#[test]
fn the_directory_is_made_for_this_user_alone() {
    let scratch = Scratch::new();
    let path = scratch.path().join("a/b");
    let _store = open(&path).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in ["chatd.db", "chatd.db-wal", "chatd.lock"] {
        assert_eq!(mode(&path.join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_second_chatd_is_refused_while_the_first_one_lives() {
    let scratch = Scratch::new();
    let first = open(scratch.path()).unwrap();
    let sentence = refusal(scratch.path());
    assert!(sentence.contains("in use by another chatd"), "{sentence}");
    drop(first);
    open(scratch.path()).unwrap();
}

#[test]
fn what_is_no_data_directory_is_refused_with_a_sentence() {
    let scratch = Scratch::new();
    let file = scratch.path().join("file");
    std::fs::write(&file, "x").unwrap();
    for path in [file.clone(), file.join("below")] {
        let sentence = refusal(&path);
        assert!(sentence.contains("as data directory") && sentence.contains("file"), "{sentence}");
    }
    let path = scratch.path().join("taken");
    std::fs::create_dir_all(path.join("chatd.lock")).unwrap();
    let sentence = refusal(&path);
    assert!(sentence.starts_with("cannot write ") && sentence.contains("chatd.lock"), "{sentence}");
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let scratch = Scratch::new();
    for (name, content, words) in [
        ("text", "hello, I am no database. ".repeat(100), "is not a chatd database"),
        ("short", "hello".to_owned(), "is not a chatd database"),
    ] {
        let path = scratch.path().join(name);
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("chatd.db"), &content).unwrap();
        let sentence = refusal(&path);
        assert!(sentence.contains(words), "{name}: {sentence}");
        assert_eq!(std::fs::read_to_string(path.join("chatd.db")).unwrap(), content);
    }
    let path = scratch.path().join("foreign");
    std::fs::create_dir(&path).unwrap();
    Connection::open(path.join("chatd.db")).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    let before = std::fs::read(path.join("chatd.db")).unwrap();
    let sentence = refusal(&path);
    assert!(sentence.contains("database of another program"), "{sentence}");
    assert_eq!(std::fs::read(path.join("chatd.db")).unwrap(), before);
}

/// A name for it, what chatd.db holds if it is there, and a file beside it.
type Left<'a> = (&'a str, Option<&'a [u8]>, Option<(&'a str, &'a [u8])>);

/// Half a restore, a disk that lost a file, a script that "makes sure that the file is there".
#[test]
fn what_is_left_of_a_database_is_no_new_server() {
    let scratch = Scratch::new();
    let whole = scratch.path().join("whole");
    let mut store = open(&whole).unwrap();
    enroll(&mut store, "amy");
    let wal = std::fs::read(whole.join("chatd.db-wal")).unwrap();
    assert!(wal.len() > 1_000);
    let cases: [Left<'_>; 5] = [
        ("empty", Some(b""), None),
        ("empty beside a log", Some(b""), Some(("chatd.db-wal", &wal))),
        ("missing beside a log", None, Some(("chatd.db-wal", &wal))),
        ("missing beside an empty log", None, Some(("chatd.db-wal", b""))),
        ("missing beside a journal", None, Some(("chatd.db-journal", b"x"))),
    ];
    for (name, database, beside) in cases {
        let path = scratch.path().join(name);
        std::fs::create_dir(&path).unwrap();
        database.inspect(|bytes| std::fs::write(path.join("chatd.db"), bytes).unwrap());
        beside.inspect(|(file, bytes)| std::fs::write(path.join(file), bytes).unwrap());
        for _ in 0..2 {
            let sentence = refusal(&path);
            assert!(
                sentence.contains("chatd.db is gone") && sentence.contains("restore a backup"),
                "{sentence}"
            );
            let told = beside.map_or("it is empty", |(file, _)| file);
            assert!(sentence.contains(told), "{name}: {sentence}");
            let left = std::fs::read(path.join("chatd.db")).ok();
            assert_eq!(left.as_deref(), database, "{name}: it is left as it is");
            beside.inspect(|(file, bytes)| assert_eq!(std::fs::read(path.join(file)).unwrap(), *bytes));
        }
    }
}

#[test]
fn a_first_start_that_was_interrupted_is_done_again() {
    let scratch = Scratch::new();
    // As far as one may have come: some bytes under the other name, and its journal.
    for (file, bytes) in
        [("chatd.db.new", &b"SQLite format 3\0 and no more"[..]), ("chatd.db.new-journal", b"x")]
    {
        std::fs::write(scratch.path().join(file), bytes).unwrap();
    }
    enroll(&mut open(scratch.path()).unwrap(), "amy");
    let names = std::fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().contains("new")), "nothing of it is left");
    assert_eq!(count(scratch.path(), "user"), 1);
}

#[test]
fn a_version_that_lies_is_refused_with_a_sentence() {
    for (version, words) in [(1, "it has "), (0, "it has column")] {
        let scratch = Scratch::new();
        drop(open(scratch.path()).unwrap());
        let db = Connection::open(scratch.path().join("chatd.db")).unwrap();
        db.pragma_update(None, "user_version", version).unwrap();
        drop(db);
        let sentence = refusal(scratch.path());
        let says = format!("says that it has schema version {version}, but {words}");
        assert!(sentence.contains(&says), "{sentence}");
    }
    let scratch = Scratch::new();
    let path = scratch.path().join("chatd.db");
    let mut db = Connection::open(&path).unwrap();
    migrate::migrate(&mut db, &path, &migrate::SQLITE[..1]).unwrap();
    db.pragma_update(None, "user_version", migrate::SQLITE.len() as u32).unwrap();
    drop(db);
    let sentence = refusal(scratch.path());
    assert!(sentence.contains("but it has no "), "{sentence}");
}

#[test]
fn a_newer_database_is_refused_by_its_number() {
    let scratch = Scratch::new();
    drop(open(scratch.path()).unwrap());
    let db = Connection::open(scratch.path().join("chatd.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let sentence = refusal(scratch.path());
    assert!(
        sentence.contains("version 99") && sentence.contains(&format!("up to {}", migrate::SQLITE.len())),
        "{sentence}"
    );
}

#[test]
fn a_database_of_any_version_is_brought_up_to_date() {
    for version in 1..migrate::SQLITE.len() {
        let scratch = Scratch::new();
        let path = scratch.path().join("chatd.db");
        let mut db = Connection::open(&path).unwrap();
        migrate::migrate(&mut db, &path, &migrate::SQLITE[..1]).unwrap();
        db.execute_batch(contract::VERSION_1).unwrap();
        migrate::migrate(&mut db, &path, &migrate::SQLITE[..version]).unwrap();
        if version > 1 {
            db.execute_batch(contract::VERSION_2).unwrap();
        }
        drop(db);
        contract::check_version_1(&mut open(scratch.path()).unwrap());
        contract::check_version_2(&mut open(scratch.path()).unwrap(), version > 1);
        // Once more, there is nothing to do.
        contract::check_again(&mut open(scratch.path()).unwrap());
    }
}

#[test]
fn what_was_answered_is_there_after_a_crash_and_after_a_close() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    perform(&mut store, &[store_message(Target::User(amy()), 1)]);
    // As a crash leaves it: nothing closed, nothing checkpointed, the lock gone with the process.
    let copy = scratch.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    for file in ["chatd.db", "chatd.db-wal"] {
        std::fs::copy(scratch.path().join(file), copy.join(file)).unwrap();
    }
    let take = Order::Request(StoreRequest::FetchBacklog {
        user: amy(),
        after: MessageId(0),
        have: vec![],
        messages: 10,
        bytes: 1_000,
    });
    let mut crashed = open(&copy).unwrap();
    let outcomes = perform(&mut crashed, std::slice::from_ref(&take));
    assert!(
        matches!(&outcomes[..], [Outcome::Reply(Ok(StoreReply::Backlog(BacklogPage { messages, .. })))] if messages.len() == 1)
    );
    Box::new(store).close().unwrap();
    assert!(!scratch.path().join("chatd.db-wal").exists(), "a clean end leaves one file");
    let mut closed = open(scratch.path()).unwrap();
    assert_eq!(perform(&mut closed, &[take]), outcomes);
}

#[test]
fn a_long_history_is_swept_a_few_at_a_time() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    let create = |name: &str| {
        Order::Request(StoreRequest::CreateGroup { user: amy(), name: name.to_owned(), desc: String::new() })
    };
    perform(&mut store, &[create("old"), create("other")]);
    let [old, other] = [1, 2].map(|number| GroupId::new(number).unwrap());
    let length = 2 * SWEEP_MESSAGES as u64 + SWEEP_MESSAGES as u64 / 2;
    let orders: Vec<Order> = (0..length).map(|mid| store_message(Target::Group(old), mid)).collect();
    perform(&mut store, &orders);
    perform(&mut store, &[store_message(Target::Group(other), length)]);
    // The first databases have messages of groups in backlogs.
    Connection::open(scratch.path().join("chatd.db"))
        .and_then(|db| {
            db.execute(
                "INSERT INTO offlinemessage (userid, mid) SELECT 1, mid FROM message WHERE groupid = 1",
                [],
            )
        })
        .unwrap();
    let dissolve = Order::Request(StoreRequest::DelGroup { user: amy(), group: old, row: None });
    let take = Order::Request(StoreRequest::FetchBacklog {
        user: amy(),
        after: MessageId(0),
        have: vec![],
        messages: 10,
        bytes: 1_000,
    });
    let outcomes = perform(&mut store, &[dissolve, create("old"), take]);
    let Outcome::Reply(Ok(StoreReply::Backlog(taken))) = &outcomes[2] else { panic!("{:?}", outcomes[2]) };
    assert_eq!(taken.messages, [], "what is not swept yet is not seen either");
    assert_eq!(taken.heads, [(other, 1), (GroupId::new(3).unwrap(), 0)]);
    assert!(taken.complete);
    let mut left = vec![count(scratch.path(), "message")];
    while *left.last().unwrap() > 1 {
        perform(&mut store, &[]);
        left.push(count(scratch.path(), "message"));
        assert_eq!(count(scratch.path(), "offlinemessage"), left.last().unwrap() - 1);
    }
    assert_eq!(left, [1_501, 501, 1]);
    assert_eq!(count(scratch.path(), "allgroup"), 2, "other, and the new old");
}

#[test]
fn a_database_that_is_locked_is_down_and_comes_back() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    store.wait_for_others(std::time::Duration::from_millis(1));
    let waits = |store: &Embedded| -> i64 {
        store.db.query_row("PRAGMA busy_timeout", [], |row| row.get(0)).unwrap()
    };
    let other = Connection::open(scratch.path().join("chatd.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let failed = store.perform(&[store_message(Target::User(amy()), 1)], &mut Vec::new());
    assert!(matches!(failed, Err(StoreError::Down(_))), "{failed:?}");
    assert_eq!(waits(&store), 0, "it is known by now: whoever asks next hears it at once");
    let failed = store.perform(&[store_message(Target::User(amy()), 1)], &mut Vec::new());
    assert!(matches!(failed, Err(StoreError::Down(_))), "{failed:?}");
    other.execute_batch("ROLLBACK").unwrap();
    let outcomes = perform(&mut store, &[store_message(Target::User(amy()), 1)]);
    assert!(matches!(
        outcomes[..],
        [Outcome::Reply(Ok(StoreReply::Stored(StoredMessage { pos: Some(1), .. })))]
    ));
    assert_eq!(waits(&store), super::PATIENCE.as_millis() as i64, "it is patient again");
}

#[test]
fn an_order_that_cannot_be_carried_out_takes_its_batch_back_and_no_more() {
    let scratch = Scratch::new();
    let mut store = open(scratch.path()).unwrap();
    enroll(&mut store, "amy");
    let refuses = "CREATE TRIGGER refuses BEFORE INSERT ON message WHEN NEW.mid = 3 BEGIN SELECT RAISE(ABORT, 'no'); END";
    store.db.execute_batch(refuses).unwrap();
    let odd = store_message(Target::User(amy()), 3);
    let batch = [store_message(Target::User(amy()), 1), odd, store_message(Target::User(amy()), 2)];
    let failed = store.perform(&batch, &mut Vec::new());
    assert!(matches!(failed, Err(StoreError::Order(_))), "{failed:?}");
    assert_eq!(count(scratch.path(), "message"), 0);
    perform(&mut store, &batch[..1]);
    assert_eq!(count(scratch.path(), "message"), 1);
}
