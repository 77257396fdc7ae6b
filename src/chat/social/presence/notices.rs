//! Notices to the other cores: who of this core's users came and went.

use super::suspicion::Suspicion;
use crate::backlog::Backlog;
use crate::connection::Connections;
use crate::model::envelope::{Envelope, Notice, Whereabouts};
use crate::model::ids::ConnectionId;
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::PublishFlow;
use crate::social::Social;

/// Notices in one envelope, and in one tick.
const NOTICES: usize = 1_024;

impl Social {
    /// The bus was lost: notices may have been missed. The other cores too are joining their channels again, so that
    /// their users are not looked for at once.
    pub(crate) fn note_rejoined(&mut self, cx: &Cx) {
        let due = cx.now.plus(cx.limits.presence_grace_ms);
        let everybody = Suspicion::Everybody { learned: self.presence.learned };
        self.presence.later.push_back((due, everybody));
    }

    /// Others may have missed that this session is here, and this core who hides from it and what its user has done elsewhere.
    pub(crate) fn announce_again(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &Backlog,
        id: ConnectionId,
    ) {
        cx.enter();
        let Some(user) = connections.get(id).and_then(|connection| connection.user()) else { return };
        // By the newest of its sessions, if it has several here.
        let newest = self.newest_here(connections, user).and_then(|id| self.sessions.get(id));
        let Some(session) = newest else { return };
        let here = Notice { user, epoch: session.known_as.0, whereabouts: Whereabouts::Here };
        self.announce(cx, connections, backlog, here);
        self.look_at_hidden(connections, id);
        self.doubt(id);
    }

    /// Tells the other cores who came and went.
    pub(crate) fn publish_updates(&mut self, cx: &mut Cx) {
        cx.enter();
        while !self.presence.pending_updates.is_empty() {
            self.publish_some_updates(cx);
        }
    }

    /// The same, in one envelope: what has no room in it follows with the next tick.
    pub(super) fn publish_some_updates(&mut self, cx: &mut Cx) {
        let pending = &mut self.presence.pending_updates;
        let mut updates: Vec<Notice> = pending.values().take(NOTICES).copied().collect();
        if updates.is_empty() {
            return;
        }
        for notice in &updates {
            pending.remove(&notice.user);
        }
        if pending.is_empty() {
            self.presence.next_update = cx.now.plus(cx.limits.presence_notice_ms);
        }
        updates.sort_unstable_by_key(|notice| notice.user);
        let envelope = Envelope::presence(cx.next_mid(), &updates);
        cx.publish_counted(
            Channel::Cores,
            envelope,
            PublishFlow::PresenceUpdates { updates: updates.into() },
        );
    }

    /// What the bus could not publish is told with the next notice, as it is by now.
    pub(crate) fn on_updates_published(
        &mut self,
        cx: &Cx,
        connections: &Connections,
        updates: Box<[Notice]>,
        receivers: Result<u32, BusDown>,
    ) {
        if receivers.is_ok() {
            return;
        }
        for untold in updates {
            let Some(notice) = self.as_it_is(connections, untold) else { continue };
            // What was to be told since is newer.
            self.presence.pending_updates.entry(notice.user).or_insert(notice);
        }
        self.presence.next_update = cx.now.plus(cx.limits.probe_ms);
    }

    /// What is to be told in the place of a notice that was not. Nothing of a session that has ended since: word of that was told,
    /// or is to be, and this would come after it.
    fn as_it_is(&self, connections: &Connections, untold: Notice) -> Option<Notice> {
        let here = self.newest_here(connections, untold.user).and_then(|id| self.sessions.get(id));
        match here {
            Some(session) => {
                Some(Notice { epoch: session.known_as.0, whereabouts: Whereabouts::Here, ..untold })
            }
            None => Some(untold).filter(|untold| untold.whereabouts != Whereabouts::Here),
        }
    }
}
