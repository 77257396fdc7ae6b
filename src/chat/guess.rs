//! Wrong passwords, and those that nobody looked at: such a connection has to wait longer and longer before
//! it may go on, whether it wants to log in, to change a password that it does not know, or to register.
//!
//! Looking at a password costs us a hash, which is more than guessing costs. Who waits is refused
//! without a look, and others are not held up. Nobody looks at a password where too many from the same
//! place wait for that already, or too many were wrong for the same account: the store says so.

use super::effect::Effect;
use super::hub::{About, Hub};
use super::ids::SessionId;
use super::wire::code::{Code, TOO_MANY_GUESSES, TOO_MANY_LOGINS};
use super::wire::reply::{self, Refusal};
use super::wire::request::Dialect;

/// The first wait; each one after it is twice as long.
const FIRST_PAUSE_MS: u64 = 1_000;

/// The wait after so many that were followed by a wait.
fn pause_after(waits: u32, most_ms: u64) -> u64 {
    (FIRST_PAUSE_MS << waits.min(20)).min(most_ms)
}

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
            let text = self.why_too_fast(about.session);
            self.reply(about.session, reply::not_logged_in_yet(retry_after_ms, text, cid), out);
        }
        retry_after_ms > 0
    }

    /// Whether a session must not try to change its password yet. It is told so.
    pub(super) fn changes_too_fast(&mut self, about: About<'_>, out: &mut Vec<Effect>) -> bool {
        let retry_after_ms = self.guess_wait_ms(about.session);
        if retry_after_ms > 0 {
            self.refuse_change_yet(about, retry_after_ms, out);
        }
        retry_after_ms > 0
    }

    /// A change of a password that nobody looked at.
    pub(super) fn refuse_change_yet(&mut self, about: About<'_>, retry_after_ms: u64, out: &mut Vec<Effect>) {
        let About { session, re, cid } = about;
        let (code, text) = (Code::TooFast, self.why_too_fast(session));
        let refusal = Refusal { code, text, re: Some(re), cid, retry_after_ms: Some(retry_after_ms) };
        self.counts.error(code);
        self.reply(session, reply::error(refusal), out);
    }

    /// Whether a connection must not register anybody yet. It is told so.
    pub(super) fn registers_too_fast(&mut self, id: SessionId, out: &mut Vec<Effect>) -> bool {
        let retry_after_ms = self.session(id).map_or(0, |session| session.may_register_at.since(self.now));
        if retry_after_ms > 0 {
            self.counts.error(Code::TooFast);
            self.reply(id, reply::not_registered_yet(retry_after_ms), out);
        }
        retry_after_ms > 0
    }

    /// Nobody looked at a password of this connection. How long it has to wait: each time in a row twice
    /// as long, so that being refused costs whoever asks for it.
    pub(super) fn turned_away(&mut self, id: SessionId) -> u64 {
        let (now, most_ms) = (self.now, self.limits.guess_pause_ms);
        let Some(session) = self.session_mut(id) else { return FIRST_PAUSE_MS };
        let pause_ms = pause_after(session.turned_away, most_ms);
        session.turned_away += 1;
        session.may_guess_at = now.plus(pause_ms);
        pause_ms
    }

    /// Likewise for a registration.
    pub(super) fn registration_turned_away(&mut self, id: SessionId) -> u64 {
        let (now, most_ms) = (self.now, self.limits.guess_pause_ms);
        let Some(session) = self.session_mut(id) else { return FIRST_PAUSE_MS };
        let pause_ms = pause_after(session.registrations_turned_away, most_ms);
        session.registrations_turned_away += 1;
        session.may_register_at = now.plus(pause_ms);
        pause_ms
    }

    /// What it is that a connection does too fast.
    pub(super) fn why_too_fast(&self, id: SessionId) -> &'static str {
        match self.session(id) {
            Some(session) if session.turned_away > 0 => TOO_MANY_LOGINS,
            _ => TOO_MANY_GUESSES,
        }
    }

    /// How long a connection has to wait before it may try a password.
    pub(super) fn guess_wait_ms(&self, id: SessionId) -> u64 {
        self.session(id).map_or(0, |session| session.may_guess_at.since(self.now))
    }

    /// A password was wrong, whoever it was for.
    pub(super) fn guessed_wrong(&mut self, id: SessionId) {
        let (now, free, most_ms) = (self.now, self.limits.wrong_passwords, self.limits.guess_pause_ms);
        let Some(session) = self.session_mut(id) else { return };
        session.turned_away = 0;
        session.wrong_passwords += 1;
        if session.wrong_passwords >= free {
            session.may_guess_at = now.plus(pause_after(session.wrong_passwords - free, most_ms));
        }
    }

    /// A password was right.
    pub(super) fn guessed_right(&mut self, id: SessionId) {
        if let Some(session) = self.session_mut(id) {
            (session.wrong_passwords, session.turned_away) = (0, 0);
        }
    }
}
