//! Who of the cluster hangs: a heartbeat a core, and what is done about a core that has none.
//!
//! A server that dies takes its connections with it, and with them its subscriptions. One that
//! hangs keeps them, and its users would look online for ever. So each core says every two seconds
//! that it lives, and names its connection and itself. Redis gives everybody the heartbeats in one
//! order, so a core measures the silence of the others in its own: a connection from which nothing
//! came while five of them did is ended, and the hub is told that its core is gone. A core that
//! slept, or a machine that stood still, thus takes nobody for dead. Should a core that was given up
//! go on, it finds its connection lost, connects again and claims its users anew.

use super::link::{Awaited, Link};
use chatd_chat::model::ids::{CoreId, Monotonic};
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

const BEAT_MS: u64 = 2_000;
/// Heartbeats of ours that came back while another core was silent: at least eight seconds.
const MISSED: u8 = 5;
/// After a heartbeat that came back, this core is not given up for so long: half of what the others wait at least.
const LEASE_MS: u64 = 4_000;
/// Connections that are remembered at most, more than Redis has numbers for cores. Above: none is learnt.
const MOST: usize = 8_192;

/// Heartbeats, ours and the others'.
#[derive(Default)]
pub(super) struct Liveness {
    client: i64,
    core: u16,
    /// The first one was said when the connection began.
    next_beat: Option<Monotonic>,
    /// When those were said that have not come back.
    under_way: VecDeque<Monotonic>,
    /// When the last was said that has: whoever heard that did not take this core for dead then.
    said_at: Monotonic,
    /// Whether that is longer ago than it should be.
    is_silent: bool,
    others: FxHashMap<i64, Other>,
}

/// Whose heartbeat it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Whose {
    Own,
    Other,
}

/// A connection that is not ours.
#[derive(Default)]
struct Other {
    /// Of which core it is, once it said so.
    core: Option<CoreId>,
    /// Heartbeats of ours since its last.
    missed: u8,
}

impl Liveness {
    /// `others` were there already, and have time to show that they live.
    pub(super) fn new(client: i64, core: CoreId, others: &[i64], now: Monotonic) -> Self {
        let others = others.iter().filter(|&&other| other != client);
        let others = others.map(|&other| (other, Other::default())).collect();
        Self {
            client,
            core: core.0,
            others,
            said_at: now,
            under_way: VecDeque::from([now]),
            ..Self::default()
        }
    }

    /// Whether it has changed that the others may have given this core up, and wait for it no more: it may have slept.
    pub(super) fn silence(&mut self, now: Monotonic) -> Option<bool> {
        let is_silent = now.since(self.said_at) > LEASE_MS;
        (std::mem::replace(&mut self.is_silent, is_silent) != is_silent).then_some(is_silent)
    }

    /// Somebody lives; `None` if that is not what this says.
    pub(super) fn heard(&mut self, payload: &[u8]) -> Option<Whose> {
        let (client, core) = parse(payload)?;
        if client == self.client {
            self.others.values_mut().for_each(|other| other.missed = other.missed.saturating_add(1));
            self.said_at = self.under_way.pop_front().unwrap_or(self.said_at);
            return Some(Whose::Own);
        }
        self.lives(client, core);
        Some(Whose::Other)
    }

    /// A core says besides that it is there, between two heartbeats: one that connects is known at once.
    pub(super) fn learn(&mut self, heartbeat: &[u8]) {
        if let Some((client, core)) = parse(heartbeat).filter(|&(client, _)| client != self.client) {
            self.lives(client, core);
        }
    }

    /// What this core's heartbeats say.
    pub(super) fn says(&self) -> String {
        heartbeat(self.client, CoreId(self.core))
    }

    fn lives(&mut self, client: i64, core: CoreId) {
        let known = self.others.len();
        match self.others.get_mut(&client) {
            Some(other) => *other = Other { core: Some(core), missed: 0 },
            None if known < MOST => drop(self.others.insert(client, Other { core: Some(core), missed: 0 })),
            None => {}
        }
    }

    /// Time has passed. Says whether it was time for a heartbeat, and gives back the cores that are
    /// silent for too long: their connections are ended.
    pub(super) fn tick(&mut self, now: Monotonic, prefix: &str, link: &mut Link) -> (bool, Vec<CoreId>) {
        let next_beat = *self.next_beat.get_or_insert(now.plus(BEAT_MS));
        let beats = now >= next_beat;
        if beats {
            self.next_beat = Some(now.plus(BEAT_MS));
            self.under_way.push_back(now);
            let mut beat = redis::cmd("PUBLISH");
            let says = self.says();
            link.command(beat.arg(format!("{prefix}cores")).arg(says), Awaited::Publish(None));
        }
        let silent = self.give_up();
        for (client, _) in &silent {
            let mut kill = redis::cmd("CLIENT");
            link.command(kill.arg("KILL").arg("ID").arg(client), Awaited::Nothing);
        }
        (beats, silent.into_iter().filter_map(|(_, core)| core).collect())
    }

    /// The connections that have been silent for too long: they are forgotten here.
    fn give_up(&mut self) -> Vec<(i64, Option<CoreId>)> {
        let silent = self.others.extract_if(|_, other| other.missed >= MISSED);
        silent.map(|(client, other)| (client, other.core)).collect()
    }
}

/// What a core says of itself.
pub(super) fn heartbeat(client: i64, core: CoreId) -> String {
    format!("{client} {}", core.0)
}

/// The connection and the core that a heartbeat names.
fn parse(payload: &[u8]) -> Option<(i64, CoreId)> {
    let (client, core) = std::str::from_utf8(payload).ok()?.split_once(' ')?;
    Some((client.parse().ok()?, CoreId(core.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[u8] = b"1 10";
    const OTHER: &[u8] = b"2 20";

    fn one_of_two() -> Liveness {
        Liveness::new(1, CoreId(10), &[1, 2], Monotonic(0))
    }

    /// Half of the time after which the others may have given it up, at the earliest.
    #[test]
    fn who_has_slept_knows_that_it_may_have_been_given_up_until_a_heartbeat_comes_back() {
        let mut one = one_of_two();
        assert_eq!(one.silence(Monotonic(LEASE_MS)), None);
        one.under_way.push_back(Monotonic(3_000));
        assert_eq!(one.silence(Monotonic(LEASE_MS + 1)), Some(true));
        assert_eq!(one.silence(Monotonic(60_000)), None);
        // The one from the beginning, which is too long ago by now, and the next.
        one.heard(OWN);
        assert_eq!(one.silence(Monotonic(60_000)), None);
        one.heard(OWN);
        assert_eq!(one.silence(Monotonic(7_000)), Some(false));
        assert_eq!(one.silence(Monotonic(7_001)), Some(true));
    }

    #[test]
    fn who_is_silent_while_five_heartbeats_come_back_is_given_up_once() {
        let mut one = one_of_two();
        assert_eq!(one.heard(OTHER), Some(Whose::Other));
        for _ in 1..MISSED {
            assert_eq!(one.heard(OWN), Some(Whose::Own));
            assert_eq!(one.give_up(), []);
        }
        assert_eq!(one.heard(OWN), Some(Whose::Own));
        assert_eq!(one.give_up(), [(2, Some(CoreId(20)))]);
        assert_eq!(one.heard(OWN), Some(Whose::Own));
        assert_eq!(one.give_up(), []);
    }

    #[test]
    fn who_never_said_anything_is_given_up_and_is_no_core() {
        let mut one = one_of_two();
        (0..MISSED).for_each(|_| assert_eq!(one.heard(OWN), Some(Whose::Own)));
        assert_eq!(one.give_up(), [(2, None)]);
    }

    /// What came while this core slept is read before its next heartbeat comes back.
    #[test]
    fn a_word_in_time_is_enough() {
        let mut one = one_of_two();
        for _ in 0..20 {
            (1..MISSED).for_each(|_| assert_eq!(one.heard(OWN), Some(Whose::Own)));
            assert_eq!(one.heard(OTHER), Some(Whose::Other));
            assert_eq!(one.give_up(), []);
        }
    }

    #[test]
    fn what_is_no_heartbeat_is_left_to_others() {
        let mut one = one_of_two();
        for payload in [&b""[..], b"1", b"1 ", b"1 70000", b"x 1", b"\xff 1"] {
            assert_eq!(one.heard(payload), None, "{payload:?}");
        }
    }
}
