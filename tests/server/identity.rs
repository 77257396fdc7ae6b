//! The session is the identity: what a frame claims to be from changes nothing.

use crate::common::chatd::{Chatd, SECRET};
use crate::common::client::{entries, texts};
use serde_json::{Value, json};

/// Every request that needs a login, as `id`, about `other` and `group`.
fn requests(id: u64, other: u64, group: u64) -> Vec<Value> {
    vec![
        json!({"msgid": 6, "id": id, "name": "x", "toid": other, "msg": "forged", "time": "t"}),
        json!({"msgid": 7, "id": id, "friendid": other}),
        json!({"msgid": 8, "id": id, "groupname": "forged", "groupdesc": "d"}),
        json!({"msgid": 9, "id": id, "groupid": group}),
        json!({"msgid": 10, "id": id, "name": "x", "groupid": group, "msg": "forged", "time": "t"}),
        json!({"msgid": 11, "id": id, "groupid": group}),
        json!({"msgid": 12, "id": id, "friendid": other}),
        json!({"msgid": 13, "id": id}),
        json!({"msgid": 3, "id": id}),
    ]
}

#[test]
fn before_a_login_nothing_is_done() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut victim = chatd.enter(&amy);
    let group = victim.create_group("g");
    let mut client = chatd.connect();
    for request in requests(amy.id, ben.id, group) {
        client.say(request.clone());
        let error = client.hear_error(103);
        assert_eq!(error["re"], request["msgid"]);
    }
    victim.hear_nothing();
    let answer = chatd.connect().login(&ben);
    assert_eq!(answer["groups"], json!([]));
    assert_eq!(answer["offlinemsg"], json!([]));
}

#[test]
fn another_id_gets_104_and_does_nothing() {
    for cores in [1, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben, eve) = (chatd.register("amy"), chatd.register("ben"), chatd.register("eve"));
        let mut victim = chatd.enter(&amy);
        let group = victim.create_group("g");
        victim.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": "f"}));
        victim.hear_ack("f");
        let mut reader = chatd.enter(&ben);
        let mut client = chatd.enter(&eve);
        for id in [amy.id, ben.id, 2_000_000_000] {
            for request in requests(id, ben.id, group) {
                client.say(request.clone());
                let error = client.hear_error(104);
                assert_eq!(error["re"], request["msgid"]);
            }
        }
        // Nothing has happened: to nobody, and not to who tried.
        client.hear_nothing();
        reader.hear_nothing();
        victim.say(json!({"msgid": 13, "id": amy.id}));
        let friends = entries(&victim.hear("the friend list")["friends"]);
        assert_eq!(friends, [json!({"id": ben.id, "name": "ben", "state": "online"})]);
        victim.logout();
        let answer = victim.login(&amy);
        assert_eq!(entries(&answer["groups"]).len(), 1, "{answer}");
    }
}

/// The name and the sender on a message are the server's own record, whatever the sender writes.
#[test]
fn nobody_signs_with_another_name() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader = chatd.enter(&ben);
    let mut client = chatd.enter(&amy);
    client.say(json!({"msgid": 6, "id": amy.id, "name": "the administrator", "toid": ben.id, "msg": "hi",
                      "time": "t", "from": ben.id, "errno": 0}));
    let heard = reader.hear_text("a message");
    let id = (amy.id, ben.id);
    let expected =
        format!(r#"{{"id":{},"msg":"hi","msgid":6,"name":"amy","time":"t","toid":{}}}"#, id.0, id.1);
    assert_eq!(heard, expected);
}

#[test]
fn time_is_the_senders_text_or_the_servers() {
    let chatd = Chatd::start(1);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut reader = chatd.enter(&ben);
    let mut client = chatd.enter(&amy);
    client.say(json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": "a", "time": "half past \"nine\""}));
    assert_eq!(reader.hear("a message")["time"], "half past \"nine\"");
    client.say(json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": "b"}));
    let heard = reader.hear("a message");
    let time = heard["time"].as_str().expect("a text");
    let form: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(form, "0000-00-00 00:00:00");
    client.say(json!({"msgid": 6, "id": amy.id, "toid": ben.id, "msg": "c", "time": "x".repeat(65)}));
    client.hear_error(102);
    reader.hear_nothing();
}

#[test]
fn what_looks_like_sql_is_text() {
    let chatd = Chatd::start(2);
    let injections = [
        "'; DROP TABLE user; --",
        "\" OR \"\"=\"",
        "' OR '1'='1",
        "1); DELETE FROM friend; --",
        "%s%n$(reboot)`reboot`",
        "\\'; SELECT 1; /*",
    ];
    let ben = chatd.register("ben");
    let mut client = chatd.connect();
    for (number, text) in injections.iter().enumerate() {
        let password = format!("{SECRET}{text}");
        client.say(json!({"msgid": 4, "name": text, "password": password}));
        let id = client.hear("the answer to a registration")["id"].as_u64().expect("registered");
        client.say(json!({"msgid": 1, "id": id, "password": "' OR '1'='1"}));
        assert_eq!(client.hear("a refusal")["errno"], 1);
        client.id = id;
        client.say(json!({"msgid": 1, "id": id, "password": password}));
        assert_eq!(client.hear_login()["name"], *text);
        client.say(json!({"msgid": 8, "id": id, "groupname": text, "groupdesc": text, "cid": "g"}));
        client.hear_ack("g");
        client.chat_stored(&ben, text, &format!("{number}{text}"));
        client.logout();
    }
    let mut reader = chatd.connect();
    assert_eq!(texts(&reader.login_with_backlog(&ben, injections.len())), injections);
    // The tables are still there.
    let amy = chatd.register("amy");
    chatd.enter(&amy).hear_nothing();
}

#[test]
fn what_is_not_there_cannot_be_befriended_joined_or_left() {
    let chatd = Chatd::start(2);
    let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
    let mut client = chatd.enter(&amy);
    let mut other = chatd.enter(&ben);
    let group = other.create_group("of ben");
    let refusals = [
        (json!({"msgid": 7, "id": amy.id, "friendid": 99}), 105),
        (json!({"msgid": 7, "id": amy.id, "friendid": amy.id}), 102),
        (json!({"msgid": 9, "id": amy.id, "groupid": 99}), 106),
        (json!({"msgid": 11, "id": amy.id, "groupid": 99}), 106),
        (json!({"msgid": 11, "id": amy.id, "groupid": group}), 107),
        (json!({"msgid": 10, "id": amy.id, "groupid": 99, "msg": "m", "time": "t"}), 106),
        (json!({"msgid": 10, "id": amy.id, "groupid": group, "msg": "m", "time": "t"}), 107),
        (json!({"msgid": 8, "id": amy.id, "groupname": "of ben", "groupdesc": "d"}), 108),
        (json!({"msgid": 8, "id": amy.id, "groupname": "", "groupdesc": "d"}), 102),
        (json!({"msgid": 8, "id": amy.id, "groupname": "x".repeat(51), "groupdesc": "d"}), 102),
        (json!({"msgid": 8, "id": amy.id, "groupname": "x", "groupdesc": "d".repeat(201)}), 102),
        (json!({"msgid": 6, "id": amy.id, "toid": 99, "msg": "m", "time": "t"}), 105),
        (json!({"msgid": 6, "id": amy.id, "toid": 99, "msg": "m", "time": "t", "cid": "c"}), 105),
    ];
    for (mut request, errno) in refusals {
        client.say(request.clone());
        let error = client.hear_error(errno);
        assert_eq!(error["re"], request["msgid"], "{request}");
        // With a cid the same, and it is named.
        request["cid"] = json!(format!("again {errno}"));
        client.say(request.clone());
        assert_eq!(client.hear_error(errno)["cid"], request["cid"], "{request}");
    }
    // What exists already is no error twice, or says that it exists; there is one of it.
    for cid in ["first", "second"] {
        client.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": cid}));
        let answer = client.hear("an answer");
        assert!(answer["errno"] == 0 || answer["errno"] == 108, "{answer}");
    }
    client.say(json!({"msgid": 13, "id": amy.id}));
    assert_eq!(entries(&client.hear("the friend list")["friends"]).len(), 1);
    other.hear_nothing();
}
