//! Two hubs, and around them the least that there has to be: connections, a bus, and the store of the simulation. A line
//! of text after the other says what happens; nothing is random.
//!
//! Everything that a hub asks for is looked at: whether it may ask for it now. What answers is in four lanes, for each
//! core its store and its bus, each first in, first out; and usually all that is in them happens at once.

mod connections;
mod lanes;

use crate::sim::store::Store;
use chatd_chat::hub::Hub;
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{CoreId, Millis, Monotonic, Now, RequestId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::effect::Effect;
use chatd_chat::port::event::{Channel, Event};
use chatd_chat::port::store::StoreRequest;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::json::Parser;
use connections::Connection;
use lanes::Fact;
use std::collections::{BTreeSet, HashSet, VecDeque};
use std::rc::Rc;

const CORES: usize = 2;
/// Connections at once; the even ones are on the first core.
const CONNECTIONS: usize = 8;
const BEGAN: Millis = Millis(1_795_392_254_000);

/// Why the store refuses: `e0` to `e9`.
const REFUSALS: [Code; 10] = [
    Code::Busy,
    Code::Refused,
    Code::NoSuchUser,
    Code::NoSuchGroup,
    Code::NotAMember,
    Code::CidReused,
    Code::NotYours,
    Code::TooMany,
    Code::Muted,
    Code::InvalidField,
];

/// All of it.
pub struct World {
    hubs: [Hub; CORES],
    limits: Rc<Limits>,
    /// Taken out while it reads.
    parser: Option<Parser>,
    store: Store,
    now_ms: u64,
    connections: [Connection; CONNECTIONS],
    /// Which connection is spoken of.
    current: usize,
    joined: BTreeSet<(Channel, usize)>,
    /// What each core has asked for: joins and leaves take turns.
    asked: BTreeSet<(Channel, usize)>,
    lanes: [VecDeque<Fact>; 2 * CORES],
    /// Whether nothing in the lanes happens by itself.
    held: bool,
    awaited: HashSet<(usize, &'static str, RequestId)>,
    /// What the store says next, in the place of what is true.
    refusal: Option<Code>,
    /// So many things that the bus is asked next fail.
    bus_fails: u8,
    /// So many messages that the bus passes on next are lost.
    bus_loses: u8,
    /// Whether something was published that no hub has made.
    forged: bool,
    /// The greatest core number that was given.
    core_ids: u16,
}

impl World {
    /// Hubs with these bounds: tight ones if the line begins with `t`, and without a history if it ends with `u`.
    pub fn new(line: &[u8]) -> Self {
        let retention = if line.ends_with(b"u") { Retention::Undelivered } else { Retention::All };
        let limits = if line.starts_with(b"t") { tight() } else { Limits::default() };
        let hub = |core| Hub::new(CoreId(core), limits.clone()).retaining(retention);
        let mut store = Store::new(retention);
        for user in 1..=3 {
            store.enroll(&format!("u{user}"), &format!("p{user}"));
        }
        let creator = UserId::new(1).expect("an id");
        let group = StoreRequest::CreateGroup { user: creator, name: "g".to_owned(), desc: String::new() };
        store.answer(&group).expect("a group");
        Self {
            hubs: [hub(0), hub(1)],
            limits: Rc::new(limits),
            parser: None,
            store,
            now_ms: 1_000,
            connections: Default::default(),
            current: 0,
            joined: BTreeSet::new(),
            asked: BTreeSet::new(),
            lanes: Default::default(),
            held: false,
            awaited: HashSet::new(),
            refusal: None,
            bus_fails: 0,
            bus_loses: 0,
            forged: false,
            core_ids: CORES as u16,
        }
    }

    /// Does what a line says; N is a digit, and 0 where there is none.
    ///
    /// - `+N` connection N opens · `@N` connection N is spoken of from now on.
    /// - Of that connection: `{…` it says this frame ($m: the last message that it was pushed) · `w` it is a WebSocket ·
    ///   `h` it says its last word · `c` it is gone · `x` what it says is no frame · `F` a frame of it takes too long ·
    ///   `S` its frame is shed · `z` it reads no more, or again.
    /// - `tN` 10^N ms pass · `dN` core N drains.
    /// - `q` answers wait from now on · `pN` the next one of lane N comes · `r` all come, and wait no more.
    /// - `eN` the store refuses what it does next ([`REFUSALS`]).
    /// - `bN` N requests to the bus fail · `lN` N messages are lost on it · `jN` core N is on it again · `gN` core N hears
    ///   that the other one is dead · `E…` somebody publishes these bytes.
    pub fn command(&mut self, line: &[u8]) {
        let Some((&verb, rest)) = line.split_first() else { return };
        let number = match rest.first() {
            Some(digit @ b'0'..=b'9') => usize::from(digit - b'0'),
            _ => 0,
        };
        let core = number % CORES;
        match verb {
            b'+' => self.open(number % CONNECTIONS),
            b'@' => self.current = number % CONNECTIONS,
            b'{' => self.say(line),
            b'w' | b'h' | b'c' | b'x' | b'F' | b'S' | b'z' => self.happens_to_current(verb),
            b't' => self.pass(10_u64.pow(number.min(5) as u32)),
            b'd' => self.feed(core, Event::Drain),
            b'q' => self.held = true,
            b'p' => self.next_of(number % (2 * CORES)),
            b'r' => self.held = false,
            b'e' => self.refusal = Some(REFUSALS[number]),
            b'b' => self.bus_fails = number as u8,
            b'l' => self.bus_loses = number as u8,
            b'j' => {
                self.core_ids += 1;
                self.feed(core, Event::Rejoined { core: CoreId(self.core_ids) });
            }
            b'g' => self.feed(core, Event::CoreGone { core: CoreId(1 - core as u16) }),
            b'E' => self.forge(rest),
            _ => {}
        }
        self.go_on();
    }

    /// Everything works again, and everybody leaves: nothing remains.
    pub fn end(&mut self) {
        (self.held, self.refusal, self.bus_fails, self.bus_loses) = (false, None, 0, 0);
        self.go_on();
        for at in 0..CONNECTIONS {
            self.current = at;
            self.happens_to_current(b'c');
            self.go_on();
        }
        for _ in 0..400 {
            self.pass(500);
            self.go_on();
            if self.is_at_rest() {
                break;
            }
        }
        for hub in &self.hubs {
            assert!(hub.is_idle(), "something is left: {:?}", hub.census());
            let census = hub.census();
            assert_eq!((census.connections, census.users, census.in_flight), (0, 0, 0), "{census:?}");
            assert_eq!((census.unacked_bytes, census.logging_in, census.claims), (0, 0, 0), "{census:?}");
        }
        assert!(self.asked.is_empty(), "channels that nobody leaves: {:?}", self.asked);
        assert!(self.awaited.is_empty(), "answers that never came: {:?}", self.awaited);
    }

    fn is_at_rest(&self) -> bool {
        self.hubs.iter().all(Hub::is_idle) && self.asked.is_empty()
    }

    fn now(&self) -> Now {
        Now { monotonic: Monotonic(self.now_ms), wall: Millis(BEGAN.0 + self.now_ms) }
    }

    fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        for core in 0..CORES {
            self.feed(core, Event::Tick { utc_offset_s: 3_600 });
        }
    }

    fn feed(&mut self, core: usize, event: Event<'_>) {
        let (now, mut effects) = (self.now(), Vec::new());
        self.hubs[core].handle(now, event, &mut effects);
        effects.into_iter().flat_map(Effect::singly).for_each(|effect| self.perform(core, effect));
    }

    /// Somebody publishes bytes: what is an envelope arrives where this core listens for it.
    fn forge(&mut self, bytes: &[u8]) {
        let Ok(envelope) = Envelope::open(bytes.into()) else { return };
        self.forged = true;
        let channels: Vec<(Channel, usize)> = self.joined.iter().copied().collect();
        for (channel, core) in channels.into_iter().chain((0..CORES).map(|core| (Channel::Cores, core))) {
            self.feed(core, Event::Arrived { channel, envelope: envelope.clone() });
        }
    }

    fn awaits(&mut self, core: usize, what: &'static str, id: RequestId) {
        assert!(self.awaited.insert((core, what, id)), "{what} {id:?} is under way already");
    }

    fn perform(&mut self, core: usize, effect: Effect) {
        match effect {
            Effect::Send { connection, frame } => self.send(core, connection, &frame),
            Effect::SendAll { .. } => unreachable!("it was taken apart"),
            Effect::Close { connection, .. } => self.close(core, connection),
            Effect::Pause { connection } => self.pause(core, connection),
            Effect::Resume { connection } => self.resume(core, connection),
            Effect::Probe { connection } => self.probe(core, connection),
            Effect::Join { id, channel } => {
                assert!(self.asked.insert((channel, core)), "core {core} joins {channel:?} twice");
                self.awaits(core, "join", id);
                self.join(core, id, channel);
            }
            Effect::Leave { channel } => {
                assert!(self.asked.remove(&(channel, core)), "core {core} has not joined {channel:?}");
                self.joined.remove(&(channel, core));
            }
            Effect::Publish { id, channel, envelope } => {
                if let Some(id) = id {
                    self.awaits(core, "publish", id);
                }
                self.publish(core, id, channel, &envelope);
            }
            Effect::QueryPresence { id, users } => {
                self.awaits(core, "query", id);
                self.query(core, id, &users);
            }
            Effect::Store { id, request } => {
                self.awaits(core, "store", id);
                self.lanes[core].push_back(Fact::Asked(id, request));
            }
        }
    }
}

/// Bounds that a few lines reach.
fn tight() -> Limits {
    Limits {
        msg_bytes: 100,
        outbox_bytes: 4_000,
        stall_ms: 100,
        outbox_core_bytes: 6_000,
        outbox_squeezed_bytes: 3_000,
        live_buffer_bytes: 400,
        unsettled: 2,
        unsettled_core: 4,
        page_messages: 2,
        page_bytes: 400,
        login_bytes: 1_500,
        push_bytes: 1_500,
        anonymous: 3,
        unconfirmed: 2,
        unconfirmed_bytes: 600,
        confirm_ms: 200,
        history_messages: 3,
        ..Limits::default()
    }
}
