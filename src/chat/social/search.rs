//! SEARCH: messages that have all words of a text, newest first, a page at a time.

use super::Social;
use crate::connection::{About, Connections, Pause};
use crate::model::history::{Conversation, SearchPage};
use crate::model::ids::{ConnectionId, MessageId, UserId};
use crate::model::retention::Retention;
use crate::port::cx::Cx;
use crate::port::in_flight::SocialFlow;
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::{found, msgid};

const NO_WORD: &str = "q has no word to look for";
const NOTHING_KEPT: &str = "this server keeps no history to search (--keep undelivered)";

/// What a client looks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SearchQuery<'a> {
    pub(crate) q: &'a str,
    pub(crate) conversation: Option<Conversation>,
    pub(crate) before: Option<MessageId>,
    /// How many messages at most, as asked for.
    pub(crate) messages: Option<u64>,
}

impl Social {
    /// SEARCH. Nothing else of the connection is read until it is answered.
    pub(crate) fn on_search(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        user: UserId,
        query: SearchQuery<'_>,
    ) {
        cx.enter();
        if cx.retention != Retention::All {
            return connections.refuse_with(cx, about, Code::InvalidField, NOTHING_KEPT);
        }
        if cx.lookups_are_full() {
            return connections.refuse(cx, about, Code::Busy);
        }
        let SearchQuery { q, conversation, before, messages } = query;
        let most = cx.limits.search_messages;
        let messages = messages.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(most).clamp(1, most);
        // What is around the bodies needs the other half.
        let bytes = cx.limits.push_bytes / 2;
        connections.pause(cx, about.connection, Pause::AwaitingReply);
        let flow = SocialFlow::Search { connection: about.connection, cid: about.cid.map(Into::into) };
        let wanted = connections.get(about.connection).map(|session| session.capabilities.wanted());
        let (q, wanted) = (q.to_owned(), wanted.unwrap_or_default());
        cx.look_up(StoreRequest::Search { user, q, conversation, before, wanted, messages, bytes }, flow);
    }

    /// SEARCH_ACK, or ERROR.
    pub(crate) fn on_search_page(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        (connection, cid): (ConnectionId, Option<&str>),
        page: Result<SearchPage, Code>,
    ) {
        cx.enter();
        let about = About { connection, re: msgid::SEARCH, cid };
        match page {
            Ok(page) => connections.reply(cx, connection, found::search(cid, &page, cx.limits.push_bytes)),
            Err(Code::InvalidField) => connections.refuse_with(cx, about, Code::InvalidField, NO_WORD),
            Err(code) => connections.refuse(cx, about, code),
        }
        connections.resume(cx, connection, Pause::AwaitingReply);
    }
}
