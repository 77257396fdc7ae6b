//! Wrong passwords: a connection that guesses has to wait longer and longer before it may go on,
//! whether it wants to log in or to change a password that it does not know.
//!
//! Looking at a password costs us a hash, which is more than guessing costs. Who waits is refused
//! without a look, and others are not held up.

use super::effect::Effect;
use super::hub::{About, Hub};
use super::ids::SessionId;
use super::wire::code::{Code, TOO_MANY_GUESSES};
use super::wire::reply::{self, Refusal};
use super::wire::request::Dialect;

/// The first wait; each one after it is twice as long.
const FIRST_PAUSE_MS: u64 = 1_000;

impl Hub {
    /// Whether a connection must not try to log in yet. It is told so.
    pub(super) fn guesses_too_fast(
        &mut self,
        about: About<'_>,
        dialect: Dialect,
        out: &mut Vec<Effect>,
    ) -> bool {
        let retry_after_ms = self.guess_wait_ms(about.session);
        if retry_after_ms > 0 {
            let cid = about.cid.filter(|_| dialect == Dialect::V2);
            self.counts.error(Code::TooFast);
            self.reply(about.session, reply::not_logged_in_yet(retry_after_ms, cid), out);
        }
        retry_after_ms > 0
    }

    /// Whether a session must not try to change its password yet. It is told so.
    pub(super) fn changes_too_fast(&mut self, about: About<'_>, out: &mut Vec<Effect>) -> bool {
        let retry_after_ms = self.guess_wait_ms(about.session);
        if retry_after_ms > 0 {
            let About { session, re, cid } = about;
            let (code, text) = (Code::TooFast, TOO_MANY_GUESSES);
            let retry_after_ms = Some(retry_after_ms);
            self.counts.error(code);
            self.reply(session, reply::error(Refusal { code, text, re: Some(re), cid, retry_after_ms }), out);
        }
        retry_after_ms > 0
    }

    /// How long a connection has to wait before it may try a password.
    fn guess_wait_ms(&self, id: SessionId) -> u64 {
        self.session(id).map_or(0, |session| session.may_guess_at.since(self.now))
    }

    /// A password was wrong, whoever it was for.
    pub(super) fn guessed_wrong(&mut self, id: SessionId) {
        let (now, free, most_ms) = (self.now, self.limits.wrong_passwords, self.limits.guess_pause_ms);
        let Some(session) = self.session_mut(id) else { return };
        session.wrong_passwords += 1;
        if session.wrong_passwords >= free {
            let doublings = (session.wrong_passwords - free).min(20);
            session.may_guess_at = now.plus((FIRST_PAUSE_MS << doublings).min(most_ms));
        }
    }

    /// A password was right.
    pub(super) fn guessed_right(&mut self, id: SessionId) {
        if let Some(session) = self.session_mut(id) {
            session.wrong_passwords = 0;
        }
    }
}
