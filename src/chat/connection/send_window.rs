//! The send window: what was sent to a connection and its reader may not have.
//!
//! A push leaves it when the peer's TCP has acknowledged it; one to a v2 session then waits for its reader to
//! confirm it. What a connection leaves in its window at its end goes back to its reader's backlog, if it is not
//! there still.
//!
//! A reader who has more under way than its budget is cut if its TCP makes no progress. One whose TCP does is not:
//! a crowd may write to it within one turn, before a byte of it is with the kernel.

use super::unconfirmed::{Unconfirmed, remove, remove_repeats};
use super::{Connections, Leaving};
use crate::model::envelope::{Envelope, Target};
use crate::model::ids::{ConnectionId, MessageId, Monotonic, UserId};
use crate::model::seldom::Seldom;
use crate::port::counters::Cut;
use crate::port::cx::Cx;
use crate::port::effect::{Effect, Frame, Framed};
use crate::port::in_flight::UnplacedPush;
use crate::wire::code::Code;
use crate::wire::reply::{self, Refusal};
use crate::wire::request::Dialect;
use rustc_hash::{FxHashSet, FxHasher};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// How long a connection remembers its last pushes after the last one of them.
const RECENT_MS: u64 = 10_000;
/// So many budgets are too many even for a reader who reads: memory has an end.
const BUDGETS: u64 = 4;

/// A push that its reader may not have.
#[derive(Debug)]
pub(crate) struct UnackedPush {
    /// Bytes sent to the connection up to and with this frame.
    pub(crate) end: u64,
    /// Whom it was for: a connection may have logged in as another user since.
    pub(crate) user: UserId,
    /// A hash of its sender and cid, which a repetition shares. 0 without a cid.
    pub(super) label: u32,
    pub(crate) envelope: Envelope,
    pub(crate) stored_as: StoredAs,
}

impl UnackedPush {
    pub(crate) fn new(end: u64, user: UserId, envelope: Envelope, stored_as: StoredAs) -> Self {
        Self { end, user, label: label_of(&envelope), envelope, stored_as }
    }
}

/// A hash of a message's sender and cid; 0 if it has no cid.
fn label_of(envelope: &Envelope) -> u32 {
    match envelope.cid() {
        "" => 0,
        cid => {
            let mut hasher = FxHasher::default();
            (envelope.sender(), cid).hash(&mut hasher);
            hasher.finish() as u32 | 1
        }
    }
}

/// Where a pushed message is stored, as far as its reader's core knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoredAs {
    /// In no backlog. It must be put there if it is not acknowledged.
    Unstored,
    /// In no backlog, or about to be: its sender's core waits for the reader's receipt. It must be put there if
    /// none comes.
    AwaitingReceipt,
    /// In its reader's backlog, until it is taken out by its id, once it is acknowledged.
    Backlog,
    /// In its group's log, at a place beyond this one. Until it is acknowledged, the store is not told that its
    /// reader is any further.
    GroupLog(u64),
    /// In the history only: its reader sent it itself, from another session. In no backlog; who misses it fetches it by
    /// its place.
    History,
}

/// What a connection was sent.
#[derive(Debug, Default)]
pub(crate) struct SendWindow {
    /// Bytes sent since the connection was opened. `acked ≤ queued`.
    queued: u64,
    /// Bytes that TCP has acknowledged, as far as we were told.
    acked: u64,
    /// When TCP was last seen to have acknowledged more than before, or had nothing to acknowledge.
    progress_at: Monotonic,
    /// `queued` when TCP was last looked at.
    probed: u64,
    /// When something was last pushed.
    pushed_at: Monotonic,
    /// Whether the connection is on the list of those to be looked at.
    is_listed: bool,
    /// Pushes that TCP has not acknowledged, oldest first.
    unacked: VecDeque<UnackedPush>,
    /// What TCP has acknowledged and the reader, who speaks v2, has not confirmed.
    unconfirmed: Seldom<Unconfirmed>,
}

/// What came of a look at what TCP has acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Acked {
    /// Messages of backlogs that arrived, with whose they are, in the order sent.
    pub(crate) delivered: Vec<(UserId, MessageId)>,
    /// A logout that waited for this.
    pub(crate) leaving: Option<Leaving>,
}

impl SendWindow {
    pub(crate) fn unacked_bytes(&self) -> u64 {
        self.queued - self.acked
    }

    /// Pushes that TCP has not acknowledged.
    pub(crate) fn unacked(&self) -> usize {
        self.unacked.len()
    }

    /// Where a frame of so many bytes, its terminator or header included, will end.
    pub(super) fn end_after(&self, bytes: usize) -> u64 {
        self.queued + bytes as u64
    }

    /// A message that its reader may not have.
    pub(crate) fn find_mut(&mut self, mid: MessageId) -> Option<&mut UnackedPush> {
        let unconfirmed = self.unconfirmed.get_mut().into_iter().flat_map(Unconfirmed::iter_mut);
        unconfirmed.chain(&mut self.unacked).find(|push| push.envelope.mid() == mid)
    }

    /// All that the reader may not have: first what TCP has acknowledged, then the rest.
    pub(crate) fn unread(&self) -> impl Iterator<Item = &UnackedPush> {
        self.unconfirmed().chain(&self.unacked)
    }

    /// What TCP has acknowledged and the reader has not confirmed.
    pub(crate) fn unconfirmed(&self) -> impl Iterator<Item = &UnackedPush> {
        self.unconfirmed.get().into_iter().flat_map(Unconfirmed::iter)
    }

    pub(crate) fn note(&mut self, push: UnackedPush) {
        self.unacked.push_back(push);
    }

    /// Takes out everything that the reader may not have.
    pub(crate) fn take_unread(&mut self) -> impl Iterator<Item = UnackedPush> + use<> {
        let unconfirmed = self.take_unconfirmed();
        unconfirmed.into_iter().chain(std::mem::take(&mut self.unacked))
    }

    /// Takes out what TCP has acknowledged and the reader has not confirmed.
    pub(crate) fn take_unconfirmed(&mut self) -> VecDeque<UnackedPush> {
        self.unconfirmed.take().unwrap_or_default().into_pushes()
    }

    /// Takes out what the reader has confirmed, and every other push of the same: what was found; in `wanted` stays
    /// what was not.
    pub(crate) fn confirm(&mut self, wanted: &mut FxHashSet<MessageId>) -> Vec<UnackedPush> {
        let mut found = Vec::new();
        if let Some(unconfirmed) = self.unconfirmed.get_mut() {
            unconfirmed.remove(wanted, &mut found);
        }
        remove(&mut self.unacked, wanted, &mut found);
        let unconfirmed = self.unconfirmed.get_mut();
        let mut repeats = unconfirmed.map_or_else(Vec::new, |unconfirmed| unconfirmed.remove_repeats(&found));
        repeats.extend(remove_repeats(&mut self.unacked, &found));
        found.append(&mut repeats);
        found
    }

    /// Takes out what is above these bounds of what is not confirmed: the oldest of the sender who has most in it.
    pub(crate) fn bound_unconfirmed(&mut self, most: usize, most_bytes: usize) -> Vec<UnackedPush> {
        let unconfirmed = self.unconfirmed.get_mut();
        unconfirmed.map_or_else(Vec::new, |unconfirmed| unconfirmed.bound(most, most_bytes))
    }

    /// Takes note of what TCP has acknowledged. What of the window that is goes to `arrived`, or, if it was sent
    /// to `confirming`, waits for that reader to confirm it.
    fn acknowledge(&mut self, bytes: u64, confirming: Option<UserId>, mut arrived: impl FnMut(UnackedPush)) {
        self.acked = self.acked.max(bytes.min(self.queued));
        let safe = self.unacked.iter().take_while(|push| push.end <= self.acked).count();
        for push in self.unacked.drain(..safe) {
            if confirming == Some(push.user) {
                self.unconfirmed.or_default().push(push);
            } else {
                arrived(push);
            }
        }
    }
}

impl Connections {
    /// Sends a message, and remembers it until its reader has it.
    pub(crate) fn push(&mut self, cx: &mut Cx, id: ConnectionId, envelope: Envelope, stored_as: StoredAs) {
        cx.enter();
        let Some(connection) = self.get_mut(id) else { return };
        let Some(user) = connection.user() else { return };
        if connection.closing {
            // Too late for the socket: it goes back to the backlog with all that is in the window.
            connection.window.note(UnackedPush::new(u64::MAX, user, envelope, stored_as));
            return;
        }
        connection.window.pushed_at = cx.now;
        let is_told = connection.capabilities.any() && envelope.pos().is_none();
        let unplaced = is_told.then(|| UnplacedPush::new(id, &envelope, user));
        let framed = match connection.dialect {
            Dialect::V1 => Framed::V1,
            // Of what is sent to oneself every session is a reader.
            Dialect::V2 if envelope.sender() == user && envelope.target() != Target::User(user) => {
                Framed::Own
            }
            Dialect::V2 => Framed::V2,
        };
        let frame_bytes = framed.len(&envelope);
        cx.push(id, framed, &envelope);
        let end = connection.end_after(frame_bytes);
        connection.window.note(UnackedPush::new(end, user, envelope, stored_as));
        self.unplaced.extend(unplaced);
        self.note_sent(cx, id, frame_bytes);
    }

    /// Sends a frame that is no message.
    pub(super) fn send(&mut self, cx: &mut Cx, id: ConnectionId, frame: Frame) {
        let frame_bytes = frame.len();
        cx.emit(Effect::Send { connection: id, frame });
        self.note_sent(cx, id, frame_bytes);
    }

    /// Counts the bytes of a frame that was sent, and cuts the connection if they are far too many.
    fn note_sent(&mut self, cx: &mut Cx, id: ConnectionId, frame_bytes: usize) {
        let Some(connection) = self.get_mut(id) else { return };
        let length = (frame_bytes + connection.framing.overhead(frame_bytes)) as u64;
        let window = &mut connection.window;
        if window.unacked_bytes() == 0 {
            // There was nothing to make progress with until now.
            window.progress_at = cx.now;
        }
        window.queued += length;
        let first = !std::mem::replace(&mut window.is_listed, true);
        self.unacked_bytes += length;
        if first {
            self.to_probe.push_back(id);
        }
        self.check_outbox(cx, id, length);
    }

    /// Looks at what TCP has acknowledged when much is under way. The last frame may be over the bound: large
    /// ones are answers, and are sent to who waits.
    fn check_outbox(&mut self, cx: &mut Cx, id: ConnectionId, last_bytes: u64) {
        const LOOK_BYTES: u64 = 16 << 10;
        const LOOK_MESSAGES: usize = 64;
        let budget = self.outbox_budget(cx);
        let Some(connection) = self.get_mut(id) else { return };
        let window = &mut connection.window;
        if window.unacked_bytes() - last_bytes > BUDGETS * budget {
            return self.cut(cx, id);
        }
        let since_look = window.queued - window.probed;
        if since_look > LOOK_BYTES || window.unacked.len() % LOOK_MESSAGES == LOOK_MESSAGES - 1 {
            window.probed = window.queued;
            cx.emit(Effect::Probe { connection: id });
        }
    }

    /// Cuts who has more under way than its budget, and whose TCP was looked at and has made no progress for
    /// too long.
    pub(crate) fn cut_if_stalled(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        let (budget, now, patience_ms) = (self.outbox_budget(cx), cx.now, cx.limits.stall_ms);
        let stalled = self.get(id).is_some_and(|connection| {
            let window = &connection.window;
            window.unacked_bytes() > budget && now.since(window.progress_at) >= patience_ms
        });
        if stalled {
            self.cut(cx, id);
        }
    }

    /// Bytes that a connection may have under way while its TCP makes no progress.
    fn outbox_budget(&self, cx: &Cx) -> u64 {
        let squeezed = self.unacked_bytes > cx.limits.outbox_core_bytes as u64;
        let bytes = if squeezed { cx.limits.outbox_squeezed_bytes } else { cx.limits.outbox_bytes };
        bytes as u64
    }

    /// Closes the connection of a reader who does not keep up.
    pub(crate) fn cut(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        if self.get(id).is_some_and(|connection| !connection.closing) {
            cx.counters.cut(Cut::SlowReader);
            let text = Code::TooSlow.text();
            let refusal = Refusal { code: Code::TooSlow, text, re: None, cid: None, retry_after_ms: None };
            cx.emit(Effect::Send { connection: id, frame: Frame::Reply(reply::error(refusal)) });
            self.close(cx, id, Some(Code::TooSlow));
        }
    }

    /// TCP has acknowledged so many bytes of all that was ever sent.
    pub(crate) fn acked(&mut self, cx: &mut Cx, id: ConnectionId, bytes: u64) -> Acked {
        cx.enter();
        let Some(connection) = self.get_mut(id) else { return Acked::default() };
        let confirming = connection.logged_in_user().filter(|_| connection.dialect == Dialect::V2);
        let before = connection.window.acked;
        let mut delivered: Vec<(UserId, MessageId)> = Vec::new();
        connection.window.acknowledge(bytes, confirming, |push| {
            if push.stored_as == StoredAs::Backlog {
                delivered.push((push.user, push.envelope.mid()));
            }
        });
        let acknowledged = connection.window.acked - before;
        if acknowledged > 0 {
            connection.window.progress_at = cx.now;
        }
        let leaving = connection.leaving.take();
        self.unacked_bytes -= acknowledged;
        Acked { delivered, leaving }
    }

    /// It is time to look at what TCP has acknowledged.
    pub(crate) fn begin_probes(&mut self) {
        self.probes_left = self.to_probe.len();
    }

    /// Looks at what TCP has acknowledged of some, of the others with the next ticks. Those with nothing under way need not be looked at any more, and
    /// forget: they are given back.
    pub(crate) fn probe_unacked(&mut self, cx: &mut Cx) -> Vec<ConnectionId> {
        cx.enter();
        let mut quiet = Vec::new();
        let now = self.probes_left.min(cx.limits.walk_sessions);
        self.probes_left -= now;
        for id in (0..now).map_while(|_| self.to_probe.pop_front()).collect::<Vec<_>>() {
            let Some(connection) = self.get_mut(id) else { continue };
            let window = &mut connection.window;
            if window.unacked_bytes() > 0 {
                window.probed = window.queued;
                cx.emit(Effect::Probe { connection: id });
            } else if cx.now.since(window.pushed_at) > RECENT_MS {
                window.is_listed = false;
                window.unacked.shrink_to(0);
                window.unconfirmed.take_if(Unconfirmed::is_empty);
                quiet.push(id);
                continue;
            }
            self.to_probe.push_back(id);
        }
        quiet
    }
}
