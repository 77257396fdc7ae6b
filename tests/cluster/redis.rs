//! Redis dies, comes back empty, and cuts connections: nothing that was acknowledged is lost.

use super::patience::{SOON, befriend, cpu_time, log_in, said, until};
use crate::admin::{Admin, watched};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User, chat};
use crate::common::cluster::{Backends, Shared};
use crate::common::services::install;
use crate::common::services::redis::Redis;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// A Redis of the test's own, and a database of the one that all share.
pub fn own_redis() -> (Redis, Shared) {
    install::by_apt();
    let redis = Redis::start(&[]).unwrap();
    let shared = Backends::of_all_tests().share();
    let redis_url = redis.url();
    (redis, Shared { redis: redis_url, ..shared })
}

/// Sends a message that is to be acknowledged, and hears how that went.
fn send(client: &mut Client, to: &User, text: &str) -> Value {
    let mut frame = chat(client.id, to.id, text);
    frame["cid"] = json!(text);
    client.say(frame);
    client.hear("an ACK or an ERROR")
}

#[test]
fn redis_is_killed_and_comes_back_empty() {
    let (mut redis, shared) = own_redis();
    let cluster = shared.cluster(1);
    let [first, second] = &cluster.servers;
    let (amy, ben, carl) = (cluster.register("amy"), cluster.register("ben"), cluster.register("carl"));
    let (mut amys, mut bens, mut carls) = (first.enter(&amy), first.enter(&ben), second.enter(&carl));
    let group = amys.create_group("g");
    carls.join_group(group);
    redis.kill();
    for server in [first, second] {
        until("the loss to be noticed", SOON, || (said(server, &["Redis", "is lost"]) == 1).then_some(()));
    }
    // Those of one core go on, and for those of others all is stored.
    for number in 0..50 {
        amys.chat(&ben, &format!("same core {number}"));
        bens.hear_msg(&format!("same core {number}"));
        let text = format!("other server {number}");
        assert_eq!(send(&mut amys, &carl, &text)["errno"], 0);
        amys.group_chat_stored(group, &format!("group {number}"), &format!("g{number}"));
    }
    // Whether somebody is logged in elsewhere cannot be known now.
    let dora = cluster.register("dora");
    let mut doras = first.connect();
    doras.ask_login(&dora);
    assert_eq!(doras.hear("a refusal")["errno"], 110);
    redis.run().unwrap();
    let mut expected: BTreeSet<String> =
        (0..50).flat_map(|number| [format!("other server {number}"), format!("group {number}")]).collect();
    while !expected.is_empty() {
        let message = carls.hear("what was stored");
        expected.remove(message["msg"].as_str().expect("a text"));
    }
    log_in(first, &dora, SOON);
    // Once each, however often it was tried.
    for server in [first, second] {
        until("the return to be noticed", SOON, || (said(server, &["Redis", "is back"]) == 1).then_some(()));
        let lines = server.stderr_lines();
        assert!(lines.iter().all(|line| line.contains("Redis")), "{lines:?}");
        assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "each once: {lines:?}");
    }
    drop(bens);
    let mut after = second.enter_patiently(&ben);
    amys.chat(&ben, "as before");
    after.hear_msg("as before");
}

/// Its connections are cut again and again while two people of different servers talk.
#[test]
fn connections_of_redis_are_cut_again_and_again() {
    const CUTS: usize = 8;
    let (redis, shared) = own_redis();
    let cluster = shared.cluster(2);
    let [first, second] = &cluster.servers;
    let (amy, ben) = (cluster.register("amy"), cluster.register("ben"));
    let (mut amys, mut bens) = (first.enter(&amy), second.enter(&ben));
    let mut acknowledged = BTreeSet::new();
    let mut heard = BTreeSet::new();
    let mut number = 0;
    for cut in 0..CUTS {
        redis.ask("CLIENT KILL TYPE pubsub");
        until("the cut to be noticed", SOON, || {
            let noticed = [first, second].iter().all(|server| said(server, &["is lost"]) > cut);
            number += 1;
            let text = format!("{number}");
            if send(&mut amys, &ben, &text)["errno"] == 0 {
                acknowledged.insert(text);
            }
            noticed.then_some(())
        });
        // Subscribed again: what is said now is heard live, after what is late.
        until("the subscriptions to be back", SOON, || {
            [first, second].iter().all(|server| said(server, &["is back"]) > cut).then_some(())
        });
        let mark = format!("mark {cut}");
        amys.chat(&ben, &mark);
        loop {
            let message = bens.hear(&mark);
            let text = message["msg"].as_str().expect("a text").to_owned();
            if text == mark {
                break;
            }
            heard.insert(text);
        }
    }
    amys.chat(&ben, "the end");
    let missing = |heard: &BTreeSet<String>| acknowledged.difference(heard).cloned().collect::<Vec<_>>();
    while !missing(&heard).is_empty() {
        let message = bens.hear(&format!("{:?}", missing(&heard)));
        heard.insert(message["msg"].as_str().expect("a text").to_owned());
    }
    assert!(acknowledged.len() >= CUTS, "{acknowledged:?}");
}

/// While Redis is gone a server tries again, with pauses that grow, and does nothing else.
#[test]
fn a_server_without_redis_waits_and_does_not_spin() {
    let (mut redis, shared) = own_redis();
    let server = shared.start(2);
    let mut client = server.enter(&server.register("amy"));
    redis.kill();
    // Stands in its place, so that the attempts can be counted.
    let listener = until("the port of Redis", SOON, || TcpListener::bind(redis.address()).ok());
    let (began, used) = (Instant::now(), cpu_time(server.pid()));
    const ATTEMPTS: usize = 14;
    for _ in 0..ATTEMPTS {
        drop(listener.accept().expect("an attempt"));
    }
    let (took, used) = (began.elapsed(), cpu_time(server.pid()) - used);
    // Two cores with pauses of 50, 100, 200, 400, 800 and 1000 ms between their attempts.
    assert!(took > Duration::from_secs(1), "{ATTEMPTS} attempts within {took:?}");
    assert!(used < took / 2, "{used:?} of CPU in {took:?}");
    drop(listener);
    until("Redis to start", SOON, || redis.run().ok());
    until("the return to be noticed", SOON, || (said(&server, &["is back"]) == 1).then_some(()));
    client.hear_nothing();
}

/// What a user of its own must be allowed, without a password.
const CHAT: &str = "ACL SETUSER chat on resetchannels &chatd:* -@all +hello +select +ping +publish +subscribe \
    +unsubscribe +pubsub|numsub +info +client|id +client|setname +client|list +client|kill";

/// A server that uses Redis as the user `chat`, whose password is `s3cret`.
fn of_chat(redis: &Redis) -> (Chatd, Admin) {
    assert!(redis.ask(CHAT).starts_with("+OK") && redis.ask("ACL SETUSER chat >s3cret").starts_with("+OK"));
    let url = format!("redis://chat:s3cret@{}/0", redis.address());
    watched(Setup::new(2).environment("CHATD_REDIS", &url))
}

/// Whatever keeps it from coming back is said, each once, and it is the same who says so.
#[test]
fn each_new_reason_why_redis_cannot_come_back_is_said_once() {
    install::by_apt();
    let redis = Redis::start(&[]).unwrap();
    let (server, admin) = of_chat(&redis);
    let tell = |commands: &[&str]| {
        commands.iter().for_each(|command| assert!(!redis.ask(command).starts_with('-'), "{command}"));
    };
    let hear = |words: &[&str]| {
        until(&format!("{words:?} to be said"), SOON, || (said(&server, words) == 1).then_some(()));
    };
    tell(&["ACL SETUSER chat resetpass >0ther", "CLIENT KILL USER chat"]);
    hear(&["Redis is still lost", "does not let user chat in"]);
    tell(&["ACL SETUSER chat >s3cret -publish"]);
    hear(&["Redis is still lost", "user chat lacks rights", "publish", "ACL SETUSER chat &chatd:*"]);
    tell(&["ACL SETUSER chat resetpass >0ther"]);
    tell(&["ACL SETUSER chat +publish >s3cret resetchannels &chatd:core*"]);
    hear(&["Redis is still lost", "user chat lacks rights", "channel"]);
    admin.until("a server without its bus", "/readyz", |page| page.status == 503);
    tell(&["ACL SETUSER chat &chatd:*"]);
    hear(&["Redis", "is back"]);
    admin.until("a server to be ready", "/readyz", |page| page.status == 200);
    let lines = server.stderr_lines();
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "each once: {lines:?}");
    assert!(!lines.iter().any(|line| line.contains("s3cret") || line.contains("0ther")), "{lines:?}");
    assert_eq!(said(&server, &["is lost"]), 1);
}

/// A right that is taken from a connection that lives: it can only half of what it has to, so it is lost.
#[test]
fn a_connection_that_may_no_longer_do_its_work_is_lost() {
    install::by_apt();
    let redis = Redis::start(&[]).unwrap();
    let (server, admin) = of_chat(&redis);
    let (amy, ben) = (server.register("amy"), server.register("ben"));
    let (mut amys, mut bens) = (server.enter(&amy), server.enter(&ben));
    befriend(&mut amys, &ben);
    for (round, right) in ["publish", "subscribe", "pubsub|numsub", "info"].into_iter().enumerate() {
        assert!(redis.ask(&format!("ACL SETUSER chat -{right}")).starts_with("+OK"));
        let (newcomer, named) = (server.register(right), format!("the '{right}' command"));
        until("the loss to be noticed", SOON, || {
            // Who logs in has a channel joined, and who asks for friends has it asked where they are.
            amys.say(json!({"msgid": 13, "id": amys.id}));
            let _ = amys.hear("the friend list, or a refusal");
            let mut client = server.connect();
            client.ask_login(&newcomer);
            let _ = client.hear("the answer to a login");
            (said(&server, &["is still lost", "lacks rights", &named]) == 1).then_some(())
        });
        admin.until("a server without its bus", "/readyz", |page| page.status == 503);
        amys.chat_stored(&ben, &format!("without {right}"), right);
        assert!(redis.ask(&format!("ACL SETUSER chat +{right}")).starts_with("+OK"));
        until("the return", SOON, || (said(&server, &["is back"]) == round + 1).then_some(()));
        admin.until("a server to be ready", "/readyz", |page| page.status == 200);
        bens.hear_msg(&format!("without {right}"));
    }
    assert_eq!(said(&server, &["is lost (it refuses what it has to do"]), 4, "{}", server.printed());
}
