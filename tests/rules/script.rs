//! The steps of a scenario: each is one event, or a few that belong together.
//!
//! ```text
//! open a                         a connection, which will be called a
//! a {"msgid":3,"id":1}           a says this frame, ended by a newline; `a0 {…}` ends it by NUL; {{mid}} is
//!                                the id of the last message
//! upgrade a                      it is a WebSocket: from now on what is sent to it has a header and no terminator
//! limit unsettled 2              before the first event: a limit other than the default
//! keep undelivered               likewise: what is kept
//! end a · close a 120            a's client has said its last word · is gone, 120 bytes acknowledged
//! overdue a                      a frame of a's takes too long
//! acked a 120 · acked a all      a's TCP has acknowledged so much
//! wait 1000 · tick · drain       time passes · is told of · the server stops
//! clock -600000 · clock +600000  somebody sets the wall clock: no time passes
//! joined · joined down           what was to be joined longest is joined, or the bus is down
//! published 1 · published down   the receivers of the publish that has been out longest (`published cores 1`: of
//!                                those to all cores)
//! presence 2 3                   of those looked for, these are online (`presence newest 2`: of those looked for last)
//! delivered as last              what was delivered is stored under the id of the last message
//! done · refused 110             the store's reply to the request that has been out longest (a
//!                                page, and that a message is stored: to the first such request):
//! resumed 1 ann 77 · issued 78   the user of a token, and its number (and until when) · a new token
//! admitted 1 ann 1700000120000   whom an application vouches for, and until when
//! hidden 2 3                     of the friends, these block the user; in lists of people: `2=bob!`
//! found 3=cy · members 1=ann*,2=bob · history 1>2@7 text   a person, a page of each (with `more`)
//! hits with 2: 1>2@7 text; in 5: 2>5@4 text; before 9; to 5   what a search has found, where it goes on, and what it cannot search yet
//! verified alice (by name: `1 alice`) · registered 7 · stored · stored 3 · grouped 5 head 2 · left · dissolved
//! friends 2=bob 3=cy · profile blocked 4 token 77 friends 2=bob groups 5=team:9 members 1=ann*,2=bob
//! page … ; …                     a page: `1>2 text`, `1>5@3 text`, and at its end `more`, `heads 5:3`
//!                                if the groups do not stay where they are
//! idtaken                        another message is stored under the id of the one to be kept
//! arrives user 1 claim 77        on the bus: claim, denied, conceded, hint (of a backlog), dissolved, stored 1 2
//! arrives user 1 takeover 77 · arrives user 1 resume 77 by 5   claims that demand something
//! arrives user 1 confirmed by 2 · unconfirmed by 2             word on the last message
//! arrives cores leaving                                        of core 9
//! gone 9 · rejoined 3            core 9 is dead · the bus was lost and is back, and this is core 3
//! arrives 2>1 text · arrives 2>5 text    a message to a user, to a group of the profile; `arrives stored
//!                                2>1 text`, `arrives awaited 2>1 text`: it is being kept, or its word is awaited;
//!                                `arrives named k …`: its cid is k
//! login a 1 ann · login2 a 1 ann a whole login of a, whose effects are not shown; login2: in v2
//! repeat 20 STEP                 the step, so many times
//! ```

use super::consent_steps::{answer_of_consent, consent_of_profile};
use super::device_steps::MULTI;
use super::{group_steps, rate_steps, show};
use chatd::chat::hub::Hub;
use chatd::chat::model::envelope::{Demand, Durability, Envelope, Kind, Message, Target};
use chatd::chat::model::group_rule::{JoinPolicy, MemberRule, MutedAll, Until};
use chatd::chat::model::history::Placed;
use chatd::chat::model::ids::{
    ConnectionId, CoreId, GroupId, MessageClock, MessageId, Millis, Monotonic, Now, RequestId, UserId,
};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::profile::{Member, Membership, Person, Profile, Role, Who};
use chatd::chat::model::rate::Rates;
use chatd::chat::model::retention::Retention;
use chatd::chat::model::source::Source;
use chatd::chat::model::token::{PasswordPrint, Secret, Token, TokenId};
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::{BusDown, Channel, Event};
use chatd::chat::port::store::{
    Admitted, BacklogMessage, BacklogPage, HistoryPage, Joined, Left, MembersPage, Resumed, StoreReply,
    StoreRequest, StoreResult, StoredMessage, Verified,
};
use chatd::chat::wire::code::Code;
use chatd::chat::wire::frame::{Framing, Terminator};
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::reply;
use chatd::chat::wire::request;
use std::collections::{HashMap, HashSet, VecDeque};

#[derive(Default)]
pub struct Script {
    hub: Option<Hub>,
    limits: Limits,
    rates: Rates,
    keeping: Retention,
    now: Now,
    names: Vec<String>,
    sent: HashMap<ConnectionId, u64>,
    websockets: HashSet<ConnectionId>,
    joins: VecDeque<RequestId>,
    publishes: VecDeque<RequestId>,
    told_cores: VecDeque<RequestId>,
    looks: VecDeque<(RequestId, Vec<UserId>)>,
    asks: VecDeque<(RequestId, StoreRequest)>,
    groups: HashSet<u64>,
    elsewhere: Option<MessageClock>,
    own_claim: Option<Envelope>,
    /// The number of the last rule of a group that was published here.
    pub last_rule: Option<MessageId>,
    /// The last question about devices that was published here.
    own_question: Option<MessageId>,
    last_mid: Option<MessageId>,
    /// The number of the last acting session.
    pub last_act: u32,
    /// The cid of the next message from elsewhere.
    cid: String,
}

pub fn user(text: &str) -> UserId {
    UserId::new(text.parse().expect("a user's number")).expect("in range")
}

pub fn group(text: &str) -> GroupId {
    GroupId::new(text.parse().expect("a group's number")).expect("in range")
}

pub fn people(text: &str) -> Vec<Person> {
    text.split_whitespace().filter_map(|entry| entry.split_once('=')).map(person).collect()
}

fn members(text: &str) -> Vec<Member> {
    let member = |entry: &str| {
        let role = if entry.ends_with('*') { Role::Creator } else { Role::Normal };
        let (entry, muted) = entry.split_once(" until ").unwrap_or((entry, "0"));
        let person = person(entry.trim_end_matches('*').split_once('=').unwrap());
        Member { person, role, muted: Until::new(muted.parse().unwrap()).unwrap() }
    };
    text.split(',').filter(|entry| !entry.is_empty()).map(member).collect()
}

/// The token of this number.
pub fn token(number: &str) -> Token {
    Token {
        id: TokenId(number.parse().expect("a token's number")),
        secret: Secret(format!("secret-{number}").into()),
    }
}

fn person((id, name): (&str, &str)) -> Person {
    let hides = name.ends_with('!');
    Person { id: user(id), name: name.trim_end_matches('!').to_owned(), hides }
}

impl Script {
    pub fn named(_heading: &str) -> Self {
        let now = Now { monotonic: Monotonic(1_000), wall: Millis(1_700_000_000_000) };
        Self { now, ..Self::default() }
    }

    pub fn name(&self, session: ConnectionId) -> &str {
        if session.is_acting() { "api" } else { &self.names[session.index as usize] }
    }

    fn session(&self, name: &str) -> ConnectionId {
        let index = self.names.iter().position(|known| known == name);
        let index = index.unwrap_or_else(|| panic!("{name} is not open"));
        ConnectionId { index: index as u32, generation: 0 }
    }

    pub fn step(&mut self, line: &str) -> Vec<String> {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "limit" => {
                self.limit(rest);
                return Vec::new();
            }
            "rate" => {
                rate_steps::set(&mut self.rates, rest);
                self.hub.iter_mut().for_each(|hub| hub.set_rates(self.rates));
                return Vec::new();
            }
            "wait" => {
                let ms: u64 = rest.parse().expect("milliseconds");
                self.now.monotonic = self.now.monotonic.plus(ms);
                self.now.wall.0 += ms;
                return Vec::new();
            }
            "clock" => {
                let ms: i64 = rest.parse().expect("milliseconds, with a sign");
                self.now.wall.0 = self.now.wall.0.saturating_add_signed(ms);
                return Vec::new();
            }
            "repeat" => {
                let (times, step) = rest.split_once(' ').expect("how often what");
                let times: usize = times.parse().expect("how often");
                return (0..times).flat_map(|_| self.step(step)).collect();
            }
            "keep" => {
                self.keeping = match rest {
                    "undelivered" => Retention::Undelivered,
                    other => panic!("not to be kept: {other}"),
                };
                return Vec::new();
            }
            "login" | "login2" | "loginm" => {
                let client = match word {
                    "login" => "",
                    "login2" => ",\"v\":2",
                    _ => MULTI,
                };
                self.login(rest, client);
                return Vec::new();
            }
            _ => {}
        }
        let effects = self.happen(word, rest);
        effects.iter().map(|effect| show::effect(self, effect)).collect()
    }

    fn limit(&mut self, text: &str) {
        assert!(self.hub.is_none(), "limits come first");
        let (name, value) = text.split_once(' ').expect("a name and a number");
        let value: usize = value.parse().expect("a number");
        match name {
            "unsettled" => self.limits.unsettled = value as u32,
            "unsettled_core" => self.limits.unsettled_core = value as u32,
            "anonymous" => self.limits.anonymous = value,
            "outbox_bytes" => self.limits.outbox_bytes = value,
            "wrong_passwords" => self.limits.wrong_passwords = value as u32,
            "guess_pause_ms" => self.limits.guess_pause_ms = value as u64,
            "stall_ms" => self.limits.stall_ms = value as u64,
            "live_buffer_bytes" => self.limits.live_buffer_bytes = value,
            "requests_in_flight" => self.limits.requests_in_flight = value,
            "name_chars" => self.limits.name_chars = value,
            "data_bytes" => self.limits.data_bytes = value,
            "store_retries" => self.limits.store_retries = value,
            "confirm_piece" => self.limits.confirm_piece = value,
            "lookups" => self.limits.lookups = value,
            "lookups_waiting" => self.limits.lookups_waiting = value,
            "announcements" => self.limits.announcements = value,
            "announced_sessions" => self.limits.announced_sessions = value,
            "walk_sessions" => self.limits.walk_sessions = value,
            "rate_refusals" => self.limits.rate_refusals = value as u32,
            "rate_pauses" => self.limits.rate_pauses = value as u32,
            "drain_sessions" => self.limits.drain_sessions = value as u32,
            "unconfirmed" => self.limits.unconfirmed = value,
            "group_rate_messages" => self.limits.group_rate_messages = value as u64,
            "group_lag_bytes" => self.limits.group_lag_bytes = value as u64,
            other => panic!("no such limit here: {other}"),
        }
    }

    /// A whole login: nobody objects, no friends, nothing waits.
    fn login(&mut self, text: &str, v2: &str) {
        let mut words = text.splitn(4, ' ');
        let (name, id, person) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let profile = words.next().unwrap_or("profile");
        if !self.names.iter().any(|known| known == name) {
            self.step(&format!("open {name}"));
        }
        self.step(&format!("{name} {{\"msgid\":1,\"id\":{id},\"password\":\"pw\"{v2}}}"));
        self.step(&format!("verified {person}"));
        if !self.joins.is_empty() {
            self.step("joined");
        }
        self.step("arrives user 0 own claim");
        self.step("published 1");
        self.step(profile);
        while !self.joins.is_empty() {
            self.step("joined");
        }
        self.step("presence");
        self.step("page");
        self.step(&format!("acked {name} all"));
    }

    fn happen(&mut self, word: &str, rest: &str) -> Vec<Effect> {
        let down = rest == "down";
        match word {
            "open" => {
                self.names.push(rest.to_owned());
                let session = self.session(rest);
                self.handle(Event::Opened { connection: session, from: Source::Proxy })
            }
            "from" => {
                let (name, from) = rest.split_once(' ').expect("who, and from where");
                let (connection, from) = (self.session(name), rate_steps::source(from));
                self.handle(Event::Located { connection, from })
            }
            "upgrade" => {
                let session = self.session(rest);
                self.websockets.insert(session);
                self.handle(Event::Upgraded { connection: session })
            }
            "overdue" => self.handle(Event::FrameTimeout { connection: self.session(rest) }),
            "end" => self.handle(Event::HalfClosed { connection: self.session(rest) }),
            "close" => {
                let (name, acked) = rest.split_once(' ').expect("who, and how many bytes");
                let session = self.session(name);
                self.handle(Event::Closed { connection: session, acked: self.bytes(session, acked) })
            }
            "acked" => {
                let (name, acked) = rest.split_once(' ').expect("who, and how many bytes");
                let session = self.session(name);
                self.handle(Event::Acked { connection: session, bytes: self.bytes(session, acked) })
            }
            "tick" => self.handle(Event::Tick { utc_offset_s: 0 }),
            "drain" => self.handle(Event::Drain),
            "joined" => {
                let ticket = self.joins.pop_front().expect("something is to be joined");
                let result = if down { Err(BusDown) } else { Ok(()) };
                self.handle(Event::Joined { id: ticket, result })
            }
            "published" => {
                let (queue, rest) = match rest.strip_prefix("cores ") {
                    Some(rest) => (&mut self.told_cores, rest),
                    None => (&mut self.publishes, rest),
                };
                let ticket = queue.pop_front().expect("something was published");
                let down = rest == "down";
                let heard = if down { Err(BusDown) } else { Ok(rest.parse().expect("how many")) };
                self.handle(Event::Published { id: ticket, receivers: heard })
            }
            "presence" => {
                let (look, rest) = match rest.strip_prefix("newest") {
                    Some(rest) => (self.looks.pop_back(), rest),
                    None => (self.looks.pop_front(), rest),
                };
                let (ticket, users) = look.expect("somebody was looked for");
                let there: Vec<UserId> =
                    if down { Vec::new() } else { rest.split_whitespace().map(user).collect() };
                let online = users.iter().map(|user| there.contains(user)).collect();
                self.handle(Event::PresenceResult {
                    id: ticket,
                    online: if down { Err(BusDown) } else { Ok(online) },
                })
            }
            "arrives" => self.arrives(rest),
            "act" => self.acts(rest),
            "rejoined" => self.handle(Event::Rejoined { core: CoreId(rest.parse().expect("a core")) }),
            "lost" => self.handle(Event::BusLost),
            "silent" => self.handle(Event::BusSilent),
            "heard" => self.handle(Event::BusHeard),
            "gone" => self.handle(Event::CoreGone { core: CoreId(rest.parse().expect("a core")) }),
            _ => {
                let at = self.asks.iter().position(|(_, ask)| fits(word, ask));
                match self.answer(word, rest, at) {
                    Some(answer) => {
                        let (ticket, _) =
                            self.asks.remove(at.expect("something was asked")).expect("is there");
                        self.handle(Event::Answered { id: ticket, result: answer })
                    }
                    None => self.says(word, rest),
                }
            }
        }
    }

    fn bytes(&self, session: ConnectionId, text: &str) -> u64 {
        let all = self.sent.get(&session).copied().unwrap_or(0);
        if text == "all" { all } else { text.parse().expect("bytes") }
    }

    fn says(&mut self, word: &str, frame: &str) -> Vec<Effect> {
        let (name, terminator) = match word.strip_suffix('0') {
            Some(name) => (name, Terminator::Nul),
            None => (word, Terminator::Newline),
        };
        self.says_of(self.session(name), terminator, frame)
    }

    /// What an acting session is asked.
    pub fn says_in(&mut self, session: ConnectionId, frame: &str) -> Vec<Effect> {
        self.says_of(session, Terminator::Newline, frame)
    }

    fn says_of(&mut self, session: ConnectionId, terminator: Terminator, frame: &str) -> Vec<Effect> {
        let last_mid = self.last_mid.map_or(String::new(), |mid| mid.0.to_string());
        let frame = frame.replace("{{mid}}", &last_mid).replace("{{16384}}", &"x".repeat(16_384));
        let mut bytes = frame.replace("{{16385}}", &"x".repeat(16_385)).into_bytes();
        let limits = self.limits.clone();
        match request::parse(&mut bytes, &mut Parser::new(), &limits) {
            Ok(request) => self.handle(Event::Request { connection: session, terminator, request }),
            Err(fault) => self.handle(Event::BadFrame { connection: session, fault }),
        }
    }

    /// A message that another core has sent, as the store has it.
    pub fn stored_message(&mut self, ends: &str, text: &str, to_group: bool) -> Envelope {
        self.message(ends, text, to_group, Durability::Always)
    }

    /// The number of the last claim that was published here.
    pub fn own_claim_number(&self) -> u64 {
        self.own_claim.as_ref().map_or(0, |claim| claim.mid().0)
    }

    /// The number of the last question about devices that was published here.
    pub fn asked_for_devices(&self) -> MessageId {
        self.own_question.expect("a question was published")
    }

    pub fn last_message(&self) -> Option<MessageId> {
        self.last_mid
    }

    fn answer(&mut self, word: &str, rest: &str, at: Option<usize>) -> Option<StoreResult> {
        let asked = at.map(|at| self.asks[at].1.clone());
        let of_devices = self.answer_of_devices(word, rest, asked.as_ref());
        if let Some(reply) = of_devices.or_else(|| self.answer_of_changes(word, rest, asked.as_ref())) {
            return Some(Ok(reply));
        }
        let of_acts = self.answer_of_acts(word, rest, asked.as_ref());
        if let Some(reply) = of_acts.or_else(|| answer_of_consent(word, rest)) {
            return Some(Ok(reply));
        }
        if let Some(reply) = self.answer_of_groups(word, rest, asked.as_ref()) {
            return Some(Ok(reply));
        }
        Some(Ok(match word {
            "done" => StoreReply::Done,
            // Messages are stored under the id of the last one.
            "delivered" => StoreReply::DeliveredAs(vec![self.last_mid.expect("a message was there before")]),
            "refused" => return Some(Err(code(rest))),
            "verified" => {
                let who = match at.map(|at| &self.asks[at]) {
                    Some((_, StoreRequest::Verify { who, .. })) => who,
                    _ => panic!("nobody is to be verified"),
                };
                let (user, name) = match (who, rest.split_once(' ')) {
                    (Who::Id(user), _) => (*user, rest),
                    (Who::Name(_), Some((id, name))) => (user(id), name),
                    (Who::Name(_), None) => panic!("a number and a name"),
                };
                StoreReply::Verified(Verified { user, name: name.to_owned(), print: PasswordPrint(1) })
            }
            "resumed" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let token = TokenId(words[2].parse().expect("a token's number"));
                let expires = words.get(3).map(|expires| Millis(expires.parse().expect("a time")));
                StoreReply::Resumed(Resumed {
                    user: user(words[0]),
                    name: words[1].to_owned(),
                    token,
                    expires,
                })
            }
            "admitted" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let expires = Millis(words[2].parse().expect("a time"));
                StoreReply::Admitted(Admitted { user: user(words[0]), name: words[1].to_owned(), expires })
            }
            "issued" => StoreReply::Issued(token(rest)),
            "found" => StoreReply::Found(person(rest.split_once('=').expect("a number and a name"))),
            "members" => {
                let complete = !rest.ends_with(" more");
                StoreReply::Members(MembersPage {
                    members: members(rest.trim_end_matches(" more")),
                    complete,
                })
            }
            "history" => {
                let (mut messages, mut complete) = (Vec::new(), true);
                for part in rest.split("; ").filter(|part| !part.is_empty()) {
                    if part == "more" {
                        complete = false;
                        continue;
                    }
                    let (ends, text) = part.split_once(' ').expect("from whom to whom, and a text");
                    let (ends, pos) = ends.split_once('@').expect("its place");
                    let envelope = self.message(ends, text, false, Durability::Always);
                    messages.push(Placed::as_said(envelope, pos.parse().expect("a place")));
                }
                StoreReply::History(HistoryPage { messages, chg: 0, complete })
            }
            "hits" => StoreReply::Search(self.search_page(rest)),
            "registered" => StoreReply::Registered(user(rest)),
            "stored" => {
                let Some((_, StoreRequest::StoreMessage { envelope })) = at.map(|at| &self.asks[at]) else {
                    panic!("nothing is to be kept")
                };
                let (mid, ts) = (envelope.mid(), envelope.ts());
                StoreReply::Stored(StoredMessage { mid, ts, pos: rest.parse().ok() })
            }
            "grouped" => {
                let (id, head) = rest.split_once(" head ").expect("a group and its head");
                let head = head.parse().expect("a place");
                let (muted, all) = (Until::NEVER, MutedAll::default());
                StoreReply::Joined(Joined { group: group(id), head, row: None, muted, all })
            }
            "idtaken" => StoreReply::IdTaken,
            "left" => StoreReply::Left(Left { dissolved: false, row: None }),
            "dissolved" => StoreReply::Left(Left { dissolved: true, row: None }),
            "friends" => StoreReply::Friends(people(rest)),
            "hidden" => StoreReply::Hidden(rest.split_whitespace().map(user).collect()),
            "profile" => StoreReply::Profile(Box::new(self.profile(rest))),
            "page" => {
                let Some((_, StoreRequest::FetchBacklog { have, .. })) = at.map(|at| &self.asks[at]) else {
                    panic!("nothing is to be taken")
                };
                let have = have.clone();
                self.page(rest, have)
            }
            _ => return None,
        }))
    }

    fn profile(&mut self, text: &str) -> Profile {
        let (text, heads) = text.split_once(" heads ").unwrap_or((text, ""));
        let (friends, groups) = text.split_once("groups ").unwrap_or((text, ""));
        let mut profile = Profile { friends: people(friends), ..Profile::default() };
        if let Some(StoreReply::Heads(page)) = self.answer_of_devices("heads", heads, None) {
            profile.heads = page;
        }
        let words: Vec<&str> = friends.split_whitespace().collect();
        consent_of_profile(&mut profile, &words);
        for pair in words.windows(2) {
            match pair[0] {
                "blocked" => profile.blocked.push(user(pair[1])),
                "token" => profile.token = Some(token(pair[1])),
                _ => {}
            }
        }
        for entry in groups.split(" and ").filter(|entry| !entry.is_empty()) {
            let (head, members) = entry.split_once(" members ").unwrap_or((entry, ""));
            let (id, rest) = head.split_once('=').expect("a group's number and name");
            let (name, cursor) = rest.split_once(':').expect("a group's name and the cursor");
            let members = self::members(members);
            self.groups.insert(id.parse().unwrap());
            profile.groups.push(Membership {
                group: group(id),
                name: name.to_owned(),
                desc: "about it".to_owned(),
                size: members.len() as u64,
                members,
                cursor: cursor.parse().expect("a place"),
                join: JoinPolicy::Open,
                standing: MemberRule::of(Role::Normal),
                at: 0,
                all: MutedAll::default(),
            });
        }
        profile
    }

    fn page(&mut self, text: &str, mut heads: Vec<(GroupId, u64)>) -> StoreReply {
        let (mut messages, mut complete) = (Vec::new(), true);
        let mut muted = Vec::new();
        for part in text.split("; ").filter(|part| !part.is_empty()) {
            if part == "more" {
                complete = false;
            } else if let Some(place) =
                part.strip_prefix("muted ").or_else(|| part.strip_prefix("all muted "))
            {
                muted.push((part.starts_with("all "), place));
            } else if let Some(places) = part.strip_prefix("heads ") {
                let place = |place: &str| {
                    let (id, pos) = place.split_once(':').expect("a group and a place");
                    (group(id), pos.parse().expect("a place"))
                };
                heads = places.split(' ').map(place).collect();
            } else {
                messages.push(self.waiting(part));
            }
        }
        let rules = heads.iter().map(|&(group, _)| group_steps::rules(group, &muted)).collect();
        StoreReply::Backlog(BacklogPage { messages, complete, heads, rules })
    }

    fn waiting(&mut self, text: &str) -> BacklogMessage {
        let (ends, text) = text.split_once(' ').expect("from whom to whom, and a text");
        let (ends, pos) = ends.split_once('@').map_or((ends, None), |(ends, pos)| (ends, pos.parse().ok()));
        BacklogMessage { envelope: self.message(ends, text, pos.is_some(), Durability::Always), pos }
    }

    pub fn message(&mut self, ends: &str, text: &str, to_group: bool, durability: Durability) -> Envelope {
        let (from, to) = ends.split_once('>').expect("from whom to whom");
        let mid = self.next_elsewhere();
        let text = text.replace("{{1000}}", &"x".repeat(1_000));
        let mut body = Vec::new();
        let target = if to_group {
            reply::group_chat(&mut body, user(from), "nn", group(to), &text, "t");
            Target::Group(group(to))
        } else {
            reply::one_chat(&mut body, user(from), "nn", user(to), &text, "t");
            Target::User(user(to))
        };
        let cid = &self.cid;
        let message =
            Message { sender: user(from), target, mid, ts: self.now.wall, cid, durability, body: &body };
        Envelope::message(message, &mut Vec::new())
    }

    /// An id of another core's.
    pub fn next_elsewhere(&mut self) -> MessageId {
        self.elsewhere.get_or_insert_with(|| MessageClock::new(CoreId(9))).next(self.now.wall)
    }

    fn arrives(&mut self, text: &str) -> Vec<Effect> {
        let words: Vec<&str> = text.split(' ').collect();
        let notice = self.arrives_of_devices(&words).or_else(|| self.arrives_of_changes(&words));
        let notice = notice.or_else(|| self.arrives_of_acts(&words));
        if let Some((channel, envelope)) = notice.or_else(|| self.arrives_of_consent(&words)) {
            return self.handle(Event::Arrived { channel, envelope });
        }
        if let Some((channel, envelope)) = self.arrives_of_groups(&words) {
            return self.handle(Event::Arrived { channel, envelope });
        }
        let (channel, envelope) = match words[..] {
            ["user", _, "own", "claim"] => {
                let claim = self.own_claim.clone().expect("a claim was published");
                (Channel::User(claim.user()), claim)
            }
            ["user", id, "hiding"] => (Channel::User(user(id)), Envelope::hiding_hint(user(id))),
            ["user", id, "hint"] => (Channel::User(user(id)), Envelope::backlog_hint(user(id))),
            ["user", id, "takeover", number] => {
                let claim = Envelope::demanding(user(id), number.parse().unwrap(), Demand::Takeover);
                (Channel::User(user(id)), claim)
            }
            ["user", id, "resume", number, "by", token] => {
                let demand = Demand::Token(TokenId(token.parse().expect("a token's number")));
                (Channel::User(user(id)), Envelope::demanding(user(id), number.parse().unwrap(), demand))
            }
            ["user", id, word @ ("confirmed" | "unconfirmed"), "by", reader] => {
                let kind = if word == "confirmed" { Kind::Confirmed } else { Kind::Unconfirmed };
                let mid = self.last_mid.expect("a message was there before");
                (Channel::User(user(id)), Envelope::receipt(kind, user(id), user(reader), &[mid]))
            }
            ["cores", "leaving"] => (Channel::Cores, Envelope::core_leaving(self.next_elsewhere())),
            ["user", id, kind, number] => {
                let kind = match kind {
                    "claim" => Kind::Claim,
                    "denied" => Kind::ClaimDenied,
                    "conceded" => Kind::ClaimConceded,
                    other => panic!("no such notice: {other}"),
                };
                let own = self.own_claim.as_ref().map_or(0, |claim| claim.mid().0);
                let number = if number == "own" { own } else { number.parse().expect("a number") };
                (Channel::User(user(id)), Envelope::claim(kind, user(id), number))
            }
            ["group", id, "dissolved"] => (Channel::Group(group(id)), Envelope::dissolved(group(id))),
            ["group", id, "stored", pos] => {
                let mid = self.last_mid.expect("a message was there before");
                let notice = Envelope::group_offsets(group(id), &[(mid, pos.parse().expect("a place"))]);
                (Channel::Group(group(id)), notice)
            }
            _ => {
                let (cid, text) = match text.strip_prefix("named ") {
                    Some(named) => named.split_once(' ').expect("a cid and the rest"),
                    None => ("", text),
                };
                self.cid = cid.to_owned();
                let (durability, text) = match text.split_once(' ') {
                    Some(("stored", text)) => (Durability::Always, text),
                    Some(("awaited", text)) => (Durability::IfUnacked, text),
                    _ => (Durability::IfUndelivered, text),
                };
                let (ends, text) = text.split_once(' ').expect("from whom to whom, and a text");
                let to = ends.split_once('>').expect("from whom to whom").1;
                let to_group = self.groups.contains(&to.parse().expect("a number"));
                let envelope = self.message(ends, text, to_group, durability);
                self.cid.clear();
                self.last_mid = Some(envelope.mid());
                let channel = if to_group { Channel::Group(group(to)) } else { Channel::User(user(to)) };
                (channel, envelope)
            }
        };
        self.handle(Event::Arrived { channel, envelope })
    }

    pub fn handle(&mut self, event: Event<'_>) -> Vec<Effect> {
        let mut effects = self.take_in(event);
        // An acting session ends with its answer.
        let answered = |effect: &Effect| match effect {
            Effect::Send { connection, .. } | Effect::Close { connection, .. } if connection.is_acting() => {
                Some(*connection)
            }
            _ => None,
        };
        if let Some(connection) = effects.iter().find_map(answered) {
            effects.extend(self.take_in(Event::Closed { connection, acked: 0 }));
        }
        effects
    }

    fn take_in(&mut self, event: Event<'_>) -> Vec<Effect> {
        let limits = &self.limits;
        let keeping = self.keeping;
        let rates = self.rates;
        let hub = self.hub.get_or_insert_with(|| {
            let mut hub = Hub::new(CoreId(0), limits.clone()).retaining(keeping);
            hub.set_rates(rates);
            hub
        });
        let mut effects = Vec::new();
        hub.handle(self.now, event, &mut effects);
        let effects: Vec<Effect> = effects.into_iter().flat_map(Effect::singly).collect();
        for effect in &effects {
            match effect {
                Effect::Send { connection: session, frame } => {
                    self.last_mid = frame.message().map(Envelope::mid).or(self.last_mid);
                    let is_message = self.websockets.contains(session);
                    let framing = if is_message { Framing::Message } else { Framing::Terminated };
                    *self.sent.entry(*session).or_default() +=
                        (frame.len() + framing.overhead(frame.len())) as u64;
                }
                Effect::Join { id: ticket, .. } => self.joins.push_back(*ticket),
                Effect::Publish { id: ticket, channel: Channel::Cores, .. } => self.told_cores.extend(ticket),
                Effect::Publish { id: ticket, envelope, .. } => {
                    self.publishes.extend(ticket);
                    match envelope.kind() {
                        Kind::Claim => self.own_claim = Some(envelope.clone()),
                        Kind::GroupRule => self.last_rule = Some(envelope.mid()),
                        Kind::DevicesAsked => self.own_question = Some(envelope.mid()),
                        Kind::Direct | Kind::Group => self.last_mid = Some(envelope.mid()),
                        _ => {}
                    }
                }
                Effect::QueryPresence { id: ticket, users } => self.looks.push_back((*ticket, users.clone())),
                Effect::Store { id: ticket, request: ask } => self.asks.push_back((*ticket, ask.clone())),
                _ => {}
            }
        }
        effects
    }
}

fn code(text: &str) -> Code {
    let codes = [
        Code::Refused,
        Code::AlreadyOnline,
        Code::NotYours,
        Code::NoSuchUser,
        Code::NoSuchGroup,
        Code::NotAMember,
        Code::Exists,
        Code::Muted,
        Code::Pending,
        Code::TooFast,
        Code::Busy,
        Code::CidReused,
        Code::TooMany,
        Code::Expired,
        Code::Muted,
        Code::Pending,
        Code::InvalidField,
        Code::UnknownMsgid,
    ];
    codes.into_iter().find(|code| code.errno().to_string() == text).expect("an errno of the store")
}

/// Whether an answer may be that of a request: a page answers a FetchBacklog, and so on; the rest answers what has been out
/// longest.
fn fits(word: &str, ask: &StoreRequest) -> bool {
    match word {
        "stored" | "idtaken" | "repeated" => matches!(ask, StoreRequest::StoreMessage { .. }),
        "page" => matches!(ask, StoreRequest::FetchBacklog { .. }),
        "ruled" => matches!(ask, StoreRequest::RuleGroup { .. }),
        "entered" => matches!(ask, StoreRequest::AddGroup { .. }),
        "asking" => matches!(ask, StoreRequest::JoinRequests { .. }),
        "known" => matches!(ask, StoreRequest::Acquaintances { .. }),
        "proven" => matches!(ask, StoreRequest::CheckProofs { .. }),
        "verified" => matches!(ask, StoreRequest::Verify { .. }),
        "profile" => matches!(ask, StoreRequest::LoadProfile { .. }),
        "heads" => matches!(ask, StoreRequest::Heads { .. }),
        "places" => matches!(ask, StoreRequest::FindPlaces { .. }),
        _ => true,
    }
}
