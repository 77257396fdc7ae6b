//! Takeover: a newer session of a user in the place of an older one.
//!
//! A claim says what it demands of a session that is there already: nothing, that it gives way
//! whichever it is, or that it gives way if it has this token. The order of the user's channel
//! decides, as with every claim: a later one that may replace an earlier one does.

use super::ask::TokenId;
use super::effect::Effect;
use super::envelope::Demand;
use super::hub::Hub;
use super::ids::SessionId;
use super::presence::Gone;
use super::session::{Phase, Session};
use super::wire::code::Code;

impl Hub {
    /// Whether a session gives way to a claim that demands this.
    pub(super) fn gives_way(&self, id: SessionId, demand: Demand) -> bool {
        match demand {
            Demand::Nothing => false,
            Demand::Takeover => true,
            Demand::Token(token) => self.session(id).and_then(Session::token) == Some(token),
        }
    }

    /// Tells a session that it is replaced, and makes it nobody's.
    pub(super) fn replace(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        self.counts.error(Code::Replaced);
        self.close_for(id, Code::Replaced, Code::Replaced.text(), out);
        self.part(id, Gone::Lost, out);
    }
}

impl Session {
    /// The token that it was given, or came with.
    pub(super) fn token(&self) -> Option<TokenId> {
        match &self.phase {
            Phase::Anonymous => None,
            Phase::Entering(entering) => entering.roster.token.as_ref().map(|token| token.id),
            Phase::Online(online) => online.v2.as_ref().and_then(|v2| v2.token),
        }
    }
}
