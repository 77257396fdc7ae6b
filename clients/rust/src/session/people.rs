//! What the server says of groups, friendships and settings, and what it found.

use super::{Output, Session};
use crate::dialect::Heard;
use crate::event::{Answer, Event};
use crate::message::Conversation;
use crate::row::Row;
use std::time::Instant;

impl Session {
    pub(super) fn hear_of_people(&mut self, heard: Heard, now: Instant, out: &mut Vec<Output>) {
        match heard {
            Heard::Group(event) => {
                let (conversation, pos) = (Conversation::In(event.group), event.mark.pos);
                self.comes(Row::Happened(event), now, out);
                if let Some(pos) = pos {
                    let at = self.places.stored(conversation, pos);
                    out.extend(at.and_then(|_| self.up_to(conversation)));
                }
            }
            Heard::Joins { cid, users } => self.answered(&cid, out, |_| Answer::Joins(users)),
            Heard::Announced(text) => out.push(Output::Tell(Event::Announcement(text))),
            Heard::Friend(event) => out.push(Output::Tell(Event::Friend(event))),
            Heard::Settings(Some(cid), settings) => {
                self.answered(&cid, out, |_| Answer::Settings(settings));
            }
            Heard::Settings(None, settings) => out.push(Output::Tell(Event::Settings(settings))),
            Heard::Sought { cid, mut rows, before, searched_to } => {
                self.note_own(&mut rows);
                self.answered(&cid, out, |_| Answer::Sought { rows, before, searched_to });
            }
            _ => {}
        }
    }
}
