//! Draining: the connections of a server that stops are told so and closed, some at a time, so that those who come back
//! do not all come at once. Until its turn comes, a session goes on as ever.

use super::{AuthState, Connection, Connections, Walk};
use crate::model::ids::{ConnectionId, Monotonic};
use crate::model::limits::Limits;
use crate::port::counters::Cut;
use crate::port::cx::Cx;
use crate::wire::code::Code;

/// The time that a client has before it comes back: this at least, and somewhere in as much as the other besides.
const BACK_MS: u64 = 500;
const BACK_SPREAD_MS: u64 = 2_000;
/// What is closed at once, in milliseconds of its rate: a tick's.
const HEAD_START_MS: u64 = 50;

/// How far it is.
#[derive(Debug, Default)]
pub(super) struct Draining {
    since: Option<Monotonic>,
    walk: Walk,
    closed: u64,
    a_second: u64,
}

/// Whether everybody was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Drained {
    SomeAreLeft,
    All,
}

/// How many sessions are closed in a second: as many as may be, or more if they would take too long.
fn sessions_a_second(sessions: usize, limits: &Limits) -> u64 {
    let in_time = (sessions as u64 * 1_000).div_ceil(limits.drain_close_ms.max(1));
    in_time.max(u64::from(limits.drain_sessions)).max(1)
}

/// When a client whose connection is closed for that may come back: each another time.
pub(super) fn back_after_ms(cx: &Cx, id: ConnectionId) -> u64 {
    let mixed =
        (u64::from(id.index) << 32 | u64::from(id.generation)) ^ cx.now.0 << 16 ^ u64::from(cx.core.0);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    BACK_MS + (mixed ^ mixed >> 31) % BACK_SPREAD_MS
}

impl Connections {
    /// The server is stopping: who is not logged in is told at once, the others in their turn. Said again, all at once.
    pub(crate) fn begin_draining(&mut self, cx: &mut Cx) {
        cx.enter();
        if self.draining.since.is_some() {
            self.draining.a_second = u64::MAX / 2;
            return;
        }
        let is_in = |connection: &&Connection| !matches!(connection.auth(), AuthState::Unauthenticated);
        let sessions = self.iter().filter(is_in).count();
        let outside: Vec<ConnectionId> =
            self.iter().filter(|connection| !is_in(connection)).map(Connection::id).collect();
        let slots = self.slots.len();
        self.draining = Draining {
            since: Some(cx.now),
            walk: Walk::default(),
            closed: 0,
            a_second: sessions_a_second(sessions, &cx.limits),
        };
        self.draining.walk.begin(slots);
        for id in outside {
            self.tell_draining(cx, id);
        }
    }

    /// Tells those whose turn has come.
    pub(crate) fn go_on_draining(&mut self, cx: &mut Cx) -> Drained {
        cx.enter();
        let Draining { since: Some(since), a_second, .. } = self.draining else { return Drained::All };
        let due = (cx.now.since(since) + HEAD_START_MS).saturating_mul(a_second).div_ceil(1_000);
        while self.draining.closed < due {
            let Some(slot) = self.draining.walk.next(self.slots.len()) else { return Drained::All };
            let open = self.slots[slot].as_deref().filter(|connection| !connection.closing);
            if let Some(id) = open.map(Connection::id) {
                self.draining.closed += 1;
                self.tell_draining(cx, id);
            }
        }
        Drained::SomeAreLeft
    }

    fn tell_draining(&mut self, cx: &mut Cx, id: ConnectionId) {
        cx.enter();
        cx.counters.cut(Cut::Draining);
        self.close_for(cx, id, Code::Draining, Code::Draining.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::CoreId;

    #[test]
    fn many_are_closed_in_time_and_few_at_a_rate() {
        let limits = Limits::default();
        assert_eq!(sessions_a_second(0, &limits), 500);
        assert_eq!(sessions_a_second(10_000, &limits), 500);
        let many = sessions_a_second(20_000, &limits);
        assert!(many * limits.drain_close_ms >= 20_000 * 1_000 && many < 900, "{many}");
        let of_each = limits.of_each(4);
        assert_eq!(sessions_a_second(100, &of_each), 125, "the cores share it");
    }

    #[test]
    fn who_comes_back_comes_at_another_time_than_others() {
        let cx = Cx::new(CoreId(3), Limits::default());
        let back: Vec<u64> =
            (0..1_000).map(|index| back_after_ms(&cx, ConnectionId { index, generation: 0 })).collect();
        assert!(back.iter().all(|ms| (500..2_500).contains(ms)), "{back:?}");
        for part in 0..4 {
            let from = 500 + part * 500;
            let count = back.iter().filter(|&&ms| (from..from + 500).contains(&ms)).count();
            assert!(
                (150..350).contains(&count),
                "{count} come {from} ms later or within the half second after"
            );
        }
    }
}
