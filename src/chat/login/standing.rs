//! Standing: after the bus was lost it is looked up whether what let in the sessions here is good still. That a device was
//! dropped, a password changed or a user shut out is told on the bus, and this core could not hear it.
//!
//! A session of v2 stands on its token, however it came by it; one of v1 has none, and stands on the password that it said.

use super::Logins;
use crate::connection::Connections;
use crate::model::ids::{ConnectionId, UserId};
use crate::model::token::Proof;
use crate::port::cx::Cx;
use crate::port::in_flight::LoginFlow;
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use std::collections::BTreeSet;

/// Users who are looked up at one tick.
const QUERIES: usize = 16;

/// Users of whom it is not known whether their sessions may be here: one entry each.
#[derive(Debug, Default)]
pub(super) struct Unsure(BTreeSet<UserId>);

impl Logins {
    /// This core may have missed that sessions of a user are to end.
    pub(crate) fn doubt_standing(&mut self, user: UserId) {
        self.unsure.0.insert(user);
    }

    /// Looks up some of them.
    pub(crate) fn tick_standing(&mut self, cx: &mut Cx, connections: &Connections) {
        cx.enter();
        for _ in 0..QUERIES {
            let Some(user) = self.unsure.0.pop_first() else { break };
            let here = connections.sessions(user).into_iter();
            let proofs: Vec<Proof> = here.filter_map(|id| self.proofs.get(id).copied()).collect();
            if !proofs.is_empty() {
                let request = StoreRequest::CheckProofs { user, proofs: proofs.clone() };
                cx.request(request, LoginFlow::Standing { user, proofs });
            }
        }
    }

    /// The store says what is good of that, or not. Gives back the sessions that may be here no more.
    pub(crate) fn on_standing(
        &mut self,
        connections: &Connections,
        (user, asked): (UserId, &[Proof]),
        good: Result<Vec<Proof>, Code>,
    ) -> Vec<ConnectionId> {
        let Ok(good) = good else {
            self.doubt_standing(user);
            return Vec::new();
        };
        // What a session stands on since then was not asked about.
        let is_bad = |proof: &Proof| asked.contains(proof) && !good.contains(proof);
        let here = connections.sessions(user).into_iter();
        here.filter(|&id| self.proofs.get(id).is_some_and(is_bad)).collect()
    }
}
