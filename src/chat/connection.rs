//! Connections: how one begins and ends, and whether its requests are handed over.
//!
//! Knows no rule of chat. What a client is told besides messages goes through here.

use super::counts::Cut;
use super::effect::{Effect, Frame};
use super::envelope::Envelope;
use super::event::Channel;
use super::hub::{About, Hub};
use super::ids::{Monotonic, SessionId};
use super::orphan::Orphan;
use super::presence::Gone;
use super::session::{Debt, Pause, Phase, Session};
use super::source::Source;
use super::wire::code::Code;
use super::wire::msgid;
use super::wire::reply::{self, Refusal};
use super::wire::request::{Dialect, Fault, Severity};

impl Hub {
    pub(super) fn opened(&mut self, id: SessionId, from: Source, out: &mut Vec<Effect>) {
        let index = id.index as usize;
        if self.sessions.len() <= index {
            self.sessions.resize_with(index + 1, || None);
        }
        assert!(self.sessions[index].is_none(), "a slot is used again only after its Closed");
        self.sessions[index] = Some(Box::new(Session::new(id, from)));
        if self.draining {
            return self.close_for(id, Code::Draining, Code::Draining.text(), out);
        }
        self.note_anonymous(id, out);
    }

    /// Nothing that this connection said is to be answered by a login. Bounds those that are not
    /// logged in: the oldest go first.
    pub(super) fn note_anonymous(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        if !self.is_anonymous(id) {
            return;
        }
        self.anonymous.push(id);
        while self.anonymous.len() > self.limits.anonymous {
            let oldest = self.anonymous.oldest().expect("longer than its bound");
            self.anonymous.remove(oldest);
            self.counts.cut(Cut::Anonymous);
            self.close_for(oldest, Code::TooMany, "too many connections without a login", out);
        }
    }

    pub(super) fn is_anonymous(&self, id: SessionId) -> bool {
        self.session(id).is_some_and(|session| matches!(session.phase, Phase::Anonymous) && !session.closing)
    }

    pub(super) fn closed(&mut self, id: SessionId, acked: u64, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        session.closing = true;
        self.anonymous.remove(id);
        self.acked(id, acked, out);
        // Who said that it logs out does not come back, though its token is still being revoked.
        let revoking = self.session(id).is_some_and(|session| session.revoking);
        let gone = if revoking { Gone::LoggedOut } else { Gone::Lost };
        self.part(id, gone, out);
        let Some(session) =
            self.sessions.get_mut(id.index as usize).and_then(|slot| slot.take_if(|held| held.id == id))
        else {
            return;
        };
        self.unacked_bytes -= session.unacked_bytes();
        // What is owed lies in the backlog already, but whoever holds the user now may have looked
        // before it did: keeping it again makes sure that it is told.
        for sent in session.window {
            if !matches!(sent.debt, Debt::Behind(_)) {
                self.adopt(Orphan::Keep { envelope: sent.envelope }, out);
            }
        }
    }

    pub(super) fn garbled(&mut self, id: SessionId, fault: &Fault, out: &mut Vec<Effect>) {
        let now = self.now;
        let Some(session) = self.session_mut(id) else { return };
        (session.heard_at, session.pong_by) = (now, None);
        let is_seed = session.dialect == Dialect::Seed && session.online().is_some();
        // The seed knows no such message, whatever is wrong with it.
        let unknown = is_seed && fault.severity == Severity::Answer && fault.re.is_some_and(msgid::is_of_v2);
        let (code, text) = match unknown {
            true => (Code::UnknownMsgid, Code::UnknownMsgid.text()),
            false => (fault.code, &*fault.text),
        };
        let refusal = Refusal { code, text, re: fault.re, cid: fault.cid.as_deref(), retry_after_ms: None };
        self.counts.error(code);
        self.reply(id, reply::error(refusal), out);
        if fault.severity == Severity::Close {
            self.counts.cut(Cut::Garbled);
            self.close(id, out);
        }
    }

    pub(super) fn drain(&mut self, out: &mut Vec<Effect>) {
        self.draining = true;
        self.keep_overdue(Monotonic(u64::MAX), out);
        self.publish_news(out);
        let envelope = Envelope::farewell(self.clock.next(self.wall));
        out.push(Effect::Publish { ticket: None, channel: Channel::Cores, envelope });
        let open: Vec<SessionId> = self.sessions.iter().flatten().map(|session| session.id).collect();
        for id in open {
            self.counts.cut(Cut::Draining);
            self.close_for(id, Code::Draining, Code::Draining.text(), out);
        }
    }

    pub(super) fn overdue(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        self.counts.cut(Cut::SlowFrame);
        self.close_for(id, Code::NotAFrame, "a frame took too long from its first byte to its last", out);
    }

    /// Too much is half read, and this session's frame is one of the largest.
    pub(super) fn shed(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        self.counts.cut(Cut::Shed);
        let text = "too many unfinished frames, and this is one of the largest";
        self.close_for(id, Code::TooMany, text, out);
    }

    /// Says why, and closes.
    pub(super) fn close_for(&mut self, id: SessionId, code: Code, text: &str, out: &mut Vec<Effect>) {
        let retry_after_ms = (code == Code::Draining).then_some(1_000);
        self.reply(id, reply::error(Refusal { code, text, re: None, cid: None, retry_after_ms }), out);
        self.close(id, out);
    }

    /// Sends a frame that is not a message. It is not kept if the connection ends before it is through.
    pub(super) fn reply(&mut self, id: SessionId, bytes: Vec<u8>, out: &mut Vec<Effect>) {
        if self.session(id).is_none_or(|session| session.closing) {
            return;
        }
        self.send(id, Frame::Reply(bytes), out);
    }

    pub(super) fn refuse(&mut self, about: About<'_>, code: Code, out: &mut Vec<Effect>) {
        self.refuse_with(about, code, code.text(), out);
    }

    pub(super) fn refuse_with(&mut self, about: About<'_>, code: Code, text: &str, out: &mut Vec<Effect>) {
        let retry_after_ms = (code == Code::Busy).then_some(1_000);
        self.counts.error(code);
        let refusal = Refusal { code, text, re: Some(about.re), cid: about.cid, retry_after_ms };
        self.reply(about.session, reply::error(refusal), out);
    }

    /// Asks for the connection to be closed; `Closed` comes back when it is.
    pub(super) fn close(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        if let Some(session) = self.session_mut(id).filter(|session| !session.closing) {
            session.closing = true;
            self.anonymous.remove(id);
            out.push(Effect::Close { session: id });
        }
    }

    pub(super) fn pause(&mut self, id: SessionId, why: Pause, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        // What is being closed is read no further in any case.
        if session.paused == 0 && !session.closing {
            out.push(Effect::Pause { session: id });
        }
        session.paused |= why as u8;
    }

    pub(super) fn resume(&mut self, id: SessionId, why: Pause, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id).filter(|session| session.paused != 0) else { return };
        session.paused &= !(why as u8);
        if session.paused == 0 && !session.closing {
            out.push(Effect::Resume { session: id });
            self.finish_if_ended(id, out);
        }
    }

    /// Closes a connection whose client said its last word, once everything is answered.
    pub(super) fn finish_if_ended(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        if self
            .session(id)
            .is_some_and(|session| session.ended && session.paused == 0 && session.unsettled == 0)
        {
            self.close(id, out);
        }
    }

    /// Makes room for another session of a user whose client has said its last word; whether it did. What
    /// is still to be said to that client, and to be heard from its TCP, comes all the same.
    pub(super) fn part_if_ended(&mut self, id: SessionId, out: &mut Vec<Effect>) -> bool {
        let has_ended = self.session(id).is_some_and(|session| {
            session.ended && session.online().is_some_and(|online| !online.is_to_be_greeted())
        });
        if has_ended {
            self.part(id, Gone::Lost, out);
        }
        has_ended
    }
}
