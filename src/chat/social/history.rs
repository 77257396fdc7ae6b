//! HISTORY: what was said before, a page at a time.

use super::Social;
use crate::connection::{About, Connections, Pause};
use crate::model::history::{Conversation, Span};
use crate::model::ids::{ConnectionId, UserId};
use crate::port::cx::Cx;
use crate::port::in_flight::SocialFlow;
use crate::port::store::{HistoryPage, StoreRequest};
use crate::wire::code::Code;
use crate::wire::found;
use crate::wire::msgid;

/// A page that a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryQuery {
    pub(crate) conversation: Conversation,
    pub(crate) span: Span,
    /// How many messages at most, as asked for.
    pub(crate) messages: Option<u64>,
}

impl Social {
    /// HISTORY.
    pub(crate) fn on_history(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        query: HistoryQuery,
    ) {
        cx.enter();
        let HistoryQuery { conversation, span, messages } = query;
        let messages = bounded_page(cx, messages);
        // What is around the bodies needs the other half.
        let bytes = cx.limits.push_bytes / 2;
        if cx.lookups_are_full() {
            return connections.refuse(cx, about, Code::Busy);
        }
        let Some(session) = connections.get(about.connection) else { return };
        let wanted = session.capabilities.wanted();
        connections.pause(cx, about.connection, Pause::AwaitingReply);
        let (connection, cid) = (about.connection, about.cid.map(Into::into));
        let flow = SocialFlow::History { connection, asked: (conversation, span), cid };
        cx.look_up(StoreRequest::History { user, conversation, span, wanted, messages, bytes }, flow);
    }

    /// HISTORY_ACK, or ERROR.
    pub(crate) fn on_history_page(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        connection: ConnectionId,
        (conversation, span): (Conversation, Span),
        cid: Option<&str>,
        page: Result<HistoryPage, Code>,
    ) {
        cx.enter();
        match page {
            Ok(HistoryPage { messages, chg, complete }) => {
                let tells =
                    connections.get(connection).is_some_and(|session| session.capabilities.wanted().changes);
                let chg = tells.then_some(chg);
                let page =
                    found::HistoryFrame { cid, conversation, span, messages: &messages, chg, complete };
                let frame = found::history(page, cx.limits.push_bytes);
                connections.reply(cx, connection, frame);
            }
            Err(code) => connections.refuse(cx, About { connection, re: msgid::HISTORY, cid }, code),
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
    }
}

/// How many entries a page has at most, of what was asked for.
pub(super) fn bounded_page(cx: &Cx, asked: Option<u64>) -> usize {
    let most = cx.limits.history_messages;
    asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(most).clamp(1, most)
}
