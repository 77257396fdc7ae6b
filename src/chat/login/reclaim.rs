//! Reclaim: after the bus was lost, it is settled again who holds whom.
//!
//! While a core was cut off, others could not hear of its users, and may have let them log in a second time. So it
//! claims again for each of its sessions. The older session keeps the name.

use super::{LoginOutcome, Logins};
use crate::connection::{AuthState, Connections};
use crate::model::envelope::{Demand, Envelope};
use crate::model::ids::{ConnectionId, SessionEpoch, UserId};
use crate::port::cx::Cx;
use crate::port::event::Channel;
use crate::wire::code::Code;
use std::cmp::Ordering;

impl Logins {
    /// A core that was cut off holds this user since that login.
    pub(crate) fn on_reclaim(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        envelope: &Envelope,
    ) -> Vec<LoginOutcome> {
        cx.enter();
        let (user, other) = (envelope.user(), SessionEpoch(envelope.mid().0));
        let is_multi = matches!(envelope.demand(), Demand::Join(_));
        let here = connections.sessions(user).into_iter();
        // Sessions that live side by side have nothing to settle.
        let here = here.filter(|&id| !(is_multi && connections.is_multi(id)));
        here.map(|id| self.settle_holder(cx, connections, id, user, other)).collect()
    }

    fn settle_holder(
        &self,
        cx: &mut Cx,
        connections: &Connections,
        id: ConnectionId,
        user: UserId,
        other: SessionEpoch,
    ) -> LoginOutcome {
        let own = match connections.get(id).map(|connection| connection.auth()) {
            Some(AuthState::LoggedIn(own)) => own.epoch,
            Some(AuthState::LoggingIn(own)) if self.has_won(id) => own.epoch,
            // It is still asking, and this is an answer.
            Some(AuthState::LoggingIn(_)) => {
                return LoginOutcome::Refuse { connection: id, code: Code::AlreadyOnline };
            }
            Some(AuthState::Unauthenticated) | None => return LoginOutcome::Nothing,
        };
        match own.cmp(&other) {
            Ordering::Less => publish_reclaim(cx, connections, id, user, own),
            Ordering::Equal => {}
            Ordering::Greater => return LoginOutcome::Replaced { connection: id, user },
        }
        LoginOutcome::Nothing
    }
}

/// Tells whoever holds a user that this core does, since that login.
pub(crate) fn publish_reclaim(
    cx: &mut Cx,
    connections: &Connections,
    id: ConnectionId,
    user: UserId,
    epoch: SessionEpoch,
) {
    let demand = if connections.is_multi(id) { Demand::Join(None) } else { Demand::Nothing };
    cx.publish(Channel::User(user), Envelope::reclaim(user, epoch.0, demand));
}
