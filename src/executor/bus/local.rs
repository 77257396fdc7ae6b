//! The bus within one process: each core is home to a slice of the channels, and plays for it the
//! part that Redis plays in a cluster. Parcels go over a bounded channel for each pair of cores and direction.

use super::way::Way;
use super::{Consequences, unheard};
use crate::event_loop::give_way;
use crate::shard::SharedShard;
use chatd_chat::model::envelope::{Envelope, Kind};
use chatd_chat::model::ids::{RequestId, UserId};
use chatd_chat::port::event::{BusDown, Channel, Event};
use flume::{Receiver, Sender};
use rustc_hash::FxHashMap;
use std::rc::Rc;

/// Parcels that the channel between two cores holds; what is more waits at its sender.
const CHANNEL_PARCELS: usize = 1_024;

/// What goes from one core to another.
#[derive(Debug)]
pub(crate) enum Parcel {
    // To the channel's home.
    Join { ticket: RequestId, channel: Channel },
    Leave { channel: Channel },
    Publish { ticket: Option<RequestId>, channel: Channel, envelope: Envelope },
    Look { ticket: RequestId, users: Vec<(u32, UserId)> },
    // From there.
    Joined { ticket: RequestId },
    Counted { ticket: RequestId, heard: Result<u32, BusDown> },
    Arrived { channel: Channel, envelope: Envelope },
    Looked { ticket: RequestId, online: Vec<(u32, bool)> },
}

impl Parcel {
    /// Whether another core wants to hold a session that may be held here.
    pub(crate) fn is_claim(&self) -> bool {
        match self {
            Parcel::Publish { envelope, .. } | Parcel::Arrived { envelope, .. } => {
                envelope.kind() == Kind::Claim
            }
            _ => false,
        }
    }
}

/// The ends of the channels of one core, before its executor runs.
pub struct Ends {
    to: Vec<Option<Sender<Parcel>>>,
    from: Vec<Option<Receiver<Parcel>>>,
}

/// Channels between all pairs of `cores`, sorted by core.
pub fn channels(cores: usize) -> Vec<Ends> {
    let mut ends: Vec<Ends> =
        (0..cores).map(|_| Ends { to: Vec::new(), from: (0..cores).map(|_| None).collect() }).collect();
    for sender in 0..cores {
        for receiver in 0..cores {
            if sender == receiver {
                ends[sender].to.push(None);
                continue;
            }
            let (to, from) = flume::bounded(CHANNEL_PARCELS);
            ends[sender].to.push(Some(to));
            ends[receiver].from[sender] = Some(from);
        }
    }
    ends
}

/// One core's part of the bus.
pub(crate) struct LocalBus {
    core: usize,
    ways: Vec<Option<Rc<Way>>>,
    bus_queue: usize,
    /// Who has joined the channels that this core is home to.
    joined: FxHashMap<Channel, Vec<usize>>,
    /// Looks that wait for other homes: how many, and what is known.
    looks: FxHashMap<RequestId, (usize, Vec<bool>)>,
}

impl LocalBus {
    /// The part of a core, and the channels on which the others send to it.
    pub(crate) fn new(core: usize, ends: Ends, bus_queue: usize) -> (Self, Vec<(usize, Receiver<Parcel>)>) {
        let ways = ends.to.into_iter().map(|to| to.map(|to| Rc::new(Way::new(to)))).collect();
        let bus = Self { core, ways, bus_queue, joined: FxHashMap::default(), looks: FxHashMap::default() };
        let from = ends.from.into_iter().enumerate();
        (bus, from.filter_map(|(core, from)| from.map(|from| (core, from))).collect())
    }

    /// Parcels that wait for room on their way to other cores.
    pub(crate) fn waiting(&self) -> usize {
        self.ways.iter().flatten().map(|way| way.waiting()).sum()
    }

    fn home(&self, channel: Channel) -> usize {
        let number = match channel {
            Channel::User(user) => user.get(),
            Channel::Group(group) => group.get(),
            Channel::Cores => unreachable!("a channel without a home"),
        };
        number as usize % self.ways.len()
    }

    pub(crate) fn join(&mut self, ticket: RequestId, channel: Channel, due: &mut Consequences) {
        let home = self.home(channel);
        if home == self.core {
            self.joined.entry(channel).or_default().push(home);
            due.push_back(Event::Joined { id: ticket, result: Ok(()) });
        } else if self.send(home, Parcel::Join { ticket, channel }).is_err() {
            due.push_back(Event::Joined { id: ticket, result: Err(BusDown) });
        }
    }

    pub(crate) fn leave(&mut self, channel: Channel) {
        let home = self.home(channel);
        if home == self.core {
            self.forget(channel, home);
        } else {
            self.send_always(home, Parcel::Leave { channel });
        }
    }

    pub(crate) fn publish(
        &mut self,
        ticket: Option<RequestId>,
        channel: Channel,
        envelope: Envelope,
        due: &mut Consequences,
    ) {
        if channel == Channel::Cores {
            let heard = self.tell_all(&envelope);
            return due.extend(ticket.map(|ticket| Event::Published { id: ticket, receivers: heard }));
        }
        let home = self.home(channel);
        if home == self.core {
            let heard = self.fan_out(channel, &envelope, due);
            if let Some(ticket) = ticket {
                due.push_back(Event::Published { id: ticket, receivers: heard });
            }
        } else if self.send(home, Parcel::Publish { ticket, channel, envelope }).is_err()
            && let Some(ticket) = ticket
        {
            due.push_back(unheard(ticket));
        }
    }

    pub(crate) fn look(&mut self, ticket: RequestId, users: &[UserId], due: &mut Consequences) {
        let mut asked: Vec<Vec<(u32, UserId)>> = vec![Vec::new(); self.ways.len()];
        for (at, &user) in users.iter().enumerate() {
            asked[self.home(Channel::User(user))].push((at as u32, user));
        }
        let mut online = vec![false; users.len()];
        for (at, is_online) in self.looked(&asked[self.core]) {
            online[at as usize] = is_online;
        }
        asked[self.core].clear();
        let mut others = 0;
        for (home, users) in asked.into_iter().enumerate().filter(|(_, users)| !users.is_empty()) {
            if self.send(home, Parcel::Look { ticket, users }).is_err() {
                self.looks.remove(&ticket);
                return due.push_back(Event::PresenceResult { id: ticket, online: Err(BusDown) });
            }
            others += 1;
        }
        if others == 0 {
            due.push_back(Event::PresenceResult { id: ticket, online: Ok(online) });
        } else {
            self.looks.insert(ticket, (others, online));
        }
    }

    /// Takes in what another core has sent.
    pub(crate) fn receive(&mut self, from: usize, parcel: Parcel, due: &mut Consequences) {
        match parcel {
            Parcel::Arrived { channel, envelope } => due.push_back(Event::Arrived { channel, envelope }),
            Parcel::Counted { ticket, heard } => {
                due.push_back(Event::Published { id: ticket, receivers: heard })
            }
            Parcel::Joined { ticket } => due.push_back(Event::Joined { id: ticket, result: Ok(()) }),
            Parcel::Looked { ticket, online } => self.gather(ticket, online, due),
            Parcel::Publish { ticket, channel, envelope } => {
                let heard = self.fan_out(channel, &envelope, due);
                if let Some(ticket) = ticket {
                    self.send_always(from, Parcel::Counted { ticket, heard });
                }
            }
            Parcel::Join { ticket, channel } => {
                self.joined.entry(channel).or_default().push(from);
                self.send_always(from, Parcel::Joined { ticket });
            }
            Parcel::Leave { channel } => self.forget(channel, from),
            Parcel::Look { ticket, users } => {
                let online = self.looked(&users);
                self.send_always(from, Parcel::Looked { ticket, online });
            }
        }
    }

    fn gather(&mut self, ticket: RequestId, part: Vec<(u32, bool)>, due: &mut Consequences) {
        let Some((others, online)) = self.looks.get_mut(&ticket) else { return };
        for (at, is_online) in part {
            online[at as usize] = is_online;
        }
        *others -= 1;
        if *others == 0 {
            let (_, online) = self.looks.remove(&ticket).expect("looked at above");
            due.push_back(Event::PresenceResult { id: ticket, online: Ok(online) });
        }
    }

    fn looked(&self, users: &[(u32, UserId)]) -> Vec<(u32, bool)> {
        users.iter().map(|&(at, user)| (at, self.joined.contains_key(&Channel::User(user)))).collect()
    }

    fn forget(&mut self, channel: Channel, core: usize) {
        if let Some(joined) = self.joined.get_mut(&channel) {
            joined.retain(|&other| other != core);
            if joined.is_empty() {
                self.joined.remove(&channel);
            }
        }
    }

    /// Sends to every core that has joined; how many those are. Who is so far behind that its way is full does not hear
    /// it: then it is not known how many hear it, for whoever counts them waits for all.
    fn fan_out(
        &mut self,
        channel: Channel,
        envelope: &Envelope,
        due: &mut Consequences,
    ) -> Result<u32, BusDown> {
        let Some(joined) = self.joined.get(&channel) else { return Ok(0) };
        let mut heard = Ok(0);
        for &core in joined {
            let envelope = envelope.clone();
            let sent = if core == self.core {
                due.push_back(Event::Arrived { channel, envelope });
                Ok(())
            } else {
                self.send(core, Parcel::Arrived { channel, envelope })
            };
            heard = sent.and(heard.map(|heard| heard + 1));
        }
        heard
    }

    /// Sends to every other core. Nothing is done by halves here: if one way is full, it is to be
    /// said again to all.
    fn tell_all(&self, envelope: &Envelope) -> Result<u32, BusDown> {
        let others = (0..self.ways.len()).filter(|&core| core != self.core);
        let mut heard = Ok(0);
        for core in others {
            let parcel = Parcel::Arrived { channel: Channel::Cores, envelope: envelope.clone() };
            heard = self.send(core, parcel).and(heard.map(|heard| heard + 1));
        }
        heard
    }

    /// Sends what may be refused when its way is full.
    fn send(&self, core: usize, parcel: Parcel) -> Result<(), BusDown> {
        let way = self.ways[core].as_ref().expect("there is a way to every other core");
        if way.waiting() >= self.bus_queue {
            return Err(BusDown);
        }
        way.send(parcel);
        Ok(())
    }

    /// Sends what answers or undoes something that was sent before, and is bounded by that.
    fn send_always(&self, core: usize, parcel: Parcel) {
        self.ways[core].as_ref().expect("there is a way to every other core").send(parcel);
    }
}

/// Hands the parcels of one other core to this core's hub, many in a turn, until that core is gone.
pub(crate) async fn receive(shard: SharedShard, from: usize, parcels: Receiver<Parcel>) {
    const PARCELS_A_TURN: usize = 64;
    while let Ok(first) = parcels.recv_async().await {
        {
            let mut shard = shard.borrow_mut();
            shard.begin_turn();
            let more = std::iter::from_fn(|| parcels.try_recv().ok());
            for parcel in std::iter::once(first).chain(more).take(PARCELS_A_TURN) {
                shard.receive(from, parcel);
            }
        }
        give_way().await;
    }
}
