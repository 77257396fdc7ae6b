//! Messages without a cid: promised to nobody, and stored all the same, for the history.
//!
//! They are collected and stored many at a time. Until they are, they count for their senders, so
//! that who outruns the store is not read from.

use super::ask::{Answer, Ask};
use super::effect::Effect;
use super::envelope::Envelope;
use super::hub::Hub;
use super::ids::{MessageId, SessionId};
use super::orphan::Orphan;
use super::pending::Pending;
use super::wire::code::Code;

/// Messages that are stored together at most. Many at a time cost the store much less each: the pages
/// that it writes are shared by more of them.
pub(super) const RECORDS: usize = 256;

impl Hub {
    pub(super) fn record(&mut self, session: SessionId, envelope: Envelope, out: &mut Vec<Effect>) {
        self.begin_settling(session, out);
        self.records.push((session, envelope));
        // Who has sent half of what it may send unstored is not to wait for the tick.
        let half = self.limits.unsettled / 2;
        let unsettled = self.session(session).map_or(0, |session| session.unsettled);
        if self.records.len() == RECORDS || unsettled.is_multiple_of(half.max(1)) {
            self.ask_records(out);
        }
    }

    /// Nobody heard it, so that it is kept: it need not be recorded too.
    pub(super) fn unrecord(&mut self, mid: MessageId, out: &mut Vec<Effect>) {
        if let Some(at) = self.records.iter().rposition(|(_, envelope)| envelope.mid() == mid) {
            let (session, _) = self.records.remove(at);
            self.end_settling(session, out);
        }
    }

    /// Has the store record what was collected.
    pub(super) fn ask_records(&mut self, out: &mut Vec<Effect>) {
        if self.records.is_empty() {
            return;
        }
        let records = std::mem::replace(&mut self.records, Vec::with_capacity(RECORDS));
        let envelopes = records.iter().map(|(_, envelope)| envelope.clone()).collect();
        let ticket = self.pending.insert(Pending::Record { records });
        out.push(Effect::Ask { ticket, ask: Ask::Record { envelopes } });
    }

    pub(super) fn recorded(
        &mut self,
        records: Vec<(SessionId, Envelope)>,
        answer: &Answer,
        out: &mut Vec<Effect>,
    ) {
        for &(session, _) in &records {
            self.end_settling(session, out);
        }
        if *answer == Err(Code::Busy) {
            let envelopes = records.into_iter().map(|(_, envelope)| envelope).collect();
            self.adopt_later(Orphan::Record { envelopes });
        }
    }
}
