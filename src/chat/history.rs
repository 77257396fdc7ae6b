//! HISTORY: what was said before, a page at a time.

use super::ask::{Answer, Ask, Conversation, Done, Span};
use super::effect::Effect;
use super::hub::{About, Hub};
use super::ids::{SessionId, UserId};
use super::pending::Pending;
use super::session::Pause;
use super::wire::found::{self, HistoryPage};
use super::wire::msgid;

/// A page that a client asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    pub(super) conversation: Conversation,
    pub(super) span: Span,
    pub(super) messages: Option<u64>,
}

impl Hub {
    pub(super) fn history(&mut self, about: About<'_>, user: UserId, page: Page, out: &mut Vec<Effect>) {
        let Page { conversation, span, messages } = page;
        let messages = self.bounded_page(messages);
        // What is around the bodies needs the other half.
        let bytes = self.limits.push_bytes / 2;
        self.pause(about.session, Pause::Answering, out);
        let cid = about.cid.map(Into::into);
        let ticket = self.pending.insert(Pending::History {
            session: about.session,
            asked: (conversation, span),
            cid,
        });
        out.push(Effect::Ask { ticket, ask: Ask::History { user, conversation, span, messages, bytes } });
    }

    /// How many entries a page has at most, of what was asked for.
    pub(super) fn bounded_page(&self, asked: Option<u64>) -> usize {
        let most = self.limits.history_messages;
        asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(most).clamp(1, most)
    }

    pub(super) fn history_answered(
        &mut self,
        session: SessionId,
        asked: (Conversation, Span),
        cid: Option<Box<str>>,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        match answer {
            Ok(Done::History { messages, complete }) => {
                let ((conversation, span), cid) = (asked, cid.as_deref());
                let page = HistoryPage { cid, conversation, span, messages: &messages, complete };
                self.reply(session, found::history(page, self.limits.push_bytes), out);
            }
            Ok(_) => unreachable!("History is answered with History"),
            Err(code) => self.refuse(About { session, re: msgid::HISTORY, cid: cid.as_deref() }, code, out),
        }
        self.resume(session, Pause::Answering, out);
    }
}
