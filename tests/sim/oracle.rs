//! What must be true, whatever happened. Looks at the cluster from outside: at what clients say
//! and get, at the store and at the bus, and at the hubs only for how much they hold.

use super::device::{Confirms, Phone};
use super::heard::Heard;
use super::plan::{Phase, Plan};
use super::world::World;
use crate::trace;
use chatd::chat::ask::Ask;
use chatd::chat::envelope::{Envelope, Kind, Target};
use chatd::chat::event::{Channel, Event};
use chatd::chat::ids::{GroupId, MessageId, UserId};
use chatd::chat::wire::json::{Parser, Value};
use chatd::chat::wire::request::{Body, Named, Request};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Something that somebody says, known by its number wherever it turns up.
#[derive(Clone, Debug)]
pub struct Text {
    pub number: u64,
    pub target: Target,
    pub wants_ack: bool,
    pub filler: String,
}

/// A text that was handed to a hub by a logged-in session.
struct Said {
    stay: usize,
    /// Numbers what is said.
    order: u64,
    at_us: u64,
    /// Handed over more than once.
    repeated: bool,
    /// Its sender was told 110, or could have been.
    busy: bool,
    /// More than one core heard it: one held the user, the other wanted to.
    heard_twice: bool,
    /// Said while the bus could lose it: without a cid it is promised to nobody.
    may_be_lost: bool,
}

struct Written {
    sender: UserId,
    text: Text,
    said: Option<Said>,
}

/// The time of one user on one connection, from its login on.
pub struct Stay {
    pub user: UserId,
    conn: usize,
    begun_us: u64,
    online_us: Option<u64>,
    ended_us: Option<u64>,
    /// Whether it had got all that waited for it when it ended, and had acknowledged it.
    clean: bool,
    got: Vec<u64>,
    /// The same by id, where the dialect tells it, and what of it is not confirmed.
    mids: HashSet<MessageId>,
    unconfirmed: HashSet<MessageId>,
}

/// How often things happened, so that one can tell what was tried.
#[derive(Default, Clone, Debug)]
pub struct Tally(pub BTreeMap<&'static str, u64>);

impl Tally {
    pub fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

pub struct Oracle {
    texts: Vec<Written>,
    pub stays: Vec<Stay>,
    /// For each connection: the login that is under way or succeeded last, and those that succeeded.
    current: HashMap<usize, usize>,
    succeeded: HashMap<usize, Vec<usize>>,
    /// How many login answers the client of a connection has got.
    read: HashMap<usize, usize>,
    received: HashSet<(UserId, u64)>,
    /// What readers said that they have.
    pub confirmed: HashSet<(UserId, MessageId)>,
    /// What was acknowledged, and under which id.
    pub acked: HashMap<u64, MessageId>,
    /// What was answered with an error that is not 110.
    pub refused: HashSet<u64>,
    /// Connections that were cut for what is wrong with them.
    cut: HashSet<usize>,
    /// Since when a user has been a member, as the store says at rests and requests.
    member_since: HashMap<(UserId, GroupId), u64>,
    faulty: bool,
    /// Nobody does anything but show friends.
    resting: bool,
    pub tally: Tally,
}

/// The numbers of the texts in a frame, in order.
fn numbers(frame: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(frame);
    text.split('~')
        .skip(1)
        .step_by(2)
        .map(|number| number.parse().expect("a number between tildes"))
        .collect()
}

impl Oracle {
    pub fn new(plan: &Plan) -> Self {
        Self {
            texts: Vec::new(),
            stays: Vec::new(),
            current: HashMap::new(),
            succeeded: HashMap::new(),
            read: HashMap::new(),
            received: HashSet::new(),
            confirmed: HashSet::new(),
            acked: HashMap::new(),
            refused: HashSet::new(),
            cut: HashSet::new(),
            member_since: HashMap::new(),
            faulty: plan.phases.iter().any(|&phase| phase == Phase::BusyStore || Plan::loses(phase)),
            resting: false,
            tally: Tally::default(),
        }
    }

    pub fn compose(&mut self, sender: UserId, target: Target, wants_ack: bool, filler: String) -> Text {
        let text = Text { number: self.texts.len() as u64, target, wants_ack, filler };
        self.texts.push(Written { sender, text: text.clone(), said: None });
        text
    }

    /// Who says what, by its number.
    pub fn text(&self, number: u64) -> Option<(UserId, Text)> {
        self.texts.get(number as usize).map(|written| (written.sender, written.text.clone()))
    }

    pub fn texts_written(&self) -> u64 {
        self.texts.len() as u64
    }

    /// Whether a direct text has ever come to its reader.
    pub fn was_received(&self, number: u64) -> bool {
        match self.texts[number as usize].text.target {
            Target::User(to) => self.received.contains(&(to, number)),
            Target::Group(_) => false,
        }
    }

    /// Whether the session on this connection was sent a message, and has not confirmed it.
    pub fn is_unconfirmed(&self, conn: usize, mid: MessageId) -> bool {
        let stay = self.online(conn).map(|stay| &self.stays[stay]);
        stay.is_some_and(|stay| stay.unconfirmed.contains(&mid))
    }

    /// Who the client of this connection takes itself for.
    pub fn reader(&self, conn: usize) -> Option<UserId> {
        let logins = self.read.get(&conn)?;
        Some(self.stays[self.succeeded[&conn][logins - 1]].user)
    }

    pub fn online_conns(&self) -> impl Iterator<Item = (UserId, usize)> + '_ {
        self.online_stays().map(|stay| (stay.user, stay.conn))
    }

    /// The store is too busy for this.
    pub fn busy(&mut self, ask: &Ask) {
        if let Ask::Keep { envelope } = ask {
            let number = numbers(envelope.body())[0];
            if let Some(said) = &mut self.texts[number as usize].said {
                said.busy = true;
            }
        }
    }

    /// So many cores hear this.
    pub fn heard(&mut self, envelope: &Envelope, times: usize) {
        if envelope.kind() == Kind::Direct && times > 1 {
            let number = numbers(envelope.body())[0];
            self.texts[number as usize].said.as_mut().expect("it was said").heard_twice = true;
            self.tally.count("heard by two");
        }
    }

    fn online(&self, conn: usize) -> Option<usize> {
        let &stay = self.current.get(&conn)?;
        let found = &self.stays[stay];
        (found.online_us.is_some() && found.ended_us.is_none()).then_some(stay)
    }

    fn online_stays(&self) -> impl Iterator<Item = &Stay> {
        self.stays.iter().filter(|stay| stay.online_us.is_some() && stay.ended_us.is_none())
    }
}

impl World {
    /// A request is about to be handed over.
    pub fn hear(&mut self, conn: usize, request: &Request<'_>) {
        let now_us = self.now_us;
        // A dead server may be taken for a listener for a while after the last fault.
        let may_be_lost = self.fault.is_some_and(Plan::loses) || self.heals > 0;
        let begins = match &request.body {
            Body::Login { who: Named::Id(user), .. } => Some(*user),
            Body::Login { .. } | Body::Resume { .. } => UserId::new(self.people[conn].user as u64),
            _ => None,
        };
        let oracle = &mut self.oracle;
        match (&request.body, oracle.online(conn)) {
            (Body::Login { .. } | Body::Resume { .. }, None) => {
                let user = begins.expect("a login is somebody's");
                let stay = Stay {
                    user,
                    conn,
                    begun_us: now_us,
                    online_us: None,
                    ended_us: None,
                    clean: true,
                    got: Vec::new(),
                    mids: HashSet::new(),
                    unconfirmed: HashSet::new(),
                };
                oracle.current.insert(conn, oracle.stays.len());
                oracle.stays.push(stay);
            }
            (Body::OneChat { msg, .. } | Body::GroupChat { msg, .. }, Some(stay)) if msg.starts_with('~') => {
                let number = numbers(msg.as_bytes())[0] as usize;
                if request.id != Some(oracle.stays[stay].user) {
                    return;
                }
                let written = &mut oracle.texts[number];
                let repeated = written.said.is_some();
                let busy = written.said.as_ref().is_some_and(|said| said.busy);
                let may_be_lost = may_be_lost || written.said.as_ref().is_some_and(|said| said.may_be_lost);
                let heard_twice = false;
                let order = oracle.tally.0.get("said").copied().unwrap_or(0);
                let said = Said { stay, order, at_us: now_us, repeated, busy, heard_twice, may_be_lost };
                written.said = Some(said);
                oracle.tally.count("said");
            }
            (Body::Confirm { mids }, Some(stay)) => {
                let user = oracle.stays[stay].user;
                oracle.confirmed.extend(mids.iter().map(|&mid| (user, mid)));
                oracle.stays[stay].unconfirmed.retain(|mid| !mids.contains(mid));
            }
            (Body::Logout, Some(_)) if request.id == Some(oracle.stays[oracle.current[&conn]].user) => {
                self.parted(conn);
            }
            _ => {}
        }
    }

    /// The stay on this connection is over.
    pub fn parted(&mut self, conn: usize) {
        let acknowledged = self.conns[conn].acked == self.conns[conn].out.len();
        if let Some(stay) = self.oracle.current.remove(&conn) {
            let user = self.oracle.stays[stay].user;
            let all = self.waiting(user).iter().all(|&number| self.oracle.received.contains(&(user, number)));
            let stored = self.oracle.stays[stay].got.iter().all(|&number| self.is_stored_or_direct(number));
            let safe = self.oracle.stays[stay].unconfirmed.is_empty();
            let stay = &mut self.oracle.stays[stay];
            (stay.ended_us, stay.clean) = (Some(self.now_us), acknowledged && all && stored && safe);
            self.oracle.tally.count(match (acknowledged, all && stored) {
                (true, true) => "stays ended clean",
                (true, false) => "stays ended amid a backlog",
                (false, _) => "stays ended with bytes under way",
            });
        }
    }

    /// A hub answers.
    pub fn replied(&mut self, conn: usize, frame: &[u8]) {
        let heard = Heard::read(frame);
        match (heard.msgid(), heard.errno()) {
            (2, Some(0)) if self.people[conn].phone.is_some() && heard.is_partial() => {}
            (2, Some(0)) => self.logged_in(conn),
            (2, Some(2)) if self.oracle.online(conn).is_some() => {}
            (2, Some(errno)) => {
                let stay = self.oracle.current.remove(&conn).expect("a login is answered once");
                self.oracle.stays[stay].ended_us = Some(self.now_us);
                self.oracle.tally.count(match errno {
                    1 => "logins refused: password",
                    2 => "logins refused: online",
                    _ => "logins refused: busy",
                });
            }
            (20, Some(0)) if matches!(heard.number("re"), Some(6 | 10)) => self.acknowledged(&heard),
            (21, Some(113)) => {
                let stay = self.oracle.current.get(&conn).copied();
                self.parted(conn);
                // It ends before its core has looked at what TCP has acknowledged.
                if let Some(stay) = stay {
                    self.oracle.stays[stay].clean = false;
                }
                self.oracle.tally.count("sessions replaced");
            }
            (21, Some(errno @ (100 | 115 | 116))) => {
                self.oracle.cut.insert(conn);
                if errno == 115 {
                    self.oracle.tally.count("cut for reading slowly");
                }
            }
            (21, Some(110)) => self.oracle.tally.count("requests refused: busy"),
            (21, Some(_)) => self.oracle.refused.extend(heard.about()),
            _ => {}
        }
    }

    fn logged_in(&mut self, conn: usize) {
        let oracle = &mut self.oracle;
        let &number = oracle.current.get(&conn).expect("a login answer for a login");
        let user = oracle.stays[number].user;
        // Who is being closed already is not told that it is replaced.
        let closing = oracle.online_conns().find(|&(of, at)| of == user && self.conns[at].closing);
        if let Some((_, at)) = closing {
            self.parted(at);
        }
        let oracle = &mut self.oracle;
        let other = oracle.online_stays().find(|stay| stay.user == user);
        // A core that nobody hears cannot object; who of the two stays is decided when it is back.
        assert!(other.is_none() || self.parted, "(c) {user:?} is online twice");
        oracle.stays[number].online_us = Some(self.now_us);
        oracle.succeeded.entry(conn).or_default().push(number);
        oracle.tally.count("logins");
    }

    /// A client has got a frame.
    pub fn got(&mut self, conn: usize, frame: &[u8]) {
        let heard = Heard::read(frame);
        let msgid = heard.msgid();
        let modern = self.people[conn].phone.is_some();
        if msgid == 2 && heard.errno() == Some(0) && !(modern && heard.is_partial()) {
            *self.oracle.read.entry(conn).or_default() += 1;
        }
        if matches!(msgid, 6 | 10) {
            self.check_body(frame);
        }
        let messages = match msgid {
            2 if modern => heard.list("offlinemsg"),
            6 | 10 if modern => vec![Heard::read(frame)],
            2 | 6 | 10 => {
                numbers(frame).into_iter().for_each(|number| self.receive(conn, number, None));
                Vec::new()
            }
            _ => Vec::new(),
        };
        for message in &messages {
            self.receive(conn, message.said().expect("it was said"), message.mid());
            self.show(conn, message);
        }
        if msgid == 13 {
            self.check_friends(conn, frame);
        }
        self.understand(conn, &heard);
        let at_once = |phone: &Phone| phone.confirms == Confirms::AtOnce;
        if self.people[conn].phone.as_ref().is_some_and(at_once) {
            self.confirm(conn);
        }
    }

    /// What was said comes out as it went in.
    fn check_body(&self, frame: &[u8]) {
        let number = numbers(frame)[0] as usize;
        let written = &self.oracle.texts[number];
        let mut bytes = frame.to_vec();
        let fields = Parser::new().parse(&mut bytes, 2);
        let fields = fields.expect("a push is an object");
        let mut said = format!("{{\"m\":\"~{number}~{}\"}}", written.text.filler).into_bytes();
        let mut parser = Parser::new();
        let said = parser.parse(&mut said, 2).expect("what was said is an object");
        assert_eq!(fields.get("msg"), said.get("m"), "text {number}");
        assert_eq!(fields.get("id"), Some(Value::Number(written.sender.get().into())));
        assert_eq!(fields.get("time"), Some(Value::Text("t")));
    }

    fn receive(&mut self, conn: usize, number: u64, mid: Option<MessageId>) {
        self.check_refused(conn, number);
        let logins = self.oracle.read.get(&conn).copied().unwrap_or(0);
        assert!(logins > 0, "text {number} comes before any login answer");
        let stay = self.oracle.succeeded[&conn][logins - 1];
        let (user, got_before) =
            (self.oracle.stays[stay].user, self.oracle.stays[stay].got.contains(&number));
        let written = &self.oracle.texts[number as usize];
        match written.text.target {
            Target::User(to) => assert_eq!(to, user, "text {number} is not for {user:?}"),
            Target::Group(_) => assert_ne!(written.sender, user, "text {number} comes back to its sender"),
        }
        assert!(written.said.is_some(), "nobody gets what was not said");
        // Who leaves a group and joins it again begins anew.
        let anew =
            matches!(written.text.target, Target::Group(group) if self.store.left.contains(&(user, group)));
        if let Some(mid) = mid {
            let again = !self.oracle.stays[stay].mids.insert(mid);
            self.oracle.stays[stay].unconfirmed.insert(mid);
            let written = &self.oracle.texts[number as usize];
            let heard_twice = written.said.as_ref().is_some_and(|said| said.heard_twice);
            let excused = self.oracle.faulty || anew || heard_twice;
            assert!(!again || excused, "(f) {mid:?}, text {number}, comes twice in one session of {user:?}");
        }
        let said = self.oracle.texts[number as usize].said.as_ref().expect("looked at above");
        if !said.repeated && !self.oracle.faulty && !anew {
            // The other core that heard it may have kept it so late that the session has forgotten it.
            let twice = got_before && !said.heard_twice;
            assert!(!twice, "(f) text {number} comes twice in one session of {user:?}");
            if !said.heard_twice {
                self.check_repeat(stay, number);
            }
            // What was refused for a while comes when it is not refused any more.
            let was_refused = self.store.has_refused(user, self.oracle.texts[number as usize].sender);
            if !self.plan.is_skewed() && !was_refused {
                self.check_order(stay, number);
            }
        }
        self.oracle.tally.count("received");
        if !self.oracle.received.insert((user, number)) {
            self.oracle.tally.count("received again");
        }
        self.oracle.stays[stay].got.push(number);
    }

    /// A text may come in two sessions only if the first one was cut with bytes under way, or the
    /// second one followed at its heels.
    fn check_repeat(&self, stay: usize, number: u64) {
        let rest_us = self.plan.rest_us();
        let now = &self.oracle.stays[stay];
        for before in
            self.oracle.stays.iter().filter(|before| before.user == now.user && before.conn != now.conn)
        {
            if before.got.contains(&number) && before.begun_us < now.begun_us {
                let ended_us = before.ended_us.unwrap_or(u64::MAX);
                let long_ago = before.clean && ended_us.saturating_add(rest_us) < now.begun_us;
                assert!(
                    !long_ago,
                    "(f) text {number} comes again to {:?} by conn {}, without a reason: conn {}",
                    now.user, now.conn, before.conn
                );
            }
        }
    }

    /// One sender's texts to one conversation come in the order said, while both sessions and the
    /// way between them live.
    fn check_order(&self, stay: usize, number: u64) {
        let oracle = &self.oracle;
        let here = &oracle.stays[stay];
        let this = &oracle.texts[number as usize];
        let said = this.said.as_ref().unwrap();
        let trip_us = self.plan.round_trip_us();
        let elsewhere = oracle.stays.iter().enumerate().any(|(other, found)| {
            other != stay
                && found.user == here.user
                && found.ended_us.is_none_or(|ended_us| ended_us + trip_us > said.at_us)
        });
        if elsewhere {
            return;
        }
        let online_us = here.online_us.unwrap();
        for &later in &here.got {
            let that = &oracle.texts[later as usize];
            let Some(that_said) = &that.said else { continue };
            // With and without a cid go different ways while their reader catches up: through the
            // store and the bus, and through the bus alone.
            let same = that_said.stay == said.stay
                && that.text.target == this.text.target
                && that.text.wants_ack == this.text.wants_ack;
            if !same || that_said.repeated || that_said.order < said.order {
                continue;
            }
            let since_us = match this.text.target {
                Target::User(_) => online_us,
                Target::Group(group) => {
                    let member = oracle.member_since.get(&(here.user, group)).copied().unwrap_or(u64::MAX);
                    online_us.max(member.saturating_add(self.plan.rest_us()))
                }
            };
            let live = said.at_us >= since_us;
            let apart = matches!(this.text.target, Target::User(_)) && said.at_us + trip_us < that_said.at_us;
            assert!(!live && !apart, "(d) text {number} comes to {:?} after {later}", here.user);
        }
    }

    // At rest.

    /// Nothing is under way, and everybody reads: nothing waits anywhere, and all know the same.
    pub fn check_rest(&mut self) {
        self.check_hubs();
        let online: Vec<(UserId, usize)> =
            self.oracle.online_stays().map(|stay| (stay.user, stay.conn)).collect();
        for (at, &(user, conn)) in online.iter().enumerate() {
            let twice = online[..at].iter().any(|(other, _)| *other == user);
            assert!(!twice, "(c) {user:?} is online twice when all is well again");
            assert_eq!(
                self.bus.listeners(Channel::User(user)),
                [self.conns[conn].core],
                "who listens for {user:?}"
            );
            let owed = self.store.owed.get(&user).cloned().unwrap_or_default();
            if !owed.is_empty() {
                trace!(self, "{:?}", self.cores[self.conns[conn].core].hub);
            }
            let with_reader = |mid: &&MessageId| self.is_with_its_reader(conn, **mid);
            // It was dropped when it came; the next page of the backlog takes it out.
            let refused =
                |mid: &&MessageId| self.store.has_refused(user, self.store.messages[*mid].0.sender());
            let owed: Vec<MessageId> =
                owed.iter().filter(|mid| !with_reader(mid) && !refused(mid)).copied().collect();
            // What is lost without a word is found at the next login; what its group says after it
            // brings it before.
            let owed_silently = self.lost_silently;
            assert!(
                owed.is_empty() || owed_silently,
                "(b) {user:?} is online and owed {:?}",
                self.tell(&owed)
            );
            for &group in self.store.groups.keys() {
                let mut behind: Vec<MessageId> =
                    self.store.behind(user, group, 0).into_iter().map(|(_, mid)| mid).collect();
                // A cursor stays before what is not confirmed, as far before as its core knew when it
                // pushed that.
                let messages = &self.store.groups[&group].messages;
                if messages.iter().any(|&mid| self.is_with_its_reader(conn, mid)) {
                    behind.clear();
                }
                assert!(
                    behind.is_empty(),
                    "(b) {user:?} is online and behind in {group:?}: {:?}",
                    self.tell(&behind)
                );
            }
        }
        for (channel, cores) in self.bus.channels() {
            let cores_of = |users: &mut dyn Iterator<Item = UserId>| {
                let mut cores: Vec<usize> = users
                    .filter_map(|user| online.iter().find(|(other, _)| *other == user))
                    .map(|&(_, conn)| self.conns[conn].core)
                    .collect();
                cores.sort_unstable();
                cores.dedup();
                cores
            };
            let right = match channel {
                Channel::Cores => unreachable!("nobody joins it"),
                Channel::User(user) => cores_of(&mut std::iter::once(user)),
                Channel::Group(group) => cores_of(&mut self.store.groups[&group].members.keys().copied()),
            };
            // Who was online twice for a while may have left a group in the session that did not
            // stay; the other one hears of it when it takes its backlog next.
            let was_parted =
                self.plan.phases.iter().any(|phase| matches!(phase, Phase::Cuts | Phase::Deaths));
            let hears_too_much = was_parted
                && matches!(channel, Channel::Group(_))
                && right.iter().all(|core| cores.contains(core));
            assert!(cores == right || hears_too_much, "(i) {cores:?} listen to {channel:?}, not {right:?}");
        }
        self.check_presence();
        self.note_members();
        self.oracle.resting = true;
        self.ask_for_friends(&online);
        self.rest();
        self.oracle.resting = false;
        self.check_hubs();
    }

    fn note_members(&mut self) {
        let now_us = self.now_us;
        let members: HashSet<(UserId, GroupId)> = self
            .store
            .groups
            .iter()
            .flat_map(|(&group, found)| found.members.keys().map(move |&user| (user, group)))
            .collect();
        self.oracle.member_since.retain(|key, _| members.contains(key));
        for key in members {
            self.oracle.member_since.entry(key).or_insert(now_us);
        }
    }

    fn check_hubs(&self) {
        for (number, core) in self.cores.iter().enumerate() {
            let census = core.hub.census();
            let leftover = (census.pending, census.late, census.orphans, census.stored, census.claims);
            assert_eq!(leftover, (0, 0, 0, 0, 0), "(g) core {number}: {census:?}");
            assert_eq!(census.unacked_bytes, 0, "(g) core {number}: {census:?}");
            let online = |stay: &&super::oracle::Stay| self.conns[stay.conn].core == number;
            assert_eq!(census.users, self.oracle.online_stays().filter(online).count(), "(g) core {number}");
        }
    }

    /// Nobody is there.
    pub fn check_empty(&self) {
        for (number, core) in self.cores.iter().enumerate() {
            assert!(core.hub.is_idle(), "(g) core {number} is not idle: {:?}", core.hub.census());
            assert_eq!(core.hub.census(), Default::default(), "(g) core {number}");
        }
        assert!(self.bus.channels().is_empty(), "(g) somebody listens: {:?}", self.bus.channels());
    }

    fn ask_for_friends(&mut self, online: &[(UserId, usize)]) {
        for &(user, conn) in online {
            if self.conns[conn].is_usable() {
                self.ask_friends(conn, user);
            }
        }
    }

    /// A friend list at rest: the store's friends, and those are online who are.
    fn check_friends(&mut self, conn: usize, frame: &[u8]) {
        if !self.oracle.resting {
            return;
        }
        let Some(stay) = self.oracle.online(conn) else { return };
        let user = self.oracle.stays[stay].user;
        let mut right = String::new();
        for person in self.store.friends_of(user) {
            let online = self.oracle.online_stays().any(|stay| stay.user == person.id);
            let state = if online { "online" } else { "offline" };
            let entry = if self.people[conn].phone.is_some() {
                format!("{{\"id\":{},\"name\":\"{}\",\"state\":\"{state}\"}}", person.id, person.name)
            } else {
                format!(
                    "\"{{\\\"id\\\":{},\\\"name\\\":\\\"{}\\\",\\\"state\\\":\\\"{state}\\\"}}\"",
                    person.id, person.name
                )
            };
            right.push_str(if right.is_empty() { "" } else { "," });
            right.push_str(&entry);
        }
        let complete = if self.people[conn].phone.is_some() { "\"complete\":true," } else { "" };
        let right = format!("{{{complete}\"errno\":0,\"friends\":[{right}],\"msgid\":13}}");
        assert_eq!(String::from_utf8_lossy(frame), right, "(i) friends of {user:?}");
        self.oracle.tally.count("friend lists checked");
    }

    /// Exactly one of several simultaneous logins wins.
    pub fn check_contest(&mut self, user: usize, conns: &[usize]) {
        // Who was cut for reading slowly has made room for another, and so has who vanished.
        if conns.iter().any(|&at| self.oracle.cut.contains(&at) || self.conns[at].broken) {
            return;
        }
        // So has whoever replaced the winner and was no contestant.
        let begun = |stay: &&Stay| conns.contains(&stay.conn);
        let begun_us = self.oracle.stays.iter().filter(begun).map(|stay| stay.begun_us).min();
        if self.oracle.stays.iter().any(|stay| {
            stay.user.get() as usize == user && !conns.contains(&stay.conn) && Some(stay.begun_us) >= begun_us
        }) {
            return;
        }
        let here = |conn: usize| self.people[conn].online && self.conns[conn].is_usable();
        let won = conns.iter().filter(|&&conn| here(conn)).count();
        assert_eq!(won, 1, "(c) of {} logins as {user} so many win", conns.len());
        for &conn in conns {
            if !here(conn) && !self.people[conn].replaces {
                let frame = String::from_utf8_lossy(&self.conns[conn].out);
                let refused = "{\"errmsg\":\"this account is using, input another!\",\"errno\":2,";
                assert!(frame.starts_with(refused));
            }
        }
        self.oracle.tally.count("contests");
    }

    /// Everybody has been online at last: nobody lacks anything.
    pub fn check_all_received(&mut self) {
        for written in &self.oracle.texts {
            let Some(said) = &written.said else { continue };
            let Target::User(to) = written.text.target else { continue };
            let key = (written.sender, format!("c{}", written.text.number));
            let kept = self.store.cids.contains_key(&key);
            let refused = self.store.has_refused(to, written.sender);
            let promised = if written.text.wants_ack { kept } else { !said.busy && !said.may_be_lost };
            let promised = promised && !refused;
            let received = self.oracle.received.contains(&(to, written.text.number));
            assert!(received || !promised, "(a) text {} never came to {to:?}", written.text.number);
        }
        for group in self.store.groups.values().filter(|group| !group.dissolved) {
            for (at, mid) in group.messages.iter().enumerate() {
                let envelope = &self.store.messages[mid].0;
                let number = numbers(envelope.body())[0];
                for (&user, seat) in &group.members {
                    let for_user = envelope.sender() != user && at as u64 >= seat.joined;
                    let received = self.oracle.received.contains(&(user, number));
                    assert!(received || !for_user, "(a) text {number} never came to {user:?}");
                }
            }
        }
    }

    /// What the store thinks that the user has not got.
    fn waiting(&self, user: UserId) -> Vec<u64> {
        let owed = self.store.owed.get(&user).into_iter().flatten().copied();
        let behind = self.store.groups.keys().flat_map(|&group| self.store.behind(user, group, 0));
        let mids: Vec<MessageId> = owed.chain(behind.map(|(_, mid)| mid)).collect();
        self.tell(&mids)
    }

    /// What a group gets before it is stored can not be written down as got.
    fn is_stored_or_direct(&self, number: u64) -> bool {
        let Target::Group(group) = self.oracle.texts[number as usize].text.target else { return true };
        self.tell(&self.store.groups[&group].messages).contains(&number)
    }

    pub fn tell<'a>(&self, mids: impl IntoIterator<Item = &'a MessageId>) -> Vec<u64> {
        let body = |mid: &MessageId| -> &Envelope { &self.store.messages[mid].0 };
        mids.into_iter().map(|mid| numbers(body(mid).body())[0]).collect()
    }

    pub fn drain(&mut self) {
        for core in 0..self.cores.len() {
            self.feed(core, Event::Drain);
        }
    }
}
