//! A Redis or MySQL that says more than it may: it counts as lost, and fills no memory.

use super::patience::{SOON, memory_bytes, said, until};
use super::redis::own_redis;
use crate::common::cluster::Shared;
use crate::common::services::proxy::Proxy;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

/// What each tries to make the server take.
const FLOOD_BYTES: usize = 64 << 20;
/// What it may grow by, in any case far less.
const ROOM_BYTES: u64 = 24 << 20;

/// A peer that says `head` to whoever asks something, and then `more` for as long as somebody reads.
fn babbler(head: &'static [u8], more: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(head);
            while stream.write_all(more).is_ok() {}
        }
    });
    address
}

#[test]
fn a_redis_that_says_too_much_at_once_counts_as_lost() {
    let (redis, shared) = own_redis();
    let proxy = Proxy::start(redis.address());
    let chatd = Shared { redis: format!("redis://{}/0", proxy.address), ..shared }.start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let (mut amys, mut bens) = (chatd.enter(&amy), chatd.enter(&ben));
    let before = memory_bytes(chatd.pid());
    let text = |bytes: usize| format!("${bytes}\r\n");
    let floods = [
        text(611 << 20).into_bytes(),
        format!(">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n{}", text(611 << 20)).into_bytes(),
        b"*1000000000\r\n".to_vec(),
        b"*8000\r\n*8000\r\n".to_vec(),
        b"%4611686018427387905\r\n".to_vec(),
    ];
    for (at, flood) in floods.iter().enumerate() {
        let mut said_bytes = 0;
        proxy.say(flood);
        // Elements of an array, or what a text is made of.
        while said_bytes < FLOOD_BYTES && proxy.say(&b":1234567\r\n".repeat(1 << 10)) {
            said_bytes += 10 << 10;
        }
        let lost = ["Redis", "is lost", "it says more at once than it may"];
        until("the loss to be noticed", SOON, || (said(&chatd, &lost) == at + 1).then_some(()));
        until("the return", SOON, || (said(&chatd, &["is back"]) == at + 1).then_some(()));
        let now = memory_bytes(chatd.pid());
        assert!(now < before + ROOM_BYTES, "it grew from {before} to {now} bytes");
    }
    amys.chat(&ben, "still here");
    bens.hear_msg("still here");
}

#[test]
fn a_redis_or_mysql_that_says_too_much_at_start_is_refused() {
    let setup = |variable, url: String| crate::common::chatd::Setup::new(1).environment(variable, &url);
    for head in [&b"$700000000\r\n"[..], b"*1000000000\r\n"] {
        let address = babbler(head, b":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n:8\r\n");
        let failure = setup("CHATD_REDIS", format!("redis://{address}/0")).fail();
        failure.says(&[&address.to_string(), "it says more at once than it may"]);
    }
    // A packet of MySQL that goes on for ever: 16 MiB, and another one of them.
    let address = babbler(b"", &[0xff; 1 << 16]);
    setup("CHATD_MYSQL", format!("mysql://a:b@{address}/chat")).fail().says(&[&address.to_string()]);
}
