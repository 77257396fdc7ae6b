//! Users that an application has, and the tokens with which their devices come in.

use crate::common::api::start;
use crate::common::client::Client;
use serde_json::{Value, json};

/// RESUME with a token, and what is answered.
fn resume(client: &mut Client, token: &Value) -> Value {
    client.say(json!({ "msgid": 25, "token": token, "multi": true }));
    client.hear("an answer to RESUME")
}

#[test]
fn a_user_is_made_once_and_comes_in_with_a_token() {
    let (chatd, mut api) = start(2);
    let amy = api.done("users.put", &json!({ "external": "u-1", "name": "Amy", "cid": "p1" }));
    assert_eq!(
        (&amy["name"], &amy["external"], &amy["disabled"]),
        (&json!("Amy"), &json!("u-1"), &json!(false))
    );
    // However it is called later: a name is the user's.
    let again = api.done("users.put", &json!({ "external": "u-1", "name": "Amelia", "cid": "p1" }));
    assert_eq!((&again["id"], &again["name"]), (&amy["id"], &json!("Amy")));
    let other = api.done("users.put", &json!({ "external": "u-2", "name": "amy" }));
    assert_eq!(other["name"], "amy-2", "the name is somebody's");
    let named = api.done("users.put", &json!({ "name": "carl" }));
    assert_eq!(api.done("users.put", &json!({ "name": "CARL" }))["id"], named["id"]);
    let issued = api.done("tokens.issue", &json!({ "user": { "external": "u-1" }, "device": "phone" }));
    let mut phone = chatd.connect().with_newlines();
    let welcome = resume(&mut phone, &issued["token"]);
    assert_eq!((&welcome["errno"], &welcome["id"]), (&json!(0), &amy["id"]), "{welcome}");
    assert_eq!(api.act("tokens.issue", &json!({ "user": { "external": "u-9" } }))["errno"], 105);
    // No password lets such a user in.
    let mut guess = chatd.connect().with_newlines();
    guess.say(json!({ "msgid": 1, "name": "carl", "password": "", "v": 2 }));
    assert_eq!(guess.hear("a refusal")["errno"], 1);
}

#[test]
fn who_is_shut_out_or_whose_tokens_are_worthless_is_out_at_once() {
    let (chatd, mut api) = start(2);
    let user = json!({ "external": "u-1" });
    api.done("users.put", &user);
    let issue = |api: &mut crate::common::api::Api| {
        api.done("tokens.issue", &json!({ "user": user }))["token"].clone()
    };
    let (first, second) = (issue(&mut api), issue(&mut api));
    let mut phones = [chatd.connect().with_newlines(), chatd.connect().with_newlines()];
    for (phone, token) in phones.iter_mut().zip([&first, &second]) {
        assert_eq!(resume(phone, token)["errno"], 0);
    }
    api.done("tokens.revoke", &json!({ "user": user }));
    phones.iter_mut().for_each(|phone| phone.hear_error_and_end(113));
    let mut back = chatd.connect().with_newlines();
    assert_eq!(resume(&mut back, &first)["errno"], 1);
    let third = issue(&mut api);
    assert_eq!(resume(&mut back, &third)["errno"], 0);
    api.done("users.put", &json!({ "external": "u-1", "disabled": true }));
    back.hear_error_and_end(113);
    assert_eq!(api.act("tokens.issue", &json!({ "user": user }))["errno"], 104);
    assert_eq!(resume(&mut chatd.connect().with_newlines(), &third)["errno"], 1);
    api.done("users.put", &json!({ "external": "u-1", "disabled": false }));
    let fourth = issue(&mut api);
    assert_eq!(resume(&mut chatd.connect().with_newlines(), &fourth)["errno"], 0);
}

#[test]
fn who_is_shut_out_or_erased_is_out_at_once_in_the_dialect_of_the_original_too() {
    let (chatd, mut api) = start(2);
    for (name, act, fields) in [
        ("amy", "users.put", json!({ "name": "amy", "disabled": true })),
        ("ben", "users.delete", json!({ "user": { "name": "ben" } })),
        ("carl", "sessions.kick", json!({ "user": { "name": "carl" } })),
    ] {
        // On whichever core each is, and on both in the end.
        let mut sessions: Vec<_> =
            (0..4).map(|number| (chatd.connect(), format!("{name}{number}"))).collect();
        for (session, name) in &mut sessions {
            let user = session.register(name);
            session.login(&user);
        }
        for (mut session, own) in sessions {
            api.done(act, &serde_json::from_str(&fields.to_string().replace(name, &own)).expect("fields"));
            session.hear_error_and_end(113);
        }
    }
}

#[test]
fn a_token_that_is_asked_for_again_is_one_token() {
    let (chatd, mut api) = start(2);
    let user = json!({ "external": "u-1" });
    api.done("users.put", &user);
    let asked = json!({ "user": user, "device": "phone", "cid": "t1" });
    let first = api.done("tokens.issue", &asked);
    let mut phone = chatd.connect().with_newlines();
    assert_eq!(resume(&mut phone, &first["token"])["errno"], 0);
    let second = api.done("tokens.issue", &asked);
    phone.hear_error_and_end(113);
    assert_eq!(resume(&mut chatd.connect().with_newlines(), &first["token"])["errno"], 1, "it was replaced");
    let mut back = chatd.connect().with_newlines();
    assert_eq!(resume(&mut back, &second["token"])["errno"], 0);
    let devices = api.done("sessions.list", &json!({ "user": user }))["devices"].clone();
    assert_eq!(devices.as_array().map(Vec::len), Some(1), "{devices}");
    assert_eq!(devices[0]["id"], second["deviceid"]);
}
