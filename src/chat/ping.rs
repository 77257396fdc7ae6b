//! Pings: whether somebody is still there, asked in either direction.
//!
//! Seed sessions are never pinged; the system's TCP finds out about their dead peers.

use super::counts::Cut;
use super::effect::Effect;
use super::hub::Hub;
use super::ids::SessionId;
use super::wire::reply;
use super::wire::request::Dialect;

/// How often silent sessions are looked for.
pub(super) const LOOK_MS: u64 = 1_000;

impl Hub {
    pub(super) fn pinged(&mut self, id: SessionId, n: u64, out: &mut Vec<Effect>) {
        self.reply(id, reply::pong(n), out);
    }

    /// Pings sessions that have been silent, and closes those that do not answer. Whose requests
    /// are not handed over for now is not silent.
    pub(super) fn ping_silent(&mut self, out: &mut Vec<Effect>) {
        let (now, ping_ms, pong_ms) = (self.now, self.limits.ping_ms, self.limits.pong_ms);
        let (mut silent, mut dead): (Vec<SessionId>, Vec<SessionId>) = Default::default();
        let sessions = self.sessions.iter_mut().flatten();
        for session in sessions.filter(|session| session.dialect == Dialect::V2 && !session.closing) {
            if session.paused != 0 {
                (session.heard_at, session.pong_by) = (now, None);
                continue;
            }
            match session.pong_by {
                Some(by) if now >= by => dead.push(session.id),
                None if now.since(session.heard_at) >= ping_ms => {
                    session.pong_by = Some(now.plus(pong_ms));
                    silent.push(session.id);
                }
                _ => {}
            }
        }
        for id in silent {
            self.pings += 1;
            self.reply(id, reply::ping(self.pings), out);
        }
        for id in dead {
            self.counts.cut(Cut::Silent);
            self.close(id, out);
        }
    }
}
