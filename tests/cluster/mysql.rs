//! MySQL dies, hangs and is slow: who is online goes on talking, and nothing that was acknowledged is
//! lost.

use super::patience::{SOON, log_in, memory_bytes, said, until};
use crate::admin::{Admin, watched};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, chat, entries};
use crate::common::cluster::{Backends, Shared};
use crate::common::services::mariadb::PASSWORD;
use crate::common::services::proxy::{Proxy, Tamper};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

fn ask(client: &mut Client, to: &User, text: &str) {
    let mut frame = chat(client.id, to.id, text);
    frame["cid"] = json!(text);
    client.say(frame);
}

/// Sends a message that is to be acknowledged, and hears how that went.
fn send(client: &mut Client, to: &User, text: &str) -> Value {
    ask(client, to, text);
    loop {
        let frame = client.hear("an ACK or an ERROR");
        if frame["cid"] == text {
            return frame;
        }
    }
}

/// Readiness with its reason.
fn is_ready(admin: Admin) -> bool {
    admin.get("/readyz").status == 200
}

/// A server of one core, and the proxy between it and its MySQL.
fn behind_a_proxy() -> (Proxy, Chatd) {
    let backends = Backends::of_all_tests();
    let proxy = Proxy::start(backends.mariadb.address());
    let name = backends.mariadb.make_database();
    let mysql = backends.mariadb.url_by_way_of(proxy.address, &name);
    let server = Shared { mysql, ..backends.share() }.start(1);
    (proxy, server)
}

#[test]
fn mysql_is_killed_and_comes_back() {
    let mut backends = Backends::start();
    let shared = backends.share();
    let (first, admin) = watched(shared.setup(2));
    let second = shared.start(2);
    let users = first.register_many("user", 6);
    let [amy, ben, carl, dora, ..] = &users[..] else { unreachable!("six") };
    let group = first.enter(amy).create_group("g");
    second.enter(ben).join_group(group);
    // Until a core has been heard by the others, and of who has just joined, the store is asked what may be pushed.
    let is_heard = |core: u8| admin.get(&format!("/debug/events?core={core}")).text().contains("> bus_heard");
    until("the cores to be heard", SOON, || (is_heard(0) && is_heard(1)).then_some(()));
    let ((mut amys, _), (mut bens, _)) = (log_in(&first, amy, SOON), log_in(&second, ben, SOON));
    let mut carls = second.enter(carl);
    let mut acknowledged = BTreeSet::new();
    for number in 0..20 {
        amys.chat_stored(dora, &format!("before {number}"), &format!("before {number}"));
        acknowledged.insert(format!("before {number}"));
    }
    backends.mariadb.kill();
    // The first that needs it may be the first to notice. None waits until it is back.
    let mut refused = Vec::new();
    for number in 0..20 {
        let text = format!("during {number}");
        let answer = send(&mut amys, dora, &text);
        assert_eq!(answer["errno"], 110, "{answer}");
        refused.push(text);
    }
    let mut refused_login = first.connect();
    refused_login.ask_login(dora);
    assert_eq!(refused_login.hear("a refusal")["errno"], 110);
    refused_login.say(json!({"msgid": 4, "name": "eve", "password": "x"}));
    assert_eq!(refused_login.hear("a refusal")["errno"], 110);
    assert!(!is_ready(admin) && admin.get("/readyz").text().contains("the store is down"));
    // People who are there talk: over cores and servers, to each other and in groups.
    for number in 0..200 {
        amys.chat(ben, &format!("live {number}"));
        bens.hear_msg(&format!("live {number}"));
        carls.chat(amy, &format!("back {number}"));
        amys.hear_msg(&format!("back {number}"));
    }
    let before_bytes = memory_bytes(first.pid());
    for number in 0..5_000 {
        amys.group_chat(group, &format!("in the group {number} {}", "x".repeat(1_000)));
        bens.hear("a message to the group");
    }
    let grown = memory_bytes(first.pid()).saturating_sub(before_bytes);
    assert!(grown < 64 << 20, "{grown} bytes more");
    backends.mariadb.run().unwrap();
    // Once told: again, with the same names. Everything works.
    for text in refused {
        until("a message to be stored", SOON, || (send(&mut amys, dora, &text)["errno"] == 0).then_some(()));
        acknowledged.insert(text);
    }
    until("readiness", SOON, || is_ready(admin).then_some(()));
    let (mut doras, answer) = log_in(&second, dora, SOON);
    let mut heard: Vec<Value> = crate::common::client::entries(&answer["offlinemsg"]);
    while heard.len() < acknowledged.len() {
        heard.push(doras.hear("what was acknowledged"));
    }
    let heard: BTreeSet<String> =
        heard.iter().map(|message| message["msg"].as_str().expect("a text").to_owned()).collect();
    assert_eq!(heard, acknowledged);
    amys.group_chat_stored(group, "as before", "as before");
    while bens.hear("a message to the group")["msg"] != "as before" {}
    for server in [&first, &second] {
        until("the return to be noticed", SOON, || (said(server, &["works again"]) == 1).then_some(()));
        assert_eq!(said(server, &["the store is down"]), 1, "{}", server.printed());
    }
}

/// Each new reason why it cannot be connected again is said, and once.
#[test]
fn why_mysql_does_not_come_back_is_said_once() {
    let mut backends = Backends::start();
    let database = backends.mariadb.make_database();
    let mysql = backends.mariadb.plain_user(&database, backends.mariadb.address());
    let server = Shared { mysql, ..backends.share() }.start(1);
    let hears = |words: &str| {
        until(words, SOON, || (said(&server, &[words]) > 0).then_some(()));
    };
    backends.mariadb.sql("ALTER USER plain IDENTIFIED BY 'another'; KILL USER plain");
    hears("the store is still down: MySQL at");
    hears("does not let user plain in");
    backends.mariadb.kill();
    hears("no MySQL answers at");
    backends.mariadb.run().unwrap();
    backends.mariadb.sql(&format!("ALTER USER plain IDENTIFIED BY '{PASSWORD}'"));
    hears("the store works again");
    assert_eq!(said(&server, &["the store is down"]), 1, "{}", server.printed());
    // The search, too, says why it does not work, if it has looked meanwhile.
    for words in ["does not let user plain in", "Connection refused"] {
        assert_eq!(said(&server, &["the store is still down", words]), 1, "{}", server.printed());
    }
    assert!(!server.printed().contains(PASSWORD) && !server.printed().contains("another"));
}

/// A MySQL that hangs takes no connection away, and is given up all the same while it hangs.
#[test]
fn mysql_hangs_and_goes_on() {
    let backends = Backends::start();
    let proxy = Proxy::start(backends.mariadb.address());
    let mysql = backends.mariadb.url_by_way_of(proxy.address, &backends.mariadb.make_database());
    let cluster = Shared { mysql, ..backends.share() }.cluster(2);
    let [first, second] = &cluster.servers;
    let (amy, ben, carl) = (cluster.register("amy"), cluster.register("ben"), cluster.register("carl"));
    let (mut amys, mut bens) = (first.enter(&amy), second.enter(&ben));
    amys.chat_stored(&carl, "before", "before");
    backends.mariadb.freeze();
    assert_eq!(send(&mut amys, &carl, "during")["errno"], 110);
    // Known to be down: refused without another attempt, but for those few by which each server finds out that it can go on.
    const REFUSED: usize = 500;
    let before = proxy.carried();
    for number in 0..REFUSED {
        assert_eq!(send(&mut amys, &carl, &format!("during {number}"))["errno"], 110);
        let tried = proxy.carried() - before;
        assert!(tried < REFUSED, "{tried} attempts for {number} messages");
    }
    amys.chat(&ben, "live");
    bens.hear_msg("live");
    backends.mariadb.thaw();
    until("a message to be stored", SOON, || (send(&mut amys, &carl, "during")["errno"] == 0).then_some(()));
    // Each server finds out for itself that it can go on, and refuses logins until then.
    let (mut carls, answer) = log_in(second, &carl, SOON);
    let mut waited = entries(&answer["offlinemsg"]);
    while waited.len() < 2 {
        waited.push(carls.hear("the rest of the backlog"));
    }
    let texts: BTreeSet<_> = waited.iter().map(|message| message["msg"].as_str().unwrap()).collect();
    assert_eq!(texts, BTreeSet::from(["before", "during"]));
}

/// What waits for a slow store holds up nobody else.
#[test]
fn a_slow_mysql_stalls_no_core() {
    let (proxy, server) = behind_a_proxy();
    let (amy, ben, carl) = (server.register("amy"), server.register("ben"), server.register("carl"));
    let (mut amys, mut bens) = (server.enter(&amy), server.enter(&ben));
    amys.chat_stored(&carl, "quick", "quick");
    proxy.delay(Duration::from_millis(200));
    for round in 0..3 {
        ask(&mut amys, &carl, &format!("slow {round}"));
        for number in 0..20 {
            let text = format!("{round} {number}");
            bens.chat(&amy, &text);
            // Before the ACK, which takes several answers of the slow server.
            amys.hear_msg(&text);
        }
        amys.hear_ack(&format!("slow {round}"));
    }
    proxy.delay(Duration::ZERO);
    assert_eq!(said(&server, &[]), 0, "slow is not down: {}", server.printed());
}

/// What needs a row that somebody else has locked is refused after a while; all else is stored meanwhile,
/// and the server stays ready.
#[test]
fn a_lock_of_somebody_else_stops_only_who_needs_what_it_holds() {
    let backends = Backends::of_all_tests();
    let database = backends.mariadb.make_database();
    let shared = Shared { mysql: backends.mariadb.url(&database), ..backends.share() };
    let (server, admin) = watched(shared.setup(1));
    let (amy, ben, carl) = (server.register("amy"), server.register("ben"), server.register("carl"));
    let (mut amys, mut carls) = (server.enter(&amy), server.enter(&carl));
    let (low, high) = (amy.id.min(ben.id), amy.id.max(ben.id));
    amys.chat_stored(&ben, "to ben", "to ben");
    amys.chat_stored(&carl, "to carl", "to carl");
    carls.hear_msg("to carl");
    let group = carls.create_group("g");
    let conversation = format!("SELECT * FROM conversation WHERE low = {low} AND high = {high} FOR UPDATE");
    let row = format!("SELECT * FROM user WHERE id = {} FOR UPDATE", ben.id);
    for (round, held) in [&conversation, &row].into_iter().enumerate() {
        let holder = backends.mariadb.hold(&database, held);
        ask(&mut amys, &ben, "held");
        let mut login = server.connect();
        if *held != conversation {
            login.say(json!({"msgid": 1, "id": ben.id, "password": ben.password, "v": 2}));
        }
        let mut refused = false;
        for number in 0..20 {
            let text = format!("free {round} {number}");
            ask(&mut amys, &carl, &text);
            carls.hear_msg(&text);
            carls.group_chat_stored(group, &text, &text);
            loop {
                let frame = amys.hear("an ACK or an ERROR");
                if frame["cid"] == text.as_str() {
                    assert_eq!(frame["errno"], 0, "{frame}");
                    break;
                }
                assert_eq!(frame["cid"], "held", "{frame}");
                refused |= frame["errno"] == 110;
            }
        }
        if *held == conversation {
            while !refused {
                refused = amys.hear("a refusal")["errno"] == 110;
            }
        } else {
            assert_eq!(login.hear("a refusal")["errno"], 110);
        }
        assert!(is_ready(admin), "{}", server.printed());
        drop(holder);
    }
    until("a message to be stored", SOON, || (send(&mut amys, &ben, "held")["errno"] == 0).then_some(()));
    assert_eq!(said(&server, &["the store is down"]), 0, "{}", server.printed());
    assert_eq!(said(&server, &["somebody else has locked rows"]), 2, "{}", server.printed());
}

/// Pushes do not wait for the store, but they do not outrun it by more than so many.
const UNSETTLED: usize = 256;

/// Whoever writes to itself hears pushes and ACKs on one connection, and so in their order.
#[test]
fn who_outruns_a_slow_mysql_is_read_no_further() {
    let (proxy, server) = behind_a_proxy();
    let amy = server.register("amy");
    let mut amys = server.enter(&amy);
    proxy.delay(Duration::from_millis(100));
    const MESSAGES: usize = 3 * UNSETTLED;
    for number in 0..MESSAGES {
        ask(&mut amys, &amy, &number.to_string());
    }
    let (mut pushed, mut stored) = (0, 0);
    while stored < MESSAGES {
        let frame = amys.hear("a message or its ACK");
        if frame["msg"].as_str() == Some(pushed.to_string().as_str()) {
            pushed += 1;
        } else {
            assert_eq!((&frame["errno"], &frame["cid"]), (&json!(0), &json!(stored.to_string())), "{frame}");
            stored += 1;
        }
        assert!(pushed - stored <= UNSETTLED, "{pushed} are pushed, {stored} are stored");
    }
    assert_eq!(pushed, MESSAGES);
}

/// An answer that says that all is well: `00` and what it changed.
fn is_well(bytes: &[u8]) -> bool {
    bytes.len() >= 11 && bytes[1..3] == [0, 0] && bytes[4] == 0 && bytes.len() == usize::from(bytes[0]) + 4
}

/// Puts another text in the place of an answer's.
fn instead(bytes: &mut Vec<u8>, payload: &[u8]) -> bool {
    let fits = is_well(bytes);
    if fits {
        let number = bytes[3];
        *bytes = vec![payload.len() as u8, 0, 0, number];
        bytes.extend_from_slice(payload);
    }
    fits
}

/// Some of these are nothing that a MySQL says, and the driver panics over some.
#[test]
fn whatever_mysql_says_the_server_lives() {
    let tampers: [(&str, Tamper); 8] = [
        ("nothing", |bytes| instead(bytes, &[])),
        ("no more than that it is well", |bytes| instead(bytes, &[0])),
        ("a number that is cut", |bytes| instead(bytes, &[0, 0xfe, 1, 2])),
        ("no number", |bytes| instead(bytes, &[0, 0xff, 0, 2, 0, 0, 0])),
        ("no number either", |bytes| instead(bytes, &[0, 0xfb, 0xfb, 2, 0, 0, 0])),
        ("too much", |bytes| {
            instead(
                bytes,
                &[
                    0, 0xfe, 255, 255, 255, 255, 255, 255, 255, 255, 0xfe, 255, 255, 255, 255, 255, 255, 255,
                    255, 2, 0, 0, 0,
                ],
            )
        }),
        ("a failure without a number", |bytes| instead(bytes, &[0xff])),
        ("a text that is longer than it is", |bytes| {
            instead(bytes, &[0, 0, 0, 2, 0, 0, 0, 0xfd, 255, 255, 255])
        }),
    ];
    let (proxy, server) = behind_a_proxy();
    let (amy, ben) = (server.register("amy"), server.register("ben"));
    let mut client = server.enter(&amy);
    for (number, (what, tamper)) in tampers.into_iter().enumerate() {
        proxy.tamper(tamper);
        let mut tries = 0;
        until(&format!("{what} to be said and forgotten"), SOON, || {
            tries += 1;
            // What is in doubt is said again under another name.
            let errno = send(&mut client, &ben, &format!("{number} {tries}"))["errno"].clone();
            (proxy.has_tampered() && errno == 0).then_some(())
        });
    }
    log_in(&server, &ben, SOON);
}
