//! The pushes that TCP has acknowledged and their reader, who speaks v2, has not confirmed.

use super::send_window::{StoredAs, UnackedPush};
use super::shares;
use crate::model::ids::{MessageId, UserId};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// What one reader has not confirmed.
#[derive(Debug, Default)]
pub(super) struct Unconfirmed {
    /// Oldest first.
    pushes: VecDeque<UnackedPush>,
    bytes: usize,
}

impl Unconfirmed {
    pub(super) fn is_empty(&self) -> bool {
        self.pushes.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &UnackedPush> {
        self.pushes.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut UnackedPush> {
        self.pushes.iter_mut()
    }

    pub(super) fn into_pushes(self) -> VecDeque<UnackedPush> {
        self.pushes
    }

    /// TCP has acknowledged this one.
    pub(super) fn push(&mut self, push: UnackedPush) {
        self.bytes += push.envelope.bytes().len();
        self.pushes.push_back(push);
    }

    /// Moves what is wanted to `found`.
    pub(super) fn remove(&mut self, wanted: &mut FxHashSet<MessageId>, found: &mut Vec<UnackedPush>) {
        let before = found.len();
        remove(&mut self.pushes, wanted, found);
        self.bytes -= bytes_of(&found[before..]);
    }

    /// Takes out what says the same as one of those that were confirmed.
    pub(super) fn remove_repeats(&mut self, confirmed: &[UnackedPush]) -> Vec<UnackedPush> {
        let repeats = remove_repeats(&mut self.pushes, confirmed);
        self.bytes -= bytes_of(&repeats);
        repeats
    }

    /// Takes out what is above these bounds: the oldest of the sender who has most in it.
    pub(super) fn bound(&mut self, most: usize, most_bytes: usize) -> Vec<UnackedPush> {
        if self.pushes.len() <= most && self.bytes <= most_bytes {
            return Vec::new();
        }
        let entry = |push: &UnackedPush| (push.envelope.sender(), push.envelope.bytes().len());
        let entries: Vec<(UserId, usize)> = self.pushes.iter().map(entry).collect();
        let goes = shares::over(&entries, most, most_bytes);
        let (mut out, mut left) = (Vec::new(), VecDeque::with_capacity(self.pushes.len()));
        for (push, goes) in std::mem::take(&mut self.pushes).into_iter().zip(goes) {
            if goes {
                self.bytes -= push.envelope.bytes().len();
                out.push(push);
            } else {
                left.push_back(push);
            }
        }
        self.pushes = left;
        out
    }
}

fn bytes_of(pushes: &[UnackedPush]) -> usize {
    pushes.iter().map(|push| push.envelope.bytes().len()).sum()
}

/// Moves what is wanted from one queue to `found`. Readers confirm in the order sent, nearly always.
pub(super) fn remove(
    queue: &mut VecDeque<UnackedPush>,
    wanted: &mut FxHashSet<MessageId>,
    found: &mut Vec<UnackedPush>,
) {
    while queue.front().is_some_and(|push| wanted.remove(&push.envelope.mid())) {
        found.extend(queue.pop_front());
    }
    if wanted.is_empty() || queue.is_empty() {
        return;
    }
    for push in std::mem::take(queue) {
        if wanted.remove(&push.envelope.mid()) {
            found.push(push);
        } else {
            queue.push_back(push);
        }
    }
}

/// Takes out of a queue what says the same as one of those that were confirmed. Where a core waits for a receipt of it,
/// it is acknowledged by its own id, and stays.
pub(super) fn remove_repeats(
    queue: &mut VecDeque<UnackedPush>,
    confirmed: &[UnackedPush],
) -> Vec<UnackedPush> {
    let mut labels: Vec<u32> = confirmed.iter().map(|push| push.label).filter(|&label| label != 0).collect();
    if labels.is_empty() || queue.is_empty() {
        return Vec::new();
    }
    labels.sort_unstable();
    if !queue.iter().any(|push| labels.binary_search(&push.label).is_ok()) {
        return Vec::new();
    }
    let repeats = |push: &UnackedPush| {
        labels.binary_search(&push.label).is_ok()
            && push.stored_as != StoredAs::AwaitingReceipt
            && confirmed.iter().any(|confirmed| confirmed.envelope.repeats(&push.envelope))
    };
    let (repeated, rest): (Vec<UnackedPush>, Vec<UnackedPush>) =
        std::mem::take(queue).into_iter().partition(repeats);
    *queue = rest.into();
    repeated
}
