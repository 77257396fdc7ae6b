//! Presence: who of its users' friends is online, as one core knows it.
//!
//! A core tells all others which of its users came and went, a few times a second at most and only
//! if somebody did. Each notice carries the number of the login that it is about, so an older one
//! is known from a newer one. What a notice cannot settle is looked up: the bus knows who is there.
//! Nothing is counted and nothing expires, so nothing can go stale.

use super::effect::Effect;
use super::envelope::{Envelope, Notice};
use super::event::{BusDown, Channel};
use super::hub::Hub;
use super::ids::{CoreId, Monotonic, SessionId, UserId};
use super::pending::Pending;
use super::session::{Phase, Visit};
use super::wire::reply;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

/// Notices in one envelope.
const NOTICES: usize = 1_024;
/// Looks that agree before somebody is believed to be online whom no notice has told of: the first
/// may have met a login that came to nothing.
const LOOKS: u8 = 3;

/// What one core knows of who is online, and what others are still to be told.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Friends of the core's sessions of the second dialect.
    watched: FxHashMap<UserId, Watched>,
    /// The core's own users that came or went since the others were told.
    news: FxHashMap<UserId, Notice>,
    /// Those who lost their connection, until when they may be back as if nothing had been.
    lost: VecDeque<(Monotonic, UserId, Visit)>,
    /// Cores that said that they stop, and when their users are looked for; everybody, after the
    /// bus was lost.
    later: VecDeque<(Monotonic, Option<CoreId>)>,
    /// Watched users who are to be looked for.
    doubtful: FxHashSet<UserId>,
    /// Numbers what is learned, to tell what a look was overtaken by.
    learned: u64,
    next_news: Monotonic,
    next_look: Monotonic,
    next_reconcile: Monotonic,
}

/// A user with friends here.
#[derive(Debug, Default)]
struct Watched {
    watchers: Vec<SessionId>,
    /// `None` until it is known.
    online: Option<bool>,
    /// The newest login that a notice told of; 0 if none did.
    visit: u64,
    /// The core that told of it.
    holder: Option<CoreId>,
    /// Looks that found it online, since a notice told of it last; those at one time are one.
    looks: u8,
    /// When the last of them was counted.
    looked_at: Monotonic,
    /// When something was last learned by a notice, in numbers of `learned`.
    learned: u64,
}

/// How a session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Gone {
    /// Its user said so.
    LoggedOut,
    /// Its connection was lost or closed, or another session takes its place: the user may be back.
    Lost,
}

impl Presence {
    /// Watches users for a session. Gives back those that are not known.
    pub(super) fn watch(&mut self, session: SessionId, users: &[UserId]) -> Vec<UserId> {
        let mut unknown = Vec::new();
        for &user in users {
            let watched = self.watched.entry(user).or_default();
            watched.watchers.push(session);
            if watched.online.is_none() {
                unknown.push(user);
            }
        }
        unknown
    }

    /// Watches them no more; those that nobody watches are forgotten.
    pub(super) fn unwatch(&mut self, session: SessionId, users: &[UserId]) {
        for user in users {
            let Some(watched) = self.watched.get_mut(user) else { continue };
            if let Some(at) = watched.watchers.iter().position(|&watcher| watcher == session) {
                watched.watchers.swap_remove(at);
            }
            if watched.watchers.is_empty() {
                self.watched.remove(user);
                self.doubtful.remove(user);
            }
        }
    }

    /// Whether a watched user is online, as far as is known.
    pub(super) fn is_online(&self, user: UserId) -> bool {
        self.state_of(user) == Some(true)
    }

    /// The same, and `None` while that is being found out.
    pub(super) fn state_of(&self, user: UserId) -> Option<bool> {
        self.watched.get(&user).and_then(|watched| watched.online)
    }

    /// Numbers a look that is about to be made.
    pub(super) fn begin_look(&self) -> u64 {
        self.learned
    }

    fn doubt(&mut self, which: impl Fn(&Watched) -> bool) {
        let doubted = self.watched.iter().filter(|(_, watched)| which(watched)).map(|(&user, _)| user);
        self.doubtful.extend(doubted);
    }

    /// Takes in a notice; whether watchers are to be told.
    fn learn(&mut self, core: CoreId, notice: Notice) -> bool {
        self.learned += 1;
        let Notice { user, visit, online } = notice;
        let Some(watched) = self.watched.get_mut(&user) else { return false };
        if visit < watched.visit || (!online && watched.visit == 0 && watched.online != Some(false)) {
            // It is late, or about a login that this core has not heard of: perhaps not the last one.
            if watched.online != Some(online) {
                self.doubtful.insert(user);
                // A look that agrees with what was known may have been too early.
                watched.looks = 0;
            }
            return false;
        }
        (watched.visit, watched.learned, watched.looks) = (visit, self.learned, 0);
        watched.holder = online.then_some(core);
        watched.online.replace(online) != Some(online)
    }

    /// Takes in that a look has found a user or not; whether watchers are to be told. `begun` is
    /// what was learned before the look: what was learned since is newer. Looks less than `apart_ms`
    /// apart count once.
    fn see(&mut self, user: UserId, online: bool, begun: u64, now: Monotonic, apart_ms: u64) -> bool {
        let Some(watched) = self.watched.get_mut(&user).filter(|watched| watched.learned <= begun) else {
            return false;
        };
        if !online {
            watched.looks = 0;
        } else if watched.looks == 0 || now.since(watched.looked_at) >= apart_ms {
            (watched.looks, watched.looked_at) = (watched.looks.saturating_add(1), now);
        }
        if watched.online != Some(online) {
            watched.holder = None;
        }
        watched.online.replace(online) != Some(online)
    }
}

impl Hub {
    /// A user of this core is logged in.
    pub(super) fn came(&mut self, user: UserId, visit: Visit, out: &mut Vec<Effect>) {
        self.announce(Notice { user, visit: visit.0, online: true }, out);
    }

    /// A user of this core is logged in no more.
    pub(super) fn went(&mut self, user: UserId, visit: Visit, gone: Gone, out: &mut Vec<Effect>) {
        match gone {
            Gone::LoggedOut => self.announce(Notice { user, visit: visit.0, online: false }, out),
            Gone::Lost => {
                let due = self.now.plus(self.limits.presence_grace_ms);
                self.presence.lost.push_back((due, user, visit));
            }
        }
    }

    /// Tells the friends here at once, and the other cores with the next notice.
    fn announce(&mut self, notice: Notice, out: &mut Vec<Effect>) {
        let last = self.presence.news.entry(notice.user).or_insert(notice);
        if last.visit <= notice.visit {
            *last = notice;
        }
        if self.presence.learn(self.core, notice) {
            self.tell_watchers(notice.user, notice.online, out);
        }
    }

    /// PRESENCE to all who watch a user here. Who is not greeted yet is told by the login answer.
    fn tell_watchers(&mut self, user: UserId, online: bool, out: &mut Vec<Effect>) {
        let Some(watched) = self.presence.watched.get(&user) else { return };
        for id in watched.watchers.clone() {
            let watcher = self.session(id).and_then(|session| session.online());
            if watcher.is_some_and(|watcher| !watcher.is_to_be_greeted()) {
                self.reply(id, reply::presence(user, online), out);
            }
        }
    }

    /// Another core tells who came and went there.
    pub(super) fn presence_arrived(&mut self, envelope: &Envelope, out: &mut Vec<Effect>) {
        self.clock.observe(envelope.mid());
        let core = envelope.mid().core();
        // What this core published comes back to it.
        if core == self.core {
            return;
        }
        for notice in envelope.notices() {
            if !notice.online && self.stays_here(notice, out) {
                // It is about another session of that user.
            } else if self.presence.learn(core, notice) {
                self.tell_watchers(notice.user, notice.online, out);
            }
        }
    }

    /// Whether a user is here of whom another core tells that it is gone. There were two sessions of it
    /// for a while. If the other one is that of a newer login, word of this one takes a number that is
    /// newer still.
    fn stays_here(&mut self, gone: Notice, out: &mut Vec<Effect>) -> bool {
        let here = self.users.get(&gone.user).copied();
        let Some(online) = here.and_then(|id| self.online_mut(id)) else { return false };
        if online.known_as.0 < gone.visit {
            online.known_as = Visit(gone.visit + 1);
            let here = Notice { visit: online.known_as.0, online: true, ..gone };
            self.announce(here, out);
        }
        true
    }

    /// Another core stops. Its users have as long to be back as those whose connection was lost.
    pub(super) fn farewell(&mut self, core: CoreId) {
        let due = self.now.plus(self.limits.presence_grace_ms);
        self.presence.later.push_back((due, Some(core)));
    }

    /// A core is dead, or as good as dead: who of its users is nowhere else is offline.
    pub(super) fn core_gone(&mut self, core: CoreId, out: &mut Vec<Effect>) {
        self.presence.doubt(|watched| watched.holder.is_none_or(|holder| holder == core));
        self.look_for_doubtful(out);
    }

    /// The bus was lost: notices may have been missed, and the others may have missed ours. They too
    /// are joining their channels again, so that they are not looked for at once.
    pub(super) fn announce_again(&mut self) {
        for id in self.online_sessions() {
            let Some(online) = self.session(id).and_then(|session| session.online()) else { continue };
            let notice = Notice { user: online.user, visit: online.known_as.0, online: true };
            self.presence.news.insert(notice.user, notice);
        }
        let due = self.now.plus(self.limits.presence_grace_ms);
        self.presence.later.push_back((due, None));
    }

    /// Watches a friend more for a session, which is told of its state.
    pub(super) fn befriend(&mut self, id: SessionId, friend: UserId, out: &mut Vec<Effect>) {
        let Some(v2) = self.online_mut(id).and_then(|online| online.v2.as_mut()) else { return };
        if v2.friends.contains(&friend) {
            return;
        }
        v2.friends.push(friend);
        self.presence.watch(id, &[friend]);
        match self.presence.state_of(friend) {
            Some(online) => self.reply(id, reply::presence(friend, online), out),
            None => {
                self.presence.doubtful.insert(friend);
                self.look_for_doubtful(out);
            }
        }
    }

    /// Watches a friend no more.
    pub(super) fn unfriend(&mut self, id: SessionId, friend: UserId) {
        if let Some(v2) = self.online_mut(id).and_then(|online| online.v2.as_mut()) {
            v2.friends.retain(|&other| other != friend);
            self.presence.unwatch(id, &[friend]);
        }
    }

    /// Time has passed.
    pub(super) fn presence_tick(&mut self, out: &mut Vec<Effect>) {
        let now = self.now;
        let lost = self.presence.lost.iter().take_while(|&&(due, ..)| due <= now).count();
        for (_, user, visit) in self.presence.lost.drain(..lost).collect::<Vec<_>>() {
            self.lost_for_good(user, visit, out);
        }
        let gone = self.presence.later.iter().take_while(|&&(due, _)| due <= now).count();
        for (_, core) in self.presence.later.drain(..gone).collect::<Vec<_>>() {
            match core {
                Some(core) => self.core_gone(core, out),
                None => {
                    self.presence.doubt(|_| true);
                    self.look_for_doubtful(out);
                    self.take_once_more(out);
                }
            }
        }
        if now >= self.presence.next_reconcile {
            self.presence.next_reconcile = now.plus(self.limits.presence_look_ms);
            self.presence.doubt(|watched| {
                let unsure = watched.holder.is_none() && watched.looks < LOOKS;
                watched.online.is_none() || (watched.online == Some(true) && unsure)
            });
        }
        if now >= self.presence.next_look {
            self.look_for_doubtful(out);
        }
        if now >= self.presence.next_news {
            self.publish_news(out);
        }
    }

    /// Somebody's connection was lost a while ago: offline, unless the user is back here. If it is
    /// back elsewhere, the others know a newer login than this one.
    fn lost_for_good(&mut self, user: UserId, visit: Visit, out: &mut Vec<Effect>) {
        let here = self.users.get(&user).and_then(|&id| self.session(id));
        match here.map(|session| &session.phase) {
            Some(Phase::Online(_)) => {}
            // About to be back, or not.
            Some(Phase::Entering(_)) => self.went(user, visit, Gone::Lost, out),
            _ => self.announce(Notice { user, visit: visit.0, online: false }, out),
        }
    }

    /// Tells the other cores who came and went.
    pub(super) fn publish_news(&mut self, out: &mut Vec<Effect>) {
        if self.presence.news.is_empty() {
            return;
        }
        self.presence.next_news = self.now.plus(self.limits.presence_notice_ms);
        let mut news: Vec<Notice> = std::mem::take(&mut self.presence.news).into_values().collect();
        news.sort_unstable_by_key(|notice| notice.user);
        for news in news.chunks(NOTICES) {
            let envelope = Envelope::presence(self.clock.next(self.wall), news);
            let ticket = self.pending.insert(Pending::News { news: news.into() });
            out.push(Effect::Publish { ticket: Some(ticket), channel: Channel::Cores, envelope });
        }
    }

    /// What the bus could not publish is told with the next notice, unless something newer is.
    pub(super) fn news_counted(&mut self, news: Box<[Notice]>, heard: Result<u32, BusDown>) {
        if heard.is_err() {
            for notice in news {
                self.presence.news.entry(notice.user).or_insert(notice);
            }
            self.presence.next_news = self.now.plus(self.limits.probe_ms);
        }
    }

    fn look_for_doubtful(&mut self, out: &mut Vec<Effect>) {
        if self.presence.doubtful.is_empty() {
            return;
        }
        let mut users: Vec<UserId> = std::mem::take(&mut self.presence.doubtful).into_iter().collect();
        users.sort_unstable();
        let begun = self.presence.begin_look();
        let ticket = self.pending.insert(Pending::Doubtful { users: users.clone(), begun });
        out.push(Effect::Look { ticket, users });
    }

    pub(super) fn doubtful_looked(
        &mut self,
        users: Vec<UserId>,
        begun: u64,
        online: Result<Vec<bool>, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        match online {
            Ok(online) => self.saw(&users, begun, &online, out),
            Err(BusDown) => {
                self.presence.next_look = self.now.plus(self.limits.probe_ms);
                let watched = users.into_iter().filter(|user| self.presence.watched.contains_key(user));
                let watched: Vec<UserId> = watched.collect();
                self.presence.doubtful.extend(watched);
            }
        }
    }

    /// A look has found these users online or not.
    pub(super) fn saw(&mut self, users: &[UserId], begun: u64, online: &[bool], out: &mut Vec<Effect>) {
        // Some answers are faster than others.
        let (now, apart_ms) = (self.now, self.limits.presence_look_ms / 2);
        for (&user, &online) in users.iter().zip(online) {
            if self.presence.see(user, online, begun, now, apart_ms) {
                self.tell_watchers(user, online, out);
            }
        }
    }
}
