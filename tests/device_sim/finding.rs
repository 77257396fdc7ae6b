//! Devices look for words. While others write, what is found is stored, at its place, and for whoever looks; at rest it is all
//! that there is, newest first, with what became of it.

use super::changing::Known;
use super::people::{conversation, mid, number, text};
use super::store::Store;
use super::world::World;
use chatd::chat::model::change::Wanted;
use chatd::chat::model::envelope::Target;
use chatd::chat::model::ids::MessageId;
use serde_json::Value;
use std::collections::BTreeMap;

/// What devices look for, by the number of the search.
#[derive(Default)]
pub struct Finding {
    made: u64,
    looks: BTreeMap<u64, Look>,
}

struct Look {
    q: String,
    /// Whether nothing changes meanwhile.
    at_rest: bool,
    found: Vec<(MessageId, Known)>,
}

impl World {
    /// SEARCH for some text, or for what many have in common.
    pub fn look_for_something(&mut self, device: usize, conn: usize) {
        let q = match self.rng.below(4) {
            0 => "x".to_owned(),
            1 => "e".to_owned(),
            _ => self.rng.below(self.texts.max(1)).to_string(),
        };
        let number = self.finding.made;
        self.finding.made += 1;
        self.write(conn, frame(&q, number, None));
        self.finding.looks.insert(number, Look { q, at_rest: self.at_rest, found: Vec::new() });
        self.count(if self.devices[device].synced { "searches" } else { "searches before it is synced" });
    }

    /// SEARCH_ACK.
    pub fn on_found(&mut self, device: usize, conn: usize, answer: &Value) {
        let look: u64 =
            text(answer, "cid").and_then(|cid| cid.strip_prefix('f')?.parse().ok()).expect("a cid");
        let user = self.devices[device].id();
        for row in answer["messages"].as_array().expect("messages") {
            let (of, mid, pos) = (conversation(row), mid(row), number(row, "pos").expect("pos"));
            self.check_place(of, mid, pos);
            let said = &self.store.messages[&mid].0;
            let is_own = said.sender() == user || !matches!(said.target(), Target::User(to) if to != user);
            assert!(is_own, "(m) {user:?} finds what is between others: {row}");
            let known = Known::of_frame(row);
            let look = self.finding.looks.get_mut(&look).expect("it was asked for");
            assert!(known.text().is_some_and(|text| Store::has_words(text, &look.q)), "(m) {row}");
            look.found.push((mid, known));
        }
        let Look { q, at_rest, found } = &self.finding.looks[&look];
        assert!(found.windows(2).all(|two| two[0].0 > two[1].0), "(m) newest first, and once: {answer}");
        if let Some(before) = text(answer, "before_mid") {
            let frame = frame(q, look, Some(&before));
            self.count("searches that go on");
            return self.write(conn, frame);
        }
        if *at_rest {
            assert_eq!(*found, self.there_is(device, q), "(m) {user:?} looks for {q}");
            self.count("searches compared");
        }
    }

    /// All that a device's user may see and that has these words, newest first.
    fn there_is(&self, device: usize, q: &str) -> Vec<(MessageId, Known)> {
        let user = self.devices[device].id();
        let wanted = Wanted { changes: true, events: false };
        let mut all = BTreeMap::new();
        for of in self.conversations(user) {
            for (pos, mid) in self.stored(user, of) {
                let known = self.store.row(user, wanted, pos, mid).map(|row| Known::of_row(&row));
                let has_words = |known: &Known| known.text().is_some_and(|text| Store::has_words(text, q));
                all.extend(known.filter(has_words).map(|known| (mid, known)));
            }
        }
        all.into_iter().rev().collect()
    }
}

fn frame(q: &str, look: u64, before: Option<&str>) -> String {
    let before = before.map_or(String::new(), |mid| format!(",\"before_mid\":\"{mid}\""));
    format!("{{\"msgid\":57,\"q\":\"{q}\",\"limit\":5{before},\"cid\":\"f{look}\"}}")
}
