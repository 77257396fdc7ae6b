//! A reader: what one connection was sent and could be sent again, and what it is missing.

use super::Backlog;
use super::catch_up::CatchUp;
use super::live_buffer::LiveBuffer;
use crate::connection::StoredAs;
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, GroupId, MessageId, SessionEpoch, UserId};
use crate::model::seldom::Seldom;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// One connection that gets a user's messages.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) user: UserId,
    pub(super) epoch: SessionEpoch,
    pub(super) stage: Stage,
    /// What it was sent lately, and what it is missing. Who is live and silent has nothing of it.
    pub(super) notes: Seldom<Notes>,
}

/// What a reader was sent and could be sent again, and what it is missing.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Pushed messages that lie in the user's backlog until they are taken out.
    pub(super) in_backlog: FxHashSet<MessageId>,
    /// The last pushes that were in no backlog when they were pushed, to recognise them in a page.
    pub(super) live: RecentPushes,
    /// The last pushes from pages, to recognise them when they arrive.
    pub(super) from_pages: RecentPushes,
    /// Group messages that reached this core and were not pushed: they come from the backlog, when they are stored.
    pub(super) missing: FxHashMap<MessageId, GroupId>,
    /// Whether it was not pushed something that another session of its user has sent: no backlog has that.
    pub(super) missed_own: bool,
    /// Until it is live: the place in each of its groups up to which it was sent everything.
    pub(super) upto: FxHashMap<GroupId, u64>,
}

/// How far a reader is.
#[derive(Debug)]
pub(super) enum Stage {
    /// Its login is under way: what arrives waits.
    LoggingIn(Box<LiveBuffer>),
    /// It gets its backlog: what arrives waits in it.
    CatchingUp(Box<CatchUp>),
    Live,
}

/// The last few pushes of some sort.
#[derive(Debug, Default)]
pub(super) struct RecentPushes(VecDeque<MessageId>);

impl RecentPushes {
    /// More than a page of the backlog holds.
    const MOST: usize = 256;

    pub(super) fn note(&mut self, mid: MessageId) {
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(mid);
    }

    pub(super) fn has(&self, mid: MessageId) -> bool {
        self.0.contains(&mid)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.0.iter().copied()
    }
}

impl Reader {
    fn new(user: UserId, epoch: SessionEpoch) -> Self {
        Self { user, epoch, stage: Stage::LoggingIn(Box::default()), notes: Seldom::default() }
    }

    /// Whether a page has given it this message, or will.
    pub(super) fn has_from_page(&self, mid: MessageId) -> bool {
        self.notes.get().is_some_and(|notes| notes.from_pages.has(mid) || notes.in_backlog.contains(&mid))
    }

    /// Whether this message lies in its user's backlog until it is taken out.
    pub(super) fn has_in_backlog(&self, mid: MessageId) -> bool {
        self.notes.get().is_some_and(|notes| notes.in_backlog.contains(&mid))
    }

    /// This message was sent, or will not come: it is not missing.
    pub(super) fn miss_no_more(&mut self, mid: MessageId) {
        if let Some(notes) = self.notes.get_mut() {
            notes.missing.remove(&mid);
        }
    }

    /// Whether it is missing anything.
    pub(super) fn misses(&self) -> usize {
        self.notes.get().map_or(0, |notes| notes.missing.len())
    }

    /// Until it is live: the place in a group up to which it was sent everything.
    pub(super) fn upto(&self, group: GroupId) -> Option<u64> {
        self.notes.get()?.upto.get(&group).copied()
    }

    pub(super) fn catch_up(&self) -> Option<&CatchUp> {
        match &self.stage {
            Stage::CatchingUp(catch_up) => Some(catch_up),
            Stage::LoggingIn(_) | Stage::Live => None,
        }
    }

    pub(super) fn catch_up_mut(&mut self) -> Option<&mut CatchUp> {
        match &mut self.stage {
            Stage::CatchingUp(catch_up) => Some(catch_up),
            Stage::LoggingIn(_) | Stage::Live => None,
        }
    }
}

impl Backlog {
    /// Somebody is logging in: live messages wait from now on.
    pub(crate) fn begin_login(&mut self, id: ConnectionId, user: UserId, epoch: SessionEpoch) {
        self.readers.insert(id, Box::new(Reader::new(user, epoch)));
    }

    pub(super) fn catch_up_of(&self, id: ConnectionId) -> Option<&CatchUp> {
        self.readers.get(id)?.catch_up()
    }

    pub(super) fn catch_up_of_mut(&mut self, id: ConnectionId) -> Option<&mut CatchUp> {
        self.readers.get_mut(id)?.catch_up_mut()
    }

    /// The connection reads no more; live messages that it was not pushed.
    pub(crate) fn end(&mut self, id: ConnectionId) -> impl Iterator<Item = Envelope> + use<> {
        let buffer = match self.readers.remove(id).map(|reader| reader.stage) {
            Some(Stage::LoggingIn(buffer)) => *buffer,
            Some(Stage::CatchingUp(catch_up)) => catch_up.into_buffer(),
            Some(Stage::Live) | None => LiveBuffer::default(),
        };
        let to_return = buffer.into_messages().filter(|buffered| buffered.stored_as != StoredAs::History);
        to_return.map(|buffered| buffered.envelope)
    }

    /// A group more: everything up to `upto` was sent, or is none of the reader's.
    pub(crate) fn track_group(&mut self, id: ConnectionId, group: GroupId, upto: u64) {
        if let Some(reader) = self.readers.get_mut(id) {
            reader.notes.or_default().upto.insert(group, upto);
        }
    }

    /// A group less.
    pub(crate) fn forget_group(&mut self, id: ConnectionId, group: GroupId) {
        if let Some(notes) = self.readers.get_mut(id).and_then(|reader| reader.notes.get_mut()) {
            notes.upto.remove(&group);
            notes.missing.retain(|_, of| *of != group);
        }
    }

    /// Until a reader is live: the place in a group up to which it was sent everything.
    pub(crate) fn upto(&self, id: ConnectionId, group: GroupId) -> Option<u64> {
        self.readers.get(id)?.upto(group)
    }

    /// Whether a group message reached this core and was not pushed to this reader.
    pub(crate) fn is_missing(&self, id: ConnectionId, mid: MessageId) -> bool {
        self.readers
            .get(id)
            .and_then(|reader| reader.notes.get())
            .is_some_and(|notes| notes.missing.contains_key(&mid))
    }

    /// A message is recalled: a reader is not pushed it any more, and does not wait for it.
    pub(crate) fn recall(&mut self, id: ConnectionId, mid: MessageId) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        reader.miss_no_more(mid);
        match &mut reader.stage {
            Stage::LoggingIn(buffer) => buffer.drop_recalled(mid),
            Stage::CatchingUp(catch_up) => catch_up.buffer_mut().drop_recalled(mid),
            Stage::Live => {}
        }
    }

    /// Another session of its user has confirmed these: what of them waits for a reader is pushed, and is not returned.
    pub(crate) fn confirm(&mut self, id: ConnectionId, mids: &[MessageId]) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        let buffer = match &mut reader.stage {
            Stage::LoggingIn(buffer) => buffer,
            Stage::CatchingUp(catch_up) => catch_up.buffer_mut(),
            Stage::Live => return,
        };
        for &mid in mids {
            if buffer.confirm(mid) {
                // A page may have it all the same, if a third session has returned it.
                reader.notes.or_default().live.note(mid);
            }
        }
    }

    /// A reader is not pushed something that another session of its user has sent; whether that is remembered until it is
    /// live.
    pub(crate) fn miss_own(&mut self, id: ConnectionId) -> bool {
        let reader = self.readers.get_mut(id).filter(|reader| !matches!(reader.stage, Stage::Live));
        reader.map(|reader| reader.notes.or_default().missed_own = true).is_some()
    }

    /// Whether a reader was not pushed something that another session of its user has sent; forgets it.
    pub(crate) fn take_missed_own(&mut self, id: ConnectionId) -> bool {
        let notes = self.readers.get_mut(id).and_then(|reader| reader.notes.get_mut());
        notes.is_some_and(|notes| std::mem::take(&mut notes.missed_own))
    }

    /// Whether nothing but what is said from now on is still to come to a reader.
    pub(crate) fn is_live(&self, id: ConnectionId) -> bool {
        let is_live = |reader: &Reader| {
            matches!(reader.stage, Stage::Live)
                && reader.notes.get().is_none_or(|notes| notes.upto.is_empty())
        };
        self.readers.get(id).is_some_and(|reader| is_live(reader))
    }

    /// Whether a reader's catch-up is not through.
    pub(crate) fn is_catching_up(&self, id: ConnectionId) -> bool {
        self.catch_up_of(id).is_some()
    }

    /// Whether a reader waits for its login answer: the store has to be there for that.
    pub(crate) fn awaits_welcome(&self, id: ConnectionId) -> bool {
        self.catch_up_of(id).is_some_and(CatchUp::awaits_welcome)
    }

    /// A reader who has its backlog.
    #[cfg(test)]
    pub(crate) fn make_live(&mut self, id: ConnectionId) {
        if let Some(reader) = self.readers.get_mut(id) {
            reader.stage = Stage::Live;
        }
    }

    /// Nothing has been under way to a reader for a while: it forgets its last pushes.
    pub(crate) fn forget_recent(&mut self, id: ConnectionId) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        let Some(notes) = reader.notes.get_mut() else { return };
        (notes.live, notes.from_pages) = Default::default();
        reader.notes.take_if(|notes| {
            notes.in_backlog.is_empty() && notes.missing.is_empty() && notes.upto.is_empty()
        });
    }

    /// Live messages that wait until their reader's catch-up is through.
    pub(crate) fn buffered_messages(&self) -> usize {
        let catch_ups = self.catching_up.iter().filter_map(|&id| self.catch_up_of(id));
        catch_ups.map(CatchUp::buffered_messages).sum()
    }

    /// What waits for a catch-up and was not sent with a page.
    pub(crate) fn unsent(&self, id: ConnectionId) -> impl Iterator<Item = (&Envelope, StoredAs)> + '_ {
        self.catch_up_of(id).into_iter().flat_map(CatchUp::unsent)
    }

    /// While a reader catches up: the place that the page being sent has brought it to in a group.
    pub(crate) fn reached(&self, id: ConnectionId, group: GroupId) -> Option<u64> {
        let reader = self.readers.get(id)?;
        Some(reader.catch_up()?.reached(group, reader.upto(group)?))
    }

    /// While a reader catches up: what it was sent and could be in a page.
    pub(crate) fn sent(&self, id: ConnectionId) -> Option<&FxHashSet<MessageId>> {
        self.catch_up_of(id).map(CatchUp::sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_silent_is_small() {
        assert!(size_of::<Reader>() <= 40, "{}", size_of::<Reader>());
    }
}
