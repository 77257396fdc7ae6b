//! How far members have come in their groups, and that the store is told of it.
//!
//! A cursor in the store never passes what the reader's TCP has not acknowledged, or a reader of the
//! second dialect has not confirmed: whatever dies, the next login finds the rest.

use super::ask::{Answer, Ask, Progress};
use super::effect::Effect;
use super::hub::Hub;
use super::ids::{GroupId, MessageId, SessionId};
use super::pending::Pending;
use super::session::{Debt, Online, Session, Visit};
use rustc_hash::{FxHashMap, FxHashSet};

/// Messages beyond its place that a session names at most while it catches up. What is not named
/// may come again.
const BEYOND: usize = 1_024;

impl Hub {
    /// How far a session has come in its groups: nothing counts that its TCP has not acknowledged, or,
    /// in the second dialect, its reader has not confirmed.
    pub(super) fn progress(&self, session: &Session, online: &Online) -> Vec<Progress> {
        let unconfirmed = online.v2.iter().flat_map(|v2| &v2.unconfirmed);
        let in_window = unconfirmed.chain(&session.window).filter(|sent| sent.user == online.user);
        let in_window = in_window.map(|sent| (&sent.envelope, sent.debt));
        let held = online.catching_up.iter().flat_map(|catching_up| catching_up.unsent());
        let mut floors: FxHashMap<GroupId, u64> = FxHashMap::default();
        let mut unread: FxHashSet<MessageId> = FxHashSet::default();
        for (envelope, debt) in in_window.chain(held) {
            if let Debt::Behind(pos) = debt {
                let floor = floors.entry(envelope.group()).or_insert(pos);
                *floor = pos.min(*floor);
                unread.insert(envelope.mid());
            }
        }
        let mut progress = Vec::new();
        for (&group, place) in &online.groups {
            let seat = self.seats.get(&group).expect("a member has a seat");
            let reached = match (place.cap, &online.catching_up) {
                (Some(cap), Some(catching_up)) => catching_up.reached(group, cap),
                _ => seat.place_of(place),
            };
            let upto = reached.min(floors.get(&group).copied().unwrap_or(u64::MAX));
            let got = |mid: &MessageId| !unread.contains(mid) && !online.missing.contains_key(mid);
            let beyond: Vec<MessageId> = match &online.catching_up {
                None => seat.beyond(place).filter(got).collect(),
                // While it catches up, some of what reached it is held.
                Some(catching_up) if seat.has_beyond(place, upto) && catching_up.sent.len() <= BEYOND => {
                    catching_up.sent.iter().copied().filter(got).collect()
                }
                Some(_) => Vec::new(),
            };
            if upto > place.written || !beyond.is_empty() {
                progress.push(Progress { group, upto, beyond });
            }
        }
        progress.sort_unstable_by_key(|progress| progress.group);
        progress
    }

    /// Now and then, how far everybody has come is written down, so that a crash repeats little.
    pub(super) fn write_progress(&mut self, out: &mut Vec<Effect>) {
        for id in self.online_sessions() {
            let Some(session) = self.session(id) else { continue };
            let Some(online) = session.online().filter(|online| !online.writing) else { continue };
            let (user, visit, mut progress) = (online.user, online.visit, self.progress(session, online));
            progress.retain_mut(|progress| {
                progress.beyond.clear();
                progress.upto > online.groups[&progress.group].written
            });
            if progress.is_empty() {
                continue;
            }
            self.online_mut(id).expect("is online").writing = true;
            let upto = progress.iter().map(|progress| (progress.group, progress.upto)).collect();
            let ticket = self.pending.insert(Pending::Progress { session: id, visit, upto });
            out.push(Effect::Ask { ticket, ask: Ask::Settle { user, mids: Vec::new(), progress } });
        }
    }

    /// If it came to nothing, the next time says it again.
    pub(super) fn progress_written(
        &mut self,
        id: SessionId,
        visit: Visit,
        upto: &[(GroupId, u64)],
        answer: &Answer,
    ) {
        let Some(online) = self.online_mut(id).filter(|online| online.visit == visit) else { return };
        online.writing = false;
        if answer.is_err() {
            return;
        }
        for (group, upto) in upto {
            if let Some(place) = online.groups.get_mut(group) {
                place.written = place.written.max(*upto);
            }
        }
    }
}
