//! The detour of messages to a user whom nobody heard: into the store first, in order.
//!
//! While a user's messages are being kept, later ones wait behind them, so that a reader who logs
//! in just then gets them in the order sent. When a batch is stored, the user's channel is told;
//! if somebody hears that, the rest goes out directly, after it.

use super::ask::{Answer, Ask};
use super::effect::Effect;
use super::envelope::Envelope;
use super::event::{BusDown, Channel};
use super::hub::Hub;
use super::ids::{SessionId, UserId};
use super::orphan::Orphan;
use super::pending::Pending;
use super::session::Phase;
use super::wire::code::Code;
use std::collections::VecDeque;

/// The detour of one user's messages from this core.
///
/// Each message in it counts as unsettled for its sender, which bounds the queue.
#[derive(Debug, Default)]
pub(super) struct Late {
    /// Keeps that are out.
    batch: u32,
    /// Messages that wait for the batch, with who sent them.
    pub(super) queue: VecDeque<(SessionId, Envelope)>,
}

impl Hub {
    pub(super) fn keep_late(&mut self, session: SessionId, envelope: Envelope, out: &mut Vec<Effect>) {
        self.late.entry(envelope.user()).or_default().batch += 1;
        let ticket = self.pending.insert(Pending::KeepLate { session, envelope: envelope.clone() });
        out.push(Effect::Ask { ticket, ask: Ask::Keep { envelope } });
    }

    pub(super) fn kept_late(
        &mut self,
        session: SessionId,
        envelope: &Envelope,
        answer: Answer,
        out: &mut Vec<Effect>,
    ) {
        match (&answer, envelope.cid().is_empty()) {
            (Err(code), true) => self.refuse_message(session, envelope, *code, out),
            // Its sender hears of it by the other Keep. When that is done is not known here, and
            // the reader is to be told after it.
            (Err(Code::Busy), false) => self.adopt_later(Orphan::Keep { envelope: envelope.clone() }),
            _ => {}
        }
        self.end_settling(session, out);
        let user = envelope.user();
        let late = self.late.get_mut(&user).expect("a batch is out");
        late.batch -= 1;
        if late.batch > 0 {
            return;
        }
        if answer == Err(Code::NoSuchUser) && late.queue.is_empty() {
            self.late.remove(&user);
            return;
        }
        if self.is_here(user) {
            self.take_for(user, out);
            return self.go_direct(user, out);
        }
        let ticket = self.pending.insert(Pending::LateNotice { user });
        let envelope = Envelope::waiting(user);
        out.push(Effect::Publish { ticket: Some(ticket), channel: Channel::User(user), envelope });
    }

    fn is_here(&self, user: UserId) -> bool {
        let session = self.users.get(&user).and_then(|&id| self.session(id));
        session.is_some_and(|session| matches!(session.phase, Phase::Online(_)))
    }

    pub(super) fn late_noticed(&mut self, user: UserId, heard: Result<u32, BusDown>, out: &mut Vec<Effect>) {
        let Some(late) = self.late.get_mut(&user) else { return };
        if late.batch > 0 {
            // A message that was out when the detour began has joined it; its turn comes first.
            return;
        }
        if matches!(heard, Ok(heard) if heard > 0) || late.queue.is_empty() {
            self.nudged(user, heard);
            return self.go_direct(user, out);
        }
        for (session, envelope) in std::mem::take(&mut late.queue) {
            self.keep_late(session, envelope, out);
        }
    }

    /// The detour is over: what waited is sent like everything after it.
    fn go_direct(&mut self, user: UserId, out: &mut Vec<Effect>) {
        let late = self.late.remove(&user).expect("looked at before");
        for (session, envelope) in late.queue {
            self.end_settling(session, out);
            self.deliver(session, envelope, out);
        }
    }
}
