//! Throttle: wrong passwords, and those that nobody looked at: such a connection has to wait longer and longer before
//! it may go on, whether it wants to log in, to change a password that it does not know, or to register.
//!
//! Looking at a password costs us a hash, which is more than guessing costs. Who waits is refused without a look, and
//! others are not held up. Nobody looks at a password where too many from the same place wait for that already, or too
//! many were wrong for the same account: the store says so.

use super::Logins;
use crate::connection::{About, Connections, Vain};
use crate::model::ids::ConnectionId;
use crate::port::cx::Cx;
use crate::wire::code::{Code, TOO_MANY_GUESSES, TOO_MANY_LOGINS};
use crate::wire::reply::{self, Refusal};
use crate::wire::request::Dialect;

/// The first wait, in milliseconds; each one after it is twice as long.
const FIRST_PAUSE_MS: u64 = 1_000;

/// The wait after so many that were followed by a wait.
fn pause_after(waits: u32, most_ms: u64) -> u64 {
    (FIRST_PAUSE_MS << waits.min(20)).min(most_ms)
}

impl Logins {
    /// Whether a connection must not try to log in yet. It is told so.
    pub(super) fn guesses_too_fast(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        dialect: Dialect,
    ) -> bool {
        let retry_after_ms = wait_ms(cx, connections, about.connection);
        if retry_after_ms > 0 {
            let cid = about.cid.filter(|_| dialect == Dialect::V2);
            cx.counters.error(Code::TooFast);
            let text = why_too_fast(connections, about.connection);
            connections.reply(cx, about.connection, reply::not_logged_in_yet(retry_after_ms, text, cid));
        }
        retry_after_ms > 0
    }

    /// Whether a session must not try to change its password yet. It is told so.
    pub(super) fn changes_too_fast(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
    ) -> bool {
        let retry_after_ms = wait_ms(cx, connections, about.connection);
        if retry_after_ms > 0 {
            self.refuse_change_yet(cx, connections, about, retry_after_ms);
        }
        retry_after_ms > 0
    }

    /// A change of a password that nobody looked at.
    pub(crate) fn refuse_change_yet(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        about: About<'_>,
        retry_after_ms: u64,
    ) {
        cx.enter();
        let About { connection, re, cid } = about;
        let (code, text) = (Code::TooFast, why_too_fast(connections, connection));
        let refusal = Refusal { code, text, re: Some(re), cid, retry_after_ms: Some(retry_after_ms) };
        cx.counters.error(code);
        connections.reply(cx, connection, reply::error(refusal));
    }

    /// Whether a connection must not register anybody yet. It is told so.
    pub(super) fn registers_too_fast(
        &mut self,
        cx: &mut Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> bool {
        let retry_after_ms = vain(connections, id).map_or(0, |vain| vain.may_register_at.since(cx.now));
        if retry_after_ms > 0 {
            cx.counters.error(Code::TooFast);
            connections.reply(cx, id, reply::not_registered_yet(retry_after_ms));
        }
        retry_after_ms > 0
    }

    /// Nobody looked at a password of this connection. How long it has to wait: each time in a row twice as long, so
    /// that being refused costs whoever asks for it.
    pub(crate) fn turned_away(&mut self, cx: &Cx, connections: &mut Connections, id: ConnectionId) -> u64 {
        let Some(connection) = connections.get_mut(id) else { return FIRST_PAUSE_MS };
        let vain = connection.vain.or_default();
        let pause_ms = pause_after(vain.turned_away, cx.limits.guess_pause_ms);
        vain.turned_away += 1;
        vain.may_guess_at = cx.now.plus(pause_ms);
        pause_ms
    }

    /// Likewise for a registration.
    pub(super) fn registration_turned_away(
        &mut self,
        cx: &Cx,
        connections: &mut Connections,
        id: ConnectionId,
    ) -> u64 {
        let Some(connection) = connections.get_mut(id) else { return FIRST_PAUSE_MS };
        let vain = connection.vain.or_default();
        let pause_ms = pause_after(vain.registrations_turned_away, cx.limits.guess_pause_ms);
        vain.registrations_turned_away += 1;
        vain.may_register_at = cx.now.plus(pause_ms);
        pause_ms
    }

    /// LOGIN_MSG_ACK of a login that nobody looked at.
    pub(crate) fn not_yet(
        &self,
        cx: &Cx,
        connections: &Connections,
        id: ConnectionId,
        cid: Option<&str>,
    ) -> Vec<u8> {
        reply::not_logged_in_yet(wait_ms(cx, connections, id), why_too_fast(connections, id), cid)
    }

    /// A password was wrong, whoever it was for.
    pub(crate) fn guessed_wrong(&mut self, cx: &Cx, connections: &mut Connections, id: ConnectionId) {
        connections.note_wrong_password(cx, id);
        let (free, most_ms) = (cx.limits.wrong_passwords, cx.limits.guess_pause_ms);
        let Some(connection) = connections.get_mut(id) else { return };
        let vain = connection.vain.or_default();
        vain.turned_away = 0;
        vain.wrong_passwords += 1;
        if vain.wrong_passwords >= free {
            vain.may_guess_at = cx.now.plus(pause_after(vain.wrong_passwords - free, most_ms));
        }
    }

    /// A password was right.
    pub(crate) fn guessed_right(&mut self, connections: &mut Connections, id: ConnectionId) {
        if let Some(vain) = connections.get_mut(id).and_then(|connection| connection.vain.get_mut()) {
            (vain.wrong_passwords, vain.turned_away) = (0, 0);
        }
    }
}

/// How long a connection has to wait before it may try a password.
fn wait_ms(cx: &Cx, connections: &Connections, id: ConnectionId) -> u64 {
    let own = vain(connections, id).map_or(0, |vain| vain.may_guess_at.since(cx.now));
    own.max(connections.guess_wait_ms(cx, id))
}

fn vain(connections: &Connections, id: ConnectionId) -> Option<&Vain> {
    connections.get(id).and_then(|connection| connection.vain.get())
}

/// What it is that a connection does too fast.
fn why_too_fast(connections: &Connections, id: ConnectionId) -> &'static str {
    match vain(connections, id) {
        Some(vain) if vain.turned_away > 0 => TOO_MANY_LOGINS,
        Some(_) | None => TOO_MANY_GUESSES,
    }
}
