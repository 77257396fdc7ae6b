//! Groups that an application makes for its users.

use crate::common::api::start;
use serde_json::{Value, json};

fn results(answer: &Value) -> Vec<(u64, u64)> {
    let results = answer["results"].as_array().expect("a result each");
    results.iter().map(|of| (of["id"].as_u64().unwrap_or(0), of["errno"].as_u64().unwrap_or(0))).collect()
}

#[test]
fn a_group_is_made_once_and_run() {
    let (chatd, mut api) = start(2);
    let [owner, amy, ben] = ["owner", "amy", "ben"].map(|external| {
        api.done("users.put", &json!({ "external": external, "name": external }))["id"]
            .as_u64()
            .expect("an id")
    });
    let make = json!({ "owner": { "external": "owner" }, "name": "walks", "desc": "on Sundays", "join": "ask", "cid": "g1" });
    let group = api.done("groups.put", &make)["groupid"].clone();
    assert_eq!(api.done("groups.put", &make)["groupid"], group, "it is the same group");
    let taken = json!({ "owner": { "external": "amy" }, "name": "walks" });
    assert_eq!(api.act("groups.put", &taken)["errno"], 108);
    // Who is added has to be let in by who runs it, and is.
    let by = json!({ "external": "owner" });
    let add = json!({ "groupid": group, "by": by, "add": [{ "external": "amy" }, { "id": ben }], "role": "admin", "cid": "m1" });
    assert_eq!(results(&api.done("groups.members", &add)), [(amy, 0), (ben, 0)]);
    assert_eq!(results(&api.done("groups.members", &add)), [(amy, 0), (ben, 0)], "the same again");
    let issued = api.done("tokens.issue", &json!({ "user": { "external": "amy" } }));
    let mut phone = chatd.connect().with_newlines();
    phone.say(json!({ "msgid": 25, "token": issued["token"], "multi": true, "caps": ["group"] }));
    assert_eq!(phone.hear("an answer")["errno"], 0);
    api.done(
        "messages.send",
        &json!({ "from": { "external": "ben" }, "groupid": group, "msg": "at nine?", "cid": "s1" }),
    );
    loop {
        if phone.hear("the message")["msg"] == "at nine?" {
            break;
        }
    }
    let remove =
        json!({ "groupid": group, "by": by, "remove": [{ "external": "ben" }, { "external": "nobody" }] });
    assert_eq!(api.act("groups.members", &remove)["errno"], 105, "nobody is called so");
    let remove = json!({ "groupid": group, "by": by, "remove": [{ "external": "ben" }] });
    assert_eq!(results(&api.done("groups.members", &remove)), [(ben, 0)]);
    let gone = api.act(
        "groups.members",
        &json!({ "groupid": group, "by": { "external": "ben" }, "remove": [{ "id": amy }] }),
    );
    assert_eq!((gone["errno"].as_u64(), results(&gone)), (Some(107), vec![(amy, 107)]));
    api.done("groups.put", &json!({ "groupid": group, "owner": by, "name": "runs" }));
    assert_eq!(
        api.act("groups.put", &json!({ "groupid": group, "owner": { "id": amy }, "join": "never" }))["errno"],
        102
    );
    assert_ne!(owner, amy);
}
