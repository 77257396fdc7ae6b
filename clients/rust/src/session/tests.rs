//! The rules, without a socket and without a clock.

mod changes_tests;
mod devices_tests;
mod people_tests;
mod v2_tests;

use super::receive::BUSY_TRIES;
use super::*;
use crate::dialect::seed::Seed;
use crate::message::{Conversation, Extras};
use crate::request::Takeover;
use chatd_chat::model::ids::{GroupId, UserId};
use serde_json::{Value, json};
use std::time::Duration;

struct Trial {
    session: Session,
    now: Instant,
    told: Vec<Event>,
    written: Vec<Value>,
    connecting: usize,
    hung_up: usize,
    request_ids: u64,
}

impl Trial {
    fn new() -> Self {
        Self::speaking(Box::new(Seed))
    }

    fn speaking(dialect: Box<dyn Dialect>) -> Self {
        let now = Instant::now();
        let session = Session::new(dialect, vec!["server:1".parse().unwrap()], 100, now);
        let (told, written) = (Vec::new(), Vec::new());
        let mut trial = Self { session, now, told, written, connecting: 0, hung_up: 0, request_ids: 0 };
        trial.feed(Input::Tick);
        trial
    }

    /// Somebody who is logged in, with a server that acknowledges.
    fn inside() -> Self {
        let mut trial = Self::new();
        trial.connected();
        trial.ask(login(1));
        trial.let_in();
        trial.session.outbox.acknowledged();
        trial.clear();
        trial
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Connect(_) => self.connecting += 1,
                Output::Tell(event) => self.told.push(event),
                Output::HangUp => self.hung_up += 1,
                Output::Write(bytes) => {
                    let frames = bytes.split(|&byte| byte == b'\n').filter(|frame| !frame.is_empty());
                    self.written.extend(frames.map(|frame| serde_json::from_slice::<Value>(frame).unwrap()));
                }
            }
        }
    }

    fn clear(&mut self) {
        self.told.clear();
        self.written.clear();
    }

    fn ask(&mut self, request: Request) -> RequestId {
        self.request_ids += 1;
        self.feed(Input::Ask(RequestId(self.request_ids), request));
        RequestId(self.request_ids)
    }

    fn say(&mut self, text: &str) -> RequestId {
        let (text, time) = (text.to_owned(), "2026-01-01 00:00:00".to_owned());
        self.ask(Request::Say { to: Conversation::With(user(2)), text, time, extras: Extras::default() })
    }

    fn receive(&mut self, frame: Value) {
        self.feed(Input::Frame(frame.to_string().as_bytes()));
    }

    fn connected(&mut self) {
        self.feed(Input::Connected("server:1".parse().unwrap()));
    }

    fn let_in(&mut self) {
        self.receive(json!({"msgid": 2, "errno": 0, "id": 1, "name": "amy"}));
    }

    fn refuse_login(&mut self, errno: u16) {
        self.receive(json!({"msgid": 2, "errno": errno, "errmsg": "no"}));
    }

    fn lose(&mut self) {
        self.feed(Input::Lost(Lost::Closed));
    }

    /// Lets time pass until something is due.
    fn wake(&mut self) {
        self.now = self.now.max(self.session.wake_at().expect("something is due"));
        self.feed(Input::Tick);
    }

    fn reconnect(&mut self) {
        self.wake();
        self.connected();
    }

    fn resolved(&self, wanted: RequestId) -> Option<&Result<Answer, Failure>> {
        self.told.iter().find_map(|event| match event {
            Event::Answered { request_id, result } if *request_id == wanted => Some(result),
            _ => None,
        })
    }
}

fn user(number: u64) -> UserId {
    UserId::new(number).unwrap()
}

fn login(number: u64) -> Request {
    Request::Login { user: user(number).into(), password: "pw".into(), takeover: Takeover::Refuse }
}

#[test]
fn nobody_needs_no_connection_and_gets_one_when_somebody_comes() {
    let mut trial = Trial::new();
    assert_eq!(trial.connecting, 1, "the first is there to show that it can be had");
    trial.connected();
    trial.lose();
    assert!(matches!(&trial.told[1], Event::Lost { retry_in: None, .. }));
    assert_eq!(trial.session.wake_at(), None);
    trial.ask(Request::Register { name: "amy".into(), password: "pw".into(), invitation: None });
    trial.reconnect();
    assert_eq!((trial.connecting, trial.written[0]["msgid"].as_u64()), (2, Some(4)));
}

#[test]
fn an_outage_is_two_lines_however_long_it_is() {
    let mut trial = Trial::inside();
    trial.lose();
    for _ in 0..50 {
        trial.wake();
        trial.feed(Input::Unreachable("server:1".parse().unwrap(), "refused".into()));
    }
    assert!(matches!(&trial.told[..], [Event::Lost { .. }]), "{:?}", trial.told);
    trial.reconnect();
    trial.let_in();
    let [_, Event::Connected { again: true, .. }, Event::LoggedIn { again: true, .. }] = &trial.told[..]
    else {
        panic!("{:?}", trial.told)
    };
}

#[test]
fn a_ghost_of_the_old_session_is_waited_for_but_not_for_ever() {
    let mut trial = Trial::inside();
    let request_id = trial.say("hello");
    trial.lose();
    trial.reconnect();
    let began = trial.now;
    loop {
        trial.refuse_login(2);
        if trial.told.iter().any(|event| matches!(event, Event::SignedOut(_))) {
            break;
        }
        trial.wake();
    }
    let waited = trial.now - began;
    assert!(waited > Duration::from_secs(40) && waited < Duration::from_secs(50), "{waited:?}");
    let delays = trial.told.iter().filter(|event| matches!(event, Event::LoginDelayed(_))).count();
    assert_eq!(delays, 1);
    assert_eq!(trial.resolved(request_id), Some(&Err(Failure::LoggedOut)));
}

#[test]
fn an_account_in_use_is_refused_at_once_unless_a_connection_was_just_lost() {
    let mut trial = Trial::new();
    trial.connected();
    let request_id = trial.ask(login(1));
    trial.refuse_login(2);
    assert!(matches!(trial.resolved(request_id), Some(Err(Failure::Refused(_)))));

    trial.lose();
    trial.clear();
    let request_id = trial.ask(login(1));
    trial.reconnect();
    trial.refuse_login(2);
    assert_eq!(trial.resolved(request_id), None);
    trial.wake();
    trial.let_in();
    assert_eq!(trial.resolved(request_id), Some(&Ok(Answer::LoggedIn(user(1)))));
}

#[test]
fn a_group_that_was_made_before_the_answer_was_lost_is_not_made_twice() {
    let mut trial = Trial::inside();
    let made = trial.ask(Request::CreateGroup { name: "tea".into(), desc: String::new() });
    let not_made = trial.ask(Request::CreateGroup { name: "beer".into(), desc: String::new() });
    trial.lose();
    trial.reconnect();
    trial.clear();
    let creator = json!({"id": 1, "name": "amy", "role": "creator", "state": "online"}).to_string();
    let group = json!({"id": 7, "groupname": "tea", "groupdesc": "", "users": [creator]}).to_string();
    trial.receive(json!({"msgid": 2, "errno": 0, "id": 1, "name": "amy", "groups": [group]}));
    assert_eq!(trial.resolved(made), Some(&Ok(Answer::Group(GroupId::new(7).unwrap()))));
    assert_eq!(trial.resolved(not_made), None);
    assert_eq!(trial.written.len(), 1);
    assert_eq!(trial.written[0]["groupname"], "beer");
}

#[test]
fn what_was_done_before_the_answer_was_lost_counts_as_done() {
    let mut trial = Trial::inside();
    let request_id = trial.ask(Request::DelGroup(GroupId::new(7).unwrap()));
    let again = |trial: &Trial| trial.written.last().unwrap()["cid"].clone();
    trial.lose();
    trial.reconnect();
    trial.let_in();
    let frame = json!({"msgid": 21, "errno": 106, "re": 11, "cid": again(&trial)});
    trial.receive(frame);
    assert_eq!(trial.resolved(request_id), Some(&Ok(Answer::Done)));
    let request_id = trial.ask(Request::DelGroup(GroupId::new(7).unwrap()));
    let frame = json!({"msgid": 21, "errno": 106, "re": 11, "cid": again(&trial)});
    trial.receive(frame);
    assert!(matches!(trial.resolved(request_id), Some(Err(_))), "the first time it is a mistake");
}

#[test]
fn the_end_of_the_connection_is_a_logout_too() {
    let mut trial = Trial::inside();
    let request_id = trial.ask(Request::Logout);
    trial.lose();
    assert_eq!(trial.resolved(request_id), Some(&Ok(Answer::Done)));
    assert_eq!(trial.session.wake_at(), None, "nobody is to be logged in again");
}

#[test]
fn a_server_that_stays_busy_is_believed_in_the_end() {
    let mut trial = Trial::inside();
    let request_id = trial.say("hello");
    let mut tries = 0;
    while trial.resolved(request_id).is_none() {
        tries += 1;
        let cid = trial.written.last().unwrap()["cid"].clone();
        trial.receive(json!({"msgid": 21, "errno": 110, "re": 6, "cid": cid, "retry_after_ms": 1_000}));
        if trial.resolved(request_id).is_none() {
            trial.wake();
        }
    }
    assert_eq!(tries, BUSY_TRIES);
    assert!(trial.written.iter().all(|frame| frame == &trial.written[0]));
}

#[test]
fn what_the_server_says_before_it_hangs_up_is_the_reason() {
    let mut trial = Trial::inside();
    trial.receive(json!({"msgid": 21, "errno": 115, "errmsg": "reading too slowly"}));
    assert!(trial.told.is_empty());
    trial.lose();
    let Event::Lost { reason: Lost::Said(words), .. } = &trial.told[0] else { panic!("{:?}", trial.told) };
    assert_eq!(words.errno, 115);
    trial.reconnect();
    trial.let_in();
    trial.clear();
    trial.receive(json!({"msgid": 21, "errno": 102, "errmsg": "what?"}));
    assert!(matches!(&trial.told[..], [Event::Notice(_)]));
    trial.clear();
    trial.receive(json!({"msgid": 21, "errno": 0, "errmsg": "Down at ten"}));
    assert_eq!(trial.told, [Event::Announcement("Down at ten".into())]);
}

#[test]
fn a_registration_that_may_have_happened_says_so() {
    let mut trial = Trial::new();
    trial.connected();
    let request_id =
        trial.ask(Request::Register { name: "amy".into(), password: "pw".into(), invitation: None });
    trial.lose();
    trial.reconnect();
    trial.receive(json!({"msgid": 5, "errno": 1}));
    let Some(Err(Failure::Refused(refusal))) = trial.resolved(request_id) else { panic!("not refused") };
    assert!(refusal.text.contains("perhaps by this registration"), "{refusal}");
}

#[test]
fn two_logins_at_once_are_one_too_many() {
    let mut trial = Trial::inside();
    let second = trial.ask(login(2));
    assert_eq!(trial.resolved(second), Some(&Err(Failure::Busy)));
    let mut trial = Trial::new();
    let nobody = trial.say("hello?");
    assert_eq!(trial.resolved(nobody), Some(&Err(Failure::LoggedOut)));
}

#[test]
fn what_is_too_large_is_not_sent_again_and_again() {
    let mut trial = Trial::inside();
    // Sixteen thousand characters that take six bytes each.
    let request_id = trial.say(&"\u{1}".repeat(16 << 10));
    assert_eq!(trial.resolved(request_id), Some(&Err(Failure::TooLarge)));
    assert!(trial.written.is_empty());
    // A server that takes even less says so and hangs up.
    let (short, long) = (trial.say("short"), trial.say(&"x".repeat(10_000)));
    trial.receive(json!({"msgid": 21, "errno": 111, "errmsg": "frame too large"}));
    trial.lose();
    assert!(matches!(trial.resolved(long), Some(Err(Failure::Refused(words))) if words.errno == 111));
    assert_eq!(trial.resolved(short), None);
    trial.reconnect();
    trial.clear();
    trial.let_in();
    assert_eq!(trial.written.len(), 1);
    assert_eq!(trial.written[0]["msg"], "short");
}
