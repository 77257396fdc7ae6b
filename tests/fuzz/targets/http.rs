//! Heads of HTTP requests: however they come, the same, and nothing in what was read that could end a line.

use crate::Target;
use chatd_chat::wire::http::answer::switching;
use chatd_chat::wire::http::{self, Arrival, HEAD_BYTES};

/// `TARGET` reads a byte that says where the head is cut, and the head.
pub const TARGET: Target = Target {
    name: "http",
    run,
    dictionary: &[
        b"GET ",
        b"HEAD ",
        b"POST ",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"Host: ",
        b"Connection: Upgrade\r\n",
        b"Upgrade: websocket\r\n",
        b"Sec-WebSocket-Version: 13\r\n",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        b"Origin: https://chat.example\r\n",
        b"Content-Length: 0\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"X-Forwarded-For: 192.0.2.7, [2001:db8::7]:443\r\n",
        b"If-None-Match: \"x\"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"?",
        b"/../",
        b"https://",
        b":443",
        b"\t",
        b", ",
        b"\xff",
    ],
    bytes: 2_048,
};

fn run(bytes: &[u8]) {
    let Some((&by, bytes)) = bytes.split_first() else { return };
    let whole = http::arrive(bytes, 0);
    let cut = usize::from(by) * (bytes.len() + 1) / 256;
    let arrival = match http::arrive(&bytes[..cut], 0) {
        Arrival::Partial => http::arrive(bytes, cut),
        decided => decided,
    };
    assert_eq!(arrival, whole, "cut at {cut}");
    if let Arrival::Whole(end) = whole {
        assert!(end <= bytes.len() && end <= HEAD_BYTES);
        head(&bytes[..end]);
    }
}

fn head(head: &[u8]) {
    let _ = http::forwarded(head, |address| address.is_loopback());
    let Ok(ask) = http::read(head) else { return };
    assert!(ask.path.starts_with('/') && !ask.path.contains(['?', ' ']), "{:?}", ask.path);
    for said in [Some(ask.path), Some(ask.host), ask.origin, ask.etags].into_iter().flatten() {
        assert!(!said.contains(['\r', '\n', '\0']), "{said:?}");
    }
    if let Some(origin) = ask.origin {
        let _ = http::is_same_host(origin, ask.host);
    }
    if let Some(Ok(accept)) = ask.upgrade.map(|upgrade| upgrade.accept()) {
        assert!(switching(&accept).ends_with(b"\r\n\r\n"));
    }
}
