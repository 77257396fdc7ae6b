//! Being one of several devices: what the server tells of the others, and catching up by place.

use super::places::Released;
use super::receive::is_passing;
use super::{Output, Session};
use crate::change::Change;
use crate::device::{Heads, Since, Synced};
use crate::dialect::{Heard, Saying};
use crate::event::{Answer, Event};
use crate::message::{Conversation, Mark};
use crate::refusal::Refusal;
use crate::request::Request;
use crate::row::Row;
use chatd_chat::model::ids::{MessageId, UserId};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a server that is too busy for a SYNC is left alone, if it does not say.
const WAIT: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn hear_of_devices(&mut self, heard: Heard, now: Instant, out: &mut Vec<Output>) {
        match heard {
            Heard::Synced { cid, synced, complete } if self.places.is_asked(&cid) => {
                self.synced(synced, complete, now, out);
            }
            Heard::Synced { cid, synced, complete } => {
                if let Some(mut synced) = self.reassembly.synced(&cid, synced, complete) {
                    self.note_own(synced.iter_mut().flat_map(|synced| &mut synced.rows));
                    self.answered(&cid, out, |_| Answer::Synced(synced));
                }
            }
            Heard::Heads { cid: Some(cid), heads } if !self.places.is_asked(&cid) => {
                self.answered(&cid, out, |_| Answer::Heads(heads));
            }
            Heard::Heads { cid, heads } => self.stand(cid.is_some(), heads, now, out),
            Heard::Devices { cid, devices } => self.answered(&cid, out, |_| Answer::Devices(devices)),
            Heard::Read(conversation, by, pos) => {
                out.push(Output::Tell(Event::Read { conversation, by, pos }));
            }
            Heard::Typing(conversation, by, on, expires) => {
                out.push(Output::Tell(Event::Typing { conversation, by, on, expires }));
            }
            Heard::Stored(conversation, places) => self.stored(conversation, places, out),
            Heard::Changed(change) => self.changed(change, out),
            heard => self.hear_of_people(heard, now, out),
        }
    }

    /// Asks for what this device lacks.
    pub(super) fn catch_up(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.speaks_v2()
            && let Some((cid, request)) = self.places.next(now)
        {
            self.write_as(&cid, Saying::Ask(&request), out);
        }
    }

    /// The server says where conversations stand, because it was asked or because something may be missing.
    fn stand(&mut self, asked: bool, heads: Heads, now: Instant, out: &mut Vec<Output>) {
        let begun = self.places.stand(&heads);
        if asked {
            self.release(now, out);
        }
        out.push(Output::Tell(Event::Heads(heads)));
        out.extend(begun.into_iter().filter_map(|conversation| self.up_to(conversation)));
    }

    fn synced(&mut self, synced: Vec<Synced>, complete: bool, now: Instant, out: &mut Vec<Output>) {
        for page in synced {
            let conversation = page.conversation;
            // A conversation may begin later for who joined it later, or end with rows that this device did not ask for.
            let end = page.head * u64::from(page.complete && page.rows.is_empty());
            let after = page.rows.iter().filter_map(Row::pos).max().unwrap_or(end);
            let mut told = BTreeSet::new();
            for row in page.rows {
                let pos = row.pos();
                if self.row(row, now, out) {
                    told.extend(pos);
                }
            }
            for change in page.changes {
                // A row comes as it is now.
                let mine = self.is_me(change.by);
                let is_new = self.places.is_new_change(&change, mine);
                let is_news = is_new && !told.contains(&change.pos) && change.what.is_some();
                out.extend(is_news.then_some(Output::Tell(Event::Changed(change))));
            }
            let since = Since { conversation, after, chg: Some(page.chg) };
            let Released { held, whole } = self.places.told(since, page.complete);
            for row in held {
                self.tell(row, now, out);
            }
            if whole {
                self.places.settle(conversation);
            }
            out.extend(self.up_to(conversation));
        }
        if complete {
            self.release(now, out);
        }
    }

    fn release(&mut self, now: Instant, out: &mut Vec<Output>) {
        for row in self.places.answered() {
            self.tell(row, now, out);
        }
    }

    /// Tells a row that this device lacked, if it did.
    fn row(&mut self, mut row: Row, now: Instant, out: &mut Vec<Output>) -> bool {
        for mid in self.places.found(&row) {
            self.arrived.add(mid, now);
        }
        self.note_own([&mut row]);
        let named = |mark: &Mark| mark.cid.as_deref().is_some_and(|cid| self.outbox.has_named(cid));
        let said_here = match &row {
            Row::Said(message) => {
                message.own
                    && named(&message.mark)
                    && message.conversation != Conversation::With(message.from)
            }
            Row::Happened(event) => self.is_me(event.by.id) && named(&event.mark),
            Row::Recalled(_) => false,
        };
        !said_here && self.tell(row, now, out)
    }

    /// What this user said is marked so.
    pub(super) fn note_own<'a>(&self, rows: impl IntoIterator<Item = &'a mut Row>) {
        for row in rows {
            if let Row::Said(message) = row {
                message.own = self.is_me(message.from);
            }
        }
    }

    /// Something that was said is changed. What the device lacks before it is told first.
    fn changed(&mut self, change: Change, out: &mut Vec<Output>) {
        let conversation = change.conversation;
        let mine = self.is_me(change.by);
        if self.places.changes(&change, mine) {
            out.extend(change.what.is_some().then_some(Output::Tell(Event::Changed(change))));
            out.extend(self.up_to(conversation));
        }
    }

    /// How far a conversation is told now.
    pub(super) fn up_to(&self, conversation: Conversation) -> Option<Output> {
        let Since { conversation, after: pos, chg } = self.places.since(conversation)?;
        (pos > 0).then_some(Output::Tell(Event::UpTo { conversation, pos, chg: chg.unwrap_or(0) }))
    }

    fn is_me(&self, user: UserId) -> bool {
        self.account.speaker().is_some_and(|speaker| speaker.id == user)
    }

    fn stored(&mut self, conversation: Conversation, places: Vec<(MessageId, u64)>, out: &mut Vec<Output>) {
        let at = places.iter().filter_map(|(_, pos)| self.places.stored(conversation, *pos)).max();
        out.push(Output::Tell(Event::Stored { conversation, places }));
        out.extend(at.and_then(|_| self.up_to(conversation)));
    }

    /// A message of this device is stored there.
    pub(super) fn said(&mut self, conversation: Conversation, pos: u64, now: Instant, out: &mut Vec<Output>) {
        let at = self.places.said(conversation, pos, now);
        out.extend(at.and_then(|_| self.up_to(conversation)));
    }

    /// This device has changed something.
    pub(super) fn made(
        &mut self,
        conversation: Conversation,
        chg: u64,
        request: Request,
        now: Instant,
        out: &mut Vec<Output>,
    ) {
        self.places.made(conversation, chg, request, now);
        out.extend(self.up_to(conversation));
    }

    /// The SYNC under way is refused.
    pub(super) fn sync_refused(&mut self, refusal: &Refusal, now: Instant, out: &mut Vec<Output>) {
        if is_passing(refusal.errno) {
            let wait = refusal.retry_after_ms.map_or(WAIT, Duration::from_millis);
            return self.places.put_off(now + wait);
        }
        for row in self.places.give_up() {
            self.tell(row, now, out);
        }
    }

    /// Somebody is logged in on this device.
    pub(super) fn begin_beside_others(&mut self, id: UserId, heads: Option<&Heads>) -> Vec<Output> {
        let begun = self.places.begin(id, heads, &self.device);
        begun.into_iter().filter_map(|conversation| self.up_to(conversation)).collect()
    }
}
