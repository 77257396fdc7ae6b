//! Renaming: a message whose id is taken is given another one, and stored under that.
//!
//! The clock begins after all that is stored, so this happens only where two cores go by one number for a moment. Whoever
//! was pushed the message under the first id gets it once more under the second; readers of v2 know it by its sender and
//! cid.

use super::cx::Cx;
use crate::model::envelope::Envelope;
use crate::model::ids::{MessageId, UserId};
use std::collections::VecDeque;

/// Renamed messages that are remembered, so that one that is stored on two ways is renamed once.
const MOST: usize = 256;

/// Messages that were given another id: whose, the first id and the second.
#[derive(Debug, Default)]
pub(crate) struct Renamed(VecDeque<(UserId, MessageId, MessageId)>);

impl Renamed {
    /// Whether a message bears this id because its first one was taken.
    pub(crate) fn has(&self, mid: MessageId) -> bool {
        self.0.iter().any(|&(_, _, new)| new == mid)
    }
}

impl Cx {
    /// The same message under an id that is not taken.
    pub(crate) fn rename(&mut self, envelope: &Envelope) -> Envelope {
        let (sender, taken) = (envelope.sender(), envelope.mid());
        let known = self.renamed.0.iter().find(|&&(of, old, _)| (of, old) == (sender, taken));
        if let Some(&(_, _, new)) = known {
            return envelope.renamed(new);
        }
        // Past others that may be taken too.
        self.clock.begin_after(taken, self.wall);
        let new = self.next_mid();
        if self.renamed.0.len() == MOST {
            self.renamed.0.pop_front();
        }
        self.renamed.0.push_back((sender, taken, new));
        envelope.renamed(new)
    }
}
