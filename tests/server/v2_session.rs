//! Sessions of v2: by token, by name, in the place of an older one.

use super::v2_hostile::{ask_login_v2, enter_v2};
use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, chat};
use serde_json::{Value, json};

fn ask_resume(chatd: &Chatd, user: &User, token: &str) -> Client {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({"msgid": 25, "token": token}));
    client
}

/// A session that is replaced is told so, after everything else, and closed.
fn hear_replaced(client: &mut Client) -> Vec<Value> {
    let mut frames = client.hear_until_end("ERROR 113 and the end");
    let last = frames.pop().expect("a reason");
    assert_eq!((&last["msgid"], &last["errno"]), (&json!(21), &json!(113)), "{last}");
    frames
}

#[test]
fn a_token_takes_the_place_of_its_own_live_session_and_what_was_not_confirmed_comes_again() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut writer = enter_v2(&chatd, &ben).0;
        let (mut session, token) = enter_v2(&chatd, &amy);
        // Enough of them that some meet the holder on another core.
        for round in 0..6 {
            writer.chat(&amy, &format!("unconfirmed {round}"));
            let pushed = session.hear_msg(&format!("unconfirmed {round}"));
            let mut next = ask_resume(&chatd, &amy, &token);
            let answer = next.hear_login();
            assert_eq!(answer["token"], json!(token), "{cores} cores, round {round}");
            hear_replaced(&mut session);
            let mut waiting = answer["offlinemsg"].as_array().expect("a list").clone();
            while waiting.is_empty() {
                waiting.push(next.hear("what was not confirmed"));
            }
            assert_eq!(waiting, [pushed], "{cores} cores, round {round}: the same, under the same ids");
            next.say(json!({"msgid": 24, "mids": [waiting[0]["mid"]], "cid": "c"}));
            next.hear_ack("c");
            session = next;
        }
        session.hear_nothing();
    }
}

#[test]
fn a_login_replaces_a_live_session_only_if_it_says_so() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let amy = chatd.register("amy");
        let mut holder = chatd.enter(&amy);
        for round in 0..6 {
            let mut refused = chatd.connect().with_newlines();
            ask_login_v2(&mut refused, &amy);
            assert_eq!(refused.hear("a refusal")["errno"], 2, "{cores} cores, round {round}");
            let mut next = chatd.connect().with_newlines();
            next.id = amy.id;
            next.say(json!({
                "msgid": 1, "name": "amy", "password": amy.password, "v": 2, "takeover": true, "cid": "l"
            }));
            assert_eq!(next.hear_login()["cid"], "l");
            assert_eq!(hear_replaced(&mut holder), Vec::<Value>::new());
            holder = next;
        }
        // The token of another session is no reason to give way.
        let (other, token) = {
            let mut other = chatd.connect().with_newlines();
            other.id = amy.id;
            other.say(json!({"msgid": 1, "id": amy.id, "password": amy.password, "v": 2, "takeover": true}));
            let token = other.hear_login()["token"].as_str().expect("a token").to_owned();
            hear_replaced(&mut holder);
            (other, token)
        };
        let mut last = chatd.connect().with_newlines();
        last.id = amy.id;
        last.say(json!({"msgid": 1, "id": amy.id, "password": amy.password, "v": 2, "takeover": true}));
        last.hear_login();
        drop(other);
        let mut refused = ask_resume(&chatd, &amy, &token);
        assert_eq!(refused.hear("a refusal")["errno"], 2, "{cores} cores");
        last.hear_nothing();
    }
}

#[test]
fn tokens_are_good_after_kill_9() {
    let chatd = Chatd::start(2);
    let amy = chatd.register("amy");
    let (_, token) = enter_v2(&chatd, &amy);
    let chatd = chatd.restart(libc::SIGKILL, 2);
    assert_eq!(ask_resume(&chatd, &amy, &token).hear_login()["name"], "amy");
}

#[test]
fn the_login_answer_has_everything_as_objects() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let (mut client, _) = enter_v2(&chatd, &amy);
        client.say(json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": "f"}));
        // Told of its state, before or after the ACK.
        let mut heard = [client.hear("PRESENCE or the ACK"), client.hear("the other")];
        heard.sort_by_key(|frame| frame["msgid"].as_u64());
        assert_eq!((&heard[0]["msgid"], &heard[0]["re"]), (&json!(20), &json!(7)));
        assert_eq!(heard[1], json!({"msgid": 28, "id": ben.id, "state": "offline"}));
        let group = client.create_group("g");
        let (mut other, _) = enter_v2(&chatd, &ben);
        other.join_group(group);
        assert_eq!(client.hear("PRESENCE"), json!({"msgid": 28, "id": ben.id, "state": "online"}));
        client.logout();
        client.hear_until_logged_out();
        other.chat(&amy, "welcome back");
        other.say(json!({"msgid": 29, "name": "amy"}));
        let found = other.hear("FIND_ACK");
        assert_eq!((&found["id"], &found["state"]), (&json!(amy.id), &json!("offline")), "{found}");
        ask_login_v2(&mut client, &amy);
        let answer = client.hear_login();
        assert_eq!(answer["friends"], json!([{"id": ben.id, "name": "ben", "state": "online"}]));
        assert_eq!(
            answer["groups"],
            json!([{"groupdesc": "of a test", "groupname": "g", "id": group, "members": 2}])
        );
        let mut waiting = answer["offlinemsg"].as_array().expect("a list").clone();
        if waiting.is_empty() {
            waiting.push(client.hear("what waited"));
        }
        assert_eq!(waiting[0]["msg"], "welcome back");
        client.say(json!({"msgid": 34, "groupid": group, "cid": "m"}));
        let members = client.hear("MEMBERS_ACK");
        assert_eq!(
            members["users"],
            json!([
                {"id": amy.id, "name": "amy", "role": "creator", "state": "online"},
                {"id": ben.id, "name": "ben", "role": "normal", "state": "online"}
            ])
        );
        client.say(json!({"msgid": 13, "id": amy.id}));
        let friends = client.hear("the friend list");
        assert_eq!(friends["friends"], answer["friends"], "{cores} cores");
    }
}

#[test]
fn who_closes_just_as_a_message_comes_is_gone_at_once() {
    for cores in [1, 4] {
        let mut chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut sender = enter_v2(&chatd, &amy).0;
        for round in 0..12 {
            // There is one login that works, and no other try.
            let mut reader = chatd.connect().with_newlines();
            ask_login_v2(&mut reader, &ben);
            let waiting = reader.hear_login()["offlinemsg"].as_array().expect("a list").clone();
            let mids: Vec<Value> = waiting.iter().map(|message| message["mid"].clone()).collect();
            reader.say(json!({"msgid": 24, "mids": mids, "cid": "had"}));
            while reader.hear("the ACK of the CONFIRM")["cid"] != json!("had") {}
            // The message and the end are there at once.
            chatd.freeze();
            let mut frame = chat(amy.id, ben.id, "just now");
            frame["cid"] = json!(format!("{round}"));
            sender.say(frame);
            if round % 3 == 2 {
                reader.say(json!({"msgid": 24, "mids": ["77"]}));
            }
            drop(reader);
            chatd.thaw();
            sender.hear_ack(&format!("{round}"));
        }
        chatd.end(libc::SIGTERM);
    }
}
