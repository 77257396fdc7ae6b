//! The course of a run: phase after phase, each with a rest and a look at everything.

use super::device::{Confirms, Phone};
use super::plan::{Phase, Plan};
use super::world::{Next, World};
use crate::trace;

impl World {
    /// A whole run: phase after phase, each with a rest, and a look at everything.
    pub fn run(&mut self) {
        for phase in self.plan.phases.clone() {
            trace!(self, "---- {phase:?}");
            let contested = (phase == Phase::Contest).then(|| self.contest());
            self.fault = Some(phase);
            self.parted = Plan::parts(phase);
            self.acting = true;
            for user in 1..=self.plan.users {
                for _ in 0..self.rng.between(1, 2) {
                    if contested.as_ref().is_none_or(|(of, _)| *of != user) {
                        let after = self.rng.below(self.plan.phase_us / 2);
                        self.later(after, Next::Come { user });
                    }
                }
            }
            let after = self.rng.below(self.plan.phase_us / 2);
            self.later(after, Next::Fail(phase));
            self.start_application(phase);
            self.run_until(self.now_us + self.plan.phase_us);
            self.acting = false;
            self.fault = None;
            self.lost_silently |= phase == Phase::Silence;
            for conn in 0..self.conns.len() {
                if self.conns[conn].is_usable() && self.rng.chance(self.plan.breaks) {
                    self.break_off(conn);
                } else {
                    self.read_on(conn);
                    self.confirm_late(conn);
                }
            }
            trace!(self, "---- rest");
            self.rest();
            self.parted = false;
            if let Some((user, conns)) = contested {
                self.check_contest(user, &conns);
            }
            self.change_accounts();
            self.answer_application();
            self.check_rest();
            self.let_all_in();
        }
        self.finish();
    }

    /// Everybody who is a user goes; then several log in as that user.
    fn contest(&mut self) -> (usize, Vec<usize>) {
        let user = self.rng.between(1, self.plan.users as u64) as usize;
        for conn in 0..self.conns.len() {
            if self.people[conn].user == user && !self.conns[conn].closed {
                self.break_off(conn);
            }
        }
        self.rest();
        let many = self.rng.between(2, 8);
        let replaces = self.rng.chance(300);
        (user, (0..many).map(|_| self.connect(user, true, replaces)).collect())
    }

    /// All go, all come back and read everything, and the servers stop.
    fn finish(&mut self) {
        trace!(self, "---- all go");
        for conn in 0..self.conns.len() {
            if !self.conns[conn].closed {
                self.break_off(conn);
            }
        }
        self.rest();
        self.check_empty();
        self.lost_silently = false;
        if self.rng.chance(500) {
            self.start_all_again();
        }
        trace!(self, "---- all come back");
        let mut last: Vec<usize> = Vec::new();
        for round in 0..5 {
            // Where limits are tight, one may be cut and has to come again.
            let here = |world: &Self, user| {
                last.iter().any(|&at| world.people[at].user == user && world.conns[at].is_usable())
            };
            let away: Vec<usize> = (1..=self.plan.users).filter(|&user| !here(self, user)).collect();
            last.extend(away.into_iter().map(|user| self.connect(user, true, true)).collect::<Vec<_>>());
            self.rest();
            if round < 2 {
                self.all_talk(&last);
                self.application_talks();
            }
        }
        let online = last.iter().filter(|&&at| self.people[at].online && self.conns[at].is_usable()).count();
        assert_eq!(online, self.plan.users, "somebody can not log in");
        self.check_rest();
        self.check_all_received();
        self.check_came_again();
        self.check_application();
        self.read_all(&last);
        let moved = self.all_move(&last);
        self.rest();
        self.check_moved(&moved);
        self.check_rest();
        trace!(self, "---- drain");
        self.drain();
        self.rest();
        self.check_empty();
    }

    /// The answer to what was read may be given to another server, or to another run of the same.
    fn all_talk(&mut self, last: &[usize]) {
        for &conn in last {
            for _ in 0..3 {
                if self.people[conn].online && self.conns[conn].is_usable() {
                    self.chat(conn);
                }
            }
        }
        self.rest();
    }

    /// Everybody who has a token comes with it to another server: from which connection, to which.
    fn all_move(&mut self, last: &[usize]) -> Vec<(usize, usize)> {
        let mut moved = Vec::new();
        for &from in last {
            if self.people[from].phone.is_none() || !self.conns[from].is_usable() {
                continue;
            }
            let Some(token) = self.device(from).token.clone() else { continue };
            let to = self.connect(self.people[from].user, false, true);
            self.people[to].phone = Some(Phone::new(Confirms::AtOnce, false));
            self.people[to].entering = true;
            self.write(to, &format!("{{\"msgid\":25,\"token\":\"{token}\"}}"));
            moved.push((from, to));
        }
        moved
    }
}
