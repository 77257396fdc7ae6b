//! The bus, as `effect.rs` and `event.rs` describe it: channels with a home that orders what is
//! said on them.
//!
//! What one core says on one channel reaches the home in the order said; what the home passes on
//! to one core about one channel reaches it in that order. Nothing else is in any order.

use chatd::chat::model::envelope::Envelope;
use chatd::chat::model::ids::{RequestId, UserId};
use chatd::chat::port::event::Channel;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Something on its way to a channel's home.
#[derive(Debug)]
pub enum Op {
    Join {
        ticket: RequestId,
        channel: Channel,
    },
    /// After the core was cut off: what it had joined is joined again.
    Rejoin {
        channel: Channel,
    },
    Leave {
        channel: Channel,
    },
    Publish {
        ticket: Option<RequestId>,
        channel: Channel,
        envelope: Envelope,
    },
    Look {
        ticket: RequestId,
        users: Vec<UserId>,
    },
}

#[derive(Default)]
pub struct Bus {
    joined: BTreeMap<Channel, BTreeSet<usize>>,
    /// What each core has asked for: joins and leaves take turns.
    asked: BTreeSet<(usize, Channel)>,
    /// What a core that was cut off joins again when it is back.
    wanted: BTreeSet<(usize, Channel)>,
    /// Which of two buses a listener is on, if there are two.
    sides: HashMap<usize, bool>,
    /// When the last thing on each way arrives.
    up: HashMap<(usize, Channel), u64>,
    down: HashMap<(Channel, usize), u64>,
}

impl Bus {
    /// A core says something: checks that it may. `down` if it is cut off.
    pub fn check(&mut self, core: usize, op: &Op, down: bool) {
        match *op {
            Op::Join { channel, .. } => {
                assert!(self.asked.insert((core, channel)), "core {core} joins {channel:?} twice");
                if !down {
                    self.wanted.insert((core, channel));
                }
            }
            Op::Leave { channel } => {
                assert!(self.asked.remove(&(core, channel)), "core {core} leaves {channel:?}, not joined");
                self.wanted.remove(&(core, channel));
            }
            Op::Rejoin { .. } | Op::Publish { .. } | Op::Look { .. } => {}
        }
    }

    /// When something that a core says now is at the home.
    pub fn say(&mut self, core: usize, op: &Op, soonest: u64) -> u64 {
        let channel = match *op {
            Op::Join { channel, .. }
            | Op::Rejoin { channel }
            | Op::Leave { channel }
            | Op::Publish { channel, .. } => channel,
            Op::Look { .. } => return soonest,
        };
        let last = self.up.entry((core, channel)).or_default();
        *last = soonest.max(*last + 1);
        *last
    }

    /// The bus is two from now on: this core is on that side of it.
    pub fn move_to(&mut self, core: usize, side: bool) {
        self.sides.insert(core, side);
    }

    /// The bus is one again.
    pub fn unite(&mut self) {
        self.sides.clear();
    }

    /// Whether what one core says can reach the other.
    pub fn are_together(&self, one: usize, other: usize) -> bool {
        let side = |core| self.sides.get(core).copied().unwrap_or_default();
        side(&one) == side(&other)
    }

    /// A join came to nothing.
    pub fn forget(&mut self, core: usize, channel: Channel) {
        self.wanted.remove(&(core, channel));
    }

    /// What a core joins again.
    pub fn wanted(&self, core: usize) -> Vec<Channel> {
        self.wanted.iter().filter(|(of, _)| *of == core).map(|&(_, channel)| channel).collect()
    }

    /// The home no longer takes the core for a listener.
    pub fn cut(&mut self, core: usize) {
        self.joined.values_mut().for_each(|cores| cores.retain(|&other| other != core));
    }

    /// The core is dead: somebody else will have its number. The home takes it for a listener, as
    /// `ghost`, until that is cut.
    pub fn die(&mut self, core: usize, ghost: usize) {
        for cores in self.joined.values_mut() {
            if cores.remove(&core) {
                cores.insert(ghost);
            }
        }
        self.asked.retain(|(of, _)| *of != core);
        self.wanted.retain(|(of, _)| *of != core);
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
