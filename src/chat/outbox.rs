//! What was sent to a session and what its TCP has acknowledged: the window between the two.
//!
//! A message leaves the window when the reader's TCP has acknowledged it. What a connection
//! leaves in its window at its end goes back to its reader's backlog, if it is not there still.
//!
//! A reader who has more under way than its budget is cut if its TCP makes no progress. One whose
//! TCP does is not: a crowd may write to it within one turn, before a byte of it is with the kernel.

use super::counts::Cut;
use super::effect::{Effect, Frame};
use super::envelope::Envelope;
use super::hub::Hub;
use super::ids::{MessageId, SessionId, UserId};
use super::orphan::Orphan;
use super::session::{Debt, Sent};
use super::wire::code::Code;
use super::wire::reply::{self, Refusal};

/// How long a session remembers its last pushes after the last one of them.
const RECENT_MS: u64 = 10_000;

/// So many budgets are too many even for a reader who reads: memory has an end.
const BUDGETS: u64 = 4;

impl Hub {
    /// Sends a message to a session, and remembers it until TCP has acknowledged it.
    pub(super) fn push(&mut self, id: SessionId, envelope: Envelope, debt: Debt, out: &mut Vec<Effect>) {
        let now = self.now;
        let session = self.session_mut(id).expect("looked at before");
        let user = session.user().expect("messages are for users");
        let online = session.online_mut().expect("nothing is pushed before the login answer");
        if online.refuses(&envelope) {
            return;
        }
        if session.closing {
            // Too late for the socket: it goes back to the backlog with all that is in the window.
            session.window.push_back(Sent::new(u64::MAX, user, envelope, debt));
            return;
        }
        session.pushed_at = now;
        let online = session.online_mut().expect("looked at above");
        match debt {
            Debt::Nothing | Debt::Awaited => online.live.note(envelope.mid()),
            Debt::Owed => drop(online.owed.insert(envelope.mid())),
            Debt::Behind(_) => {}
        }
        let frame = match online.v2 {
            None => Frame::Push(envelope.clone()),
            Some(_) => Frame::PushV2(envelope.clone()),
        };
        let end = session.queued + frame.len() as u64 + 1;
        session.window.push_back(Sent::new(end, user, envelope, debt));
        self.send(id, frame, out);
    }

    /// Sends a frame, counts its bytes, and cuts the connection if they are far too many.
    pub(super) fn send(&mut self, id: SessionId, frame: Frame, out: &mut Vec<Effect>) {
        let length = frame.len() as u64 + 1;
        let now = self.now;
        let session = self.session_mut(id).expect("looked at before");
        if session.unacked_bytes() == 0 {
            // There was nothing to make progress with until now.
            session.progress_at = now;
        }
        session.queued += length;
        let first = !std::mem::replace(&mut session.in_unacked, true);
        self.unacked_bytes += length;
        if first {
            self.unacked.push(id);
        }
        out.push(Effect::Send { session: id, frame });
        self.check_outbox(id, length, out);
    }

    /// Looks at what TCP has acknowledged when much is under way. The last frame may be over the
    /// bound: large ones are answers, and are sent to who waits.
    fn check_outbox(&mut self, id: SessionId, last_bytes: u64, out: &mut Vec<Effect>) {
        const LOOK_BYTES: u64 = 16 << 10;
        const LOOK_MESSAGES: usize = 64;
        let budget = self.outbox_budget();
        let session = self.session_mut(id).expect("looked at before");
        if session.unacked_bytes() - last_bytes > BUDGETS * budget {
            return self.cut(id, out);
        }
        let since_look = session.queued - session.probed;
        if since_look > LOOK_BYTES || session.window.len() % LOOK_MESSAGES == LOOK_MESSAGES - 1 {
            session.probed = session.queued;
            out.push(Effect::Probe { session: id });
        }
    }

    /// Cuts who has more under way than its budget, and whose TCP was looked at and has made no
    /// progress for too long.
    fn cut_if_stalled(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let (budget, now, patience_ms) = (self.outbox_budget(), self.now, self.limits.stall_ms);
        let stalled = self.session(id).is_some_and(|session| {
            session.unacked_bytes() > budget && now.since(session.progress_at) >= patience_ms
        });
        if stalled {
            self.cut(id, out);
        }
    }

    /// Bytes that a session may have under way while its TCP makes no progress.
    pub(super) fn outbox_budget(&self) -> u64 {
        let squeezed = self.unacked_bytes > self.limits.outbox_core_bytes as u64;
        let bytes = if squeezed { self.limits.outbox_squeezed_bytes } else { self.limits.outbox_bytes };
        bytes as u64
    }

    /// Closes the connection of a reader who does not keep up.
    pub(super) fn cut(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        if self.session(id).is_some_and(|session| !session.closing) {
            self.counts.cut(Cut::SlowReader);
            let text = Code::TooSlow.text();
            let refusal = Refusal { code: Code::TooSlow, text, re: None, cid: None, retry_after_ms: None };
            out.push(Effect::Send { session: id, frame: Frame::Reply(reply::error(refusal)) });
            self.close(id, out);
        }
    }

    pub(super) fn acked(&mut self, id: SessionId, bytes: u64, out: &mut Vec<Effect>) {
        let now = self.now;
        let Some(session) = self.session_mut(id) else { return };
        let before = session.acked;
        let mut arrived: Vec<(UserId, MessageId)> = Vec::new();
        session.acknowledge(bytes, |sent| {
            if sent.debt == Debt::Owed {
                arrived.push((sent.user, sent.envelope.mid()));
            }
        });
        let acknowledged = session.acked - before;
        if acknowledged > 0 {
            session.progress_at = now;
        }
        let leaving = session.leaving.take();
        self.unacked_bytes -= acknowledged;
        for of_one_user in arrived.chunk_by(|a, b| a.0 == b.0) {
            let mids: Vec<MessageId> = of_one_user.iter().map(|&(_, mid)| mid).collect();
            let settle = Orphan::Settle { user: of_one_user[0].0, mids, progress: Vec::new() };
            self.adopt_for(Some(id), settle, out);
        }
        self.bound_unconfirmed(id, out);
        self.cut_if_stalled(id, out);
        match leaving {
            Some(leaving) => self.log_out(id, leaving, out),
            None => self.continue_backlog(id, out),
        }
    }

    /// Looks at what TCP has acknowledged. Those with nothing under way need not be looked at
    /// any more, and forget.
    pub(super) fn probe_unacked(&mut self, out: &mut Vec<Effect>) {
        let now = self.now;
        for id in std::mem::take(&mut self.unacked) {
            let Some(session) = self.session_mut(id) else { continue };
            if session.unacked_bytes() > 0 {
                session.probed = session.queued;
                out.push(Effect::Probe { session: id });
            } else if now.since(session.pushed_at) > RECENT_MS {
                session.in_unacked = false;
                session.window.shrink_to(0);
                if let Some(online) = session.online_mut() {
                    (online.live, online.taken) = Default::default();
                }
                continue;
            }
            self.unacked.push(id);
        }
    }
}
