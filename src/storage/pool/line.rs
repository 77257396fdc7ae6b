//! The queues of passwords: who comes next, and who is refused.
//!
//! Whoever has guessed wrong lately has a queue apart, of which one of four logins is, so that whoever has its password does not
//! wait for a turn of everybody who guesses. Knows no thread and no clock: time is an argument, in milliseconds.

use super::{Job, Task};
use crate::guesses::{AccountKey, Guesses, Try};
use crate::names::fold;
use crate::password::Verdict;
use crate::rates::Rates;
use crate::replies::Requester;
use crate::shares::{Offered, Shares};
use crate::suspects::Suspects;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Who;
use chatd_chat::model::source::Source;
use chatd_chat::wire::code::Code;
use std::collections::{HashMap, VecDeque};

/// Every so many turns one is a registration's, if one waits; all others are logins'.
const REGISTRATION_TURN: u32 = 4;
/// Every so many logins one is a suspect's, if one waits; all others are those of whom nothing is known.
const SUSPECT_TURN: u32 = 4;
/// For each place in the queue of logins that suspects have one more: one for so many.
const SUSPECT_PART: usize = 4;
/// Accounts that are known to be guessed at, from which on those are forgotten that nobody guesses at.
const TIDY_ACCOUNTS: usize = 1_024;

/// A password that is not looked at, and what is answered instead.
pub(super) type Refused = (Requester, Code);

/// Who shares a line with itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Party {
    /// Everything from one place.
    Place(Source),
    /// Everything about one account, from places that cannot be told apart.
    Account(AccountKey),
}

impl Party {
    fn of(key: AccountKey, from: Source) -> Self {
        match from {
            Source::Proxy => Self::Account(key),
            place => Self::Place(place),
        }
    }
}

/// What waits for the threads.
pub(super) struct Line {
    logins: Shares<Party, (AccountKey, Job)>,
    suspected: Shares<Party, (AccountKey, Job)>,
    suspects: Suspects<Party>,
    registrations: Shares<Source, Job>,
    guesses: Guesses,
    /// How many were registered from where.
    registered: Rates<Source>,
    /// Tries of accounts whose allowance is all with tries that are being looked at.
    later: HashMap<AccountKey, VecDeque<Job>>,
    later_count: usize,
    turn: u32,
    login_turn: u32,
    share: usize,
    pub(super) stopping: bool,
}

impl Line {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            logins: Shares::new(limits.password_queue),
            suspected: Shares::new(limits.password_queue / SUSPECT_PART),
            suspects: Suspects::new(),
            registrations: Shares::new(limits.registration_queue),
            guesses: Guesses::new(limits),
            registered: Rates::new(limits.address_registrations, limits.address_registration_ms),
            later: HashMap::new(),
            later_count: 0,
            turn: 0,
            login_turn: 0,
            share: limits.password_share.max(1),
            stopping: false,
        }
    }

    pub(super) fn waiting(&self) -> usize {
        self.logins.waiting() + self.suspected.waiting() + self.registrations.waiting() + self.later_count
    }

    /// Whoever is refused for it.
    pub(super) fn offer(&mut self, job: Job, now: u64) -> Vec<Refused> {
        if self.stopping {
            return vec![(job.requester, Code::Busy)];
        }
        let Some(key) = self.key_of(&job.task) else { return self.offer_registration(job, now) };
        if self.guesses.len() >= TIDY_ACCOUNTS {
            self.guesses.tidy(now);
        }
        match self.guesses.begin(key, job.from, now) {
            Try::Now => self.offer_login(key, job, now),
            Try::TooMany => vec![(job.requester, Code::TooFast)],
            Try::Later => {
                let line = self.later.entry(key).or_default();
                if line.len() >= self.share {
                    return vec![(job.requester, Code::TooFast)];
                }
                line.push_back(job);
                self.later_count += 1;
                Vec::new()
            }
        }
    }

    fn offer_registration(&mut self, job: Job, now: u64) -> Vec<Refused> {
        // Behind a proxy there is nothing that registrations could be told apart by.
        let share = if job.from == Source::Proxy { usize::MAX } else { self.share };
        if job.from != Source::Proxy && !self.registered.take(job.from, now) {
            return vec![(job.requester, Code::TooFast)];
        }
        match self.registrations.offer(job.from, job, share) {
            Offered::Waits => Vec::new(),
            Offered::InsteadOf(job) | Offered::ShareFull(job) => vec![(job.requester, Code::TooFast)],
            Offered::Full(job) => vec![(job.requester, Code::Busy)],
        }
    }

    fn offer_login(&mut self, key: AccountKey, job: Job, now: u64) -> Vec<Refused> {
        let party = Party::of(key, job.from);
        let line = if self.suspects.has(party, now) { &mut self.suspected } else { &mut self.logins };
        let ((key, job), code) = match line.offer(party, (key, job), self.share) {
            Offered::Waits => return Vec::new(),
            Offered::InsteadOf(job) | Offered::ShareFull(job) => (job, Code::TooFast),
            Offered::Full(job) => (job, Code::Busy),
        };
        // Nobody looks at it.
        self.guesses.give_back(key, job.from);
        vec![(job.requester, code)]
    }

    fn key_of(&self, task: &Task) -> Option<AccountKey> {
        match task {
            Task::Hash { .. } => None,
            Task::Verify { who, .. } | Task::Change { who, .. } => Some(match who {
                Who::Id(user) => self.guesses.key(user.get()),
                Who::Name(name) => self.guesses.key(fold(name)),
            }),
        }
    }

    /// The next password, and whose it is if it is to be compared.
    pub(super) fn next(&mut self) -> Option<(Option<AccountKey>, Job)> {
        self.turn = self.turn.wrapping_add(1);
        let login = |line: &mut Self| line.next_login().map(|(key, job)| (Some(key), job));
        let registration = |line: &mut Self| line.registrations.next().map(|job| (None, job));
        if self.turn.is_multiple_of(REGISTRATION_TURN) {
            registration(self).or_else(|| login(self))
        } else {
            login(self).or_else(|| registration(self))
        }
    }

    fn next_login(&mut self) -> Option<(AccountKey, Job)> {
        self.login_turn = self.login_turn.wrapping_add(1);
        if self.login_turn.is_multiple_of(SUSPECT_TURN) {
            self.suspected.next().or_else(|| self.logins.next())
        } else {
            self.logins.next().or_else(|| self.suspected.next())
        }
    }

    /// Somebody has guessed wrong: whatever else it has put into the queue waits with it.
    fn suspect(&mut self, party: Party, now: u64) -> Vec<Refused> {
        if !self.suspects.learn(party, now) {
            return Vec::new();
        }
        let moved = self.logins.take(party);
        moved.into_iter().flat_map(|(key, job)| self.offer_login(key, job, now)).collect()
    }

    /// A password was compared, or could not be. What waited for that may be looked at now, or not at all.
    pub(super) fn judge(
        &mut self,
        key: AccountKey,
        from: Source,
        verdict: Option<Verdict>,
        now: u64,
    ) -> Vec<Refused> {
        let mut refused = Vec::new();
        match verdict {
            None => self.guesses.give_back(key, from),
            Some(Verdict::Right) => self.guesses.right(key, from),
            Some(Verdict::Wrong) => {
                self.guesses.wrong(key, from);
                refused.extend(self.suspect(Party::of(key, from), now));
            }
        }
        while let Some(job) = self.later.get_mut(&key).and_then(VecDeque::pop_front) {
            self.later_count -= 1;
            match self.guesses.begin(key, job.from, now) {
                Try::Now => refused.extend(self.offer_login(key, job, now)),
                Try::TooMany => refused.push((job.requester, Code::TooFast)),
                Try::Later => {
                    self.later_count += 1;
                    self.later.entry(key).or_default().push_front(job);
                    break;
                }
            }
        }
        if self.later.get(&key).is_some_and(VecDeque::is_empty) {
            self.later.remove(&key);
        }
        refused
    }

    /// What waits is not looked at any more.
    pub(super) fn stop(&mut self) -> Vec<Refused> {
        self.stopping = true;
        let mut left: Vec<Refused> = Vec::new();
        while let Some((_, job)) = self.next() {
            left.push((job.requester, Code::Busy));
        }
        let later = std::mem::take(&mut self.later).into_values().flatten();
        left.extend(later.map(|job| (job.requester, Code::Busy)));
        self.later_count = 0;
        left
    }
}
