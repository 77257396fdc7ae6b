//! How a WebSocket ends: which code goes with what, and that the ERROR goes first.

use crate::common::chatd::Chatd;
use crate::common::websocket::{BINARY, CLOSE, CONTINUATION, LAST, PING, TEXT, WebSocket, frame};
use serde_json::json;

#[test]
fn every_fault_has_its_error_and_its_code() {
    let chatd = Chatd::start(1);
    let masked = |first: u8, payload: &[u8]| frame(first, payload);
    for (bytes, errno, code) in [
        (masked(LAST | TEXT, b"nonsense"), 100, 1007),
        (masked(LAST | TEXT, b"\"\xff\""), 100, 1007),
        (masked(TEXT, b"{\"a\":\"\xc0"), 100, 1007),
        (masked(LAST | TEXT, &vec![b'x'; (64 << 10) + 1]), 111, 1009),
        ([masked(TEXT, &vec![b'x'; 64 << 10]), masked(CONTINUATION, b"x")].concat(), 111, 1009),
        (masked(LAST | BINARY, b"{}"), 100, 1003),
        (masked(LAST | CONTINUATION, b"x"), 100, 1002),
        (masked(LAST | TEXT | 0x40, b"x"), 100, 1002),
        (masked(LAST | 3, b"x"), 100, 1002),
        (masked(PING, b"x"), 100, 1002),
        (masked(LAST | PING, &[b'x'; 126]), 100, 1002),
        (masked(LAST | CLOSE, b"x"), 100, 1002),
        (masked(LAST | CLOSE, &1006_u16.to_be_bytes()), 100, 1002),
        (masked(LAST | CLOSE, b"\x03\xe8\xff"), 100, 1007),
        (vec![LAST | TEXT, 1, b'x'], 100, 1002),
    ] {
        let mut socket = WebSocket::connect(chatd.address);
        socket.write(&bytes);
        socket.hear_error(errno);
        socket.hear_close(Some(code));
    }
}

#[test]
fn a_close_is_answered_with_its_code_after_what_was_asked_before() {
    let chatd = Chatd::start(1);
    for code in [None, Some(1000), Some(1001), Some(4_999)] {
        let mut socket = WebSocket::connect(chatd.address);
        let payload = code.map(|code: u16| [&code.to_be_bytes()[..], b"bye"].concat()).unwrap_or_default();
        let bytes = [
            frame(LAST | TEXT, b"{\"msgid\":4,\"name\":\"\",\"password\":\"p\"}"),
            frame(LAST | CLOSE, &payload),
            frame(LAST | TEXT, b"{\"msgid\":22,\"n\":1}"),
        ];
        socket.write(&bytes.concat());
        assert_eq!(socket.hear()["msgid"], 5);
        socket.hear_close(code);
    }
    // Who only ends its sending side is answered, too.
    let mut socket = WebSocket::connect(chatd.address);
    socket.say(json!({"msgid": 22, "n": 1}));
    socket.half_close();
    assert_eq!(socket.hear()["n"], 1);
    socket.hear_close(Some(1000));
}

#[test]
fn a_stopping_server_and_a_newer_session_say_so() {
    let chatd = Chatd::start(1);
    let mut older = WebSocket::connect(chatd.address);
    let amy = older.enter("amy", Some(2));
    let mut newer = WebSocket::connect(chatd.address);
    newer.say(json!({"msgid": 1, "id": amy, "password": "of a test", "v": 2, "takeover": true}));
    older.hear_error(113);
    older.hear_close(Some(1008));
    assert_eq!(newer.hear()["errno"], 0);
    let mut half = WebSocket::dial(chatd.address);
    half.write(b"GET /ws HTTP/1.1\r\n");
    let mut chatd = chatd;
    newer.hear_nothing();
    chatd.end(15);
    newer.hear_error(114);
    newer.hear_close(Some(1001));
    let head = half.hear_head();
    assert!(head.starts_with("HTTP/1.1 503 ") && head.contains("Retry-After: "), "{head}");
}
