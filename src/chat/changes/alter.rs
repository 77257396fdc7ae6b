//! EDIT, RECALL and REACT: asked of the store, which says whether that is allowed, and answered when it is done.

use super::Changes;
use crate::backlog::Backlog;
use crate::connection::{About, Connections, Pause};
use crate::model::change::{Alteration, Altered};
use crate::model::envelope::ChangeNotice;
use crate::model::history::Conversation;
use crate::model::ids::{ConnectionId, UserId};
use crate::model::retention::Retention;
use crate::port::cx::Cx;
use crate::port::in_flight::ChangesFlow;
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::reply::{self, Outcome};

/// What EDIT, RECALL or REACT asks for: which message, and what is to become of it.
#[derive(Debug)]
pub(crate) struct AlterQuery {
    pub(crate) conversation: Conversation,
    pub(crate) pos: u64,
    pub(crate) alteration: Alteration,
}

/// Not every message is stored, and what is not stored is not changed.
const NEEDS_ALL: &str = "changing messages needs a server that keeps all of them (--keep all)";

impl Changes {
    /// EDIT, RECALL, REACT. Later requests of the connection wait for the reply.
    pub(crate) fn on_alter(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        query: AlterQuery,
    ) {
        cx.enter();
        let AlterQuery { conversation, pos, alteration } = query;
        if cx.retention == Retention::Undelivered {
            return connections.refuse_with(cx, about, Code::InvalidField, NEEDS_ALL);
        }
        connections.pause(cx, about.connection, Pause::AwaitingReply);
        let (connection, re, ts) = (about.connection, about.re, cx.wall);
        let cid: Option<Box<str>> = about.cid.map(Into::into);
        let flow = ChangesFlow { connection, user, re, cid: cid.clone(), conversation };
        cx.request(StoreRequest::Alter { user, conversation, pos, alteration, cid, ts }, flow);
    }

    /// The message is changed, or not: who has the conversation is told, then ACK. `members` are those here of the group
    /// that it is about.
    pub(crate) fn on_altered(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        backlog: &mut Backlog,
        flow: ChangesFlow,
        members: &[ConnectionId],
        altered: Result<Box<Altered>, Code>,
    ) {
        cx.enter();
        let ChangesFlow { connection, user, re, cid, conversation } = flow;
        let about = About { connection, re, cid: cid.as_deref() };
        match altered {
            Ok(altered) => {
                let Altered { chg, changed } = *altered;
                if let Some(changed) = changed {
                    let notice = ChangeNotice { conversation, changed };
                    self.spread(cx, connections, backlog, (user, connection), members, notice);
                }
                if let Some(cid) = about.cid {
                    let outcome = Outcome { chg: Some(chg), ..Outcome::default() };
                    connections.reply(cx, connection, reply::ack(cid, about.re, outcome));
                }
            }
            Err(code) => connections.refuse_with(cx, about, code, sentence(code)),
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
    }
}

/// Why a message is not changed.
fn sentence(code: Code) -> &'static str {
    match code {
        Code::NotYours => "only its sender may change this, and not for long",
        Code::NoSuchUser => "no such message, or it was recalled",
        Code::TooMany => "too many kinds of reactions to this message",
        Code::Refused | Code::AlreadyOnline | Code::NotAFrame | Code::UnknownMsgid => code.text(),
        Code::InvalidField | Code::LoginFirst | Code::NoSuchGroup | Code::NotAMember => code.text(),
        Code::Exists | Code::TooFast | Code::Busy | Code::TooLarge | Code::CidReused => code.text(),
        Code::Replaced | Code::Draining | Code::TooSlow | Code::Muted | Code::Pending | Code::Expired => {
            code.text()
        }
    }
}
