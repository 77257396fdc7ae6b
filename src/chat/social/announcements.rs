//! Announcements: what whoever runs the servers says to everybody who is online.
//!
//! One goes to all cores, and each tells its sessions, some a tick. A core knows the last ones by their cids: one that is
//! said again, here or at another server, is told nobody twice.

use super::Social;
use crate::backlog::Backlog;
use crate::connection::{Connection, Connections, Walk};
use crate::model::act::Announcement;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, Millis};
use crate::model::limits::Limits;
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::PublishFlow;
use crate::wire::announced;
use crate::wire::code::Code;
use crate::wire::request::Dialect;
use crate::wire::text::escaped_len;
use std::collections::VecDeque;

/// What is announced.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    /// The last ones that this core knows, the oldest first.
    known: VecDeque<Envelope>,
    /// Those that are being told, the oldest first: everybody hears it before the next one.
    telling: VecDeque<Envelope>,
    /// How far the first of them has come.
    walk: Option<Walk>,
}

impl Announcements {
    fn find(&self, cid: &str) -> Option<&Envelope> {
        self.known.iter().find(|known| known.cid() == cid)
    }

    fn is_full(&self, limits: &Limits) -> bool {
        self.telling.len() >= limits.announcements
    }

    /// Takes one in that is not known, to be told; whether there was room.
    fn take(&mut self, limits: &Limits, envelope: &Envelope) -> bool {
        if self.find(envelope.cid()).is_some() {
            return true;
        }
        if self.is_full(limits) {
            return false;
        }
        if self.known.len() >= limits.announcements_known {
            self.known.pop_front();
        }
        self.known.push_back(envelope.clone());
        self.telling.push_back(envelope.clone());
        true
    }

    /// Which one is told next, and to which of so many slots.
    fn next(&mut self, slots: usize) -> Option<(&Envelope, usize)> {
        loop {
            self.telling.front()?;
            let walk = self.walk.get_or_insert_with(|| Walk::of(slots));
            if let Some(slot) = walk.next(slots) {
                return self.telling.front().map(|envelope| (envelope, slot));
            }
            self.telling.pop_front();
            self.walk = None;
        }
    }
}

impl Social {
    /// The API has something announced, for an acting session: all cores hear of it. When it was, if that was before.
    ///
    /// # Errors
    /// If it cannot be meant, or too many are being told.
    pub(crate) fn on_announce(
        &mut self,
        cx: &mut Cx,
        connection: ConnectionId,
        announcement: &Announcement,
    ) -> Result<Option<Millis>, Code> {
        cx.enter();
        let Announcement { text, cid } = announcement;
        if escaped_len(text.as_bytes()) > cx.limits.announcement_bytes {
            return Err(Code::TooLarge);
        }
        match self.announcements.find(cid) {
            Some(known) if known.body() == text.as_bytes() => return Ok(Some(known.ts())),
            Some(_) => return Err(Code::CidReused),
            None if self.announcements.is_full(&cx.limits) => return Err(Code::Busy),
            None => {}
        }
        let envelope = Envelope::announcement(cx.next_mid(), cx.wall, cid, text);
        let flow = PublishFlow::Announcement { connection, envelope: envelope.clone() };
        cx.publish_counted(Channel::Cores, envelope, flow);
        Ok(None)
    }

    /// All other cores were handed it: now those of this core are told. When it was announced.
    ///
    /// # Errors
    /// If the bus could not carry it: it is to be said again.
    pub(crate) fn on_announcement_published(
        &mut self,
        cx: &mut Cx,
        envelope: &Envelope,
        receivers: Result<u32, BusDown>,
    ) -> Result<Millis, Code> {
        cx.enter();
        let is_told = receivers.is_ok() && self.announcements.take(&cx.limits, envelope);
        if is_told { Ok(envelope.ts()) } else { Err(Code::Busy) }
    }

    /// Another core announces something.
    pub(crate) fn on_announcement_envelope(&mut self, cx: &mut Cx, envelope: &Envelope) {
        cx.enter();
        // What this core published may come back to it: then it knows it, or is about to.
        if !envelope.cid().is_empty() && escaped_len(envelope.body()) <= cx.limits.announcement_bytes {
            self.announcements.take(&cx.limits, envelope);
        }
    }

    /// Tells some of the sessions here what is announced.
    pub(crate) fn go_on_announcing(&mut self, cx: &mut Cx, connections: &mut Connections, backlog: &Backlog) {
        cx.enter();
        let slots = connections.slots();
        for _ in 0..cx.limits.announced_sessions {
            let Some((envelope, slot)) = self.announcements.next(slots) else { return };
            let hears = |connection: &&Connection| {
                connection.is_logged_in() && !backlog.awaits_welcome(connection.id())
            };
            let Some(connection) = connections.at(slot).filter(hears) else { continue };
            let (id, text) = (connection.id(), String::from_utf8_lossy(envelope.body()));
            let frame = match (connection.dialect, connection.user()) {
                (Dialect::V2, _) => announced::notice(&text),
                (Dialect::V1, Some(reader)) => {
                    announced::push(&text, cx.local_time.text(envelope.ts()), reader)
                }
                (Dialect::V1, None) => continue,
            };
            connections.reply(cx, id, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::MessageId;

    fn announcement(number: u64) -> Envelope {
        Envelope::announcement(MessageId(number), Millis(number), &format!("c{number}"), "tea")
    }

    #[test]
    fn everybody_hears_one_before_anybody_hears_the_next() {
        let (limits, mut all) = (Limits::default(), Announcements::default());
        assert!(all.take(&limits, &announcement(1)) && all.take(&limits, &announcement(2)));
        assert!(all.take(&limits, &announcement(1)), "it is known");
        let told: Vec<(u64, usize)> =
            std::iter::from_fn(|| all.next(3).map(|(envelope, slot)| (envelope.mid().0, slot))).collect();
        assert_eq!(told, [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)]);
        assert!(all.next(0).is_none() && all.telling.is_empty());
    }

    #[test]
    fn what_waits_and_what_is_known_is_bounded() {
        let limits = Limits { announcements: 2, announcements_known: 3, ..Limits::default() };
        let mut all = Announcements::default();
        assert!(all.take(&limits, &announcement(1)) && all.take(&limits, &announcement(2)));
        assert!(!all.take(&limits, &announcement(3)), "too many wait");
        while all.next(1).is_some() {}
        assert!(all.take(&limits, &announcement(3)) && all.take(&limits, &announcement(4)));
        let known: Vec<u64> = all.known.iter().map(|known| known.mid().0).collect();
        assert_eq!(known, [2, 3, 4]);
    }
}
