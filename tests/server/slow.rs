//! Clients that flood, stall, or die at the wrong moment: their neighbours go on, and nothing that
//! was for them is lost.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, assert_same, chat, group_chat, texts};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Two who talk while `flood` goes on in four threads of its own, each with a connection. Every
/// flooder must get on while they do: it is a race between events, not against a clock.
fn talk_while(cores: usize, flood: impl Fn(&Chatd, usize) -> (Client, Vec<u8>) + Sync) {
    const FLOODERS: usize = 4;
    const TURNS: u64 = 300;
    let chatd = Chatd::start(cores);
    let users = chatd.register_many("neighbour", 8);
    let mut clients = chatd.enter_all(&users);
    let stop = AtomicBool::new(false);
    let sent: Vec<AtomicU64> = (0..FLOODERS).map(|_| AtomicU64::new(0)).collect();
    let flooders: Vec<(Client, Vec<u8>)> = (0..FLOODERS).map(|at| flood(&chatd, at)).collect();
    std::thread::scope(|scope| {
        for ((mut client, bytes), sent) in flooders.into_iter().zip(&sent) {
            let stop = &stop;
            let mut stream = client.stream.try_clone().expect("a second handle");
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) && client.try_write(&bytes).is_ok() {
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                let _ = client.stream.shutdown(std::net::Shutdown::Both);
            });
            // What it is answered is read: it floods, and does not stall.
            scope.spawn(move || {
                let mut bytes = vec![0; 65_536];
                while stream.read(&mut bytes).is_ok_and(|count| count > 0) {}
            });
        }
        // The flood has begun.
        while sent.iter().any(|sent| sent.load(Ordering::Relaxed) < 20) {
            std::thread::yield_now();
        }
        let progress = || sent.iter().map(|sent| sent.load(Ordering::Relaxed)).collect::<Vec<_>>();
        let before = progress();
        for turn in 0..TURNS {
            let (from, to) = ((turn % 8) as usize, ((turn * 3 + 1) % 8) as usize);
            let text = format!("turn {turn}");
            clients[from].chat(&users[to], &text);
            clients[to].hear_msg(&text);
        }
        // A flood that has not got on was no flood.
        while progress().iter().zip(&before).any(|(now, before)| now == before) {
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

fn many(frame: &Value) -> Vec<u8> {
    let frame = frame.to_string() + "\0";
    frame.repeat((64 << 10) / frame.len()).into_bytes()
}

#[test]
fn a_flood_of_messages_to_somebody_who_reads() {
    for cores in [1, 2] {
        talk_while(cores, |chatd, at| {
            let user = chatd.register(&format!("flooder {at}"));
            (chatd.enter(&user), many(&chat(user.id, user.id, "flood")))
        });
    }
}

#[test]
fn a_flood_of_messages_to_somebody_who_is_away() {
    for cores in [1, 2] {
        talk_while(cores, |chatd, at| {
            let user = chatd.register(&format!("flooder {at}"));
            let away = chatd.register(&format!("away {at}"));
            (chatd.enter(&user), many(&chat(user.id, away.id, "flood")))
        });
    }
}

#[test]
fn a_flood_of_requests_that_are_refused() {
    for cores in [1, 2] {
        talk_while(cores, |chatd, at| {
            let user = chatd.register(&format!("flooder {at}"));
            (chatd.enter(&user), many(&json!({"msgid": 99, "id": user.id})))
        });
    }
}

#[test]
fn a_flood_of_empty_frames() {
    talk_while(1, |chatd, _| (chatd.connect(), vec![0; 64 << 10]));
}

#[test]
fn a_flood_of_requests_to_the_store() {
    for cores in [1, 2] {
        talk_while(cores, |chatd, at| {
            let user = chatd.register(&format!("flooder {at}"));
            (chatd.enter(&user), many(&json!({"msgid": 13, "id": user.id})))
        });
    }
}

/// Messages `0..count` as they were heard: in order, and none but these.
fn numbers(messages: &[Value]) -> Vec<usize> {
    let messages = messages.iter().filter(|message| message["msgid"] != 21);
    messages.map(|message| message["msg"].as_str().expect("a text")[..6].parse().expect("a number")).collect()
}

/// What a reader had of `count` messages before it was cut, and what waited for it then: together
/// all of them, each part in order and without a gap.
fn assert_all(had: &[usize], waited: &[usize], count: usize, at: &str) {
    let expected: Vec<usize> = (0..had.len()).collect();
    assert_eq!(had, expected, "{at}: what came first");
    let first = waited.first().copied().unwrap_or(count);
    assert!(first <= had.len(), "{at}: had up to {}, and then came {first}", had.len());
    let expected: Vec<usize> = (first..count).collect();
    assert!(waited == expected, "{at}: from {first} on waited {waited:?}");
}

/// The whole frames in what was taken.
fn frames(taken: &[u8]) -> Vec<Value> {
    let end = taken.iter().rposition(|&byte| byte == 0).map_or(0, |at| at + 1);
    let frames = taken[..end].split(|&byte| byte == 0).filter(|frame| !frame.is_empty());
    frames.map(|frame| serde_json::from_slice(frame).expect("a frame is JSON")).collect()
}

/// Logs in and reads until the message `last`, which is not counted.
fn read_until(chatd: &Chatd, user: &User, last: &str) -> Vec<Value> {
    let mut reader = chatd.connect().with_newlines();
    let mut messages = reader.login_with_backlog(user, 0);
    while messages.last().is_none_or(|message| message["msg"] != last) {
        messages.push(reader.hear(&format!("messages up to {last:?}")));
    }
    messages.pop();
    reader.hear_nothing();
    messages
}

const STALLED: usize = 6_000;

fn long_text(number: usize) -> String {
    format!("{number:06} {}", "x".repeat(900))
}

#[test]
fn a_stalled_reader_is_cut_and_loses_nothing() {
    for (cores, with_cids) in [(1, false), (2, false), (1, true), (8, true)] {
        let at = format!("{cores} cores, cids: {with_cids}");
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut stalled = chatd.connect();
        stalled.small_window();
        stalled.login(&ben);
        let mut client = chatd.enter(&amy);
        std::thread::scope(|scope| {
            let mut stream = client.stream.try_clone().expect("a second handle");
            scope.spawn(move || {
                for number in 0..STALLED {
                    let mut frame = chat(amy.id, ben.id, &long_text(number));
                    if with_cids {
                        frame["cid"] = json!(number.to_string());
                    }
                    stream.write_all((frame.to_string() + "\0").as_bytes()).expect("chatd reads");
                }
            });
            if with_cids {
                (0..STALLED).for_each(|number| drop(client.hear_ack(&number.to_string())));
            }
        });
        client.hear_nothing();
        // It is cut for not reading, so it does not before; and what its TCP has taken is all it had.
        chatd.until_offline(&ben);
        let had = numbers(&frames(&stalled.taken()));
        stalled.reset();
        assert!(had.len() < STALLED, "{at}: it was to be cut");
        client.chat_stored(&ben, "last", "last");
        let waited = read_until(&chatd, &ben, "last");
        assert_all(&had, &numbers(&waited), STALLED, &at);
    }
}

#[test]
fn a_stalled_member_of_a_group_is_cut_and_loses_nothing() {
    for cores in [1, 2, 8] {
        let at = format!("{cores} cores");
        let chatd = Chatd::start(cores);
        let (amy, ben, carl) = (chatd.register("amy"), chatd.register("ben"), chatd.register("carl"));
        let mut client = chatd.enter(&amy);
        let group = client.create_group("g");
        let mut stalled = chatd.connect();
        stalled.small_window();
        stalled.login(&ben);
        stalled.join_group(group);
        let mut reader = chatd.enter(&carl);
        reader.join_group(group);
        let count = STALLED;
        std::thread::scope(|scope| {
            let mut stream = client.stream.try_clone().expect("a second handle");
            scope.spawn(move || {
                for number in 0..count {
                    let frame = group_chat(amy.id, group, &long_text(number)).to_string() + "\0";
                    stream.write_all(frame.as_bytes()).expect("chatd reads");
                }
            });
            // The other member gets all of it meanwhile.
            let heard: Vec<Value> = (0..count).map(|number| reader.hear_msg(&long_text(number))).collect();
            assert_eq!(heard.len(), count);
        });
        client.hear_nothing();
        chatd.until_offline(&ben);
        let had = numbers(&frames(&stalled.taken()));
        stalled.reset();
        assert!(had.len() < count, "{at}: it was to be cut");
        client.group_chat_stored(group, "last", "last");
        let waited = read_until(&chatd, &ben, "last");
        assert_all(&had, &numbers(&waited), count, &at);
        reader.hear_msg("last");
        reader.hear_nothing();
    }
}

/// A reader whose window is closed is killed: what its TCP had taken is its own, the rest waits.
#[test]
fn a_reader_that_is_killed_loses_nothing_that_it_had_not_taken() {
    for cores in [1, 2] {
        let at = format!("{cores} cores");
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut stalled = chatd.connect();
        stalled.small_window();
        stalled.login(&ben);
        let mut client = chatd.enter(&amy);
        let count = 500;
        for number in 0..count {
            client.chat(&ben, &long_text(number));
        }
        client.hear_nothing();
        // Nothing more is taken once the window is closed. Each question is a turn of the server's.
        let mut taken = stalled.taken();
        let mut unchanged = 0;
        while unchanged < 500 {
            client.hear_nothing();
            let now = stalled.taken();
            unchanged = if now.len() == taken.len() { unchanged + 1 } else { 0 };
            taken = now;
        }
        let had = numbers(&frames(&taken));
        stalled.reset();
        chatd.until_offline(&ben);
        client.chat_stored(&ben, "last", "last");
        let waited = read_until(&chatd, &ben, "last");
        assert!(!waited.is_empty(), "{at}");
        assert_all(&had, &numbers(&waited), count, &at);
    }
}

/// Readers come, take a part, and leave, again and again; in the end all was seen.
#[test]
fn readers_that_leave_while_they_are_pushed_to() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut client = chatd.enter(&amy);
        let mut seen = std::collections::BTreeSet::new();
        let mut sent = 0;
        for _ in 0..12 {
            let mut reader = chatd.connect().with_newlines();
            reader.ask_login(&ben);
            for _ in 0..40 {
                client.chat(&ben, &format!("{sent:06}"));
                sent += 1;
            }
            seen.extend(numbers(&reader.hear_login_with_backlog(0)));
            reader.half_close();
            seen.extend(numbers(&reader.hear_until_end("the rest")));
            chatd.until_offline(&ben);
        }
        client.chat_stored(&ben, "last", "last");
        let rest = numbers(&read_until(&chatd, &ben, "last"));
        assert!(rest.is_sorted(), "{cores} cores: {rest:?}");
        seen.extend(rest);
        let lost: Vec<usize> = (0..sent).filter(|number| !seen.contains(number)).collect();
        assert!(lost.is_empty(), "{cores} cores: lost {lost:?}");
    }
}

#[test]
fn peers_killed_in_the_middle_of_everything() {
    for cores in [1, 2] {
        let mut chatd = Chatd::start(cores);
        let users = chatd.register_many("user", 2);
        let victim = chatd.register("victim");
        let mut neighbours = chatd.enter_all(&users);
        let login = json!({"msgid": 1, "id": victim.id, "password": victim.password}).to_string();
        let script =
            format!("{login}\0{}\0{}\0", json!({"msgid": 13, "id": victim.id}), chat(victim.id, 1, "m"));
        for cut in (0..=script.len()).step_by(3) {
            let mut client = chatd.connect();
            let _ = client.try_write(&script.as_bytes()[..cut]);
            if cut % 2 == 0 {
                client.reset();
            } else {
                drop(client);
            }
            neighbours[1].chat(&users[0], &format!("{cut}"));
            // What the victim wrote may come between.
            while neighbours[0].hear("a neighbour's message")["msg"] != format!("{cut}") {}
        }
        assert!(chatd.lives(), "{}", chatd.printed());
    }
}

/// Half of what a client has to say, then silence, then the rest: nothing times out soon.
#[test]
fn a_client_that_stops_reading_for_a_while_and_goes_on() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader = chatd.enter(&ben);
    let mut client = chatd.enter(&amy);
    // Less than what may be under way to one reader.
    let sent: Vec<String> = (0..700).map(long_text).collect();
    for text in &sent {
        client.chat(&ben, text);
    }
    client.hear_nothing();
    let heard: Vec<Value> = sent.iter().map(|_| reader.hear("a message")).collect();
    assert_same(&texts(&heard), &sent, "after a while");
    reader.hear_nothing();
}
