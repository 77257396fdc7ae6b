//! How the simulated store runs groups: roles, bans, mutes, requests to join, and their rows.

use super::store::{Group, Store};
use chatd::chat::model::envelope::{Envelope, Row, Target};
use chatd::chat::model::group_rule::JoinPolicy;
use chatd::chat::model::group_rule::{Asking, GroupRule, MemberRule, NewRow, Ruled, Rules, Standing, Until};
use chatd::chat::model::history::Placed;
use chatd::chat::model::ids::{GroupId, Millis, UserId};
use chatd::chat::model::profile::Role;
use chatd::chat::port::store::{StoreReply, StoreResult};
use chatd::chat::wire::code::Code;
use chatd::chat::wire::group_event::{self, What};

/// A member.
pub struct Seat {
    pub role: Role,
    /// Everything up to this place the member has.
    pub cursor: u64,
    /// Where the group stood when it joined.
    pub joined: u64,
    pub muted: Until,
    /// The place of the row that made it what it is.
    pub ruled: u64,
}

impl Seat {
    pub fn new(role: Role, head: u64) -> Self {
        Self { role, cursor: head, joined: head, muted: Until::NEVER, ruled: head }
    }

    pub fn rule(&self) -> MemberRule {
        MemberRule { role: self.role, muted: self.muted }
    }
}

impl Group {
    pub fn is_muted(&self, seat: &Seat, ts: Millis) -> bool {
        seat.muted.holds(ts) || (!seat.role.runs() && self.all.until.holds(ts))
    }

    /// Whether a user may join now; if not, and there is no error, it asks now.
    pub fn admits(&mut self, user: UserId, row: Option<NewRow>) -> Result<bool, Code> {
        let ts = row.map_or(Millis(0), |row| row.ts);
        if self.rules.get(&user).is_some_and(|(banned, _)| banned.holds(ts)) {
            return Err(Code::NotYours);
        }
        match self.join {
            JoinPolicy::Open => Ok(true),
            JoinPolicy::Closed => Err(Code::NotYours),
            JoinPolicy::Ask if self.asking.contains_key(&user) => Err(Code::Pending),
            JoinPolicy::Ask => {
                self.asking.insert(user, ts);
                Ok(false)
            }
        }
    }

    pub fn enter(&mut self, user: UserId, head: u64) -> Until {
        self.asking.remove(&user);
        let muted = self.rules.remove(&user).map_or(Until::NEVER, |(_, muted)| muted);
        self.members.insert(user, Seat { muted, ..Seat::new(Role::Normal, head) });
        muted
    }

    pub fn leave(&mut self, user: UserId) {
        let seat = self.members.remove(&user);
        if let Some(muted) = seat.map(|seat| seat.muted).filter(|muted| *muted != Until::NEVER) {
            self.rules.entry(user).or_default().1 = muted;
        }
    }
}

impl Store {
    /// What a member and its group are by rule.
    pub fn rules(&self, id: GroupId, user: UserId) -> Rules {
        let group = &self.groups[&id];
        let seat = &group.members[&user];
        Rules { group: id, member: seat.rule(), at: seat.ruled, all: group.all }
    }

    /// Makes the row that tells of something.
    pub fn add_row(
        &mut self,
        (by, id): (UserId, GroupId),
        row: NewRow,
        cid: Option<&str>,
        user: Option<UserId>,
        what: What<'_>,
    ) -> Placed {
        let body = self.event_body(by, id, user, what);
        let mut mid = row.mid;
        while self.messages.contains_key(&mid) {
            mid = mid.next_of_core();
        }
        let cid = cid.unwrap_or_default();
        let stored =
            Row { sender: by, target: Target::Group(id), mid, ts: row.ts, cid: cid.as_bytes(), body: &body };
        let envelope = Envelope::of_row(stored, &mut Vec::new());
        let places = &mut self.groups.get_mut(&id).expect("a group").messages;
        places.push(mid);
        let pos = places.len() as u64;
        if !cid.is_empty() {
            self.cids.insert((by, cid.to_owned()), mid);
        }
        self.messages.insert(mid, (envelope.clone(), Some(pos)));
        Placed::as_said(envelope.placed(pos), pos)
    }

    fn event_body(&self, by: UserId, id: GroupId, user: Option<UserId>, what: What<'_>) -> Vec<u8> {
        let name = |user| self.person(user).map_or_else(String::new, |person| person.name);
        let user = user.filter(|&user| user != by).map(|user| (user, name(user)));
        let user = user.as_ref().map(|(user, name)| (*user, name.as_str()));
        let mut body = Vec::new();
        group_event::body(&mut body, (by, &name(by)), id, user, what);
        body
    }

    pub fn join_requests(&self, user: UserId, id: GroupId) -> StoreResult {
        let group = self.group(id)?;
        if !group.members.get(&user).ok_or(Code::NotAMember)?.role.runs() {
            return Err(Code::NotYours);
        }
        let asking = |(&id, &ts)| Asking { person: self.person(id).expect("a user"), ts };
        let mut asking: Vec<Asking> = group.asking.iter().map(asking).collect();
        asking.sort_by_key(|asking| (asking.ts, asking.person.id));
        Ok(StoreReply::Asking(asking))
    }

    pub fn rule_group(
        &mut self,
        (by, id): (UserId, GroupId),
        rule: &GroupRule,
        row: NewRow,
        cid: Option<&str>,
    ) -> StoreResult {
        if let Some(&mid) = cid.and_then(|cid| self.cids.get(&(by, cid.to_owned()))) {
            let (envelope, pos) = self.messages[&mid].clone();
            let same = |of_member| {
                envelope.target() == Target::Group(id)
                    && envelope.body() == self.event_body(by, id, rule.about(), What::of(rule, of_member))
            };
            let Some(pos) = pos.filter(|_| same(true) || same(false)) else { return Err(Code::CidReused) };
            let row = Placed::as_said(envelope.placed(pos), pos);
            return Ok(self.ruled(by, id, rule, Some(row), false));
        }
        let group = self.group(id)?;
        let mine = group.members.get(&by).ok_or(Code::NotAMember)?.role;
        let theirs = rule.about().and_then(|user| group.members.get(&user)).map(|seat| seat.role);
        let outranks = theirs.is_none_or(|theirs| mine.outranks(theirs));
        let allowed = match rule {
            GroupRule::Role { .. } => mine == Role::Creator,
            GroupRule::Kick { .. } | GroupRule::Mute { .. } => mine.runs() && outranks,
            GroupRule::MuteAll { .. } | GroupRule::Set { .. } | GroupRule::Answer { .. } => mine.runs(),
        };
        if !allowed {
            return Err(Code::NotYours);
        }
        if theirs.is_none() && matches!(rule, GroupRule::Role { .. } | GroupRule::Mute { .. }) {
            return Err(Code::NoSuchUser);
        }
        if let GroupRule::Answer { user, yes } = rule {
            return self.answer_join((by, id), (*user, *yes), row, cid, theirs.is_some());
        }
        self.change_group((by, id), rule, row, theirs.is_some())?;
        let placed = self.add_row((by, id), row, cid, rule.about(), What::of(rule, theirs.is_some()));
        let group = self.groups.get_mut(&id).expect("a group");
        let changed = match rule {
            GroupRule::Role { user, role: Role::Creator } => vec![*user, by],
            GroupRule::Role { user, .. } | GroupRule::Mute { user, .. } => vec![*user],
            _ => Vec::new(),
        };
        for user in changed {
            group.members.get_mut(&user).expect("a member").ruled = placed.pos;
        }
        if let GroupRule::MuteAll { .. } = rule {
            group.all.at = placed.pos;
        }
        Ok(self.ruled(by, id, rule, Some(placed), true))
    }

    fn change_group(
        &mut self,
        (by, id): (UserId, GroupId),
        rule: &GroupRule,
        row: NewRow,
        is_member: bool,
    ) -> Result<(), Code> {
        if let GroupRule::Set { name: Some(name), .. } = rule
            && self
                .groups
                .iter()
                .any(|(&other, group)| other != id && !group.dissolved && group.name == *name)
        {
            return Err(Code::Exists);
        }
        let is_user = rule.about().is_some_and(|user| self.person(user).is_some());
        let group = self.groups.get_mut(&id).expect("a group");
        match rule {
            GroupRule::Role { user, role } => {
                group.members.get_mut(user).expect("a member").role = *role;
                if *role == Role::Creator {
                    group.members.get_mut(&by).expect("a member").role = Role::Admin;
                }
            }
            GroupRule::Kick { user, ban } => {
                let is_banned = is_user && ban.holds(row.ts);
                let was_banned = group.rules.get(user).is_some_and(|(banned, _)| banned.holds(row.ts));
                if !is_member && !is_banned && !was_banned {
                    return Err(Code::NoSuchUser);
                }
                group.leave(*user);
                group.asking.remove(user);
                group.rules.entry(*user).or_default().0 = *ban;
                if is_member {
                    self.left.insert((*user, id));
                }
            }
            GroupRule::Mute { user, until } => group.members.get_mut(user).expect("a member").muted = *until,
            GroupRule::MuteAll { until } => group.all.until = *until,
            GroupRule::Set { name, desc, join } => {
                name.iter().for_each(|name| group.name.clone_from(name));
                desc.iter().for_each(|desc| group.desc.clone_from(desc));
                group.join = join.unwrap_or(group.join);
            }
            GroupRule::Answer { .. } => {}
        }
        Ok(())
    }

    fn answer_join(
        &mut self,
        (by, id): (UserId, GroupId),
        (user, yes): (UserId, bool),
        row: NewRow,
        cid: Option<&str>,
        is_member: bool,
    ) -> StoreResult {
        let rule = GroupRule::Answer { user, yes };
        let is_user = self.person(user).is_some();
        let group = self.groups.get_mut(&id).expect("a group");
        let asks = group.asking.contains_key(&user);
        if !asks && !is_member && (yes || !is_user) {
            return Err(Code::NoSuchUser);
        }
        if !asks || is_member || !yes {
            group.asking.remove(&user);
            return Ok(self.ruled(by, id, &rule, None, asks && !is_member));
        }
        if group.members.len() == super::store::MOST_MEMBERS {
            return Err(Code::TooMany);
        }
        let placed = self.add_row((by, id), row, cid, Some(user), What::Joined);
        self.groups.get_mut(&id).expect("a group").enter(user, placed.pos);
        Ok(self.ruled(by, id, &rule, Some(placed), true))
    }

    fn ruled(
        &self,
        by: UserId,
        id: GroupId,
        rule: &GroupRule,
        row: Option<Placed>,
        fresh: bool,
    ) -> StoreReply {
        let group = &self.groups[&id];
        let pos = row.as_ref().map_or(0, |row| row.pos);
        let whom = match rule {
            GroupRule::Role { user, role: Role::Creator } => vec![*user, by],
            _ => rule.about().into_iter().collect(),
        };
        let standing = |user| match group.members.get(&user) {
            Some(seat) => Standing { user, member: Some(seat.rule()), at: seat.ruled },
            None => Standing { user, member: None, at: pos },
        };
        let standings = whom.into_iter().map(standing).collect();
        let all = matches!(rule, GroupRule::MuteAll { .. }).then_some(group.all);
        StoreReply::Ruled(Ruled { row, fresh, standings, all })
    }
}
