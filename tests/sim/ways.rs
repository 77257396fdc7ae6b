//! What is on its way: from cores to the bus and back, and to the store and back.

use super::bus::Op;
use super::plan::Phase;
use super::world::{Fact, Next, World};
use crate::trace;
use chatd::chat::model::envelope::{Envelope, Kind};
use chatd::chat::model::ids::{RequestId, UserId};
use chatd::chat::port::event::{BusDown, Channel};
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::chat::wire::code::Code;

impl World {
    pub fn say(&mut self, core: usize, op: Op) {
        let down = self.health[core].down;
        // Who may be logged in on the other side is not let in.
        let split = self.health[core].split_us.is_some();
        let refused = split && matches!(op, Op::Join { channel: Channel::User(_), .. });
        self.bus.check(core, &op, down || refused);
        if refused && !down {
            self.oracle.tally.count("logins refused because of a split");
        }
        if down || refused {
            if let Op::Publish { envelope, .. } = &op {
                self.oracle.tally.count(match envelope.kind() {
                    Kind::Group => "group messages said to a lost bus",
                    Kind::GroupOffsets => "word of places said to a lost bus",
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
    pub fn home(&mut self, core: usize, op: Op) {
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
                let listeners: Vec<usize> =
                    listeners.into_iter().filter(|&listener| self.bus.are_together(core, listener)).collect();
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
                let online = |user: &UserId| {
                    let listeners = self.bus.listeners(Channel::User(*user));
                    listeners.iter().any(|&listener| self.bus.are_together(core, listener))
                };
                let online = users.iter().map(online).collect();
                let online = if refused { Err(BusDown) } else { Ok(online) };
                let way_us = self.rng.delay(self.plan.bus_us);
                self.later(way_us, Next::Fact(core, Fact::Present(ticket, online)));
            }
        }
    }

    pub fn is_linked(&self, core: usize) -> bool {
        !self.health[core].down && !self.health[core].dead
    }

    /// Whether something is lost on its way to one listener and nobody is told. Claims never are:
    /// a connection that loses one is lost itself.
    pub fn is_lost(&mut self, envelope: &Envelope) -> bool {
        let kinds = [Kind::Direct, Kind::Group, Kind::GroupOffsets, Kind::BacklogHint];
        let lost = self.fault == Some(Phase::Silence)
            && kinds.contains(&envelope.kind())
            && self.rng.chance(self.plan.loss);
        if lost {
            trace!(self, "lost: {envelope:?}");
            self.oracle.tally.count("lost silently");
        }
        lost
    }

    pub fn pass_on(&mut self, channel: Channel, core: usize, fact: Fact) {
        let way_us = self.rng.delay(self.plan.bus_us);
        let at_us = self.bus.pass_on(channel, core, self.now_us + way_us);
        self.at(at_us, Next::Fact(core, fact));
    }

    pub fn ask(&mut self, core: usize, ticket: RequestId, ask: StoreRequest) {
        if let StoreRequest::FetchBacklog { have, .. } = &ask {
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
        if matches!(
            ask,
            StoreRequest::Verify { .. } | StoreRequest::Register { .. } | StoreRequest::ChangePassword { .. }
        ) {
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

    pub fn store_up(&mut self, server: usize) {
        self.heals -= 1;
        self.queues[server].down = false;
    }

    pub fn commit_later(&mut self, server: usize) {
        if !std::mem::replace(&mut self.queues[server].committing, true) {
            let after = self.rng.delay(self.plan.commit_us[server]);
            self.later(after, Next::Commit(server));
        }
    }

    pub fn commit(&mut self, server: usize) {
        self.queues[server].committing = false;
        for _ in 0..self.plan.batch {
            let Some((core, ticket, ask)) = self.queues[server].waiting.pop_front() else { break };
            let mut answer = self.store.answer(&ask);
            match (&ask, &mut answer) {
                (StoreRequest::Remember { user, window }, _) => {
                    self.queues[server].dedup.insert(*user, window.clone());
                }
                (StoreRequest::LoadProfile { user, .. }, Ok(StoreReply::Profile(roster))) => {
                    roster.dedup = self.queues[server].dedup.remove(user);
                }
                _ => {}
            }
            if let StoreRequest::StoreMessage { envelope } = &ask {
                self.oracle.kept_us.entry(envelope.mid()).or_insert(self.now_us);
            }
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
}
