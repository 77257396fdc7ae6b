//! The loop: what happens next, which hub hears of it, and what becomes of its effects.

use super::bus::{Bus, Op};
use super::client::Person;
use super::device::Device;
use super::faults::{self, Health};
use super::oracle::Oracle;
use super::plan::{Phase, Plan};
use super::rng::Rng;
use super::store::{Queue, Store};
use super::tcp::{Conn, Reading};
use chatd::chat::ask::{Answer, Ask};
use chatd::chat::effect::{Effect, Frame};
use chatd::chat::envelope::{Envelope, Kind};
use chatd::chat::event::{BusDown, Channel, Event};
use chatd::chat::hub::Hub;
use chatd::chat::ids::{CoreId, Millis, SessionId, Ticket, UserId};
use chatd::chat::wire::code::Code;
use chatd::chat::wire::frame::{self, Step, Terminator};
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::request::{self, Fault};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Prints a line if this run is watched.
#[macro_export]
macro_rules! trace {
    ($world:expr, $($arg:tt)*) => {
        if $world.watched {
            eprintln!("{:>10} {}", $world.now_us, format!($($arg)*));
        }
    };
}

/// What comes to a core from elsewhere.
#[derive(Debug)]
pub enum Fact {
    Joined(Ticket, Channel, Result<(), BusDown>),
    Counted(Ticket, Result<u32, BusDown>),
    Arrived(Channel, Envelope),
    Present(Ticket, Result<Vec<bool>, BusDown>),
    Answered(Ticket, Answer),
    Rejoined(CoreId),
    CoreGone(CoreId),
}

/// What can happen next.
#[derive(Debug)]
pub enum Next {
    Tick(usize),
    Home(usize, Op),
    Fact(usize, Fact),
    Commit(usize),
    Checked(usize, Ticket, Ask),
    ToServer(usize),
    ToClient(usize),
    Probed(usize),
    Gone(usize),
    Act(usize),
    /// A fault, if the phase is still this one.
    Fail(Phase),
    /// A core that was cut off has the bus again.
    Relink(usize),
    /// A server starts where a dead one was.
    Restart(usize),
    /// The bus notices that a core is dead.
    Noticed {
        ghost: usize,
        id: CoreId,
    },
    /// The bus takes a core that hangs for dead.
    GivenUp(usize),
    /// A store that was down works again.
    StoreUp(usize),
    Come {
        user: usize,
    },
}

pub struct Core {
    pub hub: Hub,
    parser: Parser,
    slots: Vec<(u32, Option<usize>)>,
    last_answer_us: u64,
}

impl Core {
    pub fn with(hub: Hub) -> Self {
        Self { hub, parser: Parser::new(), slots: Vec::new(), last_answer_us: 0 }
    }
}

pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    pub now_us: u64,
    pub watched: bool,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    pub what: HashMap<u64, Next>,
    made: u64,
    pub cores: Vec<Core>,
    pub conns: Vec<Conn>,
    pub people: Vec<Person>,
    /// Of each user.
    pub devices: HashMap<usize, Device>,
    pub bus: Bus,
    pub store: Store,
    pub queues: Vec<Queue>,
    pub health: Vec<Health>,
    /// Core numbers given so far.
    pub ids_made: u16,
    pub ghosts: usize,
    /// What is still to heal.
    pub heals: usize,
    pub oracle: Oracle,
    pub acting: bool,
    pub fault: Option<Phase>,
    /// Whether cores may not have heard each other since the last rest.
    pub parted: bool,
    /// Whether something was lost without a word since everybody logged in last.
    pub lost_silently: bool,
    /// Last time anything happened that was not mere waiting.
    active_us: u64,
}

const START_MS: u64 = 1_700_000_000_000;
const TICK_US: u64 = 50_000;

impl World {
    pub fn new(seed: u64, watched: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let core = |number| Core::new(CoreId(number as u16), &plan);
        let mut store = Store::new(plan.keep);
        for number in 1..=plan.users {
            store.enroll(&format!("u{number}"), &format!("p{number}"));
        }
        let mut world = Self {
            cores: (0..plan.cores()).map(core).collect(),
            queues: (0..plan.servers).map(|_| Queue::default()).collect(),
            health: (0..plan.cores()).map(Health::new).collect(),
            ids_made: plan.cores() as u16,
            ghosts: 0,
            heals: 0,
            oracle: Oracle::new(&plan),
            plan,
            rng,
            now_us: 0,
            watched,
            heap: BinaryHeap::new(),
            what: HashMap::new(),
            made: 0,
            conns: Vec::new(),
            people: Vec::new(),
            devices: HashMap::new(),
            bus: Bus::default(),
            store,
            acting: false,
            fault: None,
            parted: false,
            lost_silently: false,
            active_us: 0,
        };
        for core in 0..world.plan.cores() {
            let after = world.rng.below(TICK_US);
            world.later(after, Next::Tick(core));
        }
        trace!(world, "{:?}", world.plan);
        world
    }

    pub fn later(&mut self, after_us: u64, next: Next) {
        self.at(self.now_us + after_us, next);
    }

    pub fn at(&mut self, at_us: u64, next: Next) {
        self.made += 1;
        self.heap.push(Reverse((at_us, self.made)));
        self.what.insert(self.made, next);
    }

    pub fn run_until(&mut self, end_us: u64) {
        while self.heap.peek().is_some_and(|Reverse((at, _))| *at <= end_us) {
            self.step();
        }
        self.now_us = end_us;
    }

    /// Goes on until nothing but time passes, for long enough that nothing else can be due.
    pub fn rest(&mut self) {
        let limits = &self.plan.limits;
        let quiet_us = 1_000 * (2 * limits.seen_ms + limits.probe_ms + limits.stored_notice_ms + 1_300)
            + 1_000 * (limits.presence_grace_ms + limits.presence_notice_ms + 2 * limits.presence_look_ms);
        self.active_us = self.now_us;
        let patience = self.now_us + 3_600_000_000;
        while self.now_us < self.active_us + quiet_us || self.what.len() > self.cores.len() || self.heals > 0
        {
            self.step();
            assert!(self.now_us < patience, "it does not come to rest: {:?}", self.what.values().next());
        }
    }

    fn step(&mut self) {
        let Reverse((at_us, number)) = self.heap.pop().expect("time goes on");
        assert!(at_us >= self.now_us);
        self.now_us = at_us;
        // What a fault took away does not happen.
        let Some(next) = self.what.remove(&number) else { return };
        if let Some(core) = self.core_of(&next) {
            let until_us = self.health[core].hangs_until_us;
            if until_us > self.now_us {
                self.what.insert(number, next);
                return self.heap.push(Reverse((until_us, number)));
            }
            self.health[core].hangs_until_us = 0;
        }
        if !matches!(next, Next::Tick(_)) {
            self.active_us = self.now_us;
        }
        match next {
            Next::Tick(core) => {
                self.later(TICK_US, Next::Tick(core));
                self.feed(core, Event::Tick { utc_offset_s: 0 });
            }
            Next::Home(core, op) => self.home(core, op),
            Next::Fact(core, fact) => self.fact(core, fact),
            Next::Commit(server) => self.commit(server),
            Next::Checked(core, ticket, ask) => {
                let answer = self.store.answer(&ask);
                self.fact(core, Fact::Answered(ticket, answer));
            }
            Next::ToServer(conn) => self.server_gets(conn),
            Next::ToClient(conn) => self.client_gets(conn),
            Next::Probed(conn) => self.probed(conn),
            Next::Gone(conn) => self.gone(conn),
            Next::Act(conn) => self.act(conn),
            Next::Come { user } => self.come(user),
            Next::Fail(phase) => self.fail(phase),
            Next::Relink(core) => self.relink(core),
            Next::Restart(server) => self.restart(server),
            Next::Noticed { ghost, id } => self.noticed(ghost, id),
            Next::GivenUp(core) => self.given_up(core),
            Next::StoreUp(server) => self.store_up(server),
        }
    }

    fn now(&self, core: usize) -> Millis {
        Millis(START_MS + self.plan.skew_ms[self.plan.server_of(core)] + self.now_us / 1_000)
    }

    pub fn feed(&mut self, core: usize, event: Event<'_>) {
        let mut effects = Vec::new();
        if !matches!(event, Event::Tick { .. }) {
            trace!(self, "core {core} <- {event:?}");
        }
        let now = self.now(core);
        self.cores[core].hub.handle(now, event, &mut effects);
        for effect in effects {
            self.perform(core, effect);
        }
    }

    fn fact(&mut self, core: usize, fact: Fact) {
        let event = match fact {
            Fact::Joined(ticket, _, result) => Event::Joined { ticket, result },
            Fact::Counted(ticket, heard) => Event::Counted { ticket, heard },
            Fact::Arrived(channel, envelope) => {
                // Some hops cross a process.
                let envelope = Envelope::open(envelope.bytes().clone()).expect("sealed by a hub");
                Event::Arrived { channel, envelope }
            }
            Fact::Present(ticket, online) => Event::Present { ticket, online },
            Fact::Answered(ticket, answer) => Event::Answered { ticket, answer },
            about_the_bus => faults::news(about_the_bus),
        };
        self.feed(core, event);
    }

    fn perform(&mut self, core: usize, effect: Effect) {
        if !matches!(effect, Effect::Probe { .. }) {
            self.active_us = self.now_us;
        }
        trace!(self, "core {core}    -> {}", show(&effect));
        match effect {
            Effect::Send { session, frame } => self.send(core, session, &frame),
            Effect::Close { session } => {
                let conn = self.conn(core, session);
                self.conns[conn].closing = true;
                let after = self.rng.delay(20_000);
                self.later(after, Next::Gone(conn));
            }
            Effect::Pause { session } => {
                let conn = self.conn(core, session);
                assert!(!std::mem::replace(&mut self.conns[conn].paused, true), "paused twice");
            }
            Effect::Resume { session } => {
                let conn = self.conn(core, session);
                assert!(std::mem::replace(&mut self.conns[conn].paused, false), "was not paused");
                self.come_to_server(conn, 0);
            }
            Effect::Probe { session } => {
                let conn = self.conn(core, session);
                let after = if self.rng.chance(500) { 0 } else { self.rng.delay(2_000) };
                self.later(after, Next::Probed(conn));
            }
            Effect::Join { ticket, channel } => self.say(core, Op::Join { ticket, channel }),
            Effect::Leave { channel } => self.say(core, Op::Leave { channel }),
            Effect::Publish { ticket, channel, envelope } => {
                self.say(core, Op::Publish { ticket, channel, envelope });
            }
            Effect::Look { ticket, users } => self.say(core, Op::Look { ticket, users }),
            Effect::Ask { ticket, ask } => self.ask(core, ticket, ask),
        }
    }

    fn say(&mut self, core: usize, op: Op) {
        let down = self.health[core].down;
        self.bus.check(core, &op, down);
        if down {
            if let Op::Publish { envelope, .. } = &op {
                self.oracle.tally.count(match envelope.kind() {
                    Kind::Group => "group messages said to a lost bus",
                    Kind::Stored => "word of places said to a lost bus",
                    _ => "other things said to a lost bus",
                });
            }
            let failed = match op {
                Op::Join { ticket, channel } => Fact::Joined(ticket, channel, Err(BusDown)),
                Op::Publish { ticket: Some(ticket), .. } => Fact::Counted(ticket, Err(BusDown)),
                Op::Look { ticket, .. } => Fact::Present(ticket, Err(BusDown)),
                Op::Publish { .. } | Op::Leave { .. } | Op::Rejoin { .. } => return,
            };
            return self.later(0, Next::Fact(core, failed));
        }
        let way_us = self.rng.delay(self.plan.bus_us);
        let at_us = self.bus.say(core, &op, self.now_us + way_us);
        self.at(at_us, Next::Home(core, op));
    }

    /// Something has reached the home of its channel.
    fn home(&mut self, core: usize, op: Op) {
        let refused = self.fault == Some(Phase::BusDown) && self.rng.chance(100);
        match op {
            Op::Join { ticket, channel } => {
                if !refused {
                    self.bus.join(core, channel);
                }
                let result = if refused { Err(BusDown) } else { Ok(()) };
                if refused {
                    self.bus.forget(core, channel);
                }
                self.pass_on(channel, core, Fact::Joined(ticket, channel, result));
            }
            Op::Rejoin { channel } => self.bus.join(core, channel),
            Op::Leave { channel } => self.bus.leave(core, channel),
            Op::Publish { ticket, channel, envelope } => {
                // A publish that fails may have been heard all the same; only who asked is told.
                let lost = refused && ticket.is_some() && self.rng.chance(500);
                let listeners = match channel {
                    _ if lost => Vec::new(),
                    Channel::Cores => (0..self.cores.len()).filter(|&core| self.is_linked(core)).collect(),
                    channel => self.bus.listeners(channel),
                };
                let heard = listeners.len() as u32;
                trace!(self, "home of {channel:?}: {envelope:?} heard by {listeners:?}");
                self.oracle.heard(&envelope, listeners.len());
                for listener in listeners {
                    if Self::is_ghost(listener) || self.is_lost(&envelope) {
                        continue;
                    }
                    self.pass_on(channel, listener, Fact::Arrived(channel, envelope.clone()));
                }
                if let Some(ticket) = ticket {
                    let heard = if refused { Err(BusDown) } else { Ok(heard) };
                    let way_us = self.rng.delay(self.plan.bus_us);
                    self.later(way_us, Next::Fact(core, Fact::Counted(ticket, heard)));
                }
            }
            Op::Look { ticket, users } => {
                let online = |user: &UserId| !self.bus.listeners(Channel::User(*user)).is_empty();
                let online = users.iter().map(online).collect();
                let online = if refused { Err(BusDown) } else { Ok(online) };
                let way_us = self.rng.delay(self.plan.bus_us);
                self.later(way_us, Next::Fact(core, Fact::Present(ticket, online)));
            }
        }
    }

    fn is_linked(&self, core: usize) -> bool {
        !self.health[core].down && !self.health[core].dead
    }

    /// Whether something is lost on its way to one listener and nobody is told. Claims never are:
    /// a connection that loses one is lost itself.
    fn is_lost(&mut self, envelope: &Envelope) -> bool {
        let kinds = [Kind::Direct, Kind::Group, Kind::Stored, Kind::Waiting];
        let lost = self.fault == Some(Phase::Silence)
            && kinds.contains(&envelope.kind())
            && self.rng.chance(self.plan.loss);
        if lost {
            trace!(self, "lost: {envelope:?}");
            self.oracle.tally.count("lost silently");
        }
        lost
    }

    fn pass_on(&mut self, channel: Channel, core: usize, fact: Fact) {
        let way_us = self.rng.delay(self.plan.bus_us);
        let at_us = self.bus.pass_on(channel, core, self.now_us + way_us);
        self.at(at_us, Next::Fact(core, fact));
    }

    fn ask(&mut self, core: usize, ticket: Ticket, ask: Ask) {
        if let Ask::Take { have, .. } = &ask {
            assert!(have.is_sorted());
        }
        let down = self.queues[self.plan.server_of(core)].down;
        if down || (self.fault == Some(Phase::BusyStore) && self.rng.chance(self.plan.busy)) {
            self.oracle.busy(&ask);
            // Turned away at the door, or done and the word of it lost.
            if ask.is_for_messages() && self.rng.chance(200) {
                let _ = self.store.answer(&ask);
            }
            let after = self.rng.delay(self.plan.answer_us);
            return self.later(after, Next::Fact(core, Fact::Answered(ticket, Err(Code::Busy))));
        }
        if matches!(ask, Ask::Verify { .. } | Ask::Register { .. } | Ask::ChangePassword { .. }) {
            let after = self.rng.delay(self.plan.verify_us);
            return self.later(after, Next::Checked(core, ticket, ask));
        }
        let server = self.plan.server_of(core);
        self.queues[server].waiting.push_back((core, ticket, ask));
        self.commit_later(server);
    }

    /// A server loses the store: what waits is answered with Busy, whether it was done or not.
    pub fn store_down(&mut self, server: usize) {
        self.oracle.tally.count("stores lost");
        self.queues[server].down = true;
        for (core, ticket, ask) in std::mem::take(&mut self.queues[server].waiting) {
            self.oracle.busy(&ask);
            if self.rng.chance(400) {
                let _ = self.store.answer(&ask);
            }
            self.later(0, Next::Fact(core, Fact::Answered(ticket, Err(Code::Busy))));
        }
        let after = self.rng.delay(self.plan.fault_us);
        self.heal_later(after, Next::StoreUp(server));
    }

    fn store_up(&mut self, server: usize) {
        self.heals -= 1;
        self.queues[server].down = false;
    }

    fn commit_later(&mut self, server: usize) {
        if !std::mem::replace(&mut self.queues[server].committing, true) {
            let after = self.rng.delay(self.plan.commit_us[server]);
            self.later(after, Next::Commit(server));
        }
    }

    fn commit(&mut self, server: usize) {
        self.queues[server].committing = false;
        for _ in 0..self.plan.batch {
            let Some((core, ticket, ask)) = self.queues[server].waiting.pop_front() else { break };
            let answer = self.store.answer(&ask);
            let soonest = self.now_us + self.rng.delay(self.plan.answer_us);
            let last = &mut self.cores[core].last_answer_us;
            *last = soonest.max(*last + 1);
            let at_us = *last;
            self.at(at_us, Next::Fact(core, Fact::Answered(ticket, answer)));
        }
        if !self.queues[server].waiting.is_empty() {
            self.commit_later(server);
        }
    }

    // Connections.

    /// Opens a connection to a core.
    pub fn open(&mut self, core: usize, terminator: Terminator) -> usize {
        let slots = &mut self.cores[core].slots;
        let index = slots.iter().position(|(_, used)| used.is_none()).unwrap_or_else(|| {
            slots.push((0, None));
            slots.len() - 1
        });
        let conn = self.conns.len();
        slots[index].1 = Some(conn);
        let id = SessionId { index: index as u32, generation: slots[index].0 };
        self.conns.push(Conn::new(core, id, terminator));
        self.feed(core, Event::Opened { session: id });
        conn
    }

    fn conn(&self, core: usize, id: SessionId) -> usize {
        let (generation, conn) = self.cores[core].slots[id.index as usize];
        assert_eq!(generation, id.generation, "an effect for a connection that is gone");
        conn.expect("an effect for a connection that is gone")
    }

    pub fn come_to_server(&mut self, conn: usize, after_us: u64) {
        if !std::mem::replace(&mut self.conns[conn].coming, true) {
            self.later(after_us, Next::ToServer(conn));
        }
    }

    /// Some of what the client has written is at the server.
    fn server_gets(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        conn.coming = false;
        if conn.closed || conn.closing {
            return;
        }
        let all = conn.to_server.len();
        let some = if self.rng.chance(600) { all } else { self.rng.index(all + 1) };
        conn.input.extend(conn.to_server.drain(..some));
        let more = !conn.to_server.is_empty();
        self.serve(number);
        if more {
            let after = self.rng.delay(self.plan.net_us);
            self.come_to_server(number, after);
        }
    }

    /// Hands over what has come, frame by frame, until told to pause.
    fn serve(&mut self, number: usize) {
        loop {
            let conn = &mut self.conns[number];
            if conn.paused || conn.closing || conn.closed {
                return;
            }
            let (core, session) = (conn.core, conn.id);
            match frame::next(&conn.input, 0, 0, self.plan.limits.frame_bytes) {
                Step::Frame { start, end, next, terminator } => {
                    let mut bytes = conn.input[start..end].to_vec();
                    conn.input.drain(..next);
                    let mut parser = std::mem::take(&mut self.cores[core].parser);
                    let limits = self.plan.limits.clone();
                    match request::parse(&mut bytes, &mut parser, &limits) {
                        Ok(request) => {
                            self.hear(number, &request);
                            self.feed(core, Event::Said { session, terminator, request });
                        }
                        Err(fault) => self.feed(core, Event::Garbled { session, fault }),
                    }
                    self.cores[core].parser = parser;
                }
                Step::Partial { .. } => break,
                Step::TooLarge => {
                    return self.feed(core, Event::Garbled { session, fault: Fault::frame_too_large() });
                }
            }
        }
        let conn = &mut self.conns[number];
        if conn.finished && conn.to_server.is_empty() && !std::mem::replace(&mut conn.told_ended, true) {
            let (core, session) = (conn.core, conn.id);
            self.feed(core, Event::Ended { session });
        }
    }

    fn send(&mut self, core: usize, session: SessionId, frame: &Frame) {
        let number = self.conn(core, session);
        if let Frame::Reply(bytes) = frame {
            self.replied(number, bytes);
        }
        let conn = &mut self.conns[number];
        assert!(!conn.closing, "a frame for a connection that is being closed");
        frame.write(&mut conn.out);
        conn.out.push(conn.terminator.byte());
        self.go_to_client(number);
    }

    pub fn go_to_client(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        if conn.broken || conn.reading == Reading::NotAtAll || std::mem::replace(&mut conn.going, true) {
            return;
        }
        let slowly = conn.reading == Reading::Slowly;
        let after = self.rng.delay(self.plan.net_us) + if slowly { 30_000 } else { 0 };
        self.later(after, Next::ToClient(number));
    }

    /// The client's TCP takes some of what was sent.
    fn client_gets(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        conn.going = false;
        if conn.broken || conn.closed || conn.reading == Reading::NotAtAll {
            return;
        }
        let all = conn.out.len() - conn.acked;
        let some = if self.rng.chance(600) { all } else { self.rng.index(all + 1) };
        conn.acked += some;
        self.read(number);
        let conn = &self.conns[number];
        if conn.acked < conn.out.len() {
            self.go_to_client(number);
        }
    }

    fn read(&mut self, number: usize) {
        while let Some(frame) = self.conns[number].next_frame() {
            trace!(self, "conn {number} got {}", String::from_utf8_lossy(&frame));
            self.got(number, &frame);
        }
    }

    fn probed(&mut self, number: usize) {
        let conn = &self.conns[number];
        if !conn.closed {
            let (core, session, bytes) = (conn.core, conn.id, conn.acked as u64);
            self.feed(core, Event::Acked { session, bytes });
        }
    }

    /// The server knows that the connection is gone.
    fn gone(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        if std::mem::replace(&mut conn.closed, true) {
            return;
        }
        let (core, session, acked) = (conn.core, conn.id, conn.acked as u64);
        self.parted(number);
        self.feed(core, Event::Closed { session, acked });
        let slot = &mut self.cores[core].slots[session.index as usize];
        *slot = (slot.0 + 1, None);
        // What was on its way may still arrive.
        let conn = &mut self.conns[number];
        if !conn.broken && self.rng.chance(500) {
            let left = conn.out.len() - conn.acked;
            conn.acked += self.rng.index(left + 1);
            self.read(number);
        }
    }
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Send { session, frame } => {
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            format!("Send to {session:?}: {}", String::from_utf8_lossy(&bytes))
        }
        other => format!("{other:?}"),
    }
}
