//! Budgets: what users and addresses have used up of their rates on this core, and how many connections an address has.
//!
//! What is used up outlives a session, so that coming back is not the way around it. Bounded: above, those are forgotten
//! of whom nothing is used up, and if that does not help, all but those that have connections.

use crate::model::ids::{Monotonic, UserId};
use crate::model::rate::{Bucket, Rates};
use crate::model::source::Source;
use rustc_hash::FxHashMap;

/// Users, and addresses, that are known at most.
const MOST: usize = 65_536;
/// What an address has of the rates of a user: several people come from one.
const USERS_OF_AN_ADDRESS: u32 = 10;

/// What a request costs whoever makes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// A message, or what is as cheap.
    Message,
    /// What has the store look something up.
    Lookup,
    /// What changes what the store has.
    Change,
}

/// What of each rate is used up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spent {
    pub(super) message: Bucket,
    pub(super) byte: Bucket,
    lookup: Bucket,
    change: Bucket,
}

/// What an address has used up, and has.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    spent: Spent,
    guesses: Bucket,
    arrivals: Bucket,
    connections: u32,
}

/// Of users and addresses.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    users: FxHashMap<UserId, Spent>,
    places: FxHashMap<Source, Place>,
}

impl Spent {
    pub(super) fn take(
        &mut self,
        rates: &Rates,
        (class, cost): (Class, u32),
        now: Monotonic,
    ) -> Result<(), u64> {
        match class {
            Class::Message => self.message.take(rates.message, cost, now),
            Class::Lookup => self.lookup.take(rates.lookup, cost, now),
            Class::Change => self.change.take(rates.change, cost, now),
        }
    }

    fn is_nothing(&self, now: Monotonic) -> bool {
        [self.message, self.byte, self.lookup, self.change].iter().all(|bucket| bucket.is_full(now))
    }
}

impl Place {
    fn is_forgettable(&self, now: Monotonic) -> bool {
        let is_full = self.guesses.is_full(now) && self.arrivals.is_full(now);
        self.connections == 0 && is_full && self.spent.is_nothing(now)
    }
}

impl Budgets {
    /// Takes a look-up or a change from what a user has, if there is one, and its address.
    pub(super) fn take(
        &mut self,
        rates: &Rates,
        (user, from): (Option<UserId>, Source),
        demand: (Class, u32),
        now: Monotonic,
    ) -> Result<(), u64> {
        if let Some(user) = user {
            self.user(user, now).take(rates, demand, now)?;
        }
        let of_many = Rates {
            lookup: rates.lookup.times(USERS_OF_AN_ADDRESS),
            change: rates.change.times(USERS_OF_AN_ADDRESS),
            ..*rates
        };
        match self.place(from, now) {
            Some(place) => place.spent.take(&of_many, demand, now),
            None => Ok(()),
        }
    }

    /// What a user has used up.
    pub(super) fn user(&mut self, user: UserId, now: Monotonic) -> &mut Spent {
        if self.users.len() >= MOST && !self.users.contains_key(&user) {
            self.users.retain(|_, spent| !spent.is_nothing(now));
            if self.users.len() >= MOST {
                self.users.clear();
            }
        }
        self.users.entry(user).or_default()
    }

    /// An address; nothing of a proxy, which may speak for anybody.
    fn place(&mut self, from: Source, now: Monotonic) -> Option<&mut Place> {
        if from == Source::Proxy {
            return None;
        }
        if self.places.len() >= MOST && !self.places.contains_key(&from) {
            self.places.retain(|_, place| !place.is_forgettable(now));
            if self.places.len() >= MOST {
                self.places.retain(|_, place| place.connections > 0);
            }
        }
        Some(self.places.entry(from).or_default())
    }

    /// One connection more from there; if it may not be, how long to wait. It counts in any case.
    pub(super) fn arrive(&mut self, rates: &Rates, from: Source, now: Monotonic) -> Result<(), u64> {
        /// There is no telling when another connection ends.
        const SOME_MS: u64 = 1_000;
        let Some(place) = self.place(from, now) else { return Ok(()) };
        place.connections += 1;
        if rates.connections > 0 && place.connections > rates.connections {
            return Err(SOME_MS);
        }
        place.arrivals.take(rates.connect, 1, now)
    }

    /// One connection less.
    pub(super) fn leave(&mut self, from: Source) {
        if let Some(place) = self.places.get_mut(&from) {
            place.connections = place.connections.saturating_sub(1);
        }
    }

    /// A password from there was wrong.
    pub(super) fn guessed_wrong(&mut self, rates: &Rates, from: Source, now: Monotonic) {
        if let Some(place) = self.place(from, now) {
            place.guesses.force(rates.guess, 1, now);
        }
    }

    /// How long it is until the next password from there is looked at.
    pub(super) fn guess_wait_ms(&self, rates: &Rates, from: Source, now: Monotonic) -> u64 {
        let guesses = self.places.get(&from).map(|place| place.guesses);
        guesses.and_then(|mut guesses| guesses.take(rates.guess, 1, now).err()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::rate::Rate;

    const NOW: Monotonic = Monotonic(1_000);

    #[test]
    fn an_address_has_what_ten_users_have_and_a_proxy_no_bound() {
        let rates = Rates { lookup: Rate::new(1, 5), ..Rates::default() };
        let mut budgets = Budgets::default();
        let mut taken = |from, first: u64| {
            let one = |number| {
                let user = UserId::new(number);
                (0..10)
                    .filter(|_| budgets.take(&rates, (user, from), (Class::Lookup, 1), NOW).is_ok())
                    .count()
            };
            (first..first + 20).map(one).sum::<usize>()
        };
        assert_eq!(taken(Source::V4(1), 1), 50);
        assert_eq!(taken(Source::Proxy, 100), 100);
        assert_eq!(taken(Source::V6(1), 100), 0, "they have used up theirs, wherever they are");
    }

    #[test]
    fn connections_are_counted_and_come_so_fast() {
        let rates = Rates { connections: 3, connect: Rate::new(1, 5), ..Rates::default() };
        let mut budgets = Budgets::default();
        let arrive = |budgets: &mut Budgets| budgets.arrive(&rates, Source::V4(1), NOW).is_ok();
        assert_eq!([(); 4].map(|()| arrive(&mut budgets)), [true, true, true, false]);
        for _ in 0..4 {
            budgets.leave(Source::V4(1));
        }
        assert_eq!([(); 4].map(|()| arrive(&mut budgets)), [true, true, false, false]);
        assert!((0..100).all(|_| budgets.arrive(&rates, Source::Proxy, NOW).is_ok()));
    }

    #[test]
    fn no_more_are_known_than_fit_and_who_is_connected_is_not_forgotten() {
        let rates = Rates { connections: 1, connect: Rate::new(1, 1_000), ..Rates::default() };
        let mut budgets = Budgets::default();
        assert!(budgets.arrive(&rates, Source::V4(0), NOW).is_ok());
        for number in 1..3 * MOST as u32 {
            assert!(budgets.arrive(&rates, Source::V4(number), NOW).is_ok());
            budgets.leave(Source::V4(number));
            budgets.user(UserId::new(u64::from(number)).unwrap(), NOW).message.force(Rate::new(1, 1), 1, NOW);
        }
        assert!(budgets.places.len() <= MOST && budgets.users.len() <= MOST);
        assert!(budgets.arrive(&rates, Source::V4(0), NOW).is_err());
    }
}
