//! What is told of a random history: an application takes what waits, now and then says so too late, and then has it again.
//! Of groups it is told who lacks what, at any time.

use super::History;
use crate::contract::trial::Trial;
use crate::outbox::{Kinds, Page, ROW_EVENTS, Step};
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
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
    /// Up to which place of a group it was told who lacks something.
    upto: BTreeMap<GroupId, u64>,
    /// What it should have been told of that.
    lacks: BTreeSet<Lack>,
}

/// A message, a member who lacks it, and the place up to which that one has everything.
type Lack = (u64, u64, u64);

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
    let kinds = Kinds::named(["message", "undelivered"]).expect("they are");
    trial.opened().set_outbox(kinds, Duration::from_secs(10));
}

/// When a message of these histories was sent.
fn ts_of(mid: MessageId) -> Millis {
    Millis(mid.0 + 7)
}

impl History {
    /// The application takes what waits; the store learns so now, later, or after it was posted again.
    pub fn be_told(&mut self) -> Page {
        let posted = if self.below(3) > 0 { std::mem::take(&mut self.told.posted) } else { Vec::new() };
        let page = self.ask(&step(posted));
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
    fn ask(&mut self, step: &Step) -> Page {
        let answer = (0..ASKED_MOST).find_map(|_| self.trial.opened().outbox(step).ok());
        answer.expect("the store works")
    }

    /// It is looked who lacks what was said in groups before some time.
    pub fn look_who_lacks(&mut self) {
        let before = Millis(900 + self.below(500) as u64);
        self.lack(before);
        drop(self.ask(&Step { undelivered_before: Some(before), wanted: false, ..step(Vec::new()) }));
    }

    /// What is to be told of that: of all that was said before then and follows what was told before, to each member the
    /// newest that it lacks.
    fn lack(&mut self, before: Millis) {
        for group in self.groups {
            let places = self.places.get(&group).map_or(&[][..], Vec::as_slice);
            let from = self.told.upto.get(&group).copied().unwrap_or(0);
            let is_due = |(mid, _): &&(MessageId, UserId)| ts_of(*mid) <= before;
            let upto = from + places[from as usize..].iter().take_while(is_due).count() as u64;
            self.told.upto.insert(group, upto);
            let members = self.cursors.iter().filter(|((_, of), _)| *of == group);
            for ((user, _), cursor) in members {
                let marker = self.markers.get(&(*user, Conversation::Group(group)));
                let after = self.joined[&(*user, group)].max(*cursor).max(marker.copied().unwrap_or(0));
                let stretch = (from.max(after).min(upto) as usize)..upto as usize;
                let lacked = places[stretch].iter().rev().find(|(_, sender)| sender != user);
                let lack = |(mid, _): &(MessageId, UserId)| (mid.0, u64::from(user.get()), after);
                self.told.lacks.extend(lacked.map(lack));
            }
        }
    }

    /// All that was stored was told, once, and each conversation by its places.
    pub fn check_told(&mut self) {
        while !self.be_told().rows.is_empty() {}
        let mut lacks = BTreeSet::new();
        let mut places: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut mids = BTreeSet::new();
        for line in self.told.events.values() {
            let event: Value = serde_json::from_str(&format!("{{{line}}}")).expect("an event is an object");
            let mid = event["mid"].as_str().expect("a text").parse::<u64>().expect("a number");
            if event["type"] == "undelivered" {
                for user in event["users"].as_array().into_iter().flatten() {
                    let [id, after] = ["user", "after"].map(|key| user[key].as_u64().expect("a number"));
                    assert!(lacks.insert((mid, id, after)), "{id} is told of twice: {event}");
                }
                continue;
            }
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
        assert_eq!(lacks, self.told.lacks, "who lacks something is told of");
        for (conversation, places) in places {
            assert!(places.iter().copied().eq(1..=places.len() as u64), "{conversation}: {places:?}");
        }
    }
}
