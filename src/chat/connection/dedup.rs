//! Dedup: a message that a session said before gets the same answer again; one that says something else under the same
//! cid is refused. Both without a push and without the store.

use super::{About, Connections};
use crate::model::dedup::{DedupWindow, Met, Named};
use crate::model::envelope::{Envelope, Target};
use crate::model::extras::Extras;
use crate::model::ids::{ConnectionId, MessageId, Millis, UserId};
use crate::port::cx::Cx;
use crate::port::seal::{Draft, Said};
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome};
use crate::wire::request::{BadExtras, Dialect};

/// A message that was not said before: whoever says it, and what its cid is known by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewChat {
    pub(crate) sender: UserId,
    target: Target,
    named: Option<Named>,
}

impl Connections {
    /// What a message carries besides its text, if its session may say that; `None` if it was refused.
    pub(crate) fn extras(
        &mut self,
        cx: &mut Cx,
        about: About<'_>,
        extras: Result<Option<Extras>, BadExtras>,
    ) -> Option<Option<Extras>> {
        cx.enter();
        let dialect = self.get(about.connection)?.dialect;
        match extras {
            // Fields that it does not know.
            _ if dialect == Dialect::V1 => Some(None),
            Ok(extras) => Some(extras),
            Err(BadExtras { code, text }) => {
                self.refuse_with(cx, about, code, &text);
                None
            }
        }
    }

    /// A message of a user, if it is to go its way. One that was said before is answered here, or will be. If it may
    /// be said, `seal_chat` is next.
    pub(crate) fn begin_chat(
        &mut self,
        cx: &mut Cx,
        about: About<'_>,
        target: Target,
        said: Said<'_>,
    ) -> Option<NewChat> {
        cx.enter();
        let connection = self.get_mut(about.connection)?;
        let sender = connection.user()?;
        let Some(cid) = about.cid else { return Some(NewChat { sender, target, named: None }) };
        let named = Named::of(cid, target, said.msg, said.extras);
        match connection.dedup.as_deref_mut().map_or(Met::Fresh, |dedup| dedup.meet(named)) {
            Met::Fresh => return Some(NewChat { sender, target, named: Some(named) }),
            Met::Asked => {}
            Met::TooOften => self.refuse(cx, about, Code::Busy),
            Met::OtherContent => self.refuse(cx, about, Code::CidReused),
            Met::Answered { mid, ts, pos } => {
                cx.counters.acks += 1;
                let outcome = Outcome { mid: Some(mid), pos, ts: Some(ts), ..Outcome::default() };
                self.reply(cx, about.connection, reply::ack(cid, about.re, outcome));
            }
        }
        None
    }

    /// A message goes its way: it has its id, and is known by its cid from now on.
    pub(crate) fn seal_chat(
        &mut self,
        cx: &mut Cx,
        about: About<'_>,
        new: NewChat,
        said: Said<'_>,
    ) -> Option<Envelope> {
        cx.enter();
        let NewChat { sender, target, named } = new;
        let connection = self.get_mut(about.connection)?;
        let name = &connection.identity()?.name;
        let stored_first = about.connection.is_acting();
        let envelope = cx.seal(Draft { sender, name, target, cid: about.cid, said, stored_first });
        if let Some(named) = named {
            connection.dedup.get_or_insert_default().push(named, envelope.mid(), cx.limits.dedup_cids);
        }
        Some(envelope)
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
        let dedup = connection.and_then(|connection| connection.dedup.as_deref_mut());
        1 + dedup.map_or(0, |dedup| dedup.answer(envelope.mid(), done))
    }

    /// What a session has said lately, for the next one of its user; nothing is left here.
    pub(crate) fn take_dedup(&mut self, id: ConnectionId) -> Option<Box<DedupWindow>> {
        self.get_mut(id)?.dedup.take()
    }
}
