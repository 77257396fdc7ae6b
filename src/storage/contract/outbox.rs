//! What an application is told of: written with what it tells of, and only where somebody is to be told.

use super::trial::{Trial, body, sealed};
use super::{Case, Opener};
use crate::Order;
use crate::admission::Admission;
use crate::outbox::{Bounds, Kinds, Page, Step};
use chatd_chat::model::device::PushToken;
use chatd_chat::model::envelope::Target;
use chatd_chat::model::group_rule::{GroupRule, NewRow};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{Detail, Issue, StoreReply, StoreRequest};
use serde_json::{Value, json};
use std::time::Duration;

pub const CASES: &[Case] = &[
    Case { name: "without a webhook nothing is written to the outbox", run: nobody_is_told },
    Case { name: "what happens is told once, in its order", run: what_happens_is_told },
    Case { name: "only the events that are wanted are told", run: only_what_is_wanted },
    Case { name: "what was refused is not told", run: what_was_refused },
    Case { name: "what was posted goes, and its numbers are never used again", run: what_was_posted },
    Case { name: "a message that nobody confirms is told of once", run: undelivered_once },
    Case { name: "what is told of a message says by what devices are reached", run: undelivered_reaches },
    Case { name: "a message that comes late into a backlog is told of, too", run: undelivered_late },
    Case { name: "beyond the bounds the oldest go, and are counted", run: beyond_the_bounds },
    Case { name: "many events are several rows", run: many_events },
];

/// A time of these tests, and a message of it.
pub const THEN: u64 = 1_700_000_000_000;

fn at(ms: u64) -> MessageId {
    MessageId::of_time(Millis(THEN + ms))
}

pub fn step() -> Step {
    Step {
        holder: 7,
        now: Millis(THEN),
        renew: true,
        posted: Vec::new(),
        tell: None,
        trim: None,
        undelivered_before: None,
        wanted: true,
    }
}

pub fn with(open: &mut Opener<'_>, kinds: Kinds) -> Trial {
    let mut trial = Trial::new(open);
    trial.opened().set_outbox(kinds, Duration::from_secs(10));
    trial
}

pub fn ask(trial: &mut Trial, step: &Step) -> Page {
    trial.opened().outbox(step).expect("the store works")
}

/// What a page tells, each event as an application gets it, but for its number.
pub fn events(page: &Page) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(&format!("{{{line}}}")).expect("an event is an object");
    page.rows.iter().flat_map(|row| row.body.lines().map(parse)).collect()
}

/// What waits, and what is posted with that.
pub fn taken(trial: &mut Trial) -> Vec<Value> {
    let page = ask(trial, &step());
    let posted = page.rows.iter().map(|row| row.id).collect();
    let left = ask(trial, &Step { posted, ..step() });
    assert_eq!((left.rows.len(), left.waiting, left.oldest), (0, 0, None), "all of it was posted");
    events(&page)
}

fn kinds_of(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().expect("an event has a type")).collect()
}

fn some_of_everything(trial: &mut Trial) -> (UserId, UserId) {
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[]);
    let row = |mid| Some(NewRow { mid: MessageId(mid), ts: Millis(THEN) });
    drop(trial.request(StoreRequest::AddGroup { user: ben, group: tea, row: row(500) }));
    trial.tell(amy, ben, "hello");
    trial.post(ben, tea, "to all");
    for pos in [1, 1] {
        let request = StoreRequest::MoveMarker { user: ben, conversation: Conversation::With(amy), pos };
        trial.request(request).expect("it moves, and stays");
    }
    let rule = GroupRule::Set { name: None, desc: Some("green".into()), join: None };
    for _ in 0..2 {
        let (rule, cid) = (rule.clone(), Some("once".into()));
        let row = NewRow { mid: MessageId(501), ts: Millis(THEN) };
        trial.request(StoreRequest::RuleGroup { user: amy, group: tea, rule, row, cid }).expect("she may");
    }
    trial.request(StoreRequest::DelGroup { user: ben, group: tea, row: row(502) }).expect("he may");
    trial.request(StoreRequest::DelGroup { user: amy, group: tea, row: row(503) }).expect("she may");
    (amy, ben)
}

fn nobody_is_told(open: &mut Opener<'_>) {
    let mut trial = Trial::new(open);
    some_of_everything(&mut trial);
    let page = ask(&mut trial, &step());
    assert_eq!((page.rows, page.waiting, page.oldest), (Vec::new(), 0, None));
}

fn what_happens_is_told(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::ALL);
    let (amy, ben) = some_of_everything(&mut trial);
    let (mut told, group) = (taken(&mut trial), 1);
    for event in &mut told {
        let event = event.as_object_mut().expect("an event is an object");
        assert!(event.remove("ts").is_some_and(|ts| ts.as_u64().is_some()), "each has a time");
        event.remove("mid");
    }
    let frames: Vec<Value> =
        told.iter_mut().filter_map(|event| event.as_object_mut()?.remove("frame")).collect();
    let (amy, ben) = (amy.get(), ben.get());
    let wanted = [
        json!({ "type": "user", "what": "made", "user": amy, "name": "amy" }),
        json!({ "type": "user", "what": "made", "user": ben, "name": "ben" }),
        json!({ "type": "group", "what": "made", "groupid": group, "by": amy, "name": "tea" }),
        json!({ "type": "group", "what": "joined", "groupid": group, "from": ben, "pos": 1 }),
        json!({ "type": "message", "from": amy, "to": ben, "pos": 1 }),
        json!({ "type": "message", "from": ben, "groupid": group, "pos": 2 }),
        json!({ "type": "read", "user": ben, "with": amy, "pos": 1 }),
        json!({ "type": "group", "what": "set", "groupid": group, "from": amy, "pos": 3, "cid": "once" }),
        json!({ "type": "group", "what": "left", "groupid": group, "from": ben, "pos": 4 }),
        json!({ "type": "group", "what": "dissolved", "groupid": group, "by": amy }),
    ];
    assert_eq!(told, wanted);
    assert_eq!(frames[1]["msg"], "hello", "a message has the frame that its readers get: {frames:?}");
    let admission = Admission {
        external: "u-1".into(),
        name: Some("Cleo".into()),
        expires: Some(Millis(u64::MAX >> 8)),
        renews: None,
    };
    for _ in 0..2 {
        trial.batch(&[Order::Admit { admission: admission.clone() }]);
    }
    let told = taken(&mut trial);
    assert_eq!((told.len(), &told[0]["external"], &told[0]["name"]), (1, &json!("u-1"), &json!("Cleo")));
}

fn only_what_is_wanted(open: &mut Opener<'_>) {
    for (name, events) in [("message", 2), ("undelivered", 0), ("read", 1), ("user", 2), ("group", 5)] {
        let mut trial = with(open, Kinds::named([name]).expect("it is one"));
        some_of_everything(&mut trial);
        assert_eq!(kinds_of(&taken(&mut trial)), vec![name; events]);
    }
}

fn what_was_refused(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::ALL);
    let [amy, ben] = trial.users(["amy", "ben"]);
    taken(&mut trial);
    assert!(trial.enroll("amy").is_err(), "the name is taken");
    let stranger = UserId::new(4_711).expect("an id");
    let lost = trial.message(amy, Target::User(stranger), "c", "x");
    assert!(trial.store(&lost).is_err(), "there is no such user");
    let again = trial.message(amy, Target::User(ben), "once", "x");
    trial.store(&again).expect("it is stored");
    let other = trial.message(amy, Target::User(ben), "once", "x");
    trial.store(&other).expect("it is stored already");
    trial.store(&again).expect("it is stored already");
    assert_eq!(kinds_of(&taken(&mut trial)), ["message"]);
}

fn what_was_posted(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::ALL);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let first = ask(&mut trial, &step());
    trial.tell(amy, ben, "meanwhile");
    let posted: Vec<u64> = first.rows.iter().map(|row| row.id).collect();
    let last = *posted.last().expect("two users were made");
    let second =
        ask(&mut trial, &Step { posted: posted.clone(), tell: Some("\"type\":\"hello\"".into()), ..step() });
    assert_eq!(kinds_of(&events(&second)), ["message", "hello"], "what came meanwhile stays");
    assert!(second.rows.iter().all(|row| row.id > last), "and has greater numbers");
    assert_eq!((second.posts, second.oldest.is_some()), (true, true));
    // A step that is asked for again, because its answer was lost.
    let again = ask(&mut trial, &Step { posted, wanted: false, ..step() });
    assert_eq!((again.rows.len(), again.waiting), (0, second.waiting));
    let last = second.rows.iter().map(|row| row.id).max().expect("there are some");
    taken(&mut trial);
    trial.tell(amy, ben, "after it was empty");
    let third = ask(&mut trial, &step());
    assert!(third.rows.iter().all(|row| row.id > last), "no number is used twice");
}

/// A message's id, which is a text because many a language has no number for it.
pub fn mid(event: &Value) -> u64 {
    event["mid"].as_str().expect("a text").parse().expect("a number")
}

/// Whom `undelivered` tells of now, and of which message.
fn undelivered(trial: &mut Trial, before: u64) -> Vec<(u64, u64)> {
    let before = Some(Millis(THEN + before));
    drop(ask(trial, &Step { undelivered_before: before, wanted: false, ..step() }));
    let user = |event: &Value| event["user"].as_u64().expect("a number");
    taken(trial).iter().map(|event| (user(event), mid(event))).collect()
}

fn send(trial: &mut Trial, (from, to): (UserId, UserId), mid: MessageId) {
    let target = Target::User(to);
    let envelope = sealed(from, target, mid, "", &body(from, target, "x", "2026-01-01 00:00:00"));
    trial.store(&envelope).expect("it is stored");
}

fn undelivered_once(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::named(["undelivered"]).expect("it is one"));
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    assert_eq!(undelivered(&mut trial, 0), [], "nobody has looked before");
    let (confirmed, waits, later) = (at(1_000), at(1_001), at(60_000));
    for (to, mid) in [(ben, confirmed), (cleo, waits), (ben, later)] {
        send(&mut trial, (amy, to), mid);
    }
    trial.ack(ben, &[confirmed], vec![]);
    assert_eq!(
        undelivered(&mut trial, 11_000),
        [(cleo.get().into(), waits.0)],
        "the others are not, or not yet"
    );
    assert_eq!(undelivered(&mut trial, 12_000), [], "once");
    assert_eq!(undelivered(&mut trial, 71_000), [(ben.get().into(), later.0)]);
    trial.ack(ben, &[later], vec![]);
    assert_eq!(undelivered(&mut trial, 72_000), []);
}

fn undelivered_reaches(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::named(["undelivered"]).expect("it is one"));
    let [amy, ben] = trial.users(["amy", "ben"]);
    assert_eq!(undelivered(&mut trial, 0), []);
    for (device, token) in [("web", None), ("phone", Some("t\"0k"))] {
        let proof = trial.proof(ben);
        let (detail, issue, device) = (Detail::Counts, Issue::Token, Some(device.into()));
        let request = StoreRequest::LoadProfile { user: ben, proof, detail, issue, device, heads: 0 };
        let Ok(StoreReply::Profile(profile)) = trial.request(request) else { panic!("a profile is given") };
        let device = profile.token.expect("one was to be issued").id;
        let push = token.map(|token: &str| PushToken { token: token.into(), kind: "apns".into() });
        assert!(trial.request(StoreRequest::SetPushToken { user: ben, device, push }).is_ok());
    }
    send(&mut trial, (amy, ben), at(10_000));
    drop(ask(&mut trial, &Step { undelivered_before: Some(Millis(THEN + 40_000)), wanted: false, ..step() }));
    let told = taken(&mut trial);
    let devices = told.last().and_then(|event| event["devices"].as_array()).expect("devices");
    let reached: Vec<(&Value, &Value, &Value)> = devices
        .iter()
        .map(|device| (&device["device"], &device["push_token"], &device["push_kind"]))
        .collect();
    let (none, phone) = (Value::Null, ["phone", "t\"0k", "apns"].map(Value::from));
    let web = Value::from("web");
    assert_eq!(reached, [(&phone[0], &phone[1], &phone[2]), (&web, &none, &none)]);
}

fn undelivered_late(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::named(["undelivered"]).expect("it is one"));
    let [amy, ben] = trial.users(["amy", "ben"]);
    assert_eq!(undelivered(&mut trial, 0), []);
    send(&mut trial, (amy, ben), at(30_000));
    assert_eq!(undelivered(&mut trial, 40_000).len(), 1);
    let late = at(5_000);
    send(&mut trial, (amy, ben), late);
    assert_eq!(undelivered(&mut trial, 41_000), [(ben.get().into(), late.0)]);
    assert_eq!(undelivered(&mut trial, 42_000), []);
}

fn beyond_the_bounds(open: &mut Opener<'_>) {
    let mut trial = with(open, Kinds::named(["message"]).expect("it is one"));
    let [amy, ben] = trial.users(["amy", "ben"]);
    let mids: Vec<u64> = (0..5).map(|_| trial.tell(amy, ben, "x").0).collect();
    let told = |page: &Page| events(page).iter().map(mid).collect::<Vec<_>>();
    let year = 365 * 86_400_000;
    let roomy = Bounds { rows: 5, age_ms: u64::MAX };
    let page = ask(&mut trial, &Step { trim: Some(roomy), ..step() });
    assert_eq!((page.dropped, page.waiting), (0, 5));
    let narrow = Bounds { rows: 3, age_ms: u64::MAX };
    let page = ask(&mut trial, &Step { trim: Some(narrow), ..step() });
    assert_eq!((page.dropped, page.waiting), (2, 3));
    assert_eq!(told(&page), mids[2..], "the oldest went");
    // By the clock of whoever posts.
    let late = Millis(crate::outbox::pending::now().0 + 2 * year);
    let page = ask(&mut trial, &Step { now: late, trim: Some(Bounds { rows: 5, age_ms: year }), ..step() });
    assert_eq!((page.dropped, page.waiting, page.rows.len()), (3, 0, 0));
}

fn many_events(open: &mut Opener<'_>) {
    let limits = Limits::default();
    let mut trial = Trial::with(open, &limits);
    trial.opened().set_outbox(Kinds::named(["message"]).expect("it is one"), Duration::from_secs(10));
    let [amy, ben] = trial.users(["amy", "ben"]);
    let message = |trial: &mut Trial, at: usize| {
        let envelope = trial.message(amy, Target::User(ben), "", &format!("{at}"));
        StoreRequest::StoreMessage { envelope }
    };
    let requests: Vec<StoreRequest> = (0..2_500).map(|at| message(&mut trial, at)).collect();
    assert!(trial.requests(requests).iter().all(Result::is_ok));
    let mut places = Vec::new();
    loop {
        let page = ask(&mut trial, &step());
        if page.rows.is_empty() {
            break;
        }
        assert!(
            page.rows.iter().all(|row| row.body.lines().count() <= 1_000),
            "a number has room for so many"
        );
        places.extend(events(&page).iter().map(|event| event["pos"].as_u64().expect("a place")));
        let posted = page.rows.iter().map(|row| row.id).collect();
        drop(ask(&mut trial, &Step { posted, wanted: false, ..step() }));
    }
    assert_eq!(places, (1..=2_500).collect::<Vec<u64>>());
}
