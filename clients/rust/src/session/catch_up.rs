//! Being one of several devices: what the server tells of the others, and catching up by place.

use super::places::Released;
use super::receive::is_passing;
use super::{Output, Session};
use crate::device::{Heads, Synced};
use crate::dialect::{Heard, Saying};
use crate::event::{Answer, Event};
use crate::message::{Conversation, Message};
use crate::refusal::Refusal;
use chatd_chat::model::ids::{MessageId, UserId};
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
                    let messages = synced.iter_mut().flat_map(|synced| &mut synced.messages);
                    messages.for_each(|message| message.own = self.is_own(message));
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
            _ => {}
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
        out.extend(begun.into_iter().map(up_to));
    }

    fn synced(&mut self, synced: Vec<Synced>, complete: bool, now: Instant, out: &mut Vec<Output>) {
        for page in synced {
            let conversation = page.conversation;
            // A conversation may begin later for who joined it later.
            let end = page.head * u64::from(page.complete && page.messages.is_empty());
            let last = page.messages.iter().filter_map(|row| row.mark.pos).max().unwrap_or(end);
            for row in page.messages {
                self.row(row, now, out);
            }
            let Released { held, whole } = self.places.told(conversation, last, page.complete);
            for message in held {
                self.tell(message, now, out);
            }
            let pos = if whole { self.places.settle(conversation) } else { last };
            if pos > 0 {
                out.push(up_to((conversation, pos)));
            }
        }
        if complete {
            self.release(now, out);
        }
    }

    fn release(&mut self, now: Instant, out: &mut Vec<Output>) {
        for message in self.places.answered() {
            self.tell(message, now, out);
        }
    }

    /// Tells a message that this device lacked, if it did.
    fn row(&mut self, mut row: Message, now: Instant, out: &mut Vec<Output>) {
        for mid in self.places.found(&row) {
            self.arrived.add(mid, now);
        }
        row.own = self.is_own(&row);
        let said_here = row.mark.cid.as_deref().is_some_and(|cid| self.outbox.has_named(cid));
        if !(row.own && said_here && row.conversation != Conversation::With(row.from)) {
            self.tell(row, now, out);
        }
    }

    fn is_own(&self, message: &Message) -> bool {
        self.account.speaker().is_some_and(|speaker| speaker.id == message.from)
    }

    fn stored(&mut self, conversation: Conversation, places: Vec<(MessageId, u64)>, out: &mut Vec<Output>) {
        let at = places.iter().filter_map(|(_, pos)| self.places.stored(conversation, *pos)).max();
        out.push(Output::Tell(Event::Stored { conversation, places }));
        out.extend(at.map(|pos| up_to((conversation, pos))));
    }

    /// A message of this device is stored there.
    pub(super) fn said(&mut self, conversation: Conversation, pos: u64, now: Instant, out: &mut Vec<Output>) {
        let at = self.places.said(conversation, pos, now);
        out.extend(at.map(|pos| up_to((conversation, pos))));
    }

    /// The SYNC under way is refused.
    pub(super) fn sync_refused(&mut self, refusal: &Refusal, now: Instant, out: &mut Vec<Output>) {
        if is_passing(refusal.errno) {
            let wait = refusal.retry_after_ms.map_or(WAIT, Duration::from_millis);
            return self.places.put_off(now + wait);
        }
        for message in self.places.give_up() {
            self.tell(message, now, out);
        }
    }

    /// Somebody is logged in on this device.
    pub(super) fn begin_beside_others(&mut self, id: UserId, heads: Option<&Heads>) -> Vec<Output> {
        let heads = heads.filter(|_| self.device.multi);
        let begun = self.places.begin(id, heads, self.device.places.as_deref());
        begun.into_iter().map(up_to).collect()
    }
}

fn up_to((conversation, pos): (Conversation, u64)) -> Output {
    Output::Tell(Event::UpTo { conversation, pos })
}
