//! What there is of a user: sessions, history, all of it, and nothing more.

use crate::common::api::start;
use serde_json::{Value, json};

#[test]
fn sessions_are_listed_and_end() {
    let (chatd, mut api) = start(2);
    let user = json!({ "external": "u-1" });
    api.done("users.put", &user);
    let issued = api.done("tokens.issue", &json!({ "user": user, "device": "phone" }));
    let mut phone = chatd.connect().with_newlines();
    phone.say(json!({ "msgid": 25, "token": issued["token"], "multi": true }));
    assert_eq!(phone.hear("an answer")["errno"], 0);
    let listed = api.done("sessions.list", &json!({ "user": user }));
    let devices = listed["devices"].as_array().expect("devices");
    assert_eq!(devices.len(), 1, "{listed}");
    assert_eq!(
        (&devices[0]["device"], &devices[0]["id"]),
        (&json!("phone"), &issued["deviceid"]),
        "{listed}"
    );
    api.done("sessions.kick", &json!({ "user": user, "deviceid": issued["deviceid"] }));
    phone.hear_error_and_end(113);
    assert_eq!(
        api.act("sessions.kick", &json!({ "user": user, "deviceid": issued["deviceid"] }))["errno"],
        105
    );
}

/// The lines of an export.
fn export(api: &mut crate::common::api::Api, user: &Value) -> Vec<Value> {
    let answer = api.post("export", &json!({ "user": user }));
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = String::from_utf8(answer.body).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn all_that_was_said_is_given_out_in_order() {
    let (_chatd, mut api) = start(2);
    for name in ["amy", "ben"] {
        api.done("users.put", &json!({ "name": name }));
    }
    let group =
        api.done("groups.put", &json!({ "owner": { "name": "amy" }, "name": "walks" }))["groupid"].clone();
    // More than a page.
    for number in 0..230 {
        let send = json!({ "from": { "name": "amy" }, "with": { "name": "ben" }, "msg": format!("m{number}"), "cid": format!("c{number}") });
        api.done("messages.send", &send);
    }
    api.done(
        "messages.send",
        &json!({ "from": { "name": "amy" }, "groupid": group, "msg": "to all", "cid": "g" }),
    );
    let page = api.done(
        "history",
        &json!({ "user": { "name": "ben" }, "with": { "name": "amy" }, "after": 228, "limit": 1 }),
    );
    assert_eq!(page["messages"][0]["msg"], "m228", "{page}");
    let lines = export(&mut api, &json!({ "name": "amy" }));
    assert_eq!(lines[0]["account"]["name"], "amy");
    assert_eq!(lines.iter().filter(|line| line["conversation"].is_object()).count(), 2);
    let said = |of: &str| -> Vec<String> {
        let of = lines.iter().filter(|line| line["message"][of].is_u64());
        of.map(|line| line["message"]["msg"].as_str().unwrap_or("").to_owned()).collect()
    };
    let expected: Vec<String> = (0..230).map(|number| format!("m{number}")).collect();
    assert_eq!(said("with"), expected);
    assert_eq!(said("groupid"), ["to all"]);
    assert_eq!(lines.last().map(|line| &line["end"]), Some(&json!(true)));
    assert_eq!(api.post("export", &json!({ "user": { "name": "nobody" } })).json()["errno"], 105);
    // The connection goes on.
    api.done("users.put", &json!({ "name": "amy" }));
}

#[test]
fn who_is_erased_is_nobody_any_more() {
    let (chatd, mut api) = start(2);
    let mut ben = chatd.connect();
    let user = ben.register("ben");
    ben.login(&user);
    let amy = api.done("users.put", &json!({ "external": "u-1", "name": "Amy" }));
    let group =
        api.done("groups.put", &json!({ "owner": { "external": "u-1" }, "name": "walks" }))["groupid"]
            .clone();
    let issued = api.done("tokens.issue", &json!({ "user": { "external": "u-1" } }));
    let mut phone = chatd.connect().with_newlines();
    phone.say(json!({ "msgid": 25, "token": issued["token"], "multi": true }));
    assert_eq!(phone.hear("an answer")["errno"], 0);
    api.done(
        "messages.send",
        &json!({ "from": { "external": "u-1" }, "with": { "name": "ben" }, "msg": "bye", "cid": "b" }),
    );
    ben.hear_msg("bye");
    api.done("users.delete", &json!({ "user": { "external": "u-1" } }));
    phone.hear_error_and_end(113);
    assert_eq!(api.act("users.delete", &json!({ "user": { "external": "u-1" } }))["errno"], 105);
    let send =
        json!({ "from": { "external": "u-1" }, "with": { "name": "ben" }, "msg": "still here", "cid": "c" });
    assert_eq!(api.act("messages.send", &send)["errno"], 105);
    let to_group = json!({ "from": { "name": "ben" }, "groupid": group, "msg": "anybody?", "cid": "g" });
    assert_eq!(api.act("messages.send", &to_group)["errno"], 106, "its group went with it");
    // The name and what the application called it are free.
    let next = api.done("users.put", &json!({ "external": "u-1", "name": "Amy" }));
    assert_ne!(next["id"], amy["id"]);
    assert_eq!(next["name"], "Amy");
    // What it said stays with whom it was said to.
    let page = api.done("history", &json!({ "user": { "name": "ben" }, "with": { "id": amy["id"] } }));
    assert_eq!(page["messages"][0]["msg"], "bye");
}

#[test]
fn a_server_that_is_to_stop_does() {
    let (mut chatd, mut api) = start(1);
    api.done("drain", &json!({}));
    assert!(chatd.wait().success());
}
