//! The roster: which servers and cores this core hears, those whose buses are one with its own.
//!
//! Each core says which server it is of, and which of its cores, with each heartbeat, and soon after it
//! has heard of one that it did not know, so that who is new need not wait. Silence is measured in
//! heartbeats of this core's own that came back, as [`liveness`](super::liveness) does. Decides nothing:
//! whoever knows which servers live asks for this.

use crate::bus::Heard;
use rustc_hash::FxHashMap;

/// Cores that are remembered at most, far more than Redis has numbers for. Above: none is learnt.
const MOST: usize = 8_192;
/// Heartbeats after which a core that says nothing is forgotten: half an hour.
const FORGOTTEN: u64 = 900;

/// What is heard, and what is said of this core.
pub(super) struct Roster {
    server: u64,
    core: u16,
    /// Heartbeats of this core that came back.
    beats: u64,
    /// Of each core of each server: how many of them had come back when it last said something.
    heard: FxHashMap<(u64, u16), u64>,
    /// Whether this core is to say that it is there.
    is_due: bool,
}

impl Roster {
    pub(super) fn new(server: u64, core: u16) -> Self {
        Self { server, core, beats: 0, heard: FxHashMap::default(), is_due: true }
    }

    /// A heartbeat of this core has come back.
    pub(super) fn beat(&mut self) {
        self.beats += 1;
        if self.beats.is_multiple_of(FORGOTTEN) {
            let beats = self.beats;
            self.heard.retain(|_, at| *at + FORGOTTEN > beats);
        }
    }

    /// Some core is there; what its heartbeat says. `None` if that is not what this says.
    pub(super) fn heard<'a>(&mut self, payload: &'a [u8]) -> Option<&'a [u8]> {
        let (who, heartbeat) = parse(payload)?;
        if self.heard.contains_key(&who) {
            self.heard.insert(who, self.beats);
        } else if self.heard.len() < MOST {
            self.heard.insert(who, self.beats);
            self.is_due |= who != (self.server, self.core);
        }
        Some(heartbeat)
    }

    /// It is to be said soon that this core is there.
    pub(super) fn announce(&mut self) {
        self.is_due = true;
    }

    /// What is to be said now, if anything is. With it goes what this core's `heartbeat` says, so that who
    /// hears it knows at once whose connection that is.
    pub(super) fn due(&mut self, heartbeat: &str) -> Option<String> {
        std::mem::take(&mut self.is_due).then(|| format!("server {} {} {heartbeat}", self.server, self.core))
    }

    /// What is heard, for whoever knows who should be.
    pub(super) fn tell(&self, bus: Option<String>) -> Heard {
        Heard { core: usize::from(self.core), bus, beats: self.beats, cores: self.heard.clone() }
    }
}

/// The server and the core that say they are there, and the rest.
fn parse(payload: &[u8]) -> Option<((u64, u16), &[u8])> {
    let mut parts = std::str::from_utf8(payload).ok()?.strip_prefix("server ")?.splitn(3, ' ');
    let mut part = || parts.next();
    let who = (part()?.parse().ok()?, part()?.parse().ok()?);
    Some((who, part()?.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_new_is_answered_and_nobody_else() {
        let mut one = Roster::new(1, 0);
        let own = one.due("1 10").expect("it says that it is there");
        assert_eq!(one.heard(own.as_bytes()), Some(&b"1 10"[..]));
        assert_eq!(one.due("1 10"), None);
        assert!(one.heard(b"server 2 0 7 70").is_some() && one.due("1 10").is_some());
        assert!(one.heard(b"server 2 0 7 70").is_some() && one.due("1 10").is_none());
        assert!(one.heard(b"server 2 1 8 71").is_some() && one.due("1 10").is_some());
    }

    #[test]
    fn silence_is_measured_in_heartbeats_of_ones_own() {
        let mut one = Roster::new(1, 0);
        one.heard(b"server 2 0 7 70");
        (0..3).for_each(|_| one.beat());
        one.heard(b"server 3 0 9 72");
        let heard = one.tell(None);
        assert_eq!((heard.beats, heard.cores[&(2, 0)], heard.cores[&(3, 0)]), (3, 0, 3));
        (0..FORGOTTEN).for_each(|_| one.beat());
        assert!(!one.tell(None).cores.contains_key(&(2, 0)));
    }

    #[test]
    fn what_says_something_else_is_left_to_others() {
        let mut one = Roster::new(1, 0);
        for payload in [
            &b""[..],
            b"server",
            b"server 1",
            b"server 1 1",
            b"server 1 70000 1 1",
            b"server x 1 1 1",
            b"1 10",
        ] {
            assert_eq!(one.heard(payload), None, "{payload:?}");
        }
    }

    #[test]
    fn a_redis_that_makes_servers_up_fills_no_memory() {
        let mut one = Roster::new(1, 0);
        (0..20_000)
            .for_each(|server| assert!(one.heard(format!("server {server} 0 1 1").as_bytes()).is_some()));
        assert_eq!(one.heard.len(), MOST);
    }
}
