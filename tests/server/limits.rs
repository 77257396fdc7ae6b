//! How many connections a core takes, with as few open files as make the limits small.

use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, chat};
use crate::common::{DEADLINE, raise_open_files};
use serde_json::json;
use std::io;
use std::time::Instant;

/// Of the descriptors of a chatd on one core, those that are not for connections.
const OTHER_FILES: u64 = 144;
const CONNECTIONS: usize = 20;

/// One core that takes 20 connections, of which 10 need not be logged in.
fn small() -> Chatd {
    small_with("m=8,t=1,p=1")
}

/// The same with passwords of such a cost.
fn small_with(cost: &str) -> Chatd {
    let files = OTHER_FILES + CONNECTIONS as u64;
    let limit = libc::rlimit { rlim_cur: files, rlim_max: files };
    let setup = Setup::new(1).default_cost().argument("--password-cost").argument(cost);
    let chatd = setup.before(move || {
        // SAFETY: a system call on numbers that are read during the call.
        match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    });
    let chatd = chatd.start();
    let printed = chatd.printed();
    assert!(printed.contains("each core takes 20 connections"), "{printed}");
    chatd
}

#[test]
fn one_connection_too_many_is_told_so_and_the_others_live() {
    let chatd = small();
    let users = chatd.register_many("user", CONNECTIONS);
    // The connection that registered them may not be quite over.
    let mut clients: Vec<Client> = Vec::new();
    while clients.len() < CONNECTIONS {
        let mut client = chatd.connect();
        client.ask_login(&users[clients.len()]);
        let answer = client.hear("a login answer, or that there are too many");
        if answer["msgid"] == 2 {
            assert_eq!(answer["errno"], 0, "{answer}");
            clients.push(client);
        }
    }
    for _ in 0..3 {
        let refused = chatd.connect().hear_error(116);
        assert_eq!(refused["retry_after_ms"], 1_000, "{refused}");
    }
    let (first, rest) = clients.split_first_mut().expect("there are some");
    rest[0].chat(&users[0], "still there?");
    first.hear_msg("still there?");
    // Who leaves makes room for another.
    clients.pop();
    loop {
        let mut client = chatd.connect();
        client.ask_login(&users[CONNECTIONS - 1]);
        if client.hear("a login answer, or that there are too many")["errno"] == 0 {
            break;
        }
    }
}

#[test]
fn of_those_without_a_login_the_oldest_go_first() {
    let chatd = small();
    let amy = chatd.register("amy");
    let mut logged_in = chatd.enter(&amy);
    let mut waiting: Vec<Client> = (0..13).map(|_| chatd.connect()).collect();
    for oldest in &mut waiting[..3] {
        oldest.hear_error_and_end(116);
    }
    for client in &mut waiting[3..] {
        client.say(serde_json::json!({"msgid": 13, "id": 1}));
        client.hear_error(103);
    }
    logged_in.hear_nothing();
}

/// Memory of a process that is in use, in bytes.
fn resident(chatd: &Chatd) -> usize {
    let pages = std::fs::read_to_string(format!("/proc/{}/statm", chatd.pid())).expect("it is there");
    let pages: usize = pages.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4_096
}

#[test]
fn unfinished_frames_take_bounded_memory_and_give_it_back() {
    const CLIENTS: usize = 2_000;
    const FRAME: usize = 65_001;
    const LIMIT: usize = 64 << 20;
    raise_open_files();
    let chatd = Chatd::start(1);
    let neighbour = chatd.register("neighbour");
    let mut neighbour = chatd.enter(&neighbour);
    let before = resident(&chatd);
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| chatd.connect().with_newlines()).collect();
    let bytes = vec![b' '; FRAME];
    clients.iter_mut().for_each(|client| drop(client.try_write(&bytes)));
    // Those that cannot all be held are told so, in whichever order they were read.
    let (mut most, mut told) = (0, Vec::new());
    let deadline = Instant::now() + DEADLINE;
    while told.len() < CLIENTS - LIMIT / FRAME - 1 {
        assert!(Instant::now() < deadline, "{} were told, {} MiB more than before", told.len(), most >> 20);
        most = most.max(resident(&chatd).saturating_sub(before));
        let (cut, rest) = clients.into_iter().partition(|client| client.has_heard());
        clients = rest;
        told.extend::<Vec<Client>>(cut);
    }
    told.iter_mut().for_each(|client| client.hear_error_and_end(116));
    assert!(most < LIMIT * 3 / 2, "{} MiB more than before", most >> 20);
    neighbour.hear_nothing();
    drop(clients);
    let deadline = Instant::now() + DEADLINE;
    // What is smaller than a mapped block stays with the allocator, in part.
    while resident(&chatd).saturating_sub(before) > LIMIT * 5 / 8 {
        assert!(Instant::now() < deadline, "{} MiB stay", (resident(&chatd) - before) >> 20);
        neighbour.hear_nothing();
    }
}

/// However often one connection logs in and out, it is one of those without a login, once.
#[test]
fn who_logs_in_and_out_again_pushes_nobody_out() {
    let chatd = small();
    let amy = chatd.register("amy");
    let mut idle: Vec<Client> = (0..3).map(|_| chatd.connect()).collect();
    let mut restless = chatd.enter(&amy);
    for round in 0..40 {
        restless.say(serde_json::json!({"msgid": 3, "id": amy.id, "cid": format!("l{round}")}));
        restless.hear_ack(&format!("l{round}"));
        restless.login(&amy);
    }
    for client in &mut idle {
        client.say(serde_json::json!({"msgid": 13, "id": 1}));
        client.hear_error(103);
    }
}

/// A login that waits for its hash is answered, however many connections come meanwhile and say nothing.
#[test]
fn who_waits_for_a_login_is_not_pushed_out_by_those_who_say_nothing() {
    let chatd = small_with("m=65536,t=8,p=1");
    let mut waiting = chatd.connect().with_newlines();
    // Both are read together: once the first is answered, the second waits for its hash.
    waiting.write(b"{\"msgid\":22,\"n\":1}\n{\"msgid\":1,\"id\":1,\"password\":\"wrong\"}\n");
    assert_eq!(waiting.hear("PONG")["msgid"], 23);
    let mut idle: Vec<Client> = (0..12).map(|_| chatd.connect()).collect();
    idle[0].hear_error_and_end(116);
    let answer = waiting.hear("the answer to a login");
    assert_eq!((&answer["msgid"], &answer["errno"]), (&2.into(), &1.into()), "{answer}");
}

/// Making and dissolving uses up ids: each user makes so many at once, and then one in a while.
#[test]
fn who_makes_and_dissolves_groups_is_slowed_and_others_are_not() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut maker, mut other) = (chatd.enter(&amy).with_newlines(), chatd.enter(&ben).with_newlines());
    let make = |client: &mut Client, number: u32| {
        let (id, cid) = (client.id, format!("c{number}"));
        let frame = json!({"msgid": 8, "id": id, "groupname": cid, "groupdesc": "", "cid": cid});
        client.say(frame);
        let answer = client.hear("an ACK or an ERROR");
        if answer["msgid"] == 20 {
            client.say(json!({"msgid": 11, "id": id, "groupid": answer["groupid"], "cid": "d"}));
            client.hear_ack("d");
        }
        answer
    };
    let mut made = 0;
    let refused = loop {
        let answer = make(&mut maker, made);
        if answer["msgid"] != 20 {
            break answer;
        }
        made += 1;
        assert!(made < 600, "nobody slows it");
    };
    assert!(made >= 400, "{made} were made");
    assert_eq!((&refused["errno"], &refused["retry_after_ms"]), (&json!(109), &json!(30_000)), "{refused}");
    assert_eq!(make(&mut other, 1_000)["msgid"], 20);
}

/// What can never succeed is told so, and holds up nobody.
#[test]
fn when_ids_are_used_up_that_is_said_and_everything_else_goes_on() {
    let mut chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    chatd.end(libc::SIGTERM);
    let db = rusqlite::Connection::open(chatd.data.path().join("chatd.db")).expect("its database");
    db.execute_batch(
        "UPDATE sqlite_sequence SET seq = 2147483647 WHERE name = 'user';
         INSERT INTO sqlite_sequence (name, seq) VALUES ('allgroup', 2147483647);",
    )
    .expect("ids are used up");
    drop(db);
    let chatd = Setup::new(1).data(&chatd.data).start();
    let mut session = chatd.enter(&amy).with_newlines();
    for round in 0..3 {
        session.say(json!({"msgid": 8, "id": amy.id, "groupname": "g", "groupdesc": "", "cid": "g"}));
        let mut message = chat(amy.id, ben.id, "hello");
        message["cid"] = json!(format!("m{round}"));
        session.say(message);
        let refused = session.hear("an ERROR");
        assert_eq!((&refused["cid"], &refused["errno"]), (&json!("g"), &json!(116)), "{refused}");
        session.hear_ack(&format!("m{round}"));
        session.say(json!({"msgid": 4, "name": format!("carl{round}"), "password": "pw"}));
        assert_eq!(session.hear("a refusal")["errno"], 116);
    }
}
