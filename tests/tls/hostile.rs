//! Clients that do not keep to TLS, or that come all at once.

use super::tunnel::{Tunnel, setup, start};
use crate::admin::watched;
use crate::common::Random;
use crate::common::client::Client;
use crate::common::clock::Clocks;
use crate::common::services::certificates::Authority;
use chatd_client::Trust;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

fn client(authority: &Authority) -> ClientConnection {
    let config = Trust::File(authority.file()).client().expect("an authority");
    ClientConnection::new(config, ServerName::try_from("localhost").expect("a name")).expect("a client")
}

fn hello(authority: &Authority) -> Vec<u8> {
    let mut hello = Vec::new();
    client(authority).write_tls(&mut hello).expect("memory");
    hello
}

/// What somebody hears who says these bytes and nothing more.
fn heard(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("chatd listens");
    stream.set_read_timeout(Some(crate::common::DEADLINE)).expect("not zero");
    let mut heard = Vec::new();
    // It may be cut at any byte.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read_to_end(&mut heard);
    heard
}

#[test]
fn what_is_no_tls_ends_and_harms_nobody() {
    let (chatd, authority, tunnel) = start();
    let mut plain = chatd.connect();
    let (amy, ben) = (plain.register("amy"), plain.register("ben"));
    let (mut amys, mut bens) = (tunnel.enter(&amy), chatd.enter(&ben));
    let hello = hello(&authority);
    for cut in (0..hello.len()).step_by(7) {
        heard(chatd.address, &hello[..cut]);
    }
    let mut random = Random(crate::common::seed());
    println!("CHATD_SEED={}", random.0);
    for _ in 0..400 {
        let mut mutated = hello.clone();
        (0..1 + random.below(4)).for_each(|_| {
            let at = random.below(mutated.len());
            mutated[at] = random.number() as u8;
        });
        mutated[0] = 0x16;
        heard(chatd.address, &mutated);
    }
    // An alert says what was wrong, and nothing else is said: not in clear text.
    let alert = heard(chatd.address, b"\x16\x03\x01\x00\x05GET /");
    assert!(alert.is_empty() || alert[0] == 0x15, "{alert:?}");
    for garbage in
        [&[0x16; 40_000][..], &[&b"\x16\x03\x01\x40\x00\x01\xff\xff\xff"[..], &[0; 60_000]].concat()]
    {
        let heard = heard(chatd.address, garbage);
        assert!(heard.is_empty() || heard[0] == 0x15, "{heard:?}");
    }
    amys.chat(&ben, "still here");
    bens.hear_msg("still here");
}

/// A session that says something else in the middle ends, and what it said whole before that counts.
/// A handshake has the time of a frame, however far it is; and who is done with it has all the time.
#[test]
fn a_handshake_that_takes_longer_than_a_frame_may_ends() {
    let (clocks, authority) = (Clocks::new(), Authority::new());
    let chatd = clocks.under(setup(&authority.issue(&["localhost"]))).start();
    let tunnel = Tunnel::start(chatd.address, &authority);
    let mut done = tunnel.connect();
    let lives = |client: &mut Client| {
        client.say(json!({"msgid": 99, "id": 1}));
        client.hear_error(101);
    };
    lives(&mut done);
    let hello = hello(&authority);
    let begin = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(chatd.address).expect("chatd listens");
        stream.set_read_timeout(Some(crate::common::DEADLINE)).expect("not zero");
        stream.write_all(bytes).expect("chatd reads");
        stream
    };
    let (mut half, mut unfinished) = (begin(&hello[..hello.len() / 2]), begin(&hello));
    // It has answered, and waits for the last word of the client.
    let mut answer = [0; 1];
    unfinished.read_exact(&mut answer).expect("the server's hello");
    assert_eq!(answer[0], 0x16);
    clocks.pass(11_000);
    for stream in [&mut half, &mut unfinished] {
        // Whether it is told why or not: in time it is over.
        let end = stream.read_to_end(&mut Vec::new());
        assert!(end.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::ConnectionReset), "{end:?}");
    }
    lives(&mut done);
}

#[test]
fn a_record_that_was_changed_ends_the_session() {
    let (chatd, authority, tunnel) = start();
    let ben = tunnel.connect().register("ben");
    for spoil in 0..3 {
        let stream = TcpStream::connect(chatd.address).expect("chatd listens");
        stream.set_read_timeout(Some(crate::common::DEADLINE)).expect("not zero");
        let mut client = StreamOwned::new(client(&authority), stream);
        let ask = format!("{{\"msgid\":13,\"id\":{}}}\n", ben.id);
        client.write_all(ask.as_bytes()).expect("chatd reads");
        client.flush().expect("chatd reads");
        let mut answer = [0; 20];
        client.read_exact(&mut answer).expect("an answer");
        client.conn.writer().write_all(ask.as_bytes()).expect("memory");
        let mut record = Vec::new();
        client.conn.write_tls(&mut record).expect("memory");
        match spoil {
            0 => record[8] ^= 1,
            1 => (record[3], record[4]) = (0xff, 0xff),
            _ => drop(record.splice(0..0, [0x17, 3, 3, 0, 1, 0])),
        }
        // What follows is thrown away: it was cut off.
        let _ = client.sock.write_all(&record).and_then(|()| client.sock.write_all(&[0x17; 20_000]));
        let mut rest = Vec::new();
        let ended = client.read_to_end(&mut rest);
        assert!(ended.is_err() || !rest.is_empty(), "{spoil}: an alert, and the end");
    }
    tunnel.enter(&ben);
}

/// Many begin at once and go no further: those who talk go on talking, and whoever dawdles is cut.
#[test]
fn a_flood_of_handshakes_stops_nobody() {
    const CLIENTS: usize = 400;
    let authority = Authority::new();
    let (chatd, admin) = watched(setup(&authority.issue(&["localhost"])));
    let mut plain = chatd.connect();
    let (amy, ben) = (plain.register("amy"), plain.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    let hello = hello(&authority);
    let mut flood: Vec<TcpStream> = (0..CLIENTS)
        .map(|_| {
            let mut stream = TcpStream::connect(chatd.address).expect("chatd listens");
            stream.write_all(&hello).expect("chatd reads");
            stream.set_read_timeout(Some(crate::common::DEADLINE)).expect("not zero");
            stream
        })
        .collect();
    for number in 0..100 {
        amys.chat(&ben, &format!("{number}"));
        bens.hear_msg(&format!("{number}"));
    }
    // Each has its turn in the end.
    for stream in &mut flood {
        let mut first = [0];
        stream.read_exact(&mut first).expect("a ServerHello");
        assert_eq!(first[0], 0x16);
    }
    // Nobody finishes, so all are cut, by the time that a frame has.
    for mut stream in flood {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the end");
    }
    admin.until("them to be gone", "/metrics", |page| {
        let open = page.text().lines().filter(|line| line.starts_with("chatd_connections{"));
        open.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum::<usize>() <= 4
    });
    amys.chat(&ben, "after it");
    bens.hear_msg("after it");
}

/// A connection that ends without a last word, in the middle of a record, ends as any other.
#[test]
fn an_end_without_a_last_word_is_an_end() {
    let (chatd, authority, tunnel) = start();
    let ben = tunnel.connect().register("ben");
    for how in [Shutdown::Write, Shutdown::Both] {
        let stream = TcpStream::connect(chatd.address).expect("chatd listens");
        stream.set_read_timeout(Some(crate::common::DEADLINE)).expect("not zero");
        let mut client = StreamOwned::new(client(&authority), stream);
        let password = &ben.password;
        let login = format!("{{\"msgid\":1,\"id\":{},\"password\":\"{password}\"}}\n", ben.id);
        client.write_all(login.as_bytes()).expect("chatd reads");
        client.flush().expect("chatd reads");
        client.read_exact(&mut [0; 10]).expect("a login answer");
        client.conn.writer().write_all(b"{\"msgid\":13,").expect("memory");
        let mut record = Vec::new();
        client.conn.write_tls(&mut record).expect("memory");
        client.sock.write_all(&record[..record.len() - 3]).expect("chatd reads");
        client.sock.shutdown(how).expect("an open socket");
        chatd.until_offline(&ben);
    }
}
