//! Messages whose id is taken: they are given another one, and kept under that.
//!
//! The clock begins after all that is stored, so this happens only where two cores go by one number for a
//! moment. Whoever was pushed the message under the first id gets it once more under the second; readers
//! of v2 know it by its sender and cid.

use super::ask::Ask;
use super::effect::Effect;
use super::envelope::Envelope;
use super::hub::Hub;
use super::ids::{MessageId, UserId};
use super::orphan::Orphan;
use super::pending::Pending;
use std::collections::VecDeque;

/// Renamed messages that are remembered, so that one that is asked for twice is renamed once.
const MOST: usize = 256;

/// Messages that were given another id: whose, the first id and the second.
#[derive(Debug, Default)]
pub(super) struct Renamed(VecDeque<(UserId, MessageId, MessageId)>);

impl Renamed {
    /// Whether a message bears this id because its first one was taken.
    pub(super) fn has(&self, mid: MessageId) -> bool {
        self.0.iter().any(|&(_, _, new)| new == mid)
    }
}

impl Hub {
    /// The id of the message that `pending` has the store keep is taken.
    pub(super) fn keep_renamed(&mut self, mut pending: Pending, out: &mut Vec<Effect>) {
        let (Pending::Keep { envelope, .. }
        | Pending::KeepLate { envelope, .. }
        | Pending::Orphan { orphan: Orphan::Keep { envelope }, .. }) = &mut pending
        else {
            return;
        };
        let taken = envelope.mid();
        *envelope = self.rename(envelope);
        let ask = Ask::Keep { envelope: envelope.clone() };
        if let Pending::Keep { session, envelope } = &pending {
            self.note_renamed(*session, taken, envelope);
        }
        let ticket = self.pending.insert(pending);
        out.push(Effect::Ask { ticket, ask });
    }

    fn rename(&mut self, envelope: &Envelope) -> Envelope {
        let (sender, taken) = (envelope.sender(), envelope.mid());
        let known = self.renamed.0.iter().find(|&&(of, old, _)| (of, old) == (sender, taken));
        if let Some(&(_, _, new)) = known {
            return envelope.renamed(new);
        }
        // Past others that may be taken too.
        self.clock.begin_after(taken, self.wall);
        let new = self.clock.next(self.wall);
        if self.renamed.0.len() == MOST {
            self.renamed.0.pop_front();
        }
        self.renamed.0.push_back((sender, taken, new));
        envelope.renamed(new)
    }
}
