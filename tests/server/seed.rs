//! The seed dialect: the captured conversation, whole, however it is cut into writes.

use crate::common::chatd::Chatd;
use crate::common::client::{Client, User, chat};
use serde_json::json;
use std::collections::HashMap;

const CONVERSATION: &str = include_str!("../golden/seed.txt");

/// How a client cuts what it says into writes.
#[derive(Clone, Copy)]
enum Cut {
    Frames,
    Bytes,
}

/// Plays the conversation; every byte that comes back must be the one in the file, ended by the
/// byte that ends this client's own frames.
fn play(cores: usize, end: &'static [u8], cut: Cut, edit: impl Fn(&str) -> String) {
    let chatd = Chatd::start(cores);
    let mut clients: HashMap<&str, Client> = HashMap::new();
    let ids = HashMap::from([("amy", 1), ("ben", 2)]);
    let mut connect = || {
        let mut client = chatd.connect();
        client.end = end;
        client
    };
    for (number, line) in (1..).zip(CONVERSATION.lines()) {
        let at = format!("line {number} on {cores} cores: {line}");
        if let Some((who, frame)) = line.split_once("> ").filter(|(who, _)| who.len() == 3) {
            let client = clients.entry(who).or_insert_with(&mut connect);
            let bytes = [edit(frame).as_bytes(), end].concat();
            match cut {
                Cut::Frames => client.write(&bytes),
                Cut::Bytes => bytes.iter().for_each(|byte| client.write(&[*byte])),
            }
        } else if let Some((who, frame)) = line.split_once("< ") {
            let client = clients.get_mut(who).expect("who hears has spoken");
            let expected = [frame.as_bytes(), &end[end.len() - 1..]].concat();
            let heard = client.hear_raw(expected.len());
            let texts = (String::from_utf8_lossy(&heard), String::from_utf8_lossy(&expected));
            assert_eq!(texts.0, texts.1, "{at}");
        } else if let Some(who) = line.strip_prefix("offline ") {
            let (id, name) = (ids[who], who.to_owned());
            chatd.until_offline(&User { id, name, password: String::new() });
        } else if let Some(who) = line.strip_suffix(" end") {
            let mut client = clients.remove(who).expect("who ends has spoken");
            client.half_close();
            client.hear_end();
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{at}");
        }
    }
}

fn as_it_is(frame: &str) -> String {
    frame.to_owned()
}

#[test]
fn the_captured_conversation_on_one_core() {
    play(1, b"\0", Cut::Frames, as_it_is);
}

#[test]
fn the_captured_conversation_on_two_cores() {
    play(2, b"\0", Cut::Frames, as_it_is);
}

#[test]
fn the_captured_conversation_on_eight_cores() {
    play(8, b"\0", Cut::Frames, as_it_is);
}

#[test]
fn with_newlines() {
    play(1, b"\n", Cut::Frames, as_it_is);
}

#[test]
fn with_carriage_returns_and_newlines() {
    play(2, b"\r\n", Cut::Frames, as_it_is);
}

#[test]
fn byte_by_byte() {
    play(1, b"\0", Cut::Bytes, as_it_is);
    play(2, b"\r\n", Cut::Bytes, as_it_is);
}

/// The original's description says `to`, its program `toid`; whoever sends `to` is answered alike.
#[test]
fn with_the_other_spelling() {
    play(1, b"\0", Cut::Frames, |frame| frame.replace("\"toid\"", "\"to\""));
}

#[test]
fn keys_in_any_order_and_blanks_between_them() {
    play(1, b"\0", Cut::Frames, |frame| {
        let value: serde_json::Map<String, serde_json::Value> = serde_json::from_str(frame).unwrap();
        let mut fields: Vec<String> =
            value.iter().map(|(key, value)| format!("\t{} : {value} ", json!(key))).collect();
        fields.reverse();
        format!(" {{{}}}\r ", fields.join(","))
    });
}

#[test]
fn unknown_fields_are_ignored_and_not_forwarded() {
    play(1, b"\0", Cut::Frames, |frame| {
        let extra = r#","x":null,"admin":true,"deep":{"a":[1,{"b":[]}]},"from":7,"errno":5}"#;
        format!("{}{extra}", &frame[..frame.len() - 1])
    });
}

#[test]
fn everything_in_one_write() {
    for cores in [1, 2, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut reader = chatd.enter(&ben);
        let mut client = chatd.connect();
        client.id = amy.id;
        // Registration, login, and what builds on the login: each waits for the one before.
        let mut script = vec![
            json!({"msgid": 4, "name": "carl", "password": "x"}),
            json!({"msgid": 1, "id": amy.id, "password": amy.password}),
            json!({"msgid": 8, "id": amy.id, "groupname": "g", "groupdesc": "", "cid": "c"}),
            json!({"msgid": 7, "id": amy.id, "friendid": ben.id, "cid": "f"}),
        ];
        script.extend((0..500).map(|number| chat(amy.id, ben.id, &format!("message {number}"))));
        script.push(json!({"msgid": 3, "id": amy.id}));
        script.push(json!({"msgid": 1, "id": amy.id, "password": amy.password}));
        let bytes: Vec<u8> =
            script.iter().flat_map(|frame| [frame.to_string().into_bytes(), vec![0]].concat()).collect();
        client.write(&bytes);
        assert_eq!(client.hear("the registration")["id"], 3);
        client.hear_login();
        client.hear_ack("c");
        client.hear_ack("f");
        let answer = client.hear_login();
        assert_eq!(answer["groups"].as_array().map(Vec::len), Some(1), "{answer}");
        for number in 0..500 {
            reader.hear_msg(&format!("message {number}"));
        }
        reader.hear_nothing();
    }
}

/// `printf … | nc`: the client says all it has to say, closes its side, and waits for the answers.
#[test]
fn a_half_closed_client_gets_all_its_answers_and_then_the_end() {
    for cores in [1, 8] {
        let chatd = Chatd::start(cores);
        let (amy, ben) = (chatd.register("amy"), chatd.register("ben"));
        let mut client = chatd.connect().with_newlines();
        client.id = amy.id;
        client.say(json!({"msgid": 4, "name": "carl", "password": "x"}));
        client.say(json!({"msgid": 1, "id": amy.id, "password": amy.password}));
        // More than a session may have under way unsettled, to somebody who is away.
        for number in 0..700 {
            client.say(chat(amy.id, ben.id, &format!("message {number}")));
        }
        client.say(json!({"msgid": 13, "id": amy.id}));
        client.half_close();
        assert_eq!(client.hear("the registration")["msgid"], 5);
        client.hear_login();
        assert_eq!(client.hear("the friend list")["msgid"], 13);
        client.hear_end();
        // The end came when all was stored.
        let mut reader = chatd.connect().with_newlines();
        let messages = reader.login_with_backlog(&ben, 700);
        for (number, message) in messages.iter().enumerate() {
            assert_eq!(message["msg"], format!("message {number}"));
        }
        reader.hear_nothing();
    }
}

#[test]
fn a_connection_that_says_nothing_and_closes_is_closed() {
    let chatd = Chatd::start(2);
    for _ in 0..50 {
        let mut client = chatd.connect();
        client.half_close();
        client.hear_end();
    }
    let mut client = chatd.connect();
    client.write(b"\0\0\n\r\n\0");
    client.half_close();
    client.hear_end();
}

#[test]
fn the_servers_frames_end_as_the_clients_first_frame_did() {
    let chatd = Chatd::start(1);
    for (first, second, end) in [("\0", "\n", b'\0'), ("\n", "\0", b'\n'), ("\r\n", "\0", b'\n')] {
        let mut client = chatd.connect();
        let frame = r#"{"msgid":99}"#;
        client.write(format!("{frame}{first}{frame}{second}").as_bytes());
        client.half_close();
        let heard = client.hear_raw(usize::MAX);
        assert_eq!(heard.iter().filter(|&&byte| byte == end).count(), 2, "{heard:?}");
        assert_eq!(heard.last(), Some(&end));
    }
}
