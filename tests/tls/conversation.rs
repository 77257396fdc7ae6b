//! People talk in TLS, beside others who do not, and nobody on the way reads what they say.

use super::tunnel::{Tunnel, setup, start};
use crate::admin::watched;
use crate::common::DEADLINE;
use crate::common::chatd::SECRET;
use crate::common::client::texts;
use crate::common::services::certificates::Authority;
use crate::common::services::proxy::Proxy;
use crate::common::websocket::WebSocket;
use chatd_client::{Address, Answer, Client as Library, Config, Conversation, Event, Trust};
use serde_json::json;
use std::io::{Read, Write};
use std::process::{Command, Stdio};

fn has(bytes: &[u8], word: &str) -> bool {
    bytes.windows(word.len()).any(|window| window == word.as_bytes())
}

#[test]
fn nothing_that_is_said_can_be_read_on_the_way() {
    let (chatd, authority, _) = start();
    let proxy = Proxy::start(chatd.address);
    proxy.record();
    let tunnel = Tunnel::start(proxy.address, &authority);
    let mut first = tunnel.connect();
    let (amy, ben) = (first.register("amy-by-name"), first.register("ben-by-name"));
    let (mut amys, mut bens) = (tunnel.enter(&amy), tunnel.enter(&ben));
    let group = amys.create_group("a group by name");
    bens.join_group(group);
    for number in 0..200 {
        let text = format!("words for him alone {number} {}", "w".repeat(number * 60));
        amys.chat(&ben, &text);
        bens.hear_msg(&text);
        bens.group_chat(group, &text);
        amys.hear_msg(&text);
    }
    // What waits for somebody who is not there.
    drop(bens);
    chatd.until_offline(&ben);
    (0..50).for_each(|number| amys.chat(&ben, &format!("words for later {number}")));
    amys.chat_stored(&ben, "words for later, at last", "last");
    let late = tunnel.connect().login_with_backlog(&ben, 51);
    assert_eq!(texts(&late).last().map(String::as_str), Some("words for later, at last"));
    // Errors and ends, too.
    let mut third = tunnel.connect();
    third.write(b"no frame at all\0");
    third.hear_error_and_end(100);
    let mut third = tunnel.connect();
    third.write(&vec![b'x'; 66_000]);
    third.hear_error_and_end(111);
    let passed = proxy.recorded();
    assert!(passed.len() > 1_000_000, "all of it went through the proxy: {}", passed.len());
    for word in ["words for", SECRET, "msgid", "by name", "by-name", "errno", "token"] {
        assert!(!has(&passed, word), "{word:?} was read on the way");
    }
    // The same words in clear text are found: the test sees what it should.
    let mut plain = crate::common::client::Client::connect(proxy.address);
    plain.login(&ben);
    assert!(has(&proxy.recorded(), "msgid"));
}

#[test]
fn one_port_speaks_to_everybody() {
    let (chatd, _authority, tunnel) = start();
    let mut plain = chatd.connect();
    let (amy, ben) = (plain.register("amy"), plain.register("ben"));
    let (mut amys, mut bens) = (tunnel.enter(&amy), chatd.enter(&ben));
    amys.chat(&ben, "from TLS");
    bens.hear_msg("from TLS");
    bens.chat(&amy, "from clear text");
    amys.hear_msg("from clear text");
    let mut web = tunnel.connect();
    web.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut answer = String::new();
    web.stream.read_to_string(&mut answer).expect("an answer, and the end");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut socket = tunnel.connect();
    socket.write(
        b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert!(socket.hear_raw(12).starts_with(b"HTTP/1.1 101"));
    // TLS within TLS is nothing.
    let mut twice = tunnel.connect().with_newlines();
    twice.write(b"\x16\x03\x01\x00\x05hello");
    twice.hear_error_and_end(100);
}

/// Who reads slowly and always is not taken for somebody who does not read: what TCP has acknowledged is counted in
/// plaintext.
#[test]
fn a_slow_reader_gets_megabytes() {
    const MESSAGES: usize = 500;
    let (chatd, _authority, tunnel) = start();
    let mut plain = chatd.connect();
    let (amy, ben) = (plain.register("amy"), plain.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), tunnel.enter(&ben));
    let text = |number: usize| format!("{number} {}", "m".repeat(8_000));
    for number in 0..MESSAGES {
        amys.chat(&ben, &text(number));
        // A few hundred kilobytes are under way all the time.
        if number >= 30 {
            bens.hear_msg(&text(number - 30));
        }
    }
    (MESSAGES - 30..MESSAGES).for_each(|number| drop(bens.hear_msg(&text(number))));
}

/// Who does not read at all is cut, and has everything at the next login.
#[test]
fn a_reader_who_does_not_read_is_cut_and_loses_nothing() {
    let (chatd, _authority, tunnel) = start();
    let mut plain = chatd.connect();
    let (amy, ben) = (plain.register("amy"), plain.register("ben"));
    let mut amys = chatd.enter(&amy);
    let bens = tunnel.enter(&ben);
    let mut sent = 0;
    let waits = "k".repeat(16_000);
    // The tunnel and the sockets take some megabytes.
    while chatd.stderr_lines().is_empty() && sent < 2_000 {
        amys.chat_stored(&ben, &waits, &format!("{sent}"));
        sent += 1;
        let mut look = chatd.connect();
        look.ask_login(&ben);
        if look.hear("whether he is in")["errno"] == 0 {
            drop((bens, look));
            return;
        }
    }
    panic!("{sent} messages of 16,000 bytes were sent to somebody who reads none");
}

fn address(port: u16) -> Address {
    Address { host: "localhost".to_owned(), port, tls: true }
}

#[test]
fn the_library_and_the_program_speak_it() {
    let (chatd, authority, _) = start();
    let mut plain = chatd.connect();
    let (amy, ben) = (plain.register("amy"), plain.register("ben"));
    let mut bens = chatd.enter(&ben);
    let mut config = Config::new(vec![address(chatd.address.port())]);
    config.trust = Trust::File(authority.file());
    let (client, mut events) = Library::connect(config);
    client.login(amy.name.as_str(), amy.password.as_str());
    let said = |event| matches!(event, Event::Answered { result: Ok(Answer::Safe(_)), .. });
    let to = chatd::chat::model::ids::UserId::new(ben.id).expect("an id");
    client.say(Conversation::With(to), "from the library");
    while !said(events.next_within(DEADLINE).expect("an answer")) {}
    bens.hear_msg("from the library");
    let server = format!("tls://localhost:{}", chatd.address.port());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(crate::common::program("chat"));
        command.env_remove("CHAT_CA").args(arguments).arg(&server);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("chat can be started");
        // One that gets no connection does not read on.
        let _ = child.stdin.take().expect("a pipe").write_all(b"2\ncarl\npw c\n");
        let output = child.wait_with_output().expect("chat ends");
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    let ca = authority.file();
    let said = run(&["--ca", ca.to_str().expect("a plain path")]);
    assert!(said.contains("carl is registered"), "{said}");
    let stranger = Authority::new().file();
    let said = run(&["--timeout", "2", "--ca", stranger.to_str().expect("a plain path")]);
    assert!(said.contains("cannot be read") || said.contains("nobody who is trusted"), "{said}");
}

/// The sum of a metric over the cores.
fn count(page: &str, name: &str) -> u64 {
    let lines = page.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    lines
        .map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a number"))
        .sum()
}

/// How many are there by which way: each is counted while it is there, and no longer.
#[test]
fn connections_are_counted_by_how_they_come() {
    let authority = Authority::new();
    let (chatd, admin) = watched(setup(&authority.issue(&["localhost"])));
    let tunnel = Tunnel::start(chatd.address, &authority);
    let until = |all: u64, websocket: u64, tls: u64| {
        admin.until("all to be counted", "/metrics", |page| {
            let counted = ["chatd_connections", "chatd_connections_websocket", "chatd_connections_tls"]
                .map(|name| count(page.text(), name));
            counted == [all, websocket, tls]
        });
    };
    until(0, 0, 0);
    let (mut plain, mut secret) = (chatd.connect(), tunnel.connect());
    let amy = plain.register("amy");
    secret.register("ben");
    until(2, 0, 1);
    let sockets = [chatd.address, chatd.address, tunnel.address].map(WebSocket::connect);
    until(5, 3, 2);
    // Whoever logs in is the same connection.
    plain.login(&amy);
    drop(sockets);
    until(2, 0, 1);
    drop(secret);
    until(1, 0, 0);
    plain.half_close();
    plain.hear_end();
    until(0, 0, 0);
}

/// A client that comes back shakes hands in short, at whichever core; both are counted.
#[test]
fn who_comes_back_shakes_hands_in_short() {
    let authority = Authority::new();
    let (chatd, admin) = watched(setup(&authority.issue(&["localhost"])));
    let tunnel = Tunnel::start(chatd.address, &authority);
    for _ in 0..12 {
        let mut client = tunnel.connect();
        client.say(json!({"msgid": 99, "id": 1}));
        client.hear("an ERROR");
    }
    let page = admin.until("the handshakes", "/metrics", |page| {
        let count = |name| count(page.text(), name);
        count("chatd_tls_handshakes_full_total") + count("chatd_tls_handshakes_resumed_total") >= 12
    });
    let (full, resumed) = (
        count(page.text(), "chatd_tls_handshakes_full_total"),
        count(page.text(), "chatd_tls_handshakes_resumed_total"),
    );
    assert!(full == 1 && resumed == 11, "{full} in full, {resumed} in short");
    assert_eq!(count(page.text(), "chatd_tls_failures_total"), 0);
}
