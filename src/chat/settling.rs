//! How far senders are ahead of the store: messages that are neither stored nor known to be heard.
//!
//! Owns the pauses that this calls for. A session that has too many of them is not read from until
//! half are settled. When all sessions of the core together have too many, each that sends another
//! waits until half of all are settled: many senders, of whom none is too fast, are together, and
//! would fill the queue of the store, of which the next then hears only that it is busy.

use super::effect::Effect;
use super::hub::Hub;
use super::ids::SessionId;
use super::session::Pause;

/// What the sessions of a core have unsettled together.
#[derive(Debug, Default)]
pub(super) struct Settling {
    messages: u32,
    /// Who is not read from because of the others. Each is in it once.
    held_up: Vec<SessionId>,
}

impl Hub {
    /// One message more of this session that is neither stored nor known to be heard.
    pub(super) fn begin_settling(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        self.settling.messages += 1;
        let is_crowded = self.settling.messages >= self.limits.unsettled_core;
        let limit = self.limits.unsettled;
        let Some(session) = self.session_mut(id) else { return };
        session.unsettled += 1;
        let (has_enough, waits) = (session.unsettled == limit, session.is_paused(Pause::Crowded));
        if has_enough {
            self.pause(id, Pause::Unsettled, out);
        }
        if is_crowded && !waits {
            self.settling.held_up.push(id);
            self.pause(id, Pause::Crowded, out);
        }
    }

    /// One message less of this session that is neither stored nor known to be heard.
    pub(super) fn end_settling(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        self.settling.messages -= 1;
        if self.settling.messages <= self.limits.unsettled_core / 2 {
            for id in std::mem::take(&mut self.settling.held_up) {
                self.resume(id, Pause::Crowded, out);
            }
        }
        let enough = self.limits.unsettled / 2;
        let Some(session) = self.session_mut(id) else { return };
        session.unsettled -= 1;
        if session.unsettled == enough {
            self.resume(id, Pause::Unsettled, out);
        }
        self.finish_if_ended(id, out);
    }
}
