//! What waits for who is away: all of it, in order, whatever happens to the server meanwhile.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, assert_same, chat, entries, texts};
use serde_json::{Value, json};
use std::collections::HashSet;

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message {number}")).collect()
}

/// Sends texts without asking whether they are stored, and is told of the end when they are.
fn send_and_leave(mut client: Client, to: &User, texts: &[String]) {
    for text in texts {
        client.chat(to, text);
    }
    client.half_close();
    client.hear_end();
}

#[test]
fn one_to_one_in_order_and_once() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        for (newlines, count) in [(false, 3), (true, 3), (false, 60), (true, 600)] {
            let sent = numbered(count);
            send_and_leave(chatd.enter(&amy), &ben, &sent);
            let mut reader = chatd.connect();
            if newlines {
                reader = reader.with_newlines();
            }
            assert_same(&texts(&reader.login_with_backlog(&ben, count)), &sent, &format!("{cores} cores"));
            reader.hear_nothing();
            // What was acknowledged does not come again.
            reader.logout();
            reader.hear_until_logged_out();
            assert_eq!(reader.login(&ben)["offlinemsg"], json!([]), "{cores} cores, {count}");
            reader.hear_nothing();
            drop(reader);
            chatd.until_offline(&ben);
        }
    }
}

#[test]
fn messages_with_and_without_a_cid_keep_their_order() {
    for cores in [1, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let sent = numbered(200);
        let mut client = chatd.enter(&amy);
        for (number, text) in sent.iter().enumerate() {
            let mut frame = chat(amy.id, ben.id, text);
            if number % 3 == 0 {
                frame["cid"] = json!(text);
            }
            client.say(frame);
        }
        client.half_close();
        let acks = client.hear_until_end("the ACKs of every third message");
        let acked: Vec<&Value> = acks.iter().map(|ack| &ack["cid"]).collect();
        let expected: Vec<Value> = sent.iter().step_by(3).map(|text| json!(text)).collect();
        assert_eq!(acked, expected.iter().collect::<Vec<_>>(), "{cores} cores");
        let mut reader = chatd.connect();
        assert_same(&texts(&reader.login_with_backlog(&ben, 200)), &sent, &format!("{cores} cores"));
    }
}

#[test]
fn a_group_that_writes_while_its_members_are_away() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let users = chatd.register_many("user", 8);
        let mut creator = chatd.enter(&users[0]);
        let group = creator.create_group("g");
        for user in &users[1..] {
            let mut member = chatd.enter(user);
            member.join_group(group);
        }
        // Half of them are there, half are not; all get everything, in the same order.
        let mut present: Vec<Client> = users[1..5].iter().map(|user| chatd.enter_patiently(user)).collect();
        let sent = numbered(50);
        for text in &sent {
            creator.group_chat_stored(group, text, text);
        }
        for member in &mut present {
            let heard: Vec<Value> = sent.iter().map(|text| member.hear_msg(text)).collect();
            assert_same(&texts(&heard), &sent, &format!("{cores} cores"));
        }
        for user in &users[5..] {
            let mut member = chatd.connect();
            member.ask_login(user);
            assert_same(
                &texts(&member.hear_login_with_backlog(sent.len())),
                &sent,
                &format!("{cores} cores"),
            );
            member.hear_nothing();
        }
        creator.hear_nothing();
    }
}

/// Everything that a server may hold, and what it has to hold after the next start.
fn survive(signal: i32, cores: usize) {
    let chatd = Chatd::start(cores);
    let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
    let mut client = chatd.enter(&amy);
    client.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": "friend"}));
    client.hear_ack("friend");
    let group = client.create_group("g");
    chatd.enter(&ben).join_group(group);
    chatd.until_offline(&ben);
    let sent = numbered(100);
    let (acked, settled) = sent.split_at(50);
    for text in acked {
        client.chat_stored(&ben, text, text);
    }
    for text in &sent {
        client.group_chat_stored(group, text, &format!("group {text}"));
    }
    send_and_leave(chatd.enter(&carl), &ben, settled);
    let chatd = chatd.restart(signal, 3 - cores.min(2));

    let mut client = chatd.connect();
    let answer = client.login(&amy);
    assert!(answer["friends"][0].as_str().expect("a friend").contains("\"ben\""), "{answer}");
    assert_eq!(answer["groups"].as_array().map(Vec::len), Some(1), "{answer}");
    let mut reader = chatd.connect().with_newlines();
    let waited = reader.login_with_backlog(&ben, 200);
    let of = |msgid: u64, from: &User| {
        let of_one = |message: &&Value| message["msgid"] == msgid && message["id"] == from.id;
        texts(&waited.iter().filter(of_one).cloned().collect::<Vec<_>>())
    };
    assert_eq!(of(6, &amy), acked);
    assert_eq!(of(6, &carl), settled);
    assert_eq!(of(10, &amy), sent);
    reader.hear_nothing();
    // Numbers go on where they were.
    let dora = chatd.register("dora");
    assert!(dora.id > carl.id, "{dora:?}");
}

#[test]
fn everything_stored_is_there_after_kill_9() {
    survive(libc::SIGKILL, 1);
    survive(libc::SIGKILL, 8);
}

#[test]
fn everything_is_there_after_sigterm() {
    survive(libc::SIGTERM, 2);
    survive(libc::SIGTERM, 1);
}

/// A clean stop keeps even what nobody had been promised yet.
#[test]
fn what_was_heard_before_sigterm_is_kept() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let sent = numbered(1_000);
        let mut client = chatd.enter(&amy);
        for text in &sent {
            client.chat(&ben, text);
        }
        // This answer says that all of them were heard, and no more than that.
        client.hear_nothing();
        let chatd = chatd.restart(libc::SIGTERM, cores);
        let mut reader = chatd.connect().with_newlines();
        assert_same(&texts(&reader.login_with_backlog(&ben, sent.len())), &sent, &format!("{cores} cores"));
        reader.hear_nothing();
    }
}

/// The server is killed while messages are under way: what was acknowledged to the sender and not
/// seen by the reader comes at the next login.
#[test]
fn what_was_acknowledged_is_not_lost_by_kill_9() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut reader = chatd.enter(&ben);
        let mut client = chatd.enter(&amy);
        for number in 0..2_000 {
            let text = format!("message {number}");
            let mut frame = chat(amy.id, ben.id, &text);
            frame["cid"] = json!(text);
            client.say(frame);
            if number == 700 {
                chatd.signal(libc::SIGKILL);
                break;
            }
        }
        let acks = client.hear_until_end("the ACKs until the end");
        let seen = reader.hear_until_end("the messages until the end");
        let chatd = chatd.after_kill(cores);
        let mut reader = chatd.connect().with_newlines();
        let mut waited = texts(&reader.login_with_backlog(&ben, 0));
        // The rest of the backlog ends where a message of now begins.
        let mut client = chatd.enter(&amy);
        client.chat_stored(&ben, "now", "now");
        loop {
            let text = reader.hear("the rest of the backlog")["msg"].as_str().expect("a text").to_owned();
            if text == "now" {
                break;
            }
            waited.push(text);
        }
        let had: HashSet<String> = texts(&seen).into_iter().chain(waited.iter().cloned()).collect();
        for ack in &acks {
            assert_eq!((&ack["msgid"], &ack["errno"]), (&json!(20), &json!(0)), "{ack}");
            let text = ack["cid"].as_str().expect("a cid");
            assert!(had.contains(text), "{text} was acknowledged and is lost ({cores} cores)");
        }
        let in_order: Vec<u32> = waited.iter().map(|text| text[8..].parse().expect("a number")).collect();
        assert!(in_order.is_sorted(), "{in_order:?}");
    }
}

/// More than fits a login answer, a page, or the bytes that may be under way to one reader.
#[test]
fn a_long_backlog_of_long_messages_in_order() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    // Each swells to twice its size where it is quoted, and to four times in a login answer.
    let sent: Vec<String> = (0..250).map(|number| format!("{number}{}", "\"\\".repeat(7_000))).collect();
    send_and_leave(chatd.enter(&amy), &ben, &sent);
    for newlines in [true, false] {
        let mut reader = chatd.connect();
        if newlines {
            reader = reader.with_newlines();
        }
        let heard = texts(&reader.login_with_backlog(&ben, sent.len()));
        assert_same(&heard, &sent, "long");
        reader.hear_nothing();
        // Sent again for the second round.
        if newlines {
            drop(reader);
            chatd.until_offline(&ben);
            send_and_leave(chatd.enter(&amy), &ben, &sent);
        }
    }
}

/// Live messages that come while a backlog is on its way follow it.
#[test]
fn live_messages_follow_the_backlog() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let sent = numbered(1_200);
        let (before, during) = sent.split_at(400);
        send_and_leave(chatd.enter(&amy), &ben, before);
        let mut client = chatd.enter_patiently(&amy);
        let mut reader = chatd.connect().with_newlines();
        reader.ask_login(&ben);
        // Whoever is answered is there. Before that a message may be on its way into the store, and come after later ones.
        let mut heard = entries(&reader.hear_login()["offlinemsg"]);
        for text in during {
            client.chat(&ben, text);
        }
        while heard.len() < sent.len() {
            heard.push(reader.hear("the rest of the backlog, and what follows it"));
        }
        assert_same(&texts(&heard), &sent, &format!("{cores} cores"));
        reader.hear_nothing();
    }
}
