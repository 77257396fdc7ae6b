//! A server that is asked to stop: who is told when, and what goes on meanwhile.

use super::v2_hostile::enter_v2;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::Client;
use serde_json::json;
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A chatd of two cores with an admin address, and who is in.
fn with_sessions(count: usize) -> (Chatd, Vec<Client>) {
    let chatd = Setup::new(2).start();
    let users = chatd.register_many("user", count);
    let clients = users.iter().map(|user| enter_v2(&chatd, user).0).collect();
    (chatd, clients)
}

/// 400 sessions at 500 a second: the last one is told some 750 ms after the first, and each when to come back.
#[test]
fn sessions_are_told_one_after_the_other_and_come_back_at_different_times() {
    let (mut chatd, mut clients) = with_sessions(400);
    let asked = Instant::now();
    chatd.signal(libc::SIGTERM);
    let mut back = BTreeSet::new();
    let mut told = Vec::new();
    for client in &mut clients {
        let error = client.hear_error(114);
        told.push(asked.elapsed());
        back.insert(error["retry_after_ms"].as_u64().expect("when to come back"));
    }
    let last = told.iter().max().expect("there are some");
    assert!((Duration::from_millis(500)..Duration::from_secs(10)).contains(last), "the last after {last:?}");
    assert!(back.len() > 200 && back.iter().all(|ms| (500..2_500).contains(ms)), "{back:?}");
    drop(clients);
    assert_eq!(chatd.wait().code(), Some(0), "{}", chatd.printed());
}

/// Whoever is not told yet is served, and what is acknowledged to it is kept; nobody new comes in.
#[test]
fn who_is_not_told_yet_is_served_and_nobody_new_comes_in() {
    let (mut chatd, mut clients) = with_sessions(400);
    let reader = chatd.register("reader");
    chatd.signal(libc::SIGTERM);
    let mut acked = BTreeSet::new();
    let mut open: Vec<(usize, Client)> = clients.drain(..).enumerate().collect();
    let mut round = 0;
    while !open.is_empty() {
        round += 1;
        open.retain_mut(|(number, client)| {
            let cid = format!("{number} {round}");
            let message =
                json!({"msgid": 6, "id": client.id, "toid": reader.id, "msg": cid, "time": "t", "cid": cid});
            if client.try_write(format!("{message}\n").as_bytes()).is_err() {
                return false;
            }
            match client.hear_or_end("an ACK, or the end") {
                Some(answer) if answer["msgid"] == 20 => acked.insert(cid),
                _ => false,
            }
        });
    }
    assert!(!acked.is_empty(), "messages were taken in while it stopped");
    assert!(TcpStream::connect(chatd.address).is_err(), "nobody listens any more");
    assert_eq!(chatd.wait().code(), Some(0), "{}", chatd.printed());
    let chatd = Setup::new(1).data(&chatd.data).start();
    let mut reading = chatd.connect().with_newlines();
    let text = |frame: &serde_json::Value| frame["msg"].as_str().expect("a message").to_owned();
    let waited = reading.login_with_backlog(&reader, acked.len());
    let mut heard: BTreeSet<String> = waited.iter().map(text).collect();
    // What was stored and not acknowledged in time is there, too.
    while !acked.is_subset(&heard) {
        heard.insert(text(&reading.hear("what was acknowledged")));
    }
}

#[test]
fn a_second_signal_hurries_and_nothing_is_lost() {
    let (mut chatd, mut clients) = with_sessions(1_500);
    let reader = chatd.register("reader");
    chatd.signal(libc::SIGTERM);
    let mut last = clients.pop().expect("there are many");
    let message =
        json!({"msgid": 6, "id": last.id, "toid": reader.id, "msg": "kept", "time": "t", "cid": "c"});
    last.say(message);
    last.hear_ack("c");
    let hurried = Instant::now();
    chatd.signal(libc::SIGTERM);
    last.hear_error(114);
    drop((last, clients));
    let status = chatd.wait();
    assert_eq!(status.code(), Some(0), "in order: {}", chatd.printed());
    assert!(
        hurried.elapsed() < Duration::from_secs(2),
        "1,500 at 500 a second take 3 s: {:?}",
        hurried.elapsed()
    );
    let said = chatd.stderr_lines();
    assert!(said.iter().any(|line| line.contains("received again")), "{said:?}");
    let chatd = Setup::new(1).data(&chatd.data).start();
    let waited = chatd.connect().with_newlines().login_with_backlog(&reader, 1);
    assert_eq!(waited[0]["msg"], "kept");
}
