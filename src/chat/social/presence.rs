//! Presence: who of its users' friends is online, as one core knows it.
//!
//! A core tells all others which of its users came and went, a few times a second at most and only
//! if somebody did. Each notice carries the number of the login that it is about, so an older one
//! is known from a newer one. What a notice cannot settle is looked up: the bus knows who is there.
//! Nothing is counted and nothing expires, so nothing can go stale.

mod lost;
mod notices;
mod suspicion;
mod watched;

use super::{Social, Told, Watching};
use crate::backlog::Backlog;
use crate::connection::{Connections, Walk};
use crate::model::envelope::{Envelope, Notice, Whereabouts};
use crate::model::ids::{ConnectionId, CoreId, Monotonic, SessionEpoch, UserId};
use crate::port::cx::Cx;
use crate::port::event::BusDown;
use crate::port::in_flight::{Lost, QueryFlow};
use crate::wire::reply;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;
use suspicion::Suspicion;
use watched::WatchedUsers;

/// Users who are looked for at a time.
const LOOKED_FOR: usize = 1_024;
/// Watched users who are looked at in one tick.
const SUSPECTED: usize = 4_096;
/// Looks that agree before somebody is believed to be online whom no notice has told of: the first
/// may have met a login that came to nothing.
const LOOKS: u8 = 3;
/// The same, with one that comes later than they, when a time to look has come so often: a login that took long may have
/// come to nothing after all of them.
const LOOKS_IN_ALL: u8 = LOOKS + 1;
const LAST_LOOK_AT: u32 = 8;

/// What one core knows of who is online, and what others are still to be told.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Friends of the core's sessions of v2.
    watched: WatchedUsers,
    /// The core's own users that came or went since the others were told.
    pending_updates: FxHashMap<UserId, Notice>,
    /// Those who lost their connection, until when they may be back as if nothing had been.
    lost: VecDeque<(Monotonic, Lost)>,
    /// Who is suspected, and when: the users of cores that said that they stop; everybody, after the bus was lost.
    later: VecDeque<(Monotonic, Suspicion)>,
    /// Which watched users are still to be looked at, and how far that has come.
    suspicions: Vec<(Suspicion, Walk)>,
    /// Watched users who are to be looked for.
    unverified: FxHashSet<UserId>,
    /// Numbers what is learned, to tell what a look was overtaken by.
    learned: u64,
    next_update: Monotonic,
    next_query: Monotonic,
    next_reconcile: Monotonic,
    /// How often it was time to reconcile.
    reconciled: u32,
}

/// A user with friends here.
#[derive(Debug, Default)]
struct Watched {
    watchers: Vec<ConnectionId>,
    /// `None` until it is known.
    online: Option<bool>,
    /// The newest login that a notice told of; 0 if none did.
    epoch: u64,
    /// The core that told of it, and will tell when the user is there no more. While it is online, and nobody is known who
    /// will, it is looked for until that is sure.
    holder: Option<CoreId>,
    /// Looks that found it online, since a notice told of it last; those at one time are one.
    looks: u8,
    /// When the last of them was counted.
    looked_at: Monotonic,
    /// When something was last learned by a notice, in numbers of `learned`; before that, since when it is watched: what was
    /// told earlier nobody has taken in.
    learned: u64,
}

/// How a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gone {
    /// Its user said so.
    LoggedOut,
    /// Its connection was lost or closed, or another session takes its place: the user may be back.
    Lost,
}

/// What time has brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PresenceOutcome {
    Nothing,
    /// The bus was lost a while ago: what was on its way then may be stored by now, and everybody fetches again.
    FetchAll,
}

impl Social {
    /// A login is about to be a session: it is told of these friends, if it speaks v2, but for those that hide from it.
    /// Gives back those of whom nothing is known.
    pub(crate) fn begin_session(
        &mut self,
        id: ConnectionId,
        epoch: SessionEpoch,
        friends: Option<Vec<UserId>>,
        hidden: FxHashSet<UserId>,
    ) -> Vec<UserId> {
        let unknown = friends.as_ref().map_or_else(Vec::new, |friends| self.presence.watch(id, friends));
        let told = friends.map(|friends| Told { friends, hidden });
        self.sessions.insert(id, Watching { told: told.into(), known_as: epoch });
        unknown
    }

    /// A session ends, or a login comes to nothing.
    pub(crate) fn end_session(&mut self, id: ConnectionId) {
        self.typed.remove(id);
        self.forget_friendships(id);
        if let Some(told) = self.sessions.remove(id).and_then(|mut session| session.told.take()) {
            self.presence.unwatch(id, &told.friends);
        }
    }

    /// Whether a watched user is online, and `None` while that is being found out.
    pub(super) fn state_of(&self, user: UserId) -> Option<bool> {
        self.presence.state_of(user)
    }

    /// Numbers a query that is about to be made.
    pub(crate) fn begin_query(&self) -> u64 {
        self.presence.begin_query()
    }

    /// A user of this core is logged in.
    pub(crate) fn mark_online(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        user: UserId,
        epoch: SessionEpoch,
    ) {
        cx.enter();
        let here = Notice { user, epoch: epoch.0, whereabouts: Whereabouts::Here };
        self.announce(cx, connections, backlog, here);
    }

    /// A user of this core is logged in no more.
    pub(crate) fn mark_offline(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        (id, user): (ConnectionId, UserId),
        gone: Gone,
    ) {
        cx.enter();
        let Some(known_as) = self.sessions.get(id).map(|session| session.known_as) else { return };
        let lost = Lost { user, epoch: known_as, multi: connections.is_multi(id) };
        match gone {
            Gone::LoggedOut if lost.multi => self.presence.lost.push_front((cx.now, lost)),
            Gone::LoggedOut => {
                let gone = Notice { user, epoch: known_as.0, whereabouts: Whereabouts::Gone };
                self.announce(cx, connections, backlog, gone);
            }
            Gone::Lost => self.wait_for(cx, lost),
        }
    }

    /// Tells the friends here at once, and the other cores with the next notice. Nobody is said to have left who is here.
    fn announce(&mut self, cx: &mut Cx, connections: &mut Connections, backlog: &Backlog, notice: Notice) {
        if notice.whereabouts != Whereabouts::Here && connections.is_here(notice.user) {
            return;
        }
        // The last word counts, also if it is about the end of an older login.
        let last = self.presence.pending_updates.entry(notice.user).or_insert(notice);
        *last = Notice { epoch: last.epoch.max(notice.epoch), ..notice };
        self.take_in(cx, connections, backlog, cx.core, notice);
    }

    /// A core tells of a user: so are the friends here, if that is new.
    fn take_in(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        core: CoreId,
        notice: Notice,
    ) {
        if self.presence.learn(core, notice) {
            let online = notice.whereabouts == Whereabouts::Here;
            self.tell_watchers(cx, connections, backlog, notice.user, online);
        }
    }

    /// PRESENCE to all who watch a user here. Who waits for its login answer is told by that; whom the user blocks is
    /// not told.
    fn tell_watchers(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        user: UserId,
        online: bool,
    ) {
        let Some(watched) = self.presence.watched.get(user) else { return };
        for &id in &watched.watchers {
            if connections.get(id).is_some_and(|connection| connection.is_logged_in())
                && !backlog.awaits_welcome(id)
                && !self.hides_from(id, user)
            {
                connections.reply(cx, id, reply::presence(user, online));
            }
        }
    }

    /// Another core tells who came and went there.
    pub(crate) fn on_presence_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        envelope: &Envelope,
    ) {
        cx.enter();
        cx.observe(envelope.mid());
        let core = envelope.mid().core();
        // What this core published comes back to it.
        if core == cx.core {
            return;
        }
        for notice in envelope.notices() {
            let is_gone = notice.whereabouts == Whereabouts::Gone;
            if is_gone && self.stays_here(cx, connections, backlog, notice) {
                // It is about another session of that user.
            } else {
                self.take_in(cx, connections, backlog, core, notice);
            }
        }
    }

    /// Whether a user is here of whom another core tells that it is gone. There were two sessions of it for a while.
    /// If the other one is known by a newer number, or by the same since both have stayed, word of this one takes one that is
    /// newer still.
    fn stays_here(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        gone: Notice,
    ) -> bool {
        let newest = self.newest_here(connections, gone.user);
        let Some(session) = newest.and_then(|id| self.sessions.get_mut(id)) else { return false };
        if session.known_as.0 <= gone.epoch {
            session.known_as = SessionEpoch(gone.epoch.saturating_add(1));
            let here = Notice { epoch: session.known_as.0, whereabouts: Whereabouts::Here, ..gone };
            self.announce(cx, connections, backlog, here);
        }
        true
    }

    /// Of the sessions of a user here, that of the newest login.
    fn newest_here(&self, connections: &Connections, user: UserId) -> Option<ConnectionId> {
        let here = connections.sessions(user).into_iter();
        let here = here.filter(|&id| connections.get(id).is_some_and(|connection| connection.is_logged_in()));
        here.max_by_key(|&id| self.sessions.get(id).map(|session| session.known_as))
    }

    /// Another core stops. Its users have as long to be back as those whose connection was lost.
    pub(crate) fn on_core_leaving(&mut self, cx: &Cx, core: CoreId) {
        let due = cx.now.plus(cx.limits.presence_grace_ms);
        self.presence.later.push_back((due, Suspicion::Of(core)));
    }

    /// A core is dead, or as good as dead: who of its users is nowhere else is offline.
    pub(crate) fn on_core_gone(&mut self, cx: &mut Cx, core: CoreId) {
        cx.enter();
        self.look_for(cx, Suspicion::Of(core));
    }

    /// Time has passed.
    pub(crate) fn tick(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
    ) -> PresenceOutcome {
        cx.enter();
        let now = cx.now;
        self.tick_hiding(cx, connections);
        self.tick_doubts(cx, connections, backlog);
        let mut outcome = PresenceOutcome::Nothing;
        let lost = self.presence.lost.iter().take_while(|&&(due, _)| due <= now).count();
        for (_, lost) in self.presence.lost.drain(..lost).collect::<Vec<_>>() {
            self.lost_for_good(cx, connections, backlog, lost);
        }
        let gone = self.presence.later.iter().take_while(|&&(due, _)| due <= now).count();
        for (_, suspicion) in self.presence.later.drain(..gone).collect::<Vec<_>>() {
            self.presence.suspect(suspicion);
            if matches!(suspicion, Suspicion::Everybody { .. }) {
                outcome = PresenceOutcome::FetchAll;
            }
        }
        if now >= self.presence.next_reconcile {
            self.presence.next_reconcile = now.plus(cx.limits.presence_look_ms);
            self.presence.reconciled = self.presence.reconciled.wrapping_add(1);
            let last = self.presence.reconciled.is_multiple_of(LAST_LOOK_AT);
            self.presence.suspect(Suspicion::Unsure { looks: if last { LOOKS_IN_ALL } else { LOOKS } });
        }
        self.presence.go_on_suspecting(SUSPECTED);
        if now >= self.presence.next_query {
            self.query_unverified(cx);
        }
        if now >= self.presence.next_update {
            self.publish_some_updates(cx);
        }
        outcome
    }

    /// Looks for some of these at once, and for the others with the next ticks.
    fn look_for(&mut self, cx: &mut Cx, suspicion: Suspicion) {
        self.presence.suspect(suspicion);
        self.presence.go_on_suspecting(SUSPECTED);
        self.query_unverified(cx);
    }

    /// The state of this user is not known: it is looked for.
    pub(super) fn verify(&mut self, cx: &mut Cx, user: UserId) {
        self.presence.unverified.insert(user);
        self.query_unverified(cx);
    }

    fn query_unverified(&mut self, cx: &mut Cx) {
        if self.presence.unverified.is_empty() {
            return;
        }
        let unverified = &mut self.presence.unverified;
        let mut users: Vec<UserId> = unverified.iter().take(LOOKED_FOR).copied().collect();
        for user in &users {
            unverified.remove(user);
        }
        users.sort_unstable();
        let begun = self.presence.begin_query();
        cx.query_presence(users.clone(), QueryFlow::Unverified { users, begun });
    }

    pub(crate) fn on_unverified(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        (users, begun): (Vec<UserId>, u64),
        online: Result<Vec<bool>, BusDown>,
    ) {
        cx.enter();
        match online {
            Ok(online) => self.apply_probe(cx, connections, backlog, &users, begun, &online),
            Err(BusDown) => {
                self.presence.next_query = cx.now.plus(cx.limits.probe_ms);
                let watched = users.into_iter().filter(|&user| self.presence.watched.get(user).is_some());
                let watched: Vec<UserId> = watched.collect();
                self.presence.unverified.extend(watched);
            }
        }
    }

    /// A query has found these users online or not.
    pub(crate) fn apply_probe(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        users: &[UserId],
        begun: u64,
        online: &[bool],
    ) {
        cx.enter();
        // Some answers are faster than others.
        let (now, apart_ms) = (cx.now, cx.limits.presence_look_ms / 2);
        for (&user, &online) in users.iter().zip(online) {
            if self.presence.see(user, online, begun, now, apart_ms) {
                self.tell_watchers(cx, connections, backlog, user, online);
            }
        }
    }
}
