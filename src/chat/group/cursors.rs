//! Group cursors: how far members have come in their groups, and that the store is told of it.
//!
//! A cursor in the store never passes what the reader's TCP has not acknowledged, or a reader of v2 has not
//! confirmed: whatever dies, the next login finds the rest.

use super::Groups;
use super::subscription::GroupSubscription;
use crate::backlog::{Backlog, CatchUpStart};
use crate::connection::send_window::SendWindow;
use crate::connection::{Connection, Connections, StoredAs};
use crate::model::group_rule::MemberRule;
use crate::model::ids::{ConnectionId, GroupId, MessageId, SessionEpoch, UserId};
use crate::model::profile::Role;
use crate::model::seldom::Seldom;
use crate::port::cx::Cx;
use crate::port::in_flight::GroupFlow;
use crate::port::store::{CursorUpdate, StoreRequest, StoreResult};
use crate::wire::code::Code;
use rustc_hash::{FxHashMap, FxHashSet};

/// Messages beyond its place that a connection names at most while it catches up. What is not named may come again.
const BEYOND: usize = 1_024;

/// How far one connection has come in its groups.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    pub(super) of: FxHashMap<GroupId, GroupCursor>,
    /// Whether the store is being told.
    writing: bool,
    /// Whether the store may have to be told more than it was.
    pub(super) moved: bool,
    /// Groups that its user was taken out of, and at which place: what was read before knows nothing of that.
    pub(super) removed: Seldom<FxHashMap<GroupId, u64>>,
}

/// How far a member has come in one group.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupCursor {
    /// Everything up to this place was in its backlog or before it.
    pub(super) from: u64,
    /// The subscription's count of pushes when the member subscribed: earlier ones did not reach it.
    pub(super) since: u64,
    /// The place last written to the store.
    pub(super) written: u64,
    /// What the member is by rule, and since which place of the group.
    pub(super) rule: MemberRule,
    pub(super) ruled_at: u64,
    /// The moment in which that was read; 0 before its first page.
    pub(super) read_at: u64,
    /// Messages of this member that the store is asked for before they are pushed: those after them wait likewise.
    pub(super) unpushed: u32,
    /// When what it has said there is used up, in microseconds: see [`super::rate`].
    pub(super) rate_due_us: u64,
}

impl GroupCursor {
    /// A member who has everything up to a place, and was pushed nothing before.
    pub(super) fn at(upto: u64, since: u64) -> Self {
        let rule = MemberRule::of(Role::Normal);
        Self { from: upto, since, written: upto, rule, ruled_at: 0, read_at: 0, unpushed: 0, rate_due_us: 0 }
    }
}

/// Group messages that a connection was sent, or is to be sent, and that its reader may not have.
#[derive(Debug, Default)]
struct Unread {
    /// The place in each group beyond which the first of them lies.
    floors: FxHashMap<GroupId, u64>,
    mids: FxHashSet<MessageId>,
}

impl Unread {
    fn of(user: UserId, window: &SendWindow, backlog: &Backlog, id: ConnectionId) -> Self {
        let in_window = window.unread().filter(|push| push.user == user);
        let in_window = in_window.map(|push| (&push.envelope, push.stored_as));
        let mut unread = Self::default();
        for (envelope, stored_as) in in_window.chain(backlog.unsent(id)) {
            if let StoredAs::GroupLog(pos) = stored_as {
                let floor = unread.floors.entry(envelope.group()).or_insert(pos);
                *floor = pos.min(*floor);
                unread.mids.insert(envelope.mid());
            }
        }
        unread
    }

    fn bound(&self, group: GroupId, reached: u64) -> u64 {
        reached.min(self.floors.get(&group).copied().unwrap_or(u64::MAX))
    }
}

impl Groups {
    /// What a connection knows of its groups when its catch-up begins.
    pub(crate) fn catch_up_start(&mut self, backlog: &Backlog, id: ConnectionId) -> CatchUpStart {
        let mut start = CatchUpStart::default();
        let Some(cursors) = self.cursors.get_mut(id) else { return start };
        cursors.moved = true;
        for (&group, cursor) in &cursors.of {
            let Some(subscription) = self.subscriptions.get(&group) else { continue };
            start.beyond.extend(subscription.beyond(cursor));
            start.upto.push((group, subscription.place_of(cursor, backlog.upto(id, group))));
        }
        start
    }

    /// A catch-up is through: the member stands here, or further.
    pub(crate) fn finish_catch_up(
        &mut self,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
        upto: Vec<(GroupId, u64)>,
    ) {
        let Some(cursors) = self.cursors.get_mut(id) else { return };
        cursors.moved = true;
        for &(group, upto) in &upto {
            if let Some(cursor) = cursors.of.get_mut(&group) {
                cursor.from = cursor.from.max(upto);
            }
            if let Some(subscription) = self.subscriptions.get_mut(&group) {
                subscription.furthest_from = subscription.furthest_from.max(upto);
            }
        }
        upto.into_iter().for_each(|(group, _)| self.start_subscription(connections, backlog, group));
    }

    /// How far a connection has come in its groups: nothing counts that its TCP has not acknowledged, or, in v2, its
    /// reader has not confirmed.
    pub(crate) fn cursor_updates(
        &self,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
    ) -> Vec<CursorUpdate> {
        let (Some(connection), Some(cursors)) = (connections.get(id), self.cursors.get(id)) else {
            return Vec::new();
        };
        let Some(user) = connection.user() else { return Vec::new() };
        let unread = Unread::of(user, &connection.window, backlog, id);
        let got = |mid: &MessageId| !unread.mids.contains(mid) && !backlog.is_missing(id, *mid);
        let mut updates = Vec::new();
        for (&group, cursor) in &cursors.of {
            let Some(subscription) = self.subscriptions.get(&group) else { continue };
            let upto = unread.bound(group, self.reached(backlog, id, (group, subscription, cursor)));
            let beyond: Vec<MessageId> = match backlog.sent(id) {
                None => subscription.beyond(cursor).filter(got).collect(),
                // While it catches up, some of what reached it is buffered.
                Some(sent) if subscription.has_beyond(cursor, upto) && sent.len() <= BEYOND => {
                    sent.iter().copied().filter(got).collect()
                }
                Some(_) => Vec::new(),
            };
            if upto > cursor.written || !beyond.is_empty() {
                updates.push(CursorUpdate { group, upto, beyond });
            }
        }
        updates.sort_unstable_by_key(|update| update.group);
        updates
    }

    /// It is time to write cursors.
    pub(crate) fn begin_writes(&mut self) {
        self.writes.begin(self.cursors.slots());
    }

    /// Now and then, how far everybody has come is written down, so that a crash repeats little: some cursors now,
    /// the others with the next ticks. Whose groups have not moved is passed over.
    pub(crate) fn write_cursors(&mut self, cx: &mut Cx, connections: &Connections, backlog: &Backlog) {
        cx.enter();
        let (mut slots, mut units) = (cx.limits.walk_sessions, cx.limits.walk_cursors);
        while slots > 0 && units > 0 {
            let Some(slot) = self.writes.next(self.cursors.slots()) else { return };
            slots -= 1;
            let Some((id, cursors)) = self.cursors.at(slot) else { continue };
            if cursors.moved && !cursors.writing {
                units = units.saturating_sub(1 + cursors.of.len());
                self.write_cursors_of(cx, connections, backlog, id);
            }
        }
    }

    fn write_cursors_of(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
    ) {
        let connection = connections.get(id).filter(|connection| connection.is_logged_in());
        let Some(identity) = connection.and_then(Connection::identity) else { return };
        let (user, epoch) = (identity.user, identity.epoch);
        let Some((cursors, window)) = self.cursors.get(id).zip(connection.map(|c| &c.window)) else { return };
        let unread = Unread::of(user, window, backlog, id);
        let mut updates = Vec::new();
        for (&group, cursor) in &cursors.of {
            let Some(subscription) = self.subscriptions.get(&group) else { continue };
            let upto = unread.bound(group, self.reached(backlog, id, (group, subscription, cursor)));
            if upto > cursor.written {
                updates.push(CursorUpdate { group, upto, beyond: Vec::new() });
            }
        }
        updates.sort_unstable_by_key(|update| update.group);
        let Some(cursors) = self.cursors.get_mut(id) else { return };
        // What it has not read, or its catch-up, will move it without its groups.
        cursors.moved = !unread.floors.is_empty() || !backlog.is_live(id);
        if updates.is_empty() {
            return;
        }
        cursors.writing = true;
        let upto = updates.iter().map(|update| (update.group, update.upto)).collect();
        let request = StoreRequest::AckDelivered { user, mids: Vec::new(), cursors: updates };
        cx.request(request, GroupFlow::Cursors { connection: id, epoch, upto });
    }

    /// The place that a member has come to in a group, if it has read all that it was sent.
    fn reached(
        &self,
        backlog: &Backlog,
        id: ConnectionId,
        (group, subscription, cursor): (GroupId, &GroupSubscription, &GroupCursor),
    ) -> u64 {
        backlog.reached(id, group).unwrap_or_else(|| subscription.place_of(cursor, backlog.upto(id, group)))
    }

    /// The store was told how far a member has come. If it was busy, the next time says it again; if it refuses
    /// that for good, the next time after the member has come further.
    pub(crate) fn on_cursors_written(
        &mut self,
        connections: &Connections,
        (id, epoch): (ConnectionId, SessionEpoch),
        upto: &[(GroupId, u64)],
        result: &StoreResult,
    ) {
        if !connections.get(id).is_some_and(|connection| connection.is_in(epoch)) {
            return;
        }
        let Some(cursors) = self.cursors.get_mut(id) else { return };
        cursors.writing = false;
        if let Err(code) = result {
            cursors.moved |= *code == Code::Busy;
            return;
        }
        for (group, upto) in upto {
            if let Some(cursor) = cursors.of.get_mut(group) {
                cursor.written = cursor.written.max(*upto);
            }
        }
    }
}
