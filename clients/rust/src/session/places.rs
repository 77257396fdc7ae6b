//! How far a device was told each conversation, and of which it has to be told more.
//!
//! Places in a conversation have no gaps, so one number says what was told. What comes in a conversation that has a gap
//! is held until the gap is closed: then it is told in its order, and once.

use super::changes::{Changes, Next};
use crate::change::Change;
use crate::device::{Cap, Device, Heads, Since};
use crate::message::Conversation;
use crate::request::Request;
use crate::row::Row;
use chatd_chat::model::ids::{MessageId, UserId};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Conversations that one SYNC names.
const MOST_NAMED: usize = 200;
/// Rows of each that one SYNC asks for.
const ROWS: u32 = 200;
/// Rows that are held. Above, they are told as they come: rather out of order than not at all.
const MOST_HELD: usize = 4_096;
/// How long a gap before a message of one's own may be due to the word of a place being under way.
const DOUBT: Duration = Duration::from_secs(1);

/// How far one conversation was told.
#[derive(Debug, Default)]
struct Place {
    /// All up to here was told.
    at: u64,
    /// What was told or said beyond, behind a gap.
    beyond: BTreeSet<u64>,
}

impl Place {
    /// Goes on over what is known to have been told.
    fn advance(&mut self) {
        while self.beyond.first().is_some_and(|pos| *pos <= self.at + 1) {
            self.at = self.at.max(self.beyond.pop_first().unwrap_or_default());
        }
    }
}

/// What is to be done about a conversation of which something is missing.
#[derive(Debug, Default)]
struct Behind {
    asked: bool,
    /// The change after which changes were asked for.
    asked_after: u64,
    held: Vec<Row>,
}

/// What a frame of a SYNC's answer leaves to be told of one conversation.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    /// What was held meanwhile.
    pub(super) held: Vec<Row>,
    /// Whether nothing is missing any more.
    pub(super) whole: bool,
}

/// Invariants: `held` counts what is held; conversations of `asked` are in `behind`, unless they were dealt with.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Whose conversations these are.
    reader: Option<UserId>,
    /// Whether there is a session that lives beside others.
    active: bool,
    known: BTreeMap<Conversation, Place>,
    changes: Changes,
    /// Whether the program wants to know what is changed.
    follows_changes: bool,
    /// Whether nothing was told of a conversation that is not known, so that all of it is missing.
    all_known: bool,
    behind: BTreeMap<Conversation, Behind>,
    held: usize,
    /// The SYNC that is under way.
    asked: Option<String>,
    /// The next page of heads begins before this message.
    next_heads: Option<MessageId>,
    numbered: u64,
    not_before: Option<Instant>,
    doubt_at: Option<Instant>,
}

impl Places {
    /// Somebody is logged in, whose conversations stand so. `given`: how far an earlier run of the program was told.
    /// Gives the conversations of which nothing is missing from here on.
    pub(super) fn begin(
        &mut self,
        reader: UserId,
        heads: Option<&Heads>,
        device: &Device,
    ) -> Vec<Conversation> {
        let given = device.places.as_deref();
        self.interrupt();
        if self.reader != Some(reader) {
            *self = Self { reader: Some(reader), numbered: self.numbered, ..Self::default() };
            self.all_known = given.is_some();
            for since in given.unwrap_or_default() {
                self.known.insert(since.conversation, Place { at: since.after, ..Place::default() });
                // Whoever has counted no changes begins with what comes.
                let head = heads.iter().flat_map(|heads| &heads.heads);
                let now = head.filter(|head| head.conversation == since.conversation).map(|head| head.chg);
                self.changes.begin(since.conversation, since.chg.or_else(|| now.max()).unwrap_or(0));
            }
        }
        self.follows_changes = device.caps.contains(&Cap::Changed);
        let Some(heads) = heads.filter(|_| device.multi) else { return Vec::new() };
        self.active = true;
        if !heads.complete {
            // Whatever is in a later page may have a gap: nothing of it is to be told before that is known.
            self.behind = self.known.keys().map(|known| (*known, Behind::default())).collect();
            for head in &heads.heads {
                self.behind.remove(&head.conversation);
            }
        }
        self.stand(heads)
    }

    /// The connection is gone, and what was held comes again.
    pub(super) fn interrupt(&mut self) {
        self.active = false;
        self.behind.clear();
        self.held = 0;
        (self.asked, self.next_heads, self.not_before, self.doubt_at) = (None, None, None, None);
        self.known.values_mut().for_each(|place| place.beyond.clear());
        self.changes.doubt();
    }

    /// Conversations stand so now. Gives those of which nothing is missing from here on.
    pub(super) fn stand(&mut self, heads: &Heads) -> Vec<Conversation> {
        let mut begun = Vec::new();
        if !self.active {
            return begun;
        }
        self.changes.doubt();
        for head in &heads.heads {
            let at = if self.all_known { 0 } else { head.head };
            let place = self.known.entry(head.conversation).or_insert_with(|| {
                begun.extend((at > 0).then_some(head.conversation));
                Place { at, ..Place::default() }
            });
            if self.all_known {
                self.changes.begin(head.conversation, 0);
            }
            let has_changed = self.follows_changes && self.changes.stand(head.conversation, head.chg);
            if place.at < head.head || has_changed {
                self.behind.entry(head.conversation).or_default();
            }
        }
        self.next_heads = heads.heads.last().map(|head| head.mid).filter(|_| !heads.complete);
        self.all_known |= self.next_heads.is_none();
        begun
    }

    /// The SYNC to be written now, and its `cid`.
    pub(super) fn next(&mut self, now: Instant) -> Option<(String, Request)> {
        self.doubt(now);
        if !self.active || self.asked.is_some() || self.not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.not_before = None;
        let due = self.behind.iter_mut().take(MOST_NAMED);
        let since: Vec<Since> = due
            .map(|(conversation, behind)| {
                let after = self.known.get(conversation).map_or(0, |place| place.at);
                let chg = self.changes.at(*conversation);
                (behind.asked, behind.asked_after) = (true, chg);
                Since { conversation: *conversation, after, chg: self.follows_changes.then_some(chg) }
            })
            .collect();
        let request = match (since.is_empty(), self.next_heads) {
            (false, _) => Request::Sync { since, limit: ROWS },
            (true, Some(before)) => Request::Heads { before: Some(before), limit: ROWS },
            (true, None) => return None,
        };
        self.numbered += 1;
        let cid = format!("sync-{}", self.numbered);
        self.asked = Some(cid.clone());
        Some((cid, request))
    }

    /// When something is to be done that no frame tells of.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        let put_off = self.not_before.filter(|_| self.active);
        put_off.into_iter().chain(self.doubt_at).min()
    }

    fn doubt(&mut self, now: Instant) {
        if self.doubt_at.is_none_or(|at| now < at) {
            return;
        }
        self.doubt_at = None;
        for (conversation, place) in &self.known {
            if !place.beyond.is_empty() {
                self.behind.entry(*conversation).or_default();
            }
        }
        for conversation in self.changes.behind() {
            self.behind.entry(conversation).or_default();
        }
    }

    /// Whether this answers the SYNC that is under way.
    pub(super) fn is_asked(&self, cid: &str) -> bool {
        self.asked.as_deref() == Some(cid)
    }

    /// The SYNC under way is answered in full: what it named and the answer did not is not to be had.
    pub(super) fn answered(&mut self) -> Vec<Row> {
        self.asked = None;
        let mut held = Vec::new();
        self.behind.retain(|_, behind| {
            if behind.asked {
                held.append(&mut behind.held);
            }
            !behind.asked
        });
        self.held -= held.len();
        held
    }

    /// The SYNC under way is to be said again, not before `at`.
    pub(super) fn put_off(&mut self, at: Instant) {
        (self.asked, self.not_before) = (None, Some(at));
        self.behind.values_mut().for_each(|behind| behind.asked = false);
    }

    /// The server does not answer such a SYNC.
    pub(super) fn give_up(&mut self) -> Vec<Row> {
        if self.behind.values().all(|behind| !behind.asked) {
            self.next_heads = None;
        }
        self.answered()
    }

    /// Holds a row back whose conversation has a gap; else it is to be told now.
    pub(super) fn hold(&mut self, row: Row) -> Option<Row> {
        let conversation = row.conversation();
        if !self.active || self.held >= MOST_HELD {
            return Some(row);
        }
        let may_lack = self.all_known && self.next_heads.is_some() && !self.known.contains_key(&conversation);
        if may_lack {
            self.behind.entry(conversation).or_default();
        }
        let Some(behind) = self.behind.get_mut(&conversation) else { return Some(row) };
        behind.held.push(row);
        self.held += 1;
        None
    }

    /// A row of an answer is about to be told: what is held and the same need not be. What the server calls that.
    pub(super) fn found(&mut self, row: &Row) -> Vec<MessageId> {
        let Some(behind) = self.behind.get_mut(&row.conversation()) else { return Vec::new() };
        let same: Vec<Row> = behind.held.extract_if(.., |held| is_same(held, row)).collect();
        self.held -= same.len();
        same.iter().filter_map(Row::mid).collect()
    }

    /// All rows of a conversation in a frame of the answer were told, up to `last`.
    pub(super) fn told(&mut self, told: Since, complete: bool) -> Released {
        let Since { conversation, after: last, chg } = told;
        let chg = chg.unwrap_or(0);
        let place = self.known.entry(conversation).or_default();
        place.at = place.at.max(last);
        if !complete {
            if let Some(behind) = self.behind.get_mut(&conversation) {
                behind.asked = false;
            }
            return Released::default();
        }
        let Behind { held, asked_after, .. } = self.behind.remove(&conversation).unwrap_or_default();
        self.held -= held.len();
        let moved = self.changes.at(conversation).max(chg) > asked_after;
        if self.follows_changes && self.changes.told(conversation, chg, moved) {
            self.behind.entry(conversation).or_default();
        }
        Released { held, whole: true }
    }

    /// What was held is told, too. How far the conversation is told now.
    pub(super) fn settle(&mut self, conversation: Conversation) -> u64 {
        let place = self.known.entry(conversation).or_default();
        place.advance();
        place.at
    }

    /// A change comes; whether it is to be told now. Else it was told, or the answer to a SYNC will have it.
    pub(super) fn changes(&mut self, change: &Change, mine: bool) -> bool {
        let conversation = change.conversation;
        if !self.active {
            return true;
        }
        if self.all_known {
            self.changes.begin(conversation, 0);
        }
        if self.behind.contains_key(&conversation) {
            self.changes.stand(conversation, change.chg);
            return false;
        }
        let next = self.changes.comes(change, mine);
        if next == Next::Ask {
            self.behind.entry(conversation).or_default();
        }
        next == Next::Tell
    }

    /// An answer has this change; whether it is to be told.
    pub(super) fn is_new_change(&mut self, change: &Change, mine: bool) -> bool {
        self.changes.is_new(change, mine)
    }

    /// This device has changed something, and the answer has this number. The word of what was before it may be under way.
    pub(super) fn made(&mut self, conversation: Conversation, chg: u64, request: Request, now: Instant) {
        if !self.active || !self.follows_changes || chg == 0 {
            return;
        }
        if self.all_known {
            self.changes.begin(conversation, 0);
        }
        if self.changes.made(conversation, chg, request) && !self.behind.contains_key(&conversation) {
            self.doubt_at.get_or_insert(now + DOUBT);
        }
    }

    /// How far a conversation was told.
    pub(super) fn since(&self, conversation: Conversation) -> Option<Since> {
        let place = self.known.get(&conversation).filter(|_| self.active)?;
        let chg = self.follows_changes.then(|| self.changes.at(conversation));
        Some(Since { conversation, after: place.at, chg })
    }

    /// A message that was told is stored at `pos`. How far the conversation is told now, if that is news.
    pub(super) fn stored(&mut self, conversation: Conversation, pos: u64) -> Option<u64> {
        let news = self.learn(conversation, pos);
        if self.active && self.has_gap(conversation) {
            self.behind.entry(conversation).or_default();
        }
        news
    }

    /// The same of a message that this device said. The word of what came before it may be under way.
    pub(super) fn said(&mut self, conversation: Conversation, pos: u64, now: Instant) -> Option<u64> {
        let news = self.learn(conversation, pos);
        if self.active && self.has_gap(conversation) {
            self.doubt_at.get_or_insert(now + DOUBT);
        }
        news
    }

    fn has_gap(&self, conversation: Conversation) -> bool {
        !self.behind.contains_key(&conversation)
            && self.known.get(&conversation).is_some_and(|place| !place.beyond.is_empty())
    }

    fn learn(&mut self, conversation: Conversation, pos: u64) -> Option<u64> {
        if !self.active || pos == 0 {
            return None;
        }
        let first = if self.all_known { 0 } else { pos - 1 };
        let place = self.known.entry(conversation).or_insert_with(|| Place { at: first, ..Place::default() });
        if pos <= place.at {
            return None;
        }
        place.beyond.insert(pos);
        if self.behind.contains_key(&conversation) {
            // What is held is not told.
            return None;
        }
        let before = place.at;
        place.advance();
        (place.at > before).then_some(place.at)
    }
}

/// Whether what is held is this row of an answer.
fn is_same(held: &Row, row: &Row) -> bool {
    match (held, row) {
        (Row::Said(held), Row::Said(row)) => held.from == row.from && held.mark.cid == row.mark.cid,
        _ => held.mid().is_some() && held.mid() == row.mid(),
    }
}
