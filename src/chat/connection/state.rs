//! One connection: who it is, how far it has come, and what it is waiting for.

use super::rates::RateState;
use super::refusals::Refusals;
use super::send_window::SendWindow;
use crate::model::capabilities::Capabilities;
use crate::model::dedup::DedupWindow;
use crate::model::ids::{ConnectionId, Monotonic, SessionEpoch, UserId};
use crate::model::seldom::Seldom;
use crate::model::source::Source;
use crate::wire::frame::{Framing, Terminator};
use crate::wire::request::{Client, Dialect};

/// Why a connection's requests are not handed over for now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pause {
    /// A request is being answered that later ones may build on.
    AwaitingReply = 1,
    /// Too many of its messages are neither stored nor known to be heard.
    SenderLimit = 2,
    /// All connections of the core together have too many such messages.
    CoreLimit = 4,
    /// It asks too fast.
    Rate = 8,
}

/// How far a connection has come.
#[derive(Debug)]
pub(crate) enum AuthState {
    Unauthenticated,
    /// The password was right; the user is being claimed and its profile is being loaded.
    LoggingIn(Identity),
    LoggedIn(Identity),
}

/// Who a connection is, or is about to be.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) user: UserId,
    pub(crate) name: Box<str>,
    /// Tells this login apart from every other, also of the same connection.
    pub(crate) epoch: SessionEpoch,
}

/// What a connection tried in vain, and how long it has to wait for that.
#[derive(Debug, Default)]
pub(crate) struct Vain {
    /// Wrong passwords since the last right one.
    pub(crate) wrong_passwords: u32,
    /// When it may try the next password.
    pub(crate) may_guess_at: Monotonic,
    /// Passwords that nobody looked at, since one was looked at.
    pub(crate) turned_away: u32,
    /// Registrations that nobody looked at, since one was looked at.
    pub(crate) registrations_turned_away: u32,
    /// When it may register the next user.
    pub(crate) may_register_at: Monotonic,
}

/// A logout under way.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) cid: Option<Box<str>>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    /// Where it comes from.
    pub(crate) from: Source,
    auth: AuthState,
    /// Whether its claim of the user is won: no other connection of the cluster holds the user.
    has_claimed: bool,
    /// What its last login or registration asked for.
    pub(crate) dialect: Dialect,
    /// Which pushes its client understands besides those of every client.
    pub(crate) capabilities: Capabilities,
    /// Whether it lives beside other sessions of its user that say so.
    pub(crate) multi: bool,
    /// What ends its frames, known from its first one.
    pub(crate) terminator: Terminator,
    /// How the frames for it are told apart.
    pub(super) framing: Framing,
    /// Set of [`Pause`] bits; requests are handed over while it is 0.
    pub(super) paused: u8,
    /// Whether a Close was asked for: nothing is sent any more.
    pub(super) closing: bool,
    /// Whether the client has said its last word.
    pub(super) half_closed: bool,
    /// When it last said something.
    pub(super) heard_at: Monotonic,
    /// Until when it is to answer the ping that it was sent.
    pub(super) pong_by: Option<Monotonic>,
    /// Messages it sent that are neither stored nor known to be heard.
    pub(super) sends_in_flight: u32,
    pub(crate) window: SendWindow,
    /// What its user said lately, and how that was answered.
    pub(crate) dedup: Option<Box<DedupWindow>>,
    /// What its user does not want to hear.
    pub(super) refusals: Seldom<Refusals>,
    /// A logout that waits for a look at what TCP has acknowledged.
    pub(crate) leaving: Seldom<Leaving>,
    /// The client's name for a login that is being answered.
    pub(crate) login_cid: Option<Box<str>>,
    /// What it tried in vain, if anything.
    pub(crate) vain: Seldom<Vain>,
    /// Whether its token is being revoked: it is logged out once that is done.
    pub(crate) revoking: bool,
    /// Whether it counts among the connections of its address.
    pub(super) counted: bool,
    /// What it has used up of its rates, if there are any.
    pub(super) rate_state: Seldom<RateState>,
}

impl Connection {
    pub(super) fn new(id: ConnectionId, from: Source) -> Self {
        Self {
            id,
            from,
            auth: AuthState::Unauthenticated,
            has_claimed: false,
            dialect: Dialect::V1,
            capabilities: Capabilities::default(),
            multi: false,
            terminator: Terminator::Newline,
            framing: Framing::Terminated,
            paused: 0,
            closing: false,
            half_closed: false,
            heard_at: Monotonic(0),
            pong_by: None,
            sends_in_flight: 0,
            window: SendWindow::default(),
            dedup: None,
            refusals: Seldom::default(),
            leaving: Seldom::default(),
            login_cid: None,
            vain: Seldom::default(),
            revoking: false,
            counted: false,
            rate_state: Seldom::default(),
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn auth(&self) -> &AuthState {
        &self.auth
    }

    /// What its client says of itself, with a login or a registration.
    pub(crate) fn note_client(&mut self, client: Client<'_>) {
        (self.dialect, self.capabilities, self.multi) = (client.dialect, client.capabilities, client.multi);
    }

    /// Whether it is pushed what other sessions of its user send.
    pub(crate) fn hears_own(&self) -> bool {
        self.multi && self.capabilities.has(Capabilities::OWN)
    }

    /// Its user has been let in so far: the claim and the profile are to come.
    pub(crate) fn begin_login(&mut self, identity: Identity) {
        debug_assert!(
            matches!(self.auth, AuthState::Unauthenticated),
            "requests wait while a login is answered"
        );
        self.auth = AuthState::LoggingIn(identity);
    }

    /// Its claim of the user is won.
    pub(crate) fn note_claimed(&mut self) {
        self.has_claimed = true;
    }

    /// Whether it is the one login of its user. While the claim is undecided, another core may hold the user.
    pub(crate) fn holds_user(&self) -> bool {
        self.has_claimed
    }

    /// From logging in to logged in.
    pub(crate) fn finish_login(&mut self) {
        self.auth = match std::mem::replace(&mut self.auth, AuthState::Unauthenticated) {
            AuthState::LoggingIn(identity) | AuthState::LoggedIn(identity) => AuthState::LoggedIn(identity),
            AuthState::Unauthenticated => AuthState::Unauthenticated,
        };
    }

    /// It is nobody from now on; what it was.
    pub(crate) fn end_login(&mut self) -> AuthState {
        self.refusals = Seldom::default();
        self.has_claimed = false;
        std::mem::replace(&mut self.auth, AuthState::Unauthenticated)
    }

    pub(crate) fn is_logged_in(&self) -> bool {
        matches!(self.auth, AuthState::LoggedIn(_))
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Who it is, or is about to be.
    pub(crate) fn identity(&self) -> Option<&Identity> {
        match &self.auth {
            AuthState::Unauthenticated => None,
            AuthState::LoggingIn(identity) | AuthState::LoggedIn(identity) => Some(identity),
        }
    }

    /// The user that it is or is about to be.
    pub(crate) fn user(&self) -> Option<UserId> {
        self.identity().map(|identity| identity.user)
    }

    /// The user that it is logged in as.
    pub(crate) fn logged_in_user(&self) -> Option<UserId> {
        match &self.auth {
            AuthState::LoggedIn(identity) => Some(identity.user),
            AuthState::Unauthenticated | AuthState::LoggingIn(_) => None,
        }
    }

    /// Whether it is logged in by this login.
    pub(crate) fn is_in(&self, epoch: SessionEpoch) -> bool {
        matches!(&self.auth, AuthState::LoggedIn(identity) if identity.epoch == epoch)
    }

    /// Whether its client has said its last word.
    pub(crate) fn is_half_closed(&self) -> bool {
        self.half_closed
    }

    /// Whether its client may read as the original does: one frame a read.
    pub(crate) fn reads_single_frames(&self) -> bool {
        self.terminator == Terminator::Nul && self.dialect == Dialect::V1
    }

    /// Where in all that is sent to it a frame of so many bytes will end, if it is the next one.
    pub(crate) fn end_after(&self, frame_bytes: usize) -> u64 {
        self.window.end_after(frame_bytes + self.framing.overhead(frame_bytes))
    }

    /// Whether it is not read from for this reason.
    pub(super) fn is_paused(&self, why: Pause) -> bool {
        self.paused & why as u8 != 0
    }

    /// Takes note that its client has said something.
    pub(crate) fn note_heard(&mut self, now: Monotonic) {
        (self.heard_at, self.pong_by) = (now, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The allocator gives out 16 bytes more at a time, 8 of all of them for itself.
    #[test]
    fn a_connection_that_is_silent_is_small() {
        assert!(size_of::<Connection>() <= 248, "{}", size_of::<Connection>());
    }
}
