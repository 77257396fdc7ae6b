//! What is told of a random history: an application takes what waits, now and then says so too late, and then has it again.

use super::History;
use crate::contract::trial::Trial;
use crate::outbox::{Kinds, Page, ROW_EVENTS, Step};
use chatd_chat::model::ids::Millis;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often a store is asked that does not answer in time.
const ASKED_MOST: usize = 20;

/// What the application has been told.
#[derive(Default)]
pub struct Told {
    /// By the numbers of the events.
    events: BTreeMap<u64, String>,
    /// Rows that it has, and of which the store does not know that.
    posted: Vec<u64>,
}

fn step(posted: Vec<u64>) -> Step {
    let now = Millis(1_700_000_000_000);
    Step {
        holder: 7,
        now,
        renew: true,
        posted,
        tell: None,
        trim: None,
        undelivered_before: None,
        wanted: true,
    }
}

/// Somebody is to be told of messages.
pub fn begin_telling(trial: &mut Trial) {
    let kinds = Kinds::named(["message"]).expect("it is one");
    trial.opened().set_outbox(kinds, Duration::from_secs(10));
}

impl History {
    /// The application takes what waits; the store learns so now, later, or after it was posted again.
    pub fn be_told(&mut self) -> Page {
        let posted = if self.below(3) > 0 { std::mem::take(&mut self.told.posted) } else { Vec::new() };
        let page = self.ask(posted);
        for row in &page.rows {
            for (number, line) in (row.id * ROW_EVENTS..).zip(row.body.lines()) {
                let before = self.told.events.insert(number, line.to_owned());
                assert!(before.is_none_or(|before| before == line), "a number is that of one event for ever");
            }
        }
        self.told.posted = page.rows.iter().map(|row| row.id).collect();
        page
    }

    /// One that has not answered in time is asked again, as whoever posts does.
    fn ask(&mut self, posted: Vec<u64>) -> Page {
        let step = step(posted);
        let answer = (0..ASKED_MOST).find_map(|_| self.trial.opened().outbox(&step).ok());
        answer.expect("the store works")
    }

    /// All that was stored was told, once, and each conversation by its places.
    pub fn check_told(&mut self) {
        while !self.be_told().rows.is_empty() {}
        let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut mids = BTreeSet::new();
        for line in self.told.events.values() {
            let event: Value = serde_json::from_str(&format!("{{{line}}}")).expect("an event is an object");
            let mid = event["mid"].as_str().expect("a text").parse::<u64>().expect("a number");
            assert!(mids.insert(mid), "{mid} is told of twice");
            let number = |key: &str| event[key].as_u64();
            let conversation = match (number("groupid"), number("from"), number("to")) {
                (Some(group), ..) => format!("group {group}"),
                (None, from, to) => format!("{:?} and {:?}", from.min(to), from.max(to)),
            };
            places.entry(conversation).or_default().push(number("pos").expect("a place"));
        }
        let stored: BTreeSet<u64> = self.stored.iter().map(|envelope| envelope.mid().0).collect();
        assert_eq!(mids, stored, "what is stored is told");
        for (conversation, places) in places {
            assert!(places.iter().copied().eq(1..=places.len() as u64), "{conversation}: {places:?}");
        }
    }
}
