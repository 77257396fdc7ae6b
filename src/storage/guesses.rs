//! Guesses: how many passwords may be tried on one account, from wherever.
//!
//! Each account has an allowance of tries that turn out wrong; it fills up again with time. A try takes
//! one out before anybody looks at the password, and a right one gives it back. So however many
//! connections and addresses guess, they have the allowance together; and whoever knows the password may
//! log in as often as it likes.
//!
//! Why the owner gets in while others guess: a place that it logged in from before is known and does not
//! ask the allowance; a place from where nobody has guessed wrong may use all of it, one that has only
//! the upper half. So only who has a new address for every guess, and several a second, could keep an owner
//! away who comes to a new place without a token. Behind a proxy
//! places cannot be told apart: there the owner has one chance like each guesser, or a token, which asks
//! for no password at all.
//!
//! Knows no password and no clock: time is an argument, in milliseconds.

use chatd_chat::model::limits::Limits;
use chatd_chat::model::source::Source;
use std::collections::hash_map::RandomState;
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};
use tracing::debug;

/// Names an account as it was named by whoever tries: one that does not exist has an allowance too, or
/// it could be told from one that does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccountKey(u64);

/// Places that are known, of all accounts. Above: the one that was known first is forgotten.
const KNOWN_MOST: usize = 65_536;
/// Places of one account that guessed wrong, and wrong tries after which a known one is not known any more.
const GUESSERS_MOST: usize = 64;
const KNOWN_WRONG: u32 = 5;

/// What may become of a try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Try {
    /// It may be looked at.
    Now,
    /// All of the allowance is with tries that are being looked at: whether it may be is known when they are.
    Later,
    /// There were too many wrong ones.
    TooMany,
}

/// An account on which somebody tries. It is forgotten when nobody does and its allowance is full.
#[derive(Debug)]
struct Account {
    /// Tries that may be begun.
    left: u32,
    /// Since when the allowance fills up.
    since: u64,
    /// Tries whose outcome is not known.
    under_way: u32,
    /// From where it was tried with a wrong password lately.
    guessers: HashSet<Source>,
}

/// All accounts.
#[derive(Debug)]
pub struct Guesses {
    allowance: u32,
    refill_ms: u64,
    hasher: RandomState,
    accounts: HashMap<AccountKey, Account>,
    /// Wrong tries in a row from a known place.
    known: HashMap<(AccountKey, Source), u32>,
    known_since: VecDeque<(AccountKey, Source)>,
}

impl Guesses {
    /// Nobody has tried anything.
    pub fn new(limits: &Limits) -> Self {
        Self {
            allowance: limits.account_guesses.max(1),
            refill_ms: limits.account_guess_ms.max(1),
            hasher: RandomState::new(),
            accounts: HashMap::new(),
            known: HashMap::new(),
            known_since: VecDeque::new(),
        }
    }

    /// The key of an account.
    pub fn key(&self, named: impl Hash) -> AccountKey {
        AccountKey(self.hasher.hash_one(named))
    }

    /// Somebody wants to try a password.
    pub fn begin(&mut self, key: AccountKey, from: Source, now: u64) -> Try {
        let (most, refill_ms) = (self.allowance, self.refill_ms);
        let account = self.accounts.entry(key).or_insert_with(|| Account {
            left: most,
            since: now,
            under_way: 0,
            guessers: HashSet::new(),
        });
        account.refill(most, refill_ms, now);
        if self.known.contains_key(&(key, from)) {
            account.under_way += 1;
            return Try::Now;
        }
        let kept = if account.guessers.contains(&from) { most / 2 } else { 0 };
        if account.left > kept {
            account.left -= 1;
            account.under_way += 1;
            Try::Now
        } else if account.under_way > 0 {
            Try::Later
        } else {
            self.forget_if_idle(key);
            debug!("a password from {from} is not looked at: too many were wrong for that account");
            Try::TooMany
        }
    }

    /// The password was wrong.
    pub fn wrong(&mut self, key: AccountKey, from: Source) {
        debug!("a wrong password from {from}");
        if let Some(wrong) = self.known.get_mut(&(key, from)) {
            *wrong += 1;
            if *wrong >= KNOWN_WRONG {
                self.known.remove(&(key, from));
            }
        }
        let Some(account) = self.accounts.get_mut(&key) else { return };
        account.under_way = account.under_way.saturating_sub(1);
        if from != Source::Proxy && account.guessers.len() < GUESSERS_MOST {
            account.guessers.insert(from);
        }
    }

    /// It was right, or nobody has looked at it.
    pub fn give_back(&mut self, key: AccountKey, from: Source) {
        let most = self.allowance;
        let Some(account) = self.accounts.get_mut(&key) else { return };
        account.under_way = account.under_way.saturating_sub(1);
        if !self.known.contains_key(&(key, from)) {
            account.left = (account.left + 1).min(most);
        }
        self.forget_if_idle(key);
    }

    /// It was right: the place is known from now on.
    pub fn right(&mut self, key: AccountKey, from: Source) {
        self.give_back(key, from);
        if from == Source::Proxy || self.known.insert((key, from), 0).is_some() {
            return;
        }
        self.known_since.push_back((key, from));
        while self.known_since.len() > KNOWN_MOST {
            let first = self.known_since.pop_front().expect("longer than its bound");
            self.known.remove(&first);
        }
    }

    /// Forgets accounts whose allowance is full: those that are left had a wrong try lately.
    pub fn tidy(&mut self, now: u64) {
        let (most, refill_ms) = (self.allowance, self.refill_ms);
        self.accounts.retain(|_, account| {
            account.refill(most, refill_ms, now);
            account.under_way > 0 || account.left < most
        });
    }

    /// How many accounts it knows of.
    pub fn len(&self) -> usize {
        self.accounts.len()
    }

    fn forget_if_idle(&mut self, key: AccountKey) {
        let most = self.allowance;
        if self.accounts.get(&key).is_some_and(|account| account.under_way == 0 && account.left == most) {
            self.accounts.remove(&key);
        }
    }
}

impl Account {
    fn refill(&mut self, most: u32, refill_ms: u64, now: u64) {
        let more = now.saturating_sub(self.since) / refill_ms;
        if more == 0 {
            return;
        }
        self.since += more * refill_ms;
        self.left = self.left.saturating_add(u32::try_from(more).unwrap_or(u32::MAX)).min(most);
        if self.left == most {
            self.since = now;
            self.guessers.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Source = Source::V4(1);
    const OTHER: Source = Source::V4(2);

    fn guesses(account_guesses: u32) -> Guesses {
        Guesses::new(&Limits { account_guesses, account_guess_ms: 1_000, ..Limits::default() })
    }

    fn guess(guesses: &mut Guesses, key: AccountKey, from: Source, now: u64) -> bool {
        let may = guesses.begin(key, from, now) == Try::Now;
        if may {
            guesses.wrong(key, from);
        }
        may
    }

    #[test]
    fn all_places_together_have_one_allowance() {
        let mut guesses = guesses(10);
        let (amy, ben) = (guesses.key(1), guesses.key(2));
        let tried = (0..500).filter(|&place| guess(&mut guesses, amy, Source::V4(place), 0)).count();
        assert_eq!(tried, 10);
        assert_eq!(guesses.begin(amy, Source::V6(7), 0), Try::TooMany);
        assert!(guess(&mut guesses, ben, Source::V4(3), 0), "another account has its own");
        // In an hour and from everywhere no more than it fills up by.
        let tried = (1..3_600_u64).filter(|s| guess(&mut guesses, amy, Source::V6(*s), s * 1_000)).count();
        assert!((3_590..=3_600).contains(&tried), "{tried}");
    }

    #[test]
    fn a_right_password_costs_nothing_and_waits_for_those_under_way() {
        let mut guesses = guesses(3);
        let amy = guesses.key("amy");
        for _ in 0..3 {
            assert_eq!(guesses.begin(amy, Source::Proxy, 0), Try::Now);
        }
        assert_eq!(guesses.begin(amy, Source::Proxy, 0), Try::Later);
        for _ in 0..3 {
            guesses.right(amy, Source::Proxy);
        }
        assert_eq!(guesses.len(), 0, "nothing is left of it");
        for _ in 0..1_000 {
            assert_eq!(guesses.begin(amy, Source::Proxy, 0), Try::Now);
            guesses.right(amy, Source::Proxy);
        }
    }

    #[test]
    fn the_owner_gets_in_while_others_guess() {
        let mut guesses = guesses(10);
        let amy = guesses.key("amy");
        // At a place that it never was at: the guessers leave half of the allowance to it.
        let mut tried = 0;
        for now in 0..100 {
            tried += usize::from(guess(&mut guesses, amy, OTHER, now));
        }
        assert_eq!(tried, 5);
        assert_eq!(guesses.begin(amy, OWNER, 100), Try::Now);
        guesses.right(amy, OWNER);
        // At a known place: though nothing of the allowance is left.
        while guess(&mut guesses, amy, Source::V6(tried as u64), 100) {
            tried += 1;
        }
        assert_eq!(guesses.begin(amy, Source::V6(0), 100), Try::TooMany);
        assert_eq!(guesses.begin(amy, OWNER, 100), Try::Now);
        guesses.right(amy, OWNER);
        // A known place where somebody guesses is known no longer.
        let tried = (0..20).filter(|_| guess(&mut guesses, amy, OWNER, 100)).count();
        assert_eq!(tried, KNOWN_WRONG as usize);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let mut guesses = guesses(4);
        for number in 0..1_000 {
            let key = guesses.key(number);
            assert!(guess(&mut guesses, key, OTHER, 0));
        }
        guesses.tidy(999);
        assert_eq!(guesses.len(), 1_000);
        guesses.tidy(1_000);
        assert_eq!(guesses.len(), 0);
        for number in 0..KNOWN_MOST + 10 {
            let key = guesses.key(number);
            assert_eq!(guesses.begin(key, OWNER, 0), Try::Now);
            guesses.right(key, OWNER);
        }
        assert!(guesses.known.len() <= KNOWN_MOST && guesses.known_since.len() <= KNOWN_MOST);
    }
}
