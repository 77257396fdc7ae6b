//! The rules of a device that lives beside others: what it lacks is told once, and in order.

use super::*;
use crate::device::{Device, Since};
use crate::dialect::v2::V2;

impl Trial {
    /// A device of user 1, before its login is answered.
    fn beside_others(places: Option<Vec<Since>>) -> Self {
        let mut trial = Self::speaking(Box::new(V2));
        trial.session = trial.session.on(Device { places, ..Device::beside_others("desk") });
        trial.connected();
        trial.ask(login(1));
        trial
    }

    /// One that was told its conversation with user 2 up to place 3.
    fn up_to_three() -> Self {
        let mut trial = Self::beside_others(None);
        trial.enters(&[(2, 3)], true);
        trial.clear();
        trial
    }

    fn enters(&mut self, heads: &[(u64, u64)], complete: bool) {
        self.receive(json!({
            "msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": "t0k", "complete": true,
            "heads": heads_of(heads), "heads_complete": complete,
        }));
    }

    fn is_pushed(&mut self, pos: u64) {
        let mut push = row(pos, 2);
        push.as_object_mut().unwrap().remove("pos");
        self.receive(push);
    }

    fn is_stored(&mut self, pos: u64) {
        self.receive(json!({"msgid": 61, "with": 2, "places": [{"mid": pos.to_string(), "pos": pos}]}));
    }

    /// Answers the SYNC written last.
    fn syncs(&mut self, rows: &[u64], conversation_complete: bool) {
        let cid = self.synced_from().0;
        let rows: Vec<Value> = rows.iter().map(|pos| row(*pos, 2)).collect();
        let synced = json!({"with": 2, "head": 9, "messages": rows, "complete": conversation_complete});
        self.receive(json!({"msgid": 37, "errno": 0, "cid": cid, "convs": [synced], "complete": true}));
    }

    /// The `cid` of the SYNC written last, and what it asks for.
    fn synced_from(&self) -> (Value, Value) {
        let sync = self.written.iter().rfind(|frame| frame["msgid"] == 36).expect("a SYNC");
        (sync["cid"].clone(), sync["since"].clone())
    }

    fn syncs_written(&self) -> usize {
        self.written.iter().filter(|frame| frame["msgid"] == 36).count()
    }

    /// The texts of what was told, in order.
    fn texts(&self) -> Vec<&str> {
        let texts = self.told.iter().filter_map(|event| match event {
            Event::Message(message) => Some(message.text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    fn told_up_to(&self) -> Option<u64> {
        self.told.iter().rev().find_map(|event| match event {
            Event::UpTo { pos, .. } => Some(*pos),
            _ => None,
        })
    }
}

fn since(conversation: Conversation, after: u64) -> Since {
    Since { conversation, after, chg: Some(0) }
}

fn heads_of(heads: &[(u64, u64)]) -> Vec<Value> {
    let entry = |(with, head): &(u64, u64)| json!({"with": with, "name": "n", "head": head, "mid": with.to_string(), "ts": 1, "read": 0, "unread": 0});
    heads.iter().map(entry).collect()
}

pub(super) fn row(pos: u64, from: u64) -> Value {
    json!({
        "cid": format!("c{pos}"), "id": from, "mid": pos.to_string(), "msg": format!("m{pos}"), "msgid": 6,
        "name": "ben", "pos": pos, "time": "t", "toid": 3 - from, "ts": 1,
    })
}

#[test]
fn a_device_says_what_it_is_and_so_it_does_when_it_comes_back() {
    let mut trial = Trial::up_to_three();
    trial.lose();
    trial.reconnect();
    let resume = json!({
        "caps": ["own", "read", "typing", "changed", "group", "friend"], "device": "desk", "msgid": 25, "multi": true, "token": "t0k", "v": 2,
    });
    assert_eq!(trial.written, [resume]);
}

#[test]
fn what_was_missed_is_told_before_what_comes_and_nothing_twice() {
    let mut trial = Trial::up_to_three();
    trial.is_pushed(4);
    trial.lose();
    trial.reconnect();
    trial.enters(&[(2, 7)], true);
    assert_eq!(trial.synced_from().1, json!([{"after": 3, "chg": 0, "with": 2}]), "where 4 is was not told");
    // 7 waited, 8 is new: both are held, for 5 and 6 are missing.
    trial.is_pushed(7);
    trial.is_pushed(8);
    assert_eq!(trial.texts(), ["m4"]);
    trial.syncs(&[4, 5], false);
    assert_eq!((trial.texts(), trial.told_up_to()), (vec!["m4", "m5"], Some(5)));
    assert_eq!(trial.synced_from().1, json!([{"after": 5, "chg": 0, "with": 2}]));
    trial.is_stored(8);
    trial.syncs(&[6, 7], true);
    assert_eq!((trial.texts(), trial.told_up_to()), (vec!["m4", "m5", "m6", "m7", "m8"], Some(8)));
    assert_eq!(trial.syncs_written(), 2);
    trial.is_pushed(9);
    assert_eq!(trial.texts().last(), Some(&"m9"), "nothing is missing any more");
}

#[test]
fn what_was_held_when_the_connection_was_lost_counts_for_nothing() {
    let mut trial = Trial::up_to_three();
    trial.lose();
    trial.reconnect();
    trial.enters(&[(2, 5)], true);
    trial.is_pushed(4);
    trial.is_stored(4);
    assert_eq!((trial.texts().len(), trial.told_up_to()), (0, None));
    trial.lose();
    trial.reconnect();
    trial.enters(&[(2, 5)], true);
    assert_eq!(trial.synced_from().1, json!([{"after": 3, "chg": 0, "with": 2}]));
    trial.syncs(&[4, 5], true);
    assert_eq!((trial.texts(), trial.told_up_to()), (vec!["m4", "m5"], Some(5)));
}

#[test]
fn a_place_that_does_not_follow_says_that_something_is_missing() {
    let mut trial = Trial::up_to_three();
    trial.is_pushed(4);
    trial.is_stored(4);
    assert_eq!((trial.told_up_to(), trial.syncs_written()), (Some(4), 0));
    trial.is_pushed(6);
    trial.is_stored(6);
    assert_eq!(trial.synced_from().1, json!([{"after": 4, "chg": 0, "with": 2}]));
    trial.syncs(&[5, 6], true);
    assert_eq!((trial.texts(), trial.told_up_to()), (vec!["m4", "m6", "m5"], Some(6)));
}

#[test]
fn what_this_device_says_has_its_place_and_is_not_told() {
    let mut trial = Trial::up_to_three();
    let said = trial.say("hello");
    let cid = trial.written[0]["cid"].clone();
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 6, "cid": cid, "mid": "5", "pos": 5, "ts": 9}));
    assert!(matches!(trial.resolved(said), Some(Ok(Answer::Safe(_)))));
    // The word of 4 may be under way; when it does not come, 4 is missing.
    assert_eq!(trial.syncs_written(), 0);
    trial.wake();
    assert_eq!(trial.synced_from().1, json!([{"after": 3, "chg": 0, "with": 2}]));
    let mut own = row(5, 1);
    own["cid"] = cid;
    let synced = json!({"with": 2, "head": 5, "messages": [row(4, 2), own, row(6, 1)], "complete": true});
    let cid = trial.synced_from().0;
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": cid, "convs": [synced], "complete": true}));
    assert_eq!((trial.texts(), trial.told_up_to()), (vec!["m4", "m6"], Some(6)));
    let own: Vec<bool> = trial
        .told
        .iter()
        .filter_map(|event| match event {
            Event::Message(message) => Some(message.own),
            _ => None,
        })
        .collect();
    assert_eq!(own, [false, true], "the other device said m6");
}

#[test]
fn a_conversation_that_began_meanwhile_is_told_from_its_beginning() {
    let mut trial = Trial::beside_others(None);
    trial.enters(&[], true);
    trial.lose();
    trial.reconnect();
    trial.enters(&[(2, 2)], true);
    assert_eq!(trial.synced_from().1, json!([{"after": 0, "chg": 0, "with": 2}]));
    trial.syncs(&[1, 2], true);
    assert_eq!(trial.texts(), ["m1", "m2"]);
}

#[test]
fn a_program_that_ran_before_is_told_what_came_since() {
    let mut trial = Trial::beside_others(Some(vec![since(Conversation::With(user(2)), 1)]));
    trial.enters(&[(3, 4), (2, 2)], true);
    assert_eq!(
        trial.synced_from().1,
        json!([{"after": 1, "chg": 0, "with": 2}, {"after": 0, "chg": 0, "with": 3}])
    );
    trial.syncs(&[2], true);
    assert_eq!(trial.texts(), ["m2"]);
    assert_eq!(trial.syncs_written(), 1, "of what the answer left out there is nothing to be had");
}

#[test]
fn heads_that_do_not_fit_are_paged_and_what_comes_meanwhile_waits() {
    let mut trial = Trial::beside_others(Some(vec![]));
    trial.enters(&[], true);
    trial.lose();
    trial.reconnect();
    trial.clear();
    trial.enters(&[(5, 1)], false);
    trial.is_pushed(2);
    let cid = trial.synced_from().0;
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": cid, "convs": [], "complete": true}));
    let cid = trial.synced_from();
    assert_eq!(cid.1, json!([{"after": 0, "chg": 0, "with": 2}]), "all of it may be missing");
    trial.syncs(&[1, 2], true);
    assert_eq!(trial.texts(), ["m1", "m2"]);
    assert_eq!(trial.written.last().unwrap()["before_mid"], "5");
    let cid = trial.written.last().unwrap()["cid"].clone();
    trial.receive(
        json!({"msgid": 37, "errno": 0, "cid": cid, "heads": heads_of(&[(2, 2)]), "heads_complete": true}),
    );
    assert!(matches!(trial.told.last(), Some(Event::Heads(heads)) if heads.complete));
    assert_eq!(trial.syncs_written(), 3);
}

#[test]
fn a_sync_that_is_refused_is_said_again_later_or_given_up_and_nothing_is_kept_back() {
    let mut trial = Trial::up_to_three();
    trial.receive(json!({"msgid": 37, "errno": 0, "heads": heads_of(&[(2, 5)]), "heads_complete": true}));
    trial.is_pushed(6);
    let first = trial.synced_from();
    trial.receive(json!({"msgid": 21, "errno": 110, "re": 36, "cid": first.0, "retry_after_ms": 700}));
    assert_eq!(trial.syncs_written(), 1);
    let before = trial.now;
    trial.wake();
    assert_eq!(trial.now - before, Duration::from_millis(700));
    assert_eq!(trial.synced_from().1, first.1);
    let cid = trial.synced_from().0;
    trial.receive(json!({"msgid": 21, "errno": 102, "re": 36, "cid": cid}));
    assert_eq!((trial.texts(), trial.syncs_written()), (vec!["m6"], 2));
}

#[test]
fn who_asks_for_nothing_of_it_hears_no_more_than_before() {
    let mut trial = Trial::speaking(Box::new(V2));
    trial.connected();
    trial.ask(login(1));
    assert_eq!(trial.written, [json!({"id": 1, "msgid": 1, "password": "pw", "v": 2})]);
    trial.enters(&[(2, 3)], true);
    trial.is_stored(5);
    assert_eq!((trial.syncs_written(), trial.told_up_to()), (0, None));
}

#[test]
fn requests_of_a_device_are_answered() {
    let mut trial = Trial::up_to_three();
    let of = Conversation::With(user(2));
    let asked = [
        trial.ask(Request::Read { of, pos: 9, private: false }),
        trial.ask(Request::Devices),
        trial.ask(Request::Sync { since: vec![since(of, 0)], limit: 2 }),
        trial.ask(Request::Heads { before: None, limit: 2 }),
        trial.ask(Request::Typing { to: of, on: true }),
    ];
    let cids: Vec<Value> = trial.written.iter().map(|frame| frame["cid"].clone()).collect();
    trial.receive(json!({"msgid": 20, "errno": 0, "re": 38, "cid": cids[0], "pos": 3}));
    trial.receive(json!({"msgid": 41, "errno": 0, "cid": cids[1], "devices": []}));
    let piece = |pos| json!([{"with": 2, "head": 2, "messages": [row(pos, 2)], "complete": pos == 2}]);
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": cids[2], "convs": piece(1), "complete": false}));
    assert_eq!(trial.resolved(asked[2]), None);
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": cids[2], "convs": piece(2), "complete": true}));
    trial.receive(json!({"msgid": 37, "errno": 0, "cid": cids[3], "heads": [], "heads_complete": true}));
    assert_eq!(trial.resolved(asked[0]), Some(&Ok(Answer::ReadUpTo(3))));
    assert_eq!(trial.resolved(asked[1]), Some(&Ok(Answer::Devices(vec![]))));
    let Some(Ok(Answer::Synced(synced))) = trial.resolved(asked[2]) else { panic!("{:?}", trial.told) };
    assert_eq!(synced.len(), 2);
    assert!(matches!(trial.resolved(asked[3]), Some(Ok(Answer::Heads(heads))) if heads.complete));
    assert!(trial.texts().is_empty(), "whoever asks is answered, and told nothing");
    // Nobody types across a lost connection.
    trial.lose();
    assert_eq!(trial.resolved(asked[4]), Some(&Err(Failure::Unanswered)));
    let typed = trial.ask(Request::Typing { to: of, on: true });
    assert_eq!(trial.resolved(typed), Some(&Err(Failure::Unanswered)));
}
