//! From a won claim to a logged-in session, and from there back to nobody.
//!
//! The offline rules, found by a simulator: first join every channel and be told so, then take
//! the backlog. What arrives meanwhile is held until the backlog is through.

use super::ask::{Answer, Ask, Detail, Done, Issue};
use super::claim::answer_held_up;
use super::effect::Effect;
use super::envelope::Kind;
use super::event::{BusDown, Channel};
use super::held::PATIENCE_MS;
use super::hub::Hub;
use super::ids::{GroupId, SessionId, UserId};
use super::orphan::Orphan;
use super::pending::Pending;
use super::presence::Gone;
use super::seat::Seat;
use super::session::{CatchingUp, Greeting, Held, HeldMessage, Online, Phase, Place, Recent, V2, Visit};
use super::wire::code::Code;
use super::wire::request::Dialect;
use rustc_hash::FxHashSet;

impl Hub {
    pub(super) fn claim_won(&mut self, id: SessionId, visit: Visit, out: &mut Vec<Effect>) {
        let session = self.session(id).expect("who claims is there");
        let user = session.user().expect("who claims is somebody");
        let Phase::Entering(entering) = &session.phase else { unreachable!("who claims is entering") };
        let proof = entering.proof;
        let (detail, issue) = match session.dialect {
            Dialect::Seed => (Detail::Members, Issue::Nothing),
            // Who came with a token keeps it.
            Dialect::V2 if session.token().is_some() => (Detail::Counts, Issue::Nothing),
            Dialect::V2 => (Detail::Counts, Issue::Token),
        };
        let ticket = self.pending.insert(Pending::Roster { session: id, visit });
        out.push(Effect::Ask { ticket, ask: Ask::Roster { user, proof, detail, issue } });
    }

    pub(super) fn roster(&mut self, id: SessionId, visit: Visit, answer: Answer, out: &mut Vec<Effect>) {
        let Some(session) = self.session_mut(id) else { return };
        let dialect = session.dialect;
        let Some(entering) = session.entering_mut(visit) else { return };
        let mut roster = match answer {
            Ok(Done::Roster(roster)) => *roster,
            Err(Code::Refused) => {
                let proof = entering.proof;
                return self.refuse_unproven(id, proof, out);
            }
            Err(code) => return self.refuse_login(id, code, out),
            Ok(_) => unreachable!("Roster is answered with Roster"),
        };
        let friends: Vec<UserId> = roster.friends.iter().map(|friend| friend.id).collect();
        let people = roster
            .friends
            .iter()
            .chain(roster.groups.iter().flat_map(|group| group.members.iter().map(|member| &member.person)));
        let mut users: Vec<UserId> = people.map(|person| person.id).collect();
        users.sort_unstable();
        users.dedup();
        let groups: Vec<(GroupId, u64)> =
            roster.groups.iter().map(|group| (group.group, group.cursor)).collect();
        roster.token = roster.token.or(entering.roster.token.take());
        entering.roster = roster;
        entering.awaited = 1;
        for (group, cursor) in groups {
            let (place, awaited) = self.sit_down(id, group, cursor, out);
            let entering =
                self.session_mut(id).and_then(|session| session.entering_mut(visit)).expect("as above");
            entering.groups.insert(group, place);
            entering.awaited += awaited;
        }
        if dialect == Dialect::V2 {
            users = self.presence.watch(id, &friends);
        }
        let begun = self.presence.begin_look();
        let ticket =
            self.pending.insert(Pending::LoginLook { session: id, visit, users: users.clone(), begun });
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
        let place = Place { from: cursor, since: seat.pushes, written: cursor, cap: Some(cursor) };
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
            match (self.session_mut(id).map(|session| &mut session.phase), result) {
                (Some(Phase::Entering(entering)), Ok(())) => {
                    entering.awaited -= 1;
                    self.enter_if_ready(id, out);
                }
                (Some(Phase::Entering(_)), Err(BusDown)) => self.refuse_login(id, Code::Busy, out),
                // It became a member while it was online, and may have missed what came before now.
                (Some(Phase::Online(_)), Ok(())) => self.take_again(id, out),
                _ => {}
            }
        }
        if result.is_err() && self.seats.get(&group).is_some_and(|seat| seat.number == number) {
            self.to_rejoin.push((group, number));
        }
    }

    /// Tries again to join the channels of groups that members who are online sit in.
    pub(super) fn rejoin_groups(&mut self, out: &mut Vec<Effect>) {
        for (group, number) in std::mem::take(&mut self.to_rejoin) {
            let Some(seat) = self.seats.get_mut(&group).filter(|seat| seat.number == number) else {
                continue;
            };
            seat.waiting = seat.members.clone();
            let channel = Channel::Group(group);
            out.push(Effect::Leave { channel });
            let ticket = self.pending.insert(Pending::JoinGroup { group, seat: number });
            out.push(Effect::Join { ticket, channel });
        }
    }

    /// Where word that messages are stored seems to be lost, the members look for themselves.
    pub(super) fn recheck_groups(&mut self, out: &mut Vec<Effect>) {
        let mut seats = std::mem::take(&mut self.seats);
        let mut to_take: Vec<SessionId> = Vec::new();
        for seat in seats.values_mut() {
            let is_live = |&&id: &&SessionId| {
                let online = self.session(id).and_then(|session| session.online());
                online.is_some_and(|online| online.catching_up.is_none())
            };
            let live: Vec<SessionId> = seat.members.iter().filter(is_live).copied().collect();
            if seat.is_overdue(live.len() == seat.members.len()) {
                to_take.extend(live);
            }
        }
        self.seats = seats;
        to_take.into_iter().for_each(|id| self.take_again(id, out));
    }

    pub(super) fn login_looked(
        &mut self,
        id: SessionId,
        visit: Visit,
        looked: (Vec<UserId>, u64),
        online: Result<Vec<bool>, BusDown>,
        out: &mut Vec<Effect>,
    ) {
        let (users, begun) = looked;
        let of_v2 = self.session(id).is_some_and(|session| session.dialect == Dialect::V2);
        // One of the seed has looked for users who are watched and known, too, and may have met one
        // who will be back.
        if let (Ok(online), true) = (&online, of_v2) {
            self.saw(&users, begun, online, out);
        }
        let Some(entering) = self.session_mut(id).and_then(|session| session.entering_mut(visit)) else {
            return;
        };
        let Ok(online) = online else { return self.refuse_login(id, Code::Busy, out) };
        entering.awaited -= 1;
        entering.online =
            users.into_iter().zip(online).filter(|&(_, online)| online).map(|(user, _)| user).collect();
        self.enter_if_ready(id, out);
    }

    /// Once every channel is joined the session is online, and its backlog is taken.
    pub(super) fn enter_if_ready(&mut self, id: SessionId, out: &mut Vec<Effect>) {
        let patience = self.now.plus(PATIENCE_MS);
        let session = self.session_mut(id).expect("looked at before");
        match &session.phase {
            Phase::Entering(entering) if entering.awaited == 0 => {}
            _ => return,
        }
        let Phase::Entering(entering) = std::mem::replace(&mut session.phase, Phase::Anonymous) else {
            unreachable!("looked at above");
        };
        let token = entering.roster.token.as_ref().map(|token| token.id);
        let friends = || entering.roster.friends.iter().map(|friend| friend.id).collect();
        let v2 = (session.dialect == Dialect::V2)
            .then(|| Box::new(V2 { token, friends: friends(), ..V2::default() }));
        let (user, visit) = (entering.user, entering.visit);
        let blocked = entering.roster.blocked.iter().copied().collect();
        let mut roster = entering.roster;
        let dedup = roster.dedup.take().unwrap_or_default();
        let greeting = Greeting { roster, online: entering.online };
        let mut catching_up = CatchingUp::new(Some(Box::new(greeting)), entering.held, FxHashSet::default());
        catching_up.patience = patience;
        session.phase = Phase::Online(Box::new(Online {
            visit: entering.visit,
            known_as: entering.visit,
            user: entering.user,
            name: entering.name,
            groups: entering.groups,
            dedup,
            blocked,
            v2,
            writing: false,
            catching_up: Some(Box::new(catching_up)),
            owed: FxHashSet::default(),
            live: Recent::default(),
            taken: Recent::default(),
            missing: entering.missing,
        }));
        (self.counts.entering, self.counts.logins) = (self.counts.entering - 1, self.counts.logins + 1);
        self.catching_up.push(id);
        self.came(user, visit, out);
        self.continue_backlog(id, out);
    }

    /// The session is nobody from now on: leaves its channels, writes down how far it came, and
    /// finds another place for what it held and for what its reader has not confirmed. What TCP may
    /// not have delivered to a seed session stays in its window.
    pub(super) fn part(&mut self, id: SessionId, gone: Gone, out: &mut Vec<Effect>) {
        let Some(session) = self.session(id) else { return };
        let progress = session.online().map_or_else(Vec::new, |online| self.progress(session, online));
        let session = self.session_mut(id).expect("looked at above");
        let dialect = session.dialect;
        let (user, groups, held, v2, dedup) = match std::mem::replace(&mut session.phase, Phase::Anonymous) {
            Phase::Anonymous => return,
            Phase::Entering(entering) => {
                self.counts.entering -= 1;
                answer_held_up(entering.user, entering.claim, Kind::Yield, out);
                let friends = entering.roster.friends.iter().map(|friend| friend.id).collect();
                let v2 = (dialect == Dialect::V2).then(|| Box::new(V2 { friends, ..V2::default() }));
                (entering.user, entering.groups, entering.held, v2, entering.roster.dedup)
            }
            Phase::Online(online) => {
                self.went(online.user, online.known_as, gone, out);
                let held = online.catching_up.map_or_else(Held::default, |catching_up| catching_up.held);
                (online.user, online.groups, held, online.v2, Some(online.dedup))
            }
        };
        self.users.remove(&user);
        self.counts.partings += 1;
        out.push(Effect::Leave { channel: Channel::User(user) });
        for &group in groups.keys() {
            self.stand_up(id, group, out);
        }
        if let Some(v2) = v2 {
            self.presence.unwatch(id, &v2.friends);
            let unread = self.session_mut(id).map(|session| std::mem::take(&mut session.window));
            self.keep_unconfirmed(v2.unconfirmed.into_iter().chain(unread.into_iter().flatten()), out);
        }
        // What its groups said is stored, and its cursors are not beyond it.
        for HeldMessage { envelope, .. } in held.messages {
            if envelope.kind() == Kind::Direct {
                self.adopt(Orphan::Keep { envelope }, out);
            }
        }
        if let Some(dedup) = dedup {
            self.remember(user, dedup, out);
        }
        if !progress.is_empty() {
            self.adopt(Orphan::Settle { user, mids: Vec::new(), progress }, out);
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
        } else {
            self.start_seat(group);
        }
    }
}
