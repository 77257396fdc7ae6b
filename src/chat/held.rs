//! What arrives for a session before it may be pushed: while it logs in, or catches up.

use super::effect::Effect;
use super::envelope::{Envelope, Kind, Storing};
use super::hub::Hub;
use super::ids::{GroupId, MessageId, SessionId};
use super::orphan::Orphan;
use super::session::{Debt, Held, Phase};
use rustc_hash::FxHashMap;

/// Group messages that a session may miss at one time. Above: it is cut as too slow a reader.
const MISSING: usize = 16_384;

/// What pushing a direct message live means for its reader's backlog.
pub(super) fn debt_of(envelope: &Envelope) -> Debt {
    match envelope.storing() {
        Storing::Always => Debt::Owed,
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
        let limit = self.limits.held_bytes;
        let session = self.session_mut(id).expect("users and seats point to sessions");
        match &mut session.phase {
            Phase::Entering(entering) => {
                let spilled = hold(&mut entering.held, &mut entering.missing, envelope, limit);
                // Its backlog is not taken yet, and will have these too.
                spilled.into_iter().for_each(|envelope| self.adopt(Orphan::Keep { envelope }, out));
            }
            Phase::Online(online) => {
                if let Some(catching_up) = &mut online.catching_up {
                    let spilled = hold(&mut catching_up.held, &mut online.missing, envelope, limit);
                    catching_up.again |= catching_up.held.messages.is_empty();
                    catching_up.spilling += spilled.len() as u32;
                    for envelope in spilled {
                        self.adopt_for(Some(id), Orphan::Keep { envelope }, out);
                    }
                } else if online.taken.has(envelope.mid()) || online.owed.contains(&envelope.mid()) {
                    // It was faster through the store.
                } else {
                    self.push(id, envelope, debt, out);
                }
            }
            Phase::Anonymous => unreachable!("an anonymous session is nobody's"),
        }
        let missing = |session: &super::session::Session| match &session.phase {
            Phase::Entering(entering) => entering.missing.len(),
            Phase::Online(online) => online.missing.len(),
            Phase::Anonymous => 0,
        };
        if self.session(id).is_some_and(|session| missing(session) > MISSING) {
            self.cut(id, out);
        }
    }
}

/// Keeps a message back. If too much is kept back, all of it goes: direct messages are given
/// back, to be put into the backlog; those of groups are stored anyway, and are missing until then.
fn hold(
    held: &mut Held,
    missing: &mut FxHashMap<MessageId, GroupId>,
    envelope: Envelope,
    limit_bytes: usize,
) -> Vec<Envelope> {
    held.bytes += envelope.bytes().len();
    held.messages.push_back(envelope);
    if held.bytes <= limit_bytes {
        return Vec::new();
    }
    let mut spilled = Vec::from(std::mem::take(held).messages);
    spilled.retain(|envelope| {
        let direct = envelope.kind() == Kind::Direct;
        if !direct {
            missing.insert(envelope.mid(), envelope.group());
        }
        direct
    });
    spilled
}
