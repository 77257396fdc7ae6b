//! Many at once: sessions, cores, groups.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, chat};
use crate::common::{cannot_run, raise_open_files};
use serde_json::Value;
use std::collections::HashMap;

/// Of messages `SENDER NUMBER`: how many of each sender came, all in the order sent.
fn count_in_order(messages: &[Value], at: &str) -> HashMap<u64, u64> {
    let mut next: HashMap<u64, u64> = HashMap::new();
    for message in messages {
        let text = message["msg"].as_str().expect("a text");
        let (sender, number) = text.split_once(' ').expect("two numbers");
        let (sender, number): (u64, u64) = (sender.parse().unwrap(), number.parse().unwrap());
        assert_eq!(message["id"], sender, "{at}: {message}");
        let next = next.entry(sender).or_default();
        assert_eq!(number, *next, "{at}: of sender {sender}");
        *next += 1;
    }
    next
}

fn hear_count(client: &mut Client, count: usize) -> Vec<Value> {
    (0..count).map(|number| client.hear(&format!("message {number} of {count}"))).collect()
}

#[test]
fn a_thousand_sessions_on_two_cores_each_talking_to_another() {
    const SESSIONS: usize = 1_000;
    let files = raise_open_files();
    if files < SESSIONS as u64 * 2 {
        return cannot_run("a_thousand_sessions_on_two_cores", &format!("only {files} files may be open"));
    }
    let chatd = Chatd::start(2);
    let users = chatd.register_many("user", SESSIONS);
    let mut clients = chatd.enter_all(&users);
    for round in 0..5 {
        for at in 0..SESSIONS {
            // Another partner in each round, so that all kinds of pairs of cores occur.
            let to = (at * 7 + round * 131 + 1) % SESSIONS;
            let text = format!("{} {round}", users[at].id);
            clients[at].chat(&users[to], &text);
        }
        for at in 0..SESSIONS {
            let to = (at * 7 + round * 131 + 1) % SESSIONS;
            let text = format!("{} {round}", users[at].id);
            let heard = clients[to].hear_msg(&text);
            assert_eq!((&heard["id"], &heard["toid"]), (&users[at].id.into(), &users[to].id.into()));
        }
    }
    for client in &mut clients {
        client.hear_nothing();
    }
    // All leave at once, and all come back.
    drop(clients);
    for user in users.iter().step_by(50) {
        chatd.until_offline(user);
    }
}

#[test]
fn everybody_to_everybody_over_eight_cores() {
    const USERS: usize = 40;
    const EACH: u64 = 5;
    let chatd = Chatd::start(8);
    let users = chatd.register_many("user", USERS);
    let mut clients = chatd.enter_all(&users);
    for number in 0..EACH {
        for (client, from) in clients.iter_mut().zip(&users) {
            for to in users.iter().filter(|to| to.id != from.id) {
                client.chat(to, &format!("{} {number}", from.id));
            }
        }
    }
    for (client, user) in clients.iter_mut().zip(&users) {
        let messages = hear_count(client, (USERS - 1) * EACH as usize);
        let counts = count_in_order(&messages, "everybody to everybody");
        assert_eq!(counts.len(), USERS - 1);
        assert!(counts.values().all(|&count| count == EACH) && !counts.contains_key(&user.id));
        client.hear_nothing();
    }
}

#[test]
fn to_oneself() {
    for cores in [1, 8] {
        let chatd = Chatd::start(cores);
        let amy = chatd.register("amy");
        let mut client = chatd.enter(&amy);
        for number in 0..20 {
            client.chat(&amy, &format!("note {number}"));
            client.hear_msg(&format!("note {number}"));
        }
        client.hear_nothing();
    }
}

#[test]
fn a_group_over_all_cores() {
    for cores in [1, 2, 8] {
        const MEMBERS: usize = 30;
        const EACH: u64 = 10;
        let chatd = Chatd::start(cores);
        let users = chatd.register_many("user", MEMBERS);
        let mut clients = chatd.enter_all(&users);
        let group = clients[0].create_group("everybody");
        for client in &mut clients[1..] {
            client.join_group(group);
        }
        for number in 0..EACH {
            for (client, user) in clients.iter_mut().zip(&users) {
                client.group_chat(group, &format!("{} {number}", user.id));
            }
        }
        for (client, user) in clients.iter_mut().zip(&users) {
            let messages = hear_count(client, (MEMBERS - 1) * EACH as usize);
            let counts = count_in_order(&messages, &format!("{cores} cores"));
            assert!(counts.values().all(|&count| count == EACH), "{cores} cores: {counts:?}");
            assert!(!counts.contains_key(&user.id), "nobody hears itself");
            client.hear_nothing();
        }
    }
}

#[test]
fn a_group_ends_for_who_leaves_and_for_all_when_its_creator_leaves() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let users = chatd.register_many("user", 12);
        let mut clients = chatd.enter_all(&users);
        let group = clients[0].create_group("g");
        for client in &mut clients[1..] {
            client.join_group(group);
        }
        let leave = |client: &mut Client| {
            client.say(serde_json::json!({"msgid": 11, "id": client.id, "groupid": group, "cid": "leave"}));
            client.hear_ack("leave");
        };
        leave(&mut clients[5]);
        clients[5].group_chat(group, "still here?");
        clients[5].hear_error(107);
        clients[1].group_chat_stored(group, "without 5", "c");
        for at in (0..12).filter(|&at| at != 1 && at != 5) {
            clients[at].hear_msg("without 5");
        }
        clients[5].hear_nothing();
        leave(&mut clients[0]);
        for client in &mut clients {
            // The news is on its way to the other cores: until it is there, the store refuses.
            client.group_chat(group, "anybody?");
            client.hear_error(106);
        }
        for client in &mut clients {
            client.hear_nothing();
        }
    }
}

/// Turn by turn: each waits for the other. Over eight cores on few CPUs this is the test for
/// wake-ups that are lost.
#[test]
fn conversations_turn_by_turn() {
    for (cores, pairs, turns) in [(1, 4, 200), (2, 8, 200), (8, 16, 100)] {
        let chatd = Chatd::start(cores);
        let users = chatd.register_many("user", pairs * 2);
        let mut clients = chatd.enter_all(&users);
        for turn in 0..turns {
            for pair in 0..pairs {
                let (from, to) =
                    if turn % 2 == 0 { (pair * 2, pair * 2 + 1) } else { (pair * 2 + 1, pair * 2) };
                let text = format!("turn {turn}");
                clients[from].chat(&users[to], &text);
                if pair % 2 == 0 {
                    clients[to].hear_msg(&text);
                }
            }
            // The other half of the pairs talks at the same time.
            for pair in (1..pairs).step_by(2) {
                let to = if turn % 2 == 0 { pair * 2 + 1 } else { pair * 2 };
                clients[to].hear_msg(&format!("turn {turn}"));
            }
        }
    }
}

/// Everybody sends as fast as it can, and reads later: more than the rings between cores hold.
#[test]
fn bursts_keep_their_order() {
    for cores in [1, 2, 8] {
        const PAIRS: usize = 20;
        const BURST: u64 = 2_000;
        let chatd = Chatd::start(cores);
        let users = chatd.register_many("user", PAIRS * 2);
        let mut clients = chatd.enter_all(&users);
        let (senders, readers) = clients.split_at_mut(PAIRS);
        for (at, sender) in senders.iter_mut().enumerate() {
            let frame =
                |number| chat(users[at].id, users[PAIRS + at].id, &format!("{} {number}", users[at].id));
            let burst: Vec<u8> = (0..BURST)
                .flat_map(|number| [frame(number).to_string().as_bytes(), b"\0"].concat())
                .collect();
            sender.write(&burst);
        }
        for (at, reader) in readers.iter_mut().enumerate() {
            let messages = hear_count(reader, BURST as usize);
            let counts = count_in_order(&messages, &format!("{cores} cores"));
            assert_eq!(counts, HashMap::from([(users[at].id, BURST)]));
            reader.hear_nothing();
        }
    }
}

/// More at once than may be under way to one reader: it reads, so it is not cut.
#[test]
fn a_popular_reader_gets_what_a_crowd_says_at_once() {
    const SENDERS: usize = 150;
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let ben = chatd.register("ben");
        let users = chatd.register_many("user", SENDERS);
        let mut reader = chatd.enter(&ben);
        let mut senders = chatd.enter_all(&users);
        for round in 0..3 {
            for (client, user) in senders.iter_mut().zip(&users) {
                client.chat(&ben, &format!("{} {round} {}", user.id, "x".repeat(7_000)));
            }
            let mut heard: Vec<u64> = hear_count(&mut reader, SENDERS)
                .iter()
                .map(|message| {
                    let text = message["msg"].as_str().expect("a text");
                    assert!(text.starts_with(&format!("{} {round} ", message["id"])), "{cores} cores");
                    message["id"].as_u64().expect("an id")
                })
                .collect();
            heard.sort_unstable();
            assert_eq!(heard, users.iter().map(|user| user.id).collect::<Vec<_>>(), "{cores} cores");
        }
        reader.hear_nothing();
    }
}
