//! Who takes its time, floods, or does not read: bounded as on a plain connection.

use crate::common::chatd::{Chatd, Setup};
use crate::common::clock::Clocks;
use crate::common::websocket::{CONTINUATION, LAST, PING, PONG, TEXT, UPGRADE, WebSocket, frame};
use serde_json::{Value, json};

/// A head that does not end, one of which nothing came but the upgrade's first line, and a message whose bytes are all
/// handled but whose end does not come.
#[test]
fn what_takes_longer_than_a_frame_may_is_closed() {
    let clocks = Clocks::new();
    let chatd = clocks.under(Setup::new(1)).start();
    let mut head = WebSocket::dial(chatd.address);
    head.write(&UPGRADE.as_bytes()[..UPGRADE.len() - 1]);
    let mut empty = WebSocket::connect(chatd.address);
    empty.write(&frame(TEXT, b""));
    empty.write(&frame(LAST | PING, b"meanwhile"));
    assert_eq!(empty.hear_frame(), Some((LAST | PONG, b"meanwhile".to_vec())));
    let mut half = WebSocket::connect(chatd.address);
    half.write(&frame(TEXT, b"{\"msgid\":"));
    half.write(&frame(LAST | PING, b"meanwhile"));
    assert_eq!(half.hear_frame(), Some((LAST | PONG, b"meanwhile".to_vec())));
    let mut silent = WebSocket::connect(chatd.address);
    silent.hear_nothing();
    // All of it is with the server.
    silent.hear_nothing();
    clocks.pass(31_000);
    let answer = head.hear_head();
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    for mut slow in [empty, half] {
        slow.hear_error(100);
        slow.hear_close(Some(1007));
    }
    silent.hear_nothing();
}

/// Whose reads always end in the middle of a frame is in time as long as each of them is.
#[test]
fn a_frame_that_follows_another_has_its_whole_time() {
    let clocks = Clocks::new();
    let chatd = clocks.under(Setup::new(1)).start();
    // Connections are looked at in twenty parts: once each of these is cut, all were looked at.
    let mut overdue: Vec<_> = (0..20).map(|_| chatd.connect()).collect();
    overdue.iter_mut().for_each(|client| client.write(b"{\"msgid\":"));
    let mut plain = chatd.connect().with_newlines();
    let mut socket = WebSocket::connect(chatd.address);
    plain.write(b"{\"msgid\":22,\"n\":1}\n{\"ms");
    socket.write(&[frame(LAST | TEXT, b"{\"msgid\":22,\"n\":1}"), frame(TEXT, b"{\"ms")].concat());
    assert_eq!((plain.hear("PONG")["n"].clone(), socket.hear()["n"].clone()), (json!(1), json!(1)));
    clocks.pass(7_000);
    plain.write(b"gid\":22,\"n\":2}\n{\"ms");
    socket.write(&[frame(LAST | CONTINUATION, b"gid\":22,\"n\":2}"), frame(TEXT, b"{\"ms")].concat());
    assert_eq!((plain.hear("PONG")["n"].clone(), socket.hear()["n"].clone()), (json!(2), json!(2)));
    clocks.pass(4_000);
    overdue.iter_mut().for_each(|client| client.hear_error_and_end(100));
    plain.write(b"gid\":22,\"n\":3}\n");
    socket.write(&frame(LAST | CONTINUATION, b"gid\":22,\"n\":3}"));
    assert_eq!((plain.hear("PONG")["n"].clone(), socket.hear()["n"].clone()), (json!(3), json!(3)));
}

/// Pings whose pongs are not read: the server's memory does not grow by them, and the last one is answered.
#[test]
fn a_flood_of_pings_is_answered_with_the_last_of_them() {
    const PINGS: u32 = 200_000;
    let chatd = Chatd::start(1);
    let mut socket = WebSocket::connect(chatd.address);
    let payload = |number: u32| [&number.to_be_bytes()[..], &[0; 100]].concat();
    let before = resident_bytes(chatd.pid());
    for first in (0..PINGS).step_by(500) {
        let pings: Vec<u8> =
            (first..first + 500).flat_map(|number| frame(LAST | PING, &payload(number))).collect();
        socket.write(&pings);
    }
    socket.say(json!({"msgid": 22, "n": 1}));
    let (mut last, mut answered, mut is_heard) = (None, 0, false);
    while !is_heard || last != Some(PINGS - 1) {
        match socket.hear_frame().expect("not the end") {
            (0x8a, payload) => {
                let number = u32::from_be_bytes(payload[..4].try_into().unwrap());
                assert!(last < Some(number), "{number} after {last:?}");
                (last, answered) = (Some(number), answered + 1);
            }
            (_, text) => {
                assert_eq!(text, b"{\"msgid\":23,\"n\":1}");
                is_heard = true;
            }
        }
    }
    let grown = resident_bytes(chatd.pid()).saturating_sub(before);
    assert!(grown < 8 << 20, "{grown} bytes for {answered} pongs");
}

fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// A reader who does not read is cut as a plain one is; what it did not get waits for it.
#[test]
fn a_reader_that_does_not_read_is_cut_and_loses_nothing() {
    const MESSAGES: usize = 1_200;
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let mut sender = chatd.enter(&amy);
    let mut reader = WebSocket::connect(chatd.address);
    reader.small_window();
    let ben = reader.enter("ben", None);
    let text = |number: usize| format!("{number:06}{}", "x".repeat(8_000));
    for number in 0..MESSAGES {
        sender.say(json!({"msgid": 6, "id": amy.id, "toid": ben, "msg": text(number), "time": "t"}));
    }
    sender.hear_nothing();
    let user = crate::common::client::User { id: ben, name: "ben".into(), password: "of a test".into() };
    chatd.until_offline(&user);
    let number_of =
        |message: &Value| message["msg"].as_str().and_then(|msg| msg.get(..6)?.parse::<usize>().ok());
    let mut had = Vec::new();
    while let Some((_, payload)) = reader.hear_frame_or_cut() {
        had.extend(serde_json::from_slice(&payload).ok().as_ref().and_then(number_of));
    }
    assert!(had.len() < MESSAGES, "it was to be cut");
    assert!(had.is_sorted(), "{had:?}");
    sender.chat_stored(&user, "last", "last");
    let mut again = WebSocket::connect(chatd.address);
    again.say(json!({"msgid": 1, "id": ben, "password": "of a test"}));
    let answer = again.hear();
    let waiting = answer["offlinemsg"].as_array().expect("a login answer");
    let mut rest: Vec<Value> =
        waiting.iter().map(|one| serde_json::from_str(one.as_str().unwrap()).unwrap()).collect();
    while rest.last().is_none_or(|message| message["msg"] != "last") {
        rest.push(again.hear());
    }
    let mut seen: Vec<usize> = rest.iter().filter_map(number_of).chain(had).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..MESSAGES).collect::<Vec<_>>());
}

/// Messages that are half there count as frames that are: the largest go first, when there are too many.
#[test]
fn too_many_unfinished_messages_are_shed() {
    let chatd = Chatd::start(1);
    let piece = frame(TEXT, &[b' '; 64_000]);
    let mut sockets: Vec<WebSocket> = (0..1_150).map(|_| WebSocket::connect(chatd.address)).collect();
    // All are begun before anybody is waited for: each has ten seconds to be ended.
    for socket in &mut sockets {
        socket.write(&piece);
        socket.write(&frame(LAST | PING, b""));
    }
    for socket in &mut sockets {
        let (kind, _) = socket.hear_frame().expect("not the end");
        assert_eq!(kind, 0x8a);
    }
    sockets[0].hear_error(116);
    sockets[0].hear_close(Some(1013));
    let last = sockets.last_mut().expect("some");
    last.write(&frame(LAST | CONTINUATION, b"{\"msgid\":22,\"n\":1}"));
    assert_eq!(last.hear()["n"], 1);
}
