//! The loop: hubs, the bus, the store, connections, and what fails.

use super::bus::{Bus, Op};
use super::changing::Changing;
use super::finding::Finding;
use super::people::{Device, Plan};
use super::rng::Rng;
use super::running::Running;
use super::store::Store;
use chatd::chat::hub::Hub;
use chatd::chat::model::envelope::Envelope;
use chatd::chat::model::ids::{ConnectionId, CoreId, MessageId, Millis, Monotonic, Now, RequestId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::source::Source;
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::{BusDown, Channel, Event};
use chatd::chat::port::store::{StoreReply, StoreRequest, StoreResult};
use chatd::chat::wire::frame::Terminator;
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::request;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, VecDeque};

/// What comes to a core from the bus or the store.
#[derive(Debug)]
pub enum Fact {
    Joined(RequestId, Result<(), BusDown>),
    Counted(RequestId, Result<u32, BusDown>),
    Arrived(Channel, Envelope),
    Present(RequestId, Result<Vec<bool>, BusDown>),
    Answered(RequestId, StoreResult),
    Rejoined(CoreId),
    CoreGone(CoreId),
}

#[derive(Debug)]
pub enum Next {
    Tick(usize, u64),
    Home(usize, Op),
    Fact(usize, u64, Fact),
    Commit(usize, u64),
    Checked(usize, u64, RequestId, StoreRequest),
    ToServer(usize),
    ToClient(usize),
    Acked(usize, u64),
    Gone(usize),
    Act(usize),
    Relink(usize),
    Restart(usize),
    Noticed(usize, CoreId),
    Fail,
}

pub struct Core {
    pub hub: Hub,
    pub id: CoreId,
    /// Tells this run of the server apart from earlier ones.
    pub run: u64,
    pub dead: bool,
    pub down: bool,
    pub slots: Vec<(u32, Option<usize>)>,
    pub queue: VecDeque<(RequestId, StoreRequest)>,
    pub committing: bool,
}

/// A connection of a device.
pub struct Conn {
    pub core: usize,
    id: ConnectionId,
    pub device: usize,
    to_server: VecDeque<String>,
    to_client: VecDeque<Vec<u8>>,
    paused: bool,
    /// The hub has asked for its end.
    pub closing: bool,
    /// The hub has been told of its end.
    pub closed: bool,
    /// Whether a login was answered on it.
    pub welcomed: bool,
    sent: u64,
}

pub struct World {
    pub rng: Rng,
    pub plan: Plan,
    pub now_us: u64,
    pub watched: bool,
    heap: BinaryHeap<Reverse<(u64, u64)>>,
    pub what: HashMap<u64, Next>,
    made: u64,
    pub cores: Vec<Core>,
    pub conns: Vec<Conn>,
    pub devices: Vec<Device>,
    pub bus: Bus,
    pub store: Store,
    pub ids: u16,
    pub ghosts: usize,
    pub acting: bool,
    active_us: u64,
    pub tally: BTreeMap<&'static str, u64>,
    /// Texts that were acknowledged, by number.
    pub acked: BTreeMap<u64, MessageId>,
    pub texts: u64,
    pub changing: Changing,
    pub running: Running,
    pub finding: Finding,
    /// Nothing is under way that somebody asked for.
    pub at_rest: bool,
}

const TICK_US: u64 = 50_000;
const STORE_US: u64 = 4_000;
const NET_US: u64 = 4_000;

fn limits() -> Limits {
    Limits {
        ping_ms: u64::MAX / 2,
        probe_ms: 300,
        seen_ms: 500,
        cursors_ms: 500,
        presence_grace_ms: 200,
        presence_look_ms: 500,
        // So that pages, frames and buffers overflow.
        heads: 2,
        history_messages: 3,
        push_bytes: 2_000,
        live_buffer_bytes: 600,
        page_messages: 4,
        user_sessions: 3,
        ..Limits::default()
    }
}

impl World {
    pub fn new(seed: u64, watched: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(&mut rng);
        let mut store = Store::default();
        for number in 1..=plan.users {
            store.enroll(&format!("u{number}"), &format!("p{number}"));
        }
        store.befriend(&mut rng, 400);
        // Two more, who are never there.
        for name in ["s1", "s2"] {
            store.enroll(name, "");
        }
        let mut world = Self {
            cores: Vec::new(),
            conns: Vec::new(),
            devices: Vec::new(),
            bus: Bus::default(),
            store,
            ids: 0,
            ghosts: 0,
            acting: true,
            active_us: 0,
            tally: BTreeMap::new(),
            acked: BTreeMap::new(),
            texts: 0,
            changing: Changing::default(),
            running: Running::default(),
            finding: Finding::default(),
            at_rest: false,
            rng,
            plan,
            now_us: 1_000_000,
            watched,
            heap: BinaryHeap::new(),
            what: HashMap::new(),
            made: 0,
        };
        world.make_group();
        for number in 0..world.plan.cores {
            let core = world.new_core(0);
            world.cores.push(core);
            world.later(TICK_US, Next::Tick(number, 0));
        }
        for user in 1..=world.plan.users {
            for nth in 0..world.rng.between(1, 3) {
                let knows_events = world.rng.chance(800);
                world.devices.push(Device::new(user, nth, knows_events));
                let after = world.rng.below(200_000);
                world.later(after, Next::Act(world.devices.len() - 1));
            }
        }
        if world.plan.breaks_bus || world.plan.kills {
            world.later(300_000, Next::Fail);
        }
        world
    }

    fn new_core(&mut self, run: u64) -> Core {
        self.ids += 1;
        let id = CoreId(self.ids);
        let wall = self.now().wall;
        let hub = Hub::new(id, limits()).after(self.store.greatest_mid(), wall);
        let (slots, queue) = (Vec::new(), VecDeque::new());
        Core { hub, id, run, dead: false, down: false, slots, queue, committing: false }
    }

    fn now(&self) -> Now {
        let ms = self.now_us / 1_000;
        Now { monotonic: Monotonic(ms), wall: Millis(1_700_000_000_000 + ms) }
    }

    pub fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub fn later(&mut self, after_us: u64, next: Next) {
        self.at(self.now_us + after_us, next);
    }

    pub fn at(&mut self, at_us: u64, next: Next) {
        self.made += 1;
        self.heap.push(Reverse((at_us, self.made)));
        self.what.insert(self.made, next);
    }

    pub fn act_later(&mut self, device: usize, after_us: u64) {
        self.later(after_us, Next::Act(device));
    }

    pub fn run_until(&mut self, end_us: u64) {
        while self.heap.peek().is_some_and(|Reverse((at, _))| *at <= end_us) {
            self.step();
        }
        self.now_us = end_us;
    }

    /// Goes on until nothing but time passes.
    pub fn rest(&mut self) {
        self.active_us = self.now_us;
        let patience = self.now_us + 600_000_000;
        while self.now_us < self.active_us + 5_000_000 {
            self.step();
            assert!(self.now_us < patience, "it does not come to rest");
        }
    }

    pub fn run(&mut self) {
        self.run_until(self.now_us + self.plan.run_us);
        self.acting = false;
        self.rest();
        self.at_rest = true;
        if !self.plan.breaks_bus && !self.plan.kills {
            self.check_live();
        }
        self.check_known();
        self.come_and_sync();
        self.check_same();
        self.check_rulings();
        self.check_known();
        self.cross_and_part();
        for conn in 0..self.conns.len() {
            if !self.conns[conn].closed {
                self.break_off(conn);
            }
        }
        self.rest();
        for (number, core) in self.cores.iter().enumerate() {
            assert!(core.hub.is_idle(), "(h) core {number} is not idle: {:?}", core.hub.census());
            assert_eq!(core.hub.census(), Default::default(), "(h) core {number}");
        }
        assert!(self.bus.channels().is_empty(), "(h) somebody listens: {:?}", self.bus.channels());
    }

    fn step(&mut self) {
        let Reverse((at_us, number)) = self.heap.pop().expect("time goes on");
        self.now_us = at_us;
        let Some(next) = self.what.remove(&number) else { return };
        if !matches!(next, Next::Tick(..)) {
            self.active_us = self.now_us;
        }
        match next {
            Next::Tick(core, run) if self.cores[core].run == run && !self.cores[core].dead => {
                self.later(TICK_US, Next::Tick(core, run));
                self.feed(core, Event::Tick { utc_offset_s: 0 });
            }
            Next::Fact(core, run, fact) if self.cores[core].run == run && !self.cores[core].dead => {
                self.fact(core, fact);
            }
            Next::Commit(core, run) if self.cores[core].run == run => self.commit(core),
            Next::Checked(core, run, id, request) => {
                let result = self.store.answer(&request);
                self.later(0, Next::Fact(core, run, Fact::Answered(id, result)));
            }
            Next::Tick(..) | Next::Fact(..) | Next::Commit(..) => {}
            Next::Home(core, op) => self.home(core, op),
            Next::ToServer(conn) => self.server_gets(conn),
            Next::ToClient(conn) => self.client_gets(conn),
            Next::Acked(conn, bytes) => {
                let (core, id) = (self.conns[conn].core, self.conns[conn].id);
                if !self.conns[conn].closed {
                    self.feed(core, Event::Acked { connection: id, bytes });
                }
            }
            Next::Gone(conn) => self.gone(conn),
            Next::Act(device) => self.act(device),
            Next::Relink(core) => self.relink(core),
            Next::Restart(core) => {
                let run = self.cores[core].run + 1;
                self.cores[core] = self.new_core(run);
                self.later(0, Next::Tick(core, run));
            }
            Next::Noticed(ghost, id) => {
                self.bus.cut(ghost);
                self.tell_gone(id);
            }
            Next::Fail => self.fail(),
        }
    }

    pub fn feed(&mut self, core: usize, event: Event<'_>) {
        if self.watched && !matches!(event, Event::Tick { .. }) {
            eprintln!("{:>9} core {core} <- {event:?}", self.now_us);
        }
        let mut effects = Vec::new();
        let now = self.now();
        self.cores[core].hub.handle(now, event, &mut effects);
        effects.into_iter().flat_map(Effect::singly).for_each(|effect| self.perform(core, effect));
    }

    fn fact(&mut self, core: usize, fact: Fact) {
        let event = match fact {
            Fact::Joined(id, result) => Event::Joined { id, result },
            Fact::Counted(id, receivers) => Event::Published { id, receivers },
            Fact::Arrived(channel, envelope) => {
                let envelope = Envelope::open(envelope.bytes().clone()).expect("sealed by a hub");
                Event::Arrived { channel, envelope }
            }
            Fact::Present(id, online) => Event::PresenceResult { id, online },
            Fact::Answered(id, result) => Event::Answered { id, result },
            Fact::Rejoined(core) => Event::Rejoined { core },
            Fact::CoreGone(core) => Event::CoreGone { core },
        };
        self.feed(core, event);
    }

    fn perform(&mut self, core: usize, effect: Effect) {
        if !matches!(effect, Effect::Probe { .. }) {
            self.active_us = self.now_us;
        }
        if self.watched {
            eprintln!("{:>9} core {core}    -> {}", self.now_us, shown(&effect));
        }
        match effect {
            Effect::Send { connection, frame } => {
                let mut bytes = Vec::new();
                frame.write(&mut bytes);
                assert_eq!(bytes.len(), frame.len(), "a frame has the length that was counted");
                let conn = self.conn(core, connection);
                self.conns[conn].sent += bytes.len() as u64 + 1;
                self.conns[conn].to_client.push_back(bytes);
                let after = self.rng.delay(NET_US);
                self.later(after, Next::ToClient(conn));
            }
            Effect::SendAll { .. } => unreachable!("it was taken apart"),
            Effect::Close { connection, .. } => {
                let conn = self.conn(core, connection);
                self.conns[conn].closing = true;
                let after = self.rng.delay(NET_US);
                self.later(after, Next::Gone(conn));
            }
            Effect::Pause { connection } => {
                let conn = self.conn(core, connection);
                self.conns[conn].paused = true;
            }
            Effect::Resume { connection } => {
                let conn = self.conn(core, connection);
                self.conns[conn].paused = false;
                self.later(0, Next::ToServer(conn));
            }
            Effect::Probe { connection } => {
                let conn = self.conn(core, connection);
                let (after, sent) = (self.rng.delay(2_000), self.conns[conn].sent);
                self.later(after, Next::Acked(conn, sent));
            }
            Effect::Join { id, channel } => self.say(core, Op::Join { ticket: id, channel }),
            Effect::Leave { channel } => self.say(core, Op::Leave { channel }),
            Effect::Publish { id, channel, envelope } => {
                self.say(core, Op::Publish { ticket: id, channel, envelope });
            }
            Effect::QueryPresence { id, users } => self.say(core, Op::Look { ticket: id, users }),
            Effect::Store { id, request } => self.ask(core, id, request),
        }
    }

    fn ask(&mut self, core: usize, id: RequestId, request: StoreRequest) {
        let run = self.cores[core].run;
        if matches!(request, StoreRequest::Verify { .. } | StoreRequest::Register { .. }) {
            let after = self.rng.delay(STORE_US);
            return self.later(after, Next::Checked(core, run, id, request));
        }
        self.cores[core].queue.push_back((id, request));
        if !std::mem::replace(&mut self.cores[core].committing, true) {
            let after = self.rng.delay(STORE_US);
            self.later(after, Next::Commit(core, run));
        }
    }

    /// The store does what this core has asked, in order, and answers; what a dying core has asked may be done all the same.
    fn commit(&mut self, core: usize) {
        let run = self.cores[core].run;
        self.cores[core].committing = false;
        for (id, request) in std::mem::take(&mut self.cores[core].queue) {
            let result = match &request {
                StoreRequest::Remember { .. } => Ok(StoreReply::Done),
                request => self.store.answer(request),
            };
            if !self.cores[core].dead {
                self.later(0, Next::Fact(core, run, Fact::Answered(id, result)));
            }
        }
    }

    /// A device connects to some server that lives; nothing if none does.
    pub fn open(&mut self, device: usize) -> Option<usize> {
        let alive: Vec<usize> = (0..self.cores.len()).filter(|&core| !self.cores[core].dead).collect();
        if alive.is_empty() {
            return None;
        }
        let core = self.rng.pick(&alive);
        let slots = &mut self.cores[core].slots;
        let index = slots.iter().position(|(_, used)| used.is_none()).unwrap_or_else(|| {
            slots.push((0, None));
            slots.len() - 1
        });
        let conn = self.conns.len();
        slots[index].1 = Some(conn);
        let id = ConnectionId { index: index as u32, generation: slots[index].0 };
        self.conns.push(Conn {
            core,
            id,
            device,
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            paused: false,
            closing: false,
            closed: false,
            welcomed: false,
            sent: 0,
        });
        self.feed(core, Event::Opened { connection: id, from: Source::Proxy });
        Some(conn)
    }

    fn conn(&self, core: usize, id: ConnectionId) -> usize {
        let (generation, conn) = self.cores[core].slots[id.index as usize];
        assert_eq!(generation, id.generation, "an effect for a connection that is gone");
        conn.expect("an effect for a connection that is gone")
    }

    pub fn write(&mut self, conn: usize, frame: String) {
        self.conns[conn].to_server.push_back(frame);
        let after = self.rng.delay(NET_US);
        self.later(after, Next::ToServer(conn));
    }

    fn server_gets(&mut self, conn: usize) {
        loop {
            let at = &mut self.conns[conn];
            if at.paused || at.closing || at.closed {
                return;
            }
            let (core, id) = (at.core, at.id);
            let Some(frame) = at.to_server.pop_front() else { return };
            self.note_said(conn, &frame);
            let mut bytes = frame.into_bytes();
            let limits = limits();
            match request::parse(&mut bytes, &mut Parser::new(), &limits) {
                Ok(request) => {
                    let terminator = Terminator::Newline;
                    self.feed(core, Event::Request { connection: id, terminator, request });
                }
                Err(fault) => panic!("a device writes what is no request: {fault:?}"),
            }
        }
    }

    fn client_gets(&mut self, conn: usize) {
        let Some(frame) = self.conns[conn].to_client.pop_front() else { return };
        if self.devices[self.conns[conn].device].conn == Some(conn) {
            let frame = serde_json::from_slice(&frame).expect("the server writes JSON");
            self.understand(conn, &frame);
        }
    }

    /// The client vanishes; the server finds out sooner or later.
    pub fn break_off(&mut self, conn: usize) {
        self.lost_connection(conn);
        let after = if self.rng.chance(500) { 0 } else { self.rng.delay(200_000) };
        self.later(after, Next::Gone(conn));
    }

    fn gone(&mut self, conn: usize) {
        let at = &mut self.conns[conn];
        if std::mem::replace(&mut at.closed, true) {
            return;
        }
        let (core, id) = (at.core, at.id);
        let unread: u64 = at.to_client.iter().map(|frame| frame.len() as u64 + 1).sum();
        let acked = at.sent - unread;
        self.feed(core, Event::Closed { connection: id, acked });
        let slot = &mut self.cores[core].slots[id.index as usize];
        *slot = (slot.0 + 1, None);
        self.lost_connection(conn);
    }
}

fn shown(effect: &Effect) -> String {
    match effect {
        Effect::Send { connection, frame } => {
            let mut bytes = Vec::new();
            frame.write(&mut bytes);
            format!("Send to {connection:?}: {}", String::from_utf8_lossy(&bytes))
        }
        other => format!("{other:?}"),
    }
}
