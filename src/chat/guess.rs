//! Wrong passwords: a connection that guesses has to wait longer and longer before it may go on.
//!
//! Looking at a password costs us a hash, which is more than guessing costs. Who waits is refused
//! without a look, and others are not held up.

use super::effect::Effect;
use super::hub::{About, Hub};
use super::ids::SessionId;
use super::wire::code::Code;
use super::wire::reply;
use super::wire::request::Dialect;

/// The first wait; each one after it is twice as long.
const FIRST_PAUSE_MS: u64 = 1_000;

impl Hub {
    /// Whether a connection must not try a password yet. It is told so.
    pub(super) fn guesses_too_fast(
        &mut self,
        about: About<'_>,
        dialect: Dialect,
        out: &mut Vec<Effect>,
    ) -> bool {
        let Some(session) = self.session(about.session) else { return false };
        let retry_after_ms = session.may_guess_at.since(self.now);
        if retry_after_ms > 0 {
            let cid = about.cid.filter(|_| dialect == Dialect::V2);
            self.counts.error(Code::TooFast);
            self.reply(about.session, reply::not_logged_in_yet(retry_after_ms, cid), out);
        }
        retry_after_ms > 0
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
