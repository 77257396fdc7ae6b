//! How a WebSocket begins, and what else HTTP gives on the clients' port.

use crate::common::chatd::{Chatd, Setup};
use crate::common::websocket::{LAST, TEXT, UPGRADE, WebSocket, frame};

/// The status and the whole answer to bytes that a connection begins with.
fn answer(chatd: &Chatd, request: &str) -> (u16, String) {
    let mut socket = WebSocket::dial(chatd.address);
    socket.write(request.as_bytes());
    let head = socket.hear_head();
    let status = head[9..12].parse().expect("a status");
    let body = if status == 101 { Vec::new() } else { socket.hear_rest() };
    (status, head + &String::from_utf8(body).expect("a text"))
}

fn get(chatd: &Chatd, path: &str, fields: &str) -> (u16, String) {
    answer(chatd, &format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))
}

#[test]
fn everything_has_its_answer_and_is_closed() {
    let chatd = Chatd::start(1);
    for (request, wanted) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /?x=/ws HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        ("GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /../Cargo.toml HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("GET /ws HTTP/1.1\r\nHost: a\r\n\r\n", 426),
        ("POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
        ("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("GET / HTTP/0.9\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("EHLO example.org\r\n\r\n", 400),
        ("NONSENSE\n", 400),
    ] {
        let (status, text) = answer(&chatd, request);
        assert_eq!(status, wanted, "{request:?}: {text}");
        assert!(text.contains("\r\nConnection: close"), "{text}");
        assert!(text.contains("Content-Security-Policy: default-src 'none';"), "{text}");
    }
    let (_, text) = answer(&chatd, "HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(text.contains("\r\nContent-Length: 3\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    // What follows a request is not answered.
    let twice = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2);
    assert_eq!(answer(&chatd, &twice).1.matches("HTTP/1.1").count(), 1);
}

#[test]
fn a_head_may_come_in_any_pieces_and_has_its_bounds() {
    let chatd = Chatd::start(1);
    let mut socket = WebSocket::dial(chatd.address);
    for byte in UPGRADE.as_bytes() {
        socket.write(&[*byte]);
    }
    assert!(socket.hear_head().starts_with("HTTP/1.1 101 "));
    socket.hear_nothing();
    let (status, _) = get(&chatd, "/ws", &format!("X: {}\r\n", "x".repeat(9_000)));
    assert_eq!(status, 431);
    assert_eq!(get(&chatd, "/ws", &"X: y\r\n".repeat(64)).0, 431);
    assert_eq!(get(&chatd, "/healthz", &"X: y\r\n".repeat(63)).0, 200);
    let mut endless = WebSocket::dial(chatd.address);
    endless.write(&[b'G'; 8 << 10]);
    assert!(endless.hear_head().starts_with("HTTP/1.1 431 "));
}

/// Frames that come with the request are taken for what they are: the first messages.
#[test]
fn what_follows_an_upgrade_at_once_are_messages() {
    let chatd = Chatd::start(1);
    let bytes =
        [UPGRADE.as_bytes(), &frame(LAST | TEXT, b"{\"msgid\":22,\"n\":1}"), &frame(TEXT, b"{\"msgid\"")]
            .concat();
    for cut in [bytes.len(), UPGRADE.len() - 1, UPGRADE.len() + 3, UPGRADE.len() + 30] {
        let mut socket = WebSocket::dial(chatd.address);
        socket.write(&bytes[..cut]);
        socket.write(&bytes[cut..]);
        assert!(socket.hear_head().starts_with("HTTP/1.1 101 "));
        assert_eq!(socket.hear()["n"], 1);
        socket.write(&frame(LAST, b":22,\"n\":2}"));
        assert_eq!(socket.hear()["n"], 2);
    }
}

#[test]
fn half_an_upgrade_is_refused() {
    let chatd = Chatd::start(1);
    for (without, wanted) in [
        ("Upgrade: websocket\r\n", 426),
        ("Connection: Upgrade\r\n", 426),
        ("Sec-WebSocket-Version: 13\r\n", 426),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
        ("Host: localhost\r\n", 400),
    ] {
        let (status, text) = answer(&chatd, &UPGRADE.replace(without, ""));
        assert_eq!(status, wanted, "{without}: {text}");
        assert_eq!(text.contains("\r\nSec-WebSocket-Version: 13\r\n"), status == 426, "{text}");
    }
    assert_eq!(answer(&chatd, &UPGRADE.replace("GET", "HEAD")).0, 426);
    // Who goes away in the middle leaves nothing behind.
    for cut in (0..UPGRADE.len()).step_by(7) {
        let mut socket = WebSocket::dial(chatd.address);
        socket.write(&UPGRADE.as_bytes()[..cut]);
        socket.half_close();
        let rest = socket.hear_rest();
        assert_eq!(rest.get(..13), (cut > 0).then_some(&b"HTTP/1.1 400 "[..]), "{cut}");
    }
}

#[test]
fn pages_of_others_may_not_connect() {
    let from = |chatd: &Chatd, origin: &str| {
        answer(chatd, &UPGRADE.replace("Upgrade: w", &format!("Origin: {origin}\r\nUpgrade: w"))).0
    };
    let own = Chatd::start(1);
    assert_eq!(from(&own, "http://localhost"), 101);
    for origin in ["https://evil.example", "http://localhost:6000", "null", "http://localhost.evil.example"] {
        assert_eq!(from(&own, origin), 403, "{origin}");
    }
    let listed = Setup::new(1)
        .argument("--web-origin=https://www.example.org")
        .argument("--web-origin=http://b:1")
        .start();
    for (origin, wanted) in
        [("https://www.example.org", 101), ("http://b:1", 101), ("http://localhost", 101), ("http://b", 403)]
    {
        assert_eq!(from(&listed, origin), wanted, "{origin}");
    }
    let open = Setup::new(1).argument("--web-origin=*").start();
    assert_eq!(from(&open, "https://evil.example"), 101);
}

#[test]
fn the_page_may_be_off_and_the_websocket_is_not() {
    let chatd = Setup::new(1).argument("--web=off").start();
    assert_eq!(get(&chatd, "/", "").0, 404);
    assert_eq!(get(&chatd, "/healthz", "").0, 200);
    assert_eq!(answer(&chatd, UPGRADE).0, 101);
}

#[test]
fn a_browser_that_has_the_page_does_not_get_it_again() {
    let chatd = Chatd::start(1);
    let (status, text) = get(&chatd, "/", "");
    assert_eq!(status, 200);
    let (_, etag) = text.split_once("\r\nETag: ").expect("a name");
    let (etag, _) = etag.split_once("\r\n").unwrap();
    let (status, text) = get(&chatd, "/", &format!("If-None-Match: {etag}\r\n"));
    assert!(status == 304 && text.ends_with("\r\n\r\n"), "{text}");
}

/// The hello of a TLS client is answered, and not waited on.
#[test]
fn tls_is_refused() {
    let chatd = Chatd::start(1);
    let mut client = chatd.connect();
    client.write(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    client.hear_error_and_end(100);
}
