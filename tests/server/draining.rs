//! A server that is asked to stop: who is told when, and what goes on meanwhile.

use super::v2_hostile::ask_login_v2;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, texts};
use serde_json::json;
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// So many who are in.
fn sessions(chatd: &Chatd, count: usize) -> Vec<Client> {
    // All at one time: nobody is silent for long while others come in.
    let users = chatd.register_many("user", count);
    let mut clients: Vec<Client> = users.iter().map(|_| chatd.connect().with_newlines()).collect();
    clients.iter_mut().zip(&users).for_each(|(client, user)| ask_login_v2(client, user));
    clients.iter_mut().for_each(|client| drop(client.hear_login()));
    clients
}

/// A chatd of two cores, and who is in.
fn with_sessions(count: usize) -> (Chatd, Vec<Client>) {
    let chatd = Setup::new(2).start();
    let clients = sessions(&chatd, count);
    (chatd, clients)
}

/// What was acknowledged is there at the next start; what was stored and not acknowledged in time may be there, too.
fn assert_kept(chatd: &Chatd, reader: &User, acked: &BTreeSet<String>) {
    let chatd = Setup::new(1).data(&chatd.data).start();
    let mut reading = chatd.connect().with_newlines();
    let waited = reading.login_with_backlog(reader, acked.len());
    let mut heard: BTreeSet<String> = texts(&waited).into_iter().collect();
    while !acked.is_subset(&heard) {
        heard.extend(texts(&[reading.hear("what was acknowledged")]));
    }
}

/// 400 sessions at 500 a second: the last one is told no sooner than some 750 ms after the first, and each when to come back.
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
    assert!(*last >= Duration::from_millis(500), "the last after {last:?}");
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
    assert_kept(&chatd, &reader, &acked);
}

/// Both signals have come before any core goes on, so nearly everybody is left when it hears of the second. Each line of
/// the trace bears the time of its turn: who is told because of an order is told in that order's own turn.
#[test]
fn a_second_signal_hurries_and_nothing_is_lost() {
    let mut chatd =
        Setup::new(2).argument("--log-level").argument("info,chatd_executor::flight_recorder=trace").start();
    let (mut clients, reader) = (sessions(&chatd, 200), chatd.register("reader"));
    chatd.freeze();
    for client in &mut clients {
        let id = client.id;
        let text = id.to_string();
        client.say(json!({"msgid": 6, "id": id, "toid": reader.id, "msg": text, "time": "t", "cid": "c"}));
    }
    chatd.signal(libc::SIGINT);
    chatd.signal(libc::SIGTERM);
    chatd.thaw();
    let mut acked = BTreeSet::new();
    for client in &mut clients {
        let heard = client.hear_until_end("the end of the session");
        assert_eq!(heard.last().map(|frame| &frame["errno"]), Some(&json!(114)), "{heard:?}");
        if heard.iter().any(|frame| frame["msgid"] == 20) {
            acked.insert(client.id.to_string());
        }
    }
    assert_eq!(chatd.wait().code(), Some(0), "in order: {}", chatd.printed());
    let said = chatd.stderr_lines();
    assert!(said.iter().any(|line| line.contains("received again")), "{said:?}");
    for core in [" core=0 ", " core=1 "] {
        assert_hurried(&said, core);
    }
    assert_kept(&chatd, &reader, &acked);
}

/// Whoever was left on a core when the second order came was told in the turn of that order.
fn assert_hurried(said: &[String], core: &str) {
    let of_core: Vec<(&str, &str)> = said.iter().filter_map(|line| line.split_once(core)).collect();
    let again = of_core.iter().rposition(|(_, what)| *what == "> drain").expect("an order to finish");
    assert!(
        of_core[..again].iter().any(|(_, what)| *what == "> drain"),
        "one order alone:{core}{of_core:#?}"
    );
    let turn = of_core[again].0;
    for (time, what) in &of_core[again..] {
        assert!(!what.ends_with("errno=114") || *time == turn, "{what} at{time}, the order at{turn}");
    }
}
