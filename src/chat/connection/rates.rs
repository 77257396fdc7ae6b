//! How fast a connection may ask: first it is refused (109) and told when to ask again, then it is not read from for a
//! while, and if it goes on and on, it is closed.
//!
//! Messages and bytes are counted with the session, and with the first of several of its user here; look-ups and changes
//! with the user, and with the address ([`super::budgets`]). What a session has used up waits for the next one of its user.
//! Too many bytes are no reason to refuse: it is read from again when they have become few enough.

use super::budgets::{Class, Spent};
use super::{About, Connection, Connections, Pause};
use crate::model::ids::{ConnectionId, Monotonic, UserId};
use crate::model::source::Source;
use crate::port::counters::Cut;
use crate::port::cx::Cx;
use crate::wire::code::Code;
use crate::wire::msgid;
use crate::wire::reply::{self, Refusal};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Refusals that are so far apart have nothing to do with each other.
const APART_MS: u64 = 10_000;

/// What a connection has used up of its rates, and how often it was refused for that.
#[derive(Debug, Default)]
pub(super) struct RateState {
    spent: Spent,
    /// Whose it is, as far as that was looked up.
    user: Option<UserId>,
    refused: u32,
    refused_at: Monotonic,
    pauses: u32,
}

/// Who is not read from because it asks too fast, and until when: the earliest first.
pub(super) type RatePauses = BinaryHeap<Reverse<(Monotonic, ConnectionId)>>;

/// Whether what was asked for may be done, or how long to wait for it; and how long nothing is to be read, because of so
/// many bytes.
type Spending = (Result<(), u64>, u64);

impl Connections {
    /// Whether a request may be made now. If not, it was refused.
    pub(crate) fn admit(&mut self, cx: &mut Cx, about: About<'_>, demand: (Class, u32), bytes: u32) -> bool {
        cx.enter();
        let spent = match self.spend_message(cx, about.connection, demand, bytes) {
            Some(spent) => spent,
            None => self.spend(cx, about.connection, demand, bytes),
        };
        match spent {
            (Ok(()), 0) => true,
            (Ok(()), wait_ms) => {
                self.pause_until(cx, about.connection, cx.now.plus(wait_ms));
                true
            }
            (Err(wait_ms), _) => {
                self.refuse_too_fast(cx, about, wait_ms);
                false
            }
        }
    }

    /// What nearly every request needs: a message of a session that is the only one of its user.
    #[inline]
    fn spend_message(
        &mut self,
        cx: &Cx,
        id: ConnectionId,
        demand: (Class, u32),
        bytes: u32,
    ) -> Option<Spending> {
        let connection = self.get_mut(id).filter(|it| demand.0 == Class::Message && !it.multi)?;
        let user = connection.user();
        let rate_state = connection.rate_state.get_mut().filter(|rate_state| rate_state.user == user)?;
        let wait_ms = rate_state.spent.byte.force(cx.rates.byte, bytes, cx.now);
        Some((rate_state.spent.message.take(cx.rates.message, demand.1, cx.now), wait_ms))
    }

    fn spend(&mut self, cx: &Cx, id: ConnectionId, demand: (Class, u32), bytes: u32) -> Spending {
        let holder = self.holder(id);
        let Some(connection) = self.get_mut(holder) else { return (Ok(()), 0) };
        let (user, from) = (connection.user(), connection.from);
        if connection.rate_state.or_default().user != user {
            self.inherit(cx, holder, user);
        }
        let rate_state = self.get_mut(holder).map(|connection| connection.rate_state.or_default());
        let Some(rate_state) = rate_state else { return (Ok(()), 0) };
        let wait_ms = rate_state.spent.byte.force(cx.rates.byte, bytes, cx.now);
        // Who is nobody yet has what a user has.
        let is_own = demand.0 == Class::Message || user.is_none();
        let own = if is_own { rate_state.spent.take(&cx.rates, demand, cx.now) } else { Ok(()) };
        let taken = match demand.0 {
            Class::Message => own,
            Class::Lookup | Class::Change => {
                own.and_then(|()| self.budgets.take(&cx.rates, (user, from), demand, cx.now))
            }
        };
        (taken, wait_ms)
    }

    /// A frame that nobody may say is a message that was. Whether it is answered.
    pub(super) fn admit_fault(&mut self, cx: &mut Cx, id: ConnectionId) -> bool {
        cx.enter();
        let about = About { connection: id, re: 0, cid: None };
        cx.rates.are_off() || self.admit(cx, about, (Class::Message, 1), 0)
    }

    /// With whom a connection's messages are counted: the first session here of its user, if there are several.
    fn holder(&self, id: ConnectionId) -> ConnectionId {
        let shares = |connection: &&Connection| connection.multi && connection.is_logged_in();
        let user = self.get(id).filter(shares).and_then(Connection::user);
        user.and_then(|user| self.of_user(user)).unwrap_or(id)
    }

    /// A connection belongs to a user from now on who may have used up something before.
    fn inherit(&mut self, cx: &Cx, id: ConnectionId, user: Option<UserId>) {
        let before = user.map(|user| *self.budgets.user(user, cx.now));
        let Some(rate_state) = self.get_mut(id).and_then(|connection| connection.rate_state.get_mut()) else {
            return;
        };
        rate_state.user = user;
        if let Some(before) = before {
            rate_state.spent.message = rate_state.spent.message.emptier(before.message);
            rate_state.spent.byte = rate_state.spent.byte.emptier(before.byte);
        }
    }

    /// A session ends: what it has used up waits for the next one of its user.
    pub(crate) fn note_spent(&mut self, cx: &Cx, id: ConnectionId) {
        let rate_state = self.get(id).and_then(|connection| connection.rate_state.get());
        let Some((user, spent)) =
            rate_state.and_then(|rate_state| Some((rate_state.user?, rate_state.spent)))
        else {
            return;
        };
        let of_user = self.budgets.user(user, cx.now);
        of_user.message = of_user.message.emptier(spent.message);
        of_user.byte = of_user.byte.emptier(spent.byte);
    }

    fn refuse_too_fast(&mut self, cx: &mut Cx, about: About<'_>, wait_ms: u64) {
        cx.enter();
        let (id, now) = (about.connection, cx.now);
        let (refusals, pauses) = (cx.limits.rate_refusals, cx.limits.rate_pauses);
        let Some(rate_state) = self.get_mut(id).map(|connection| connection.rate_state.or_default()) else {
            return;
        };
        if now.since(rate_state.refused_at) > APART_MS {
            (rate_state.refused, rate_state.pauses) = (0, 0);
        }
        (rate_state.refused, rate_state.refused_at) = (rate_state.refused + 1, now);
        let is_enough = rate_state.refused >= refusals;
        if is_enough {
            (rate_state.refused, rate_state.pauses) = (0, rate_state.pauses + 1);
        }
        let is_over = rate_state.pauses > pauses;
        if is_over {
            cx.counters.cut(Cut::Flooding);
            return self.close_for(cx, id, Code::TooFast, "too fast, and on and on");
        }
        cx.counters.error(Code::TooFast);
        let bytes = refusal(about, wait_ms);
        self.reply(cx, id, bytes);
        if is_enough {
            let pause_ms = wait_ms.max(cx.limits.rate_pause_ms);
            self.pause_until(cx, id, now.plus(pause_ms));
        }
    }

    fn pause_until(&mut self, cx: &mut Cx, id: ConnectionId, until: Monotonic) {
        cx.enter();
        if self.get(id).is_some_and(|connection| !connection.is_paused(Pause::Rate) && !connection.closing) {
            self.rate_pauses.push(Reverse((until, id)));
            self.pause(cx, id, Pause::Rate);
        }
    }

    /// Reads again from those whose time has come.
    pub(crate) fn resume_rate_paused(&mut self, cx: &mut Cx) {
        cx.enter();
        while let Some(&Reverse((until, id))) = self.rate_pauses.peek()
            && until <= cx.now
        {
            self.rate_pauses.pop();
            self.resume(cx, id, Pause::Rate);
        }
    }

    /// A connection has come, and it is known from where: too many of one address are sent away.
    pub(super) fn arrive(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        if cx.rates.connections == 0 && cx.rates.connect.is_off() {
            return;
        }
        let Some(connection) = self.get_mut(id).filter(|it| !it.closing && it.from != Source::Proxy) else {
            return;
        };
        connection.counted = true;
        let from = connection.from;
        if let Err(wait_ms) = self.budgets.arrive(&cx.rates, from, cx.now) {
            cx.counters.cut(Cut::Crowded);
            let (code, text) = (Code::TooMany, "too many connections from there");
            let retry_after_ms = Some(wait_ms);
            self.reply(cx, id, reply::error(Refusal { code, text, re: None, cid: None, retry_after_ms }));
            self.close(cx, id, Some(code));
        }
    }

    /// A password was wrong: so much less may be tried from there.
    pub(crate) fn note_wrong_password(&mut self, cx: &Cx, id: ConnectionId) {
        if let Some(from) =
            self.get(id).map(|connection| connection.from).filter(|_| !cx.rates.guess.is_off())
        {
            self.budgets.guessed_wrong(&cx.rates, from, cx.now);
        }
    }

    /// How long a connection has to wait before it tries a password, because of all that were wrong from there.
    pub(crate) fn guess_wait_ms(&self, cx: &Cx, id: ConnectionId) -> u64 {
        self.get(id).map_or(0, |connection| self.budgets.guess_wait_ms(&cx.rates, connection.from, cx.now))
    }
}

/// The answer to a request that is too fast, as those who ask for it expect it.
fn refusal(about: About<'_>, wait_ms: u64) -> Vec<u8> {
    let text = Code::TooFast.text();
    match about.re {
        msgid::LOGIN | msgid::RESUME => reply::not_logged_in_yet(wait_ms, text, about.cid),
        msgid::REGISTER => reply::not_registered_yet(wait_ms),
        re => {
            let re = (re != 0).then_some(re);
            let refusal =
                Refusal { code: Code::TooFast, text, re, cid: about.cid, retry_after_ms: Some(wait_ms) };
            reply::error(refusal)
        }
    }
}
