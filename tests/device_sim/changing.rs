//! Devices edit, recall and react; each keeps what it knows of every message, and the number of changes that it has.

use super::people::{conversation, field, mid, number, text, text_number};
use super::world::World;
use chatd::chat::model::change::{RowState, Wanted};
use chatd::chat::model::history::{Conversation, Placed};
use chatd::chat::model::ids::MessageId;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a device knows of a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    text: Option<String>,
    rev: u64,
    recalled: bool,
    /// How many react so.
    reactions: BTreeMap<String, u64>,
}

impl Known {
    /// What a row of SYNC, HISTORY or SEARCH tells.
    pub fn of_frame(row: &Value) -> Self {
        let reactions = row["reactions"].as_array().cloned().unwrap_or_default();
        let reaction = |one: &Value| (text(one, "emoji").expect("emoji"), number(one, "n").expect("n"));
        Self {
            text: text(row, "msg"),
            rev: number(row, "rev").unwrap_or(0),
            recalled: row["recalled"] == true,
            reactions: reactions.iter().map(reaction).collect(),
        }
    }

    /// What the store knows.
    pub fn of_row(row: &Placed) -> Self {
        let frame: Option<Value> = serde_json::from_slice(row.envelope.body()).ok();
        let text = frame.as_ref().and_then(|frame| text(frame, "msg"));
        match &row.state {
            RowState::AsSaid => Self { text, ..Self::default() },
            RowState::Recalled { .. } => Self { recalled: true, ..Self::default() },
            RowState::Changed { rev, reactions } => {
                let reactions = reactions.iter().map(|one| (one.emoji.to_string(), one.n)).collect();
                Self { text, rev: *rev, recalled: false, reactions }
            }
        }
    }

    /// What it says; nothing once it is recalled.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

/// What devices have changed, as all of them together know it.
#[derive(Default)]
pub struct Changing {
    made: u64,
    /// What was asked last by each device, to be said again.
    last: BTreeMap<usize, String>,
    /// Numbers that were acknowledged, by cid.
    acked: BTreeMap<String, u64>,
    /// Recalls that were asked for, by cid: of which text.
    recalls: BTreeMap<String, u64>,
    /// When the recall of a text was acknowledged.
    gone_us: BTreeMap<u64, u64>,
}

impl World {
    /// EDIT, RECALL or REACT of some message, or the last of these again.
    pub fn change_something(&mut self, device: usize, conn: usize) {
        if self.rng.chance(150) {
            if let Some(frame) = self.changing.last.get(&device).cloned() {
                self.count("changes said again");
                self.write(conn, frame);
            }
            return;
        }
        let known: Vec<(Conversation, u64, MessageId)> = self.devices[device]
            .known
            .iter()
            .flat_map(|(&of, known)| known.iter().rev().take(3).map(move |(&pos, &mid)| (of, pos, mid)))
            .collect();
        if known.is_empty() {
            return;
        }
        let (of, pos, mid) = self.rng.pick(&known);
        let said = self.devices[device].states.get(&mid).and_then(|known| known.text.clone());
        let Some(said) = said.as_deref().and_then(|said| said.split('~').nth(1)?.parse::<u64>().ok()) else {
            return;
        };
        let cid = format!("k{}", self.changing.made);
        self.changing.made += 1;
        let made = self.changing.made;
        let place = format!("{},\"pos\":{pos},\"cid\":\"{cid}\"", field(of));
        let frame = match self.rng.below(10) {
            0..=2 => format!("{{\"msgid\":43,{place},\"msg\":\"~{said}~e{made}\"}}"),
            3..=4 => {
                self.changing.recalls.insert(cid, said);
                format!("{{\"msgid\":44,{place}}}")
            }
            _ => {
                let (emoji, on) = (self.rng.pick(&["+1", "o"]), self.rng.chance(700));
                format!("{{\"msgid\":45,{place},\"emoji\":\"{emoji}\",\"on\":{on}}}")
            }
        };
        self.changing.last.insert(device, frame.clone());
        self.count("changes asked for");
        self.write(conn, frame);
    }

    /// A change that the device has asked for is done, now or before.
    pub fn on_change_ack(&mut self, device: usize, conn: usize, frame: &Value) {
        let (cid, chg) = (text(frame, "cid").expect("a cid"), number(frame, "chg").expect("chg"));
        let first = *self.changing.acked.entry(cid.clone()).or_insert(chg);
        assert_eq!(first, chg, "(i) {cid} is answered otherwise than before");
        if let Some(&said) = self.changing.recalls.get(&cid) {
            let now_us = self.now_us;
            self.changing.gone_us.entry(said).or_insert(now_us);
        }
        // Whether it is new, and what came between, SYNC tells.
        let conversations: Vec<Conversation> = self.devices[device].known.keys().copied().collect();
        self.devices[device].to_sync.extend(conversations);
        self.sync_if_idle(device, conn);
    }

    fn sync_if_idle(&mut self, device: usize, conn: usize) {
        if std::mem::replace(&mut self.devices[device].synced, false) {
            self.go_on_syncing(device, conn);
        }
    }

    pub fn on_changed(&mut self, device: usize, conn: usize, frame: &Value) {
        let (of, chg) = (conversation(frame), number(frame, "chg").expect("chg"));
        self.count("changes pushed");
        match self.devices[device].chg.get(&of).copied() {
            Some(known) if chg <= known => {}
            Some(known) if chg == known + 1 => self.apply(device, of, frame),
            Some(_) | None => {
                self.count("changes out of turn");
                self.devices[device].to_sync.insert(of);
                self.sync_if_idle(device, conn);
            }
        }
    }

    fn apply(&mut self, device: usize, of: Conversation, change: &Value) {
        let (chg, mid, user) = (number(change, "chg").expect("chg"), mid(change), self.devices[device].id());
        let of_store = self.store.changes_after(user, of, chg - 1, 0);
        assert!(of_store.first().is_some_and(|one| (one.chg, one.mid) == (chg, mid)), "(i) {change}");
        let known = self.devices[device].states.entry(mid).or_default();
        match text(change, "kind").as_deref() {
            Some("edit") => {
                (known.text, known.rev) = (text(change, "msg"), number(change, "rev").expect("rev"));
            }
            Some("recall") => *known = Known { recalled: true, ..Known::default() },
            Some("react") => {
                let (emoji, n) = (text(change, "emoji").expect("emoji"), number(change, "n").expect("n"));
                known.reactions.insert(emoji, n);
                known.reactions.retain(|_, n| *n > 0);
            }
            other => panic!("what is {other:?}? {change}"),
        }
        self.devices[device].chg.insert(of, chg);
    }

    /// What SYNC tells of a conversation: rows as they are, then what happened after.
    pub fn note_synced(&mut self, device: usize, of: Conversation, synced: &Value) {
        for row in synced["messages"].as_array().expect("messages") {
            self.devices[device].states.insert(mid(row), Known::of_frame(row));
        }
        let stands = number(synced, "chg").expect("chg");
        let had = *self.devices[device].chg.entry(of).or_insert(stands);
        if had > stands {
            // What was pushed while this was asked for is newer than these rows: once more from there.
            self.devices[device].chg.insert(of, stands);
            self.devices[device].to_sync.insert(of);
            return;
        }
        for change in synced["changes"].as_array().expect("changes") {
            if number(change, "chg") > self.devices[device].chg.get(&of).copied() {
                self.apply(device, of, change);
                self.count("changes synced");
            }
        }
        if synced["complete"] == true {
            self.devices[device].chg.insert(of, stands);
        }
    }

    /// A message is pushed. Who logged in after its recall was acknowledged does not hear it.
    pub fn note_text(&mut self, device: usize, frame: &Value) {
        let (said, entered_us) = (text_number(frame), self.devices[device].entered_us);
        let gone_us = self.changing.gone_us.get(&said).copied();
        assert!(
            gone_us.is_none_or(|gone_us| entered_us <= gone_us),
            "(j) text {said} was recalled by {gone_us:?}, and is heard by who came at {entered_us}"
        );
        let known = self.devices[device].states.entry(mid(frame)).or_default();
        if known.text.is_none() && !known.recalled {
            known.text = text(frame, "msg");
        }
    }

    /// What a device knows of each message is what the store does.
    pub fn check_states(&mut self, device: usize, of: Conversation) {
        let user = self.devices[device].id();
        let wanted = Wanted { changes: true, events: true };
        assert_eq!(
            self.devices[device].chg.get(&of),
            Some(&self.store.last_change(user, of)),
            "(i) changes of {of:?} that device {device} of {user:?} has"
        );
        for (pos, mid) in self.stored(user, of) {
            let Some(row) = self.store.row(user, wanted, pos, mid) else { continue };
            if row.envelope.is_event() {
                continue;
            }
            let expected = Known::of_row(&row);
            let known = self.devices[device].states.get(&mid).cloned().unwrap_or_default();
            assert_eq!(known, expected, "(i) {mid:?} at {pos} of {of:?}, device {device} of {user:?}");
        }
        self.count("conversations compared");
    }
}
