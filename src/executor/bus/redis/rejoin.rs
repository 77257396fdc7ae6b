//! Joining again: after the link was lost, every channel that a core is on, a part of them a tick.
//!
//! The hub is told that the bus is back when all of them are joined, and whether what it hears can be relied on.

use super::link::Awaited;
use super::{A_COMMAND, RedisBus};
use crate::bus::{Consequences, Unity};
use chatd_chat::model::ids::Monotonic;
use chatd_chat::port::event::{Channel, Event};

/// Channels that are joined again in one tick, in commands: more would hold up everybody else for too long.
const COMMANDS_A_TICK: usize = 8;

impl RedisBus {
    /// The link is new: the next ticks join everything again.
    pub(super) fn begin_to_rejoin(&mut self) {
        self.to_rejoin = Some(self.joined.iter().copied().collect());
    }

    /// Joins some of what is still to be joined again. Who has left meanwhile is passed over.
    pub(super) fn go_on_rejoining(&mut self) {
        for _ in 0..COMMANDS_A_TICK {
            let Some(left) = &mut self.to_rejoin else { return };
            let mut channels: Vec<Channel> = left.split_off(left.len().saturating_sub(A_COMMAND));
            let is_last = left.is_empty();
            channels.retain(|channel| self.joined.contains(channel));
            channels.sort_unstable();
            let names: Vec<String> = channels.iter().map(|&channel| self.name(channel)).collect();
            let Some(link) = &mut self.link else { return };
            if !names.is_empty() {
                let mut command = redis::cmd("SUBSCRIBE");
                names.iter().for_each(|name| {
                    command.arg(name);
                });
                link.write(&command);
                link.awaited.extend(channels.iter().map(|_| Awaited::Rejoin));
            }
            if is_last {
                // An answer that comes after all of them, even if there are none.
                link.command(&redis::cmd("PING"), Awaited::Rejoined);
                self.to_rejoin = None;
            }
        }
    }

    /// Every channel is joined again. Where there are servers that do not hear this one, it is still as good as lost.
    pub(super) fn rejoined(&mut self, due: &mut Consequences) {
        self.is_rejoining = false;
        due.push_back(Event::Rejoined { core: self.core });
        if self.unity == Unity::Split {
            due.push_back(Event::BusLost);
        }
    }

    /// Whether all servers are heard has perhaps changed. While the link joins again what it had joined, the hub knows that
    /// the bus is lost, and will hear when it is back.
    pub(super) fn tell_unity(&self, change: (Unity, Unity), due: &mut Consequences) {
        if self.link.is_none() || self.is_rejoining {
            return;
        }
        match change {
            (Unity::Split, Unity::Whole) => due.push_back(Event::Rejoined { core: self.core }),
            (Unity::Whole, Unity::Split) => due.push_back(Event::BusLost),
            (Unity::Whole, Unity::Whole) | (Unity::Split, Unity::Split) => {}
        }
    }

    /// A turn begins: whether this core has slept for so long that others may have given it up. The hub is to know before
    /// it hears of anything else.
    pub(crate) fn check_silence(&mut self, now: Monotonic, due: &mut Consequences) {
        self.now = now;
        if self.link.is_none() {
            return;
        }
        match self.liveness.silence(now) {
            Some(true) => due.push_back(Event::BusSilent),
            Some(false) => due.push_back(Event::BusHeard),
            None => {}
        }
    }
}
