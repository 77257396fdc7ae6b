//! What a core answers to a claim of another one.

use crate::model::envelope::{Envelope, Kind};
use crate::model::ids::{SessionEpoch, UserId};
use crate::port::cx::Cx;
use crate::port::event::Channel;

/// What a core answers to a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It holds the user, and the claim is lost.
    Denied,
    /// It has nothing against it.
    Conceded,
    /// It has so many sessions of the user, which live beside the one that claims.
    Joined(u64),
}

/// Answers a claim of a user.
pub(crate) fn answer(cx: &mut Cx, user: UserId, number: SessionEpoch, answer: Answer) {
    let envelope = match answer {
        Answer::Denied => Envelope::claim(Kind::ClaimDenied, user, number.0),
        Answer::Conceded => Envelope::claim(Kind::ClaimConceded, user, number.0),
        Answer::Joined(sessions) => Envelope::claim_joined(user, number.0, sessions),
    };
    cx.publish(Channel::User(user), envelope);
}
