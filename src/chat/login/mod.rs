//! Logins: from a password or a token to a session, one login a user in the whole cluster.
//!
//! Owns the logins under way, the login answers that wait for their first page, and what each session was let in by. [`auth`]: accounts, passwords, tokens · [`jwt`]: another application's word · [`expiry`]: until when it is good · [`throttle`]: wrong passwords · [`claim`]: who may hold a user ·
//! [`takeover`]: a newer session in the place of an older one · [`reclaim`]: after the bus was lost, and [`standing`]: who is to end since then · [`start`]:
//! from a won claim to a session · [`welcome`]: the login answer.
//!
//! Handles `Register`, `Login`, `Resume`, `Password`, claims of other cores, replies to all of these. Emits `Verify`,
//! `Resume`, `LoadProfile`, claims, login answers. Gives back: [`LoginOutcome`]; a session ends in the hub, since all
//! rooms have a part in it.
//!
//! Never knows a message, a group's members here, or who is online.

mod answer;
mod auth;
mod claim;
mod expiry;
mod jwt;
mod reclaim;
mod standing;
mod start;
mod takeover;
mod throttle;
mod welcome;

use crate::connection::PerConnection;
use crate::model::envelope::Demand;
use crate::model::ids::{ConnectionId, Millis, SessionEpoch, UserId};
use crate::model::profile::Profile;
use crate::model::token::Proof;
use crate::wire::code::Code;
pub(crate) use answer::{Answer, answer};
pub(crate) use auth::{Credentials, LetIn};
use claim::Claim;
use expiry::Expiring;
pub(crate) use reclaim::publish_reclaim;
use rustc_hash::{FxHashMap, FxHashSet};
use standing::Unsure;
pub(crate) use start::Started;

/// What a core knows of logins.
#[derive(Debug, Default)]
pub(crate) struct Logins {
    under_way: PerConnection<Box<Login>>,
    /// Logins under way whose claim has a deadline.
    claims: Vec<(ConnectionId, SessionEpoch)>,
    /// Users whose channel is being joined, for the login of this number and those that have come since.
    joining: FxHashMap<UserId, SessionEpoch>,
    /// Login answers that wait for the first page of the backlog.
    welcomes: PerConnection<Box<Welcome>>,
    /// What each session stands on: one of v2 on the token that it was given or came with.
    proofs: PerConnection<Proof>,
    /// Sessions that end at a time that is known.
    expiring: Expiring,
    /// Users whose sessions may have been ended unheard.
    unsure: Unsure,
}

/// A login under way.
#[derive(Debug)]
struct Login {
    epoch: SessionEpoch,
    user: UserId,
    claim: Claim,
    demand: Demand,
    /// What it was proven by.
    proof: Proof,
    /// What the login answer is made of; from the beginning, the token that the session came with.
    profile: Profile,
    /// Of friends and fellow members, those who are online anywhere.
    online: FxHashSet<UserId>,
    /// Joins of groups and the query who is online: answers still to come.
    awaited: u32,
    /// What the device calls itself that is to get a token.
    device: Option<Box<str>>,
    /// Until when what it was proven by is good.
    expires: Option<Millis>,
}

/// What a login answer is made of, until the first page of the backlog is there.
#[derive(Debug)]
struct Welcome {
    profile: Profile,
    online: FxHashSet<UserId>,
}

/// What is next for a login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LoginOutcome {
    Nothing,
    /// It comes to nothing.
    Refuse {
        connection: ConnectionId,
        code: Code,
    },
    /// A login with another application's word comes to nothing.
    RefuseJwt {
        connection: ConnectionId,
        code: Code,
    },
    /// A RESUME comes to nothing.
    RefuseResume {
        connection: ConnectionId,
        code: Code,
    },
    /// The session gives way to a claim: it ends.
    GiveWay {
        connection: ConnectionId,
    },
    /// Now that those have ended who give way, the claim is answered.
    Answer {
        user: UserId,
        claim: SessionEpoch,
        answer: Answer,
    },
    /// An older session holds the user: this one is replaced.
    Replaced {
        connection: ConnectionId,
        user: UserId,
    },
}

impl Logins {
    /// The login under way, if it is still this one.
    fn get_mut(&mut self, id: ConnectionId, epoch: SessionEpoch) -> Option<&mut Login> {
        self.under_way.get_mut(id).map(|login| &mut **login).filter(|login| login.epoch == epoch)
    }

    /// Claims that are not decided.
    pub(crate) fn undecided(&self) -> usize {
        self.claims.len()
    }
}
