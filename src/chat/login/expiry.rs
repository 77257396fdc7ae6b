//! Expiry: sessions whose proof is good for a time only are told that it ends, and end with it.
//!
//! The time is another application's, by the wall clock; what is waited for here is the monotonic one.

use super::Logins;
use crate::connection::Connections;
use crate::model::ids::{ConnectionId, Millis, Monotonic};
use crate::port::cx::Cx;
use crate::wire::code::Code;
use crate::wire::reply::{self, Refusal};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// What a session is told before it ends.
const NOTICE: &str = "this session expires soon, log in with a new jwt";

/// When something is next to be done about a session that expires.
#[derive(Debug, Default)]
pub(super) struct Expiring {
    due: BTreeSet<(Monotonic, ConnectionId)>,
    sessions: FxHashMap<ConnectionId, Expiry>,
}

#[derive(Clone, Copy, Debug)]
struct Expiry {
    /// When it ends.
    end: Monotonic,
    /// When it is next looked at.
    next: Monotonic,
}

impl Expiring {
    /// A session ends then; of two times the one that was said last counts.
    pub(super) fn set(&mut self, cx: &Cx, id: ConnectionId, expires: Millis) {
        self.remove(id);
        let left_ms = expires.0.saturating_sub(cx.wall.0);
        let end = cx.now.plus(left_ms);
        let next = cx.now.plus(left_ms.saturating_sub(cx.limits.expiry_notice_ms));
        self.insert(id, Expiry { end, next });
    }

    fn insert(&mut self, id: ConnectionId, expiry: Expiry) {
        self.due.insert((expiry.next, id));
        self.sessions.insert(id, expiry);
    }

    pub(super) fn remove(&mut self, id: ConnectionId) {
        if let Some(expiry) = self.sessions.remove(&id) {
            self.due.remove(&(expiry.next, id));
        }
    }

    pub(super) fn has(&self, id: ConnectionId) -> bool {
        self.sessions.contains_key(&id)
    }

    /// The next session of which it is time.
    fn pop(&mut self, now: Monotonic) -> Option<(ConnectionId, Expiry)> {
        let &(next, id) = self.due.first().filter(|(next, _)| *next <= now)?;
        self.due.remove(&(next, id));
        self.sessions.remove(&id).map(|expiry| (id, expiry))
    }
}

impl Logins {
    /// Tells sessions that they end soon, as many as a tick may. Gives back those whose time is over.
    pub(crate) fn expired(&mut self, cx: &mut Cx, connections: &mut Connections) -> Vec<ConnectionId> {
        cx.enter();
        let mut over = Vec::new();
        for _ in 0..cx.limits.walk_sessions {
            let Some((id, expiry)) = self.expiring.pop(cx.now) else { break };
            if expiry.end <= cx.now {
                over.push(id);
                continue;
            }
            self.expiring.insert(id, Expiry { next: expiry.end, ..expiry });
            let code = Code::Expired;
            let refusal = Refusal { code, text: NOTICE, re: None, cid: None, retry_after_ms: None };
            cx.counters.error(code);
            connections.reply(cx, id, reply::error(refusal));
        }
        over
    }
}
