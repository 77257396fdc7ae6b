//! A disk that is full: nothing is acknowledged that is not stored, and all is well afterwards.
//!
//! Made full in two ways: by the limit on the size of a file, and by a small file system. Both are
//! the whole process's, so each test runs itself again in a child that has them.

use super::*;
use crate::Backend;
use crate::password::Cost;
use crate::scratch::Scratch;
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::ids::{MessageId, Millis, RequestId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::retention::Retention;
use chatd_chat::model::token::Password;
use chatd_chat::port::store::{
    BacklogMessage, BacklogPage, StoreReply, StoreRequest, StoreResult, StoreReturn,
};
use chatd_chat::wire::code::Code;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::PathBuf;
use std::process::Command;

const DIRECTORY: &str = "CHATD_TEST_FULL_DISK";
const ROUNDS: u64 = 3;

#[test]
fn a_file_that_cannot_grow_loses_nothing() {
    // Without the trap, the signal that comes with the limit would end the child.
    let before = "trap '' XFSZ; exec \"$@\"";
    let name = "worker::disk_tests::a_file_that_cannot_grow_loses_nothing";
    let child = |directory| {
        in_the_child(directory, Search::Off, |room| allow(room.map(|round| (round + 2) << 20)));
    };
    said_in_turn(&run(name, before, child));
}

#[test]
fn a_full_disk_loses_nothing() {
    said_in_turn(&on_a_full_disk("worker::disk_tests::a_full_disk_loses_nothing", Search::Off));
}

/// What is indexed takes room, too, and settling it gives some back: the store may be well in between.
#[test]
fn a_full_disk_loses_nothing_while_it_is_indexed() {
    on_a_full_disk("worker::disk_tests::a_full_disk_loses_nothing_while_it_is_indexed", Search::On);
}

/// Whether somebody writes beside the store.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    On,
    Off,
}

/// What is said there; nothing where no file system can be had.
fn on_a_full_disk(name: &str, search: Search) -> Option<String> {
    let may_mount = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/tmp"]).output();
    if std::env::var_os(DIRECTORY).is_none() && !may_mount.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED {name}: `unshare -rm mount -t tmpfs` is not allowed here");
        return None;
    }
    let before = "exec unshare -rm sh -c 'mount -t tmpfs -o size=16m tmpfs \"$CHATD_TEST_FULL_DISK\" && exec \"$@\"' - \"$@\"";
    run(name, before, |directory| {
        let ballast = |number: u64| directory.join(format!("ballast{number}"));
        for number in 0..=ROUNDS {
            // In the end there is room for all of the log, which is moved into the database then.
            let mebibytes = if number == ROUNDS { 11 } else { 1 };
            std::fs::write(ballast(number), vec![b'x'; mebibytes << 20]).unwrap();
        }
        in_the_child(directory.join("data"), search, |room| {
            std::fs::remove_file(ballast(room.unwrap_or(ROUNDS))).unwrap();
        });
    })
}

/// That the store is down is said once a round at most, however many requests meet it.
fn said_in_turn(said: &Option<String>) {
    let Some(said) = said else { return };
    let said_down = said.matches("the store is down").count();
    assert!((1..=ROUNDS as usize).contains(&said_down), "{said}");
}

/// Runs `child` in a process of its own that was started by the shell's `before`. What that one says.
fn run(name: &str, before: &str, child: impl FnOnce(PathBuf)) -> Option<String> {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        child(PathBuf::from(directory));
        return None;
    }
    let scratch = Scratch::new();
    let child = Command::new("sh")
        .args(["-c", before, "-"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", name])
        .env(DIRECTORY, scratch.path())
        .output()
        .unwrap();
    let (out, said) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    assert!(child.status.success() && out.contains("1 passed"), "{out}\n{said}");
    assert!(said.contains("the store is down"), "{said}");
    Some(said.into_owned())
}

struct Client {
    calls: flume::Sender<StoreCall>,
    replies: flume::Receiver<Vec<StoreReturn>>,
    mid: u64,
}

impl Client {
    fn request(&self, request: StoreRequest) -> StoreResult {
        let id = RequestId { index: 0, generation: 0 };
        self.calls.send(StoreCall { core: 0, id, request }).unwrap();
        self.replies.recv().unwrap().pop().unwrap().result
    }

    fn store(&mut self, user: UserId) -> StoreResult {
        self.mid += 1;
        let (cid, body) = (format!("cid {}", self.mid), format!("{{\"msg\":\"{}\"}}", "x".repeat(8_000)));
        let message = Message {
            sender: user,
            target: Target::User(user),
            mid: MessageId(self.mid),
            ts: Millis(self.mid),
            cid: &cid,
            durability: Durability::Always,
            body: body.as_bytes(),
        };
        self.request(StoreRequest::StoreMessage { envelope: Envelope::message(message, &mut Vec::new()) })
    }
}

/// Lets no file grow beyond so many bytes.
fn allow(bytes: Option<u64>) {
    let limit = Rlimit { current: bytes, maximum: getrlimit(Resource::Fsize).maximum };
    setrlimit(Resource::Fsize, limit).unwrap();
}

/// Fills the disk round by round; `make_room` gives more room for a round, and enough for the rest.
fn in_the_child(directory: PathBuf, search: Search, make_room: impl Fn(Option<u64>)) {
    chatd_process::log::install();
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let (backend, limits) = (Backend::Directory(directory), Limits::default());
    let config = Config {
        backend,
        cost,
        application: None,
        hook: None,
        limits,
        retention: Retention::All,
        search: search == Search::On,
        webhook: None,
    };
    let (calls, theirs) = flume::bounded(16);
    let (answer, replies) = flume::unbounded();
    let running = crate::open(config).unwrap().start(theirs, vec![answer]).unwrap();
    let mut client = Client { calls, replies, mid: 0 };
    let password = Password("secret".to_owned());
    let registered = client.request(StoreRequest::Register {
        name: "amy".to_owned(),
        password,
        from: chatd_chat::model::source::Source::Proxy,
    });
    let Ok(StoreReply::Registered(amy)) = registered else { panic!("{registered:?}") };

    let mut stored = Vec::new();
    for round in 0..ROUNDS {
        make_room(Some(round));
        while client.store(amy).is_ok() {
            stored.push(client.mid);
            assert!(stored.len() < 10_000, "the disk never filled up");
        }
        for _ in 0..20 {
            match client.store(amy) {
                Ok(_) if search == Search::On => stored.push(client.mid),
                result => assert_eq!(result, Err(Code::Busy)),
            }
        }
        // What is stored can still be read.
        assert_eq!(fetch(&client, amy), stored);
    }
    make_room(None);
    for _ in 0..20 {
        assert!(client.store(amy).is_ok(), "there is room again");
        stored.push(client.mid);
    }
    assert_eq!(fetch(&client, amy), stored);
    drop(client);
    running.join().unwrap();
}

fn fetch(client: &Client, user: UserId) -> Vec<u64> {
    let page = client.request(StoreRequest::FetchBacklog {
        user,
        after: MessageId(0),
        have: vec![],
        messages: usize::MAX,
        bytes: usize::MAX,
    });
    let Ok(StoreReply::Backlog(BacklogPage { messages, .. })) = page else { panic!("{page:?}") };
    messages.iter().map(|BacklogMessage { envelope, .. }| envelope.mid().0).collect()
}
