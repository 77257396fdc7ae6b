//! Claim: one login a user, in the whole cluster.
//!
//! The order of the user's channel decides. A core that has checked the password or the token joins the channel,
//! publishes a claim, and has won once its claim came back before any other and every other listener conceded (or
//! stayed silent for `claim_ms`, which means that it is dead).

use super::auth::LetIn;
use super::reclaim::publish_reclaim;
use super::{Login, LoginOutcome, Logins};
use crate::connection::{Connections, Identity};
use crate::model::envelope::{Demand, Envelope, Kind};
use crate::model::ids::{ConnectionId, MessageId, Monotonic, SessionEpoch, UserId};
use crate::model::profile::Profile;
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{JoinFlow, PublishFlow};
use crate::wire::code::Code;
use rustc_hash::FxHashSet;

/// Where the claim of a user stands.
#[derive(Debug)]
pub(super) enum Claim {
    /// The user's channel is being joined.
    Joining,
    /// Published under the number of the login.
    Published {
        deadline: Monotonic,
        /// Whether it has come back: claims seen before it were first.
        seen: bool,
        /// How many other cores have joined the channel, once that is known.
        others: Option<u32>,
        /// How many of them conceded.
        concessions: u32,
        /// Claims with a token that came after it and are answered when it is decided: it may come to nothing
        /// because of the very session that they replace.
        waiting: Vec<SessionEpoch>,
    },
    Won,
}

impl Logins {
    /// Whoever wants in may be this user, and nobody here stands in the way: joins the user's channel, to claim it
    /// there. Gives back the number of the login.
    pub(crate) fn claim(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        let_in: LetIn,
    ) -> SessionEpoch {
        cx.enter();
        let LetIn { user, name, demand, proof, token } = let_in;
        connections.hold(user, id);
        cx.counters.entering += 1;
        let epoch = SessionEpoch(cx.next_mid().0);
        if let Some(connection) = connections.get_mut(id) {
            connection.begin_login(Identity { user, name: name.into_boxed_str(), epoch });
        }
        let profile = Profile { token, ..Profile::default() };
        let (claim, online) = (Claim::Joining, FxHashSet::default());
        let login = Login { epoch, user, claim, demand, proof, profile, online, awaited: 0 };
        self.under_way.insert(id, Box::new(login));
        cx.join(Channel::User(user), JoinFlow::User { connection: id, epoch });
        epoch
    }

    /// The user's channel is joined, or not: the claim is published.
    pub(crate) fn on_channel_joined(
        &mut self,
        cx: &mut Cx,
        id: ConnectionId,
        epoch: SessionEpoch,
        result: Result<(), BusDown>,
    ) -> LoginOutcome {
        cx.enter();
        let deadline = cx.now.plus(cx.limits.claim_ms);
        let Some(login) = self.get_mut(id, epoch) else { return LoginOutcome::Nothing };
        if result.is_err() {
            return LoginOutcome::Refuse { connection: id, code: Code::Busy };
        }
        let (user, demand) = (login.user, login.demand);
        login.claim =
            Claim::Published { deadline, seen: false, others: None, concessions: 0, waiting: Vec::new() };
        self.claims.push((id, epoch));
        let envelope = Envelope::demanding(user, epoch.0, demand);
        cx.publish_counted(Channel::User(user), envelope, PublishFlow::Claim { connection: id, epoch });
        LoginOutcome::Nothing
    }

    /// The claim was published to so many cores.
    pub(crate) fn on_claim_published(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        epoch: SessionEpoch,
        receivers: Result<u32, BusDown>,
    ) -> LoginOutcome {
        cx.enter();
        let Some(login) = self.get_mut(id, epoch) else { return LoginOutcome::Nothing };
        let Claim::Published { others, .. } = &mut login.claim else { return LoginOutcome::Nothing };
        match receivers {
            Ok(receivers) if receivers > 0 => *others = Some(receivers - 1),
            // Not even this core heard it: it is not on the channel, whatever it was told.
            Ok(_) | Err(BusDown) => return LoginOutcome::Refuse { connection: id, code: Code::Busy },
        }
        self.decide(cx, connections, id, epoch)
    }

    /// A claim of a user, or what somebody answers to one.
    pub(crate) fn on_claim_envelope(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        envelope: &Envelope,
    ) -> LoginOutcome {
        cx.enter();
        let (user, kind, number) = (envelope.user(), envelope.kind(), SessionEpoch(envelope.mid().0));
        let Some(id) = connections.of_user(user) else {
            // This core has just left, or is leaving: it stands in nobody's way.
            if kind == Kind::Claim && MessageId(number.0).core() != cx.core {
                answer(cx, Kind::ClaimConceded, user, number);
            }
            return LoginOutcome::Nothing;
        };
        let Some(own) = connections.get(id).and_then(|connection| connection.identity()).map(|own| own.epoch)
        else {
            return LoginOutcome::Nothing;
        };
        let is_own = own == number;
        if kind == Kind::Claim {
            return match is_own {
                true => self.on_own_claim(cx, connections, id, number),
                false => self.on_other_claim(cx, id, user, number, envelope.demand()),
            };
        }
        if is_own && kind == Kind::ClaimDenied {
            return self.on_denied(cx, id, user, number);
        }
        if is_own && kind == Kind::ClaimConceded {
            return self.on_conceded(cx, connections, id, number);
        }
        LoginOutcome::Nothing
    }

    fn on_own_claim(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        epoch: SessionEpoch,
    ) -> LoginOutcome {
        match self.under_way.get_mut(id).map(|login| &mut login.claim) {
            Some(Claim::Published { seen, .. }) => {
                *seen = true;
                self.decide(cx, connections, id, epoch)
            }
            // It was decided before it came back.
            Some(Claim::Joining | Claim::Won) | None => LoginOutcome::Nothing,
        }
    }

    fn on_other_claim(
        &mut self,
        cx: &mut Cx,
        id: ConnectionId,
        user: UserId,
        number: SessionEpoch,
        demanded: Demand,
    ) -> LoginOutcome {
        let gives_way = self.gives_way(id, demanded);
        let by_token = matches!(demanded, Demand::Token(_));
        let login = self.under_way.get_mut(id);
        let own_demand = login.as_ref().map_or(Demand::Nothing, |login| login.demand);
        match login.map(|login| &mut login.claim) {
            Some(Claim::Published { seen: true, waiting, .. }) if by_token && !gives_way => {
                waiting.push(number);
                LoginOutcome::Nothing
            }
            Some(Claim::Won | Claim::Published { seen: true, .. }) | None => {
                if gives_way {
                    return LoginOutcome::GiveWay { connection: id, user, claim: number };
                }
                answer(cx, Kind::ClaimDenied, user, number);
                LoginOutcome::Nothing
            }
            Some(Claim::Joining | Claim::Published { .. }) => {
                // Another claim came first. It wins, unless it gives way to this one.
                answer(cx, Kind::ClaimConceded, user, number);
                match own_demand {
                    Demand::Nothing => LoginOutcome::Refuse { connection: id, code: Code::AlreadyOnline },
                    Demand::Takeover | Demand::Token(_) => LoginOutcome::Nothing,
                }
            }
        }
    }

    fn on_denied(
        &mut self,
        cx: &mut Cx,
        id: ConnectionId,
        user: UserId,
        epoch: SessionEpoch,
    ) -> LoginOutcome {
        match self.under_way.get(id).map(|login| &login.claim) {
            Some(Claim::Published { .. }) => {
                LoginOutcome::Refuse { connection: id, code: Code::AlreadyOnline }
            }
            // It came too late: who held the user was silent for so long that it was taken for dead.
            Some(Claim::Won) | None => {
                publish_reclaim(cx, user, epoch);
                LoginOutcome::Nothing
            }
            Some(Claim::Joining) => LoginOutcome::Nothing,
        }
    }

    fn on_conceded(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        epoch: SessionEpoch,
    ) -> LoginOutcome {
        match self.under_way.get_mut(id).map(|login| &mut login.claim) {
            Some(Claim::Published { concessions, .. }) => {
                *concessions += 1;
                self.decide(cx, connections, id, epoch)
            }
            Some(Claim::Joining | Claim::Won) | None => LoginOutcome::Nothing,
        }
    }

    /// Decides a claim, if it can be.
    pub(crate) fn decide(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
        epoch: SessionEpoch,
    ) -> LoginOutcome {
        cx.enter();
        let Some(login) = self.get_mut(id, epoch) else { return LoginOutcome::Nothing };
        let Claim::Published { seen, others, concessions, deadline, .. } = login.claim else {
            return LoginOutcome::Nothing;
        };
        let unopposed = others.is_some_and(|others| concessions >= others);
        // Silence until the deadline means that the holder is dead; but the claim itself must have made its way, or
        // this core does not know what came before it.
        if seen && (unopposed || cx.now >= deadline) {
            let (user, undecided) = (login.user, std::mem::replace(&mut login.claim, Claim::Won));
            answer_waiting(cx, user, undecided, Kind::ClaimDenied);
            self.load_profile(cx, connections, id, epoch);
        } else if !seen && cx.now >= deadline {
            return LoginOutcome::Refuse { connection: id, code: Code::Busy };
        }
        LoginOutcome::Nothing
    }

    /// The claims that are to be decided with time. `decide` is next for each, then `keep_if_undecided`.
    pub(crate) fn take_claims(&mut self) -> Vec<(ConnectionId, SessionEpoch)> {
        std::mem::take(&mut self.claims)
    }

    pub(crate) fn keep_if_undecided(&mut self, id: ConnectionId, epoch: SessionEpoch) {
        if self.get_mut(id, epoch).is_some_and(|login| matches!(login.claim, Claim::Published { .. })) {
            self.claims.push((id, epoch));
        }
    }

    /// A login ends before it is one: who waited for its claim is conceded to.
    pub(crate) fn concede_waiting(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        if let Some(login) = self.under_way.get_mut(id) {
            let (user, claim) = (login.user, std::mem::replace(&mut login.claim, Claim::Joining));
            answer_waiting(cx, user, claim, Kind::ClaimConceded);
        }
    }

    /// Whether the claim of a login under way is won.
    pub(super) fn has_won(&self, id: ConnectionId) -> bool {
        self.under_way.get(id).is_some_and(|login| matches!(login.claim, Claim::Won))
    }
}

/// Answers the claims that waited for this one to be decided.
fn answer_waiting(cx: &mut Cx, user: UserId, claim: Claim, kind: Kind) {
    let Claim::Published { waiting, .. } = claim else { return };
    for number in waiting {
        answer(cx, kind, user, number);
    }
}

/// Answers a claim of a user.
pub(super) fn answer(cx: &mut Cx, kind: Kind, user: UserId, number: SessionEpoch) {
    cx.publish(Channel::User(user), Envelope::claim(kind, user, number.0));
}
