//! The bus of a cluster: one pipelined RESP3 connection of each core to Redis, on the core's ring.
//!
//! A channel of the bus is a channel of Redis: joining is SUBSCRIBE, the count of who heard is the
//! answer to PUBLISH, and presence is PUBSUB NUMSUB, so nothing has to be cleaned up after a crash.
//! When the connection is lost everything under way is answered as not done, and it is connected
//! again in the background; when every channel is joined again the hub is told so.

mod hearing;
mod link;
mod liveness;
mod resp;
mod server;

pub use server::{RedisError, Server};

use super::{BusState, Consequences, Heard, Unity, unheard};
use crate::net::ring::Ring;
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{CoreId, GroupId, Monotonic, RequestId, UserId};
use chatd_chat::port::event::{BusDown, Channel, Event};
use chatd_process::log;
use flume::{Receiver, Sender};
use hearing::Hearing;
use link::{Awaited, Link};
use liveness::{Liveness, Whose};
use redis::Value;
use resp::Frame;
use rustc_hash::{FxHashMap, FxHashSet};
pub(crate) use server::Greeted;
use std::sync::Arc;

/// How long to wait before the next attempt to connect: at first, and at most.
const RETRY_MS: std::ops::RangeInclusive<u64> = 50..=1_000;
/// How long Redis may leave a command unanswered.
const ANSWER_MS: u64 = 2_000;
/// Channels that one SUBSCRIBE joins, and users that one look asks about.
const A_COMMAND: usize = 512;
/// The channel that every core hears, without the prefix: what cores tell all others, and their heartbeats.
const CORES: &[u8] = b"cores";
/// Why a connection is of no use any more.
const ODD: &str = "it does not keep to its protocol";
const REPLICA: &str = "it is a replica now, where cores that use its master are not heard";

/// One core's part of the bus.
pub(crate) struct RedisBus {
    server: Arc<Server>,
    /// Which core of this process says aloud what happens to the connection.
    speaks: Speaks,
    bus_queue: usize,
    core: CoreId,
    link: Option<Link>,
    /// Links that are lost, until the kernel has let go of them.
    lost: Vec<Link>,
    links_made: u32,
    /// What this core has joined or is joining.
    joined: FxHashSet<Channel>,
    /// Channels to be joined again before the hub is told that the bus is back.
    rejoining: usize,
    /// Looks that wait for answers: how many, and what is known.
    looks: FxHashMap<RequestId, (usize, Vec<bool>)>,
    liveness: Liveness,
    hearing: Hearing,
    /// Which Redis the link leads to.
    bus: String,
    /// Whether all servers of the database are heard here.
    unity: Unity,
    retry: Retry,
    now: Monotonic,
}

/// Whether a core tells the operator of the connection; one of each process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Speaks {
    Aloud,
    Not,
}

/// What came of an attempt to connect.
type Outcome = Result<Greeted, RedisError>;

/// The next attempt to connect.
struct Retry {
    at: Monotonic,
    pause_ms: u64,
    under_way: bool,
    outcome: Sender<Outcome>,
    outcomes: Receiver<Outcome>,
}

impl RedisBus {
    /// The part of the `number`-th core of this process.
    pub(crate) fn new(server: Arc<Server>, greeted: Greeted, number: usize, bus_queue: usize) -> Self {
        let speaks = if number == 0 { Speaks::Aloud } else { Speaks::Not };
        let number = u16::try_from(number).expect("fewer cores than core ids");
        let hearing = Hearing::new(server.id, number);
        let (outcome, outcomes) = flume::bounded(1);
        let retry =
            Retry { at: Monotonic(0), pause_ms: *RETRY_MS.start(), under_way: false, outcome, outcomes };
        let mut bus = Self {
            server,
            speaks,
            bus_queue,
            core: greeted.core,
            link: None,
            lost: Vec::new(),
            links_made: 0,
            joined: FxHashSet::default(),
            rejoining: 0,
            looks: FxHashMap::default(),
            liveness: Liveness::default(),
            hearing,
            bus: String::new(),
            unity: Unity::Whole,
            retry,
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
    pub(crate) fn attend(&mut self, unity: Unity, due: &mut Consequences) -> Heard {
        let was = std::mem::replace(&mut self.unity, unity);
        if (was, unity) == (Unity::Split, Unity::Whole) && self.link.is_some() {
            due.push_back(Event::Rejoined { core: self.core });
        }
        self.hearing.tell(self.link.as_ref().map(|_| self.bus.clone()))
    }

    /// Commands that Redis has not answered.
    pub(crate) fn waiting(&self) -> usize {
        self.link.as_ref().map_or(0, |link| link.awaited.len())
    }

    fn take_link(&mut self, greeted: Greeted) {
        self.core = greeted.core;
        self.links_made += 1;
        self.liveness = Liveness::new(greeted.client, greeted.core, &greeted.others);
        self.bus = greeted.bus;
        self.hearing.announce();
        self.link = Some(Link::new(self.links_made, greeted.stream, greeted.heard));
    }

    pub(crate) fn join(&mut self, ticket: RequestId, channel: Channel, due: &mut Consequences) {
        let name = self.name(channel);
        let may_be_elsewhere = self.unity == Unity::Split && matches!(channel, Channel::User(_));
        match &mut self.link {
            Some(link)
                if !may_be_elsewhere
                    && link.has_room(self.bus_queue, self.server.limits.bus_unsent_bytes) =>
            {
                self.joined.insert(channel);
                let awaited = Awaited::Join { channel, ticket: Some(ticket) };
                link.command(redis::cmd("SUBSCRIBE").arg(name), awaited);
            }
            _ => due.push_back(Event::Joined { id: ticket, result: Err(BusDown) }),
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
        ticket: Option<RequestId>,
        channel: Channel,
        envelope: &Envelope,
        due: &mut Consequences,
    ) {
        let name = self.name(channel);
        match &mut self.link {
            Some(link) if link.has_room(self.bus_queue, self.server.limits.bus_unsent_bytes) => {
                link.command(
                    redis::cmd("PUBLISH").arg(name).arg(&envelope.bytes()[..]),
                    Awaited::Publish(ticket),
                );
            }
            _ => due.extend(ticket.map(unheard)),
        }
    }

    pub(crate) fn look(&mut self, ticket: RequestId, users: &[UserId], due: &mut Consequences) {
        let prefix = self.server.prefix.clone();
        let Some(link) = &mut self.link else {
            return due.push_back(Event::PresenceResult { id: ticket, online: Err(BusDown) });
        };
        if users.is_empty() {
            return due.push_back(Event::PresenceResult { id: ticket, online: Ok(Vec::new()) });
        }
        for (at, some) in users.chunks(A_COMMAND).enumerate() {
            let mut command = redis::cmd("PUBSUB");
            command.arg("NUMSUB");
            for user in some {
                command.arg(format!("{prefix}u:{user}"));
            }
            link.command(&command, Awaited::Look { ticket, from: at * A_COMMAND });
        }
        self.looks.insert(ticket, (users.len().div_ceil(A_COMMAND), vec![false; users.len()]));
    }

    /// Time passes: the connection is watched, and made again if it is lost.
    pub(crate) fn tick(&mut self, now: Monotonic, due: &mut Consequences) {
        self.now = now;
        if let Ok(result) = self.retry.outcomes.try_recv() {
            self.retry.under_way = false;
            self.retried(result);
        }
        if self.link.as_mut().is_some_and(Link::is_new) {
            self.take_in(due);
        }
        let prefix = &self.server.prefix;
        let Some(link) = &mut self.link else {
            if !self.retry.under_way && now >= self.retry.at {
                self.try_again();
            }
            return;
        };
        if link.is_overdue(now, ANSWER_MS) {
            return self.lose("it does not answer", due);
        }
        let (beat, gone) = self.liveness.tick(now, prefix, link);
        if beat {
            link.command(redis::cmd("INFO").arg("replication"), Awaited::Role);
            self.hearing.announce();
        }
        if let Some(says) = self.hearing.due(&self.liveness.says()) {
            let mut publish = redis::cmd("PUBLISH");
            link.command(publish.arg(format!("{prefix}cores")).arg(says), Awaited::Nothing);
        }
        due.extend(gone.into_iter().map(|core| Event::CoreGone { core }));
    }

    fn try_again(&mut self) {
        self.retry.under_way = true;
        let (server, core, outcome) = (self.server.clone(), self.core, self.retry.outcome.clone());
        // Names are looked up and answers awaited by blocking calls: not on a core.
        let thread = std::thread::Builder::new().name("redis-connect".into());
        let spawned = thread.spawn(move || {
            let _ = outcome.send(server.greet(Some(core)));
        });
        if spawned.is_err() {
            self.retry.under_way = false;
        }
    }

    fn retried(&mut self, result: Outcome) {
        match result {
            Ok(greeted) => {
                self.retry.pause_ms = *RETRY_MS.start();
                self.take_link(greeted);
                self.join_again();
                self.say(&format!("Redis at {} is back", self.server.at()));
            }
            Err(_) => {
                self.retry.at = self.now.plus(self.retry.pause_ms);
                self.retry.pause_ms = (self.retry.pause_ms * 2).min(*RETRY_MS.end());
            }
        }
    }

    fn join_again(&mut self) {
        let mut channels: Vec<Channel> = self.joined.iter().copied().collect();
        channels.sort_unstable();
        self.rejoining = channels.len() + 1;
        let names: Vec<String> = channels.iter().map(|&channel| self.name(channel)).collect();
        let link = self.link.as_mut().expect("just connected");
        for (names, channels) in names.chunks(A_COMMAND).zip(channels.chunks(A_COMMAND)) {
            let mut command = redis::cmd("SUBSCRIBE");
            names.iter().for_each(|name| {
                command.arg(name);
            });
            link.write(&command);
            for &channel in channels {
                link.awaited.push_back(Awaited::Rejoin { channel });
            }
        }
        // An answer that comes after all of them, even if there are none.
        link.command(&redis::cmd("PING"), Awaited::Rejoined);
    }

    /// The connection is of no use any more: nothing that is under way has been done.
    pub(crate) fn lose(&mut self, why: &str, due: &mut Consequences) {
        let Some(mut link) = self.link.take() else { return };
        self.rejoining = 0;
        for awaited in link.awaited.drain(..) {
            match awaited {
                Awaited::Publish(ticket) => due.extend(ticket.map(unheard)),
                Awaited::Join { channel, ticket } => {
                    self.joined.remove(&channel);
                    due.extend(ticket.map(|ticket| Event::Joined { id: ticket, result: Err(BusDown) }));
                }
                Awaited::Look { ticket, .. } => {
                    if self.looks.remove(&ticket).is_some() {
                        due.push_back(Event::PresenceResult { id: ticket, online: Err(BusDown) });
                    }
                }
                Awaited::Rejoin { .. } | Awaited::Rejoined | Awaited::Role | Awaited::Nothing => {}
            }
        }
        link.shutdown();
        if link.is_busy() {
            self.lost.push(link);
        }
        self.retry.at = self.now;
        self.say(&format!(
            "Redis at {} is lost ({why}): users of other cores get messages later",
            self.server.at()
        ));
    }

    fn say(&self, what: &str) {
        if self.speaks == Speaks::Aloud {
            log::line(what);
        }
    }

    /// Submits what is to be sent.
    pub(crate) fn flush(&mut self, ring: &mut Ring) {
        if let Some(link) = &mut self.link {
            link.flush(ring);
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
        link.read.extend_from_slice(bytes);
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
                        return self.lose(why, due);
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
    fn heard(&mut self, frame: Frame<'_>, due: &mut Consequences) -> Result<(), &'static str> {
        match frame {
            Frame::Message { channel, payload } => {
                self.message(channel, payload, due);
                Ok(())
            }
            Frame::Integer(number) => match self.next_awaited() {
                Some(Awaited::Publish(ticket)) => {
                    let heard = Ok(u32::try_from(number).unwrap_or(0));
                    due.extend(ticket.map(|ticket| Event::Published { id: ticket, receivers: heard }));
                    Ok(())
                }
                Some(Awaited::Nothing) => Ok(()),
                _ => Err(ODD),
            },
            Frame::Other(bytes) => match redis::parse_redis_value(bytes) {
                Ok(Value::Push {
                    kind: redis::PushKind::Subscribe | redis::PushKind::Unsubscribe, ..
                }) => self.answered(&Value::Okay, due),
                Ok(Value::Push { .. }) => Ok(()),
                Ok(value) => self.answered(&value, due),
                Err(_) => Err(ODD),
            },
        }
    }

    fn next_awaited(&mut self) -> Option<Awaited> {
        self.link.as_mut()?.awaited.pop_front()
    }

    fn answered(&mut self, value: &Value, due: &mut Consequences) -> Result<(), &'static str> {
        let refused = matches!(value, Value::ServerError(_));
        if matches!(value, Value::ServerError(error) if error.code() == "READONLY") {
            return Err(REPLICA);
        }
        match self.next_awaited() {
            None => return Err(ODD),
            Some(Awaited::Nothing) => {}
            Some(Awaited::Publish(ticket)) => due.extend(ticket.map(unheard)),
            Some(Awaited::Join { channel, ticket }) => {
                if refused {
                    self.joined.remove(&channel);
                }
                let result = if refused { Err(BusDown) } else { Ok(()) };
                due.extend(ticket.map(|ticket| Event::Joined { id: ticket, result }));
            }
            // Without its channels the core would be deaf and not know it.
            Some(Awaited::Rejoin { .. }) if refused => return Err(ODD),
            // What is published on a replica is heard by nobody at its master, and is no error.
            Some(Awaited::Role) if server::is_replica(value) => return Err(REPLICA),
            Some(Awaited::Role) => {}
            Some(Awaited::Rejoin { .. }) => self.rejoining = self.rejoining.saturating_sub(1),
            Some(Awaited::Rejoined) => due.push_back(Event::Rejoined { core: self.core }),
            Some(Awaited::Look { ticket, from }) => self.looked(ticket, from, value, due),
        }
        Ok(())
    }

    /// The answer to PUBSUB NUMSUB: a name and a count for each.
    fn looked(&mut self, ticket: RequestId, from: usize, value: &Value, due: &mut Consequences) {
        let Some((others, online)) = self.looks.get_mut(&ticket) else { return };
        let Value::Array(pairs) = value else {
            self.looks.remove(&ticket);
            return due.push_back(Event::PresenceResult { id: ticket, online: Err(BusDown) });
        };
        for (at, pair) in pairs.chunks_exact(2).enumerate() {
            if let (Some(slot), Value::Int(count)) = (online.get_mut(from + at), &pair[1]) {
                *slot = *count > 0;
            }
        }
        *others -= 1;
        if *others == 0 {
            let (_, online) = self.looks.remove(&ticket).expect("looked at above");
            due.push_back(Event::PresenceResult { id: ticket, online: Ok(online) });
        }
    }

    fn message(&mut self, channel: &[u8], payload: &[u8], due: &mut Consequences) {
        let Some(name) = channel.strip_prefix(self.server.prefix.as_bytes()) else { return };
        if name == CORES {
            match self.liveness.heard(payload) {
                Some(Whose::Own) => return self.hearing.beat(),
                Some(Whose::Other) => return,
                None => {}
            }
            if let Some(heartbeat) = self.hearing.heard(payload) {
                return self.liveness.learn(heartbeat);
            }
        }
        // An envelope of another version, or a stranger's: not for us.
        if let (Some(channel), Ok(envelope)) = (parse(name), Envelope::open(Arc::from(payload))) {
            due.push_back(Event::Arrived { channel, envelope });
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
