//! What an ACK promises in v2, on one server: it is there after kill -9, once, in order, until its
//! reader has confirmed it.

use super::v2_hostile::{ask_login_v2, enter_v2};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, assert_same, chat, group_chat, texts};
use serde_json::{Value, json};

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("message {number}")).collect()
}

fn with_cid(mut frame: Value, cid: &str) -> Value {
    frame["cid"] = json!(cid);
    frame
}

/// Logs in and takes in what waits, without confirming it.
fn enter_with_backlog(chatd: &Chatd, user: &User, count: usize) -> (Client, Vec<Value>) {
    let mut client = chatd.connect().with_newlines();
    ask_login_v2(&mut client, user);
    let mut messages = client.hear_login()["offlinemsg"].as_array().expect("a list of objects").clone();
    while messages.len() < count {
        messages.push(client.hear("the rest of the backlog"));
    }
    (client, messages)
}

fn confirm(client: &mut Client, messages: &[Value]) {
    let mids: Vec<&Value> = messages.iter().map(|message| &message["mid"]).collect();
    client.say(json!({"msgid": 24, "mids": mids, "cid": "confirmed"}));
    client.hear_ack("confirmed");
}

/// Everything that was said between two, by the history, in the order in which it is displayed.
fn history(client: &mut Client, with: &User) -> (Vec<Value>, bool) {
    let (mut messages, mut complete) = (Vec::<Value>::new(), true);
    loop {
        let after = messages.last().map_or(0, |message| message["pos"].as_u64().expect("a place"));
        client.say(json!({"msgid": 26, "with": with.id, "after": after}));
        let page = client.hear("a page of history");
        complete &= page["complete"] == json!(true);
        let rows = page["messages"].as_array().expect("a list");
        if rows.is_empty() {
            break;
        }
        messages.extend(rows.iter().cloned());
    }
    messages.sort_by_key(mid);
    (messages, complete)
}

fn mid(message: &Value) -> u64 {
    message["mid"].as_str().expect("a string").parse().expect("a number")
}

#[test]
fn what_was_acknowledged_survives_kill_9_and_comes_until_it_is_confirmed() {
    for cores in [1, 8] {
        let mut chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut client = enter_v2(&chatd, &amy).0;
        let group = client.create_group("g");
        enter_v2(&chatd, &ben).0.join_group(group);
        chatd.until_offline(&ben);
        let sent = numbered(40);
        for text in &sent {
            client.say(with_cid(chat(amy.id, ben.id, text), text));
            client.say(with_cid(group_chat(amy.id, group, &format!("{text} to all")), &format!("{text} g")));
        }
        for text in &sent {
            client.hear_ack(text);
            client.hear_ack(&format!("{text} g"));
        }
        chatd.end(libc::SIGKILL);
        let chatd = Setup::new(cores).data(&chatd.data).start();
        let (direct, to_all): (Vec<String>, Vec<String>) =
            (sent.clone(), sent.iter().map(|text| format!("{text} to all")).collect());
        let mut first = Vec::new();
        for round in 0..2 {
            let (mut reader, messages) = enter_with_backlog(&chatd, &ben, 80);
            let heard = |msgid: u64| -> Vec<String> {
                texts(&messages.iter().filter(|m| m["msgid"] == msgid).cloned().collect::<Vec<_>>())
            };
            assert_same(&heard(6), &direct, &format!("{cores} cores, round {round}"));
            assert_same(&heard(10), &to_all, &format!("{cores} cores, round {round}"));
            if round == 0 {
                // TCP has acknowledged all of it, and that is not enough.
                reader.hear_nothing();
                first = messages;
                drop(reader);
                chatd.until_offline(&ben);
                continue;
            }
            assert_eq!(messages, first, "the same messages, under the same ids");
            confirm(&mut reader, &messages);
            reader.logout();
            reader.hear_until_logged_out();
        }
        let (mut reader, messages) = enter_with_backlog(&chatd, &ben, 0);
        assert_eq!(messages, Vec::<Value>::new(), "{cores} cores");
        reader.hear_nothing();
    }
}

#[test]
fn the_same_cid_is_one_message_whatever_lies_between() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let frame = with_cid(chat(amy.id, ben.id, "once"), "c1");
    let (mut client, token) = enter_v2(&chatd, &amy);
    client.say(frame.clone());
    let first = client.hear_ack("c1");
    assert_eq!(first["pos"], json!(1));
    // On the same connection, on another one, and after the server has died.
    client.say(frame.clone());
    assert_eq!(client.hear_ack("c1"), first);
    drop(client);
    let mut client = resume(&chatd, &amy, &token);
    client.say(frame.clone());
    assert_eq!(client.hear_ack("c1"), first);
    let chatd = chatd.restart(libc::SIGKILL, 2);
    let mut client = resume(&chatd, &amy, &token);
    client.say(frame);
    assert_eq!(client.hear_ack("c1"), first);
    client.say(with_cid(chat(amy.id, ben.id, "another content"), "c1"));
    client.hear_error(112);
    let (_, messages) = enter_with_backlog(&chatd, &ben, 1);
    assert_eq!(texts(&messages), ["once"]);
    assert_eq!((&messages[0]["mid"], &messages[0]["cid"]), (&first["mid"], &json!("c1")));
    let (rows, complete) = history(&mut client, &ben);
    assert_eq!((texts(&rows), complete), (vec!["once".to_owned()], true));
}

fn resume(chatd: &Chatd, user: &User, token: &str) -> Client {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 25, "token": token}));
    assert_eq!(client.hear_login()["token"], token);
    client
}

#[test]
fn live_by_mid_and_by_history_it_is_one_order() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let (mut sender, mut reader) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
        let sent = numbered(300);
        for (number, text) in sent.iter().enumerate() {
            let frame = chat(amy.id, ben.id, text);
            sender.say(if number % 3 == 0 { with_cid(frame, text) } else { frame });
        }
        let heard: Vec<Value> = sent.iter().map(|_| reader.hear("a message")).collect();
        assert_same(&texts(&heard), &sent, &format!("live, {cores} cores"));
        assert!(heard.is_sorted_by_key(mid), "{cores} cores");
        sent.iter().step_by(3).for_each(|text| drop(sender.hear_ack(text)));
        // Those without a cid are promised to nobody, and are stored a little later.
        let (rows, complete) = loop {
            let (rows, complete) = history(&mut reader, &amy);
            if rows.len() >= sent.len() {
                break (rows, complete);
            }
        };
        assert_same(&texts(&rows), &sent, &format!("by history, {cores} cores"));
        assert!(complete, "{cores} cores");
        let places: Vec<u64> = {
            let mut places: Vec<u64> = rows.iter().map(|row| row["pos"].as_u64().expect("a place")).collect();
            places.sort_unstable();
            places
        };
        assert_eq!(places, (1..=300).collect::<Vec<_>>(), "from 1 without a gap, {cores} cores");
        for (row, pushed) in rows.iter().zip(&heard) {
            let mut row = row.clone();
            row.as_object_mut().expect("an object").remove("pos");
            assert_eq!(row, *pushed, "a row is what was pushed, and its place");
        }
    }
}

#[test]
fn what_was_acknowledged_is_not_pushed_again_for_who_says_it_again_and_comes_back() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut sender = enter_v2(&chatd, &amy).0;
        let group = sender.create_group("g");
        let mut reader = enter_v2(&chatd, &ben).0;
        reader.join_group(group);
        let frames = [chat(amy.id, ben.id, "once"), group_chat(amy.id, group, "once")];
        let frames = [with_cid(frames[0].clone(), "k"), with_cid(frames[1].clone(), "g")];
        let other = with_cid(chat(amy.id, ben.id, "something else"), "k");
        let mut first = Vec::new();
        for (frame, cid) in frames.iter().zip(["k", "g"]) {
            sender.say(frame.clone());
            first.push(sender.hear_ack(cid));
            reader.hear_msg("once");
        }
        // On this connection, and on others, of which any core may have the next one.
        for round in 0..6 {
            for (at, cid) in [(0, "k"), (1, "g")] {
                sender.say(frames[at].clone());
                assert_eq!(sender.hear_ack(cid), first[at], "{cores} cores, round {round}");
            }
            sender.say(other.clone());
            sender.hear_error(112);
            reader.hear_nothing();
            if round % 2 == 0 {
                drop(sender);
                chatd.until_offline(&amy);
                sender = enter_v2(&chatd, &amy).0;
            } else {
                // The session before is still there, and gives way.
                sender = enter_by_takeover(&chatd, &amy);
            }
        }
        let (rows, _) = history(&mut reader, &amy);
        assert_eq!(texts(&rows), ["once"]);
    }
}

fn enter_by_takeover(chatd: &Chatd, user: &User) -> Client {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 1, "id": user.id, "password": user.password, "v": 2, "takeover": true}));
    client.hear_login();
    client
}

#[test]
fn confirming_any_push_of_a_repeated_message_counts() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let frame = with_cid(chat(amy.id, ben.id, "once"), "k");
        let mut sender = enter_v2(&chatd, &amy).0;
        sender.say(frame.clone());
        let first = sender.hear_ack("k");
        // A server that was started anew knows nothing of what it acknowledged, until it has asked.
        let chatd = chatd.restart(libc::SIGKILL, cores);
        let (mut reader, waiting) = enter_with_backlog(&chatd, &ben, 1);
        assert_eq!(waiting[0]["mid"], first["mid"]);
        let mut sender = enter_v2(&chatd, &amy).0;
        sender.say(frame.clone());
        assert_eq!(sender.hear_ack("k"), first);
        let second = reader.hear_msg("once");
        assert_ne!(second["mid"], first["mid"], "the same message under another id");
        // A later session hears it again under the first id, and may confirm the second one.
        drop(reader);
        chatd.until_offline(&ben);
        let (mut reader, waiting) = enter_with_backlog(&chatd, &ben, 1);
        assert_eq!(waiting[0]["mid"], first["mid"], "{cores} cores");
        confirm(&mut reader, std::slice::from_ref(&second));
        drop(reader);
        chatd.until_offline(&ben);
        let (mut reader, waiting) = enter_with_backlog(&chatd, &ben, 0);
        assert_eq!(waiting, Vec::<Value>::new(), "{cores} cores: it was confirmed by the other id");
        reader.hear_nothing();
    }
}

#[test]
fn a_flood_pushes_nothing_of_others_out_of_the_window() {
    for cores in [1, 2] {
        let chatd = Chatd::start(cores);
        let (amy, ben, mallory) = (chatd.register("amy"), chatd.register("ben"), chatd.register("mallory"));
        let mut friend = enter_v2(&chatd, &amy).0;
        let mut stranger = enter_v2(&chatd, &mallory).0;
        let mut reader = enter_v2(&chatd, &ben).0;
        friend.say(with_cid(chat(amy.id, ben.id, "of a friend"), "k"));
        friend.hear_ack("k");
        reader.hear_msg("of a friend");
        let flood = numbered(1_100);
        for text in &flood {
            stranger.say(with_cid(chat(mallory.id, ben.id, text), text));
            stranger.hear_ack(text);
            reader.hear_msg(text);
        }
        // What TCP has acknowledged is looked at before this is done.
        reader.logout();
        reader.hear_until_logged_out();
        let chatd = chatd.restart(libc::SIGKILL, cores);
        let (_, messages) = enter_with_backlog(&chatd, &ben, 1_000);
        let mut expected = vec!["of a friend".to_owned()];
        expected.extend_from_slice(&flood[101..]);
        assert_same(&texts(&messages), &expected, &format!("{cores} cores"));
    }
}

/// Lets a process write no file beyond so many bytes: its disk is full.
fn limit_files(pid: u32, bytes: u64) {
    let limit = libc::rlimit { rlim_cur: bytes, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the limit is read during the call.
    let set = unsafe { libc::prlimit(pid as libc::pid_t, libc::RLIMIT_FSIZE, &limit, std::ptr::null_mut()) };
    assert_eq!(set, 0);
}

#[test]
fn while_the_store_is_down_pushes_go_on_and_nothing_is_acknowledged() {
    // Who writes too much is told so by an error, and not by a signal that kills.
    let ignore = || {
        // SAFETY: a system call on numbers.
        unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
        Ok(())
    };
    let chatd = Setup::new(2).before(ignore).start();
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut sender, mut reader) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
    limit_files(chatd.pid(), 4_096);
    let sent = numbered(600);
    for text in &sent {
        // More than may be unsettled at one time: what is refused is settled.
        sender.say(with_cid(chat(amy.id, ben.id, text), text));
        let error = sender.hear_error(110);
        assert_eq!(error["cid"], json!(text));
        reader.hear_msg(text);
    }
    limit_files(chatd.pid(), libc::RLIM_INFINITY);
    for text in &sent {
        sender.say(with_cid(chat(amy.id, ben.id, text), text));
        loop {
            let answer = sender.hear("an ACK, once the store works again");
            assert_eq!(answer["cid"], json!(text), "{answer}");
            if answer["errno"] == 0 {
                break;
            }
            assert_eq!(answer["errno"], 110, "{answer}");
            sender.say(with_cid(chat(amy.id, ben.id, text), text));
        }
    }
    let (rows, complete) = history(&mut sender, &ben);
    let mut stored = texts(&rows);
    stored.sort();
    let mut all = sent;
    all.sort();
    assert_same(&stored, &all, "each once");
    assert!(complete);
}

#[test]
fn where_only_what_is_undelivered_is_kept_a_confirmed_message_has_no_row() {
    for cores in [1, 2] {
        let chatd = Setup::new(cores).argument("--keep").argument("undelivered").start();
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let (mut sender, mut reader) = (enter_v2(&chatd, &amy).0, enter_v2(&chatd, &ben).0);
        sender.say(with_cid(chat(amy.id, ben.id, "confirmed"), "c1"));
        let pushed = reader.hear_msg("confirmed");
        confirm(&mut reader, std::slice::from_ref(&pushed));
        let ack = sender.hear_ack("c1");
        assert_eq!((&ack["mid"], ack.get("pos")), (&pushed["mid"], None), "{ack}");
        // Its reader does not say a word.
        sender.say(with_cid(chat(amy.id, ben.id, "read, perhaps"), "c2"));
        reader.hear_msg("read, perhaps");
        assert_eq!(sender.hear_ack("c2")["pos"], json!(1), "{cores} cores");
        drop(reader);
        chatd.until_offline(&ben);
        sender.say(with_cid(chat(amy.id, ben.id, "away"), "c3"));
        assert_eq!(sender.hear_ack("c3")["pos"], json!(2), "{cores} cores");
        let (rows, complete) = history(&mut sender, &ben);
        assert_eq!((texts(&rows), complete), (vec!["read, perhaps".to_owned(), "away".to_owned()], false));
        let chatd = {
            let mut chatd = chatd;
            chatd.end(libc::SIGKILL);
            Setup::new(cores).argument("--keep").argument("undelivered").data(&chatd.data).start()
        };
        let (_, messages) = enter_with_backlog(&chatd, &ben, 2);
        assert_eq!(texts(&messages), ["read, perhaps", "away"], "{cores} cores");
    }
}

#[test]
fn a_reader_of_the_seed_is_not_waited_for() {
    for cores in [1, 2, 8] {
        let chatd = Setup::new(cores).argument("--keep").argument("undelivered").start();
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let (mut sender, mut reader) = (enter_v2(&chatd, &amy).0, chatd.enter(&ben));
        for (number, text) in numbered(5).iter().enumerate() {
            sender.say(with_cid(chat(amy.id, ben.id, text), text));
            assert_eq!(sender.hear_ack(text)["pos"], json!(number + 1), "{cores} cores");
            reader.hear_msg(text);
        }
    }
}

/// Twenty readers confirm a thousand ids each, nearly all of which nobody was ever sent, over and over. Everybody is
/// answered, in the order asked; what was sent among them counts; and somebody else's messages are acknowledged.
#[test]
fn a_thousand_unknown_ids_of_each_of_twenty_readers_are_answered_in_order() {
    let chatd = Chatd::start(2);
    let sender = chatd.register("sender");
    let mut other = enter_v2(&chatd, &sender).0;
    let mut readers: Vec<(Client, User)> = (0..20)
        .map(|number| chatd.register(&format!("reader {number}")))
        .map(|user| (enter_v2(&chatd, &user).0, user))
        .collect();
    for (client, user) in &mut readers {
        other.chat_stored(user, "for you", &format!("to {}", user.id));
        let mid = client.hear_msg("for you")["mid"].clone();
        for round in 0..3 {
            let unknown = (1..1_000).map(|id| json!((id * 1_000 + round).to_string()));
            let mids: Vec<Value> = unknown.chain([mid.clone()]).collect();
            client.say(json!({"msgid": 24, "mids": mids, "cid": format!("confirm {round}")}));
        }
        client.say(json!({"msgid": 29, "name": "sender", "cid": "found"}));
    }
    for (_, user) in &readers {
        other.chat_stored(user, "meanwhile", &format!("meanwhile to {}", user.id));
    }
    for (client, _) in &mut readers {
        let heard: Vec<Value> = (0..5).map(|_| client.hear("an answer, or the message")).collect();
        let answers: Vec<&Value> = heard.iter().filter(|frame| frame["msgid"] != 6).collect();
        let cids: Vec<&Value> = answers.iter().map(|frame| &frame["cid"]).collect();
        assert_eq!(cids, ["confirm 0", "confirm 1", "confirm 2", "found"], "{heard:?}");
        assert!(answers.iter().all(|frame| frame["errno"] == 0), "{heard:?}");
    }
    for (client, user) in readers {
        drop(client);
        chatd.until_offline(&user);
        let (_, waiting) = enter_with_backlog(&chatd, &user, 1);
        assert_eq!(texts(&waiting), ["meanwhile"]);
    }
}
