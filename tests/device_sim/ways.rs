//! The bus, and what fails: a core loses the bus, a server dies and starts again.

use super::bus::Op;
use super::world::{Fact, Next, World};
use chatd::chat::model::ids::{CoreId, UserId};
use chatd::chat::port::event::{BusDown, Channel, Event};

const BUS_US: u64 = 3_000;

impl World {
    pub fn say(&mut self, core: usize, op: Op) {
        let down = self.cores[core].down;
        self.bus.check(core, &op, down);
        if down {
            return self.refuse(core, op);
        }
        let way = self.rng.delay(BUS_US);
        let at = self.bus.say(core, &op, self.now_us + way);
        self.at(at, Next::Home(core, op));
    }

    fn refuse(&mut self, core: usize, op: Op) {
        let run = self.cores[core].run;
        let fact = match op {
            Op::Join { ticket, channel } => {
                self.bus.forget(core, channel);
                Fact::Joined(ticket, Err(BusDown))
            }
            Op::Publish { ticket: Some(ticket), .. } => Fact::Counted(ticket, Err(BusDown)),
            Op::Look { ticket, .. } => Fact::Present(ticket, Err(BusDown)),
            Op::Publish { .. } | Op::Leave { .. } | Op::Rejoin { .. } => return,
        };
        self.later(0, Next::Fact(core, run, fact));
    }

    pub fn home(&mut self, core: usize, op: Op) {
        match op {
            Op::Join { ticket, channel } => {
                self.bus.join(core, channel);
                self.pass_on(channel, core, Fact::Joined(ticket, Ok(())));
            }
            Op::Rejoin { channel } => self.bus.join(core, channel),
            Op::Leave { channel } => self.bus.leave(core, channel),
            Op::Publish { ticket, channel, envelope } => {
                let listeners = match channel {
                    Channel::Cores => (0..self.cores.len()).filter(|&at| !self.cores[at].dead).collect(),
                    channel => self.bus.listeners(channel),
                };
                let heard = listeners.len() as u32;
                for listener in listeners {
                    if listener < self.cores.len() && !self.cores[listener].down {
                        self.pass_on(channel, listener, Fact::Arrived(channel, envelope.clone()));
                    }
                }
                if let Some(ticket) = ticket {
                    let (way, run) = (self.rng.delay(BUS_US), self.cores[core].run);
                    self.later(way, Next::Fact(core, run, Fact::Counted(ticket, Ok(heard))));
                }
            }
            Op::Look { ticket, users } => {
                let online = |user: &UserId| !self.bus.listeners(Channel::User(*user)).is_empty();
                let online = users.iter().map(online).collect();
                let (way, run) = (self.rng.delay(BUS_US), self.cores[core].run);
                self.later(way, Next::Fact(core, run, Fact::Present(ticket, Ok(online))));
            }
        }
    }

    fn pass_on(&mut self, channel: Channel, core: usize, fact: Fact) {
        let way = self.rng.delay(BUS_US);
        let (at, run) = (self.bus.pass_on(channel, core, self.now_us + way), self.cores[core].run);
        self.at(at, Next::Fact(core, run, fact));
    }

    pub fn fail(&mut self) {
        if !self.acting {
            return;
        }
        self.fail_somewhere();
        let after = self.rng.between(200_000, 900_000);
        self.later(after, Next::Fail);
    }

    /// A server dies or loses the bus, if that is what fails.
    pub fn fail_somewhere(&mut self) {
        let core = self.rng.index(self.cores.len());
        if !self.cores[core].dead && !self.cores[core].down {
            if self.plan.kills {
                self.die(core);
            } else if self.plan.breaks_bus {
                self.cut(core);
            }
        }
    }

    /// Whoever has the bus hears that a core is gone.
    pub fn tell_gone(&mut self, id: CoreId) {
        for core in 0..self.cores.len() {
            let at = &self.cores[core];
            if !at.dead && !at.down && at.id != id {
                let (way, run) = (self.rng.delay(BUS_US), self.cores[core].run);
                self.later(way, Next::Fact(core, run, Fact::CoreGone(id)));
            }
        }
    }

    fn take_out(&mut self, which: impl Fn(&Next) -> bool) -> Vec<Next> {
        let mut numbers: Vec<u64> =
            self.what.iter().filter(|(_, next)| which(next)).map(|(n, _)| *n).collect();
        numbers.sort_unstable();
        numbers.iter().filter_map(|number| self.what.remove(number)).collect()
    }

    /// A core loses the bus: what is under way to it and from it is lost.
    fn cut(&mut self, core: usize) {
        self.count("lost buses");
        self.cores[core].down = true;
        self.bus.cut(core);
        self.feed(core, Event::BusLost);
        let run = self.cores[core].run;
        for next in self.take_out(|next| {
            matches!(next, Next::Home(of, _) if *of == core)
                || matches!(next, Next::Fact(of, _, fact) if *of == core && !matches!(fact, Fact::Answered(..)))
        }) {
            match next {
                Next::Home(_, op) => self.refuse(core, op),
                Next::Fact(_, _, Fact::Joined(id, _)) => {
                    // Whether its channel is joined again: the hub leaves it.
                    self.later(0, Next::Fact(core, run, Fact::Joined(id, Err(BusDown))));
                }
                Next::Fact(_, _, Fact::Counted(id, _)) => {
                    self.later(0, Next::Fact(core, run, Fact::Counted(id, Err(BusDown))));
                }
                Next::Fact(_, _, Fact::Present(id, _)) => {
                    self.later(0, Next::Fact(core, run, Fact::Present(id, Err(BusDown))));
                }
                _ => {}
            }
        }
        let most = self.rng.pick(&[300_000, 900_000]);
        let after = self.rng.between(20_000, most);
        self.later(after, Next::Relink(core));
    }

    pub fn relink(&mut self, core: usize) {
        self.cores[core].down = false;
        let mut last = self.now_us;
        for channel in self.bus.wanted(core) {
            let op = Op::Rejoin { channel };
            let way = self.rng.delay(BUS_US);
            let at = self.bus.say(core, &op, self.now_us + way);
            last = last.max(at);
            self.at(at, Next::Home(core, op));
        }
        if self.rng.chance(500) {
            // It was given up meanwhile: it has another number now.
            self.tell_gone(self.cores[core].id);
            self.ids += 1;
            self.cores[core].id = CoreId(self.ids);
        }
        let (id, run) = (self.cores[core].id, self.cores[core].run);
        self.at(last + 1, Next::Fact(core, run, Fact::Rejoined(id)));
    }

    fn die(&mut self, core: usize) {
        self.count("deaths");
        self.cores[core].dead = true;
        if self.rng.chance(500) {
            self.cores[core].queue.clear();
        }
        let ghost = 1_000 + self.ghosts;
        self.ghosts += 1;
        self.bus.die(core, ghost);
        self.take_out(|next| matches!(next, Next::Home(of, Op::Join { .. }) if *of == core));
        for conn in 0..self.conns.len() {
            if self.conns[conn].core == core && !self.conns[conn].closed {
                self.conns[conn].closed = true;
                self.lost_connection(conn);
            }
        }
        let (noticed, back, id) =
            (self.rng.between(5_000, 200_000), self.rng.between(50_000, 400_000), self.cores[core].id);
        self.later(noticed, Next::Noticed(ghost, id));
        self.later(back, Next::Restart(core));
    }
}
