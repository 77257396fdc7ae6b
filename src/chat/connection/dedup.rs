//! Dedup: a message that a session said before gets the same answer again; one that says something else under the same
//! cid is refused. Both without a push and without the store.

use super::{About, Connections};
use crate::model::dedup::{DedupWindow, Met, Named};
use crate::model::envelope::{Envelope, Target};
use crate::model::ids::{ConnectionId, MessageId, Millis};
use crate::port::cx::Cx;
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome};

/// Whether a message is to go its way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Dedup {
    /// It has no cid.
    Unnamed,
    /// It was not said before, and is known by this from now on.
    Fresh(Named),
    /// It was said before, and is answered, or will be.
    Repeated,
}

impl Connections {
    /// Whether a message is to go its way. One that was said before is answered here, or will be.
    pub(crate) fn dedup(&mut self, cx: &mut Cx, about: About<'_>, target: Target, msg: &str) -> Dedup {
        let Some(cid) = about.cid else { return Dedup::Unnamed };
        let named = Named::of(cid, target, msg);
        let Some(connection) = self.get_mut(about.connection) else { return Dedup::Repeated };
        match connection.dedup.meet(named) {
            Met::Fresh => return Dedup::Fresh(named),
            Met::Asked => {}
            Met::TooOften => self.refuse(cx, about, Code::Busy),
            Met::OtherContent => self.refuse(cx, about, Code::CidReused),
            Met::Answered { mid, ts, pos } => {
                cx.counters.acks += 1;
                let outcome = Outcome { mid: Some(mid), pos, ts: Some(ts), ..Outcome::default() };
                self.reply(cx, about.connection, reply::ack(cid, about.re, outcome));
            }
        }
        Dedup::Repeated
    }

    /// A message goes its way.
    pub(crate) fn note_said(&mut self, cx: &Cx, id: ConnectionId, dedup: Dedup, mid: MessageId) {
        if let (Dedup::Fresh(named), Some(connection)) = (dedup, self.get_mut(id)) {
            connection.dedup.push(named, mid, cx.limits.dedup_cids);
        }
    }

    /// A message with a cid is done, or refused. How often its sender is to be told so.
    pub(crate) fn note_answered(
        &mut self,
        id: ConnectionId,
        envelope: &Envelope,
        done: Option<(MessageId, Millis, Option<u64>)>,
    ) -> u32 {
        if envelope.cid().is_empty() {
            return 1;
        }
        let connection =
            self.get_mut(id).filter(|connection| connection.logged_in_user() == Some(envelope.sender()));
        1 + connection.map_or(0, |connection| connection.dedup.answer(envelope.mid(), done))
    }

    /// What a session has said lately, for the next one of its user; nothing is left here.
    pub(crate) fn take_dedup(&mut self, id: ConnectionId) -> Box<DedupWindow> {
        self.get_mut(id).map(|connection| std::mem::take(&mut connection.dedup)).unwrap_or_default()
    }
}
