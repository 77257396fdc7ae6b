//! Group cursors: how far members have come in their groups, and that the store is told of it.
//!
//! A cursor in the store never passes what the reader's TCP has not acknowledged, or a reader of v2 has not
//! confirmed: whatever dies, the next login finds the rest.

use super::Groups;
use crate::backlog::{Backlog, CatchUpStart};
use crate::connection::{Connections, StoredAs};
use crate::model::ids::{ConnectionId, GroupId, MessageId, SessionEpoch};
use crate::port::cx::Cx;
use crate::port::in_flight::GroupFlow;
use crate::port::store::{CursorUpdate, StoreRequest, StoreResult};
use rustc_hash::{FxHashMap, FxHashSet};

/// Messages beyond its place that a connection names at most while it catches up. What is not named may come again.
const BEYOND: usize = 1_024;

/// How far one connection has come in its groups.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    pub(super) of: FxHashMap<GroupId, GroupCursor>,
    /// Whether the store is being told.
    writing: bool,
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
}

impl Groups {
    /// What a connection knows of its groups when its catch-up begins.
    pub(crate) fn catch_up_start(&self, backlog: &Backlog, id: ConnectionId) -> CatchUpStart {
        let mut start = CatchUpStart::default();
        let Some(cursors) = self.cursors.get(id) else { return start };
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
        for &(group, upto) in &upto {
            if let Some(cursor) = cursors.of.get_mut(&group) {
                cursor.from = cursor.from.max(upto);
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
        let user = connection.user();
        let in_window = connection.window.unread().filter(|push| Some(push.user) == user);
        let in_window = in_window.map(|push| (&push.envelope, push.stored_as));
        let mut floors: FxHashMap<GroupId, u64> = FxHashMap::default();
        let mut unread: FxHashSet<MessageId> = FxHashSet::default();
        for (envelope, stored_as) in in_window.chain(backlog.unsent(id)) {
            if let StoredAs::GroupLog(pos) = stored_as {
                let floor = floors.entry(envelope.group()).or_insert(pos);
                *floor = pos.min(*floor);
                unread.insert(envelope.mid());
            }
        }
        let got = |mid: &MessageId| !unread.contains(mid) && !backlog.is_missing(id, *mid);
        let mut updates = Vec::new();
        for (&group, cursor) in &cursors.of {
            let Some(subscription) = self.subscriptions.get(&group) else { continue };
            let reached = backlog
                .reached(id, group)
                .unwrap_or_else(|| subscription.place_of(cursor, backlog.upto(id, group)));
            let upto = reached.min(floors.get(&group).copied().unwrap_or(u64::MAX));
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

    /// Now and then, how far everybody has come is written down, so that a crash repeats little.
    pub(crate) fn write_cursors(&mut self, cx: &mut Cx, connections: &Connections, backlog: &Backlog) {
        for id in connections.all_logged_in() {
            let Some(identity) = connections.get(id).and_then(|connection| connection.identity()) else {
                continue;
            };
            let (user, epoch) = (identity.user, identity.epoch);
            if self.cursors.get(id).is_none_or(|cursors| cursors.writing) {
                continue;
            }
            let mut updates = self.cursor_updates(connections, backlog, id);
            let Some(cursors) = self.cursors.get_mut(id) else { continue };
            updates.retain_mut(|update| {
                update.beyond.clear();
                cursors.of.get(&update.group).is_some_and(|cursor| update.upto > cursor.written)
            });
            if updates.is_empty() {
                continue;
            }
            cursors.writing = true;
            let upto = updates.iter().map(|update| (update.group, update.upto)).collect();
            let request = StoreRequest::AckDelivered { user, mids: Vec::new(), cursors: updates };
            cx.request(request, GroupFlow::Cursors { connection: id, epoch, upto });
        }
    }

    /// The store was told how far a member has come. If it was not, the next time says it again.
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
        if result.is_err() {
            return;
        }
        for (group, upto) in upto {
            if let Some(cursor) = cursors.of.get_mut(group) {
                cursor.written = cursor.written.max(*upto);
            }
        }
    }
}
