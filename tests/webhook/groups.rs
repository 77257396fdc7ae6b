//! Who of a group is told of.

use super::receiver::{Receiver, once};
use crate::common::chatd::{Chatd, Setup};
use crate::common::client::{Client, User};
use crate::common::cluster::Backends;
use serde_json::{Value, json};

/// A v2 session, which confirms nothing by itself, as the device of this name.
fn enter(chatd: &Chatd, user: &User, device: &str) -> Client {
    let mut client = chatd.connect().with_newlines();
    client.id = user.id;
    client.say(json!({ "msgid": 1, "id": user.id, "password": user.password, "v": 2, "device": device }));
    client.hear_login();
    client
}

fn confirm(client: &mut Client, message: &Value) {
    client.say(json!({ "msgid": 24, "mids": [message["mid"]], "cid": "confirmed" }));
    client.hear_ack("confirmed");
}

/// Of each event the place of its message, and whom it tells of.
pub fn told_of(told: &[Value], group: u64) -> Vec<(u64, Vec<u64>)> {
    let of_group =
        |event: &&&Value| event["type"] == "undelivered" && event["groupid"].as_u64() == Some(group);
    let users = |event: &Value| {
        let users = event["users"].as_array().expect("users");
        users.iter().map(|user| user["user"].as_u64().expect("a number")).collect()
    };
    let place = |event: &Value| event["pos"].as_u64().expect("a place");
    once(told).iter().filter(of_group).map(|event| (place(event), users(event))).collect()
}

/// One is there and confirms, one is there and nobody looks at it, one is away, and one comes later.
fn who_is_told_of(receiver: &Receiver, writer: &Chatd, reader: &Chatd) {
    let [amy, ben, cleo, dan] = ["amy", "ben", "cleo", "dan"].map(|name| writer.register(name));
    let mut session = enter(writer, &amy, "desk");
    let tea = session.create_group("tea");
    for user in [&ben, &cleo, &dan] {
        let mut joins = enter(writer, user, "phone");
        joins.join_group(tea);
        joins.logout();
        joins.hear_until_logged_out();
    }
    let (mut there, mut zombie) = (enter(reader, &ben, "desk"), enter(reader, &dan, "desk"));
    for (at, words) in ["who is there", "nobody?"].into_iter().enumerate() {
        session.group_chat_stored(tea, words, &format!("m{at}"));
        let pushed = there.hear_msg(words);
        confirm(&mut there, &pushed);
        zombie.hear_msg(words);
        let has = |told: &[Value]| told_of(told, tea).len() > at;
        let told = receiver.wait_until("members who have not confirmed", has);
        let (pos, users) = told_of(&told, tea)[at].clone();
        assert_eq!(users, [cleo.id, dan.id], "place {pos}, nobody else is told of");
        let events = once(&told);
        let event = events.iter().rfind(|event| event["type"] == "undelivered").expect("one was told");
        assert_eq!((&event["from"], &event["frame"]["msg"]), (&json!(amy.id), &json!(words)), "{event}");
        assert_eq!(event["mid"], pushed["mid"], "{event}");
        let [first, second] = [0, 1].map(|at| event["users"][at].clone());
        assert!(first["after"].as_u64().expect("a place") < pos, "{event}");
        let devices = second["devices"].as_array().expect("devices");
        assert!(devices.iter().any(|device| device["device"] == "desk"), "{event}");
    }
    let told = receiver.wait_until("nothing", |_| true);
    assert_eq!(told_of(&told, tea).len(), 2, "each message once");
}

#[test]
fn of_a_group_it_is_told_who_confirms_nothing() {
    let receiver = Receiver::start();
    let setup = Setup::new(2).argument("--push-after-ms=3000").argument("--webhook-events=undelivered");
    let chatd = receiver.told_by(setup).start();
    who_is_told_of(&receiver, &chatd, &chatd);
}

#[test]
fn of_a_group_on_two_servers_it_is_told_who_confirms_nothing() {
    let receiver = Receiver::start();
    let shared = Backends::of_all_tests().share();
    let setup = || shared.setup(1).argument("--push-after-ms=4000").argument("--webhook-events=undelivered");
    let servers = Setup::start_together((0..2).map(|_| receiver.told_by(setup())));
    who_is_told_of(&receiver, &servers[0], &servers[1]);
}

#[test]
fn a_time_too_short_for_who_is_there_is_warned_of() {
    let receiver = Receiver::start();
    let warns = |options: &[&str]| {
        let setup =
            options.iter().fold(receiver.told_by(Setup::new(1)), |setup, option| setup.argument(option));
        setup.start().printed().contains("members of groups who are there may be told of")
    };
    assert!(warns(&["--push-after-ms=2999"]));
    assert!(!warns(&["--push-after-ms=3000"]));
    assert!(!warns(&["--push-after-ms=2999", "--webhook-events=message,read"]));
}
