//! People who talk over WebSocket, with each other and with those on plain connections.

use crate::common::chatd::Chatd;
use crate::common::websocket::{CLOSE, CONTINUATION, LAST, PING, PONG, TEXT, WebSocket, frame};
use serde_json::json;

#[test]
fn both_dialects_are_spoken_and_heard_on_either_side() {
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let mut plain = chatd.enter(&amy);
    let mut seed = WebSocket::connect(chatd.address);
    let ben = seed.enter("ben", None);
    let mut v2 = WebSocket::connect(chatd.address);
    let eve = v2.enter("eve", Some(2));
    plain.say(json!({"msgid": 6, "id": amy.id, "toid": ben, "msg": "to ben", "time": "t"}));
    plain.say(json!({"msgid": 6, "id": amy.id, "toid": eve, "msg": "to eve", "time": "t", "cid": "a1"}));
    plain.hear_ack("a1");
    let push = seed.hear_text();
    assert_eq!(
        push,
        format!(r#"{{"id":{},"msg":"to ben","msgid":6,"name":"amy","time":"t","toid":{ben}}}"#, amy.id)
    );
    let push = v2.hear();
    assert_eq!((&push["msg"], &push["cid"]), (&json!("to eve"), &json!("a1")), "{push}");
    v2.say(json!({"msgid": 24, "mids": [push["mid"]]}));
    v2.say(json!({"msgid": 6, "id": eve, "toid": amy.id, "msg": "to amy", "time": "t", "cid": "e1"}));
    assert_eq!(v2.hear()["errno"], 0);
    plain.hear_msg("to amy");
}

#[test]
fn the_end_of_a_message_ends_a_frame_and_newlines_separate_several() {
    let chatd = Chatd::start(1);
    let mut socket = WebSocket::connect(chatd.address);
    socket.say_text("{\"msgid\":22,\"n\":1}\n\r\n{\"msgid\":22,\"n\":2}\0{\"msgid\":22,\"n\":3}\n");
    socket.say_text("");
    socket.say_text("\n\n");
    socket.write(&frame(TEXT, b"{\"msgid\":"));
    socket.write(&frame(LAST | PING, b"still there?"));
    socket.write(&frame(CONTINUATION, b"22,"));
    socket.write(&frame(CONTINUATION, b""));
    socket.write(&frame(LAST | CONTINUATION, b"\"n\":4}\r\n{\"msgid\":22,\"n\":5}"));
    let pong = |n: u64| format!("{{\"msgid\":23,\"n\":{n}}}");
    for n in 1..=3 {
        assert_eq!(socket.hear_text(), pong(n));
    }
    assert_eq!(socket.hear_frame(), Some((LAST | PONG, b"still there?".to_vec())));
    assert_eq!([socket.hear_text(), socket.hear_text()], [pong(4), pong(5)]);
}

/// A registration pauses its connection in the middle of a message: the rest of it is not lost, and keeps its order.
#[test]
fn a_message_that_is_paused_in_its_middle_goes_on() {
    let chatd = Chatd::start(1);
    for split in [false, true] {
        let mut socket = WebSocket::connect(chatd.address);
        let register = |name: &str| format!("{{\"msgid\":4,\"name\":\"{name}{split}\",\"password\":\"p\"}}");
        let text = [&register("amy"), "{\"msgid\":22,\"n\":1}", &register("ben"), "{\"msgid\":22,\"n\":2}"]
            .join("\n");
        let (first, second) = text.as_bytes().split_at(if split { 20 } else { 0 });
        let bytes = [
            frame(TEXT, first),
            frame(LAST | CONTINUATION, second),
            frame(LAST | TEXT, b"{\"msgid\":22,\"n\":3}"),
            frame(TEXT, b"{\"msgid\":22,"),
            frame(LAST | CONTINUATION, b"\"n\":4}"),
        ];
        socket.write(&bytes.concat());
        let heard: Vec<_> = (0..6).map(|_| socket.hear()).collect();
        let numbers: Vec<_> = heard.iter().map(|frame| (&frame["msgid"], &frame["n"])).collect();
        let (registered, none) = (&json!(5), &json!(null));
        let [pong, one, two, three, four] = [23, 1, 2, 3, 4].map(|number| json!(number));
        let wanted = [
            (registered, none),
            (&pong, &one),
            (registered, none),
            (&pong, &two),
            (&pong, &three),
            (&pong, &four),
        ];
        assert_eq!(numbers, wanted);
    }
}

/// Messages of every length of header, in both directions; and bytes that come one by one.
#[test]
fn every_length_comes_through() {
    let chatd = Chatd::start(1);
    let mut socket = WebSocket::connect(chatd.address);
    let amy = socket.enter("amy", Some(2));
    for length in [1, 60, 124, 125, 126, 127, 4_000, 16_384] {
        let msg = "x".repeat(length);
        socket.say(
            json!({"msgid": 6, "id": amy, "toid": amy, "msg": msg, "time": "t", "cid": format!("c{length}")}),
        );
        let (one, other) = (socket.hear(), socket.hear());
        let push = if one["msgid"] == 6 { one } else { other };
        assert_eq!(push["msg"], json!(msg));
    }
    for byte in frame(LAST | TEXT, b"{\"msgid\":22,\"n\":7}") {
        socket.write(&[byte]);
    }
    assert_eq!(socket.hear()["n"], 7);
}

/// Headers of every length, pongs and the answer to the upgrade are counted as what they are: all that was read is
/// known to be, and nothing of it comes again.
#[test]
fn what_was_read_does_not_wait_any_more() {
    let chatd = Chatd::start(1);
    let amy = chatd.register("amy");
    let ben = chatd.register("ben");
    let mut sender = chatd.enter(&amy);
    let text = |number: usize| format!("{number:03}{}", "x".repeat(number * 37 % 300 + number / 100 * 8_000));
    for number in 0..300 {
        sender.chat_stored(&ben, &text(number), &format!("c{number}"));
    }
    let mut reader = WebSocket::connect(chatd.address);
    reader.write(&frame(LAST | PING, b"first"));
    reader.say(json!({"msgid": 1, "id": ben.id, "password": ben.password}));
    assert_eq!(reader.hear_frame(), Some((LAST | PONG, b"first".to_vec())));
    let answer = reader.hear();
    let mut heard = answer["offlinemsg"].as_array().expect("a list").len();
    while heard < 300 {
        if heard.is_multiple_of(50) {
            reader.write(&frame(LAST | PING, &[b'p'; 125]));
        }
        match reader.hear_frame().expect("not the end") {
            (first, payload) if first == LAST | TEXT => {
                let push: serde_json::Value = serde_json::from_slice(&payload).unwrap();
                assert_eq!(push["msg"], json!(text(heard)));
                heard += 1;
            }
            (first, payload) => assert_eq!((first, payload), (LAST | PONG, vec![b'p'; 125])),
        }
    }
    reader.write(&frame(LAST | CLOSE, b""));
    loop {
        match reader.hear_frame().expect("a close frame") {
            (first, payload) if first == LAST | PONG => assert_eq!(payload, [b'p'; 125]),
            last => break assert_eq!(last, (LAST | CLOSE, Vec::new())),
        }
    }
    assert_eq!(reader.hear_frame(), None);
    drop(reader);
    chatd.until_offline(&ben);
    let mut again = chatd.connect();
    let answer = again.login(&ben);
    assert_eq!(answer["offlinemsg"], json!([]));
    again.hear_nothing();
}
