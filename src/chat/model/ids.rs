//! The names of things: newtypes, so that a user is never mistaken for a group.
//!
//! Nothing here allocates or decides; the ranges stated are invariants of the types.

use std::fmt;

/// Largest user or group id: the original client reads ids into a signed 32-bit integer.
pub const ID_MAX: u64 = i32::MAX as u64;

macro_rules! row_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// The id with this number, if it lies in `1..=ID_MAX`.
            pub const fn new(number: u64) -> Option<Self> {
                if number >= 1 && number <= ID_MAX { Some(Self(number as u32)) } else { None }
            }

            /// The number, in `1..=ID_MAX`.
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

row_id! {
    /// A registered user; allocated by the store, never reused.
    UserId
}
row_id! {
    /// A group; allocated by the store, never reused.
    GroupId
}

/// One TCP connection on one core. `index` is a slot of that core, `generation` tells apart the
/// connections that used the slot one after the other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnectionId {
    /// Slot in the core's tables.
    pub index: u32,
    /// How many connections had the slot before.
    pub generation: u32,
}

impl ConnectionId {
    /// The slot that no socket has.
    const ACTING: u32 = u32::MAX;

    /// The name of the acting session with this number: one without a socket.
    pub const fn acting(number: u32) -> Self {
        Self { index: Self::ACTING, generation: number }
    }

    /// Whether it is an acting session.
    pub const fn is_acting(self) -> bool {
        self.index == Self::ACTING
    }
}

/// A core within the cluster, as far as message ids can tell: `0..=CoreId::MAX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CoreId(pub u16);

impl CoreId {
    /// Largest core number: a message id has ten bits for it.
    pub const MAX: u16 = (1 << 10) - 1;
}

/// Wall-clock time: milliseconds since the Unix epoch, as the machine has it. For `ts`, for message
/// ids and for texts. It may jump in either direction at any moment, so it has no arithmetic here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Millis(pub u64);

/// Monotonic time: milliseconds since some moment before the process started. For deadlines and
/// durations, and for nothing that leaves the process.
///
/// It never goes back, does not see that the machine's time is set, and stands still while the machine
/// is suspended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// This moment and `ms` milliseconds.
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0 + ms)
    }

    /// Milliseconds from `earlier` to this moment; 0 if it is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// What the clocks show at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Now {
    /// What deadlines are measured by.
    pub monotonic: Monotonic,
    /// What people call the time.
    pub wall: Millis,
}

/// A message's place in the order that everybody displays: `mid` on the wire.
///
/// From the top bit down: one zero bit (SQL integers are signed), 41 bits of milliseconds since
/// 2020-01-01 UTC (until 2089), 12 bits of sequence, 10 bits of [`CoreId`]. It is a hybrid
/// logical clock: sorted by time, unique in the cluster, never decreasing along cause and effect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct MessageId(pub u64);

impl MessageId {
    /// The core that made it.
    pub const fn core(self) -> CoreId {
        CoreId((self.0 & CoreId::MAX as u64) as u16)
    }

    /// The next id of the same core.
    pub const fn next_of_core(self) -> Self {
        Self(self.0.saturating_add(1 << CORE_BITS))
    }

    /// The least id that a message of this time can have.
    pub const fn of_time(ts: Millis) -> Self {
        Self(ts.0.saturating_sub(EPOCH_MS) << (SEQUENCE_BITS + CORE_BITS))
    }

    /// The id that the message had been given `ms` milliseconds later.
    pub const fn later(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms << (SEQUENCE_BITS + CORE_BITS)))
    }

    /// The id that the message had been given `ms` milliseconds earlier.
    pub const fn earlier(self, ms: u64) -> Self {
        Self(self.0.saturating_sub(ms << (SEQUENCE_BITS + CORE_BITS)))
    }
}

/// Makes the message ids of one core.
///
/// Invariant: every id made is greater than every id made or observed before.
#[derive(Debug)]
pub struct MessageClock {
    core: CoreId,
    /// Milliseconds and sequence of the last id made or observed: a `MessageId` without its core.
    last: u64,
}

const EPOCH_MS: u64 = 1_577_836_800_000;
const SEQUENCE_BITS: u32 = 12;
const CORE_BITS: u32 = 10;
/// Ids from here on, of the year before the last that ids have bits for, are made by no clock that can
/// be right: they are not followed, so that one of them does not use up all that are left.
const CEILING: u64 = ((1 << 41) - 366 * 86_400_000) << SEQUENCE_BITS;
/// What was pushed by a process that died, and never stored, has an id that the store does not know. It
/// lies within so long after those that it knows.
const UNSTORED_MS: u64 = 60_000;

impl MessageClock {
    /// A clock for the ids of `core`.
    ///
    /// # Panics
    /// If `core` is above [`CoreId::MAX`].
    pub fn new(core: CoreId) -> Self {
        assert!(core.0 <= CoreId::MAX, "a message id has ten bits for its core");
        Self { core, last: 0 }
    }

    /// Makes ids of `core` from now on.
    pub fn go_by(&mut self, core: CoreId) {
        assert!(core.0 <= CoreId::MAX, "a message id has ten bits for its core");
        self.core = core;
    }

    /// The next id at `now`. More than 4,096 ids in a millisecond borrow from the next one.
    pub fn next(&mut self, now: Millis) -> MessageId {
        let floor = now.0.saturating_sub(EPOCH_MS).min(CEILING >> SEQUENCE_BITS) << SEQUENCE_BITS;
        self.last = floor.max(self.last + 1);
        MessageId(self.last << CORE_BITS | u64::from(self.core.0))
    }

    /// The greatest id that this clock can have made until now; 0 if it has made none.
    pub fn last(&self) -> MessageId {
        let core = if self.last == 0 { 0 } else { u64::from(CoreId::MAX) };
        MessageId(self.last << CORE_BITS | core)
    }

    /// Takes note of an id made elsewhere, so that ids made from now on are greater: whoever is shown it
    /// may answer. However far ahead it is, as long as a clock can have made it.
    pub fn observe(&mut self, seen: MessageId) {
        let seen = seen.0 >> CORE_BITS;
        if seen > self.last && seen < CEILING {
            self.last = seen;
        }
    }

    /// Begins after everything that is stored, the greatest of which is `stored`, and after what was made
    /// shortly before and never stored. Two runs after the same `stored`, of which the first stored nothing,
    /// do not begin with the same id: the time by the wall clock tells them apart.
    pub fn begin_after(&mut self, stored: MessageId, wall: Millis) {
        if stored.0 > 0 {
            self.observe(stored.later(UNSTORED_MS + wall.0 % UNSTORED_MS));
        }
    }
}

/// The number of a login, and of the claim that it makes. Unique in the cluster; a newer login has a greater one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionEpoch(pub u64);

/// Names an effect whose consequence comes back as an event. Made by the hub, meaningless
/// elsewhere, never reused while it is in flight.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RequestId {
    /// Slot in the hub's table of requests in flight.
    pub index: u32,
    /// How many requests had the slot before.
    pub generation: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_positive_and_fit_the_original_clients_int() {
        assert_eq!(UserId::new(0), None);
        assert_eq!(UserId::new(1).map(UserId::get), Some(1));
        assert_eq!(UserId::new(ID_MAX).map(UserId::get), Some(i32::MAX as u32));
        assert_eq!(UserId::new(ID_MAX + 1), None);
    }

    #[test]
    fn message_ids_only_grow_whatever_the_clock_does() {
        let mut clock = MessageClock::new(CoreId(3));
        let now = Millis(EPOCH_MS + 1_000_000);
        let mut last = clock.next(now);
        for step in [0u64, 0, 5, 1, 0, 900, 2] {
            for _ in 0..5_000 {
                let next = clock.next(Millis(now.0 + step));
                assert!(next > last);
                assert_eq!(next.0 & ((1 << CORE_BITS) - 1), 3);
                assert!(next.0 < 1 << 63);
                last = next;
            }
        }
    }

    #[test]
    fn an_observed_id_pushes_the_clock_forward_but_a_broken_one_does_not() {
        let now = Millis(EPOCH_MS + 1_000_000);
        let (mut a, mut b) = (MessageClock::new(CoreId(0)), MessageClock::new(CoreId(1)));
        let ahead = b.next(Millis(now.0 + 500));
        a.observe(ahead);
        assert!(a.next(now) > ahead);
        // A server whose clock is days ahead is followed as well: what it says may be answered here.
        let days_ahead = b.next(Millis(now.0 + 200_000_000));
        a.observe(days_ahead);
        assert!(a.next(now) > days_ahead);
        let broken = MessageId(i64::MAX as u64);
        a.observe(broken);
        assert!(a.next(now) < broken);
        let far = a.next(Millis(u64::MAX >> 1));
        assert!(i64::try_from(far.0).is_ok(), "an id that the store can hold, whatever the clock says");
    }

    #[test]
    fn a_clock_begins_after_what_is_stored_and_what_was_not() {
        let now = Millis(EPOCH_MS + 900_000_000);
        let mut before = MessageClock::new(CoreId(1));
        let stored = before.next(now);
        let unstored = before.next(Millis(now.0 + 5_000));
        let mut after = MessageClock::new(CoreId(1));
        let behind = Millis(now.0 - 600_000);
        after.begin_after(stored, behind);
        let first = after.next(behind);
        assert!(first > unstored);
        let (mut again, later) = (MessageClock::new(CoreId(1)), Millis(behind.0 + 1));
        again.begin_after(stored, later);
        assert_ne!(again.next(later), first, "the run before has stored nothing, and may have shown that");
        let mut fresh = MessageClock::new(CoreId(1));
        fresh.begin_after(MessageId(0), now);
        assert_eq!(fresh.next(now), stored, "where nothing is stored it begins with the clock");
    }
}
