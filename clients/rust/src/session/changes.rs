//! How far a device was told what was changed in each conversation.
//!
//! Changes of a conversation are counted without gaps, as its places are. One that does not follow the last one is not
//! told: the device asks, and the answer has it.
//!
//! What the device has changed itself it is not told, and counts by the answer. But the answer to what changed nothing
//! has the number of somebody else's change, which may be under way still. So the last ones that were counted by their
//! answers are remembered, until another change follows them.

use crate::change::{Change, Changed};
use crate::message::Conversation;
use crate::request::Request;
use std::collections::BTreeMap;

/// Changes of a conversation that are counted by their answers; above, the oldest are believed to be the device's own.
const MADE: usize = 64;

/// How far one conversation was told.
#[derive(Debug, Default)]
struct Progress {
    /// All changes up to here were told, or made here.
    at: u64,
    /// There are so many at least.
    seen: u64,
    /// What was asked for here, by the number in its answer.
    made: BTreeMap<u64, Request>,
}

/// What is to be done about a change that comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// It is to be told.
    Tell,
    /// It was told, or made here.
    Known,
    /// Something before it is missing.
    Ask,
}

/// Invariant: `at ≤ seen` in each.
#[derive(Debug, Default)]
pub(super) struct Changes {
    known: BTreeMap<Conversation, Progress>,
}

impl Progress {
    fn from(at: u64) -> Self {
        Self { at, seen: at, made: BTreeMap::new() }
    }

    /// Whether this change was made here. It is not asked for again.
    fn takes(&mut self, change: &Change, mine: bool) -> bool {
        let request = self.made.remove(&change.chg);
        mine && request.is_some_and(|request| is_of(change, &request))
    }

    /// Goes on over what was made here.
    fn advance(&mut self) {
        while self.made.contains_key(&(self.at + 1)) {
            self.at += 1;
        }
        self.seen = self.seen.max(self.at);
    }
}

impl Changes {
    /// All up to this change was told before, or is not to be told.
    pub(super) fn begin(&mut self, conversation: Conversation, at: u64) {
        self.known.entry(conversation).or_insert_with(|| Progress::from(at));
    }

    /// The changes that were told, in number.
    pub(super) fn at(&self, conversation: Conversation) -> u64 {
        self.known.get(&conversation).map_or(0, |progress| progress.at)
    }

    /// What was counted by its answer last is asked for again: something may have been lost.
    pub(super) fn doubt(&mut self) {
        for progress in self.known.values_mut() {
            if let Some((first, _)) = progress.made.first_key_value() {
                progress.at = progress.at.min(first - 1);
            }
        }
    }

    /// There are so many changes. Whether some of them were not told.
    pub(super) fn stand(&mut self, conversation: Conversation, chg: u64) -> bool {
        let progress = self.known.entry(conversation).or_insert_with(|| Progress::from(chg));
        progress.seen = progress.seen.max(chg);
        progress.at < progress.seen
    }

    /// A change comes; `mine`: of this user. Of a conversation of which nothing is known it is the first that is of interest.
    pub(super) fn comes(&mut self, change: &Change, mine: bool) -> Next {
        let (chg, first) = (change.chg, change.chg.saturating_sub(1));
        let progress = self.known.entry(change.conversation).or_insert_with(|| Progress::from(first));
        progress.seen = progress.seen.max(chg);
        if chg > progress.at + 1 {
            return Next::Ask;
        }
        let was_made = progress.made.contains_key(&chg) && !progress.takes(change, mine);
        if chg <= progress.at {
            return if was_made { Next::Tell } else { Next::Known };
        }
        // What was counted before is the device's own: nothing came in its place.
        progress.made.retain(|made, _| *made > chg);
        progress.at = chg;
        progress.advance();
        Next::Tell
    }

    /// The device has asked for this, and the answer has this number. Whether something before it is missing.
    pub(super) fn made(&mut self, conversation: Conversation, chg: u64, request: Request) -> bool {
        let first = chg.saturating_sub(1);
        let progress = self.known.entry(conversation).or_insert_with(|| Progress::from(first));
        if chg > progress.at {
            progress.made.insert(chg, request);
            progress.seen = progress.seen.max(chg);
            progress.advance();
        }
        if progress.made.len() > MADE {
            progress.made.pop_first();
        }
        progress.at < progress.seen
    }

    /// An answer to SYNC has this change; whether it is to be told.
    pub(super) fn is_new(&mut self, change: &Change, mine: bool) -> bool {
        let progress = self.known.entry(change.conversation).or_default();
        let is_new = change.chg > progress.at && !progress.takes(change, mine);
        progress.at = progress.at.max(change.chg);
        progress.seen = progress.seen.max(progress.at);
        is_new
    }

    /// An answer to SYNC had all changes up to this one that the device may see. Whether there are more.
    pub(super) fn told(&mut self, conversation: Conversation, chg: u64, moved: bool) -> bool {
        let progress = self.known.entry(conversation).or_default();
        progress.at = progress.at.max(chg);
        if !moved {
            // What the server does not give when it is asked is not to be had.
            progress.seen = progress.at;
        }
        progress.made.retain(|made, _| *made > chg);
        progress.advance();
        progress.at < progress.seen
    }

    /// Whether some changes of a conversation are known of and not told.
    pub(super) fn behind(&self) -> impl Iterator<Item = Conversation> {
        let behind = self.known.iter().filter(|(_, progress)| progress.at < progress.seen);
        behind.map(|(conversation, _)| *conversation)
    }
}

/// Whether this is the change that was asked for so. All changes of a message that was recalled are told as its recall.
fn is_of(change: &Change, request: &Request) -> bool {
    match (&change.what, request) {
        (Some(Changed::Edited { text, .. }), Request::Edit { pos, text: asked, .. }) => {
            *pos == change.pos && text == asked
        }
        (Some(Changed::Reacted { emoji, on, .. }), Request::React { pos, emoji: asked, on: wanted, .. }) => {
            *pos == change.pos && emoji == asked && on == wanted
        }
        (
            Some(Changed::Recalled),
            Request::Recall { pos, .. } | Request::Edit { pos, .. } | Request::React { pos, .. },
        ) => *pos == change.pos,
        _ => false,
    }
}
