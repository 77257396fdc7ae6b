//! Rules: what the members of this core may do in their groups, and whose messages are not passed on here.
//!
//! What somebody is has the place of the row that made it so: of two words on that, the later place holds, in whatever
//! order they come. A page of the backlog brings it with every fetch, and notices bring it at once.

use super::Groups;
use super::cursors::GroupCursor;
use super::subscription::GroupSubscription;
use crate::connection::{Connection, Connections};
use crate::model::capabilities::Capabilities;
use crate::model::envelope::Envelope;
use crate::model::group_rule::{MutedAll, Rules, Standing, Until};
use crate::model::ids::{ConnectionId, GroupId, Monotonic, UserId};
use crate::port::cx::Cx;

/// Milliseconds that a core remembers whose messages it does not pass on: by then nothing of them is on its way any more,
/// for a core that is not heard for so long is dead.
const SILENCE_MS: u64 = 60_000;

/// Somebody whose messages are not passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    /// Until when that is remembered.
    remembered: Monotonic,
    /// Messages of before then: what it says when its mute is over is passed on.
    muted: Until,
}

/// What is to be done in a session whose user is something else in a group now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Applied {
    /// Nothing.
    Nothing,
    /// It is a member no more: it leaves.
    Leaves,
    /// It may be a member: it fetches, and the page says so.
    Fetches,
}

impl Groups {
    /// What was read at some moment or later says what a session's user is in a group.
    pub(crate) fn learn(&mut self, id: ConnectionId, rules: &Rules, moment: u64) {
        let cursor = self.cursors.get_mut(id).and_then(|cursors| cursors.of.get_mut(&rules.group));
        if let Some(cursor) = cursor {
            if rules.at >= cursor.ruled_at {
                (cursor.rule, cursor.ruled_at) = (rules.member, rules.at);
            }
            cursor.read_at = moment.max(cursor.read_at);
            self.learn_all(rules.group, rules.all);
        }
    }

    /// Whether this core knows what a member may do in a group, and hears of it when that changes. Before that, the store
    /// is to say whether what the member says may be pushed.
    pub(super) fn knows_rules(&self, cx: &Cx, group: GroupId, cursor: &GroupCursor) -> bool {
        let is_joined = |subscription: &GroupSubscription| {
            subscription.joined && cursor.read_at >= subscription.joined_at
        };
        cx.hearing.has_all_since(cursor.read_at)
            && self.subscriptions.get(&group).is_some_and(|subscription| is_joined(subscription))
    }

    /// What all normal members of a group are.
    pub(crate) fn learn_all(&mut self, group: GroupId, all: MutedAll) {
        if all.at > 0 && self.subscriptions.contains_key(&group) {
            let known = self.muted_all.entry(group).or_default();
            if all.at >= known.at {
                *known = all;
            }
        }
    }

    /// Whether a session may be made a member by what was read when its user was one since place `at`.
    pub(crate) fn may_join(&mut self, id: ConnectionId, group: GroupId, at: u64) -> bool {
        let Some(cursors) = self.cursors.get_mut(id) else { return false };
        let Some(removed) = cursors.removed.get_mut() else { return true };
        let may = removed.get(&group).is_none_or(|&removed_at| at > removed_at);
        if may {
            removed.remove(&group);
        }
        cursors.removed.take_if(|removed| removed.is_empty());
        may
    }

    /// Somebody is something else in a group: what this session of that user makes of it.
    pub(crate) fn apply_standing(
        &mut self,
        id: ConnectionId,
        group: GroupId,
        standing: &Standing,
    ) -> Applied {
        let Some(cursors) = self.cursors.get_mut(id) else { return Applied::Nothing };
        match (standing.member, cursors.of.get_mut(&group)) {
            (Some(member), Some(cursor)) => {
                if standing.at >= cursor.ruled_at {
                    (cursor.rule, cursor.ruled_at) = (member, standing.at);
                }
                Applied::Nothing
            }
            (Some(_), None) => Applied::Fetches,
            (None, cursor) => {
                let is_later = cursor.as_ref().is_some_and(|cursor| cursor.ruled_at > standing.at);
                let leaves = cursor.is_some() && !is_later;
                if !is_later {
                    let removed = cursors.removed.or_default();
                    let at = removed.entry(group).or_default();
                    *at = standing.at.max(*at);
                }
                if leaves { Applied::Leaves } else { Applied::Nothing }
            }
        }
    }

    /// What this user says in a group is not passed on here any more, or it is again.
    pub(crate) fn silence(&mut self, cx: &Cx, group: GroupId, standing: &Standing) {
        let key = (group, standing.user);
        let muted = standing.member.map_or(Until::FOR_EVER, |member| member.muted);
        if !muted.holds(cx.wall) {
            self.silenced.remove(&key);
            return;
        }
        if self.silenced.len() >= cx.limits.silenced {
            let now = cx.now;
            self.silenced.retain(|_, silence| silence.remembered > now);
            let oldest = self.silenced.iter().min_by_key(|(_, silence)| silence.remembered);
            if self.silenced.len() >= cx.limits.silenced
                && let Some(oldest) = oldest.map(|(key, _)| *key)
            {
                self.silenced.remove(&oldest);
            }
        }
        let remembered = cx.now.plus(SILENCE_MS);
        self.silenced.insert(key, Silence { remembered, muted });
    }

    /// Whether what another core sends is not passed on: its sender is muted, or was taken out. Where it is stored all the
    /// same, the members find it by its place.
    pub(super) fn is_silenced(&mut self, cx: &Cx, envelope: &Envelope) -> bool {
        if self.silenced.is_empty() && self.muted_all.is_empty() {
            return false;
        }
        let (group, sender) = (envelope.group(), envelope.sender());
        if envelope.is_event() {
            self.hear_of_joined(envelope);
            return false;
        }
        // By the message's own time, as the store has it.
        let ts = envelope.ts();
        let is_all = self.muted_all.get(&group).is_some_and(|all| all.until.holds(ts));
        let silence = self.silenced.get(&(group, sender)).filter(|silence| silence.remembered > cx.now);
        (is_all && !envelope.is_of_who_runs()) || silence.is_some_and(|silence| silence.muted.holds(ts))
    }

    /// Who joins is heard again.
    fn hear_of_joined(&mut self, event: &Envelope) {
        if !self.silenced.is_empty() && event.body().ends_with(b"\"what\":\"joined\"}") {
            self.silenced.remove(&(event.group(), event.sender()));
        }
    }

    /// Pushes an event to the members here but the session that has caused it.
    pub(crate) fn push_event(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut crate::backlog::Backlog,
        event: &Envelope,
        from: Option<ConnectionId>,
    ) {
        cx.enter();
        self.hear_of_joined(event);
        self.push_to_members(cx, connections, backlog, event, from);
    }

    /// The members here who run a group and are told of what is done to it.
    pub(crate) fn who_run(&self, connections: &Connections, group: GroupId) -> Vec<ConnectionId> {
        let runs = |id: &ConnectionId| {
            let cursor = self.cursors.get(*id).and_then(|cursors| cursors.of.get(&group));
            cursor.is_some_and(|cursor| cursor.rule.role.runs())
                && connections.get(*id).is_some_and(|connection| {
                    connection.is_logged_in() && connection.capabilities.has(Capabilities::GROUP)
                })
        };
        self.members(group).into_iter().filter(runs).collect()
    }

    /// What a member who has just joined is.
    pub(crate) fn learn_joined(&mut self, id: ConnectionId, group: GroupId, at: u64, muted: Until) {
        let cursor = self.cursors.get_mut(id).and_then(|cursors| cursors.of.get_mut(&group));
        if let Some(cursor) = cursor.filter(|cursor| at >= cursor.ruled_at) {
            cursor.rule.muted = muted;
            cursor.ruled_at = at;
        }
    }
}

/// The sessions of a user here that are told of what is done to groups, also those that are logging in.
pub(crate) fn told(connections: &Connections, user: UserId, but: Option<ConnectionId>) -> Vec<ConnectionId> {
    let is_told = |connection: &Connection| connection.capabilities.has(Capabilities::GROUP);
    let sessions = connections.sessions(user).into_iter();
    sessions.filter(|&id| Some(id) != but && connections.get(id).is_some_and(is_told)).collect()
}
