//! Messages that wait for their reader's word: where only what is undelivered is kept, a message
//! with a cid is acknowledged when its reader has confirmed it, and then needs no row.
//!
//! The sender's core waits, for `confirm_ms`. The reader's core sends word on the sender's channel:
//! Confirmed, or, of a reader who cannot confirm, Unconfirmed. Without word, and if nobody heard the
//! message, it is kept like any other.

use super::ask::Ask;
use super::effect::Effect;
use super::envelope::{Envelope, Kind, Storing};
use super::event::{BusDown, Channel};
use super::held::debt_of;
use super::hub::Hub;
use super::ids::{MessageId, Monotonic, SessionId, UserId};
use super::orphan::Orphan;
use super::pending::Pending;
use super::session::Debt;
use super::wire::msgid;
use super::wire::reply::{self, Outcome};
use super::wire::request::Dialect;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Those that wait. Each counts as unsettled for its sender, which bounds them.
#[derive(Debug, Default)]
pub(super) struct Awaited {
    messages: FxHashMap<MessageId, (SessionId, Envelope)>,
    /// When they have waited for long enough, in order; some do not wait any more.
    due: VecDeque<(Monotonic, MessageId)>,
}

impl Awaited {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

impl Hub {
    /// Waits for the reader's word on a message that is about to be delivered.
    pub(super) fn await_word(&mut self, session: SessionId, envelope: Envelope, out: &mut Vec<Effect>) {
        self.begin_settling(session, out);
        let due = self.now.plus(self.limits.confirm_ms);
        self.awaited.due.push_back((due, envelope.mid()));
        self.awaited.messages.insert(envelope.mid(), (session, envelope));
    }

    /// What a direct message that is handed to `reader` means for its backlog. Who cannot confirm
    /// what its sender's core waits for says so.
    pub(super) fn debt_to(&mut self, reader: SessionId, envelope: &Envelope, out: &mut Vec<Effect>) -> Debt {
        let seed = self.session(reader).is_none_or(|session| session.dialect == Dialect::Seed);
        if envelope.storing() == Storing::IfUnconfirmed && seed {
            self.send_word(envelope.sender(), envelope.user(), Kind::Unconfirmed, &[envelope.mid()], out);
            return Debt::Owed;
        }
        debt_of(envelope)
    }

    /// Tells the core that waits what became of messages of one sender to one reader.
    pub(super) fn send_word(
        &mut self,
        sender: UserId,
        reader: UserId,
        kind: Kind,
        mids: &[MessageId],
        out: &mut Vec<Effect>,
    ) {
        let core = self.core;
        let (here, elsewhere): (Vec<MessageId>, Vec<MessageId>) =
            mids.iter().partition(|mid| mid.core() == core);
        self.word(reader, kind, here, out);
        if elsewhere.is_empty() {
            return;
        }
        let envelope = Envelope::word(kind, sender, reader, &elsewhere);
        let ticket = (kind == Kind::Confirmed)
            .then(|| self.pending.insert(Pending::Word { reader, mids: elsewhere.into() }));
        out.push(Effect::Publish { ticket, channel: Channel::User(sender), envelope });
    }

    /// Word of a reader. What does not wait any more was kept, and is settled.
    pub(super) fn word(&mut self, reader: UserId, kind: Kind, mids: Vec<MessageId>, out: &mut Vec<Effect>) {
        let mut kept = Vec::new();
        for mid in mids {
            if kind == Kind::Unconfirmed {
                self.keep_awaited(mid, out);
            } else if let Some((session, envelope)) = self.awaited.messages.remove(&mid) {
                let repeats = self.note_answered(session, &envelope, Some((mid, envelope.ts(), None)));
                for _ in 0..=repeats {
                    self.counts.acks += 1;
                    let outcome = Outcome { mid: Some(mid), ts: Some(envelope.ts()), ..Outcome::default() };
                    self.reply(session, reply::ack(envelope.cid(), msgid::ONE_CHAT, outcome), out);
                }
                self.end_settling(session, out);
            } else {
                kept.push(mid);
            }
        }
        self.settle_for(reader, kept, out);
    }

    /// Who heard that messages are confirmed. If nobody did, their sender is gone, and they are kept
    /// or will be.
    pub(super) fn word_counted(
        &mut self,
        reader: UserId,
        mids: Box<[MessageId]>,
        heard: Result<u32, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        if !matches!(heard, Ok(heard) if heard > 0) {
            self.settle_for(reader, mids.into(), out);
        }
    }

    fn settle_for(&mut self, user: UserId, mids: Vec<MessageId>, out: &mut Vec<Effect>) {
        if !mids.is_empty() {
            self.adopt(Orphan::Settle { user, mids, progress: Vec::new() }, out);
        }
    }

    /// No word will come, or it is not waited for any longer.
    pub(super) fn keep_awaited(&mut self, mid: MessageId, out: &mut Vec<Effect>) {
        if let Some((session, envelope)) = self.awaited.messages.remove(&mid) {
            let ticket = self.pending.insert(Pending::Keep { session, envelope: envelope.clone() });
            out.push(Effect::Ask { ticket, ask: Ask::Keep { envelope } });
        }
    }

    /// Keeps what has waited until `now` in vain.
    pub(super) fn keep_overdue(&mut self, now: Monotonic, out: &mut Vec<Effect>) {
        while let Some(&(_, mid)) = self.awaited.due.front().filter(|(due, _)| *due <= now) {
            self.awaited.due.pop_front();
            self.keep_awaited(mid, out);
        }
    }
}
