//! Why something was not done.

use chatd_chat::wire::code::{Code, REVOKED};
use std::fmt;

/// The server's no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The errno; see `chat::wire::code` for those that are known.
    pub errno: u16,
    /// The server's sentence, possibly empty; not safe to show as it is.
    pub text: String,
    /// When it is worth trying again.
    pub retry_after_ms: Option<u64>,
}

/// Why a session ended by somebody else's doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Somebody logged in as this user somewhere else.
    Replaced,
    /// The device was dropped, or the password changed elsewhere.
    Revoked,
}

impl Refusal {
    /// Which of the two it is, if it is one of them. A server that does not tell them apart says [`Ending::Replaced`].
    pub fn ending(&self) -> Option<Ending> {
        let revoked = self.text == REVOKED;
        let ending = if revoked { Ending::Revoked } else { Ending::Replaced };
        (self.errno == Code::Replaced.errno()).then_some(ending)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text.as_str() {
            "" => write!(f, "refused (errno {})", self.errno),
            text => write!(f, "{text} (errno {})", self.errno),
        }
    }
}

impl std::error::Error for Refusal {}

/// Why a request came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server refused it.
    Refused(Refusal),
    /// Nobody is logged in, or not any more.
    LoggedOut,
    /// Another login or registration is not answered yet, or somebody is logged in already.
    Busy,
    /// It is longer than the server takes.
    TooLarge,
    /// The server speaks the seed's dialect only, which has no words for this.
    NotSpoken,
    /// The server did not answer what cannot do without an answer.
    Unanswered,
    /// Too many requests wait for the connection; this one was not taken.
    Full,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(refusal) => refusal.fmt(f),
            Failure::LoggedOut => f.write_str("nobody is logged in"),
            Failure::Busy => f.write_str("another login or registration is under way"),
            Failure::TooLarge => f.write_str("too long"),
            Failure::NotSpoken => f.write_str("this server is an older one and does not know that"),
            Failure::Unanswered => f.write_str("this server does not answer that"),
            Failure::Full => f.write_str("too much waits for the connection already"),
        }
    }
}

impl std::error::Error for Failure {}
