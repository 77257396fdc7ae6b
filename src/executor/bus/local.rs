//! The bus within one process: each core is home to a slice of the channels, and plays for it the
//! part that Redis plays in a cluster. Parcels go over a bounded channel for each pair of cores and direction.

use super::core_link::CoreLink;
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

/// A parcel: what goes from one core to another of the same process.
#[derive(Debug)]
pub(crate) enum Parcel {
    // To the channel's home.
    Join { id: RequestId, channel: Channel },
    Leave { channel: Channel },
    Publish { id: Option<RequestId>, channel: Channel, envelope: Envelope },
    QueryPresence { id: RequestId, users: Vec<(u32, UserId)> },
    // From there.
    Joined { id: RequestId },
    Published { id: RequestId, receivers: Result<u32, BusDown> },
    Arrived { channel: Channel, envelope: Envelope },
    PresenceResult { id: RequestId, online: Vec<(u32, bool)> },
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
    links: Vec<Option<Rc<CoreLink>>>,
    bus_queue: usize,
    /// Who has joined the channels that this core is home to.
    joined: FxHashMap<Channel, Vec<usize>>,
    /// Queries who is online that wait for other homes: how many homes, and what is known.
    queries: FxHashMap<RequestId, (usize, Vec<bool>)>,
}

impl LocalBus {
    /// The part of a core, and the channels on which the others send to it.
    pub(crate) fn new(core: usize, ends: Ends, bus_queue: usize) -> (Self, Vec<(usize, Receiver<Parcel>)>) {
        let links = ends.to.into_iter().map(|to| to.map(|to| Rc::new(CoreLink::new(to)))).collect();
        let bus =
            Self { core, links, bus_queue, joined: FxHashMap::default(), queries: FxHashMap::default() };
        let from = ends.from.into_iter().enumerate();
        (bus, from.filter_map(|(core, from)| from.map(|from| (core, from))).collect())
    }

    /// Parcels that wait for room on their way to other cores.
    pub(crate) fn waiting(&self) -> usize {
        self.links.iter().flatten().map(|link| link.waiting()).sum()
    }

    fn home(&self, channel: Channel) -> usize {
        let number = match channel {
            Channel::User(user) => user.get(),
            Channel::Group(group) => group.get(),
            Channel::Cores => unreachable!("a channel without a home"),
        };
        number as usize % self.links.len()
    }

    pub(crate) fn join(&mut self, id: RequestId, channel: Channel, due: &mut Consequences) {
        let home = self.home(channel);
        if home == self.core {
            self.joined.entry(channel).or_default().push(home);
            due.push_back(Event::Joined { id, result: Ok(()) });
        } else if self.send(home, Parcel::Join { id, channel }).is_err() {
            due.push_back(Event::Joined { id, result: Err(BusDown) });
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
        id: Option<RequestId>,
        channel: Channel,
        envelope: Envelope,
        due: &mut Consequences,
    ) {
        if channel == Channel::Cores {
            let receivers = self.tell_all(&envelope);
            return due.extend(id.map(|id| Event::Published { id, receivers }));
        }
        let home = self.home(channel);
        if home == self.core {
            let receivers = self.fan_out(channel, &envelope, due);
            if let Some(id) = id {
                due.push_back(Event::Published { id, receivers });
            }
        } else if self.send(home, Parcel::Publish { id, channel, envelope }).is_err()
            && let Some(id) = id
        {
            due.push_back(unheard(id));
        }
    }

    pub(crate) fn query_presence(&mut self, id: RequestId, users: &[UserId], due: &mut Consequences) {
        let mut asked: Vec<Vec<(u32, UserId)>> = vec![Vec::new(); self.links.len()];
        for (at, &user) in users.iter().enumerate() {
            asked[self.home(Channel::User(user))].push((at as u32, user));
        }
        let mut online = vec![false; users.len()];
        for (at, is_online) in self.who_is_joined(&asked[self.core]) {
            online[at as usize] = is_online;
        }
        asked[self.core].clear();
        let mut others = 0;
        for (home, users) in asked.into_iter().enumerate().filter(|(_, users)| !users.is_empty()) {
            if self.send(home, Parcel::QueryPresence { id, users }).is_err() {
                self.queries.remove(&id);
                return due.push_back(Event::PresenceResult { id, online: Err(BusDown) });
            }
            others += 1;
        }
        if others == 0 {
            due.push_back(Event::PresenceResult { id, online: Ok(online) });
        } else {
            self.queries.insert(id, (others, online));
        }
    }

    /// Takes in what another core has sent.
    pub(crate) fn receive(&mut self, from: usize, parcel: Parcel, due: &mut Consequences) {
        match parcel {
            Parcel::Arrived { channel, envelope } => due.push_back(Event::Arrived { channel, envelope }),
            Parcel::Published { id, receivers } => due.push_back(Event::Published { id, receivers }),
            Parcel::Joined { id } => due.push_back(Event::Joined { id, result: Ok(()) }),
            Parcel::PresenceResult { id, online } => self.add_to_query(id, online, due),
            Parcel::Publish { id, channel, envelope } => {
                let receivers = self.fan_out(channel, &envelope, due);
                if let Some(id) = id {
                    self.send_always(from, Parcel::Published { id, receivers });
                }
            }
            Parcel::Join { id, channel } => {
                self.joined.entry(channel).or_default().push(from);
                self.send_always(from, Parcel::Joined { id });
            }
            Parcel::Leave { channel } => self.forget(channel, from),
            Parcel::QueryPresence { id, users } => {
                let online = self.who_is_joined(&users);
                self.send_always(from, Parcel::PresenceResult { id, online });
            }
        }
    }

    fn add_to_query(&mut self, id: RequestId, part: Vec<(u32, bool)>, due: &mut Consequences) {
        let Some((others, online)) = self.queries.get_mut(&id) else { return };
        for (at, is_online) in part {
            online[at as usize] = is_online;
        }
        *others -= 1;
        if *others == 0 {
            let (_, online) = self.queries.remove(&id).expect("looked at above");
            due.push_back(Event::PresenceResult { id, online: Ok(online) });
        }
    }

    fn who_is_joined(&self, users: &[(u32, UserId)]) -> Vec<(u32, bool)> {
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

    /// Sends to every core that has joined; how many those are. Who is so far behind that its link is full does not hear
    /// it: then it is not known how many hear it, for whoever counts them waits for all.
    fn fan_out(
        &mut self,
        channel: Channel,
        envelope: &Envelope,
        due: &mut Consequences,
    ) -> Result<u32, BusDown> {
        let Some(joined) = self.joined.get(&channel) else { return Ok(0) };
        let mut receivers = Ok(0);
        for &core in joined {
            let envelope = envelope.clone();
            let sent = if core == self.core {
                due.push_back(Event::Arrived { channel, envelope });
                Ok(())
            } else {
                self.send(core, Parcel::Arrived { channel, envelope })
            };
            receivers = sent.and(receivers.map(|receivers| receivers + 1));
        }
        receivers
    }

    /// Sends to every other core. Nothing is done by halves here: if one link is full, it is to be
    /// said again to all.
    fn tell_all(&self, envelope: &Envelope) -> Result<u32, BusDown> {
        let others = (0..self.links.len()).filter(|&core| core != self.core);
        let mut receivers = Ok(0);
        for core in others {
            let parcel = Parcel::Arrived { channel: Channel::Cores, envelope: envelope.clone() };
            receivers = self.send(core, parcel).and(receivers.map(|receivers| receivers + 1));
        }
        receivers
    }

    /// Sends what may be refused when its link is full.
    fn send(&self, core: usize, parcel: Parcel) -> Result<(), BusDown> {
        let link = self.links[core].as_ref().expect("there is a link to every other core");
        if link.waiting() >= self.bus_queue {
            return Err(BusDown);
        }
        link.send(parcel);
        Ok(())
    }

    /// Sends what answers or undoes something that was sent before, and is bounded by that.
    fn send_always(&self, core: usize, parcel: Parcel) {
        self.links[core].as_ref().expect("there is a link to every other core").send(parcel);
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
