//! Backpressure: how far senders are ahead of the store, in messages that are neither stored nor known to be heard.
//!
//! A connection that has too many of them is not read from until half are done. When all connections of the core
//! together have too many, each that sends another waits until half of all are done: many senders, of whom none is
//! too fast, are together, and would fill the queue of the store, of which the next then hears only that it is busy.

use super::{Connections, Pause};
use crate::model::ids::ConnectionId;
use crate::port::cx::Cx;

/// What the connections of a core have in flight together.
#[derive(Debug, Default)]
pub(super) struct Backpressure {
    sends_in_flight: u32,
    /// Who is not read from because of the others. Each is in it once.
    waiting: Vec<ConnectionId>,
}

impl Connections {
    /// One message more of this connection that is neither stored nor known to be heard.
    pub(crate) fn begin_send(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        self.backpressure.sends_in_flight += 1;
        let core_is_full = self.backpressure.sends_in_flight >= cx.limits.unsettled_core;
        let limit = cx.limits.unsettled;
        let Some(connection) = self.get_mut(id) else { return };
        connection.sends_in_flight += 1;
        let (is_full, waits) = (connection.sends_in_flight == limit, connection.is_paused(Pause::CoreLimit));
        if is_full {
            self.pause(cx, id, Pause::SenderLimit);
        }
        if core_is_full && !waits {
            self.backpressure.waiting.push(id);
            self.pause(cx, id, Pause::CoreLimit);
        }
    }

    /// One message less.
    pub(crate) fn end_send(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        self.backpressure.sends_in_flight -= 1;
        if self.backpressure.sends_in_flight <= cx.limits.unsettled_core / 2 {
            for id in std::mem::take(&mut self.backpressure.waiting) {
                self.resume(cx, id, Pause::CoreLimit);
            }
        }
        let enough = cx.limits.unsettled / 2;
        let Some(connection) = self.get_mut(id) else { return };
        connection.sends_in_flight -= 1;
        if connection.sends_in_flight == enough {
            self.resume(cx, id, Pause::SenderLimit);
        }
        self.close_if_finished(cx, id);
    }

    /// Whether a connection that has just begun a send has half of what it may have in flight, or a multiple of that:
    /// what it waits for is not to wait for the next tick.
    pub(crate) fn is_at_half(&self, cx: &Cx, id: ConnectionId) -> bool {
        let half = (cx.limits.unsettled / 2).max(1);
        self.get(id).map_or(0, |connection| connection.sends_in_flight).is_multiple_of(half)
    }
}
