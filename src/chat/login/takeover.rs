//! Takeover: a newer session of a user in the place of an older one.
//!
//! A claim says what it demands of a session that is there already: nothing, that it gives way whichever it is, or
//! that it gives way if it has this token. The order of the user's channel decides, as with every claim: a later one
//! that may replace an earlier one does.

use super::Logins;
use crate::model::envelope::Demand;
use crate::model::ids::ConnectionId;

impl Logins {
    /// Whether a session gives way to a claim that demands this.
    pub(crate) fn gives_way(&self, id: ConnectionId, demand: Demand) -> bool {
        match demand {
            Demand::Nothing | Demand::Join(None) => false,
            Demand::Takeover => true,
            Demand::Token(token) | Demand::Join(Some(token)) => self.token(id) == Some(token),
        }
    }
}
