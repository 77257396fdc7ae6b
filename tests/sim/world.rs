//! The loop: what happens next, which hub hears of it, and what becomes of its effects.

use super::application::{Application, Call};
use super::bus::{Bus, Op};
use super::client::Person;
use super::clocks::Clocks;
use super::device::Device;
use super::faults::{self, Health};
use super::oracle::Oracle;
use super::plan::{Phase, Plan};
use super::rng::Rng;
use super::store::{Queue, Store};
use super::tcp::Conn;
use chatd::chat::hub::Hub;
use chatd::chat::model::envelope::Envelope;
use chatd::chat::model::ids::{CoreId, MessageId, Millis, RequestId};
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::{BusDown, Channel, Event};
use chatd::chat::port::store::{StoreRequest, StoreResult};
use chatd::chat::wire::json::Parser;
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
    Joined(RequestId, Channel, Result<(), BusDown>),
    Counted(RequestId, Result<u32, BusDown>),
    Arrived(Channel, Envelope),
    Present(RequestId, Result<Vec<bool>, BusDown>),
    Answered(RequestId, StoreResult),
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
    Checked(usize, RequestId, StoreRequest),
    ToServer(usize),
    ToClient(usize),
    Probed(usize),
    Gone(usize),
    Act(usize),
    /// The application's server does something.
    Apply,
    /// What it wants is at a core.
    Called(usize, Call),
    /// A fault, if the phase is still this one.
    Fail(Phase),
    /// A core learns that the bus is two, or one again.
    Learn {
        core: usize,
        split: bool,
    },
    /// The bus is one again.
    Unite,
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
    pub parser: Parser,
    pub slots: Vec<(u32, Option<usize>)>,
    pub last_answer_us: u64,
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
    pub clocks: Clocks,
    /// Core numbers given so far.
    pub ids_made: u16,
    pub ghosts: usize,
    /// What is still to heal.
    pub heals: usize,
    pub oracle: Oracle,
    pub application: Application,
    pub acting: bool,
    pub fault: Option<Phase>,
    /// Whether cores may not have heard each other since the last rest.
    pub parted: bool,
    /// Whether something was lost without a word since everybody logged in last.
    pub lost_silently: bool,
    /// Last time anything happened that was not mere waiting.
    pub active_us: u64,
}

const TICK_US: u64 = 50_000;

impl World {
    pub fn new(seed: u64, watched: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let core = |number| Core::new(CoreId(number as u16), &plan, MessageId(0), Millis(0));
        let mut store = Store::new(plan.keep);
        for number in 1..=plan.users {
            store.enroll(&format!("u{number}"), &format!("p{number}"));
        }
        store.befriend(&mut rng, plan.friends);
        let mut world = Self {
            cores: (0..plan.cores()).map(core).collect(),
            queues: (0..plan.servers).map(|_| Queue::default()).collect(),
            health: (0..plan.cores()).map(Health::new).collect(),
            clocks: Clocks::new(plan.servers),
            ids_made: plan.cores() as u16,
            ghosts: 0,
            heals: 0,
            oracle: Oracle::new(&plan),
            application: Application::new(seed),
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
            + 1_000 * 2 * limits.declined_ms
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
            Next::Apply => self.apply(),
            Next::Called(core, call) => self.called(core, call),
            Next::Come { user } => self.come(user),
            Next::Fail(phase) => self.fail(phase),
            Next::Learn { core, split } => self.learn(core, split),
            Next::Unite => self.unite(),
            Next::Relink(core) => self.relink(core),
            Next::Restart(server) => self.restart(server),
            Next::Noticed { ghost, id } => self.noticed(ghost, id),
            Next::GivenUp(core) => self.given_up(core),
            Next::StoreUp(server) => self.store_up(server),
        }
    }

    pub fn feed(&mut self, core: usize, event: Event<'_>) {
        let mut effects = Vec::new();
        if !matches!(event, Event::Tick { .. }) {
            trace!(self, "core {core} <- {event:?}");
        }
        let now = self.now(core);
        self.cores[core].hub.handle(now, event, &mut effects);
        for effect in effects.into_iter().flat_map(Effect::singly) {
            self.perform(core, effect);
        }
        for connection in std::mem::take(&mut self.application.ended) {
            self.feed(core, Event::Closed { connection, acked: 0 });
        }
    }

    fn fact(&mut self, core: usize, fact: Fact) {
        let event = match fact {
            Fact::Joined(ticket, _, result) => Event::Joined { id: ticket, result },
            Fact::Counted(ticket, heard) => Event::Published { id: ticket, receivers: heard },
            Fact::Arrived(channel, envelope) => {
                // Some hops cross a process.
                let envelope = Envelope::open(envelope.bytes().clone()).expect("sealed by a hub");
                Event::Arrived { channel, envelope }
            }
            Fact::Present(ticket, online) => Event::PresenceResult { id: ticket, online },
            Fact::Answered(ticket, answer) => Event::Answered { id: ticket, result: answer },
            about_the_bus => faults::news(about_the_bus),
        };
        let is_back = matches!(event, Event::Rejoined { .. });
        self.feed(core, event);
        if is_back && (self.health[core].down || self.health[core].split_us.is_some()) {
            self.feed(core, Event::BusLost);
        }
    }

    fn perform(&mut self, core: usize, effect: Effect) {
        if !matches!(effect, Effect::Probe { .. }) {
            self.active_us = self.now_us;
        }
        trace!(self, "core {core}    -> {}", show(&effect));
        self.check_effect(&effect);
        match effect {
            Effect::Send { connection, frame } if connection.is_acting() => {
                self.answered(core, connection, Some(&frame));
            }
            Effect::Close { connection, .. } if connection.is_acting() => {
                self.answered(core, connection, None);
            }
            Effect::Pause { connection } | Effect::Resume { connection } | Effect::Probe { connection }
                if connection.is_acting() => {}
            Effect::Send { connection: session, frame } => self.send(core, session, &frame),
            Effect::SendAll { .. } => unreachable!("it was taken apart"),
            Effect::Close { connection: session, .. } => {
                let conn = self.conn(core, session);
                self.conns[conn].closing = true;
                let after = self.rng.delay(20_000);
                self.later(after, Next::Gone(conn));
            }
            Effect::Pause { connection: session } => {
                let conn = self.conn(core, session);
                assert!(!std::mem::replace(&mut self.conns[conn].paused, true), "paused twice");
            }
            Effect::Resume { connection: session } => {
                let conn = self.conn(core, session);
                assert!(std::mem::replace(&mut self.conns[conn].paused, false), "was not paused");
                self.come_to_server(conn, 0);
            }
            Effect::Probe { connection: session } => {
                let conn = self.conn(core, session);
                let after = if self.rng.chance(500) { 0 } else { self.rng.delay(2_000) };
                self.later(after, Next::Probed(conn));
            }
            Effect::Join { id: ticket, channel } => self.say(core, Op::Join { ticket, channel }),
            Effect::Leave { channel } => self.say(core, Op::Leave { channel }),
            Effect::Publish { id: ticket, channel, envelope } => {
                self.say(core, Op::Publish { ticket, channel, envelope });
            }
            Effect::QueryPresence { id: ticket, users } => self.say(core, Op::Look { ticket, users }),
            Effect::Store { id: ticket, request: ask } => self.ask(core, ticket, ask),
        }
    }
}

fn show(effect: &Effect) -> String {
    match effect {
        Effect::Send { connection: session, frame } => {
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            format!("Send to {session:?}: {}", String::from_utf8_lossy(&bytes))
        }
        other => format!("{other:?}"),
    }
}
