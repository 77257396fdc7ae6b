//! The rules with a server that speaks v2, and with one that does not after all.

use super::*;
use crate::dialect::v2::V2;
use crate::request::{Named, Span};
use crate::roster::Spoken;

impl Trial {
    fn speaks_v2() -> Self {
        Self::speaking(Box::new(V2))
    }

    /// Somebody who is logged in.
    fn inside_v2() -> Self {
        let mut trial = Self::speaks_v2();
        trial.connected();
        trial.ask(login(1));
        trial.let_in_with("t0k");
        trial.clear();
        trial
    }

    fn let_in_with(&mut self, token: &str) {
        self.receive(json!({"msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": token}));
    }

    fn comes(&mut self, from: u64, cid: &str, mid: u64) {
        self.receive(json!({
            "cid": cid, "id": from, "mid": mid.to_string(), "msg": "hi", "msgid": 6, "name": "ben",
            "time": "t", "toid": 1, "ts": 1,
        }));
    }

    fn messages(&self) -> usize {
        self.told.iter().filter(|event| matches!(event, Event::Message(_))).count()
    }

    /// What was confirmed.
    fn confirmed(&self) -> Vec<Value> {
        let frames = self.written.iter().filter(|frame| frame["msgid"] == 24);
        frames.flat_map(|frame| frame["mids"].as_array().unwrap().clone()).collect()
    }
}

fn group(number: u64) -> GroupId {
    GroupId::new(number).unwrap()
}

#[test]
fn whoever_was_given_a_token_comes_back_with_it_and_says_again_what_was_not_acknowledged() {
    let mut trial = Trial::inside_v2();
    let (first, second) = (trial.say("first"), trial.say("second"));
    let cids: Vec<Value> = trial.written.iter().map(|frame| frame["cid"].clone()).collect();
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 6, "cid": cids[0], "mid": "77", "pos": 5, "ts": 9}));
    let Some(Ok(Answer::Safe(mark))) = trial.resolved(first) else { panic!("{:?}", trial.told) };
    assert_eq!(
        (mark.mid.map(|mid| mid.0), mark.pos, mark.cid.as_deref()),
        (Some(77), Some(5), cids[0].as_str())
    );
    trial.lose();
    trial.reconnect();
    assert_eq!(trial.written[2], json!({"msgid": 25, "token": "t0k", "v": 2}));
    trial.let_in_with("t0k");
    assert_eq!(trial.written[3..], trial.written[1..2], "word for word");
    assert_eq!(trial.resolved(second), None);
}

#[test]
fn a_token_that_is_good_no_more_is_forgotten_for_the_password() {
    let mut trial = Trial::inside_v2();
    trial.lose();
    trial.reconnect();
    trial.refuse_login(1);
    assert_eq!(trial.written[1], json!({"id": 1, "msgid": 1, "password": "pw", "v": 2}));
    trial.let_in_with("another");
    trial.lose();
    trial.reconnect();
    assert_eq!(trial.written[2]["token"], "another");
    // A server that is busy has said nothing about the token.
    trial.refuse_login(110);
    trial.wake();
    assert_eq!(trial.written[3]["token"], "another");
    trial.refuse_login(1);
    trial.refuse_login(1);
    assert!(matches!(trial.told.last(), Some(Event::SignedOut(refusal)) if refusal.errno == 1));
}

#[test]
fn a_changed_password_is_what_is_logged_in_with_from_then_on() {
    let mut trial = Trial::inside_v2();
    trial.ask(Request::ChangePassword { old: "pw".into(), new: "new".into() });
    let cid = trial.written[0]["cid"].clone();
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 31, "cid": cid, "token": "another"}));
    trial.lose();
    trial.reconnect();
    assert_eq!(trial.written[1]["token"], "another", "the old one was revoked");
    trial.refuse_login(1);
    assert_eq!(trial.written[2], json!({"id": 1, "msgid": 1, "password": "new", "v": 2}));
}

#[test]
fn nothing_is_told_twice_and_what_comes_again_is_confirmed_again() {
    let mut trial = Trial::inside_v2();
    trial.comes(2, "a", 10);
    trial.comes(3, "a", 11);
    trial.comes(2, "a", 10);
    assert_eq!(trial.messages(), 2);
    trial.lose();
    trial.reconnect();
    let waiting =
        json!({"cid": "a", "id": 2, "mid": "10", "msg": "hi", "msgid": 6, "name": "ben", "time": "t"});
    trial.receive(
        json!({"msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": "t", "offlinemsg": [waiting]}),
    );
    // A retry that was pushed before anybody knew that it is one.
    trial.comes(2, "a", 12);
    assert_eq!(trial.messages(), 2);
    trial.wake();
    assert_eq!(trial.confirmed(), ["10", "10", "12"]);
}

#[test]
fn what_has_arrived_is_confirmed_together_and_before_a_logout() {
    let mut trial = Trial::inside_v2();
    for mid in 1..4 {
        trial.feed(Input::Arrived(MessageId(mid)));
    }
    assert!(trial.written.is_empty());
    trial.wake();
    assert_eq!((trial.written.len(), trial.confirmed()), (1, vec![json!("1"), json!("2"), json!("3")]));
    trial.feed(Input::Arrived(MessageId(4)));
    trial.ask(Request::Logout);
    let kinds: Vec<u64> = trial.written[1..].iter().map(|frame| frame["msgid"].as_u64().unwrap()).collect();
    assert_eq!(kinds, [24, 3]);
}

#[test]
fn a_ping_is_answered_and_a_server_that_answers_none_is_left() {
    let mut trial = Trial::inside_v2();
    trial.receive(json!({"msgid": 22, "n": 41}));
    assert_eq!(trial.written, [json!({"msgid": 23, "n": 41})]);
    trial.wake();
    assert_eq!(trial.written[1], json!({"msgid": 22, "n": 1}));
    trial.receive(json!({"msgid": 23, "n": 1}));
    trial.wake();
    trial.wake();
    assert_eq!(trial.hung_up, 1);
    assert!(matches!(trial.told.last(), Some(Event::Lost { reason: Lost::Silent, retry_in: Some(_) })));
    trial.reconnect();
    assert_eq!(trial.written.last().unwrap()["token"], "t0k");
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_left_for_another() {
    let mut trial = Trial::inside_v2();
    trial.lose();
    trial.reconnect();
    let asked_at = trial.now;
    trial.wake();
    assert_eq!((trial.now - asked_at, trial.hung_up), (Duration::from_secs(10), 1));
    trial.reconnect();
    trial.refuse_login(1);
    let asked_at = trial.now;
    trial.wake();
    assert_eq!((trial.now - asked_at, trial.hung_up), (Duration::from_secs(30), 2), "hashing takes time");
    trial.reconnect();
    trial.let_in_with("t0k");
    assert!(matches!(trial.told.last(), Some(Event::LoggedIn { again: true, .. })));
    assert_eq!(trial.hung_up, 2);
}

#[test]
fn whoever_is_replaced_does_not_come_back_by_itself() {
    let mut trial = Trial::inside_v2();
    let request_id = trial.say("hello?");
    trial.receive(json!({"msgid": 21, "errno": 113, "errmsg": "replaced by a newer session"}));
    trial.lose();
    assert!(matches!(&trial.told[0], Event::SignedOut(words) if words.errno == 113), "{:?}", trial.told);
    assert_eq!(trial.resolved(request_id), Some(&Err(Failure::LoggedOut)));
    assert!(matches!(trial.told.last(), Some(Event::Lost { retry_in: None, .. })));
    assert_eq!(trial.session.wake_at(), None);
}

#[test]
fn somebody_else_who_came_meanwhile_is_no_ghost_and_not_waited_for_as_long() {
    let mut trial = Trial::inside_v2();
    trial.lose();
    trial.reconnect();
    let began = trial.now;
    while !trial.told.iter().any(|event| matches!(event, Event::SignedOut(refusal) if refusal.errno == 2)) {
        trial.refuse_login(2);
        if trial.session.wake_at().is_some() {
            trial.wake();
        }
    }
    let waited = trial.now - began;
    assert!(waited < Duration::from_secs(15), "{waited:?}");
}

#[test]
fn another_session_is_replaced_by_whoever_wants_that_and_by_nobody_who_returns() {
    let mut trial = Trial::speaks_v2();
    trial.connected();
    let user = Named::from("amy");
    trial.ask(Request::Login { user, password: "pw".into(), takeover: Takeover::Replace });
    let asked = json!({"msgid": 1, "name": "amy", "password": "pw", "takeover": true, "v": 2});
    assert_eq!(trial.written, [asked]);
    trial.let_in_with("t0k");
    trial.lose();
    trial.reconnect();
    trial.refuse_login(1);
    assert_eq!(trial.written[2], json!({"msgid": 1, "name": "amy", "password": "pw", "v": 2}));
}

#[test]
fn pages_answer_who_asked_for_them_and_are_of_that_conversation() {
    let mut trial = Trial::inside_v2();
    let page = |of| Request::History { of, span: Span::Latest, limit: 9 };
    let request_ids = [
        trial.ask(page(Conversation::With(user(2)))),
        trial.ask(Request::Find("ben".into())),
        trial.ask(Request::Members { group: group(3), after: None, limit: 9 }),
        trial.ask(Request::Block(user(2))),
    ];
    let cids: Vec<Value> = trial.written.iter().map(|frame| frame["cid"].clone()).collect();
    let own = json!({"cid": "x", "id": 1, "mid": "5", "msg": "m", "msgid": 6, "name": "amy", "pos": 3, "time": "t"});
    trial.receive(json!({"msgid": 27, "cid": cids[0], "messages": [own], "complete": true}));
    trial.receive(json!({"msgid": 30, "cid": cids[1], "id": 2, "name": "ben", "state": "online"}));
    trial.receive(json!({"msgid": 35, "cid": cids[2], "users": [], "complete": true}));
    trial.receive(json!({"msgid": 21, "errno": 105, "re": 32, "cid": cids[3]}));
    let Some(Ok(Answer::History { rows, complete: true, .. })) = trial.resolved(request_ids[0]) else {
        panic!()
    };
    assert_eq!(
        (rows[0].conversation(), rows[0].message().unwrap().from),
        (Conversation::With(user(2)), user(1))
    );
    assert!(matches!(trial.resolved(request_ids[1]), Some(Ok(Answer::Found(person))) if person.online));
    assert!(matches!(trial.resolved(request_ids[2]), Some(Ok(Answer::Members { complete: true, .. }))));
    assert!(matches!(trial.resolved(request_ids[3]), Some(Err(Failure::Refused(_)))));
}

#[test]
fn a_login_answer_in_pieces_is_one_login() {
    let mut trial = Trial::speaks_v2();
    trial.connected();
    trial.ask(login(1));
    let piece = |id: u64, complete: bool| {
        json!({
            "msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": "t", "complete": complete,
            "friends": [{"id": id, "name": "f", "state": "online"}],
        })
    };
    trial.clear();
    trial.receive(piece(2, false));
    assert!(trial.told.is_empty());
    trial.receive(piece(3, true));
    let Event::LoggedIn { welcome, .. } = &trial.told[0] else { panic!("{:?}", trial.told) };
    assert_eq!(welcome.friends.len(), 2);
}

#[test]
fn a_server_without_v2_is_spoken_to_in_the_seeds_dialect() {
    let mut trial = Trial::speaks_v2();
    trial.connected();
    let request_id = trial.ask(login(1));
    let friend = json!({"id": 2, "name": "ben", "state": "online"}).to_string();
    trial.receive(json!({"msgid": 2, "errno": 0, "id": 1, "name": "amy", "friends": [friend]}));
    assert_eq!(trial.resolved(request_id), Some(&Ok(Answer::LoggedIn(user(1)))));
    let Some(Event::LoggedIn { welcome, .. }) =
        trial.told.iter().find(|event| matches!(event, Event::LoggedIn { .. }))
    else {
        panic!("{:?}", trial.told)
    };
    assert_eq!((welcome.spoken, welcome.friends.len()), (Spoken::Seed, 1));
    trial.clear();
    let find = trial.ask(Request::Find("ben".into()));
    assert_eq!(trial.resolved(find), Some(&Err(Failure::NotSpoken)));
    trial.feed(Input::Arrived(MessageId(1)));
    assert!(trial.written.is_empty() && trial.session.wake_at().is_none(), "no CONFIRM and no PING");
    // It acknowledges nothing: what was said is sent, and may be lost.
    let (first, second) = (trial.say("one"), trial.say("two"));
    assert_eq!(trial.written.len(), 1, "one at a time");
    trial.wake();
    assert_eq!(trial.resolved(first), Some(&Ok(Answer::Sent)));
    trial.wake();
    assert_eq!((trial.resolved(second), trial.written.len()), (Some(&Ok(Answer::Sent)), 2));
    // To come back there is only the password.
    trial.lose();
    trial.reconnect();
    assert_eq!(trial.written[2]["password"], "pw");
}
