//! Messages that an application sends for its users.

use crate::common::api::start;
use serde_json::json;

#[test]
fn what_is_sent_is_heard_once_however_often_it_is_repeated() {
    let (chatd, mut api) = start(2);
    let mut ben = chatd.connect();
    let user = ben.register("ben");
    ben.login(&user);
    let amy = api.done("users.put", &json!({ "external": "u-1", "name": "Amy" }));
    let send = |cid: &str, msg: &str| json!({ "from": { "external": "u-1" }, "with": { "id": user.id }, "msg": msg, "cid": cid });
    let sent = api.done("messages.send", &send("c1", "your order is on its way"));
    let heard = ben.hear_msg("your order is on its way");
    assert_eq!((&heard["id"], &heard["name"]), (&amy["id"], &json!("Amy")));
    for _ in 0..3 {
        let again = api.done("messages.send", &send("c1", "your order is on its way"));
        assert_eq!((&again["mid"], &again["pos"]), (&sent["mid"], &sent["pos"]));
    }
    assert_eq!(api.act("messages.send", &send("c1", "another order"))["errno"], 112);
    api.done("messages.send", &send("c2", "it is there"));
    // The next thing that comes.
    assert_eq!(ben.hear("a message")["msg"], "it is there");
}

#[test]
fn what_is_sent_waits_for_who_is_away() {
    let (chatd, mut api) = start(2);
    let mut ben = chatd.connect();
    let user = ben.register("ben");
    api.done("users.put", &json!({ "name": "shop" }));
    for number in 0..3 {
        let (msg, cid) = (format!("news {number}"), format!("n{number}"));
        api.done(
            "messages.send",
            &json!({ "from": { "name": "shop" }, "with": { "name": "ben" }, "msg": msg, "cid": cid }),
        );
    }
    let waiting = ben.login_with_backlog(&user, 3);
    let texts: Vec<_> =
        waiting.iter().map(|message| message["msg"].as_str().unwrap_or("").to_owned()).collect();
    assert_eq!(texts, ["news 0", "news 1", "news 2"]);
}

#[test]
fn the_rules_hold_for_what_an_application_sends() {
    let (chatd, mut api) = start(2);
    let (mut ben, mut carl) = (chatd.connect(), chatd.connect());
    let (user, member) = (ben.register("ben"), carl.register("carl"));
    ben.login(&user);
    carl.login(&member);
    let shop = api.done("users.put", &json!({ "name": "shop" }));
    let group = ben.create_group("walks");
    let to_group =
        |cid: &str| json!({ "from": { "name": "shop" }, "groupid": group, "msg": "hello", "cid": cid });
    assert_eq!(api.act("messages.send", &to_group("g1"))["errno"], 107, "no member");
    carl.join_group(group);
    let as_carl = |cid: &str, msg: &str| json!({ "from": { "name": "carl" }, "groupid": group, "msg": msg, "cid": cid });
    api.done("messages.send", &as_carl("g2", "from my calendar"));
    ben.hear_msg("from my calendar");
    // Of v1, which is not told what it has sent elsewhere.
    api.done("messages.send", &as_carl("g2", "from my calendar"));
    let mut other = chatd.connect().with_newlines();
    let asked = json!({ "msgid": 1, "name": "ben", "password": user.password, "v": 2, "takeover": true, "cid": "in" });
    other.say(asked);
    assert_eq!(other.hear("an answer to LOGIN")["errno"], 0);
    other.say(json!({ "msgid": 32, "userid": shop["id"], "cid": "b1" }));
    other.hear_ack("b1");
    let blocked = json!({ "from": { "name": "shop" }, "with": { "name": "ben" }, "msg": "buy", "cid": "d1" });
    assert_eq!(api.act("messages.send", &blocked)["errno"], 104, "blocked");
    let nobody = json!({ "from": { "name": "shop" }, "with": { "id": 999 }, "msg": "buy", "cid": "d2" });
    assert_eq!(api.act("messages.send", &nobody)["errno"], 105);
    let large = json!({ "from": { "name": "shop" }, "with": { "name": "ben" }, "msg": "x".repeat(17 << 10), "cid": "d3" });
    assert_eq!(api.act("messages.send", &large)["errno"], 111);
}
