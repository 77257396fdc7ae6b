//! Users whose session has ended: they may be back, as if nothing had been, or be somewhere else still.

use crate::backlog::Backlog;
use crate::connection::{AuthState, Connections};
use crate::model::envelope::{Notice, Whereabouts};
use crate::port::cx::Cx;
use crate::port::event::BusDown;
use crate::port::in_flight::{Lost, QueryFlow};
use crate::social::Social;

impl Social {
    /// Who lost its connection may be back, as if nothing had been.
    pub(crate) fn wait_for(&mut self, cx: &Cx, lost: Lost) {
        let due = cx.now.plus(cx.limits.presence_grace_ms);
        self.presence.lost.push_back((due, lost));
    }

    /// Whether a user with several sessions is anywhere still is known, or not.
    pub(crate) fn on_lost_looked_for(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        lost: Lost,
        online: Result<Vec<bool>, BusDown>,
    ) {
        cx.enter();
        let whereabouts = match online.map(|online| online.contains(&true)) {
            // Whoever has the last one of its sessions tells when that ends, unless it dies.
            Ok(true) => Whereabouts::Elsewhere,
            Ok(false) => Whereabouts::Gone,
            Err(BusDown) => return self.wait_for(cx, lost),
        };
        let notice = Notice { user: lost.user, epoch: lost.epoch.0, whereabouts };
        self.announce(cx, connections, backlog, notice);
    }

    /// Somebody's connection was lost a while ago: offline, unless the user is back here. If it is back elsewhere,
    /// the others know a newer login than this one.
    pub(super) fn lost_for_good(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        lost: Lost,
    ) {
        let Lost { user, epoch, multi } = lost;
        if connections.is_here(user) {
            return;
        }
        let here = connections.of_user(user).and_then(|id| connections.get(id));
        match here.map(|connection| connection.auth()) {
            // About to be back, or not.
            Some(AuthState::LoggingIn(_)) => self.wait_for(cx, lost),
            Some(AuthState::LoggedIn(_) | AuthState::Unauthenticated) | None if multi => {
                cx.query_presence(vec![user], QueryFlow::Lost(lost));
            }
            Some(AuthState::LoggedIn(_) | AuthState::Unauthenticated) | None => {
                let gone = Notice { user, epoch: epoch.0, whereabouts: Whereabouts::Gone };
                self.announce(cx, connections, backlog, gone);
            }
        }
    }
}
