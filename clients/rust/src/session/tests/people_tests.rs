//! The rules of groups that are run, of friendships and of settings.

use super::*;
use crate::device::Device;
use crate::dialect::v2::V2;
use crate::friend::{Settings, WhoWrites};
use crate::group::{GroupChange, Muted, Until};
use crate::roster::Role;

fn group() -> GroupId {
    GroupId::new(3).unwrap()
}

fn event(pos: u64, by: u64) -> Value {
    json!({
        "cid": format!("k{pos}"), "mid": pos.to_string(), "pos": pos, "ts": 1, "by": by, "groupid": 3, "msgid": 51,
        "name": "ben", "what": "joined",
    })
}

/// A device of user 1, in a group that it was told up to place 3.
fn member() -> Trial {
    let mut trial = Trial::speaking(Box::new(V2));
    trial.session = trial.session.on(Device::beside_others("desk"));
    trial.connected();
    trial.ask(login(1));
    stands(&mut trial, 3, vec![]);
    trial.clear();
    trial
}

fn stands(trial: &mut Trial, head: u64, waiting: Vec<Value>) {
    let head =
        json!({"groupid": 3, "name": "tea", "head": head, "mid": "2", "ts": 1, "read": 0, "unread": 0});
    trial.receive(json!({
        "msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": "t0k", "complete": true, "offlinemsg": waiting,
        "heads": [head], "heads_complete": true, "asking": [{"id": 7, "name": "cat", "note": "hi"}],
    }));
}

fn told_places(trial: &Trial) -> Vec<u64> {
    let places = trial.told.iter().filter_map(|event| match event {
        Event::Group(event) => event.mark.pos,
        Event::Message(message) => message.mark.mid.map(|mid| mid.0),
        _ => None,
    });
    places.collect()
}

fn up_to(trial: &Trial) -> Option<u64> {
    trial.told.iter().rev().find_map(|event| match event {
        Event::UpTo { pos, .. } => Some(*pos),
        _ => None,
    })
}

#[test]
fn events_of_a_group_have_their_places_and_are_told_once() {
    let mut trial = member();
    trial.receive(event(4, 2));
    trial.receive(event(4, 2));
    assert_eq!((told_places(&trial), up_to(&trial)), (vec![4], Some(4)));
    // 5 is missing.
    trial.receive(event(6, 2));
    let sync = trial.written.last().unwrap().clone();
    assert_eq!(sync["since"], json!([{"after": 4, "chg": 0, "groupid": 3}]));
    let fifth = json!({"cid": "c", "id": 2, "mid": "5", "msg": "m", "msgid": 10, "name": "ben", "pos": 5, "time": "t", "groupid": 3, "ts": 1});
    let page = json!({"groupid": 3, "head": 6, "messages": [fifth, event(6, 2)], "changes": [], "chg": 0, "complete": true});
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": sync["cid"], "convs": [page], "complete": true}));
    assert_eq!((told_places(&trial), up_to(&trial)), (vec![4, 6, 5], Some(6)));
}

/// Events wait for whoever is away, as messages do, and are confirmed as they are.
#[test]
fn events_that_waited_are_told_and_those_that_were_told_are_confirmed() {
    let mut trial = member();
    trial.receive(event(4, 2));
    trial.lose();
    trial.reconnect();
    trial.clear();
    stands(&mut trial, 5, vec![event(4, 2), event(5, 2)]);
    let sync = trial.written.last().unwrap().clone();
    let page = json!({"groupid": 3, "head": 5, "messages": [event(5, 2)], "complete": true});
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": sync["cid"], "convs": [page], "complete": true}));
    assert_eq!(told_places(&trial), [5]);
    trial.wake();
    let confirmed: Vec<&Value> = trial
        .written
        .iter()
        .filter(|frame| frame["msgid"] == 24)
        .flat_map(|frame| frame["mids"].as_array().unwrap())
        .collect();
    assert!(confirmed.contains(&&json!("4")), "{confirmed:?}");
}

#[test]
fn what_one_does_to_a_group_is_answered_with_its_place_and_not_told() {
    let mut trial = member();
    let group = group();
    let asked = [
        trial.ask(Request::SetRole { group, user: user(2), role: Role::Admin }),
        trial.ask(Request::Kick { group, user: user(2), ban: Until::Ever }),
        trial.ask(Request::Mute { group, whom: Muted::All, until: Until::Lifted }),
        trial.ask(Request::SetGroup { group, name: Some("x".into()), desc: None, join: None }),
        trial.ask(Request::AnswerJoin { group, user: user(2), yes: true }),
    ];
    let first = trial.written.clone();
    trial.lose();
    trial.reconnect();
    trial.clear();
    stands(&mut trial, 3, vec![]);
    assert_eq!(trial.written, first, "each is said again as it was");
    for (at, frame) in first.iter().enumerate() {
        let (cid, pos) = (&frame["cid"], 4 + at as u64);
        trial.receive(json!({"msgid": 20, "errno": 0, "re": frame["msgid"], "cid": cid, "groupid": 3, "mid": "9", "pos": pos, "ts": 1}));
        let Some(Ok(Answer::Ruled(mark))) = trial.resolved(asked[at]) else { panic!("{:?}", trial.told) };
        assert_eq!(mark.pos, Some(pos));
    }
    assert_eq!(up_to(&trial), Some(8));
    // Its row, in a page, is known by its cid.
    let own = |pos: u64, cid: &Value| {
        let mut own = event(pos, 1);
        own["cid"] = cid.clone();
        own
    };
    trial.receive(event(10, 2));
    let sync = trial.written.last().unwrap().clone();
    let page = json!({"groupid": 3, "head": 10, "messages": [own(9, &first[0]["cid"]), event(10, 2)], "complete": true});
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": sync["cid"], "convs": [page], "complete": true}));
    assert_eq!((told_places(&trial), up_to(&trial)), (vec![10], Some(10)));
}

#[test]
fn friendships_and_settings_are_told_and_answered() {
    let mut trial = Trial::speaking(Box::new(V2));
    trial.session = trial.session.on(Device::beside_others("desk"));
    trial.connected();
    trial.ask(login(1));
    stands(&mut trial, 3, vec![]);
    let Some(Event::LoggedIn { welcome, .. }) =
        trial.told.iter().find(|event| matches!(event, Event::LoggedIn { .. }))
    else {
        panic!()
    };
    assert_eq!((welcome.asking.len(), welcome.asking[0].note.as_str()), (1, "hi"));
    let friends = Settings { who_writes: Some(WhoWrites::Friends), read_receipts: None };
    trial.clear();
    let asked = [
        trial.ask(Request::AskFriend { user: user(2), note: String::new() }),
        trial.ask(Request::AnswerFriend { user: user(7), yes: true }),
        trial.ask(Request::Settings(friends)),
        trial.ask(Request::Joins(group())),
    ];
    let cids: Vec<Value> = trial.written.iter().map(|frame| frame["cid"].clone()).collect();
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 52, "cid": cids[0]}));
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 53, "cid": cids[1]}));
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 60, "cid": cids[2], "who_writes": "friends", "read_receipts": true}));
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 56, "cid": cids[3], "groupid": 3, "users": [{"id": 8, "name": "dan", "ts": 1}]}));
    assert_eq!(trial.resolved(asked[0]), Some(&Ok(Answer::Done)));
    assert_eq!(trial.resolved(asked[1]), Some(&Ok(Answer::Done)));
    let settled = Settings { read_receipts: Some(true), ..friends };
    assert_eq!(trial.resolved(asked[2]), Some(&Ok(Answer::Settings(settled))));
    assert!(matches!(trial.resolved(asked[3]), Some(Ok(Answer::Joins(users))) if users[0].id == user(8)));
    trial.clear();
    trial.receive(json!({"msgid": 54, "id": 2, "name": "ben", "what": "accepted"}));
    trial.receive(json!({"msgid": 60, "who_writes": "none", "read_receipts": true}));
    trial.receive(json!({"msgid": 51, "by": 2, "groupid": 3, "name": "ben", "what": "asks"}));
    let [Event::Friend(_), Event::Settings(_), Event::Group(asks)] = &trial.told[..] else {
        panic!("{:?}", trial.told)
    };
    assert_eq!((&asks.what, asks.mark.pos), (&GroupChange::Asks, None));
}
