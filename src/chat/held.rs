//! What arrives for a session before it may be pushed: while it logs in, or catches up.

use super::ask::Waiting;
use super::effect::Effect;
use super::envelope::{Envelope, Storing};
use super::hub::Hub;
use super::ids::{GroupId, SessionId};
use super::orphan::Orphan;
use super::session::{Debt, Held, HeldMessage, Phase, Place, Session};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// Group messages that a session may miss at one time. Above: it is cut as too slow a reader.
const MISSING: usize = 16_384;

/// How long a session does not go live for the sake of messages that it is missing: they are being
/// stored, or that has failed.
pub(super) const PATIENCE_MS: u64 = 1_000;

/// What pushing a direct message live means for its reader's backlog.
pub(super) fn debt_of(envelope: &Envelope) -> Debt {
    match envelope.storing() {
        Storing::Always => Debt::Owed,
        Storing::IfUnconfirmed => Debt::Awaited,
        Storing::IfUnheard => Debt::Nothing,
    }
}

impl Hub {
    /// Hands a live message to the session of its reader: at once, or after its backlog.
    pub(super) fn push_or_hold(
        &mut self,
        id: SessionId,
        envelope: Envelope,
        debt: Debt,
        out: &mut Vec<Effect>,
    ) {
        let (now, limit) = (self.now, self.limits.held_bytes);
        let mut to_keep: Vec<Envelope> = Vec::new();
        let session = self.session_mut(id).expect("users and seats point to sessions");
        match &mut session.phase {
            Phase::Entering(entering) => {
                let debt = beyond(debt, &envelope, &entering.groups);
                // Its backlog is not taken yet, and will have what is spilled, too.
                for spilled in entering.held.hold(envelope, debt, limit) {
                    match spilled.debt {
                        Debt::Behind(_) if !entering.groups.contains_key(&spilled.envelope.group()) => {}
                        Debt::Behind(_) => {
                            entering.missing.insert(spilled.envelope.mid(), spilled.envelope.group());
                        }
                        _ => to_keep.push(spilled.envelope),
                    }
                }
                to_keep.into_iter().for_each(|envelope| self.adopt(Orphan::Keep { envelope }, out));
            }
            Phase::Online(online) => match &mut online.catching_up {
                // It was faster through the store.
                Some(catching_up) if catching_up.sent.contains(&envelope.mid()) => {}
                Some(catching_up) if !catching_up.failed => {
                    let debt = beyond(debt, &envelope, &online.groups);
                    let spilled = catching_up.held.hold(envelope, debt, limit);
                    if spilled.is_empty() {
                        return;
                    }
                    catching_up.patience = now.plus(PATIENCE_MS);
                    online.settle_page();
                    for spilled in spilled {
                        let Debt::Behind(pos) = spilled.debt else {
                            to_keep.push(spilled.envelope);
                            continue;
                        };
                        let group = spilled.envelope.group();
                        // Who has left the group is not missing it.
                        let Some(place) = online.groups.get_mut(&group) else { continue };
                        online.missing.insert(spilled.envelope.mid(), group);
                        if spilled.given {
                            place.cap = place.cap.map(|cap| cap.min(pos));
                        }
                    }
                    let catching_up = online.catching_up.as_mut().expect("looked at above");
                    catching_up.begin_again();
                    catching_up.spilling += to_keep.len() as u32;
                    for envelope in to_keep {
                        self.adopt_for(Some(id), Orphan::Keep { envelope }, out);
                    }
                }
                catching_up => {
                    let (mid, taken) = (envelope.mid(), &online.taken);
                    if taken.has(mid) || online.owed.contains(&mid) {
                        // The same, a little earlier.
                        return;
                    }
                    let debt = beyond(debt, &envelope, &online.groups);
                    if let Some(catching_up) = catching_up {
                        catching_up.note_sent(mid);
                    }
                    self.push(id, envelope, debt, out);
                }
            },
            Phase::Anonymous => unreachable!("an anonymous session is nobody's"),
        }
        if self.session(id).is_some_and(|session| misses(session) > MISSING) {
            self.cut(id, out);
        }
    }
}

fn misses(session: &Session) -> usize {
    match &session.phase {
        Phase::Entering(entering) => entering.missing.len(),
        Phase::Online(online) => online.missing.len(),
        Phase::Anonymous => 0,
    }
}

/// A live message of a group is beyond all that its seat and its reader's backlog know of.
fn beyond(debt: Debt, envelope: &Envelope, groups: &FxHashMap<GroupId, Place>) -> Debt {
    match debt {
        Debt::Behind(pos) => {
            let place = groups.get(&envelope.group());
            Debt::Behind(place.map_or(pos, |place| pos.max(place.cap.unwrap_or(place.from))))
        }
        other => other,
    }
}

impl Held {
    /// Keeps a message back. If too much is kept back, all of it is given back: direct messages
    /// must be put into the backlog; those of groups are stored anyway, and are missing until the
    /// session gets them from there.
    fn hold(&mut self, envelope: Envelope, debt: Debt, limit_bytes: usize) -> VecDeque<HeldMessage> {
        self.bytes += envelope.bytes().len();
        self.messages.push_back(HeldMessage { envelope, debt, given: false });
        if self.bytes <= limit_bytes { VecDeque::new() } else { std::mem::take(self).messages }
    }

    /// Whether this message of the backlog will come with what is held: it is held itself, or
    /// must not overtake an earlier one of its sender's, and is held from now on.
    pub(super) fn takes(&mut self, waiting: &Waiting) -> bool {
        let Waiting { envelope, pos } = waiting;
        let debt = pos.map_or(Debt::Owed, |pos| Debt::Behind(pos - 1));
        let mut overtakes = false;
        let mut place = None;
        for (at, held) in self.messages.iter_mut().enumerate() {
            if held.envelope.mid() == envelope.mid() {
                (held.debt, held.given) = (debt, true);
                return true;
            }
            let same =
                held.envelope.sender() == envelope.sender() && held.envelope.target() == envelope.target();
            overtakes |= same && held.envelope.mid() < envelope.mid();
            if same && held.envelope.mid() > envelope.mid() {
                place = place.or(Some(at));
            }
        }
        if overtakes {
            self.bytes += envelope.bytes().len();
            let held = HeldMessage { envelope: envelope.clone(), debt, given: true };
            self.messages.insert(place.unwrap_or(self.messages.len()), held);
        }
        overtakes
    }

    /// Pages have given everything of a group up to `cap`: what they did not give is beyond.
    pub(super) fn advance(&mut self, group: GroupId, cap: u64) {
        for held in self.messages.iter_mut().filter(|held| !held.given) {
            if let Debt::Behind(pos) = held.debt
                && held.envelope.group() == group
            {
                held.debt = Debt::Behind(pos.max(cap));
            }
        }
    }
}
