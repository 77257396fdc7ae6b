//! Reclaim: after the bus was lost, it is settled again who holds whom.
//!
//! While a core was cut off, others could not hear of its users, and may have let them log in a second time. So it
//! claims again for each of its sessions. The older session keeps the name.

use super::{LoginOutcome, Logins};
use crate::connection::{AuthState, Connections};
use crate::model::envelope::{Envelope, Kind};
use crate::model::ids::{SessionEpoch, UserId};
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
        user: UserId,
        other: SessionEpoch,
    ) -> LoginOutcome {
        cx.enter();
        let Some(id) = connections.of_user(user) else { return LoginOutcome::Nothing };
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
            Ordering::Less => publish_reclaim(cx, user, own),
            Ordering::Equal => {}
            Ordering::Greater => return LoginOutcome::Replaced { connection: id, user },
        }
        LoginOutcome::Nothing
    }
}

/// Tells whoever holds a user that this core does, since that login.
pub(crate) fn publish_reclaim(cx: &mut Cx, user: UserId, epoch: SessionEpoch) {
    cx.publish(Channel::User(user), Envelope::claim(Kind::Reclaim, user, epoch.0));
}
