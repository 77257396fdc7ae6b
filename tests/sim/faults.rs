//! What fails, and how it comes back: cores that lose the bus, servers that die or hang.
//!
//! What a fault takes away at its moment: a core that is cut off hears at once that nothing it has
//! under way was done (some of what it published was, all the same), and nothing that was on its
//! way to it arrives. A dead server takes its connections, its questions and its subscriptions with
//! it; of its questions, some were answered before anybody heard of it.

use super::bus::Op;
use super::plan::{Phase, Plan};
use super::world::{Core, Fact, Next, World};
use crate::trace;
use chatd::chat::hub::Hub;
use chatd::chat::model::envelope::Kind;
use chatd::chat::model::ids::{CoreId, MessageId, Millis};
use chatd::chat::port::event::{BusDown, Event};

/// Listeners from here on are dead cores that the bus has not noticed yet.
const GHOSTS: usize = 1_000;

/// What is wrong with a core, and who it is.
pub struct Health {
    /// The number that it goes by.
    pub id: CoreId,
    /// Cut off from the bus.
    pub down: bool,
    /// There is no such core at the moment.
    pub dead: bool,
    /// When it last had the bus back.
    pub linked_us: u64,
    /// Since when it has known that the bus is two.
    pub split_us: Option<u64>,
    /// It does nothing until then.
    pub hangs_until_us: u64,
}

impl Health {
    pub fn new(number: usize) -> Self {
        let id = CoreId(number as u16);
        Self { id, down: false, dead: false, linked_us: 0, split_us: None, hangs_until_us: 0 }
    }
}

impl World {
    /// Whether something from the bus reaches this listener at all.
    pub fn is_ghost(listener: usize) -> bool {
        listener >= GHOSTS
    }

    /// The next fault of a faulty phase.
    pub fn fail(&mut self, phase: Phase) {
        if !self.acting || self.fault != Some(phase) {
            return;
        }
        match phase {
            Phase::Cuts => {
                let all = self.rng.chance(300);
                let one = self.rng.index(self.cores.len());
                for core in (0..self.cores.len()).filter(|&core| all || core == one) {
                    self.cut(core);
                }
            }
            Phase::Deaths => {
                let server = self.rng.index(self.plan.servers);
                if self.rng.chance(500) { self.die(server) } else { self.hang(server) }
            }
            Phase::Splits => self.split(),
            Phase::BusyStore => {
                let server = self.rng.index(self.plan.servers);
                if !self.queues[server].down {
                    self.store_down(server);
                }
            }
            _ => return,
        }
        let after = self.rng.delay(self.plan.fault_gap_us) + 1_000;
        self.later(after, Next::Fail(phase));
    }

    fn cores_of(&self, server: usize) -> std::ops::Range<usize> {
        server * self.plan.cores_of_server..(server + 1) * self.plan.cores_of_server
    }

    pub fn new_id(&mut self) -> CoreId {
        self.ids_made += 1;
        assert!(self.ids_made <= CoreId::MAX, "so many cores have died");
        CoreId(self.ids_made)
    }

    /// Takes out of what is to happen whatever `which` names, in the order of its making.
    fn take_out(&mut self, which: impl Fn(&Next) -> bool) -> Vec<(u64, Next)> {
        let mut numbers: Vec<u64> =
            self.what.iter().filter(|(_, next)| which(next)).map(|(&number, _)| number).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| (number, self.what.remove(&number).expect("just seen"))).collect()
    }

    /// A core loses the bus.
    pub fn cut(&mut self, core: usize) {
        if self.health[core].down || self.health[core].dead {
            return;
        }
        trace!(self, "core {core} is cut off");
        self.oracle.tally.count("cores cut off");
        self.health[core].down = true;
        self.bus.cut(core);
        self.feed(core, Event::BusLost);
        for (number, next) in self.take_out(|next| is_of_bus(next, core)) {
            let failed = match next {
                Next::Home(_, Op::Join { ticket, channel })
                | Next::Fact(_, Fact::Joined(ticket, channel, _)) => {
                    self.bus.forget(core, channel);
                    Fact::Joined(ticket, channel, Err(BusDown))
                }
                Next::Home(_, Op::Publish { ticket, channel, envelope }) => {
                    if self.rng.chance(500) {
                        let op = Op::Publish { ticket: None, channel, envelope };
                        self.what.insert(number, Next::Home(core, op));
                    }
                    let Some(ticket) = ticket else { continue };
                    Fact::Counted(ticket, Err(BusDown))
                }
                Next::Home(_, Op::Look { ticket, .. }) | Next::Fact(_, Fact::Present(ticket, _)) => {
                    Fact::Present(ticket, Err(BusDown))
                }
                Next::Fact(_, Fact::Arrived(_, envelope)) if envelope.kind() == Kind::Direct => {
                    self.oracle.lost_in_transit.insert(envelope.mid());
                    continue;
                }
                Next::Fact(_, Fact::Counted(ticket, _)) => Fact::Counted(ticket, Err(BusDown)),
                _ => continue,
            };
            self.later(0, Next::Fact(core, failed));
        }
        let after = self.rng.delay(self.plan.fault_us);
        self.heal_later(after, Next::Relink(core));
    }

    pub fn heal_later(&mut self, after_us: u64, next: Next) {
        self.heals += 1;
        self.later(after_us, next);
    }

    /// A core has the bus again: joins what it had joined, and is told when all of it is.
    pub fn relink(&mut self, core: usize) {
        self.heals -= 1;
        if self.health[core].dead || !self.health[core].down {
            return;
        }
        trace!(self, "core {core} is back");
        self.health[core].down = false;
        self.health[core].linked_us = self.now_us;
        let mut last_us = self.now_us;
        for channel in self.bus.wanted(core) {
            let op = Op::Rejoin { channel };
            let way_us = self.rng.delay(self.plan.bus_us);
            let at_us = self.bus.say(core, &op, self.now_us + way_us);
            last_us = last_us.max(at_us);
            self.at(at_us, Next::Home(core, op));
        }
        if self.rng.chance(500) {
            self.health[core].id = self.new_id();
        }
        let way_us = self.rng.delay(self.plan.bus_us) + 1;
        self.at(last_us + way_us, Next::Fact(core, Fact::Rejoined(self.health[core].id)));
    }

    /// The bus is two, and nobody is told; after a while every core has noticed.
    fn split(&mut self) {
        // The end of the last one is to be known to all before the next one begins.
        if self.plan.servers < 2 || self.heals > 0 {
            return;
        }
        let alone = self.rng.index(self.plan.servers);
        trace!(self, "the bus is split: server {alone} is alone");
        self.oracle.tally.count("buses split");
        for core in self.cores_of(alone) {
            self.bus.move_to(core, true);
        }
        for core in 0..self.cores.len() {
            let after = self.rng.delay(self.plan.linger_us);
            self.heal_later(after, Next::Learn { core, split: true });
        }
        let after = self.plan.linger_us + self.rng.delay(self.plan.fault_us) + 1;
        self.heal_later(after, Next::Unite);
    }

    /// The bus is one again; every core notices that later.
    pub fn unite(&mut self) {
        self.heals -= 1;
        trace!(self, "the bus is one again");
        self.bus.unite();
        for core in 0..self.cores.len() {
            let after = self.rng.delay(self.plan.linger_us) + 1;
            self.heal_later(after, Next::Learn { core, split: false });
        }
    }

    /// A core has noticed that the bus is two, or one again: then it claims its users anew.
    pub fn learn(&mut self, core: usize, split: bool) {
        self.heals -= 1;
        trace!(self, "core {core} knows that the bus is {}", if split { "two" } else { "one" });
        self.health[core].split_us = split.then_some(self.now_us);
        if split {
            self.feed(core, Event::BusLost);
        }
        if !split {
            self.health[core].linked_us = self.now_us;
            let id = self.health[core].id;
            self.later(0, Next::Fact(core, Fact::Rejoined(id)));
        }
    }

    /// A server is killed. Another one starts in its place after a while.
    fn die(&mut self, server: usize) {
        if self.cores_of(server).any(|core| self.health[core].dead) {
            return;
        }
        trace!(self, "server {server} dies");
        self.oracle.tally.count("servers killed");
        let linger_us = self.rng.delay(self.plan.linger_us);
        for core in self.cores_of(server) {
            self.ghosts += 1;
            let ghost = GHOSTS + self.ghosts;
            self.bus.die(core, ghost);
            let id = self.health[core].id;
            self.heal_later(linger_us, Next::Noticed { ghost, id });
            self.die_of_core(core);
        }
        for (core, _, ask) in std::mem::take(&mut self.queues[server]).waiting {
            if self.rng.chance(300) {
                trace!(self, "of dead core {core}, all the same: {ask:?}");
                let _ = self.store.answer(&ask);
            }
        }
        let after = self.rng.delay(self.plan.fault_us);
        self.heal_later(after, Next::Restart(server));
    }

    fn die_of_core(&mut self, core: usize) {
        self.health[core].dead = true;
        self.application.lose(core);
        let conns: Vec<usize> = (0..self.conns.len())
            .filter(|&conn| self.conns[conn].core == core && !self.conns[conn].closed)
            .collect();
        for conn in conns {
            self.parted(conn);
            (self.conns[conn].broken, self.conns[conn].closed) = (true, true);
        }
        let server = self.plan.server_of(core);
        let of_conns: Vec<bool> = self.conns.iter().map(|conn| conn.core == core).collect();
        let dies = |next: &Next| match next {
            Next::Tick(of) | Next::Home(of, _) | Next::Fact(of, _) | Next::Checked(of, ..) => *of == core,
            Next::Commit(of) => *of == server,
            Next::ToServer(conn) | Next::Probed(conn) | Next::Gone(conn) => of_conns[*conn],
            _ => false,
        };
        for (number, next) in self.take_out(dies) {
            // What had left it may get there.
            if let Next::Home(_, Op::Publish { channel, envelope, .. }) = next
                && self.rng.chance(500)
            {
                let op = Op::Publish { ticket: None, channel, envelope };
                self.what.insert(number, Next::Home(core, op));
            }
        }
    }

    /// A server starts where another one was: it knows nothing but the greatest id that is stored, and goes
    /// by new numbers or by those of cores that are known to be dead.
    pub fn restart(&mut self, server: usize) {
        self.heals -= 1;
        self.set_back(server);
        for core in self.cores_of(server) {
            let id = self.number_again(core);
            self.health[core] = Health { id, ..Health::new(core) };
            self.cores[core] = Core::new(id, &self.plan, self.store.greatest_mid(), self.now(core).wall);
            self.knows_what_is_stored(core);
            self.later(0, Next::Tick(core));
        }
    }

    /// All servers were stopped in good order, and start again.
    pub fn start_all_again(&mut self) {
        trace!(self, "---- all servers start again");
        for core in 0..self.cores.len() {
            self.take_out(|next| matches!(next, Next::Tick(of) if *of == core));
            self.clocks.release(self.health[core].id);
        }
        for server in 0..self.plan.servers {
            self.heals += 1;
            self.restart(server);
        }
    }

    /// The bus has noticed that a core is dead, and tells the others.
    pub fn noticed(&mut self, ghost: usize, id: CoreId) {
        self.heals -= 1;
        self.bus.cut(ghost);
        self.tell_gone(id);
        self.clocks.release(id);
    }

    fn tell_gone(&mut self, id: CoreId) {
        for core in 0..self.cores.len() {
            let health = &self.health[core];
            if !health.dead && !health.down && health.id != id {
                let way_us = self.rng.delay(self.plan.bus_us);
                self.later(way_us, Next::Fact(core, Fact::CoreGone(id)));
            }
        }
    }

    /// A server does nothing for a while. If that takes too long it is cut off meanwhile.
    fn hang(&mut self, server: usize) {
        if self.cores_of(server).any(|core| self.health[core].dead || self.health[core].hangs_until_us > 0) {
            return;
        }
        let hang_us = self.rng.delay(self.plan.fault_us) + 1_000;
        trace!(self, "server {server} hangs for {hang_us} us");
        self.oracle.tally.count("servers hung");
        for core in self.cores_of(server) {
            self.health[core].hangs_until_us = self.now_us + hang_us;
            if hang_us > self.plan.linger_us {
                self.heal_later(self.plan.linger_us, Next::GivenUp(core));
            }
        }
    }

    /// The others have not heard of a core for too long, and end its connection to the bus.
    pub fn given_up(&mut self, core: usize) {
        self.heals -= 1;
        if !self.health[core].dead && !self.health[core].down {
            self.cut(core);
            self.tell_gone(self.health[core].id);
        }
    }

    /// The core that something happens to, if it may hang.
    pub fn core_of(&self, next: &Next) -> Option<usize> {
        match *next {
            Next::Tick(core) | Next::Fact(core, _) | Next::Checked(core, ..) | Next::Relink(core) => {
                Some(core)
            }
            Next::Called(core, _) => Some(core),
            Next::Commit(server) => Some(server * self.plan.cores_of_server),
            Next::ToServer(conn) | Next::Probed(conn) | Next::Gone(conn) => Some(self.conns[conn].core),
            _ => None,
        }
    }
}

impl Core {
    /// A core of a server that starts when this is the greatest id that is stored.
    pub fn new(id: CoreId, plan: &Plan, stored: MessageId, wall: Millis) -> Self {
        Self::with(Hub::new(id, plan.limits.clone()).retaining(plan.keep).after(stored, wall))
    }
}

fn is_of_bus(next: &Next, core: usize) -> bool {
    match next {
        Next::Home(of, _) => *of == core,
        Next::Fact(_, Fact::Answered(..)) => false,
        Next::Fact(of, _) => *of == core,
        _ => false,
    }
}

/// What a core hears of the bus itself.
pub fn news(fact: Fact) -> Event<'static> {
    match fact {
        Fact::Rejoined(core) => Event::Rejoined { core },
        Fact::CoreGone(core) => Event::CoreGone { core },
        other => unreachable!("not about the bus itself: {other:?}"),
    }
}
