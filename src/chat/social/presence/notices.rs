//! Notices to the other cores: who of this core's users came and went.

use crate::connection::Connections;
use crate::model::envelope::{Envelope, Notice};
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
        self.presence.later.push_back((due, None));
    }

    /// Others may have missed that this session is here, and this core who hides from it.
    pub(crate) fn announce_again(&mut self, connections: &Connections, id: ConnectionId) {
        let user = connections.get(id).and_then(|connection| connection.user());
        let (Some(user), Some(session)) = (user, self.sessions.get(id)) else { return };
        let notice = Notice { user, epoch: session.known_as.0, online: true };
        self.presence.pending_updates.insert(user, notice);
        self.look_at_hidden(connections, id);
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

    /// What the bus could not publish is told with the next notice, unless something newer is.
    pub(crate) fn on_updates_published(
        &mut self,
        cx: &Cx,
        updates: Box<[Notice]>,
        receivers: Result<u32, BusDown>,
    ) {
        if receivers.is_err() {
            for notice in updates {
                self.presence.pending_updates.entry(notice.user).or_insert(notice);
            }
            self.presence.next_update = cx.now.plus(cx.limits.probe_ms);
        }
    }
}
