//! Devices run groups: roles, kicks, mutes, how one joins, answers to who asks; and who is silenced is not heard.
//!
//! Each ruling has a cid, is said again after a 110, and has one answer. From the ACK of a KICK or MUTE on, what reaches a
//! server of whom it silences is watched: nobody is pushed it while the store has it so.

use super::people::{conversation, mid, number, text, text_number};
use super::store::{Group, Store};
use super::world::World;
use chatd::chat::model::group_rule::{JoinPolicy, Until};
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{GroupId, Millis, UserId};
use chatd::chat::model::profile::Role;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What makes that a user is not heard: the place of its row, and whether it is about all normal members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Silence {
    pos: u64,
    of_all: bool,
}

/// What devices have asked for of their groups, as all of them together know it.
#[derive(Default)]
pub struct Running {
    made: u64,
    /// What was asked last by each device, to be said again.
    last: BTreeMap<usize, String>,
    /// What was answered, by cid.
    answered: BTreeMap<String, Value>,
    /// Rows of ROLE, KICK and MUTE that were acknowledged.
    silences: BTreeSet<(GroupId, u64)>,
    /// Texts that reached a server after the ACK of what silences their sender: when, and what it was.
    watched: BTreeMap<u64, (GroupId, UserId, usize, Silence)>,
    /// Texts that were refused.
    refused: BTreeMap<u64, u64>,
    /// What a text that tries whether one may speak is to be answered with.
    tried: BTreeMap<u64, u64>,
}

impl World {
    /// In half of the runs all users are in one group from the beginning.
    pub fn make_group(&mut self) {
        if self.rng.chance(500) {
            self.store.found_group((1..=self.plan.users as u64).filter_map(UserId::new));
        }
    }

    /// ROLE, KICK, MUTE, GROUP_SET, JOINS or JOIN_ANSWER of some group, or the last of these again.
    pub fn run_something(&mut self, device: usize, conn: usize) {
        if self.rng.chance(150) {
            if let Some(frame) = self.running.last.get(&device).cloned() {
                self.count("rulings said again");
                self.write(conn, frame);
            }
            return;
        }
        let user = self.devices[device].id();
        let mine = |group: &Group| group.members.get(&user).map(|seat| seat.role.runs());
        let all = self.store.groups.iter().filter_map(|(&id, group)| Some((id, mine(group)?)));
        let (run, other): (Vec<_>, Vec<_>) = all.partition(|(_, runs)| *runs);
        let from = if run.is_empty() || self.rng.chance(50) { other } else { run };
        if from.is_empty() {
            return;
        }
        let (group, _) = self.rng.pick(&from);
        let what = self.ruling(group, user);
        let cid = self.running.made;
        self.running.made += 1;
        let frame = format!("{{\"groupid\":{group},\"cid\":\"r{cid}\",{what}}}");
        self.running.last.insert(device, frame.clone());
        self.count("rulings asked for");
        self.write(conn, frame);
    }

    fn ruling(&mut self, group: GroupId, user: UserId) -> String {
        let other = self.whom(user);
        let soon = 1_700_000_000_000 + self.now_us / 1_000 + self.rng.between(20, 300);
        match self.rng.below(20) {
            0..=2 => {
                let role = self.rng.pick(&["admin", "admin", "normal", "normal", "owner"]);
                format!("\"msgid\":47,\"userid\":{other},\"role\":\"{role}\"")
            }
            3..=6 => {
                let ban = match self.rng.below(6) {
                    0..=2 => String::new(),
                    3 => ",\"ban_until\":-1".to_owned(),
                    4 => ",\"ban_until\":0".to_owned(),
                    _ => format!(",\"ban_until\":{soon}"),
                };
                format!("\"msgid\":48,\"userid\":{other}{ban}")
            }
            7..=15 => {
                let until = match self.rng.below(6) {
                    0..=2 => "-1".to_owned(),
                    3..=4 => "0".to_owned(),
                    _ => soon.to_string(),
                };
                let whom = match self.rng.chance(700) {
                    true => format!("\"userid\":{other}"),
                    false => "\"all\":true".to_owned(),
                };
                format!("\"msgid\":49,{whom},\"until\":{until}")
            }
            16..=17 => {
                let join = self.rng.pick(&["open", "ask", "ask", "closed"]);
                format!("\"msgid\":50,\"join\":\"{join}\"")
            }
            18 => "\"msgid\":56".to_owned(),
            _ => {
                let asking: Vec<u64> =
                    self.store.groups[&group].asking.keys().map(|user| u64::from(user.get())).collect();
                let asker = if asking.is_empty() { other } else { self.rng.pick(&asking) };
                let yes = self.rng.chance(700);
                format!("\"msgid\":55,\"userid\":{asker},\"yes\":{yes}")
            }
        }
    }

    /// A ruling is done, now or before, and known everywhere.
    pub fn on_rule_ack(&mut self, device: usize, frame: &Value) {
        let (cid, re) = (text(frame, "cid").expect("a cid"), number(frame, "re").expect("re"));
        self.count("rulings acknowledged");
        if re == 56 {
            return;
        }
        let first = self.running.answered.entry(cid.clone()).or_insert_with(|| frame.clone());
        assert_eq!(first, frame, "{cid} is answered otherwise than before");
        let group = GroupId::new(number(frame, "groupid").expect("a group")).expect("a group");
        if let Some(pos) = number(frame, "pos") {
            let (of, mid) = (conversation(frame), mid(frame));
            self.check_place(of, mid, pos);
            // Who asked is not pushed what this tells.
            let at = &mut self.devices[device];
            at.known.entry(of).or_default().insert(pos, mid);
            at.seen.insert(mid.0);
            if matches!(re, 47..=49) {
                self.running.silences.insert((group, pos));
            }
        }
    }

    /// A ruling or a text is refused. A ruling that is not known everywhere is said again.
    pub fn on_rule_error(&mut self, device: usize, conn: usize, frame: &Value) {
        let (errno, re) = (number(frame, "errno").expect("an errno"), number(frame, "re"));
        if re == Some(10)
            && let Some(said) = text(frame, "cid").and_then(|cid| cid.strip_prefix('c')?.parse().ok())
        {
            self.running.refused.insert(said, errno);
            if errno == 118 {
                self.count("texts of the muted refused");
            }
        }
        if !matches!(re, Some(47..=50 | 55)) {
            return;
        }
        assert!(errno != 112, "a ruling said again is taken for another: {frame}");
        let cid = text(frame, "cid").expect("a cid");
        let last = self.running.last.get(&device).filter(|last| last.contains(&format!("\"{cid}\"")));
        if errno == 110
            && let Some(last) = last.cloned()
            && self.acting
        {
            self.count("rulings not known everywhere");
            self.write(conn, last);
        }
    }

    /// What silences a user in a group, if its row was acknowledged and nothing has come since that concerns it.
    fn silence_of(&self, id: GroupId, user: UserId) -> Option<Silence> {
        let group = self.store.groups.get(&id).filter(|group| !group.dissolved)?;
        let wall = Millis(1_700_000_000_000 + self.now_us / 1_000);
        let seat = group.members.get(&user);
        let mut of_all_known = false;
        for (pos, mid) in (1..=group.messages.len() as u64).rev().zip(group.messages.iter().rev()) {
            let (row, _) = &self.store.messages[mid];
            if !row.is_event() {
                continue;
            }
            let row: Value = serde_json::from_slice(row.body()).expect("an event");
            let whom = number(&row, "userid");
            let is_about = whom.or(number(&row, "by")) == Some(user.get().into());
            let silence = Silence { pos, of_all: false };
            let acked = self.running.silences.contains(&(id, pos));
            match (row["what"].as_str().expect("what"), seat) {
                ("kicked", None) if is_about => return acked.then_some(silence),
                ("joined" | "left", None) if is_about => return None,
                // Only the last word on all of them counts.
                ("muted", Some(seat)) if whom.is_none() => {
                    let holds = group.all.until.holds(wall) && seat.role == Role::Normal;
                    if !std::mem::replace(&mut of_all_known, true)
                        && holds
                        && acked
                        && self.role_is_known(id, user)
                    {
                        return Some(Silence { pos, of_all: true });
                    }
                }
                ("muted", Some(seat)) if is_about => {
                    return (acked && seat.muted.holds(wall)).then_some(silence);
                }
                _ => {}
            }
        }
        None
    }

    /// Whether what made a user what it is was acknowledged.
    fn role_is_known(&self, id: GroupId, user: UserId) -> bool {
        let group = &self.store.groups[&id];
        let places = (1..=group.messages.len() as u64).rev();
        for (pos, mid) in places.zip(group.messages.iter().rev()) {
            let (row, _) = &self.store.messages[mid];
            if !row.is_event() {
                continue;
            }
            let row: Value = serde_json::from_slice(row.body()).expect("an event");
            let is_about = |name| number(&row, name) == Some(user.get().into());
            if row["what"] == "role" && (is_about("userid") || is_about("by") && row["role"] == "owner") {
                return self.running.silences.contains(&(id, pos));
            }
        }
        true
    }

    /// Something reaches a server.
    pub fn note_said(&mut self, conn: usize, frame: &str) {
        if self.running.silences.is_empty() || !frame.starts_with("{\"msgid\":10,") {
            return;
        }
        let frame: Value = serde_json::from_str(frame).expect("JSON");
        let user = self.devices[self.conns[conn].device].id();
        let group = GroupId::new(number(&frame, "groupid").expect("a group")).expect("a group");
        let Some(silence) = self.silence_of(group, user) else { return };
        self.count("texts watched");
        if self.cores[self.conns[conn].core].down {
            self.count("texts watched where the bus is lost");
        }
        self.running.watched.insert(text_number(&frame), (group, user, conn, silence));
    }

    /// Where the bus is lost, people speak above all where they are silenced: that is what their server may not know.
    pub fn group_to_speak_in(&mut self, device: usize, conn: usize) -> Option<GroupId> {
        let user = self.devices[device].id();
        let mut groups = self.groups_of(user);
        if self.cores[self.conns[conn].core].down && self.rng.chance(800) {
            groups.retain(|&group| self.silence_of(group, user).is_some());
            return (!groups.is_empty()).then(|| self.rng.pick(&groups));
        }
        (!groups.is_empty() && self.rng.chance(400)).then(|| self.rng.pick(&groups))
    }

    /// Whom a ruling is about: often one whose server has lost the bus.
    fn whom(&mut self, user: UserId) -> u64 {
        let is_cut_off = |device: &super::people::Device| {
            device.conn.is_some_and(|conn| self.cores[self.conns[conn].core].down)
        };
        let away = self.devices.iter().filter(|device| is_cut_off(device)).map(|device| device.user as u64);
        let away: Vec<u64> = away.filter(|&other| other != u64::from(user.get())).collect();
        if !away.is_empty() && self.rng.chance(700) {
            return self.rng.pick(&away);
        }
        let others = (1..=self.plan.users as u64).filter(|&other| other != u64::from(user.get()));
        let others: Vec<u64> = others.collect();
        self.rng.pick(&others)
    }

    /// A text is pushed: not one that is watched, while what silences its sender is as it was.
    pub fn check_heard(&mut self, device: usize, frame: &Value) {
        let said = text_number(frame);
        let Some(&(group, user, from, silence)) = self.running.watched.get(&said) else { return };
        if self.silence_of(group, user) != Some(silence) {
            self.running.watched.remove(&said);
            return;
        }
        let at = self.devices[device].conn;
        panic!(
            "(k) text {said} of {user:?} came to core {} by conn {from} after the ACK of {silence:?} in {group:?}; \
             device {device}, conn {at:?}, is pushed it",
            self.conns[from].core
        );
    }

    /// At rest: everybody tries whether it may speak in its groups, and asks for their members.
    pub fn try_to_speak(&mut self) {
        let wall = Millis(1_700_000_000_000 + self.now_us / 1_000);
        for device in 0..self.devices.len() {
            let Some(conn) = self.devices[device].conn.filter(|_| self.devices[device].logged_in) else {
                continue;
            };
            let user = self.devices[device].id();
            let of_user = |(&id, group): (&GroupId, &Group)| {
                let seat = group.members.get(&user)?;
                Some((id, group.is_muted(seat, wall)))
            };
            let groups: Vec<(GroupId, bool)> = self.store.groups.iter().filter_map(of_user).collect();
            for (group, muted) in groups {
                let said = self.texts;
                self.texts += 1;
                self.devices[device].seen.insert(said);
                self.running.tried.insert(said, if muted { 118 } else { 0 });
                let msg = format!("\"msg\":\"~{said}~\",\"cid\":\"c{said}\"");
                self.write(conn, format!("{{\"msgid\":10,\"id\":{user},\"groupid\":{group},{msg}}}"));
                self.write(conn, format!("{{\"msgid\":34,\"groupid\":{group},\"cid\":\"m\"}}"));
            }
        }
    }

    /// MEMBERS, at rest.
    pub fn on_members(&mut self, device: usize, frame: &Value) {
        let id = GroupId::new(number(frame, "groupid").expect("a group")).expect("a group");
        let wall = Millis(1_700_000_000_000 + self.now_us / 1_000);
        for told in frame["users"].as_array().expect("users") {
            let user = UserId::new(number(told, "id").expect("an id")).expect("a user");
            let seat = self.store.groups[&id].members.get(&user).expect("(l) a member");
            let role = role_as_told(seat.role, self.devices[device].knows_events);
            assert_eq!(text(told, "role").as_deref(), Some(role), "(l) {user:?} of {id:?}");
            if self.devices[device].knows_events {
                let muted = told["muted"].as_i64().unwrap_or(0);
                let until = if seat.muted.holds(wall) { seat.muted } else { Until::NEVER };
                assert_eq!(muted, until.get(), "(l) whether {user:?} is muted in {id:?}");
            }
        }
        self.count("members compared");
    }

    /// What a login that comes at rest says of groups.
    pub fn check_login_groups(&mut self, device: usize, frame: &Value) {
        if self.acting || !self.at_rest || !self.devices[device].knows_events {
            return;
        }
        let user = self.devices[device].id();
        let told = frame["groups"].as_array().expect("groups");
        for one in told {
            let id = GroupId::new(number(one, "id").or(number(one, "groupid")).expect("a group"))
                .expect("a group");
            let group = &self.store.groups[&id];
            let seat = group.members.get(&user).expect("(l) a group of one's own");
            let role = role_as_told(seat.role, true);
            assert_eq!(text(one, "role").as_deref(), Some(role), "(l) {user:?} in {id:?}, at login");
            let join = group.join;
            assert_eq!(text(one, "join").as_deref(), Some(JoinPolicy::name(join)), "(l) {id:?}, at login");
        }
        self.count("logins compared");
    }

    /// In the end: what was refused is not stored, and who tried to speak was answered as the store would.
    pub fn check_rulings(&mut self) {
        for (said, errno) in &self.running.refused {
            assert!(!self.acked.contains_key(said), "text {said} was refused with {errno}, and acknowledged");
        }
        for (said, expected) in &self.running.tried {
            let errno = self.running.refused.get(said).copied();
            let errno = errno.or(self.acked.contains_key(said).then_some(0));
            assert_eq!(errno, Some(*expected), "(l) text {said}, which tries whether one may speak");
        }
        let tried = self.running.tried.len() as u64;
        *self.tally.entry("tried to speak").or_default() += tried;
    }
}

impl Store {
    /// A group of all of these, the first of whom owns it.
    pub fn found_group(&mut self, users: impl Iterator<Item = UserId>) {
        let mut id = None;
        for user in users {
            match id {
                None => {
                    let made = self.create_group(user, "g0", "");
                    id = GroupId::new(1).filter(|_| made.is_ok());
                }
                Some(id) => drop(self.add_group(user, id, None)),
            }
        }
    }

    /// Whether somebody ever left a group, or was taken out.
    pub fn has_left(&self, user: UserId, of: Conversation) -> bool {
        matches!(of, Conversation::Group(group) if self.left.contains(&(user, group)))
    }

    /// Whether what is at a place is no message, but what was done to a group.
    pub fn is_event_at(&self, of: Conversation, pos: u64) -> bool {
        let Conversation::Group(group) = of else { return false };
        let mid = self.groups.get(&group).and_then(|group| group.messages.get(pos as usize - 1));
        mid.is_some_and(|mid| self.messages[mid].0.is_event())
    }
}

fn role_as_told(role: Role, knows_events: bool) -> &'static str {
    match (role, knows_events) {
        (Role::Creator, true) => "owner",
        (Role::Creator, false) => "creator",
        (Role::Admin, true) => "admin",
        (Role::Admin, false) | (Role::Normal, _) => "normal",
    }
}
