//! The rules of what is changed: each change is told once, and none is missing.

use super::devices_tests::row;
use super::*;
use crate::change::Changed;
use crate::device::{Cap, Device, Since};
use crate::dialect::v2::V2;

fn with_ben() -> Conversation {
    Conversation::With(user(2))
}

/// An edit to a text that has its number.
fn change(chg: u64, by: u64) -> Value {
    json!({
        "by": by, "chg": chg, "kind": "edit", "mid": "1", "msg": format!("e{chg}"), "pos": 1, "rev": chg, "ts": 1,
    })
}

fn head(head: u64, chg: u64) -> Value {
    json!([{"with": 2, "name": "ben", "head": head, "chg": chg, "mid": "2", "ts": 1, "read": 0, "unread": 0}])
}

impl Trial {
    /// A device of user 1 that was told its conversation with user 2 up to place 3 and change 2.
    fn changed_twice() -> Self {
        let mut trial = Self::speaking(Box::new(V2));
        trial.session = trial.session.on(Device::beside_others("desk"));
        trial.connected();
        trial.ask(login(1));
        trial.stands(3, 2);
        trial.clear();
        trial
    }

    fn stands(&mut self, place: u64, chg: u64) {
        self.receive(json!({
            "msgid": 2, "errno": 0, "id": 1, "name": "amy", "token": "t0k", "complete": true,
            "heads": head(place, chg), "heads_complete": true,
        }));
    }

    fn is_changed(&mut self, chg: u64) {
        let mut push = change(chg, 2);
        (push["msgid"], push["with"]) = (46.into(), 2.into());
        self.receive(push);
    }

    /// Edits place 1, and the answer has this number.
    fn edits(&mut self, text: &str, chg: u64) {
        let asked = self.ask(Request::Edit { of: with_ben(), pos: 1, text: text.into() });
        let cid = self.written.last().unwrap()["cid"].clone();
        self.receive(json!({"msgid": 20, "errno": 0, "re": 43, "cid": cid, "chg": chg}));
        assert_eq!(self.resolved(asked), Some(&Ok(Answer::Changed(chg))));
    }

    /// Answers the SYNC written last.
    fn is_synced(&mut self, rows: Vec<Value>, changes: Vec<Value>, chg: u64, complete: bool) {
        let cid = self.asked_for().0;
        let page = json!({"with": 2, "head": 3, "messages": rows, "changes": changes, "chg": chg, "complete": complete});
        self.receive(json!({"msgid": 37, "errno": 0, "cid": cid, "convs": [page], "complete": true}));
    }

    /// The SYNC written last, and how many there were.
    fn asked_for(&self) -> (Value, Value, usize) {
        let syncs: Vec<&Value> = self.written.iter().filter(|frame| frame["msgid"] == 36).collect();
        let last = syncs.last().expect("a SYNC");
        (last["cid"].clone(), last["since"].clone(), syncs.len())
    }

    /// The texts of the edits that were told.
    fn edited(&self) -> Vec<&str> {
        let edits = self.told.iter().filter_map(|event| match event {
            Event::Changed(change) => match &change.what {
                Some(Changed::Edited { text, .. }) => Some(text.as_str()),
                _ => None,
            },
            _ => None,
        });
        edits.collect()
    }

    fn told_changes(&self) -> Option<u64> {
        self.told.iter().rev().find_map(|event| match event {
            Event::UpTo { chg, .. } => Some(*chg),
            _ => None,
        })
    }
}

#[test]
fn changes_are_told_in_order_and_once() {
    let mut trial = Trial::changed_twice();
    trial.is_changed(2);
    assert!(trial.told.is_empty(), "it was told before");
    trial.is_changed(3);
    trial.is_changed(3);
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e3"], Some(3)));
    trial.is_changed(5);
    assert_eq!(trial.edited(), ["e3"], "4 is missing");
    assert_eq!(trial.asked_for().1, json!([{"after": 3, "chg": 3, "with": 2}]));
    trial.is_changed(6);
    trial.is_synced(vec![], vec![change(4, 2), change(5, 2)], 5, true);
    assert_eq!(trial.asked_for().1, json!([{"after": 3, "chg": 5, "with": 2}]), "6 came meanwhile");
    trial.is_synced(vec![], vec![change(6, 2)], 6, true);
    trial.is_changed(7);
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e3", "e4", "e5", "e6", "e7"], Some(7)));
    assert_eq!(trial.asked_for().2, 2);
}

#[test]
fn what_was_changed_while_a_device_was_away_is_told_and_a_row_comes_as_it_is() {
    let mut trial = Trial::changed_twice();
    trial.lose();
    trial.reconnect();
    trial.stands(3, 2);
    assert!(trial.written.iter().all(|frame| frame["msgid"] != 36), "nothing is missing");
    trial.lose();
    trial.reconnect();
    trial.stands(4, 5);
    assert_eq!(trial.asked_for().1, json!([{"after": 3, "chg": 2, "with": 2}]));
    let mut fourth = row(4, 2);
    (fourth["msg"], fourth["rev"]) = ("as it is".into(), 1.into());
    let of_fourth = json!({"by": 2, "chg": 4, "kind": "edit", "mid": "4", "msg": "as it is", "pos": 4, "rev": 1, "ts": 1});
    trial.told.clear();
    trial.is_synced(vec![fourth], vec![], 5, false);
    assert_eq!(trial.asked_for().1, json!([{"after": 4, "chg": 2, "with": 2}]));
    trial.is_synced(vec![], vec![change(3, 2), of_fourth, change(5, 2)], 5, true);
    let Event::Message(message) = &trial.told[0] else { panic!("{:?}", trial.told) };
    assert_eq!((message.text.as_str(), message.rev), ("as it is", 1));
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e3", "as it is", "e5"], Some(5)));
}

#[test]
fn what_is_left_of_a_recalled_message_is_told_in_its_place() {
    let mut trial = Trial::changed_twice();
    trial.lose();
    trial.reconnect();
    trial.stands(5, 3);
    // It waited, and is held; it was recalled before it could be told.
    let mut waiting = row(4, 2);
    waiting.as_object_mut().unwrap().remove("pos");
    trial.receive(waiting);
    let stub = json!({"by": 2, "mid": "4", "pos": 4, "recalled": true, "ts": 8});
    let recall = json!({"by": 2, "chg": 3, "kind": "recall", "mid": "4", "pos": 4, "rev": 0, "ts": 8});
    trial.told.clear();
    trial.is_synced(vec![stub, row(5, 2)], vec![recall], 3, true);
    let [Event::Recalled(recalled), Event::Message(message), Event::UpTo { pos: 5, chg: 3, .. }] =
        &trial.told[..]
    else {
        panic!("{:?}", trial.told)
    };
    assert_eq!((recalled.pos, recalled.by, message.text.as_str()), (4, user(2), "m5"));
}

#[test]
fn what_a_device_changes_itself_is_counted_and_not_told() {
    let mut trial = Trial::changed_twice();
    trial.edits("mine", 3);
    assert_eq!(trial.told_changes(), Some(3));
    trial.is_changed(4);
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e4"], Some(4)));
    // The word of 5 is under way.
    trial.edits("mine too", 6);
    assert_eq!(trial.told_changes(), Some(4));
    trial.is_changed(5);
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e4", "e5"], Some(6)));
    assert!(trial.written.iter().all(|frame| frame["msgid"] != 36));
    // That of 7 is lost.
    trial.edits("and again", 8);
    trial.wake();
    assert_eq!(trial.asked_for().1, json!([{"after": 3, "chg": 6, "with": 2}]));
    let mut mine = change(8, 1);
    mine["msg"] = "and again".into();
    trial.is_synced(vec![], vec![change(7, 2), mine], 8, true);
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e4", "e5", "e7"], Some(8)));
}

#[test]
fn an_answer_to_what_changed_nothing_hides_no_change_of_somebody_else() {
    let mut trial = Trial::changed_twice();
    trial.edits("as it is", 3);
    trial.is_changed(3);
    assert_eq!(trial.edited(), ["e3"]);
    // The same, and the connection is lost before the word comes.
    trial.edits("as it is", 4);
    trial.lose();
    trial.reconnect();
    trial.stands(3, 4);
    assert_eq!(trial.asked_for().1, json!([{"after": 3, "chg": 3, "with": 2}]));
    trial.is_synced(vec![], vec![change(4, 2)], 4, true);
    assert_eq!(trial.edited(), ["e3", "e4"]);
    // A change of this device's own is asked for so, too, and not told.
    trial.edits("mine", 5);
    trial.lose();
    trial.reconnect();
    trial.stands(3, 5);
    let mut mine = change(5, 1);
    mine["msg"] = "mine".into();
    trial.is_synced(vec![], vec![mine], 5, true);
    assert_eq!((trial.edited(), trial.told_changes()), (vec!["e3", "e4"], Some(5)));
}

#[test]
fn a_change_that_is_not_to_be_had_is_asked_for_once() {
    let mut trial = Trial::changed_twice();
    trial.is_changed(4);
    trial.is_synced(vec![], vec![], 2, true);
    assert_eq!(trial.asked_for().2, 1);
    trial.is_changed(5);
    trial.is_synced(vec![], vec![change(5, 2)], 5, true);
    assert_eq!((trial.edited(), trial.asked_for().2), (vec!["e5"], 2));
}

#[test]
fn changes_are_said_again_under_the_same_cid_after_a_loss() {
    let mut trial = Trial::changed_twice();
    let of = with_ben();
    let asked = [
        trial.ask(Request::Edit { of, pos: 1, text: "x".into() }),
        trial.ask(Request::Recall { of, pos: 2 }),
        trial.ask(Request::React { of, pos: 3, emoji: "👍".into(), on: true }),
    ];
    let first: Vec<Value> = trial.written.clone();
    trial.lose();
    trial.reconnect();
    trial.clear();
    trial.stands(3, 2);
    assert_eq!(trial.written, first);
    for (at, frame) in first.iter().enumerate() {
        let (cid, chg) = (&frame["cid"], 3 + at);
        trial.receive(json!({"msgid": 20, "errno": 0, "re": frame["msgid"], "cid": cid, "chg": chg}));
        assert_eq!(trial.resolved(asked[at]), Some(&Ok(Answer::Changed(chg as u64))));
    }
}

#[test]
fn a_program_that_ran_before_is_told_what_was_changed_since_if_it_has_counted() {
    for (chg, wanted) in [(Some(1), json!([{"after": 3, "chg": 1, "with": 2}])), (None, Value::Null)] {
        let places = Some(vec![Since { conversation: with_ben(), after: 3, chg }]);
        let mut trial = Trial::speaking(Box::new(V2));
        trial.session = trial.session.on(Device { places, ..Device::beside_others("desk") });
        trial.connected();
        trial.ask(login(1));
        trial.stands(3, 4);
        let asked =
            trial.written.iter().find(|frame| frame["msgid"] == 36).map(|frame| frame["since"].clone());
        assert_eq!(asked.unwrap_or_default(), wanted, "{chg:?}");
    }
}

#[test]
fn who_does_not_ask_for_changes_asks_for_none() {
    let mut trial = Trial::speaking(Box::new(V2));
    let device = Device { caps: vec![Cap::Own], ..Device::beside_others("desk") };
    trial.session = trial.session.on(device);
    trial.connected();
    trial.ask(login(1));
    assert_eq!(trial.written[0]["caps"], json!(["own"]));
    trial.stands(3, 2);
    trial.lose();
    trial.reconnect();
    trial.stands(3, 9);
    assert!(trial.written.iter().all(|frame| frame["msgid"] != 36));
    trial.lose();
    trial.reconnect();
    trial.stands(4, 9);
    assert_eq!(trial.asked_for().1, json!([{"after": 3, "with": 2}]));
}
