//! Sessions: how one begins and ends, which all rooms have a part in.

use super::Hub;
use crate::connection::{About, AuthState, Connection, Drained, Leaving, Pause};
use crate::group::Subscribed;
use crate::login::{self, LetIn, LoginOutcome, Started, publish_reclaim};
use crate::model::dedup::DedupWindow;
use crate::model::envelope::{Acquaintance, Demand, Envelope, Kind, Revoked};
use crate::model::group_rule::Rules;
use crate::model::ids::{ConnectionId, CoreId, Monotonic, SessionEpoch, UserId};
use crate::model::profile::{Membership, Person, Profile};
use crate::port::cx::Cx;
use crate::port::effect::Effect;
use crate::port::event::Channel;
use crate::port::in_flight::{LoginFlow, Lost, QueryFlow, Revoking, StoreFlow, StoreRetry};
use crate::port::store::StoreRequest;
use crate::social::Gone;
use crate::wire::code::{self, Code};
use crate::wire::msgid;
use crate::wire::reply::{self, Outcome};
use crate::wire::request::Dialect;
use rustc_hash::FxHashSet;

impl Hub {
    /// Whoever was let in may be this user: claims it, unless it is here already and does not give way.
    pub(super) fn claim(&mut self, id: ConnectionId, let_in: LetIn) {
        if self.connections.get(id).is_none_or(|connection| connection.is_closing()) {
            return;
        }
        let joins = matches!(let_in.demand, Demand::Join(_));
        for holder in self.connections.sessions(let_in.user) {
            if self.logins.gives_way(holder, let_in.demand) {
                self.replace(holder, Code::Replaced.text());
            } else if joins && self.connections.is_multi(holder) {
                // The two live side by side.
            } else if !self.end_if_half_closed(holder) {
                return self.refuse_login(id, Code::AlreadyOnline);
            }
        }
        let Self { cx, connections, backlog, groups, logins, .. } = self;
        let user = let_in.user;
        let epoch = logins.claim(cx, connections, id, let_in);
        backlog.begin_login(id, user, epoch);
        groups.begin_login(id);
    }

    /// Makes room for another session of a user whose client has said its last word; whether it did. What is still to be
    /// said to that client, and to be heard from its TCP, comes all the same.
    pub(super) fn end_if_half_closed(&mut self, id: ConnectionId) -> bool {
        let has_ended = |connection: &Connection| connection.is_half_closed() && connection.is_logged_in();
        let has_ended = self.connections.get(id).is_some_and(has_ended) && !self.backlog.awaits_welcome(id);
        if has_ended {
            self.end_session(id, Gone::Lost);
        }
        has_ended
    }

    /// What is next for a login.
    pub(super) fn after_login(&mut self, outcome: LoginOutcome) {
        match outcome {
            LoginOutcome::Nothing => {}
            LoginOutcome::Refuse { connection, code } => self.refuse_login(connection, code),
            LoginOutcome::RefuseJwt { connection, code } => {
                self.refuse_entry(connection, code, reply::not_admitted);
            }
            LoginOutcome::RefuseResume { connection, code } => {
                self.refuse_entry(connection, code, reply::not_resumed);
            }
            LoginOutcome::GiveWay { connection } => self.replace(connection, Code::Replaced.text()),
            LoginOutcome::Answer { user, claim, answer } => login::answer(&mut self.cx, user, claim, answer),
            LoginOutcome::Replaced { connection, user } => {
                self.connections.close_for(&mut self.cx, connection, Code::Replaced, Code::Replaced.text());
                // What this session changed, the other does not know.
                self.cx.publish(Channel::User(user), Envelope::backlog_hint(user));
                let unknown = Envelope::acquaintance(self.cx.next_mid(), user, Acquaintance::Unknown);
                self.cx.publish(Channel::User(user), unknown);
            }
        }
    }

    /// Tells a session why it ends by somebody else's doing, and makes it nobody's.
    pub(super) fn replace(&mut self, id: ConnectionId, why: &str) {
        self.cx.counters.error(Code::Replaced);
        self.connections.close_for(&mut self.cx, id, Code::Replaced, why);
        self.end_session(id, Gone::Lost);
    }

    /// Tokens of a user are worthless: the sessions here that came with them end. Those of v1 have none.
    pub(super) fn end_revoked(&mut self, user: UserId, revoked: Revoked) {
        for id in self.connections.sessions(user) {
            let is_v2 = self.connections.get(id).is_some_and(|connection| connection.dialect == Dialect::V2);
            if (is_v2 || revoked == Revoked::Everything) && revoked.includes(self.logins.token(id)) {
                self.replace(id, code::REVOKED);
            }
        }
    }

    /// What sessions were let in by has expired: they end.
    pub(super) fn end_expired(&mut self) {
        for id in self.logins.expired(&mut self.cx, &mut self.connections) {
            self.cx.counters.error(Code::Expired);
            self.connections.close_for(&mut self.cx, id, Code::Expired, Code::Expired.text());
            self.end_session(id, Gone::Lost);
        }
    }

    /// A login that comes to nothing: the connection lives on and may try again.
    pub(super) fn refuse_login(&mut self, id: ConnectionId, code: Code) {
        self.refuse_entry(id, code, reply::not_logged_in);
    }

    fn refuse_entry(&mut self, id: ConnectionId, code: Code, answer: fn(Code, Option<&str>) -> Vec<u8>) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        let cid = connection.login_cid.take();
        self.cx.counters.error(code);
        self.end_session(id, Gone::Lost);
        let Self { cx, connections, logins, .. } = self;
        let bytes = match code == Code::TooFast {
            true => logins.not_yet(cx, connections, id, cid.as_deref()),
            false => answer(code, cid.as_deref()),
        };
        connections.reply(cx, id, bytes);
        connections.note_unauthenticated(cx, id);
        self.resume(id);
    }

    /// The profile of a login is here: joins the groups, and finds out who is online.
    pub(super) fn on_profile(&mut self, id: ConnectionId, epoch: SessionEpoch, mut profile: Profile) {
        let Self { cx, connections, backlog, groups, logins, social, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        let friends: Vec<UserId> = profile.friends.iter().map(|friend| friend.id).collect();
        connection.set_refusals(&profile.blocked, profile.settings, &friends);
        connection.dedup = profile.dedup.take();
        let dialect = connection.dialect;
        let mut joins = 0;
        for membership in &mut profile.groups {
            // A mute whose time is over is none.
            membership.standing.muted = membership.standing.muted.by(cx.wall);
            membership.all.until = membership.all.until.by(cx.wall);
            let (group, upto) = (membership.group, membership.cursor);
            joins += u32::from(groups.subscribe(cx, id, group, upto) == Subscribed::Soon);
            backlog.track_group(id, group, upto);
            let Membership { standing: member, at, all, .. } = *membership;
            // Its channel is not joined yet: what the first page says counts.
            groups.learn(id, &Rules { group, member, at, all }, 0);
        }
        let users = match dialect {
            Dialect::V2 => {
                // From now on the session knows better than the profile.
                let hides = |friend: &mut Person| std::mem::take(&mut friend.hides).then_some(friend.id);
                let hidden = profile.friends.iter_mut().filter_map(hides).collect();
                social.begin_session(id, epoch, Some(friends), hidden)
            }
            Dialect::V1 => {
                social.begin_session(id, epoch, None, FxHashSet::default());
                let members = profile.groups.iter().flat_map(|group| &group.members);
                let mut users = friends;
                users.extend(members.map(|member| member.person.id));
                users.sort_unstable();
                users.dedup();
                users
            }
        };
        logins.note_profile(id, profile, joins);
        let begun = social.begin_query();
        cx.query_presence(users.clone(), QueryFlow::Login { connection: id, epoch, users, begun });
    }

    /// Once every channel is joined the login is a session, and its backlog is fetched.
    pub(super) fn start_if_ready(&mut self, id: ConnectionId) {
        let Self { cx, connections, backlog, logins, social, .. } = self;
        let Some(Started { user, epoch }) = logins.start_if_ready(cx, connections, id) else { return };
        backlog.finish_login(cx, id);
        social.mark_online(cx, connections, backlog, user, epoch);
        self.continue_catch_up(id);
    }

    /// The connection is nobody from now on: leaves its channels, writes down how far it came, and finds another
    /// place for what was buffered and for what its reader has not confirmed. What TCP may not have delivered to a
    /// v1 session stays in its window.
    pub(super) fn end_session(&mut self, id: ConnectionId, gone: Gone) {
        let Self { cx, connections, backlog, changes, devices, groups, logins, social, .. } = self;
        let Some(connection) = connections.get(id) else { return };
        let (dialect, multi, user) = (connection.dialect, connection.multi, connection.user());
        let cursors = match connection.is_logged_in() {
            true => groups.cursor_updates(connections, backlog, id),
            false => Vec::new(),
        };
        let dedup = connections.take_dedup(id);
        connections.note_spent(cx, id);
        let Some((user, connection)) = user.zip(connections.get_mut(id)) else { return };
        match connection.end_login() {
            AuthState::Unauthenticated => return,
            AuthState::LoggingIn(identity) => {
                cx.counters.logging_in -= 1;
                logins.concede_waiting(cx, id);
                if multi {
                    // Who looked for the last of the others may have met this one.
                    social.wait_for(cx, Lost { user, epoch: identity.epoch, multi });
                }
            }
            AuthState::LoggedIn(_) => social.mark_offline(cx, connections, backlog, (id, user), gone),
        }
        let was_last = connections.release(user, id);
        cx.counters.partings += 1;
        if was_last {
            logins.forget_channel(user);
            cx.leave(Channel::User(user));
        }
        groups.end(cx, connections, backlog, id);
        changes.forget(id);
        devices.forget(id);
        social.end_session(id);
        logins.end(id);
        if let (Dialect::V2, Some(connection)) = (dialect, connections.get_mut(id)) {
            let unread = connection.window.take_unread();
            backlog.return_unread(cx, unread);
        }
        // What its groups said is stored, and its cursors are not beyond it.
        for envelope in backlog.end(id).filter(|envelope| envelope.kind() == Kind::Direct) {
            backlog.submit_with_retry(cx, None, StoreRetry::StoreMessage { envelope });
        }
        remember(cx, user, dedup);
        if !cursors.is_empty() {
            let retry = StoreRetry::AckDelivered { user, mids: Vec::new(), cursors };
            backlog.submit_with_retry(cx, None, retry);
        }
    }

    /// LOGINOUT. What TCP has acknowledged by now need not come again after the next login: looks first.
    pub(super) fn on_logout(&mut self, about: About<'_>) {
        let id = about.connection;
        let leaving = Leaving { cid: about.cid.map(Into::into) };
        let Some(connection) = self.connections.get_mut(id) else { return };
        if connection.window.unacked_bytes() == 0 {
            return self.log_out(id, leaving);
        }
        connection.leaving = Some(leaving).into();
        self.connections.pause(&mut self.cx, id, Pause::AwaitingReply);
        self.cx.emit(Effect::Probe { connection: id });
    }

    /// A session with a token is logged out once its token is revoked: from the answer on it is worthless everywhere.
    fn log_out(&mut self, id: ConnectionId, leaving: Leaving) {
        let Self { cx, connections, logins, .. } = self;
        let Some(connection) = connections.get_mut(id) else { return };
        let session = match connection.auth() {
            AuthState::LoggedIn(identity) => Some((identity.user, identity.epoch)),
            AuthState::LoggingIn(_) | AuthState::Unauthenticated => None,
        };
        let (Some((user, epoch)), Some(token)) = (session, logins.token(id)) else {
            return self.logged_out(id, leaving.cid);
        };
        connection.revoking = true;
        connections.pause(cx, id, Pause::AwaitingReply);
        let revoking = Revoking { epoch, token, cid: leaving.cid };
        cx.request(
            StoreRequest::Revoke { user, token },
            LoginFlow::Revoke { connection: id, user, revoking },
        );
    }

    /// The token is worthless, or the store could not see to that: then the session stays as it is, and its client
    /// may try again. If there is no client any more, the store is told again.
    pub(super) fn on_token_revoked(
        &mut self,
        id: ConnectionId,
        user: UserId,
        revoking: Revoking,
        revoked: Result<(), Code>,
    ) {
        let Self { cx, connections, backlog, .. } = self;
        let Revoking { epoch, token, cid } = revoking;
        let there =
            connections.get_mut(id).filter(|connection| !connection.is_closing() && connection.is_in(epoch));
        let Some(connection) = there else {
            if revoked == Err(Code::Busy) {
                backlog.retry_later(cx, None, StoreRetry::Revoke { user, token });
            }
            return;
        };
        connection.revoking = false;
        match revoked {
            Ok(()) => self.logged_out(id, cid),
            Err(code) => {
                let about = About { connection: id, re: msgid::LOGOUT, cid: cid.as_deref() };
                connections.refuse(cx, about, code);
                self.resume(id);
            }
        }
    }

    fn logged_out(&mut self, id: ConnectionId, cid: Option<Box<str>>) {
        self.end_session(id, Gone::LoggedOut);
        let Self { cx, connections, .. } = self;
        if let Some(cid) = cid {
            connections.reply(cx, id, reply::ack(&cid, msgid::LOGOUT, Outcome::default()));
        }
        connections.note_unauthenticated(cx, id);
        self.resume(id);
    }

    /// TCP has acknowledged so many bytes of all that was ever sent.
    pub(super) fn on_acked(&mut self, id: ConnectionId, bytes: u64) {
        let Self { cx, connections, backlog, direct, .. } = self;
        if connections.get(id).is_none() {
            return;
        }
        let acked = connections.acked(cx, id, bytes);
        for of_one_user in acked.delivered.chunk_by(|a, b| a.0 == b.0) {
            let mids = of_one_user.iter().map(|&(_, mid)| mid).collect();
            backlog.ack_delivered(cx, Some(id), of_one_user[0].0, mids);
        }
        direct.bound_unconfirmed(cx, connections, backlog, id);
        connections.cut_if_stalled(cx, id);
        match acked.leaving {
            Some(leaving) => self.log_out(id, leaving),
            None => self.continue_catch_up(id),
        }
    }

    /// A connection is gone. What lies in the backlog already is stored again, so that whoever holds the user now is
    /// told.
    pub(super) fn on_closed(&mut self, id: ConnectionId, acked: u64) {
        if id.is_acting() {
            return self.connections.end_acting(id);
        }
        self.connections.note_closing(id);
        self.on_acked(id, acked);
        // Who said that it logs out does not come back, though its token is still being revoked.
        let is_revoking = self.connections.get(id).is_some_and(|connection| connection.revoking);
        self.end_session(id, if is_revoking { Gone::LoggedOut } else { Gone::Lost });
        let unread = self.connections.remove(id);
        self.backlog.return_unread(&mut self.cx, unread);
    }

    /// The bus was lost and is back: who holds whom is settled again, and what was missed is fetched.
    pub(super) fn on_rejoined(&mut self, core: CoreId) {
        self.cx.core = core;
        self.cx.clock.go_by(core);
        self.cx.hearing.regain();
        // Who is logging in may have missed that somebody objects.
        for id in self.connections.all_logging_in() {
            self.refuse_login(id, Code::Busy);
        }
        self.social.note_rejoined(&self.cx);
        self.begin_reclaims();
    }

    /// A session of a core whose bus was lost and is back.
    pub(super) fn reclaim(&mut self, id: ConnectionId) {
        let Some(identity) = self.connections.get(id).and_then(|connection| connection.identity()) else {
            return;
        };
        let (user, epoch) = (identity.user, identity.epoch);
        publish_reclaim(&mut self.cx, &self.connections, id, user, epoch);
        self.logins.doubt_standing(user);
        self.fetch_again(id);
        self.devices.tell_heads(&mut self.cx, &self.connections, id);
        let Self { cx, connections, backlog, social, .. } = self;
        social.announce_again(cx, connections, backlog, id);
    }

    /// A core is dead that may have stored something and told nobody: everybody fetches. And what it heard of ours
    /// may have died with it, so that the reader is told once it is stored.
    pub(super) fn on_core_gone(&mut self, core: CoreId) {
        self.social.on_core_gone(&mut self.cx, core);
        self.direct.note_core_gone(self.cx.clock.last());
        self.fetch_all();
    }

    /// The server is stopping: finishes with everybody, one after the other. Said again, with all who are left.
    pub(super) fn on_drain(&mut self) {
        self.cx.draining = true;
        self.connections.begin_draining(&mut self.cx);
        self.go_on_draining();
    }

    /// Goes on with that. When everybody was told, the other cores are.
    pub(super) fn go_on_draining(&mut self) {
        let Self { cx, connections, direct, social, .. } = self;
        if self.drained || !cx.draining || connections.go_on_draining(cx) == Drained::SomeAreLeft {
            return;
        }
        self.drained = true;
        direct.store_without_receipt(cx, Monotonic(u64::MAX));
        social.publish_updates(cx);
        let envelope = Envelope::core_leaving(cx.next_mid());
        cx.publish(Channel::Cores, envelope);
    }
}

/// The session of a user ends: what it said lately waits for the next one.
fn remember(cx: &mut Cx, user: UserId, window: Option<Box<DedupWindow>>) {
    let Some(mut window) = window else { return };
    window.settle();
    if !window.is_empty() && !cx.draining {
        cx.request(StoreRequest::Remember { user, window }, StoreFlow::Remember);
    }
}
