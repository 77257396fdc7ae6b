//! What an application is told of groups: who has not confirmed what was said, once, a page of members at a time.

use super::outbox::{THEN, ask, events, mid, step, taken, with};
use super::trial::{Trial, body};
use super::{Case, Opener};
use crate::Order;
use crate::outbox::{Bounds, Kinds, PAGE_BYTES, ROW_BYTES, Step};
use chatd_chat::model::change::Alteration;
use chatd_chat::model::device::PushToken;
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::group_rule::{GroupRule, NewRow};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::port::store::{Detail, Issue, StoreReply, StoreRequest, StoreResult};
use serde_json::Value;
use std::collections::BTreeSet;

pub const CASES: &[Case] = &[
    Case { name: "who has not confirmed what a group said is told of once", run: told_once },
    Case { name: "nobody is told of what was recalled, or done to a group", run: recalled },
    Case { name: "who said the last word is told of the one before", run: last_word },
    Case { name: "who has read or confirmed, came later or has left is not told of", run: not_lacking },
    Case { name: "what is said by somebody blocked is not told", run: blocked },
    Case { name: "members are gone over a page at a time, each once", run: pages },
    Case { name: "what is told at one time is bounded", run: bounded },
    Case { name: "many messages of a group are one thing to tell", run: many_messages },
    Case { name: "many groups are gone over in turn", run: many_groups },
    Case { name: "who is not to be told of groups costs nothing", run: not_wanted },
];

fn kinds() -> Kinds {
    Kinds::named(["undelivered"]).expect("it is one")
}

fn envelope(from: UserId, group: GroupId, ms: u64) -> Envelope {
    let (target, ts) = (Target::Group(group), Millis(THEN + ms));
    let body = body(from, target, "x", "2026-01-01 00:00:00");
    let durability = Durability::IfUndelivered;
    let message = Message {
        sender: from,
        target,
        mid: MessageId::of_time(ts),
        ts,
        cid: "",
        durability,
        body: body.as_bytes(),
    };
    Envelope::message(message, &mut Vec::new())
}

/// Says something in a group at this time, which is like no other.
fn say(trial: &mut Trial, from: UserId, group: GroupId, ms: u64) -> MessageId {
    let envelope = envelope(from, group, ms);
    trial.store(&envelope).expect("it is stored");
    envelope.mid()
}

/// One step, for what was said before this time; whether more is left.
fn look(trial: &mut Trial, before: u64) -> bool {
    let before = Some(Millis(THEN + before));
    ask(trial, &Step { undelivered_before: before, wanted: false, ..step() }).more
}

/// All that waits, in as many requests as that takes, which are posted.
fn all_taken(trial: &mut Trial) -> Vec<Value> {
    let (mut told, mut page) = (Vec::new(), ask(trial, &step()));
    while !page.rows.is_empty() {
        told.extend(events(&page));
        page = ask(trial, &Step { posted: page.rows.iter().map(|row| row.id).collect(), ..step() });
    }
    told
}

/// As many steps as it takes, and what they tell.
fn told(trial: &mut Trial, before: u64) -> Vec<Value> {
    let mut steps = 1;
    while look(trial, before) {
        steps += 1;
        assert!(steps < 1_000, "it comes to an end");
    }
    all_taken(trial)
}

/// Who is told of, and after which places.
fn users(event: &Value) -> Vec<(u64, u64)> {
    let number = |user: &Value, key: &str| user[key].as_u64().expect("a number");
    let users = event["users"].as_array().expect("users");
    users.iter().map(|user| (number(user, "user"), number(user, "after"))).collect()
}

/// Of each event the message, and who is told of after which place.
fn who(told: &[Value]) -> Vec<(u64, Vec<(u64, u64)>)> {
    told.iter().map(|event| (mid(event), users(event))).collect()
}

fn told_once(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let [a, b, c] = [amy, ben, cleo].map(|user| u64::from(user.get()));
    let tea = trial.group("tea", amy, &[ben, cleo]);
    let first = say(&mut trial, amy, tea, 1_000);
    trial.ack_group(ben, tea, 1, &[]);
    assert_eq!(told(&mut trial, 999), [Value::Null; 0], "it is not due");
    let events = told(&mut trial, 1_000);
    assert_eq!(who(&events), [(first.0, vec![(c, 0)])]);
    let event = &events[0];
    assert_eq!((&event["type"], &event["groupid"]), (&"undelivered".into(), &tea.get().into()), "{event}");
    assert_eq!((&event["from"], &event["pos"], &event["frame"]["msg"]), (&a.into(), &1.into(), &"x".into()));
    assert!(event["ts"].is_u64() && event.get("user").is_none(), "{event}");
    assert_eq!(event["users"][0]["devices"], Value::Array(Vec::new()), "{event}");
    assert_eq!(told(&mut trial, 2_000), [Value::Null; 0], "once");
    let second = say(&mut trial, ben, tea, 3_000);
    let third = say(&mut trial, amy, tea, 5_000);
    assert_eq!(who(&told(&mut trial, 4_000)), [(second.0, vec![(a, 0), (c, 0)])], "of what is due");
    assert_eq!(
        who(&told(&mut trial, 5_000)),
        [(third.0, vec![(b, 1), (c, 0)])],
        "and of the rest in its turn"
    );
    assert_eq!(told(&mut trial, 90_000), [Value::Null; 0]);
}

fn recalled(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let [amy, ben] = trial.users(["amy", "ben"]);
    let b = u64::from(ben.get());
    let tea = trial.group("tea", amy, &[ben]);
    let recall = |trial: &mut Trial, pos| {
        let (conversation, ts) = (Conversation::Group(tea), Millis(THEN));
        let alteration = Alteration::Recall;
        let request = StoreRequest::Alter { user: amy, conversation, pos, alteration, cid: None, ts };
        trial.request(request).expect("it was hers");
    };
    let kept = say(&mut trial, amy, tea, 1_000);
    say(&mut trial, amy, tea, 1_001);
    recall(&mut trial, 2);
    let row = NewRow { mid: MessageId::of_time(Millis(THEN + 1_002)), ts: Millis(THEN + 1_002) };
    let rule = GroupRule::Set { name: None, desc: Some("green".into()), join: None };
    trial.request(StoreRequest::RuleGroup { user: amy, group: tea, rule, row, cid: None }).expect("she may");
    assert_eq!(who(&told(&mut trial, 2_000)), [(kept.0, vec![(b, 0)])], "the newest that is there");
    say(&mut trial, amy, tea, 3_000);
    recall(&mut trial, 4);
    assert_eq!(told(&mut trial, 4_000), [Value::Null; 0]);
    let last = say(&mut trial, amy, tea, 5_000);
    assert_eq!(who(&told(&mut trial, 6_000)), [(last.0, vec![(b, 0)])], "and it goes on");
}

fn last_word(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let [a, b, c] = [amy, ben, cleo].map(|user| u64::from(user.get()));
    let tea = trial.group("tea", amy, &[ben, cleo]);
    let first = say(&mut trial, amy, tea, 1_000);
    let second = say(&mut trial, ben, tea, 2_000);
    let third = say(&mut trial, ben, tea, 3_000);
    let mut events = who(&told(&mut trial, 9_000));
    events.sort();
    assert_eq!(events, [(first.0, vec![(b, 0)]), (third.0, vec![(a, 0), (c, 0)])], "not of {}", second.0);
}

fn not_lacking(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let names = ["amy", "ben", "cleo", "dan", "eve", "fay"];
    let [amy, ben, cleo, dan, eve, fay] = trial.users(names);
    let tea = trial.group("tea", amy, &[ben, cleo, eve]);
    let first = say(&mut trial, amy, tea, 1_000);
    let second = say(&mut trial, amy, tea, 1_001);
    trial.join(dan, tea);
    trial.ack_group(ben, tea, 2, &[]);
    let request = StoreRequest::MoveMarker { user: cleo, conversation: Conversation::Group(tea), pos: 2 };
    trial.request(request).expect("she has read it");
    trial.request(StoreRequest::DelGroup { user: eve, group: tea, row: None }).expect("she may");
    assert_eq!(told(&mut trial, 2_000), [Value::Null; 0]);
    trial.join(fay, tea);
    let third = say(&mut trial, amy, tea, 3_000);
    trial.ack_group(ben, tea, 3, &[]);
    let [c, d, f] = [cleo, dan, fay].map(|user| (u64::from(user.get()), 2));
    assert_eq!(who(&told(&mut trial, 4_000)), [(third.0, vec![c, d, f])], "not {} and {}", first.0, second.0);
    say(&mut trial, amy, tea, 5_000);
    trial.request(StoreRequest::DelGroup { user: amy, group: tea, row: None }).expect("she may");
    assert_eq!(told(&mut trial, 6_000), [Value::Null; 0], "the group is no more");
    assert_eq!(told(&mut trial, 7_000), [Value::Null; 0]);
}

fn blocked(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let [amy, ben, cleo] = trial.users(["amy", "ben", "cleo"]);
    let [a, b, c] = [amy, ben, cleo].map(|user| u64::from(user.get()));
    let tea = trial.group("tea", amy, &[ben, cleo]);
    trial.request(StoreRequest::Block { user: cleo, blocked: ben }).expect("she may");
    let first = say(&mut trial, amy, tea, 1_000);
    let second = say(&mut trial, ben, tea, 1_001);
    let mut events = who(&told(&mut trial, 2_000));
    events.sort();
    assert_eq!(events, [(first.0, vec![(b, 0), (c, 0)]), (second.0, vec![(a, 0)])].map(|event| event));
    let third = say(&mut trial, ben, tea, 3_000);
    assert_eq!(who(&told(&mut trial, 4_000)), [(third.0, vec![(a, 0)])]);
}

/// So many members besides their creator, who says something.
fn crowd(trial: &mut Trial, size: usize) -> (Vec<UserId>, GroupId) {
    let enroll = |at| Order::Enroll { name: format!("member{at}"), hash: String::new() };
    let orders: Vec<Order> = (0..=size).map(enroll).collect();
    trial.batch(&orders);
    let users: Vec<UserId> = (1..=size as u64 + 1).map(|id| UserId::new(id).expect("an id")).collect();
    let crowd = trial.group("crowd", users[0], &[]);
    let join = |user: &UserId| StoreRequest::AddGroup { user: *user, group: crowd, row: None };
    let joined = trial.requests(users[1..].iter().map(join).collect());
    assert!(joined.iter().all(Result::is_ok));
    (users, crowd)
}

fn pages(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let (members, crowd) = crowd(&mut trial, 1_200);
    say(&mut trial, members[0], crowd, 1_000);
    trial.ack_group(members[7], crowd, 1, &[]);
    let (mut steps, mut told) = (0, Vec::new());
    loop {
        let more = look(&mut trial, 2_000);
        steps += 1;
        assert!(steps <= 6, "two passes over three pages");
        if steps == 1 {
            // What is said while a pass is under way is for the next one.
            say(&mut trial, members[1], crowd, 1_500);
        }
        let page: Vec<(u64, u64)> = taken(&mut trial).iter().flat_map(users).collect();
        assert!(page.len() <= 500, "{} of them in one step", page.len());
        told.extend(page);
        if !more {
            break;
        }
    }
    assert_eq!(steps, 6, "two passes over three pages");
    let first = told.iter().take(1_199).map(|(user, _)| *user).collect::<BTreeSet<u64>>();
    let second = told.iter().skip(1_199).map(|(user, _)| *user).collect::<BTreeSet<u64>>();
    assert_eq!((first.len(), second.len(), told.len()), (1_199, 1_200, 2_399), "each once for each message");
    assert!(!first.contains(&u64::from(members[7].get())) && !second.contains(&u64::from(members[1].get())));
}

fn bounded(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let (members, crowd) = crowd(&mut trial, 300);
    let proof = trial.proof(members[0]);
    let enter = |user: &UserId| {
        let (user, detail, issue, device) = (*user, Detail::Counts, Issue::Token, Some("phone".into()));
        StoreRequest::LoadProfile { user, proof, detail, issue, device, heads: 0 }
    };
    let entered = trial.requests(members.iter().map(enter).collect());
    let keep = |(user, entered): (&UserId, &StoreResult)| {
        let Ok(StoreReply::Profile(profile)) = entered else { panic!("a profile is given") };
        let device = profile.token.as_ref().expect("one was to be issued").id;
        let push = Some(PushToken { token: "t".repeat(4_096).into(), kind: "apns".into() });
        StoreRequest::SetPushToken { user: *user, device, push }
    };
    let kept = trial.requests(members.iter().zip(&entered).map(keep).collect());
    assert!(kept.iter().all(Result::is_ok));
    say(&mut trial, members[0], crowd, 1_000);
    assert!(look(&mut trial, 2_000), "it is too much for one step");
    let mut events = all_taken(&mut trial);
    let lengths: Vec<usize> = events.iter().map(|event| event.to_string().len()).collect();
    assert!(lengths.iter().all(|bytes| *bytes < 2 * ROW_BYTES), "{lengths:?}");
    assert!(lengths.iter().sum::<usize>() < PAGE_BYTES + 2 * ROW_BYTES, "{lengths:?}");
    events.extend(told(&mut trial, 2_000));
    let told: BTreeSet<u64> = events.iter().flat_map(users).map(|(user, _)| user).collect();
    assert_eq!((told.len(), events.iter().flat_map(users).count()), (300, 300), "each once");
    assert_eq!(events[0]["users"][0]["devices"][0]["push_kind"], "apns");
}

fn many_messages(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let [amy, ben] = trial.users(["amy", "ben"]);
    let b = u64::from(ben.get());
    let tea = trial.group("tea", amy, &[ben]);
    let messages: Vec<Envelope> = (0..2_300).map(|at| envelope(amy, tea, 1_000 + at)).collect();
    let store = |envelope: &Envelope| StoreRequest::StoreMessage { envelope: envelope.clone() };
    assert!(trial.requests(messages.iter().map(store).collect()).iter().all(Result::is_ok));
    let newest = |at: usize| (messages[at].mid().0, vec![(b, 0)]);
    assert_eq!(who(&told(&mut trial, 2_199)), [newest(999), newest(1_199)], "a pass goes over a thousand");
    assert_eq!(who(&told(&mut trial, 90_000)), [newest(2_199), newest(2_299)]);
}

fn many_groups(open: &mut Opener<'_>) {
    let mut trial = with(open, kinds());
    let [amy, ben] = trial.users(["amy", "ben"]);
    let make = |at| StoreRequest::CreateGroup { user: amy, name: format!("tea {at}"), desc: String::new() };
    assert!(trial.requests((0..150).map(make).collect()).iter().all(Result::is_ok));
    let groups: Vec<GroupId> = (1..=150).map(|id| GroupId::new(id).expect("an id")).collect();
    let join = |group: &GroupId| StoreRequest::AddGroup { user: ben, group: *group, row: None };
    assert!(trial.requests(groups.iter().map(join).collect()).iter().all(Result::is_ok));
    let say = |(at, group): (u64, &GroupId)| StoreRequest::StoreMessage {
        envelope: envelope(amy, *group, 1_000 + at),
    };
    assert!(trial.requests((0..).zip(&groups).map(say).collect()).iter().all(Result::is_ok));
    let groupid = |event: &Value| event["groupid"].as_u64().expect("a number");
    assert!(look(&mut trial, 9_000), "they are too many for one step");
    let mut events = taken(&mut trial);
    assert_eq!(events.first().map(groupid), Some(groups[0].get().into()), "the oldest comes first");
    events.extend(told(&mut trial, 9_000));
    let told: BTreeSet<u64> = events.iter().map(groupid).collect();
    assert_eq!((events.len(), told.len()), (150, 150), "each group once");
    assert!(!look(&mut trial, 9_000));
}

fn not_wanted(open: &mut Opener<'_>) {
    let others = Kinds { undelivered: false, ..Kinds::ALL };
    let mut trial = with(open, others);
    let [amy, ben] = trial.users(["amy", "ben"]);
    let tea = trial.group("tea", amy, &[ben]);
    say(&mut trial, amy, tea, 1_000);
    taken(&mut trial);
    assert_eq!(told(&mut trial, 9_000), [Value::Null; 0], "nothing was written down");
    // What is dropped because too much waits is not told again.
    trial.opened().set_outbox(kinds(), std::time::Duration::from_secs(10));
    say(&mut trial, amy, tea, 2_000);
    assert!(!look(&mut trial, 3_000));
    let none = Bounds { rows: 0, age_ms: u64::MAX };
    let page = ask(&mut trial, &Step { trim: Some(none), ..step() });
    assert_eq!((page.dropped, page.rows.len()), (1, 0));
    assert_eq!(told(&mut trial, 9_000), [Value::Null; 0]);
    assert_eq!(events(&ask(&mut trial, &step())), [Value::Null; 0]);
}
