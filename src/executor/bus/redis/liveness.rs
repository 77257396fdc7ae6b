//! Who of the cluster hangs: a heartbeat a core, and what is done about a core that has none.
//!
//! A server that dies takes its connections with it, and with them its subscriptions. One that
//! hangs keeps them, and its users would look online for ever. So each core says every two seconds
//! that it lives, and names its connection and itself; a connection that is silent for eight is
//! ended by the others, and their hubs are told that its core is gone. Should that core go on, it finds its connection lost, connects again and claims its
//! users anew.

use super::link::{Awaited, Link, PAUSE_MS};
use crate::chat::ids::{CoreId, Millis};
use rustc_hash::FxHashMap;

const BEAT_MS: u64 = 2_000;
const SILENCE_MS: u64 = 8_000;

/// Heartbeats, ours and the others'.
#[derive(Default)]
pub(super) struct Liveness {
    client: i64,
    core: u16,
    next_beat: Millis,
    last_tick: Millis,
    /// Connections, when they were heard last, and of which core they are, once they said so.
    heard: FxHashMap<i64, (Millis, Option<CoreId>)>,
}

impl Liveness {
    /// `others` were there already, and have time to show that they live.
    pub(super) fn new(client: i64, core: CoreId, others: &[i64], now: Millis) -> Self {
        let others = others.iter().filter(|&&other| other != client);
        let heard = others.map(|&other| (other, (now, None))).collect();
        Self { client, core: core.0, heard, ..Self::default() }
    }

    /// Somebody lives. False if that is not what this says.
    pub(super) fn heard(&mut self, payload: &[u8], now: Millis) -> bool {
        let Some((client, core)) = parse(payload) else { return false };
        if client != self.client {
            self.heard.insert(client, (now, Some(core)));
        }
        true
    }

    /// Time has passed. Gives back the cores that are silent for too long: their connections are
    /// ended.
    pub(super) fn tick(&mut self, now: Millis, prefix: &str, link: &mut Link) -> Vec<CoreId> {
        if now.since(self.last_tick) > PAUSE_MS {
            // We were asleep, perhaps: their beats of that time may still be unread.
            self.heard.values_mut().for_each(|(heard, _)| *heard = now);
        }
        self.last_tick = now;
        if now >= self.next_beat {
            self.next_beat = now.plus(BEAT_MS);
            let mut beat = redis::cmd("PUBLISH");
            let says = format!("{} {}", self.client, self.core);
            link.command(beat.arg(format!("{prefix}cores")).arg(says), Awaited::Publish(None));
        }
        let mut gone = Vec::new();
        self.heard.retain(|&client, &mut (heard, core)| {
            let silent = now.since(heard) > SILENCE_MS;
            if silent {
                let mut kill = redis::cmd("CLIENT");
                link.command(kill.arg("KILL").arg("ID").arg(client), Awaited::Nothing);
                gone.extend(core);
            }
            !silent
        });
        gone
    }
}

/// The connection and the core that a heartbeat names.
fn parse(payload: &[u8]) -> Option<(i64, CoreId)> {
    let (client, core) = std::str::from_utf8(payload).ok()?.split_once(' ')?;
    Some((client.parse().ok()?, CoreId(core.parse().ok()?)))
}
