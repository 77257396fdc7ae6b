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
use crate::chat::ids::{CoreId, Millis};
use rustc_hash::FxHashMap;

const BEAT_MS: u64 = 2_000;
/// Heartbeats of ours that came back while another core was silent: at least eight seconds.
const MISSED: u8 = 5;

/// Heartbeats, ours and the others'.
#[derive(Default)]
pub(super) struct Liveness {
    client: i64,
    core: u16,
    next_beat: Millis,
    others: FxHashMap<i64, Other>,
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
    pub(super) fn new(client: i64, core: CoreId, others: &[i64]) -> Self {
        let others = others.iter().filter(|&&other| other != client);
        let others = others.map(|&other| (other, Other::default())).collect();
        Self { client, core: core.0, others, ..Self::default() }
    }

    /// Somebody lives. False if that is not what this says.
    pub(super) fn heard(&mut self, payload: &[u8]) -> bool {
        let Some((client, core)) = parse(payload) else { return false };
        if client == self.client {
            self.others.values_mut().for_each(|other| other.missed += 1);
        } else {
            self.others.insert(client, Other { core: Some(core), missed: 0 });
        }
        true
    }

    /// Time has passed. Gives back the cores that are silent for too long: their connections are
    /// ended.
    pub(super) fn tick(&mut self, now: Millis, prefix: &str, link: &mut Link) -> Vec<CoreId> {
        if now >= self.next_beat {
            self.next_beat = now.plus(BEAT_MS);
            let mut beat = redis::cmd("PUBLISH");
            let says = format!("{} {}", self.client, self.core);
            link.command(beat.arg(format!("{prefix}cores")).arg(says), Awaited::Publish(None));
        }
        let silent = self.give_up();
        for (client, _) in &silent {
            let mut kill = redis::cmd("CLIENT");
            link.command(kill.arg("KILL").arg("ID").arg(client), Awaited::Nothing);
        }
        silent.into_iter().filter_map(|(_, core)| core).collect()
    }

    /// The connections that have been silent for too long: they are forgotten here.
    fn give_up(&mut self) -> Vec<(i64, Option<CoreId>)> {
        let silent = self.others.extract_if(|_, other| other.missed >= MISSED);
        silent.map(|(client, other)| (client, other.core)).collect()
    }
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
        Liveness::new(1, CoreId(10), &[1, 2])
    }

    #[test]
    fn who_is_silent_while_five_heartbeats_come_back_is_given_up_once() {
        let mut one = one_of_two();
        assert!(one.heard(OTHER));
        for _ in 1..MISSED {
            assert!(one.heard(OWN));
            assert_eq!(one.give_up(), []);
        }
        assert!(one.heard(OWN));
        assert_eq!(one.give_up(), [(2, Some(CoreId(20)))]);
        assert!(one.heard(OWN));
        assert_eq!(one.give_up(), []);
    }

    #[test]
    fn who_never_said_anything_is_given_up_and_is_no_core() {
        let mut one = one_of_two();
        (0..MISSED).for_each(|_| assert!(one.heard(OWN)));
        assert_eq!(one.give_up(), [(2, None)]);
    }

    /// What came while this core slept is read before its next heartbeat comes back.
    #[test]
    fn a_word_in_time_is_enough() {
        let mut one = one_of_two();
        for _ in 0..20 {
            (1..MISSED).for_each(|_| assert!(one.heard(OWN)));
            assert!(one.heard(OTHER));
            assert_eq!(one.give_up(), []);
        }
    }

    #[test]
    fn what_is_no_heartbeat_is_left_to_others() {
        let mut one = one_of_two();
        for payload in [&b""[..], b"1", b"1 ", b"1 70000", b"x 1", b"\xff 1"] {
            assert!(!one.heard(payload), "{payload:?}");
        }
    }
}
