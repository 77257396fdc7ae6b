//! The bus of a cluster: one pipelined RESP3 connection of each core to Redis, on the core's ring.
//!
//! A channel of the bus is a channel of Redis: joining is SUBSCRIBE, the count of who heard is the
//! answer to PUBLISH, and presence is PUBSUB NUMSUB, so nothing has to be cleaned up after a crash.
//! When the connection is lost everything under way is answered as not done, and it is connected
//! again in the background; when every channel is joined again the hub is told so.

mod error;
mod handshake;
mod link;
mod liveness;
mod outage_log;
mod rejoin;
mod resp;
mod retry;
mod roster;
mod server;
mod wire;

pub use error::{RedisError, Refused};
pub use server::Server;

use super::{BusState, Consequences, Heard, Unity, unheard};
use crate::net::ring::Ring;
use crate::net::sockets::Hurry;
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{CoreId, GroupId, Monotonic, RequestId, UserId};
use chatd_chat::port::event::{BusDown, Channel, Event};
use link::{Awaited, Link};
use liveness::{Liveness, Whose};
use redis::Value;
use resp::Frame;
use retry::Retry;
use roster::Roster;
use rustc_hash::{FxHashMap, FxHashSet};
pub(crate) use server::Greeted;
use std::sync::Arc;

/// How long Redis may leave a command unanswered.
const ANSWER_MS: u64 = 2_000;
/// Channels that one SUBSCRIBE joins, and users that one command of a query asks about.
const A_COMMAND: usize = 512;
/// The channel that every core hears, without the prefix: what cores tell all others, and their heartbeats.
const CORES: &[u8] = b"cores";
/// Why a connection is of no use any more.
const ODD: &str = "it does not keep to its protocol";
const REPLICA: &str = "it is a replica now, where cores that use its master are not heard";

/// One core's part of the bus.
pub(crate) struct RedisBus {
    server: Arc<Server>,
    bus_queue: usize,
    core: CoreId,
    link: Option<Link>,
    /// Links that are lost, until the kernel has let go of them.
    lost: Vec<Link>,
    links_made: u32,
    /// What this core has joined or is joining.
    joined: FxHashSet<Channel>,
    /// Channels that are still to be joined again, while there are any, before the hub is told that the bus is back.
    to_rejoin: Option<Vec<Channel>>,
    /// Whether the hub has been told that the bus is lost and not yet that it is back.
    is_rejoining: bool,
    /// Queries who is online that wait for answers: how many answers, and what is known.
    queries: FxHashMap<RequestId, (usize, Vec<bool>)>,
    liveness: Liveness,
    roster: Roster,
    /// Which Redis the link leads to.
    bus: String,
    /// Whether all servers of the database are heard here.
    unity: Unity,
    retry: Retry,
    /// What came on its channels and could not be understood.
    foreign: u64,
    now: Monotonic,
}

/// Why a connection is of no use any more.
#[derive(Debug)]
enum Useless {
    /// Another one may be of use at once.
    This(&'static str),
    /// The other side refuses what it has to do, in its own words, and may refuse it again.
    Refuses(String),
}

impl RedisBus {
    /// The part of the `number`-th core of this process.
    pub(crate) fn new(server: Arc<Server>, greeted: Greeted, number: usize, bus_queue: usize) -> Self {
        let number = u16::try_from(number).expect("fewer cores than core ids");
        let roster = Roster::new(server.id, number);
        let mut bus = Self {
            server,
            bus_queue,
            core: greeted.core,
            link: None,
            lost: Vec::new(),
            links_made: 0,
            joined: FxHashSet::default(),
            to_rejoin: None,
            is_rejoining: false,
            queries: FxHashMap::default(),
            liveness: Liveness::default(),
            roster,
            bus: String::new(),
            unity: Unity::Whole,
            retry: Retry::new(),
            foreign: 0,
            now: Monotonic(0),
        };
        bus.take_link(greeted);
        bus
    }

    /// The number that this core goes by in the cluster.
    pub(crate) fn core(&self) -> CoreId {
        self.core
    }

    pub(crate) fn state(&self) -> BusState {
        match (&self.link, self.unity) {
            (None, _) => BusState::Lost,
            (Some(_), Unity::Split) => BusState::Split,
            (Some(_), Unity::Whole) => BusState::Up,
        }
    }

    /// Whether all servers are heard, as somebody found out who knows them. While they are not, nobody is
    /// let in; when they are again, it is settled who holds whom, as after a loss.
    pub(crate) fn set_unity(&mut self, unity: Unity, due: &mut Consequences) -> Heard {
        let was = std::mem::replace(&mut self.unity, unity);
        self.tell_unity((was, unity), due);
        self.roster.tell(self.link.as_ref().map(|_| self.bus.clone()))
    }

    /// How much has come on its channels that could not be understood: of another version, or a stranger's.
    pub(crate) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Commands that Redis has not answered.
    pub(crate) fn waiting(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.awaited.len())
    }

    fn take_link(&mut self, greeted: Greeted) {
        self.core = greeted.core;
        self.links_made += 1;
        self.liveness = Liveness::new(greeted.client, greeted.core, &greeted.others, self.now);
        self.bus = greeted.bus;
        self.roster.announce();
        self.link = Some(Link::new(self.links_made, greeted.stream, greeted.secure, greeted.heard));
    }

    pub(crate) fn join(&mut self, id: RequestId, channel: Channel, due: &mut Consequences) {
        let name = self.name(channel);
        let may_be_elsewhere = self.unity == Unity::Split && matches!(channel, Channel::User(_));
        match &mut self.link {
            Some(link)
                if !may_be_elsewhere
                    && link.has_room(self.bus_queue, self.server.limits.bus_unsent_bytes) =>
            {
                self.joined.insert(channel);
                let awaited = Awaited::Join { channel, id: Some(id) };
                link.command(redis::cmd("SUBSCRIBE").arg(name), awaited);
            }
            _ => due.push_back(Event::Joined { id, result: Err(BusDown) }),
        }
    }

    pub(crate) fn leave(&mut self, channel: Channel) {
        let name = self.name(channel);
        self.joined.remove(&channel);
        if let Some(link) = &mut self.link {
            link.command(redis::cmd("UNSUBSCRIBE").arg(name), Awaited::Nothing);
        }
    }

    pub(crate) fn publish(
        &mut self,
        id: Option<RequestId>,
        channel: Channel,
        envelope: &Envelope,
        due: &mut Consequences,
    ) {
        let name = self.name(channel);
        match &mut self.link {
            Some(link) if link.has_room(self.bus_queue, self.server.limits.bus_unsent_bytes) => {
                link.publish(&name, envelope.bytes(), id);
            }
            _ => due.extend(id.map(unheard)),
        }
    }

    pub(crate) fn query_presence(&mut self, id: RequestId, users: &[UserId], due: &mut Consequences) {
        let prefix = self.server.prefix.clone();
        let Some(link) = &mut self.link else {
            return due.push_back(Event::PresenceResult { id, online: Err(BusDown) });
        };
        if users.is_empty() {
            return due.push_back(Event::PresenceResult { id, online: Ok(Vec::new()) });
        }
        for (at, some) in users.chunks(A_COMMAND).enumerate() {
            let mut command = redis::cmd("PUBSUB");
            command.arg("NUMSUB");
            for user in some {
                command.arg(format!("{prefix}u:{user}"));
            }
            link.command(&command, Awaited::QueryPresence { id, from: at * A_COMMAND });
        }
        self.queries.insert(id, (users.len().div_ceil(A_COMMAND), vec![false; users.len()]));
    }

    /// Time passes: the connection is watched, and made again if it is lost.
    pub(crate) fn tick(&mut self, now: Monotonic, due: &mut Consequences) {
        self.now = now;
        if let Some(result) = self.retry.ended() {
            self.retried(result);
        }
        if self.link.as_mut().is_some_and(Link::is_new) {
            self.take_in(due);
        }
        let prefix = &self.server.prefix;
        let Some(link) = &mut self.link else {
            return self.retry.tick(&self.server, self.core, now);
        };
        if link.is_overdue(now, ANSWER_MS) {
            return self.lose("it does not answer", due);
        }
        let (beat, gone) = self.liveness.tick(now, prefix, link);
        if beat {
            link.command(redis::cmd("INFO").arg("replication"), Awaited::Role);
            self.roster.announce();
        }
        if let Some(says) = self.roster.due(&self.liveness.says()) {
            let mut publish = redis::cmd("PUBLISH");
            link.command(publish.arg(format!("{prefix}cores")).arg(says), Awaited::Nothing);
        }
        due.extend(gone.into_iter().map(|core| Event::CoreGone { core }));
        self.go_on_rejoining();
    }

    fn retried(&mut self, result: Result<Greeted, RedisError>) {
        match result {
            Ok(greeted) => {
                self.take_link(greeted);
                self.begin_to_rejoin();
                self.server.outage_log.back(&self.server.at());
            }
            Err(error) => {
                self.retry.failed(self.now);
                self.server.outage_log.failed(error.to_string());
            }
        }
    }

    /// The connection is of no use any more: nothing that is under way has been done.
    pub(crate) fn lose(&mut self, why: &str, due: &mut Consequences) {
        let Some(mut link) = self.link.take() else { return };
        self.to_rejoin = None;
        for awaited in link.awaited.drain(..) {
            match awaited {
                Awaited::Publish(id) => due.extend(id.map(unheard)),
                Awaited::Join { channel, id } => {
                    self.joined.remove(&channel);
                    due.extend(id.map(|id| Event::Joined { id, result: Err(BusDown) }));
                }
                Awaited::QueryPresence { id, .. } => {
                    if self.queries.remove(&id).is_some() {
                        due.push_back(Event::PresenceResult { id, online: Err(BusDown) });
                    }
                }
                Awaited::Rejoin | Awaited::Rejoined | Awaited::Role | Awaited::Nothing => {}
            }
        }
        self.is_rejoining = true;
        due.push_back(Event::BusLost);
        link.shutdown();
        if link.is_busy() {
            self.lost.push(link);
        }
        self.retry.soon(self.now);
        self.server.outage_log.lost(&self.server.at(), why);
    }

    fn give_up(&mut self, why: Useless, due: &mut Consequences) {
        match why {
            Useless::This(why) => self.lose(why, due),
            Useless::Refuses(why) => {
                self.lose(&format!("it refuses what it has to do: {why}"), due);
                self.retry.later(self.now);
            }
        }
    }

    /// Submits what is to be sent; or sends it at once, if nothing else is to be done.
    pub(crate) fn flush(&mut self, ring: &mut Ring, hurry: Hurry) {
        if let Some(link) = &mut self.link {
            link.flush(ring, hurry);
        }
    }

    /// Whether something waits to be submitted.
    pub(crate) fn has_work(&self) -> bool {
        self.link.as_ref().is_some_and(Link::has_work)
    }

    /// A send of a link has completed.
    pub(crate) fn sent(&mut self, number: u32, result: i32, due: &mut Consequences) {
        match &mut self.link {
            Some(link) if link.number == number => {
                if !link.sent(result) {
                    self.lose("the connection broke", due);
                }
            }
            _ => self.release(number, Link::let_go_of_send),
        }
    }

    /// A receive of a link has completed, perhaps with bytes.
    pub(crate) fn received(&mut self, number: u32, bytes: &[u8], result: i32, due: &mut Consequences) {
        let Some(link) = self.link.as_mut().filter(|link| link.number == number) else {
            return self.release(number, Link::let_go_of_receive);
        };
        link.receiving = false;
        if bytes.is_empty() {
            let again = [-libc::ENOBUFS, -libc::EAGAIN, -libc::EINTR].contains(&result);
            if !again {
                self.lose("it closed the connection", due);
            }
            return;
        }
        if !link.hear(bytes) {
            return self.lose("what it says is not encrypted as it should be", due);
        }
        self.take_in(due);
    }

    /// Takes in the frames that are whole.
    fn take_in(&mut self, due: &mut Consequences) {
        let Some(link) = self.link.as_mut() else { return };
        let (mut at, read) = (0, std::mem::take(&mut link.read));
        loop {
            match resp::next(&read[at..], self.server.limits.bus_frame_bytes) {
                Ok(None) => break,
                Ok(Some((frame, length))) => {
                    at += length;
                    if let Err(why) = self.heard(frame, due) {
                        return self.give_up(why, due);
                    }
                }
                Err(fault) => return self.lose(fault.why(), due),
            }
        }
        if let Some(link) = &mut self.link {
            link.read = read;
            link.read.drain(..at);
            link.answered_at = self.now;
        }
    }

    fn release(&mut self, number: u32, let_go: impl Fn(&mut Link)) {
        self.lost.iter_mut().filter(|link| link.number == number).for_each(let_go);
        self.lost.retain(Link::is_busy);
    }

    /// Takes in one frame; an error says why the connection is of no use any more.
    fn heard(&mut self, frame: Frame<'_>, due: &mut Consequences) -> Result<(), Useless> {
        match frame {
            Frame::Message { channel, payload } => {
                self.message(channel, payload, due);
                Ok(())
            }
            Frame::Integer(number) => match self.next_awaited() {
                Some(Awaited::Publish(id)) => {
                    let receivers = Ok(u32::try_from(number).unwrap_or(0));
                    due.extend(id.map(|id| Event::Published { id, receivers }));
                    Ok(())
                }
                Some(Awaited::Nothing) => Ok(()),
                _ => Err(Useless::This(ODD)),
            },
            Frame::Other(bytes) => match redis::parse_redis_value(bytes) {
                Ok(Value::Push {
                    kind: redis::PushKind::Subscribe | redis::PushKind::Unsubscribe, ..
                }) => self.answered(&Value::Okay, due),
                Ok(Value::Push { .. }) => Ok(()),
                Ok(value) => self.answered(&value, due),
                Err(_) => Err(Useless::This(ODD)),
            },
        }
    }

    fn next_awaited(&mut self) -> Option<Awaited> {
        self.link.as_mut()?.awaited.pop_front()
    }

    fn answered(&mut self, value: &Value, due: &mut Consequences) -> Result<(), Useless> {
        // What is refused once is refused the next time, and a connection that can only half of it is none.
        if let Value::ServerError(error) = value {
            return Err(match error.code() {
                "READONLY" => Useless::This(REPLICA),
                _ => Useless::Refuses(handshake::words(&error.clone().into())),
            });
        }
        match self.next_awaited() {
            None => return Err(Useless::This(ODD)),
            Some(Awaited::Nothing) => {}
            Some(Awaited::Publish(id)) => due.extend(id.map(unheard)),
            Some(Awaited::Join { id, .. }) => {
                due.extend(id.map(|id| Event::Joined { id, result: Ok(()) }));
            }
            // What is published on a replica is heard by nobody at its master, and is no error.
            Some(Awaited::Role) if server::is_replica(value) => return Err(Useless::This(REPLICA)),
            Some(Awaited::Role) => {}
            Some(Awaited::Rejoin) => {}
            Some(Awaited::Rejoined) => self.rejoined(due),
            Some(Awaited::QueryPresence { id, from }) => self.on_counts(id, from, value, due),
        }
        Ok(())
    }

    /// The answer to PUBSUB NUMSUB: a name and a count for each.
    fn on_counts(&mut self, id: RequestId, from: usize, value: &Value, due: &mut Consequences) {
        let Some((others, online)) = self.queries.get_mut(&id) else { return };
        let Value::Array(pairs) = value else {
            self.queries.remove(&id);
            return due.push_back(Event::PresenceResult { id, online: Err(BusDown) });
        };
        for (at, pair) in pairs.chunks_exact(2).enumerate() {
            if let (Some(slot), Value::Int(count)) = (online.get_mut(from + at), &pair[1]) {
                *slot = *count > 0;
            }
        }
        *others -= 1;
        if *others == 0 {
            let (_, online) = self.queries.remove(&id).expect("looked at above");
            due.push_back(Event::PresenceResult { id, online: Ok(online) });
        }
    }

    fn message(&mut self, channel: &[u8], payload: &[u8], due: &mut Consequences) {
        let Some(name) = channel.strip_prefix(self.server.prefix.as_bytes()) else { return };
        if name == CORES {
            match self.liveness.heard(payload) {
                Some(Whose::Own) => return self.roster.beat(),
                Some(Whose::Other) => return,
                None => {}
            }
            if let Some(heartbeat) = self.roster.heard(payload) {
                return self.liveness.learn(heartbeat);
            }
        }
        // An envelope of another version, or a stranger's: not for us.
        match (parse(name), Envelope::open(Arc::from(payload))) {
            (Some(channel), Ok(envelope)) => due.push_back(Event::Arrived { channel, envelope }),
            // Who connects tries whether it may publish, with nothing.
            _ => self.foreign += u64::from(!payload.is_empty()),
        }
    }

    fn name(&self, channel: Channel) -> String {
        match channel {
            Channel::User(user) => format!("{}u:{user}", self.server.prefix),
            Channel::Group(group) => format!("{}g:{group}", self.server.prefix),
            Channel::Cores => format!("{}cores", self.server.prefix),
        }
    }
}

/// `u:7`, `g:7` or `cores`.
fn parse(name: &[u8]) -> Option<Channel> {
    if name == CORES {
        return Some(Channel::Cores);
    }
    let (kind, number) = name.split_at_checked(2)?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    match kind {
        b"u:" => UserId::new(number).map(Channel::User),
        b"g:" => GroupId::new(number).map(Channel::Group),
        _ => None,
    }
}
