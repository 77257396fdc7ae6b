//! Who of the cluster hangs: a heartbeat a core, and what is done about a core that has none.
//!
//! A server that dies takes its connections with it, and with them its subscriptions. One that
//! hangs keeps them, and its users would look online for ever. So each core says every two seconds
//! that it lives, and names its connection; a connection that is silent for eight is ended by the
//! others. Should its core go on, it finds its connection lost, connects again and claims its
//! users anew.

use super::link::{Awaited, Link, PAUSE_MS};
use crate::chat::ids::Millis;
use rustc_hash::FxHashMap;

const BEAT_MS: u64 = 2_000;
const SILENCE_MS: u64 = 8_000;

/// Heartbeats, ours and the others'.
#[derive(Default)]
pub(super) struct Liveness {
    client: i64,
    next_beat: Millis,
    last_tick: Millis,
    heard: FxHashMap<i64, Millis>,
}

impl Liveness {
    /// `others` were there already, and have time to show that they live.
    pub(super) fn new(client: i64, others: &[i64], now: Millis) -> Self {
        let others = others.iter().filter(|&&other| other != client);
        Self { client, heard: others.map(|&other| (other, now)).collect(), ..Self::default() }
    }

    /// Somebody lives.
    pub(super) fn heard(&mut self, payload: &[u8], now: Millis) {
        let client = std::str::from_utf8(payload).ok().and_then(|text| text.parse().ok());
        if let Some(client) = client.filter(|&client| client != self.client) {
            self.heard.insert(client, now);
        }
    }

    pub(super) fn tick(&mut self, now: Millis, prefix: &str, link: &mut Link) {
        if now.since(self.last_tick) > PAUSE_MS {
            // We were asleep, perhaps: their beats of that time may still be unread.
            self.heard.values_mut().for_each(|heard| *heard = now);
        }
        self.last_tick = now;
        if now >= self.next_beat {
            self.next_beat = now.plus(BEAT_MS);
            let mut beat = redis::cmd("PUBLISH");
            link.command(beat.arg(format!("{prefix}cores")).arg(self.client), Awaited::Publish(None));
        }
        self.heard.retain(|&client, &mut heard| {
            let silent = now.since(heard) > SILENCE_MS;
            if silent {
                let mut kill = redis::cmd("CLIENT");
                link.command(kill.arg("KILL").arg("ID").arg(client), Awaited::Nothing);
            }
            !silent
        });
    }
}
