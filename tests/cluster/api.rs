//! The API of two servers of one cluster: what is done at one holds at the other.

use crate::common::api::{Api, with_api};
use crate::common::chatd::Chatd;
use crate::common::client::Client;
use crate::common::cluster::Backends;
use serde_json::{Value, json};

/// Two servers with an API each.
fn two() -> [(Chatd, Api); 2] {
    let shared = Backends::of_all_tests().share();
    [with_api(shared.setup(2)), with_api(shared.setup(2))]
}

/// A session of v2 that comes in with a token and lives beside others.
fn resume(chatd: &Chatd, token: &Value) -> (Client, Value) {
    let mut client = chatd.connect().with_newlines();
    client.say(json!({ "msgid": 25, "token": token, "multi": true }));
    let answer = client.hear("an answer to RESUME");
    (client, answer)
}

/// The same of somebody who is let in.
fn enter(chatd: &Chatd, api: &mut Api, user: &Value) -> Client {
    let token = api.done("tokens.issue", &json!({ "user": user }))["token"].clone();
    let (client, answer) = resume(chatd, &token);
    assert_eq!(answer["errno"], 0, "{answer}");
    client
}

/// Nothing has come to it but the answer to what it asks now.
fn hears_nothing(client: &mut Client) {
    client.say(json!({ "msgid": 22, "n": 1 }));
    let heard = client.hear("a pong");
    assert_eq!(heard["msgid"], 23, "{heard}");
}

#[test]
fn what_is_sent_at_one_is_heard_at_both_and_once_wherever_it_is_repeated() {
    let [(one, mut here), (other, mut there)] = two();
    let (amy, ben, carl) =
        (json!({ "external": "u-1" }), json!({ "name": "ben" }), json!({ "name": "carl" }));
    let made = here.done("users.put", &json!({ "external": "u-1", "name": "Amy" }));
    assert_eq!(there.done("users.put", &json!({ "external": "u-1", "name": "Amelia" }))["id"], made["id"]);
    for user in [&ben, &carl] {
        there.done("users.put", user);
    }
    let mut readers = [enter(&one, &mut there, &ben), enter(&other, &mut here, &ben)];
    let message = json!({ "from": amy, "with": ben, "msg": "your order is on its way", "cid": "c1" });
    let sent = there.done("messages.send", &message);
    for reader in &mut readers {
        let heard = reader.hear_msg("your order is on its way");
        assert_eq!((&heard["id"], &heard["mid"]), (&made["id"], &sent["mid"]));
    }
    for api in [&mut here, &mut there] {
        let again = api.done("messages.send", &message);
        assert_eq!((&again["mid"], &again["pos"]), (&sent["mid"], &sent["pos"]));
    }
    let group = here.done("groups.put", &json!({ "owner": amy, "name": "walks" }))["groupid"].clone();
    there.done("groups.members", &json!({ "groupid": group, "by": amy, "add": [ben, carl] }));
    let mut carl = [enter(&one, &mut here, &carl), enter(&other, &mut there, &carl)];
    let to_group = json!({ "from": amy, "groupid": group, "msg": "at four", "cid": "g1" });
    let sent = here.done("messages.send", &to_group);
    assert_eq!(there.done("messages.send", &to_group)["mid"], sent["mid"]);
    for reader in readers.iter_mut().chain(&mut carl) {
        // The next message: nothing was heard twice meanwhile.
        let heard = std::iter::repeat_with(|| reader.hear("a message")).find(|heard| heard["msgid"] == 10);
        assert_eq!(heard.map(|heard| heard["mid"].clone()).as_ref(), Some(&sent["mid"]));
        hears_nothing(reader);
    }
}

#[test]
fn who_is_shut_out_at_one_is_out_at_the_other() {
    let [(one, mut here), (other, mut there)] = two();
    let amy = json!({ "name": "amy" });
    here.done("users.put", &amy);
    let issue = |api: &mut Api| api.done("tokens.issue", &json!({ "user": amy }))["token"].clone();
    let tokens = [issue(&mut here), issue(&mut there)];
    let mut sessions = [resume(&one, &tokens[0]).0, resume(&other, &tokens[1]).0];
    there.done("tokens.revoke", &json!({ "user": amy }));
    sessions.iter_mut().for_each(|session| session.hear_error_and_end(113));
    for token in &tokens {
        assert_eq!(resume(&one, token).1["errno"], 1);
    }
    let mut back = enter(&other, &mut here, &amy);
    // Of the seed dialect, at each of the two.
    let mut seed = [(one.connect(), "ben"), (other.connect(), "carl")];
    for (client, name) in &mut seed {
        let user = client.register(name);
        client.login(&user);
    }
    here.done("users.put", &json!({ "name": "amy", "disabled": true }));
    back.hear_error_and_end(113);
    let [(mut ben, _), (mut carl, _)] = seed;
    there.done("users.put", &json!({ "name": "ben", "disabled": true }));
    ben.hear_error_and_end(113);
    here.done("users.delete", &json!({ "user": { "name": "carl" } }));
    carl.hear_error_and_end(113);
    assert_eq!(there.act("tokens.issue", &json!({ "user": amy }))["errno"], 104);
}

#[test]
fn what_is_announced_at_one_is_heard_at_both_and_once() {
    let [(one, mut here), (other, there)] = two();
    let mut readers = Vec::new();
    for (chatd, name) in [(&one, "amy"), (&one, "ben"), (&other, "carl"), (&other, "dan")] {
        here.done("users.put", &json!({ "name": name }));
        readers.push(enter(chatd, &mut here, &json!({ "name": name })));
    }
    let said = json!({ "msg": "Down at ten", "cid": "a1" });
    let first = here.done("announce", &said);
    for reader in &mut readers {
        let heard = reader.hear("an announcement");
        assert_eq!(heard, json!({ "errmsg": "Down at ten", "errno": 0, "msgid": 21 }));
    }
    // The other server knows it by now: its readers have heard it. A connection that says nothing is not waited for.
    let mut there = Api::at(there.address);
    for api in [&mut here, &mut there] {
        assert_eq!(api.done("announce", &said)["ts"], first["ts"]);
    }
    there.done("announce", &json!({ "msg": "Back at eleven" }));
    for reader in &mut readers {
        assert_eq!(reader.hear("an announcement")["errmsg"], "Back at eleven");
    }
}

#[test]
fn a_token_that_is_asked_for_at_both_is_one() {
    let [(one, mut here), (_other, mut there)] = two();
    let asked = json!({ "user": { "name": "amy" }, "cid": "t1" });
    here.done("users.put", &json!({ "name": "amy" }));
    let first = here.done("tokens.issue", &asked);
    let (mut phone, answer) = resume(&one, &first["token"]);
    assert_eq!(answer["errno"], 0, "{answer}");
    let second = there.done("tokens.issue", &asked);
    phone.hear_error_and_end(113);
    assert_eq!(resume(&one, &first["token"]).1["errno"], 1);
    assert_eq!(resume(&one, &second["token"]).1["errno"], 0);
    let devices = here.done("sessions.list", &json!({ "user": { "name": "amy" } }))["devices"].clone();
    assert_eq!(devices.as_array().map(Vec::len), Some(1), "{devices}");
}
