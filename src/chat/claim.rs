//! The claim of a user: one login a user, in the whole cluster.
//!
//! The order of the user's channel decides. A core that has checked the password or the token joins
//! the channel, publishes a claim, and has won once its claim came back before any other and every
//! other listener said that it holds nothing (or stayed silent for `claim_ms`, which means that it is
//! dead).

use super::ask::{Proof, Roster, Token};
use super::effect::Effect;
use super::envelope::{Demand, Envelope, Kind};
use super::event::{BusDown, Channel};
use super::hub::Hub;
use super::ids::{MessageId, SessionId, UserId};
use super::pending::Pending;
use super::rejoin::reclaim;
use super::session::{Claim, Entering, Held, Phase, Visit};
use super::wire::code::Code;
use rustc_hash::{FxHashMap, FxHashSet};

/// Whoever wants in, and what that was proven by.
#[derive(Debug)]
pub(super) struct Claimant {
    pub(super) user: UserId,
    pub(super) name: String,
    pub(super) demand: Demand,
    pub(super) proof: Proof,
    /// The token that it came with.
    pub(super) token: Option<Token>,
}

impl Hub {
    /// Whoever wants in may be this user: joins the user's channel, to claim it there.
    pub(super) fn claim(&mut self, id: SessionId, claimant: Claimant, out: &mut Vec<Effect>) {
        let Claimant { user, name, demand, proof, token } = claimant;
        let Some(session) = self.session(id).filter(|session| !session.closing) else { return };
        debug_assert!(matches!(session.phase, Phase::Anonymous), "requests wait while a login is answered");
        if let Some(&holder) = self.users.get(&user) {
            if self.gives_way(holder, demand) {
                self.replace(holder, out);
            } else if !self.part_if_ended(holder, out) {
                return self.refuse_login(id, Code::AlreadyOnline, out);
            }
        }
        self.users.insert(user, id);
        self.counts.entering += 1;
        let visit = Visit(self.clock.next(self.wall).0);
        let entering = Entering {
            visit,
            user,
            name: name.into_boxed_str(),
            claim: Claim::Joining,
            demand,
            proof,
            roster: Roster { token, ..Roster::default() },
            online: FxHashSet::default(),
            groups: FxHashMap::default(),
            awaited: 0,
            held: Held::default(),
            missing: FxHashMap::default(),
        };
        self.session_mut(id).expect("looked at above").phase = Phase::Entering(Box::new(entering));
        let ticket = self.pending.insert(Pending::JoinUser { session: id, visit });
        out.push(Effect::Join { ticket, channel: Channel::User(user) });
    }

    pub(super) fn user_joined(
        &mut self,
        id: SessionId,
        visit: Visit,
        result: Result<(), BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let deadline = self.now.plus(self.limits.claim_ms);
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        if result.is_err() {
            return self.refuse_login(id, Code::Busy, out);
        }
        let (user, demand) = (entering.user, entering.demand);
        entering.claim =
            Claim::Published { deadline, seen: false, others: None, yields: 0, held_up: Vec::new() };
        self.claims.push((id, visit));
        let ticket = self.pending.insert(Pending::Claim { session: id, visit });
        let envelope = Envelope::demanding(user, visit.0, demand);
        out.push(Effect::Publish { ticket: Some(ticket), channel: Channel::User(user), envelope });
    }

    pub(super) fn claim_counted(
        &mut self,
        id: SessionId,
        visit: Visit,
        heard: Result<u32, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let Claim::Published { others, .. } = &mut entering.claim else { return };
        match heard {
            Ok(heard) if heard > 0 => *others = Some(heard - 1),
            // Not even this core heard it: it is not on the channel, whatever it was told.
            _ => return self.refuse_login(id, Code::Busy, out),
        }
        self.decide_claim(id, visit, out);
    }

    /// A claim of this user, or what somebody answers to one.
    pub(super) fn claim_arrived(&mut self, envelope: &Envelope, out: &mut Vec<Effect>) {
        let (user, kind, number) = (envelope.user(), envelope.kind(), envelope.mid().0);
        let answer = |kind| {
            let envelope = Envelope::claim(kind, user, number);
            Effect::Publish { ticket: None, channel: Channel::User(user), envelope }
        };
        let visit = Visit(number);
        let Some(&id) = self.users.get(&user) else {
            // This core has just left, or is leaving: it stands in nobody's way.
            if kind == Kind::Claim && MessageId(number).core() != self.core {
                out.push(answer(Kind::Yield));
            }
            return;
        };
        if kind == Kind::Claim && self.part_if_ended(id, out) {
            return out.push(answer(Kind::Yield));
        }
        let gives_way = self.gives_way(id, envelope.demand());
        let by_token = matches!(envelope.demand(), Demand::Token(_));
        let session = self.session_mut(id).expect("users point to sessions");
        let (own, claim, demand) = match &mut session.phase {
            Phase::Entering(entering) => (Some(entering.visit), &mut entering.claim, entering.demand),
            Phase::Online(online) => (Some(online.visit), &mut Claim::Won, Demand::Nothing),
            Phase::Anonymous => unreachable!("an anonymous session is nobody's"),
        };
        match (kind, claim) {
            (Kind::Claim, Claim::Published { seen, .. }) if own == Some(visit) => {
                *seen = true;
                self.decide_claim(id, visit, out);
            }
            (Kind::Claim, Claim::Published { seen: true, held_up, .. }) if by_token && !gives_way => {
                held_up.push(visit);
            }
            (Kind::Claim, Claim::Won | Claim::Published { seen: true, .. }) => {
                if gives_way {
                    self.replace(id, out);
                }
                out.push(answer(if gives_way { Kind::Yield } else { Kind::Held }));
            }
            (Kind::Claim, Claim::Joining | Claim::Published { .. }) => {
                // Another claim came first. It wins, unless it gives way to this one.
                out.push(answer(Kind::Yield));
                if demand == Demand::Nothing {
                    self.refuse_login(id, Code::AlreadyOnline, out);
                }
            }
            (Kind::Held, Claim::Published { .. }) if own == Some(visit) => {
                self.refuse_login(id, Code::AlreadyOnline, out);
            }
            // It came too late: who held the user was silent for so long that it was taken for dead.
            (Kind::Held, Claim::Won) if own == Some(visit) => out.push(reclaim(user, visit)),
            (Kind::Yield, Claim::Published { yields, .. }) if own == Some(visit) => {
                *yields += 1;
                self.decide_claim(id, visit, out);
            }
            _ => {}
        }
    }

    fn decide_claim(&mut self, id: SessionId, visit: Visit, out: &mut Vec<Effect>) {
        let now = self.now;
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let Claim::Published { seen, others, yields, deadline, .. } = entering.claim else { return };
        let unopposed = others.is_some_and(|others| yields >= others);
        // Silence until the deadline means that the holder is dead; but the claim itself must have
        // made its way, or this core does not know what came before it.
        if seen && (unopposed || now >= deadline) {
            let (user, undecided) = (entering.user, std::mem::replace(&mut entering.claim, Claim::Won));
            answer_held_up(user, undecided, Kind::Held, out);
            self.claim_won(id, visit, out);
        } else if !seen && now >= deadline {
            self.refuse_login(id, Code::Busy, out);
        }
    }

    /// Claims whose deadline has passed are decided; those that are decided are forgotten.
    pub(super) fn expire_claims(&mut self, out: &mut Vec<Effect>) {
        for (id, visit) in std::mem::take(&mut self.claims) {
            self.decide_claim(id, visit, out);
            let entering = self.session_mut(id).and_then(|session| session.entering_mut(visit));
            if entering.is_some_and(|entering| matches!(entering.claim, Claim::Published { .. })) {
                self.claims.push((id, visit));
            }
        }
    }
}

/// Answers the claims that waited for this one to be decided.
pub(super) fn answer_held_up(user: UserId, claim: Claim, kind: Kind, out: &mut Vec<Effect>) {
    let Claim::Published { held_up, .. } = claim else { return };
    for visit in held_up {
        let envelope = Envelope::claim(kind, user, visit.0);
        out.push(Effect::Publish { ticket: None, channel: Channel::User(user), envelope });
    }
}
