//! The bus, as `effect.rs` and `event.rs` describe it: channels with a home that orders what is
//! said on them.
//!
//! What one core says on one channel reaches the home in the order said; what the home passes on
//! to one core about one channel reaches it in that order. Nothing else is in any order.

use chatd::chat::envelope::Envelope;
use chatd::chat::event::Channel;
use chatd::chat::ids::{Ticket, UserId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Something on its way to a channel's home.
#[derive(Debug)]
pub enum Op {
    Join { ticket: Ticket, channel: Channel },
    Leave { channel: Channel },
    Publish { ticket: Option<Ticket>, channel: Channel, envelope: Envelope },
    Look { ticket: Ticket, users: Vec<UserId> },
}

#[derive(Default)]
pub struct Bus {
    joined: BTreeMap<Channel, BTreeSet<usize>>,
    /// What each core has asked for: joins and leaves take turns.
    asked: BTreeSet<(usize, Channel)>,
    /// When the last thing on each way arrives.
    up: HashMap<(usize, Channel), u64>,
    down: HashMap<(Channel, usize), u64>,
}

impl Bus {
    /// A core says something: checks that it may, and gives back when it is at the home.
    pub fn say(&mut self, core: usize, op: &Op, soonest: u64) -> u64 {
        let channel = match *op {
            Op::Join { channel, .. } => {
                assert!(self.asked.insert((core, channel)), "core {core} joins {channel:?} twice");
                channel
            }
            Op::Leave { channel } => {
                assert!(self.asked.remove(&(core, channel)), "core {core} leaves {channel:?}, not joined");
                channel
            }
            Op::Publish { channel, .. } => channel,
            Op::Look { .. } => return soonest,
        };
        let last = self.up.entry((core, channel)).or_default();
        *last = soonest.max(*last + 1);
        *last
    }

    /// When something that the home sends now is at the core.
    pub fn pass_on(&mut self, channel: Channel, core: usize, soonest: u64) -> u64 {
        let last = self.down.entry((channel, core)).or_default();
        *last = soonest.max(*last + 1);
        *last
    }

    pub fn join(&mut self, core: usize, channel: Channel) {
        assert!(self.joined.entry(channel).or_default().insert(core));
    }

    /// A join that came to nothing may be left, too.
    pub fn leave(&mut self, core: usize, channel: Channel) {
        if let Some(cores) = self.joined.get_mut(&channel) {
            cores.remove(&core);
        }
    }

    pub fn listeners(&self, channel: Channel) -> Vec<usize> {
        self.joined.get(&channel).map(|cores| cores.iter().copied().collect()).unwrap_or_default()
    }

    /// Channels that anybody listens to.
    pub fn channels(&self) -> BTreeMap<Channel, Vec<usize>> {
        let joined = self.joined.iter().filter(|(_, cores)| !cores.is_empty());
        joined.map(|(&channel, cores)| (channel, cores.iter().copied().collect())).collect()
    }
}
