//! The live buffer: what arrives for a reader before it may be pushed, while it logs in or catches up.

use super::Backlog;
use super::reader::Stage;
use crate::connection::{Connections, StoredAs};
use crate::model::envelope::Envelope;
use crate::model::ids::{ConnectionId, GroupId, MessageId, Monotonic};
use crate::port::cx::Cx;
use crate::port::in_flight::StoreRetry;
use crate::port::store::BacklogMessage;
use std::collections::VecDeque;

/// Group messages that a reader may miss at one time. Above: it is cut as too slow a reader.
const MISSING: usize = 16_384;

/// How long a reader does not go live for the sake of messages that it is missing, in milliseconds: they are being
/// stored, or that has failed.
pub(super) const PATIENCE_MS: u64 = 1_000;

/// Messages that arrived while the backlog is not through.
#[derive(Debug, Default)]
pub(super) struct LiveBuffer {
    /// As they arrived.
    messages: VecDeque<BufferedMessage>,
    bytes: usize,
}

/// One of them.
#[derive(Debug)]
pub(super) struct BufferedMessage {
    pub(super) envelope: Envelope,
    /// What pushing it will mean for the backlog.
    pub(super) stored_as: StoredAs,
    /// Whether a page has given it too: then `stored_as` is exact.
    pub(super) given: bool,
}

/// Where a backlog message is stored.
pub(super) fn stored_as(message: &BacklogMessage) -> StoredAs {
    message.pos.map_or(StoredAs::Backlog, |pos| StoredAs::GroupLog(pos - 1))
}

impl LiveBuffer {
    /// Buffers a message. If too much is buffered, all of it is given back: direct messages must be put into the
    /// backlog; those of groups are stored anyway, and are missing until the reader gets them from there.
    fn push(
        &mut self,
        envelope: Envelope,
        stored_as: StoredAs,
        limit_bytes: usize,
    ) -> VecDeque<BufferedMessage> {
        self.bytes += envelope.bytes().len();
        self.messages.push_back(BufferedMessage { envelope, stored_as, given: false });
        if self.bytes <= limit_bytes { VecDeque::new() } else { std::mem::take(self).messages }
    }

    /// Whether this message of a page will come with what is buffered: it is buffered itself, or must not overtake
    /// an earlier one of its sender's, and is buffered from now on.
    pub(super) fn takes(&mut self, message: &BacklogMessage) -> bool {
        let envelope = &message.envelope;
        let mut overtakes = false;
        let mut place = None;
        for (at, buffered) in self.messages.iter_mut().enumerate() {
            if buffered.envelope.mid() == envelope.mid() {
                (buffered.stored_as, buffered.given) = (stored_as(message), true);
                return true;
            }
            let same = buffered.envelope.sender() == envelope.sender()
                && buffered.envelope.target() == envelope.target();
            overtakes |= same && buffered.envelope.mid() < envelope.mid();
            if same && buffered.envelope.mid() > envelope.mid() {
                place = place.or(Some(at));
            }
        }
        if overtakes {
            self.bytes += envelope.bytes().len();
            let buffered =
                BufferedMessage { envelope: envelope.clone(), stored_as: stored_as(message), given: true };
            self.messages.insert(place.unwrap_or(self.messages.len()), buffered);
        }
        overtakes
    }

    /// A message is recalled.
    pub(super) fn drop_recalled(&mut self, mid: MessageId) {
        self.messages.retain(|buffered| buffered.envelope.mid() != mid);
    }

    /// Another session of the reader's user has confirmed one of these: what no backlog has of it is owed to nobody any more.
    /// Whether that is so of this one.
    pub(super) fn confirm(&mut self, mid: MessageId) -> bool {
        let is_it = |buffered: &&mut BufferedMessage| {
            buffered.envelope.mid() == mid && buffered.stored_as == StoredAs::Unstored
        };
        let found = self.messages.iter_mut().find(is_it);
        found.map(|buffered| buffered.stored_as = StoredAs::History).is_some()
    }

    /// Pages have given everything of a group up to `upto`: what they did not give is beyond.
    pub(super) fn advance(&mut self, group: GroupId, upto: u64) {
        for buffered in self.messages.iter_mut().filter(|buffered| !buffered.given) {
            if let StoredAs::GroupLog(pos) = buffered.stored_as
                && buffered.envelope.group() == group
            {
                buffered.stored_as = StoredAs::GroupLog(pos.max(upto));
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &BufferedMessage> {
        self.messages.iter()
    }

    pub(super) fn into_messages(self) -> impl Iterator<Item = BufferedMessage> {
        self.messages.into_iter()
    }
}

impl Backlog {
    /// Hands a live message to its reader: at once, or after its backlog.
    pub(crate) fn push_or_buffer(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: Envelope,
        stored_as: StoredAs,
    ) {
        cx.enter();
        let limit = cx.limits.live_buffer_bytes;
        let Some(reader) = self.readers.get_mut(id) else { return };
        match &mut reader.stage {
            Stage::LoggingIn(buffer) => {
                // Its backlog is not fetched yet, and will have what is spilled, too.
                let spilled = buffer.push(envelope, stored_as, limit);
                let to_store = self.spill_of_login(id, spilled);
                to_store.into_iter().for_each(|envelope| {
                    self.submit_with_retry(cx, None, StoreRetry::StoreMessage { envelope });
                });
            }
            // Already delivered by a page.
            Stage::CatchingUp(catch_up) if catch_up.sent().contains(&envelope.mid()) => {}
            Stage::CatchingUp(catch_up) if !catch_up.has_failed() => {
                let spilled = catch_up.buffer_mut().push(envelope, stored_as, limit);
                if spilled.is_empty() {
                    return;
                }
                for envelope in self.spill_of_catch_up(cx.now, id, spilled) {
                    self.submit_with_retry(cx, Some(id), StoreRetry::StoreMessage { envelope });
                }
            }
            Stage::CatchingUp(_) | Stage::Live => {
                let mid = envelope.mid();
                if reader.has_from_page(mid) {
                    // The same, a little earlier.
                    return;
                }
                if !self.declined.lets_in(cx, connections, id, &envelope) {
                    return;
                }
                if let Some(catch_up) = reader.catch_up_mut() {
                    catch_up.note_sent(mid);
                }
                return self.push(cx, connections, id, envelope, stored_as);
            }
        }
        if self.readers.get(id).is_some_and(|reader| reader.misses() > MISSING) {
            connections.cut(cx, id);
        }
    }

    /// Too much was buffered while a login is under way: what is to be stored of it.
    fn spill_of_login(&mut self, id: ConnectionId, spilled: VecDeque<BufferedMessage>) -> Vec<Envelope> {
        let mut to_store = Vec::new();
        let Some(reader) = self.readers.get_mut(id) else { return to_store };
        for spilled in spilled {
            match spilled.stored_as {
                StoredAs::History => reader.notes.or_default().missed_own = true,
                StoredAs::GroupLog(_) if reader.upto(spilled.envelope.group()).is_none() => {}
                StoredAs::GroupLog(_) => {
                    let missing = &mut reader.notes.or_default().missing;
                    missing.insert(spilled.envelope.mid(), spilled.envelope.group());
                }
                StoredAs::Unstored | StoredAs::AwaitingReceipt | StoredAs::Backlog => {
                    to_store.push(spilled.envelope);
                }
            }
        }
        to_store
    }

    /// Too much was buffered during a catch-up, which begins again: what is to be stored of it.
    fn spill_of_catch_up(
        &mut self,
        now: Monotonic,
        id: ConnectionId,
        spilled: VecDeque<BufferedMessage>,
    ) -> Vec<Envelope> {
        let mut to_store = Vec::new();
        self.finish_page(id);
        let Some(reader) = self.readers.get_mut(id) else { return to_store };
        for spilled in spilled {
            let pos = match spilled.stored_as {
                StoredAs::GroupLog(pos) => pos,
                StoredAs::History => {
                    reader.notes.or_default().missed_own = true;
                    continue;
                }
                StoredAs::Unstored | StoredAs::AwaitingReceipt | StoredAs::Backlog => {
                    to_store.push(spilled.envelope);
                    continue;
                }
            };
            let group = spilled.envelope.group();
            // Who has left the group is not missing it.
            let Some(notes) = reader.notes.get_mut() else { continue };
            let Some(upto) = notes.upto.get_mut(&group) else { continue };
            notes.missing.insert(spilled.envelope.mid(), group);
            if spilled.given {
                *upto = pos.min(*upto);
            }
        }
        if let Some(catch_up) = reader.catch_up_mut() {
            catch_up.begin_again(now.plus(PATIENCE_MS), to_store.len() as u32);
        }
        to_store
    }

    /// Pushes a message that is not refused, and notes what will recognise it.
    pub(super) fn push(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        envelope: Envelope,
        stored_as: StoredAs,
    ) {
        let Some(connection) = connections.get(id) else { return };
        if !connection.is_closing()
            && let Some(reader) = self.readers.get_mut(id)
        {
            match stored_as {
                StoredAs::Unstored | StoredAs::AwaitingReceipt => {
                    reader.notes.or_default().live.note(envelope.mid());
                }
                StoredAs::Backlog => {
                    reader.notes.or_default().in_backlog.insert(envelope.mid());
                }
                StoredAs::GroupLog(_) | StoredAs::History => {}
            }
        }
        connections.push(cx, id, envelope, stored_as);
    }
}

#[cfg(test)]
mod tests;
