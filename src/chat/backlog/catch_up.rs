//! Catch-up: a backlog on its way to its reader.
//!
//! Fetching takes nothing away. A page is pushed, the next one is fetched when there is room for it, and what
//! arrives live meanwhile is buffered; when nothing waits any more, the buffer follows and the reader is live. What
//! the reader was sent already is recognised by its id. [`page`] has what is done with one page.

mod page;

use super::Backlog;
use super::live_buffer::{BufferedMessage, LiveBuffer, PATIENCE_MS};
use super::reader::Stage;
use crate::connection::{Connection, Connections, StoredAs};
use crate::model::envelope::{Envelope, Target};
use crate::model::ids::{ConnectionId, GroupId, MessageId, Monotonic};
use crate::port::cx::Cx;
use crate::port::effect::Effect;
use crate::port::store::BacklogMessage;
pub(crate) use page::PageOutcome;
use page::fetch_page;
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// A backlog on its way to its reader.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// Whether the first page is to come with the login answer.
    awaits_welcome: bool,
    buffer: LiveBuffer,
    /// Whether a page is being fetched.
    fetching: bool,
    /// Whether the page that is being fetched is not to be used.
    stale: bool,
    /// Whether something was put into the backlog since its first page was fetched: there will be another round.
    again: bool,
    /// Whether the store gave no page: while nothing is fetched, live messages are not buffered.
    failed: bool,
    /// How often, one after the other, the store refused a page for good.
    refusals: u32,
    /// Before then it is not asked again.
    refused_until: Monotonic,
    /// The last message that is in the backlog by itself, of the page before.
    after: MessageId,
    /// What is left of the page, while it is sent message by message.
    rest: VecDeque<BacklogMessage>,
    /// The groups that the page was fetched for.
    fetched_for: Vec<GroupId>,
    /// Where they stand once `rest` is through.
    heads: Vec<(GroupId, u64)>,
    /// Whether that page was the last one.
    complete: bool,
    /// Messages on their way into the backlog because the buffer was full: the catch-up is not through before them.
    spilling: u32,
    /// Until when it waits for word that messages it is missing are stored.
    patience: Monotonic,
    /// What was sent to the reader and could be in a page: live before the catch-up began, or with an earlier page.
    sent: FxHashSet<MessageId>,
}

/// Whether a reader is to fetch its backlog again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FetchAgain {
    /// It is not logged in: it will fetch later anyway.
    No,
    /// It catches up already, and will make another round.
    Continues,
    /// It was live: its catch-up is to begin.
    Begins,
}

/// What a reader knows of its groups when its catch-up begins.
#[derive(Debug, Default)]
pub(crate) struct CatchUpStart {
    /// The place in each group up to which it has everything.
    pub(crate) upto: Vec<(GroupId, u64)>,
    /// Messages of groups that reached it and lie beyond.
    pub(crate) beyond: Vec<MessageId>,
}

/// What came of going on with a catch-up.
#[derive(Debug)]
pub(crate) enum CatchUpOutcome {
    /// It goes on later, or was through before.
    Waits,
    /// Nothing waits any more: the reader is live, and stands here in its groups.
    Finished { upto: Vec<(GroupId, u64)> },
}

impl CatchUp {
    fn new(buffer: LiveBuffer, sent: FxHashSet<MessageId>) -> Self {
        Self {
            awaits_welcome: false,
            buffer,
            fetching: false,
            stale: false,
            again: true,
            failed: false,
            refusals: 0,
            refused_until: Monotonic(0),
            after: MessageId(0),
            rest: VecDeque::new(),
            fetched_for: Vec::new(),
            heads: Vec::new(),
            complete: false,
            spilling: 0,
            patience: Monotonic(0),
            sent,
        }
    }

    pub(super) fn awaits_welcome(&self) -> bool {
        self.awaits_welcome
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    pub(super) fn sent(&self) -> &FxHashSet<MessageId> {
        &self.sent
    }

    pub(super) fn buffer_mut(&mut self) -> &mut LiveBuffer {
        &mut self.buffer
    }

    pub(super) fn into_buffer(self) -> LiveBuffer {
        self.buffer
    }

    pub(super) fn buffered_messages(&self) -> usize {
        self.buffer.len()
    }

    /// The place up to which the page that is being sent has brought a group, from `upto` on.
    pub(super) fn reached(&self, group: GroupId, upto: u64) -> u64 {
        let Some(&(_, head)) = self.heads.iter().find(|(of, _)| *of == group) else { return upto };
        let of_group = |message: &&BacklogMessage| {
            message.pos.is_some() && message.envelope.target() == Target::Group(group)
        };
        let next = self.rest.iter().filter(of_group).filter_map(|message| message.pos).min();
        upto.max(next.map_or(head, |next| next - 1))
    }

    /// What was buffered is in the backlog, or will be: begins again from the front, so that nothing overtakes it.
    pub(super) fn begin_again(&mut self, patience: Monotonic, spilling: u32) {
        self.rest.clear();
        self.heads.clear();
        self.stale = self.fetching;
        (self.complete, self.again) = (true, true);
        self.patience = patience;
        self.spilling += spilling;
    }

    /// The store refuses a page for good. It may be repaired while the reader is here, so it is asked again, each
    /// time after twice as long: asking costs it a proof that it works at all.
    fn refuse(&mut self, now: Monotonic) {
        const FIRST_MS: u64 = 1_000;
        const LONGEST_MS: u64 = 300_000;
        let wait_ms = FIRST_MS << self.refusals.min(16);
        self.refusals += 1;
        self.refused_until = now.plus(wait_ms.min(LONGEST_MS));
    }

    /// What is buffered and was not sent with a page.
    pub(super) fn unsent(&self) -> impl Iterator<Item = (&Envelope, StoredAs)> + '_ {
        let buffered = self.buffer.iter().map(|buffered| (&buffered.envelope, buffered.stored_as));
        buffered.filter(|(envelope, _)| !self.sent.contains(&envelope.mid()))
    }

    /// Notes that a message was sent; whether it is the first time. Forgets all where a store is busy for so long
    /// that it becomes too much: after a fault, a message may come twice.
    pub(super) fn note_sent(&mut self, mid: MessageId) -> bool {
        const MOST: usize = 65_536;
        if self.sent.len() >= MOST {
            self.sent.clear();
        }
        self.sent.insert(mid)
    }
}

impl Backlog {
    /// A login is through: its reader catches up, and its first page comes with the login answer.
    pub(crate) fn finish_login(&mut self, cx: &Cx, id: ConnectionId) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        let Stage::LoggingIn(buffer) = std::mem::replace(&mut reader.stage, Stage::Live) else { return };
        let mut catch_up = CatchUp::new(*buffer, FxHashSet::default());
        (catch_up.awaits_welcome, catch_up.patience) = (true, cx.now.plus(PATIENCE_MS));
        reader.stage = Stage::CatchingUp(Box::new(catch_up));
        self.catching_up.push_back(id);
    }

    /// Somebody says that the reader has something waiting. If its catch-up is to begin, `begin` is next; then
    /// `continue_catch_up`.
    pub(crate) fn fetch_again(&mut self, id: ConnectionId) -> FetchAgain {
        let Some(reader) = self.readers.get_mut(id) else { return FetchAgain::No };
        match &mut reader.stage {
            Stage::LoggingIn(_) => FetchAgain::No,
            Stage::CatchingUp(catch_up) => {
                catch_up.again = true;
                FetchAgain::Continues
            }
            Stage::Live => FetchAgain::Begins,
        }
    }

    /// From now on live messages are buffered; what was sent until now and could be in a page is noted.
    pub(crate) fn begin(&mut self, connections: &Connections, id: ConnectionId, start: CatchUpStart) {
        let Some(reader) = self.readers.get_mut(id) else { return };
        let mut sent: FxHashSet<MessageId> = FxHashSet::default();
        if let Some(notes) = reader.notes.get() {
            sent.extend(notes.in_backlog.iter().copied());
            sent.extend(notes.live.iter().chain(notes.from_pages.iter()));
        }
        let unconfirmed =
            connections.get(id).into_iter().flat_map(|connection| connection.window.unconfirmed());
        sent.extend(unconfirmed.map(|push| push.envelope.mid()));
        let is_missing =
            |mid: &MessageId| reader.notes.get().is_some_and(|notes| notes.missing.contains_key(mid));
        sent.extend(start.beyond.into_iter().filter(|mid| !is_missing(mid)));
        for (group, upto) in start.upto {
            reader.notes.or_default().upto.entry(group).or_insert(upto);
        }
        reader.stage = Stage::CatchingUp(Box::new(CatchUp::new(LiveBuffer::default(), sent)));
        self.catching_up.push_back(id);
    }

    /// Time has passed: the connections whose catch-up goes on now. The others' do with the next ticks. `tick` is next
    /// for each, then `end_tick`.
    pub(crate) fn begin_tick(&mut self, cx: &Cx, connections: &Connections) -> Vec<ConnectionId> {
        let now = self.catching_up.len().min(cx.limits.walk_sessions);
        let mut ids: Vec<ConnectionId> = self.catching_up.drain(..now).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|&id| self.is_under_way(connections, id));
        ids
    }

    /// Looks at what TCP has acknowledged where there is no room.
    pub(crate) fn tick(&self, cx: &mut Cx, connections: &Connections, id: ConnectionId) {
        if !has_room(cx, connections, id) {
            cx.emit(Effect::Probe { connection: id });
        }
    }

    /// The catch-ups that are not through go on with the next tick.
    pub(crate) fn end_tick(&mut self, connections: &Connections, mut ids: Vec<ConnectionId>) {
        ids.retain(|&id| self.is_under_way(connections, id));
        self.catching_up.extend(ids);
    }

    /// Whether a catch-up goes on with time.
    pub(crate) fn is_under_way(&self, connections: &Connections, id: ConnectionId) -> bool {
        connections.get(id).is_some_and(|connection| !connection.is_closing()) && self.is_catching_up(id)
    }

    /// Goes on with a catch-up as far as it can without waiting.
    pub(crate) fn continue_catch_up(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> CatchUpOutcome {
        cx.enter();
        if !has_room(cx, connections, id) {
            return CatchUpOutcome::Waits;
        }
        let Some(catch_up) = self.catch_up_of_mut(id) else { return CatchUpOutcome::Waits };
        if catch_up.fetching || catch_up.failed {
            return CatchUpOutcome::Waits;
        }
        if !self.push_rest(cx, connections, id) {
            return CatchUpOutcome::Waits;
        }
        self.finish_page(id);
        let Some(reader) = self.readers.get_mut(id) else { return CatchUpOutcome::Waits };
        let is_missing = reader.misses() > 0;
        let Some(catch_up) = reader.catch_up_mut() else { return CatchUpOutcome::Waits };
        if catch_up.spilling > 0 {
            // What was buffered is being put into the backlog.
            CatchUpOutcome::Waits
        } else if !catch_up.complete || catch_up.again {
            fetch_page(cx, id, reader);
            CatchUpOutcome::Waits
        } else if is_missing && cx.now < catch_up.patience {
            CatchUpOutcome::Waits
        } else {
            self.finish_catch_up(cx, connections, id)
        }
    }

    /// The store gave no page. What is live goes on meanwhile.
    fn fetch_later(&mut self, cx: &mut Cx, connections: &mut Connections, id: ConnectionId) {
        let Some(catch_up) = self.catch_up_of_mut(id) else { return };
        (catch_up.again, catch_up.failed) = (true, true);
        for buffered in std::mem::take(&mut catch_up.buffer).into_messages() {
            let is_wanted = self.declined.lets_in_buffered(cx, connections, id, &buffered);
            let Some(catch_up) = self.catch_up_of_mut(id) else { return };
            if is_wanted && catch_up.note_sent(buffered.envelope.mid()) {
                self.push_buffered(cx, connections, id, buffered);
            }
        }
    }

    fn push_buffered(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        buffered: BufferedMessage,
    ) {
        let BufferedMessage { envelope, stored_as, given } = buffered;
        if let Some(reader) = self.readers.get_mut(id).filter(|_| given) {
            reader.notes.or_default().from_pages.note(envelope.mid());
        }
        self.push(cx, connections, id, envelope, stored_as);
    }

    /// Fetches again where the store gave no page: those whose catch-up is to go on.
    pub(crate) fn retry_failed(&mut self, cx: &Cx) -> Vec<ConnectionId> {
        let now = self.failed.len().min(cx.limits.walk_sessions);
        let ids: Vec<ConnectionId> = self.failed.drain(..now).collect();
        for &id in &ids {
            if let Some(catch_up) = self.catch_up_of_mut(id) {
                catch_up.failed &= cx.now < catch_up.refused_until;
            }
        }
        ids
    }

    /// What was buffered and became too much is in the backlog now.
    pub(super) fn spilled(&mut self, id: ConnectionId) {
        if let Some(catch_up) = self.catch_up_of_mut(id) {
            catch_up.spilling = catch_up.spilling.saturating_sub(1);
            catch_up.again = true;
        }
    }

    /// Nothing waits any more: what was buffered goes out, and the reader is live.
    fn finish_catch_up(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> CatchUpOutcome {
        let Some(reader) = self.readers.get_mut(id) else { return CatchUpOutcome::Waits };
        let Stage::CatchingUp(catch_up) = std::mem::replace(&mut reader.stage, Stage::Live) else {
            return CatchUpOutcome::Waits;
        };
        let mut sent = catch_up.sent;
        for buffered in catch_up.buffer.into_messages() {
            if self.declined.lets_in_buffered(cx, connections, id, &buffered)
                && sent.insert(buffered.envelope.mid())
            {
                self.push_buffered(cx, connections, id, buffered);
            }
        }
        let notes = self.readers.get_mut(id).and_then(|reader| reader.notes.get_mut());
        let upto = notes.map(|notes| std::mem::take(&mut notes.upto));
        CatchUpOutcome::Finished { upto: upto.unwrap_or_default().into_iter().collect() }
    }
}

/// Whether so little is under way to a connection that more of its backlog may follow. A crowd of readers with long
/// backlogs must not be cut for them: half of what each may have under way when all together have too much.
fn has_room(cx: &Cx, connections: &Connections, id: ConnectionId) -> bool {
    let half_bytes = cx.limits.outbox_squeezed_bytes as u64 / 2;
    let has_room = |connection: &Connection| {
        let window = &connection.window;
        let paced = connection.reads_single_frames() && window.unacked() >= cx.limits.paced_backlog;
        !connection.is_closing() && window.unacked_bytes() < half_bytes && !paced
    };
    connections.get(id).is_some_and(has_room)
}
