//! Claim: one login a user, in the whole cluster.
//!
//! The order of the user's channel decides. A core that has checked the password or the token joins the channel,
//! publishes a claim, and has won once its claim came back before any other and every other listener conceded (or
//! stayed silent for `claim_ms`, which means that it is dead).

use super::answer::{Answer, answer};
use super::auth::LetIn;
use super::reclaim::publish_reclaim;
use super::{Login, LoginOutcome, Logins};
use crate::connection::{Connection, Connections, Identity};
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
        /// How many of them do not object.
        concessions: u32,
        /// How many sessions of the user they have, which live beside this one.
        beside: u64,
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
        let LetIn { user, name, demand, proof, token, device, expires } = let_in;
        connections.hold(user, id);
        cx.counters.logging_in += 1;
        let epoch = SessionEpoch(cx.next_mid().0);
        if let Some(connection) = connections.get_mut(id) {
            connection.begin_login(Identity { user, name: name.into_boxed_str(), epoch });
        }
        let profile = Profile { token, ..Profile::default() };
        let (claim, online) = (Claim::Joining, FxHashSet::default());
        let login = Login { epoch, user, claim, demand, proof, profile, online, awaited: 0, device, expires };
        self.under_way.insert(id, Box::new(login));
        let is_alone = connections.of_user(user) == Some(id);
        if is_alone {
            self.joining.insert(user, epoch);
            cx.join(Channel::User(user), JoinFlow::User { user, epoch });
        } else if !self.joining.contains_key(&user) {
            // Another session has joined it.
            self.publish_claim(cx, id);
        }
        epoch
    }

    /// A user's channel is joined, or not: its claims are published. Gives back those that come to nothing.
    pub(crate) fn on_channel_joined(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        user: UserId,
        epoch: SessionEpoch,
        result: Result<(), BusDown>,
    ) -> Vec<LoginOutcome> {
        cx.enter();
        if self.joining.get(&user) != Some(&epoch) {
            // It was left since.
            return Vec::new();
        }
        self.joining.remove(&user);
        let mut outcomes = Vec::new();
        for id in connections.sessions(user) {
            if !self.under_way.get(id).is_some_and(|login| matches!(login.claim, Claim::Joining)) {
                continue;
            }
            match result {
                Ok(()) => self.publish_claim(cx, id),
                Err(BusDown) => outcomes.push(LoginOutcome::Refuse { connection: id, code: Code::Busy }),
            }
        }
        outcomes
    }

    /// Nobody here has this user any more, and its channel is left.
    pub(crate) fn forget_channel(&mut self, user: UserId) {
        self.joining.remove(&user);
    }

    fn publish_claim(&mut self, cx: &mut Cx, id: ConnectionId) {
        let deadline = cx.now.plus(cx.limits.claim_ms);
        let Some(login) = self.under_way.get_mut(id) else { return };
        let (user, demand, epoch) = (login.user, login.demand, login.epoch);
        login.claim = Claim::Published {
            deadline,
            seen: false,
            others: None,
            concessions: 0,
            beside: 0,
            waiting: Vec::new(),
        };
        self.claims.push((id, epoch));
        let envelope = Envelope::demanding(user, epoch.0, demand);
        cx.publish_counted(Channel::User(user), envelope, PublishFlow::Claim { connection: id, epoch });
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
    ) -> Vec<LoginOutcome> {
        cx.enter();
        let (user, kind, number) = (envelope.user(), envelope.kind(), SessionEpoch(envelope.mid().0));
        let here = connections.sessions(user);
        if here.is_empty() {
            // This core has just left, or is leaving: it stands in nobody's way.
            if kind == Kind::Claim && MessageId(number.0).core() != cx.core {
                answer(cx, user, number, Answer::Conceded);
            }
            return Vec::new();
        }
        let is_it = |&id: &ConnectionId| {
            connections.get(id).and_then(Connection::identity).map(|own| own.epoch) == Some(number)
        };
        let own = here.iter().copied().find(is_it);
        if kind == Kind::Claim && own.is_none() {
            return self.on_other_claim(cx, connections, &here, (user, number), envelope.demand());
        }
        let Some(id) = own else { return Vec::new() };
        let outcome = if kind == Kind::Claim {
            self.on_own_claim(cx, connections, id, number)
        } else if kind == Kind::ClaimDenied {
            self.on_denied(cx, connections, id, user, number)
        } else {
            let sessions = if kind == Kind::ClaimJoined { envelope.sessions() } else { 0 };
            self.on_conceded(cx, connections, id, number, sessions)
        };
        vec![outcome]
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

    /// A claim of another core. What each session here makes of it is one answer.
    fn on_other_claim(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
        here: &[ConnectionId],
        (user, number): (UserId, SessionEpoch),
        demanded: Demand,
    ) -> Vec<LoginOutcome> {
        let mut outcomes = Vec::new();
        let (mut denied, mut waits, mut beside) = (false, false, 0);
        for &id in here {
            match self.stand(connections, id, demanded, number) {
                Stand::GivesWay => outcomes.push(LoginOutcome::GiveWay { connection: id }),
                Stand::Beside => beside += 1,
                Stand::Denies => denied = true,
                Stand::Waits => waits = true,
                Stand::ComesLater => {}
                Stand::HasLost => {
                    outcomes.push(LoginOutcome::Refuse { connection: id, code: Code::AlreadyOnline });
                }
            }
        }
        let answer_to_it = match (denied, waits) {
            (true, _) => Answer::Denied,
            (false, true) => return outcomes,
            (false, false) if beside > 0 => Answer::Joined(beside),
            (false, false) => Answer::Conceded,
        };
        if outcomes.iter().any(|outcome| matches!(outcome, LoginOutcome::GiveWay { .. })) {
            // It is answered when they have ended.
            outcomes.push(LoginOutcome::Answer { user, claim: number, answer: answer_to_it });
        } else {
            answer(cx, user, number, answer_to_it);
        }
        outcomes
    }

    /// Where one session stands when another core claims its user.
    fn stand(
        &mut self,
        connections: &Connections,
        id: ConnectionId,
        demanded: Demand,
        number: SessionEpoch,
    ) -> Stand {
        let gives_way = self.gives_way(id, demanded);
        let lives_beside = matches!(demanded, Demand::Join(_)) && connections.is_multi(id);
        let login = self.under_way.get_mut(id);
        let own_demand = login.as_ref().map_or(Demand::Nothing, |login| login.demand);
        match login.map(|login| &mut login.claim) {
            Some(Claim::Published { seen: true, waiting, .. })
                if matches!(demanded, Demand::Token(_)) && !gives_way =>
            {
                waiting.push(number);
                Stand::Waits
            }
            Some(Claim::Won | Claim::Published { seen: true, .. }) | None => {
                match (gives_way, lives_beside) {
                    (true, _) => Stand::GivesWay,
                    (false, true) => Stand::Beside,
                    (false, false) => Stand::Denies,
                }
            }
            // Another claim came first. It wins, unless it gives way to this one, or the two live side by side.
            Some(Claim::Joining | Claim::Published { .. }) => match own_demand {
                Demand::Nothing => Stand::HasLost,
                Demand::Takeover | Demand::Token(_) | Demand::Join(_) => Stand::ComesLater,
            },
        }
    }

    fn on_denied(
        &mut self,
        cx: &mut Cx,
        connections: &Connections,
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
                publish_reclaim(cx, connections, id, user, epoch);
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
        sessions: u64,
    ) -> LoginOutcome {
        match self.under_way.get_mut(id).map(|login| &mut login.claim) {
            Some(Claim::Published { concessions, beside, .. }) => {
                *concessions += 1;
                *beside = beside.saturating_add(sessions);
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
        let Claim::Published { seen, others, concessions, beside, deadline, .. } = login.claim else {
            return LoginOutcome::Nothing;
        };
        let unopposed = others.is_some_and(|others| concessions >= others);
        // Silence until the deadline means that the holder is dead; but the claim itself must have made its way, or
        // this core does not know what came before it.
        if seen && (unopposed || cx.now >= deadline) {
            let here = connections.sessions(login.user).len() as u64;
            if beside + here > cx.limits.user_sessions as u64 {
                return LoginOutcome::Refuse { connection: id, code: Code::TooMany };
            }
            let (user, undecided) = (login.user, std::mem::replace(&mut login.claim, Claim::Won));
            answer_waiting(cx, user, undecided, Answer::Denied);
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
            answer_waiting(cx, user, claim, Answer::Conceded);
        }
    }

    /// Whether the claim of a login under way is won.
    pub(super) fn has_won(&self, id: ConnectionId) -> bool {
        self.under_way.get(id).is_some_and(|login| matches!(login.claim, Claim::Won))
    }
}

/// Where a session stands when another core claims its user.
enum Stand {
    /// It ends, and then the claim has its place.
    GivesWay,
    /// The two live side by side.
    Beside,
    /// The claim is lost.
    Denies,
    /// That is known when its own claim is decided.
    Waits,
    /// Its own claim is to be answered in its turn.
    ComesLater,
    /// The other claim came first.
    HasLost,
}

/// Answers the claims that waited for this one to be decided.
fn answer_waiting(cx: &mut Cx, user: UserId, claim: Claim, to_all: Answer) {
    let Claim::Published { waiting, .. } = claim else { return };
    for number in waiting {
        answer(cx, user, number, to_all);
    }
}
