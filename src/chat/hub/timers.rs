//! Timers: what time brings: deadlines, and everything that is done now and then.
//!
//! What is done now and then of all sessions is spread: it begins when it is due, a tick does a bounded part of it, and
//! the next ticks go on.

use super::Hub;
use crate::connection::{Connection, KEEPALIVE_MS, Walk};
use crate::model::ids::{ConnectionId, Monotonic};
use crate::model::limits::Limits;
use crate::social::PresenceOutcome;
use std::collections::VecDeque;

/// When everything is next done that is done now and then.
#[derive(Debug, Default)]
pub(super) struct Timers {
    probe: Monotonic,
    overdue: Monotonic,
    cursors: Monotonic,
    keepalive: Monotonic,
    offsets: Monotonic,
    /// All connections, while everybody is to fetch.
    everybody: Walk,
    /// All connections, while it is settled again who holds whom.
    reclaims: Walk,
    /// Whoever else is to fetch.
    to_fetch: VecDeque<ConnectionId>,
}

/// What one tick does of fetching: a session costs the more, the more groups it has.
struct Budget {
    sessions: usize,
    cursors: usize,
}

impl Budget {
    fn of(limits: &Limits) -> Self {
        Self { sessions: limits.walk_sessions, cursors: limits.walk_cursors }
    }

    fn is_spent(&self) -> bool {
        self.sessions == 0 || self.cursors == 0
    }

    fn spend(&mut self, groups: usize) {
        self.sessions = self.sessions.saturating_sub(1);
        self.cursors = self.cursors.saturating_sub(1 + groups);
    }
}

/// Whether something is due; if it is, it is next due `every_ms` later.
fn is_due(timer: &mut Monotonic, now: Monotonic, every_ms: u64) -> bool {
    let is_due = now >= *timer;
    if is_due {
        *timer = now.plus(every_ms);
    }
    is_due
}

impl Hub {
    pub(super) fn on_tick(&mut self, utc_offset_s: i32) {
        self.cx.local_time.utc_offset_s = utc_offset_s;
        let now = self.cx.now;
        self.decide_claims();
        self.end_expired();
        self.logins.tick_standing(&mut self.cx, &self.connections);
        self.connections.resume_rate_paused(&mut self.cx);
        self.tick_catch_ups();
        let Self { cx, connections, backlog, direct, groups, social, .. } = self;
        groups.store_batch_at_tick(cx);
        direct.flush_history(cx);
        direct.store_without_receipt(cx, now);
        match social.tick(cx, connections, backlog) {
            PresenceOutcome::Nothing => {}
            PresenceOutcome::FetchAll => self.fetch_all(),
        }
        let Self { cx, connections, backlog, social, .. } = self;
        social.go_on_announcing(cx, connections, backlog);
        self.fetch_narrowed();
        self.fetch_declined();
        let limits = &self.cx.limits;
        let (offsets_ms, probe_ms) = (limits.stored_notice_ms, limits.probe_ms);
        let places = is_due(&mut self.timers.offsets, now, offsets_ms);
        if places {
            self.groups.begin_offsets();
        }
        self.groups.publish_offsets(&mut self.cx);
        if places {
            self.devices.begin_places(&self.cx, &mut self.connections);
        }
        self.devices.find_places(&mut self.cx);
        self.devices.end_overdue_lists(&mut self.cx, &mut self.connections);
        self.groups.end_overdue_rules(&mut self.cx, &mut self.connections);
        self.devices.tell_due(&mut self.cx, &self.connections, &self.backlog);
        if is_due(&mut self.timers.probe, now, probe_ms) {
            self.connections.begin_probes();
            self.backlog.begin_retries();
            self.groups.begin_rejoins();
        }
        let mut budget = Budget::of(&self.cx.limits);
        self.go_on_reclaiming(&mut budget);
        self.probe();
        if is_due(&mut self.timers.keepalive, now, KEEPALIVE_MS) {
            self.connections.begin_pings();
        }
        self.connections.ping_silent(&mut self.cx);
        self.begin_walks_of_groups(now);
        self.groups.repeat_offsets(&mut self.cx);
        if self.timers.to_fetch.is_empty() {
            let overdue = self.groups.overdue(&self.cx, &self.connections, &self.backlog);
            self.timers.to_fetch.extend(overdue);
        }
        self.go_on_fetching(&mut budget);
        self.groups.write_cursors(&mut self.cx, &self.connections, &self.backlog);
        self.go_on_draining();
    }

    /// It may be time to look what is overdue in groups, and to write how far members have come.
    fn begin_walks_of_groups(&mut self, now: Monotonic) {
        let limits = &self.cx.limits;
        if is_due(&mut self.timers.overdue, now, limits.seen_ms) {
            self.groups.begin_repeats();
            self.groups.begin_looks();
        }
        if is_due(&mut self.timers.cursors, now, limits.cursors_ms) {
            self.groups.begin_writes();
        }
    }

    /// Everybody fetches their backlog again: some now, the others with the next ticks.
    pub(super) fn fetch_all(&mut self) {
        self.timers.everybody.begin(self.connections.slots());
        self.go_on_fetching(&mut Budget::of(&self.cx.limits));
    }

    /// It is settled again who holds whom: for some sessions now, for the others with the next ticks.
    pub(super) fn begin_reclaims(&mut self) {
        self.timers.reclaims.begin(self.connections.slots());
        self.go_on_reclaiming(&mut Budget::of(&self.cx.limits));
    }

    fn go_on_reclaiming(&mut self, budget: &mut Budget) {
        while !budget.is_spent() {
            let Some(slot) = self.timers.reclaims.next(self.connections.slots()) else { return };
            let connection = self.connections.at(slot).filter(|connection| connection.is_logged_in());
            let id = connection.map(Connection::id);
            budget.spend(id.map_or(0, |id| self.groups.count_of(id)));
            id.into_iter().for_each(|id| self.reclaim(id));
        }
    }

    /// Has some of those fetch who are to.
    fn go_on_fetching(&mut self, budget: &mut Budget) {
        while !budget.is_spent() {
            let next = match self.timers.everybody.next(self.connections.slots()) {
                Some(slot) => {
                    let connection = self.connections.at(slot);
                    connection.filter(|connection| connection.is_logged_in()).map(Connection::id)
                }
                None => match self.timers.to_fetch.pop_front() {
                    Some(id) => Some(id),
                    None => return,
                },
            };
            budget.spend(next.map_or(0, |id| self.groups.count_of(id)));
            if let Some(id) = next {
                self.fetch_again(id);
                self.devices.tell_heads(&mut self.cx, &self.connections, id);
            }
        }
    }

    /// Claims whose deadline has passed are decided; those that are decided are forgotten.
    fn decide_claims(&mut self) {
        for (id, epoch) in self.logins.take_claims() {
            let outcome = self.logins.decide(&mut self.cx, &mut self.connections, id, epoch);
            self.after_login(outcome);
            self.logins.keep_if_undecided(id, epoch);
        }
    }

    /// Goes on with every catch-up that is not through.
    fn tick_catch_ups(&mut self) {
        let ids = self.backlog.begin_tick(&self.cx, &self.connections);
        for &id in &ids {
            let Self { cx, connections, backlog, .. } = self;
            if backlog.is_under_way(connections, id) {
                backlog.tick(cx, connections, id);
                self.continue_catch_up(id);
            }
        }
        self.backlog.end_tick(&self.connections, ids);
    }

    /// Looks at what TCP has acknowledged, and tries again what could not be done, as far as a tick may.
    fn probe(&mut self) {
        for id in self.connections.probe_unacked(&mut self.cx) {
            self.backlog.forget_recent(id);
        }
        self.social.repeat_hiding_hints(&mut self.cx);
        self.social.repeat_friendships(&mut self.cx);
        self.social.look_at_unsent_settings(&mut self.cx);
        self.devices.repeat_revoked(&mut self.cx);
        self.backlog.retry(&mut self.cx);
        for user in self.backlog.take_to_notify(&self.cx) {
            self.notify_backlog(user);
        }
        for id in self.backlog.retry_failed(&self.cx) {
            self.continue_catch_up(id);
        }
        self.groups.rejoin(&mut self.cx);
    }
}
