//! Start: from a won claim to a session.
//!
//! First every channel is joined and says so, then the backlog is fetched. What arrives meanwhile is buffered until
//! the backlog is through. Each of these rules was found by the simulation.

use super::{LoginOutcome, Logins, Welcome};
use crate::connection::Connections;
use crate::model::ids::{ConnectionId, GroupId, SessionEpoch, UserId};
use crate::model::profile::Profile;
use crate::model::token::Proof;
use crate::port::cx::Cx;
use crate::port::in_flight::LoginFlow;
use crate::port::store::{Detail, Issue, StoreRequest};
use crate::wire::code::Code;
use crate::wire::request::Dialect;
use rustc_hash::FxHashSet;

/// A login that is a session now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    pub(crate) user: UserId,
    pub(crate) epoch: SessionEpoch,
}

impl Logins {
    /// The claim is won: friends, groups and blocked users are loaded.
    pub(super) fn load_profile(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        epoch: SessionEpoch,
    ) {
        let Some(login) = self.get_mut(id, epoch) else { return };
        let (user, proof, has_token) = (login.user, login.proof, login.profile.token.is_some());
        let device = login.device.take();
        let Some(connection) = connections.get_mut(id) else { return };
        connection.note_claimed();
        let heads = if connection.multi { cx.limits.heads } else { 0 };
        let (detail, issue) = match connection.dialect {
            Dialect::V1 => (Detail::Members, Issue::Nothing),
            // Who came with a token keeps it.
            Dialect::V2 if has_token => (Detail::Counts, Issue::Nothing),
            Dialect::V2 => (Detail::Counts, Issue::Token),
        };
        let request = StoreRequest::LoadProfile { user, proof, detail, issue, device, heads };
        cx.request(request, LoginFlow::LoadProfile { connection: id, epoch });
    }

    /// Whether this login is under way still.
    pub(crate) fn is_under_way(&self, id: ConnectionId, epoch: SessionEpoch) -> bool {
        self.under_way.get(id).is_some_and(|login| login.epoch == epoch)
    }

    /// What a login was proven by was replaced or revoked while it was under way.
    pub(crate) fn unproven(
        &mut self,
        cx: &Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> LoginOutcome {
        let code = Code::Refused;
        match self.under_way.get(id).map(|login| login.proof) {
            Some(Proof::Password(_)) => {
                self.guessed_wrong(cx, connections, id);
                LoginOutcome::Refuse { connection: id, code }
            }
            Some(Proof::Application(_)) => LoginOutcome::RefuseJwt { connection: id, code },
            Some(Proof::Token(_)) => LoginOutcome::RefuseResume { connection: id, code },
            None => LoginOutcome::Nothing,
        }
    }

    /// The profile is here; so many channels are being joined, and it is being found out who is online.
    pub(crate) fn note_profile(&mut self, id: ConnectionId, mut profile: Profile, joins: u32) {
        let Some(login) = self.under_way.get_mut(id) else { return };
        profile.token = profile.token.or(login.profile.token.take());
        (login.profile, login.awaited) = (profile, joins + 1);
    }

    /// It is known who of friends and fellow members is online.
    pub(crate) fn note_online(&mut self, id: ConnectionId, online: FxHashSet<UserId>) {
        if let Some(login) = self.under_way.get_mut(id) {
            login.awaited -= 1;
            login.online = online;
        }
    }

    /// A channel that a login waits for is joined.
    pub(crate) fn note_joined(&mut self, id: ConnectionId) {
        if let Some(login) = self.under_way.get_mut(id) {
            login.awaited -= 1;
        }
    }

    /// A group is gone before the login was through.
    pub(crate) fn forget_group(&mut self, id: ConnectionId, group: GroupId, was_awaited: bool) {
        if let Some(login) = self.under_way.get_mut(id) {
            login.profile.groups.retain(|membership| membership.group != group);
            if was_awaited {
                login.awaited -= 1;
            }
        }
    }

    /// Once every channel is joined, the login is a session.
    pub(crate) fn start_if_ready(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> Option<Started> {
        cx.enter();
        self.under_way.get(id).filter(|login| login.awaited == 0)?;
        let connection = connections.get_mut(id)?;
        let login = self.under_way.remove(id)?;
        connection.finish_login();
        let token = login.profile.token.as_ref().filter(|_| connection.dialect == Dialect::V2);
        self.proofs.insert(id, token.map_or(login.proof, |token| Proof::Token(token.id)));
        if let Some(expires) = login.expires {
            self.expiring.set(cx, id, expires);
        }
        let (user, epoch) = (login.user, login.epoch);
        self.welcomes.insert(id, Box::new(Welcome { profile: login.profile, online: login.online }));
        (cx.counters.logging_in, cx.counters.logins) = (cx.counters.logging_in - 1, cx.counters.logins + 1);
        Some(Started { user, epoch })
    }

    /// A connection is nobody from now on.
    pub(crate) fn end(&mut self, id: ConnectionId) {
        self.under_way.remove(id);
        self.welcomes.remove(id);
        self.proofs.remove(id);
        self.expiring.remove(id);
    }
}
