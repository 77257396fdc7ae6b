//! Whoever reaches the admin address can do no harm by it.

use super::client::{hear, start};
use std::io::{Read, Write};

#[test]
fn what_is_no_page_is_refused() {
    let (_chatd, admin) = start(1);
    for path in ["/metrics/", "/Metrics", "/../etc/passwd", "/debug", "*", "http://x/metrics"] {
        assert_eq!(admin.get(path).status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "get"] {
        let page =
            admin.say(format!("{method} /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").as_bytes());
        assert_eq!((page.status, page.header("Allow")), (405, Some("GET, HEAD")), "{method}");
    }
    let index = admin.get("/");
    assert!(index.status == 200 && index.text().contains("/metrics"), "{index:?}");
}

#[test]
fn a_head_is_the_page_without_its_body() {
    let (_chatd, admin) = start(1);
    for path in ["/", "/healthz", "/readyz"] {
        let (whole, head) = (admin.get(path), admin.say(format!("HEAD {path} HTTP/1.1\r\n\r\n").as_bytes()));
        assert_eq!((&head.head, head.status), (&whole.head, 200));
        assert!(head.body.is_empty() && !whole.body.is_empty());
    }
}

#[test]
fn what_is_no_request_is_answered_and_ended() {
    let (_chatd, admin) = start(1);
    assert_eq!(admin.say(b"hello\r\n\r\n").status, 400);
    assert_eq!(admin.say(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00").status, 400);
    assert_eq!(admin.say(b"{\"msgid\":1}\n").status, 400);
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(16 << 10));
    assert_eq!(admin.say(long.as_bytes()).status, 431);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    assert_eq!(admin.say(many.as_bytes()).status, 431);
    // Nothing at all is nothing to be answered.
    let mut silent = admin.connect();
    silent.shutdown(std::net::Shutdown::Write).expect("it is open");
    let mut rest = Vec::new();
    silent.read_to_end(&mut rest).expect("an end");
    assert_eq!((rest.len(), admin.get("/healthz").status), (0, 200));
}

#[test]
fn a_request_may_come_byte_by_byte_and_is_answered_once() {
    let (_chatd, admin) = start(1);
    let mut stream = admin.connect();
    stream.set_nodelay(true).expect("it is open");
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" {
        stream.write_all(&[*byte]).expect("it is read");
    }
    assert_eq!(hear(stream).text(), "ok\n");
    let two = admin.say(&b"GET /healthz HTTP/1.1\r\n\r\n".repeat(2));
    assert_eq!(two.text(), "ok\n", "the second one goes unheard, and the connection ends");
}

#[test]
fn those_who_say_nothing_keep_nobody_out_and_are_closed() {
    let (_chatd, admin) = start(1);
    let mut silent: Vec<_> = (0..40)
        .map(|number| {
            let mut stream = admin.connect();
            if number % 2 == 0 {
                stream.write_all(b"GET /met").expect("it is read");
            }
            stream
        })
        .collect();
    assert_eq!(admin.get("/healthz").status, 200);
    for stream in &mut silent {
        let mut rest = Vec::new();
        // Reset where what was said had not been read.
        let _ = stream.read_to_end(&mut rest);
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
    assert_eq!(admin.get("/readyz").status, 200);
}

#[test]
fn answers_that_nobody_reads_hold_nobody_up() {
    let (_chatd, admin) = start(4);
    let stuck: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = admin.connect();
            stream.write_all(b"GET /histograms?format=json HTTP/1.1\r\n\r\n").expect("it is read");
            stream
        })
        .collect();
    for _ in 0..20 {
        assert_eq!(admin.get("/healthz").status, 200);
    }
    drop(stuck);
    assert_eq!(admin.get("/metrics").status, 200);
}
