//! Membership: which connections of this core are members of which group.

use super::Groups;
use super::cursors::{Cursors, GroupCursor};
use super::subscription::GroupSubscription;
use crate::backlog::Backlog;
use crate::connection::{Connection, Connections};
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, GroupId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::JoinFlow;

/// Whether a new member has to wait for its group's channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subscribed {
    /// The channel is joined.
    Now,
    /// It is being joined; `on_channel_joined` names who waited.
    Soon,
}

impl Groups {
    /// A connection is logging in: it may become a member of groups.
    pub(crate) fn begin_login(&mut self, id: ConnectionId) {
        self.cursors.insert(id, Cursors::default());
    }

    /// Whether a connection is a member of a group here.
    pub(crate) fn is_member(&self, id: ConnectionId, group: GroupId) -> bool {
        self.cursors.get(id).is_some_and(|cursors| cursors.of.contains_key(&group))
    }

    /// Of how many groups a connection is a member here.
    pub(crate) fn count_of(&self, id: ConnectionId) -> usize {
        self.cursors.get(id).map_or(0, |cursors| cursors.of.len())
    }

    /// Whether the channel of a group is joined.
    pub(crate) fn is_joined(&self, group: GroupId) -> bool {
        self.subscriptions.get(&group).is_some_and(|subscription| subscription.joined)
    }

    /// Makes a connection a member of a group here, which has everything up to `upto`; joins the channel for the
    /// first one.
    pub(crate) fn subscribe(
        &mut self,
        cx: &mut Cx,
        id: ConnectionId,
        group: GroupId,
        upto: u64,
    ) -> Subscribed {
        cx.enter();
        let subscription = self.subscriptions.entry(group).or_insert_with(|| {
            self.made += 1;
            Box::new(GroupSubscription::new(self.made))
        });
        subscription.members.push(id);
        subscription.furthest_from = subscription.furthest_from.max(upto);
        let cursor = GroupCursor::at(upto, subscription.pushes);
        if let Some(cursors) = self.cursors.get_mut(id) {
            cursors.of.insert(group, cursor);
            cursors.moved = true;
        }
        if subscription.joined {
            return Subscribed::Now;
        }
        subscription.waiting.push(id);
        if subscription.members.len() == 1 {
            cx.join(Channel::Group(group), JoinFlow::Group { group, number: subscription.number });
        }
        Subscribed::Soon
    }

    /// A group's channel is joined, or not: who waited for that. `after_join` is next.
    pub(crate) fn on_channel_joined(
        &mut self,
        cx: &mut Cx,
        group: GroupId,
        number: u64,
        result: Result<(), BusDown>,
    ) -> Vec<ConnectionId> {
        cx.enter();
        let subscription = self.subscriptions.get_mut(&group);
        let Some(subscription) = subscription.filter(|subscription| subscription.number == number) else {
            return Vec::new();
        };
        subscription.joined = result.is_ok();
        if subscription.joined {
            subscription.joined_at = cx.hearing.next_moment();
        }
        std::mem::take(&mut subscription.waiting)
    }

    /// Who waited has been told. A channel that could not be joined is tried again.
    pub(crate) fn after_join(&mut self, group: GroupId, number: u64, result: Result<(), BusDown>) {
        if result.is_err()
            && self.subscriptions.get(&group).is_some_and(|subscription| subscription.number == number)
        {
            self.to_rejoin.push_back((group, number));
        }
    }

    /// It is time to try again to join channels.
    pub(crate) fn begin_rejoins(&mut self) {
        self.rejoins_left = self.to_rejoin.len();
    }

    /// Tries again to join the channels of groups that members who are online subscribe to: some of them, the others
    /// with the next ticks.
    pub(crate) fn rejoin(&mut self, cx: &mut Cx) {
        cx.enter();
        let now = self.rejoins_left.min(cx.limits.walk_sessions);
        self.rejoins_left -= now;
        for _ in 0..now {
            let Some((group, number)) = self.to_rejoin.pop_front() else { return };
            let subscription = self.subscriptions.get_mut(&group);
            let Some(subscription) = subscription.filter(|subscription| subscription.number == number) else {
                continue;
            };
            subscription.waiting = subscription.members.clone();
            let channel = Channel::Group(group);
            cx.leave(channel);
            cx.join(channel, JoinFlow::Group { group, number });
        }
    }

    /// A connection is a member no more; whether it was.
    pub(crate) fn leave(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
        group: GroupId,
    ) -> bool {
        cx.enter();
        let was_member = self.cursors.get_mut(id).is_some_and(|cursors| cursors.of.remove(&group).is_some());
        self.unsubscribe(cx, connections, backlog, id, group);
        was_member
    }

    /// A connection is nobody from now on: it leaves all its groups.
    pub(crate) fn end(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
    ) {
        cx.enter();
        // What it said as a member is stored before it may have left them for good.
        self.store_batch(cx);
        let Some(cursors) = self.cursors.remove(id) else { return };
        for &group in cursors.of.keys() {
            self.unsubscribe(cx, connections, backlog, id, group);
        }
    }

    /// Takes a connection out of a group's subscription; leaves the channel after the last one.
    fn unsubscribe(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        backlog: &Backlog,
        id: ConnectionId,
        group: GroupId,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&group) else { return };
        subscription.members.retain(|&member| member != id);
        subscription.waiting.retain(|&member| member != id);
        if subscription.members.is_empty() {
            self.subscriptions.remove(&group);
            self.muted_all.remove(&group);
            cx.leave(Channel::Group(group));
        } else {
            self.start_subscription(connections, backlog, group);
        }
    }

    /// Who of this core is a member of a group.
    pub(crate) fn members(&self, group: GroupId) -> Vec<ConnectionId> {
        self.subscriptions.get(&group).map_or_else(Vec::new, |subscription| subscription.members.clone())
    }

    /// The members here of a conversation, if it is a group's.
    pub(crate) fn members_in(&self, conversation: Conversation) -> Vec<ConnectionId> {
        match conversation {
            Conversation::With(_) => Vec::new(),
            Conversation::Group(group) => self.members(group),
        }
    }

    /// A subscription that is behind all of its members starts where the last of them is, once all are live.
    pub(super) fn start_subscription(
        &mut self,
        connections: &Connections,
        backlog: &Backlog,
        group: GroupId,
    ) {
        let Some(subscription) = self.subscriptions.get(&group) else { return };
        let behind = subscription.contiguous_upto;
        let from = |&id: &ConnectionId| {
            connections.get(id).filter(|connection| connection.is_logged_in())?;
            let cursor = self.cursors.get(id)?.of.get(&group)?;
            backlog.upto(id, group).is_none().then_some(cursor.from.max(behind))
        };
        let from: Option<Vec<u64>> = subscription.members.iter().map(from).collect();
        let last = from.and_then(|from| from.into_iter().min()).filter(|&last| last > behind);
        if let (Some(last), Some(subscription)) = (last, self.subscriptions.get_mut(&group)) {
            subscription.start_at(last);
            self.mark_moved(group);
        }
    }

    /// It is time to look for word that seems to be lost.
    pub(crate) fn begin_looks(&mut self) {
        self.looks_left = self.awaiting_offsets.len();
    }

    /// Where word that messages are stored seems to be lost, the members are to fetch again. Looks at some
    /// subscriptions, at the others with the next ticks.
    pub(crate) fn overdue(
        &mut self,
        cx: &Cx,
        connections: &Connections,
        backlog: &Backlog,
    ) -> Vec<ConnectionId> {
        let mut to_fetch: Vec<ConnectionId> = Vec::new();
        let mut units = cx.limits.walk_sessions;
        while self.looks_left > 0 && units > 0 {
            self.looks_left -= 1;
            let Some((group, number)) = self.awaiting_offsets.pop_front() else { break };
            let subscription = self.subscriptions.get_mut(&group);
            let Some(subscription) = subscription.filter(|subscription| subscription.number == number) else {
                units -= 1;
                continue;
            };
            let is_live = |&&id: &&ConnectionId| {
                connections.get(id).is_some_and(Connection::is_logged_in) && !backlog.is_catching_up(id)
            };
            let live: Vec<ConnectionId> = match subscription.is_settled() {
                true => Vec::new(),
                false => subscription.members.iter().filter(is_live).copied().collect(),
            };
            units = units.saturating_sub(1 + live.len());
            if subscription.is_overdue(live.len() == subscription.members.len()) {
                to_fetch.extend(live);
            }
            subscription.is_listed = !subscription.is_settled();
            if subscription.is_listed {
                self.awaiting_offsets.push_back((group, number));
            }
        }
        to_fetch
    }

    /// A subscription waits for word that something is stored, or knows of something stored with a gap before it.
    pub(super) fn note_awaiting_offsets(&mut self, group: GroupId) {
        let subscription = self.subscriptions.get_mut(&group);
        if let Some(subscription) = subscription.filter(|subscription| !subscription.is_listed) {
            subscription.is_listed = true;
            self.awaiting_offsets.push_back((group, subscription.number));
        }
    }

    /// A subscription has moved on: its members' cursors are to be written.
    pub(super) fn mark_moved(&mut self, group: GroupId) {
        let Self { subscriptions, cursors, .. } = self;
        for &id in subscriptions.get(&group).into_iter().flat_map(|subscription| &subscription.members) {
            if let Some(cursors) = cursors.get_mut(id) {
                cursors.moved = true;
            }
        }
    }
}
