//! An application's own server: it has messages sent in users' names through the API, shuts users out and lets them in
//! again, and makes their tokens worthless. What it was not answered it says again, at any server, now and then while
//! it still waits for the answer.
//!
//! It has random numbers of its own: what happens to people without one does not depend on it.

use super::heard::Heard;
use super::oracle::Said;
use super::plan::{Phase, Plan};
use super::rng::Rng;
use super::world::{Next, World};
use crate::trace;
use chatd::chat::model::act::{AccountAct, AccountName, Act, Actor};
use chatd::chat::model::envelope::Target;
use chatd::chat::model::ids::{ConnectionId, GroupId, UserId};
use chatd::chat::port::effect::Frame;
use chatd::chat::port::event::Event;
use chatd::chat::wire::frame::Terminator;
use chatd::chat::wire::request;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What it has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Call {
    /// This text is sent.
    Send(u64),
    ShutOut(UserId),
    LetIn(UserId),
    /// All tokens of this user are worthless.
    Revoke(UserId),
}

impl Call {
    /// Whose account it changes.
    fn account(self) -> Option<UserId> {
        match self {
            Call::Send(_) => None,
            Call::ShutOut(user) | Call::LetIn(user) | Call::Revoke(user) => Some(user),
        }
    }
}

pub struct Application {
    rng: Rng,
    pub is_there: bool,
    keeps_accounts: bool,
    /// In a contest, accounts are left alone.
    in_contest: bool,
    /// The last acting session.
    last: u32,
    /// What is asked of a core, by the number of the acting session.
    open: HashMap<(usize, u32), Call>,
    /// Acting sessions that have their answer and are to be closed.
    pub ended: Vec<ConnectionId>,
    /// Texts that are not answered, and those that are.
    unanswered: BTreeSet<u64>,
    answered: Vec<u64>,
    /// What is to be done with accounts, until it is answered.
    wanted: BTreeMap<UserId, Call>,
    /// Who is to be shut out: since when it was told that it is.
    pub out: BTreeMap<UserId, Option<u64>>,
}

impl Application {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(!seed);
        let (is_there, keeps_accounts) = (rng.chance(400), rng.chance(500));
        Self {
            rng,
            is_there,
            keeps_accounts,
            in_contest: false,
            last: 0,
            open: HashMap::new(),
            ended: Vec::new(),
            unanswered: BTreeSet::new(),
            answered: Vec::new(),
            wanted: BTreeMap::new(),
            out: BTreeMap::new(),
        }
    }

    /// A core dies with what was asked of it.
    pub fn lose(&mut self, core: usize) {
        self.open.retain(|&(at, _), _| at != core);
    }
}

impl World {
    pub fn start_application(&mut self, phase: Phase) {
        if self.application.is_there {
            self.application.in_contest = phase == Phase::Contest;
            self.later(0, Next::Apply);
        }
    }

    /// It does one thing.
    pub fn apply(&mut self) {
        if !self.acting {
            return;
        }
        let application = &mut self.application;
        match application.rng.below(100) {
            0..=49 => self.send_something(),
            50..=74 if !application.unanswered.is_empty() => {
                let some = application.rng.index(application.unanswered.len());
                let number = *application.unanswered.iter().nth(some).expect("within");
                self.call(Call::Send(number));
            }
            75..=84 if !application.answered.is_empty() => {
                let some = application.rng.index(application.answered.len());
                let number = application.answered[some];
                self.call(Call::Send(number));
            }
            85..=99 => {
                let user = self.application.rng.between(1, self.plan.users as u64);
                self.change_account(UserId::new(user).expect("an id"));
            }
            _ => {}
        }
        let after = self.application.rng.delay(8 * self.plan.gap_us) + 1;
        self.later(after, Next::Apply);
    }

    fn send_something(&mut self) {
        let rng = &mut self.application.rng;
        let sender = UserId::new(rng.between(1, self.plan.users as u64)).expect("an id");
        let groups: Vec<GroupId> = self.groups_of(sender);
        let rng = &mut self.application.rng;
        let target = if !groups.is_empty() && rng.chance(400) {
            Target::Group(rng.pick(&groups))
        } else {
            Target::User(UserId::new(rng.between(1, self.plan.users as u64)).expect("an id"))
        };
        let filler = "x".repeat(rng.below(40) as usize);
        let text = self.oracle.compose_for(sender, target, filler);
        self.application.unanswered.insert(text.number);
        self.call(Call::Send(text.number));
    }

    /// Nothing is asked of an account before all that was asked of it before is over: what is under way could undo it.
    fn change_account(&mut self, user: UserId) {
        if !self.application.keeps_accounts || self.application.in_contest {
            return;
        }
        if let Some(&wanted) = self.application.wanted.get(&user) {
            return self.call(wanted);
        }
        let about = |call: &Call| call.account() == Some(user);
        let on_its_way = self.what.values().any(|next| matches!(next, Next::Called(_, call) if about(call)));
        if on_its_way || self.application.open.values().any(about) {
            return;
        }
        let call = match self.application.out.contains_key(&user) {
            true => Call::LetIn(user),
            false => self.application.rng.pick(&[Call::ShutOut(user), Call::Revoke(user)]),
        };
        self.want(call);
    }

    fn want(&mut self, call: Call) {
        let user = call.account().expect("about an account");
        if call != Call::Revoke(user) {
            self.application.out.insert(user, None);
        }
        self.application.wanted.insert(user, call);
        self.call(call);
    }

    /// Says it to some server, now and then to two at once.
    fn call(&mut self, call: Call) {
        let alive: Vec<usize> = (0..self.cores.len()).filter(|&core| !self.health[core].dead).collect();
        if alive.is_empty() {
            return;
        }
        for _ in 0..=u64::from(self.application.rng.chance(300)) {
            let core = self.application.rng.pick(&alive);
            let after = self.application.rng.delay(self.plan.net_us);
            self.later(after, Next::Called(core, call));
        }
    }

    /// It is at a core.
    pub fn called(&mut self, core: usize, call: Call) {
        if self.health[core].dead {
            return;
        }
        self.application.last += 1;
        let connection = ConnectionId::acting(self.application.last);
        trace!(self, "core {core} is to do {call:?} as {connection:?}");
        self.application.open.insert((core, self.application.last), call);
        let act = match call {
            Call::Send(number) => return self.send_for(core, connection, number),
            Call::ShutOut(user) => put(user, true),
            Call::LetIn(user) => put(user, false),
            Call::Revoke(user) => AccountAct::RevokeTokens(user),
        };
        self.feed(core, Event::Acted { connection, act: Act::Account(act) });
    }

    fn send_for(&mut self, core: usize, connection: ConnectionId, number: u64) {
        let (user, text) = self.oracle.text(number).expect("it was written");
        self.note_said(number);
        let name = self.store.person(user).expect("a user").name.into();
        self.feed(core, Event::Acted { connection, act: Act::As(Actor { user, name }) });
        let to = match text.target {
            Target::User(to) => format!("\"msgid\":6,\"toid\":{to}"),
            Target::Group(group) => format!("\"msgid\":10,\"groupid\":{group}"),
        };
        let filler = &text.filler;
        let frame = format!(
            "{{{to},\"id\":{user},\"msg\":\"~{number}~{filler}\",\"time\":\"t\",\"cid\":\"c{number}\"}}"
        );
        let (mut bytes, terminator) = (frame.into_bytes(), Terminator::Newline);
        let mut parser = std::mem::take(&mut self.cores[core].parser);
        let limits = self.plan.limits.clone();
        let request = request::parse(&mut bytes, &mut parser, &limits).expect("a message");
        self.feed(core, Event::Request { connection, terminator, request });
        self.cores[core].parser = parser;
    }

    fn note_said(&mut self, number: u64) {
        let may_be_lost = self.fault.is_some_and(Plan::loses) || self.heals > 0;
        let (order, at_us) = (self.oracle.tally.0.get("said").copied().unwrap_or(0), self.now_us);
        let written = &mut self.oracle.texts[number as usize];
        let before = written.said.as_ref();
        let (repeated, busy) = (before.is_some(), before.is_some_and(|said| said.busy));
        let heard_twice = before.is_some_and(|said| said.heard_twice);
        let may_be_lost = may_be_lost || before.is_some_and(|said| said.may_be_lost);
        written.said = Some(Said { stay: None, order, at_us, repeated, busy, heard_twice, may_be_lost });
        self.oracle.tally.count(if repeated { "said again through the API" } else { "said through the API" });
    }

    /// A core answers. The answer may be lost with its connection.
    pub fn answered(&mut self, core: usize, connection: ConnectionId, frame: Option<&Frame>) {
        let Some(call) = self.application.open.remove(&(core, connection.generation)) else { return };
        self.application.ended.push(connection);
        let Some(frame) = frame else { return };
        let mut bytes = Vec::new();
        frame.write(&mut bytes);
        let heard = Heard::read(&bytes);
        let lost = self.fault.is_some() && self.application.rng.chance(150);
        match (call, heard.errno()) {
            (_, Some(110)) => self.oracle.tally.count("acts refused: busy"),
            (Call::Send(number), Some(0)) => {
                self.check_sent(number, &heard);
                if !lost && self.application.unanswered.remove(&number) {
                    self.application.answered.push(number);
                }
            }
            (Call::Send(number), Some(errno)) => {
                assert_ne!(errno, 112, "(p) text {number} is said as it was");
                self.oracle.refused.insert(number);
                self.application.unanswered.remove(&number);
                self.oracle.tally.count("refused through the API");
            }
            (_, Some(0)) if lost => {}
            (Call::ShutOut(user), Some(0)) => self.done(user, call, Some(self.now_us)),
            (Call::LetIn(user) | Call::Revoke(user), Some(0)) => self.done(user, call, None),
            (_, errno) => panic!("{call:?} is answered with {errno:?}"),
        }
    }

    /// What is answered again, because it was said twice, changes nothing.
    fn done(&mut self, user: UserId, call: Call, since_us: Option<u64>) {
        if self.application.wanted.get(&user) != Some(&call) {
            return;
        }
        self.application.wanted.remove(&user);
        match call {
            Call::LetIn(_) => drop(self.application.out.remove(&user)),
            Call::ShutOut(_) => drop(self.application.out.insert(user, since_us)),
            Call::Revoke(_) | Call::Send(_) => {}
        }
        self.oracle.tally.count("accounts changed through the API");
    }

    /// It shuts out some of those who are there, or makes their tokens worthless.
    pub fn change_accounts(&mut self) {
        if self.application.is_there {
            let online: Vec<UserId> = self.oracle.online_conns().map(|(user, _)| user).collect();
            online.into_iter().take(2).for_each(|user| self.change_account(user));
        }
    }

    /// All is well: whatever was not answered is said again, and is.
    pub fn answer_application(&mut self) {
        if !self.application.is_there {
            return;
        }
        let Application { unanswered, wanted, .. } = &self.application;
        let calls = unanswered.iter().map(|&number| Call::Send(number)).chain(wanted.values().copied());
        let calls: Vec<Call> = calls.collect();
        calls.into_iter().for_each(|call| self.call(call));
        self.rest();
        let Application { unanswered, wanted, open, .. } = &self.application;
        assert!(
            unanswered.is_empty() && wanted.is_empty() && open.is_empty(),
            "(p) {unanswered:?}, {wanted:?} and {open:?} are not answered"
        );
    }

    pub fn let_all_in(&mut self) {
        let out: Vec<UserId> = self.application.out.keys().copied().collect();
        if out.is_empty() {
            return;
        }
        out.into_iter().for_each(|user| self.want(Call::LetIn(user)));
        self.rest();
        assert!(self.application.out.is_empty(), "(p) somebody is still shut out");
    }

    /// What it said before, perhaps to servers that are no more, it says again, and some more.
    pub fn application_talks(&mut self) {
        if !self.application.is_there {
            return;
        }
        for _ in 0..3 {
            self.send_something();
            if !self.application.answered.is_empty() {
                let some = self.application.rng.index(self.application.answered.len());
                self.call(Call::Send(self.application.answered[some]));
            }
        }
        self.rest();
        self.answer_application();
    }
}

fn put(user: UserId, disabled: bool) -> AccountAct {
    AccountAct::Put { who: AccountName::Id(user), name: None, disabled: Some(disabled) }
}
