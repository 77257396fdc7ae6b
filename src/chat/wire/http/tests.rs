use super::answer::{self, Status};
use super::*;

/// What a stream gives that comes in two parts, cut at `cut`.
fn cut(stream: &[u8], cut: usize) -> Arrival {
    match arrive(&stream[..cut], 0) {
        Arrival::Partial => arrive(stream, cut),
        settled => settled,
    }
}

fn ask(head: &str) -> Result<Ask<'_>, Status> {
    read(head.as_bytes())
}

const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: chat.example.org\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: https://chat.example.org\r\n\r\n";

#[test]
fn every_cut_gives_the_same_head() {
    let stream = [UPGRADE.as_bytes(), b"\x81\x80\x01\x02\x03\x04"].concat();
    for at in 0..=stream.len() {
        assert_eq!(cut(&stream, at), Arrival::Whole(UPGRADE.len()), "{at}");
    }
    for bad in [&b"GET / HTTP/1.1\nHost: a\r\n\r\n"[..], b"GET / HTTP/1.1\r\nHost: a\n\r\n", b"G\n", b"\n"] {
        for at in 0..=bad.len() {
            assert_eq!(cut(bad, at), Arrival::Refused(Status::BadRequest), "{at}");
        }
    }
}

#[test]
fn a_head_has_its_bound_in_bytes_and_lines() {
    let of = |bytes: usize| {
        let rest = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(bytes - rest))
    };
    let largest = of(HEAD_BYTES);
    assert_eq!(arrive(largest.as_bytes(), 0), Arrival::Whole(HEAD_BYTES));
    assert!(ask(&largest).is_ok());
    assert_eq!(arrive(of(HEAD_BYTES + 1).as_bytes(), 0), Arrival::Refused(Status::HeadTooLarge));
    assert_eq!(arrive(&vec![b'G'; HEAD_BYTES - 1], 0), Arrival::Partial);
    assert_eq!(arrive(&vec![b'G'; HEAD_BYTES], 0), Arrival::Refused(Status::HeadTooLarge));
    let of_lines =
        |lines: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(lines - 1));
    assert!(ask(&of_lines(HEAD_LINES)).is_ok());
    assert_eq!(ask(&of_lines(HEAD_LINES + 1)), Err(Status::HeadTooLarge));
}

#[test]
fn an_upgrade_is_accepted_as_the_rfc_says() {
    let ask = ask(UPGRADE).unwrap();
    assert_eq!(
        (ask.path, ask.host, ask.origin),
        ("/ws", "chat.example.org", Some("https://chat.example.org"))
    );
    let upgrade = ask.upgrade.expect("it asks for one");
    assert_eq!(upgrade.accept().as_deref(), Ok("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
}

#[test]
fn half_an_upgrade_is_none() {
    for (from, to, wanted) in [
        ("Upgrade: websocket\r\n", "", Err(Status::UpgradeRequired)),
        ("Upgrade: websocket", "Upgrade: h2c", Err(Status::UpgradeRequired)),
        ("keep-alive, Upgrade", "keep-alive", Err(Status::UpgradeRequired)),
        ("Version: 13", "Version: 8", Err(Status::UpgradeRequired)),
        ("Sec-WebSocket-Version: 13\r\n", "", Err(Status::UpgradeRequired)),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", Err(Status::BadRequest)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j", Err(Status::BadRequest)),
        ("dGhlIHNhbXBsZSBub25jZQ==", "no base64 at all", Err(Status::BadRequest)),
        ("Host", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nHost", Err(Status::BadRequest)),
        ("Host", "Sec-WebSocket-Version: 13\r\nHost", Err(Status::BadRequest)),
        ("Origin", "Origin: https://evil.example\r\nOrigin", Err(Status::BadRequest)),
        ("websocket", "h2c, WebSocket", Ok(())),
        ("keep-alive, Upgrade", "keep-alive\r\nconnection:upgrade", Ok(())),
    ] {
        let head = UPGRADE.replacen(from, to, 1);
        assert_ne!(head, UPGRADE);
        let met = ask(&head)
            .and_then(|ask| ask.upgrade.map_or(Err(Status::UpgradeRequired), |it| it.accept().map(drop)));
        assert_eq!(met, wanted, "{from:?} → {to:?}");
    }
}

#[test]
fn what_another_could_read_otherwise_is_refused() {
    let plain = "GET /app.js?x=/ws HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(ask(plain).map(|ask| (ask.path, ask.head_only, ask.upgrade)), Ok(("/app.js", false, None)));
    for (head, wanted) in [
        ("GET / HTTP/1.1\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Status::BadRequest),
        ("POST / HTTP/1.0\r\n\r\n", Status::MethodNotAllowed),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Status::BadRequest),
        ("GET /\r\n\r\n", Status::BadRequest),
        ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", Status::BadRequest),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n z\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", Status::BadRequest),
        ("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", Status::BadRequest),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", Status::MethodNotAllowed),
        ("get / HTTP/1.1\r\nHost: a\r\n\r\n", Status::MethodNotAllowed),
        ("PRI / HTTP/1.1\r\nHost: a\r\n\r\n", Status::MethodNotAllowed),
    ] {
        assert_eq!(ask(head), Err(wanted), "{head:?}");
    }
    assert!(ask("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").is_ok());
    assert_eq!(ask("HEAD / HTTP/1.1\r\nHost:\r\n\r\n").map(|ask| (ask.head_only, ask.host)), Ok((true, "")));
}

/// As HAProxy's `option httpchk GET /healthz` and nginx's `proxy_pass` do if nothing else is said.
#[test]
fn a_health_check_in_the_older_http_needs_no_host_and_upgrades_nothing() {
    let plain = |head| ask(head).map(|ask| (ask.path, ask.host, ask.upgrade));
    assert_eq!(plain("GET /healthz HTTP/1.0\r\n\r\n"), Ok(("/healthz", "", None)));
    assert_eq!(plain("HEAD / HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n"), Ok(("/", "a", None)));
    let upgrade = UPGRADE.replacen("HTTP/1.1", "HTTP/1.0", 1);
    assert_eq!(plain(&upgrade), Ok(("/ws", "chat.example.org", None)));
}

#[test]
fn a_page_is_ours_by_its_host_and_port() {
    for (origin, host) in [
        ("http://localhost:6000", "localhost:6000"),
        ("http://LocalHost:6000", "localhost:6000"),
        ("https://chat.example.org", "chat.example.org"),
        ("https://chat.example.org", "chat.example.org:443"),
        ("http://chat.example.org:80", "chat.example.org"),
        ("http://[::1]:6000", "[::1]:6000"),
    ] {
        assert!(is_same_host(origin, host), "{origin} {host}");
    }
    for (origin, host) in [
        ("http://localhost:6001", "localhost:6000"),
        ("https://chat.example.org.evil.example", "chat.example.org"),
        ("https://evil.example", "chat.example.org"),
        ("https://chat.example.org", "chat.example.org:80"),
        ("null", "null"),
        ("http://", ""),
        ("file://", ""),
        ("", ""),
        ("ftp://a", "a"),
        ("http://user@a", "a"),
    ] {
        assert!(!is_same_host(origin, host), "{origin} {host}");
    }
}

#[test]
fn every_answer_closes_and_says_what_a_browser_may_do() {
    for status in [Status::Done, Status::BadRequest, Status::MethodNotAllowed, Status::UpgradeRequired] {
        let head = String::from_utf8(answer::head(status, "text/plain", 7, None)).unwrap();
        assert!(
            head.starts_with(&format!("HTTP/1.1 {} ", status as u16)) && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        for field in
            ["\r\nContent-Length: 7\r\n", "\r\nConnection: close", "default-src 'none'; script-src 'self';"]
        {
            assert!(head.contains(field), "{head}");
        }
        let mut fields = [httparse::EMPTY_HEADER; HEAD_LINES];
        let mut response = httparse::Response::new(&mut fields);
        assert_eq!(response.parse(head.as_bytes()), Ok(httparse::Status::Complete(head.len())));
    }
    let unchanged =
        String::from_utf8(answer::head(Status::NotModified, "text/css", 0, Some("\"a\""))).unwrap();
    assert!(unchanged.contains("ETag: \"a\"\r\n") && !unchanged.contains("Content-Length"), "{unchanged}");
}

/// Heads that are damaged: nothing panics, every cut gives the same, and what is taken has what it must have.
#[test]
fn damaged_heads_are_read_the_same_however_they_are_cut() {
    let inputs = std::env::var("CHATD_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % bound
    };
    let pieces: [&[u8]; 8] =
        [b"\r\n", b"\n", b"Host: b\r\n", b"\r\n\r\n", b" ", b":", b"Transfer-Encoding: chunked\r\n", b"\0"];
    let (mut taken, mut refused) = (0, 0);
    for input in 0..inputs {
        let mut head = UPGRADE.as_bytes().to_vec();
        for _ in 0..1 + below(3) {
            let at = below(head.len());
            match below(4) {
                0 => head[at] ^= 1 << below(8),
                1 => drop(head.drain(at..(at + 1 + below(9)).min(head.len()))),
                2 => drop(head.splice(at..at, pieces[below(pieces.len())].iter().copied())),
                _ => head[at] = below(256) as u8,
            }
        }
        let whole = arrive(&head, 0);
        let cut = below(head.len() + 1);
        assert_eq!(
            self::cut(&head, cut),
            whole,
            "input {input} cut at {cut}: {:?}",
            head.escape_ascii().to_string()
        );
        let Arrival::Whole(end) = whole else { continue };
        match read(&head[..end]) {
            Ok(ask) => {
                let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
                assert!(ask.path.starts_with('/') && !text.contains("\ntransfer-encoding"), "{text}");
                assert_eq!(text.matches("\r\nhost:").count(), 1, "{text}");
                taken += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > inputs / 20 && refused > inputs / 20, "{taken} taken, {refused} refused of {inputs}");
}
