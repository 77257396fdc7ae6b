//! The devices: what they do, what they understand, and what must be true of it.

use super::changing::Known;
use super::knowing::Knowing;
use super::rng::Rng;
use super::world::World;
use chatd::chat::model::history::Conversation;
use chatd::chat::model::ids::{GroupId, MessageId, UserId};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How a run is made.
pub struct Plan {
    pub users: usize,
    pub cores: usize,
    pub run_us: u64,
    pub breaks: u64,
    pub breaks_bus: bool,
    pub kills: bool,
}

impl Plan {
    pub fn new(rng: &mut Rng) -> Self {
        let fault = rng.below(3);
        Self {
            users: rng.between(2, 4) as usize,
            cores: rng.between(1, 3) as usize,
            run_us: rng.between(4, 12) * 100_000,
            breaks: rng.pick(&[0, 10, 40]),
            breaks_bus: fault == 1,
            kills: fault == 2,
        }
    }
}

/// A device of a user: what it keeps for good, and what of the session that it has.
pub struct Device {
    pub user: usize,
    pub name: String,
    pub token: Option<String>,
    /// By conversation: which message is at which place.
    pub known: BTreeMap<Conversation, BTreeMap<u64, MessageId>>,
    /// The place up to which nothing of that is missing.
    pub upto: BTreeMap<Conversation, u64>,
    /// Where its groups began for it: nothing before is to be had.
    pub conn: Option<usize>,
    pub logged_in: bool,
    pub entering: bool,
    /// Pushed in this session.
    pub pushed: BTreeSet<MessageId>,
    /// Texts of this session that were pushed, synced, or written by the device itself.
    pub seen: BTreeSet<u64>,
    /// Since when it has been here without a break and synced.
    pub synced: bool,
    pub synced_us: u64,
    /// Groups that it knew of then.
    pub groups: Vec<GroupId>,
    pub unconfirmed: Vec<MessageId>,
    pub wants_heads: bool,
    pub to_sync: BTreeSet<Conversation>,
    pub markers: BTreeMap<Conversation, u64>,
    pub unread: BTreeMap<Conversation, u64>,
    /// How many changes of a conversation it has.
    pub chg: BTreeMap<Conversation, u64>,
    pub states: BTreeMap<MessageId, Known>,
    /// When its login began.
    pub entered_us: u64,
    /// Whether it is told of what is done to groups.
    pub knows_events: bool,
    pub knowing: Knowing,
}

impl Device {
    pub fn new(user: usize, nth: u64, knows_events: bool) -> Self {
        Self {
            user,
            name: format!("d{nth}"),
            token: None,
            known: BTreeMap::new(),
            upto: BTreeMap::new(),
            conn: None,
            logged_in: false,
            entering: false,
            pushed: BTreeSet::new(),
            seen: BTreeSet::new(),
            synced: false,
            synced_us: 0,
            groups: Vec::new(),
            unconfirmed: Vec::new(),
            wants_heads: false,
            to_sync: BTreeSet::new(),
            markers: BTreeMap::new(),
            unread: BTreeMap::new(),
            chg: BTreeMap::new(),
            states: BTreeMap::new(),
            entered_us: 0,
            knows_events,
            knowing: Knowing::default(),
        }
    }

    pub fn id(&self) -> UserId {
        UserId::new(self.user as u64).expect("a user")
    }

    /// The place up to which it has everything; some places are not for it.
    pub fn contiguous(
        &mut self,
        conversation: Conversation,
        joined: u64,
        is_for_it: impl Fn(u64) -> bool,
    ) -> u64 {
        let upto = self.upto.entry(conversation).or_default();
        *upto = joined.max(*upto);
        if let Some(known) = self.known.get(&conversation) {
            while known.contains_key(&(*upto + 1)) || !is_for_it(*upto + 1) {
                *upto += 1;
            }
        }
        *upto
    }
}

pub fn text(frame: &Value, name: &str) -> Option<String> {
    frame.get(name)?.as_str().map(str::to_owned)
}

pub fn number(frame: &Value, name: &str) -> Option<u64> {
    frame.get(name)?.as_u64()
}

/// What a row is remembered by: its text, or of what is done to a group its id, which is greater than any text's number.
pub fn seen_as(row: &Value, mid: MessageId) -> u64 {
    if number(row, "msgid") == Some(51) { mid.0 } else { text_number(row) }
}

pub fn mid(frame: &Value) -> MessageId {
    MessageId(text(frame, "mid").expect("a mid").parse().expect("a number"))
}

pub fn conversation(frame: &Value) -> Conversation {
    match (number(frame, "with"), number(frame, "groupid")) {
        (Some(with), None) => Conversation::With(UserId::new(with).expect("a user")),
        (None, Some(group)) => Conversation::Group(GroupId::new(group).expect("a group")),
        both => panic!("one of with and groupid: {both:?}"),
    }
}

pub fn field(conversation: Conversation) -> String {
    match conversation {
        Conversation::With(user) => format!("\"with\":{user}"),
        Conversation::Group(group) => format!("\"groupid\":{group}"),
    }
}

/// The number of a text.
pub fn text_number(frame: &Value) -> u64 {
    let msg = text(frame, "msg").expect("a text");
    msg.split('~').nth(1).expect("a number in it").parse().expect("a number")
}

/// What was said so long after a device was there is pushed to it: time since the beginning of the clocks, which is not that of
/// the loop.
pub const LIVE_US: u64 = 1_700_000_000_000_000 + 20_000;

const MULTI: &str = "\"v\":2,\"multi\":true,\"caps\":[\"own\",\"read\",\"typing\",\"changed\",\"friend\"";

impl World {
    pub fn lost_connection(&mut self, conn: usize) {
        let device = self.conns[conn].device;
        let at = &mut self.devices[device];
        if at.conn == Some(conn) {
            at.conn = None;
            (at.logged_in, at.entering, at.synced, at.synced_us) = (false, false, false, 0);
            at.pushed.clear();
            at.unconfirmed.clear();
            if self.acting {
                let after = self.rng.delay(100_000);
                self.act_later(device, after);
            }
        }
    }

    pub fn groups_of(&self, user: UserId) -> Vec<GroupId> {
        let mine = self.store.groups.iter().filter(|(_, group)| group.members.contains_key(&user));
        mine.map(|(&group, _)| group).collect()
    }

    pub fn joined(&self, user: UserId, conversation: Conversation) -> u64 {
        match conversation {
            Conversation::With(_) => 0,
            Conversation::Group(group) => self
                .store
                .groups
                .get(&group)
                .and_then(|group| group.members.get(&user))
                .map_or(0, |seat| seat.joined),
        }
    }

    /// The messages of a conversation by place, from the first that the user may see.
    pub fn stored(&self, user: UserId, conversation: Conversation) -> BTreeMap<u64, MessageId> {
        let joined = self.joined(user, conversation);
        let all = match conversation {
            Conversation::With(other) => self.store.direct.get(&(user.min(other), user.max(other))),
            Conversation::Group(group) => self.store.groups.get(&group).map(|group| &group.messages),
        };
        let all = all.map_or(&[][..], Vec::as_slice);
        (1..).zip(all.iter().copied()).filter(|(pos, _)| *pos > joined).collect()
    }

    /// The place up to which a device has everything that is for it.
    pub fn contiguous(&mut self, device: usize, of: Conversation, joined: u64) -> u64 {
        let Self { devices, store, .. } = self;
        let at = &mut devices[device];
        let knows_events = at.knows_events;
        at.contiguous(of, joined, |pos| knows_events || !store.is_event_at(of, pos))
    }

    /// What of a conversation is for a device, by place.
    pub fn stored_for(&self, device: usize, of: Conversation) -> BTreeMap<u64, MessageId> {
        let at = &self.devices[device];
        let mut stored = self.stored(at.id(), of);
        stored.retain(|_, mid| at.knows_events || !self.store.messages[mid].0.is_event());
        stored
    }

    pub fn conversations(&self, user: UserId) -> Vec<Conversation> {
        let others = (1..=self.plan.users as u64).filter_map(UserId::new).map(Conversation::With);
        let groups = self.groups_of(user).into_iter().map(Conversation::Group);
        others.chain(groups).filter(|&conversation| !self.stored(user, conversation).is_empty()).collect()
    }

    pub fn act(&mut self, device: usize) {
        let Some(conn) = self.devices[device].conn else {
            if self.acting {
                self.connect(device);
            }
            return;
        };
        if !self.acting {
            return;
        }
        if self.devices[device].logged_in {
            self.do_something(device, conn);
        } else if !self.devices[device].entering {
            self.log_in(device, conn);
        }
        let after = self.rng.delay(100_000) + 1;
        self.act_later(device, after);
    }

    pub fn connect(&mut self, device: usize) {
        match self.open(device) {
            Some(conn) => {
                self.devices[device].conn = Some(conn);
                self.log_in(device, conn);
            }
            None if self.acting => self.act_later(device, 50_000),
            None => {}
        }
        if self.acting && self.devices[device].conn.is_some() {
            let after = self.rng.delay(60_000) + 1;
            self.act_later(device, after);
        }
    }

    pub fn log_in(&mut self, device: usize, conn: usize) {
        let now_us = self.now_us;
        let at = &mut self.devices[device];
        (at.entering, at.entered_us, at.knowing) = (true, now_us, Knowing::default());
        let (user, name) = (at.user, at.name.clone());
        let group = if at.knows_events { ",\"group\"]" } else { "]" };
        let frame = match &at.token {
            Some(token) => {
                format!("{{\"msgid\":25,\"token\":\"{token}\",{MULTI}{group},\"device\":\"{name}\"}}")
            }
            None => format!(
                "{{\"msgid\":1,\"id\":{user},\"password\":\"p{user}\",{MULTI}{group},\"device\":\"{name}\"}}"
            ),
        };
        self.write(conn, frame);
    }

    fn do_something(&mut self, device: usize, conn: usize) {
        if self.rng.chance(self.plan.breaks) {
            return self.break_off(conn);
        }
        if self.rng.chance(60) {
            return self.know_something(device, conn);
        }
        if self.rng.chance(600) {
            let mids: Vec<String> = std::mem::take(&mut self.devices[device].unconfirmed)
                .iter()
                .map(|mid| format!("\"{}\"", mid.0))
                .collect();
            if !mids.is_empty() {
                self.write(conn, format!("{{\"msgid\":24,\"mids\":[{}]}}", mids.join(",")));
            }
        }
        let user = self.devices[device].id();
        match self.rng.below(100) {
            0..=53 => self.chat(device, conn),
            54..=59 | 98..=99 => self.run_something(device, conn),
            60..=63 => {
                let group = self.rng.below(3);
                self.write(
                    conn,
                    format!("{{\"msgid\":8,\"id\":{user},\"groupname\":\"g{group}\",\"groupdesc\":\"\"}}"),
                );
            }
            64..=70 => {
                let group = self.rng.between(1, 3);
                self.write(conn, format!("{{\"msgid\":9,\"id\":{user},\"groupid\":{group}}}"));
            }
            71 => {
                let group = self.rng.between(1, 3);
                self.write(conn, format!("{{\"msgid\":11,\"id\":{user},\"groupid\":{group}}}"));
            }
            72..=81 => {
                let known: Vec<Conversation> = self.devices[device].known.keys().copied().collect();
                if !known.is_empty() {
                    let conversation = self.rng.pick(&known);
                    let upto =
                        self.devices[device].known[&conversation].keys().next_back().copied().unwrap_or(0);
                    self.write(conn, format!("{{\"msgid\":38,{},\"pos\":{upto}}}", field(conversation)));
                }
            }
            82..=84 => self.write(conn, "{\"msgid\":40}".to_owned()),
            85..=86 => self.write(conn, "{\"msgid\":36}".to_owned()),
            87..=88 => self.look_for_something(device, conn),
            89 if self.rng.chance(200) => {
                self.devices[device].token = None;
                self.write(conn, format!("{{\"msgid\":3,\"id\":{user}}}"));
                self.devices[device].logged_in = false;
                (self.devices[device].synced, self.devices[device].entering) = (false, false);
                self.devices[device].synced_us = 0;
                self.devices[device].pushed.clear();
            }
            90..=97 => self.change_something(device, conn),
            _ => {}
        }
    }

    fn chat(&mut self, device: usize, conn: usize) {
        let user = self.devices[device].id();
        let number = self.texts;
        self.texts += 1;
        self.devices[device].seen.insert(number);
        let filler = "x".repeat(self.rng.below(120) as usize);
        let cid = if self.rng.chance(600) { format!(",\"cid\":\"c{number}\"") } else { String::new() };
        let frame = if let Some(group) = self.group_to_speak_in(device, conn) {
            format!("{{\"msgid\":10,\"id\":{user},\"groupid\":{group},\"msg\":\"~{number}~{filler}\"{cid}}}")
        } else {
            let to = self.rng.between(1, self.plan.users as u64);
            format!("{{\"msgid\":6,\"id\":{user},\"toid\":{to},\"msg\":\"~{number}~{filler}\"{cid}}}")
        };
        self.write(conn, frame);
    }

    /// SYNC of what is still to be synced, or the next heads.
    pub fn go_on_syncing(&mut self, device: usize, conn: usize) {
        let user = self.devices[device].id();
        let to_sync = std::mem::take(&mut self.devices[device].to_sync);
        if to_sync.is_empty() {
            let (groups, now_us) = (self.groups_of(user), self.now_us);
            let at = &mut self.devices[device];
            if !std::mem::replace(&mut at.synced, true) && at.synced_us == 0 {
                (at.synced_us, at.groups) = (now_us, groups);
            }
            return;
        }
        let since: Vec<String> = to_sync
            .iter()
            .map(|&of| {
                let joined = self.joined(user, of);
                let after = self.contiguous(device, of, joined);
                // From 0: what it was pushed before it ever synced may be changed since.
                let chg = *self.devices[device].chg.entry(of).or_insert(0);
                format!("{{{},\"after\":{after},\"chg\":{chg}}}", field(of))
            })
            .collect();
        self.write(conn, format!("{{\"msgid\":36,\"since\":[{}],\"cid\":\"sync\"}}", since.join(",")));
        self.count("syncs");
    }

    pub fn understand(&mut self, conn: usize, frame: &Value) {
        let device = self.conns[conn].device;
        let msgid = number(frame, "msgid").expect("a msgid");
        let is_push = matches!(msgid, 6 | 10 | 28 | 38 | 39 | 46 | 51 | 54 | 60 | 61);
        assert!(!is_push || self.conns[conn].welcomed, "(c) before its login answer it hears {frame}");
        match msgid {
            2 => self.on_login(device, conn, frame),
            6 | 10 => self.on_push(device, frame),
            51 => self.on_event(device, frame),
            20 if frame.get("chg").is_some() => self.on_change_ack(device, conn, frame),
            20 if matches!(number(frame, "re"), Some(47..=50 | 55..=56)) => self.on_rule_ack(device, frame),
            20 => self.on_ack(device, frame),
            46 => self.on_changed(device, conn, frame),
            21 => self.on_error(device, conn, frame),
            37 => self.on_sync(device, conn, frame),
            35 => self.on_members(device, frame),
            38 => self.on_read(device, frame),
            41 => self.on_devices(frame),
            58 => self.on_found(device, conn, frame),
            61 => self.on_stored(device, conn, frame),
            // What comes before the answer to a login is the session's that it was.
            28 | 54 | 60 if self.devices[device].entering => {}
            28 => self.on_presence(device, frame),
            54 => self.on_friend_event(device, frame),
            60 => self.on_settings(device, frame),
            13 | 27 | 39 => {}
            other => panic!("what is {other}? {frame}"),
        }
    }

    fn on_login(&mut self, device: usize, conn: usize, frame: &Value) {
        let errno = number(frame, "errno").expect("an errno");
        self.conns[conn].welcomed |= errno == 0 && frame["complete"] != false;
        self.note_people(device, frame);
        let at = &mut self.devices[device];
        match errno {
            0 if frame["complete"] == false => {}
            0 => {
                (at.logged_in, at.entering) = (true, false);
                at.pushed.clear();
                at.token = text(frame, "token").or(at.token.take());
                let with_it = frame["offlinemsg"].as_array().cloned().unwrap_or_default();
                with_it.iter().for_each(|message| self.on_push(device, message));
                self.check_login_groups(device, frame);
                self.note_heads(device, conn, frame);
                let user = self.devices[device].user;
                let beside =
                    self.devices.iter().filter(|other| other.user == user && other.logged_in).count();
                if beside > 1 {
                    self.count("sessions side by side");
                }
            }
            1 => (at.token, at.entering) = (None, false),
            110 | 116 => at.entering = false,
            2 => panic!("(a) a session that lives beside others is refused: {frame}"),
            _ => panic!("(a) what is this? {frame}"),
        }
        if errno != 0 && !self.acting {
            self.devices[device].entering = false;
        }
    }

    /// Takes note of conversations, and asks for what the device lacks of them.
    pub fn note_heads(&mut self, device: usize, conn: usize, frame: &Value) {
        let heads = frame["heads"].as_array().expect("heads").clone();
        for head in &heads {
            let of = conversation(head);
            let at = &mut self.devices[device];
            at.markers.insert(of, number(head, "read").expect("read"));
            at.unread.insert(of, number(head, "unread").expect("unread"));
            at.to_sync.insert(of);
            let stands = number(head, "head").expect("head");
            self.check_place(of, mid(head), stands);
        }
        if frame["heads_complete"] == false {
            let last = heads.last().map(mid).expect("a page that is not the last one is not empty");
            self.devices[device].wants_heads = true;
            return self
                .write(conn, format!("{{\"msgid\":36,\"before_mid\":\"{}\",\"cid\":\"heads\"}}", last.0));
        }
        self.devices[device].wants_heads = false;
        self.go_on_syncing(device, conn);
    }

    /// What was done to a group: it has its place with it, but what only some are told.
    fn on_event(&mut self, device: usize, frame: &Value) {
        assert!(self.devices[device].knows_events, "told of what it does not name: {frame}");
        let mid = mid(frame);
        let Some(pos) = number(frame, "pos") else {
            let what = text(frame, "what").expect("what");
            assert!(matches!(what.as_str(), "asks" | "refused"), "a row has a place: {frame}");
            return self.count("told without a row");
        };
        let of = conversation(frame);
        self.check_place(of, mid, pos);
        let at = &mut self.devices[device];
        at.known.entry(of).or_default().insert(pos, mid);
        at.seen.insert(mid.0);
        at.unconfirmed.push(mid);
        self.count("events");
    }

    fn on_push(&mut self, device: usize, frame: &Value) {
        if number(frame, "msgid") == Some(51) {
            return self.on_event(device, frame);
        }
        let (mid, at) = (mid(frame), &mut self.devices[device]);
        let is_mine = number(frame, "id") == Some(at.user as u64);
        let is_to_me = number(frame, "toid") == Some(at.user as u64);
        let own = frame.get("own") == Some(&Value::Bool(true));
        assert_eq!(own, is_mine && !is_to_me, "(b) whether this is the user's own: {frame}");
        let faulty = self.plan.breaks_bus || self.plan.kills;
        // Who leaves a group and is back at once may be pushed again what was stored after that.
        let faulty =
            faulty || number(frame, "groupid").is_some() && self.store.has_left(at.id(), conversation(frame));
        assert!(at.pushed.insert(mid) || faulty, "(b) {mid:?} is pushed twice in one session: {frame}");
        at.unconfirmed.push(mid);
        at.seen.insert(text_number(frame));
        self.check_heard(device, frame);
        self.note_text(device, frame);
        self.count(if own { "own pushes" } else { "pushes" });
    }
}
