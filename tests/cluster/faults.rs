//! It bends and does not break.

use super::common::client::{Client, texts};
use super::{Cluster, enter_in_the_end, server};
use serde_json::json;
use std::collections::BTreeSet;

/// Hears messages until every text of `wanted` was heard; those that were heard.
fn hear_all(client: &mut Client, wanted: usize) -> BTreeSet<String> {
    let mut heard = BTreeSet::new();
    while heard.len() < wanted {
        let frame = client.hear(&format!("{wanted} different messages, after {}", heard.len()));
        if let Some(text) = frame["msg"].as_str() {
            heard.insert(text.to_owned());
        }
    }
    heard
}

/// Sends messages under cids, again under the same cid until each is acknowledged.
fn send_acknowledged(client: &mut Client, to: u64, texts: impl Iterator<Item = String>) {
    for text in texts {
        loop {
            client
                .say(json!({"msgid": 6, "id": client.id, "toid": to, "msg": text, "time": "t", "cid": text}));
            let answer = client.hear("an ACK or an ERROR");
            assert_eq!(answer["cid"], json!(text), "{answer}");
            match answer["errno"].as_u64() {
                Some(0) => break,
                Some(110) => {}
                _ => panic!("{answer}"),
            }
        }
    }
}

#[test]
fn the_users_of_a_killed_server_go_on_elsewhere_and_miss_nothing() {
    let mut cluster = Cluster::start();
    let (amy, ben) = (cluster.a.register("amy"), cluster.b.register("ben"));
    let mut a = cluster.a.enter(&amy);
    let b = cluster.b.enter(&ben);
    cluster.b.end(libc::SIGKILL);
    drop(b);
    send_acknowledged(&mut a, ben.id, (0..50).map(|number| number.to_string()));
    let mut elsewhere = cluster.a.connect();
    // Redis has dropped the dead server's subscriptions by now, or is about to.
    drop(enter_in_the_end(&cluster.a, &ben));
    cluster.a.until_offline(&ben);
    let backlog = elsewhere.login_with_backlog(&ben, 50);
    assert_eq!(texts(&backlog), (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn redis_killed_and_restarted_empty_loses_nothing() {
    let mut cluster = Cluster::start();
    let names = ["amy", "ben", "eve"];
    let users: Vec<_> = names.iter().map(|name| cluster.a.register(name)).collect();
    let (mut amy, mut eve) = (cluster.a.enter(&users[0]), cluster.a.enter(&users[2]));
    let mut ben = cluster.b.enter(&users[1]);
    amy.chat(&users[1], "before");
    ben.hear_msg("before");
    cluster.redis.kill();
    // What is for another server is stored, and waits.
    send_acknowledged(&mut amy, users[1].id, (0..20).map(|number| format!("meanwhile {number}")));
    for number in 0..20 {
        eve.chat(&users[1], &format!("unnamed {number}"));
    }
    cluster.redis.start_again();
    let heard = hear_all(&mut ben, 40);
    assert!(heard.contains("meanwhile 19") && heard.contains("unnamed 19"), "{heard:?}");
    amy.chat(&users[1], "after");
    while ben.hear("the message after it all")["msg"] != "after" {}
    // And the other way: subscriptions have come back by themselves.
    ben.chat(&users[0], "back");
    amy.hear_msg("back");
}

#[test]
fn a_cluster_whose_redis_connections_are_cut_again_and_again_loses_nothing() {
    let cluster = Cluster::start();
    let (amy, ben) = (cluster.a.register("amy"), cluster.b.register("ben"));
    let (mut a, mut b) = (cluster.a.enter(&amy), cluster.b.enter(&ben));
    for round in 0..5 {
        cluster.redis.ask("CLIENT KILL TYPE pubsub");
        send_acknowledged(&mut a, ben.id, (0..20).map(|number| format!("{round}.{number}")));
    }
    assert_eq!(hear_all(&mut b, 100).len(), 100);
}

#[test]
fn users_go_on_talking_while_mariadb_is_away_and_nothing_acknowledged_is_lost() {
    let mut cluster = Cluster::start();
    let (amy, ben, eve) = (cluster.a.register("amy"), cluster.b.register("ben"), cluster.b.register("eve"));
    let (mut a, mut b) = (cluster.a.enter(&amy), cluster.b.enter(&ben));
    send_acknowledged(&mut a, eve.id, (0..20).map(|number| format!("kept {number}")));
    cluster.mariadb.kill();
    for number in 0..100 {
        a.chat(&ben, &number.to_string());
        b.hear_msg(&number.to_string());
    }
    a.say(json!({"msgid": 6, "id": amy.id, "toid": eve.id, "msg": "now", "time": "t", "cid": "now"}));
    let refused = a.hear("an answer while the store is away");
    assert_eq!((&refused["errno"], &refused["cid"]), (&json!(110), &json!("now")), "{refused}");
    cluster.mariadb.start_again();
    send_acknowledged(&mut a, eve.id, std::iter::once("now".to_owned()));
    let mut found: Vec<String> = (0..20).map(|number| format!("kept {number}")).collect();
    found.push("now".into());
    assert_eq!(texts(&cluster.a.connect().login_with_backlog(&eve, 21)), found);
}

#[test]
fn a_server_comes_back_on_its_port() {
    let mut cluster = Cluster::start();
    let ben = cluster.b.register("ben");
    let port = cluster.b.address.port();
    cluster.b.end(libc::SIGTERM);
    cluster.b = server(&cluster.redis, &cluster.mariadb, port);
    let _ = cluster.b.enter(&ben);
}
