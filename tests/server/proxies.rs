//! Proxies in front: whom they speak for counts, and nobody else is believed.

use crate::common::Random;
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User};
use crate::common::websocket::{UPGRADE, WebSocket};
use serde_json::json;

/// The proxy that is declared, and where else somebody is.
const PROXY: [u8; 4] = [127, 0, 0, 99];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 98];

fn start() -> Chatd {
    Setup::new(2).argument("--proxy-from").argument("127.0.0.99,10.0.0.0/8,2001:db8:ff::/48").start()
}

fn from(chatd: &Chatd, source: [u8; 4]) -> Client {
    Client::connect_from(source, chatd.address).with_newlines()
}

fn line(address: &str) -> Vec<u8> {
    let (family, to) = if address.contains(':') { ("TCP6", "::1") } else { ("TCP4", "127.0.0.1") };
    format!("PROXY {family} {address} {to} 40000 6000\r\n").into_bytes()
}

/// The same of version 2, with something that the proxy adds to it.
fn binary(address: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12".to_vec();
    header.extend(address);
    header.extend([127, 0, 0, 1, 0x9c, 0x40, 0x17, 0x70, 0x04, 0, 3, 9, 9, 9]);
    header
}

/// A connection that the proxy has made for somebody.
fn for_somebody(chatd: &Chatd, address: &str) -> Client {
    let mut client = from(chatd, PROXY);
    client.write(&line(address));
    client
}

/// A WebSocket that a proxy of HTTP asks for.
fn socket_for(chatd: &Chatd, source: [u8; 4], header: &[u8], forwarded: &str) -> WebSocket {
    let mut socket = WebSocket::dial_from(source, chatd.address);
    socket.write(header);
    let field = format!("X-Forwarded-For: {forwarded}\r\nUpgrade: w");
    socket.write(UPGRADE.replace("Upgrade: w", &field).as_bytes());
    socket
}

fn status(socket: &mut WebSocket) -> String {
    socket.hear_head()[9..12].to_owned()
}

/// What is said is answered.
fn is_served(client: &mut Client) {
    client.say(json!({"msgid": 99}));
    assert_eq!(client.hear("an answer")["errno"], 101);
}

/// Whether the password of a login was looked at, or nobody did.
fn is_looked_at(client: &mut Client, user: &User) -> bool {
    client.say(json!({"msgid": 1, "id": user.id, "password": "guess"}));
    match client.hear("the answer to a guess")["errno"].as_u64() {
        Some(1) => true,
        Some(109) => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_header_is_taken_in_wherever_it_is_cut() {
    let chatd = start();
    for header in
        [line("192.0.2.7"), line("2001:db8::7"), binary([192, 0, 2, 7]), b"PROXY UNKNOWN\r\n".to_vec()]
    {
        for cut in 0..=header.len() {
            let mut client = from(&chatd, PROXY);
            client.write(&header[..cut]);
            // Whoever else is answered meanwhile shows that a turn has passed.
            is_served(&mut for_somebody(&chatd, "192.0.2.1"));
            client.write(&header[cut..]);
            is_served(&mut client);
        }
    }
}

#[test]
fn from_elsewhere_a_header_is_not_taken_for_one() {
    let chatd = start();
    let mut web = WebSocket::dial_from(ELSEWHERE, chatd.address);
    web.write(&[&line("192.0.2.7")[..], b"{\"msgid\":99}\n"].concat());
    assert_eq!(status(&mut web), "403");
    let mut client = from(&chatd, ELSEWHERE);
    client.write(&[&binary([192, 0, 2, 7])[..], b"{\"msgid\":99}\n"].concat());
    client.hear_error_and_end(100);
    // A client behind the proxy that says a second one.
    let mut client = for_somebody(&chatd, "192.0.2.7");
    client.write(&binary([192, 0, 2, 8]));
    client.hear_error_and_end(100);
}

#[test]
fn a_declared_proxy_that_does_not_say_for_whom_is_refused() {
    let chatd = start();
    for begun in [&b"{\"msgid\":99}\n"[..], b"PROXY TCP4 nobody\r\n", b"\r\n\r\n\0\r\nQUIT\n\x21\x99\0\0"] {
        let mut client = from(&chatd, PROXY);
        client.write(begun);
        client.hear_error_and_end(100);
    }
    // One that asks whether the server lives does not speak for anybody.
    let mut web = WebSocket::dial_from(PROXY, chatd.address);
    web.write(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(status(&mut web), "200");
    for (forwarded, wanted) in [("", "403"), ("unknown", "403"), ("192.0.2.7", "101"), ("10.0.0.1", "101")] {
        assert_eq!(status(&mut socket_for(&chatd, PROXY, b"", forwarded)), wanted, "{forwarded}");
    }
}

/// Guesses from everywhere: who was here before gets in, from the same address or the same network of 64 bits.
#[test]
fn limits_see_whom_the_proxy_speaks_for() {
    let chatd = start();
    let mut plain = from(&chatd, ELSEWHERE);
    let (amy, ben, eve) = (plain.register("amy"), plain.register("ben"), plain.register("eve"));
    for_somebody(&chatd, "192.0.2.7").login(&amy);
    for_somebody(&chatd, "2001:db8:1:2::3").login(&ben);
    let mut eves = socket_for(&chatd, PROXY, b"", "203.0.113.1, 192.0.2.9, 10.1.1.1");
    assert_eq!(status(&mut eves), "101");
    eves.say(json!({"msgid": 1, "id": eve.id, "password": eve.password}));
    assert_eq!(eves.hear()["errno"], 0);
    for user in [&amy, &ben, &eve] {
        let looked_at = (0..100)
            .filter(|last| is_looked_at(&mut for_somebody(&chatd, &format!("198.51.100.{last}")), user))
            .count();
        assert!((20..60).contains(&looked_at), "{looked_at} of 100 were looked at");
    }
    drop(eves);
    for_somebody(&chatd, "192.0.2.7").login(&amy);
    for_somebody(&chatd, "2001:db8:1:2:ffff:ffff:ffff:ffff").login(&ben);
    // By way of two proxies, of which the first one speaks HTTP; what the client has written itself is not believed.
    let mut eves = socket_for(&chatd, PROXY, &line("10.0.0.5"), "198.51.100.1, 192.0.2.9");
    assert_eq!(status(&mut eves), "101");
    eves.say(json!({"msgid": 1, "id": eve.id, "password": eve.password}));
    assert_eq!(eves.hear()["errno"], 0);
    for forger in [ELSEWHERE, PROXY] {
        let header = if forger == PROXY { line("198.51.100.1") } else { Vec::new() };
        let mut forged = socket_for(&chatd, forger, &header, "192.0.2.7");
        assert_eq!(status(&mut forged), "101");
        // One may be looked at each two seconds.
        let is_turned_away = (0..3).any(|_| {
            forged.say(json!({"msgid": 1, "id": amy.id, "password": "guess"}));
            forged.hear()["errno"] == 109
        });
        assert!(is_turned_away, "the field of who is no proxy is nothing");
    }
}

/// Connections that begin with damaged headers: the server lives, and nobody is served who did not say a whole one.
#[test]
fn damaged_headers_harm_nobody() {
    let chatd = start();
    let mut random = Random(7);
    let good = [line("192.0.2.7"), line("2001:db8::7"), binary([192, 0, 2, 7])];
    for _ in 0..1_500 {
        let mut bytes = good[random.below(good.len())].clone();
        let at = random.below(bytes.len());
        bytes[at] ^= 1 << random.below(8);
        let mut client = from(&chatd, PROXY);
        let _ = client.try_write(&bytes);
        let _ = client.try_write(b"{\"msgid\":99}\n");
    }
    is_served(&mut for_somebody(&chatd, "192.0.2.7"));
    assert!(chatd.stderr_lines().iter().all(|line| !line.contains("panic")), "{:?}", chatd.stderr_lines());
}
