//! How a connection begins and ends, what it is told besides messages, and whether its requests are handed over.

use super::draining::back_after_ms;
use super::state::{AuthState, Connection, Pause};
use super::{Connections, UnackedPush};
use crate::model::ids::{ConnectionId, UserId};
use crate::model::source::Source;
use crate::port::counters::Cut;
use crate::port::cx::Cx;
use crate::port::effect::{Effect, Frame};
use crate::port::in_flight::{Change, Mutation, StoreFlow};
use crate::port::store::StoreRequest;
use crate::wire::code::Code;
use crate::wire::frame::Framing;
use crate::wire::msgid;
use crate::wire::reply::{self, Refusal};
use crate::wire::request::{Dialect, Fault, Severity};

/// What an ERROR or an ACK answers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About<'a> {
    pub(crate) connection: ConnectionId,
    pub(crate) re: u32,
    pub(crate) cid: Option<&'a str>,
}

impl Connections {
    pub(crate) fn opened(&mut self, cx: &mut Cx, id: ConnectionId, from: Source) {
        cx.enter();
        let index = id.index as usize;
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        assert!(self.slots[index].is_none(), "a slot is used again only after its Closed");
        self.slots[index] = Some(Box::new(Connection::new(id, from)));
        if cx.draining {
            return self.close_for(cx, id, Code::Draining, Code::Draining.text());
        }
        self.note_unauthenticated(cx, id);
        self.arrive(cx, id);
    }

    /// The proxy that made it has said for whom.
    pub(crate) fn located(&mut self, cx: &mut Cx, id: ConnectionId, from: Source) {
        cx.enter();
        if let Some(connection) = self.get_mut(id) {
            connection.from = from;
            self.arrive(cx, id);
        }
    }

    /// Its frames are messages of a WebSocket from now on. Nothing was sent to it before.
    pub(crate) fn upgraded(&mut self, id: ConnectionId) {
        if let Some(connection) = self.get_mut(id) {
            connection.framing = Framing::Message;
        }
    }

    /// Nothing that this connection said is to be answered by a login. Bounds those that are not logged in: the oldest
    /// go first.
    pub(crate) fn note_unauthenticated(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        if !self.is_unauthenticated(id) {
            return;
        }
        self.unauthenticated.push(id);
        while self.unauthenticated.len() > cx.limits.anonymous {
            let Some(oldest) = self.unauthenticated.oldest() else { break };
            self.unauthenticated.remove(oldest);
            cx.counters.cut(Cut::Anonymous);
            self.close_for(cx, oldest, Code::TooMany, "too many connections without a login");
        }
    }

    /// What this connection said is about to be answered by a login or a registration.
    pub(crate) fn await_login(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        self.unauthenticated.remove(id);
        self.pause(cx, id, Pause::AwaitingReply);
    }

    fn is_unauthenticated(&self, id: ConnectionId) -> bool {
        self.get(id).is_some_and(|connection| {
            matches!(connection.auth(), AuthState::Unauthenticated) && !connection.closing
        })
    }

    /// Nothing is sent to it any more: its socket is gone.
    pub(crate) fn note_closing(&mut self, id: ConnectionId) {
        self.unauthenticated.remove(id);
        if let Some(connection) = self.get_mut(id) {
            connection.closing = true;
        }
    }

    /// Forgets a connection that is gone, and gives back what its reader may not have.
    pub(crate) fn remove(&mut self, id: ConnectionId) -> impl Iterator<Item = UnackedPush> + use<> {
        let slot = self.slots.get_mut(id.index as usize);
        let connection = slot.and_then(|slot| slot.take_if(|connection| connection.id() == id));
        if let Some(connection) = &connection {
            if connection.counted {
                self.budgets.leave(connection.from);
            }
            self.unacked_bytes -= connection.window.unacked_bytes();
        }
        connection.into_iter().flat_map(|mut connection| connection.window.take_unread())
    }

    pub(crate) fn on_bad_frame(&mut self, cx: &mut Cx, id: ConnectionId, fault: &Fault) {
        cx.enter();
        let Some(connection) = self.get_mut(id) else { return };
        connection.note_heard(cx.now);
        if fault.severity == Severity::Answer && !self.admit_fault(cx, id) {
            return;
        }
        let Some(connection) = self.get_mut(id) else { return };
        let is_v1 = connection.dialect == Dialect::V1 && connection.is_logged_in();
        // v1 knows no such message, whatever is wrong with it.
        let unknown = is_v1 && fault.severity == Severity::Answer && fault.re.is_some_and(msgid::is_of_v2);
        let (code, text) = match unknown {
            true => (Code::UnknownMsgid, Code::UnknownMsgid.text()),
            false => (fault.code, &*fault.text),
        };
        let refusal = Refusal { code, text, re: fault.re, cid: fault.cid.as_deref(), retry_after_ms: None };
        cx.counters.error(code);
        self.reply(cx, id, reply::error(refusal));
        if fault.severity == Severity::Close {
            cx.counters.cut(Cut::Garbled);
            self.close(cx, id, Some(code));
        }
    }

    pub(crate) fn on_frame_timeout(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        cx.counters.cut(Cut::SlowFrame);
        self.close_for(cx, id, Code::NotAFrame, "a frame took too long from its first byte to its last");
    }

    /// Too much is half read, and this connection's frame is one of the largest.
    pub(crate) fn on_shed(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        cx.counters.cut(Cut::Shed);
        let text = "too many unfinished frames, and this is one of the largest";
        self.close_for(cx, id, Code::TooMany, text);
    }

    pub(crate) fn on_half_close(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        if let Some(connection) = self.get_mut(id) {
            connection.half_closed = true;
            self.close_if_finished(cx, id);
        }
    }

    /// Says why, and closes.
    pub(crate) fn close_for(&mut self, cx: &mut Cx, id: ConnectionId, code: Code, text: &str) {
        cx.enter();
        let retry_after_ms = (code == Code::Draining).then(|| back_after_ms(cx, id));
        self.reply(cx, id, reply::error(Refusal { code, text, re: None, cid: None, retry_after_ms }));
        self.close(cx, id, Some(code));
    }

    /// Sends a frame that is not a message. It is not kept if the connection ends before it is through.
    pub(crate) fn reply(&mut self, cx: &mut Cx, id: ConnectionId, bytes: Vec<u8>) {
        cx.enter();
        if self.get(id).is_some_and(|connection| !connection.closing) {
            match id.is_acting() {
                true => cx.emit(Effect::Send { connection: id, frame: Frame::Reply(bytes) }),
                false => self.send(cx, id, Frame::Reply(bytes)),
            }
        }
    }

    pub(crate) fn refuse(&mut self, cx: &mut Cx, about: About<'_>, code: Code) {
        cx.enter();
        self.refuse_with(cx, about, code, code.text());
    }

    pub(crate) fn refuse_with(&mut self, cx: &mut Cx, about: About<'_>, code: Code, text: &str) {
        cx.enter();
        let retry_after_ms = (code == Code::Busy).then_some(1_000);
        cx.counters.error(code);
        let refusal = Refusal { code, text, re: Some(about.re), cid: about.cid, retry_after_ms };
        self.reply(cx, about.connection, reply::error(refusal));
    }

    /// Asks for the connection to be closed; `Closed` comes back when it is.
    pub(crate) fn close(&mut self, cx: &mut Cx, id: ConnectionId, why: Option<Code>) {
        cx.enter();
        if let Some(connection) = self.get_mut(id).filter(|connection| !connection.closing) {
            connection.closing = true;
            self.unauthenticated.remove(id);
            cx.emit(Effect::Close { connection: id, why });
        }
    }

    /// Requests a change of what the store knows of a user. Later requests of the connection wait for the reply.
    pub(crate) fn request_mutation(
        &mut self,
        cx: &mut Cx,
        about: About<'_>,
        user: UserId,
        request: StoreRequest,
        change: Change,
    ) {
        cx.enter();
        self.pause(cx, about.connection, Pause::AwaitingReply);
        let About { connection, re, cid } = about;
        let mutation = Mutation { connection, user, re, cid: cid.map(Into::into), change };
        cx.request(request, StoreFlow::Mutation(Box::new(mutation)));
    }

    pub(crate) fn pause(&mut self, cx: &mut Cx, id: ConnectionId, why: Pause) {
        cx.enter();
        let Some(connection) = self.get_mut(id) else { return };
        // What is being closed is read no further in any case.
        if connection.paused == 0 && !connection.closing {
            cx.emit(Effect::Pause { connection: id });
        }
        connection.paused |= why as u8;
    }

    pub(crate) fn resume(&mut self, cx: &mut Cx, id: ConnectionId, why: Pause) {
        cx.enter();
        let Some(connection) = self.get_mut(id).filter(|connection| connection.paused != 0) else { return };
        connection.paused &= !(why as u8);
        if connection.paused == 0 && !connection.closing {
            cx.emit(Effect::Resume { connection: id });
            self.close_if_finished(cx, id);
        }
    }

    /// Closes a connection whose client said its last word, once everything is answered.
    pub(super) fn close_if_finished(&mut self, cx: &mut Cx, id: ConnectionId) {
        let finished = |connection: &Connection| {
            connection.half_closed && connection.paused == 0 && connection.sends_in_flight == 0
        };
        if self.get(id).is_some_and(finished) {
            self.close(cx, id, None);
        }
    }
}
