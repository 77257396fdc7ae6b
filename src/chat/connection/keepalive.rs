//! Keepalive: whether somebody is still there, asked in either direction.
//!
//! v1 sessions are never pinged; the system's TCP finds out about their dead peers.

use super::Connections;
use crate::model::ids::ConnectionId;
use crate::port::counters::Cut;
use crate::port::cx::Cx;
use crate::wire::reply;
use crate::wire::request::Dialect;

/// How often silent connections are looked for, in milliseconds.
pub(crate) const LOOK_MS: u64 = 1_000;

impl Connections {
    /// PONG, to who pings.
    pub(crate) fn on_ping(&mut self, cx: &mut Cx, id: ConnectionId, n: u64) {
        cx.enter();
        self.reply(cx, id, reply::pong(n));
    }

    /// It is time to look for connections that have been silent.
    pub(crate) fn begin_pings(&mut self) {
        self.silence.begin(self.slots.len());
    }

    /// Pings connections that have been silent, and closes those that do not answer: some of them, the others with
    /// the next ticks. Whose requests are not handed over for now is not silent.
    pub(crate) fn ping_silent(&mut self, cx: &mut Cx) {
        cx.enter();
        let (now, ping_ms, pong_ms) = (cx.now, cx.limits.ping_ms, cx.limits.pong_ms);
        let (mut silent, mut dead): (Vec<ConnectionId>, Vec<ConnectionId>) = Default::default();
        for _ in 0..cx.limits.walk_sessions {
            let Some(slot) = self.silence.next(self.slots.len()) else { break };
            let connection = self.slots[slot].as_deref_mut();
            let Some(connection) = connection.filter(|c| c.dialect == Dialect::V2 && !c.closing) else {
                continue;
            };
            if connection.paused != 0 {
                connection.note_heard(now);
                continue;
            }
            match connection.pong_by {
                Some(by) if now >= by => dead.push(connection.id()),
                None if now.since(connection.heard_at) >= ping_ms => {
                    connection.pong_by = Some(now.plus(pong_ms));
                    silent.push(connection.id());
                }
                Some(_) | None => {}
            }
        }
        for id in silent {
            self.pings += 1;
            let ping = reply::ping(self.pings);
            self.reply(cx, id, ping);
        }
        for id in dead {
            cx.counters.cut(Cut::Silent);
            self.close(cx, id, None);
        }
    }
}
