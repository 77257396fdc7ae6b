//! From a won claim to a logged-in session, and from there back to nobody.
//!
//! The offline rules, found by a simulator: first join every channel and be told so, then take
//! the backlog. What arrives meanwhile is held until the backlog is through.

use super::ask::{Answer, Ask, Done, Progress};
use super::backlog::Orphan;
use super::effect::Effect;
use super::event::{BusDown, Channel};
use super::hub::Hub;
use super::ids::{GroupId, SessionId, UserId};
use super::pending::Pending;
use super::seat::Seat;
use super::session::{CatchingUp, Greeting, Held, Online, Phase, Place, Visit};
use super::wire::code::Code;
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::VecDeque;

impl Hub {
    pub(super) fn claim_won(&mut self, id: SessionId, visit: Visit, out: &mut Vec<Effect>) {
        let user = self.session(id).and_then(|session| session.user()).expect("who claims is somebody");
        let ticket = self.pending.insert(Pending::Roster { session: id, visit });
        out.push(Effect::Ask { ticket, ask: Ask::Roster { user } });
    }

    pub(super) fn roster(&mut self, id: SessionId, visit: Visit, answer: Answer, out: &mut Vec<Effect>) {
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let roster = match answer {
            Ok(Done::Roster(roster)) => *roster,
            Err(code) => return self.refuse_login(id, code, out),
            Ok(_) => unreachable!("Roster is answered with Roster"),
        };
        let people = roster
            .friends
            .iter()
            .chain(roster.groups.iter().flat_map(|group| group.members.iter().map(|member| &member.person)));
        let mut users: Vec<UserId> = people.map(|person| person.id).collect();
        users.sort_unstable();
        users.dedup();
        let groups: Vec<(GroupId, u64)> =
            roster.groups.iter().map(|group| (group.group, group.cursor)).collect();
        entering.roster = roster;
        entering.awaited = 1;
        for (group, cursor) in groups {
            let (place, awaited) = self.sit_down(id, group, cursor, out);
            let entering =
                self.session_mut(id).and_then(|session| session.entering_mut(visit)).expect("as above");
            entering.groups.insert(group, place);
            entering.awaited += awaited;
        }
        let ticket = self.pending.insert(Pending::LoginLook { session: id, visit, users: users.clone() });
        out.push(Effect::Look { ticket, users });
    }

    /// Makes a session a member of the group here; joins the channel for the first one. Gives back
    /// its place, and 1 if `Joined` is to be waited for.
    pub(super) fn sit_down(
        &mut self,
        id: SessionId,
        group: GroupId,
        cursor: u64,
        out: &mut Vec<Effect>,
    ) -> (Place, u32) {
        let seat = self.seats.entry(group).or_insert_with(|| {
            self.seats_made += 1;
            Seat::new(self.seats_made)
        });
        seat.members.push(id);
        let place = Place { from: 0, since: seat.pushes, written: cursor, cap: Some(cursor) };
        if seat.joined {
            return (place, 0);
        }
        seat.waiting.push(id);
        if seat.members.len() == 1 {
            let ticket = self.pending.insert(Pending::JoinGroup { group, seat: seat.number });
            out.push(Effect::Join { ticket, channel: Channel::Group(group) });
        }
        (place, 1)
    }

    pub(super) fn group_joined(
        &mut self,
        group: GroupId,
        number: u64,
        result: Result<(), BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let Some(seat) = self.seats.get_mut(&group).filter(|seat| seat.number == number) else { return };
        seat.joined = result.is_ok();
        for id in std::mem::take(&mut seat.waiting) {
            match self.session_mut(id).map(|session| &mut session.phase) {
                Some(Phase::Entering(entering)) => {
                    entering.awaited -= 1;
                    match result {
                        Ok(()) => self.enter_if_ready(id, out),
                        Err(BusDown) => self.refuse_login(id, Code::Busy, out),
                    }
                }
                // It became a member while it was online, and may have missed what came before now.
                Some(Phase::Online(_)) => self.take_again(id, out),
                _ => {}
            }
        }
    }

    pub(super) fn login_looked(
        &mut self,
        id: SessionId,
        visit: Visit,
        users: Vec<UserId>,
        online: Result<Vec<bool>, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let Ok(online) = online else { return self.refuse_login(id, Code::Busy, out) };
        entering.awaited -= 1;
        entering.online =
            users.into_iter().zip(online).filter(|&(_, online)| online).map(|(user, _)| user).collect();
        self.enter_if_ready(id, out);
    }

    /// Every channel is joined: the session is online, and its backlog is taken.
    fn enter_if_ready(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let session = self.session_mut(id).expect("looked at before");
        match &session.phase {
            Phase::Entering(entering) if entering.awaited == 0 => {}
            _ => return,
        }
        let Phase::Entering(entering) = std::mem::replace(&mut session.phase, Phase::Anonymous) else {
            unreachable!("looked at above");
        };
        let greeting = Greeting { roster: entering.roster, online: entering.online };
        session.phase = Phase::Online(Box::new(Online {
            visit: entering.visit,
            user: entering.user,
            name: entering.name,
            groups: entering.groups,
            catching_up: Some(Box::new(CatchingUp::new(Some(Box::new(greeting)), entering.held))),
            owed: FxHashSet::default(),
            recent: VecDeque::new(),
            missing: FxHashMap::default(),
        }));
        self.catching_up.push(id);
        self.continue_backlog(id, out);
    }

    /// The session is nobody from now on: leaves its channels, writes down how far it came, and
    /// finds another place for what it held. What TCP may not have delivered stays in its window.
    pub(super) fn part(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        let (user, groups, held, progress) = match std::mem::replace(&mut session.phase, Phase::Anonymous) {
            Phase::Anonymous => return,
            Phase::Entering(entering) => (entering.user, entering.groups, entering.held, Vec::new()),
            Phase::Online(online) => {
                let progress = self.progress(&online);
                let held = online.catching_up.map_or_else(Held::default, |catching_up| catching_up.held);
                (online.user, online.groups, held, progress)
            }
        };
        self.users.remove(&user);
        out.push(Effect::Leave { channel: Channel::User(user) });
        for &group in groups.keys() {
            self.stand_up(id, group, out);
        }
        for envelope in held.messages {
            self.keep_for(user, envelope, out);
        }
        if !progress.is_empty() {
            self.adopt(Orphan::Settle { user, mids: Vec::new(), progress }, out);
        }
    }

    fn progress(&self, online: &Online) -> Vec<Progress> {
        let mut progress = Vec::new();
        for (&group, place) in &online.groups {
            let Some(seat) = self.seats.get(&group) else { continue };
            let (upto, beyond) = (seat.place_of(place), seat.beyond(place));
            if upto > place.written || !beyond.is_empty() {
                progress.push(Progress { group, upto, beyond });
            }
        }
        progress.sort_unstable_by_key(|progress| progress.group);
        progress
    }

    /// Now and then, how far everybody has come is written down, so that a crash repeats little.
    pub(super) fn write_progress(&mut self, out: &mut Vec<Effect>) {
        for id in self.online_sessions() {
            let Some(online) = self.session(id).and_then(|session| session.online()) else { continue };
            let (user, mut progress) = (online.user, self.progress(online));
            progress.retain_mut(|progress| {
                progress.beyond.clear();
                progress.upto > online.groups[&progress.group].written
            });
            if progress.is_empty() {
                continue;
            }
            for progress in &progress {
                let online =
                    self.session_mut(id).and_then(|session| session.online_mut()).expect("is online");
                online.groups.get_mut(&progress.group).expect("its own group").written = progress.upto;
            }
            let ticket = self.pending.insert(Pending::Progress);
            out.push(Effect::Ask { ticket, ask: Ask::Settle { user, mids: Vec::new(), progress } });
        }
    }

    /// Takes a session out of a group's seat; leaves the channel after the last one.
    pub(super) fn stand_up(&mut self, id: SessionId, group: GroupId, out: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&group) else { return };
        seat.members.retain(|&member| member != id);
        seat.waiting.retain(|&member| member != id);
        if seat.members.is_empty() {
            self.seats.remove(&group);
            out.push(Effect::Leave { channel: Channel::Group(group) });
        }
    }
}
