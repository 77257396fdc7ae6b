//! Rates: how often something may be done, with how much of it at once; and the buckets that are emptied by it.
//!
//! A bucket is one number: the moment at which it is full again, in nanoseconds. It costs a multiplication and a
//! comparison to ask it, and a rate that changes while the server runs finds it as it is.

use super::ids::Monotonic;
use std::fmt;
use std::str::FromStr;

const SECOND_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;

/// So many a second, and so many at once; or as many as one likes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rate {
    a_second: u32,
    burst: u32,
    /// How long one takes, in parts of a nanosecond, and all that may be done at once, in nanoseconds: so that nothing is
    /// divided when it is asked for.
    each_parts: u64,
    burst_ns: u64,
}

const PARTS_BITS: u32 = 10;

impl Rate {
    /// As many as one likes.
    pub const OFF: Self = Self { a_second: 0, burst: 0, each_parts: 0, burst_ns: 0 };

    /// So many a second, one at least, and so many at once.
    pub const fn new(a_second: u32, burst: u32) -> Self {
        let (a_second, burst) =
            (if a_second == 0 { 1 } else { a_second }, if burst == 0 { 1 } else { burst });
        let each_parts = (SECOND_NS << PARTS_BITS) / a_second as u64;
        let burst_ns = ((burst as u128 * each_parts as u128) >> PARTS_BITS) as u64;
        Self { a_second, burst, each_parts, burst_ns }
    }

    /// Whether as many as one likes may be done.
    pub const fn is_off(self) -> bool {
        self.a_second == 0
    }

    /// The same for several together.
    pub const fn times(self, number: u32) -> Self {
        if self.is_off() {
            return self;
        }
        Self::new(self.a_second.saturating_mul(number), self.burst.saturating_mul(number))
    }

    /// How long it takes until so much may be done again.
    fn takes_ns(self, cost: u32) -> u64 {
        u64::from(cost).saturating_mul(self.each_parts) >> PARTS_BITS
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const WANTED: &str = "so many a second and so many at once, such as 10:200, or off";
        if text == "off" {
            return Ok(Self::OFF);
        }
        let (a_second, burst) = text.split_once(':').ok_or(WANTED)?;
        let number = |text: &str| text.parse().ok().filter(|&number: &u32| number > 0).ok_or(WANTED);
        let (a_second, burst) = (number(a_second)?, number(burst)?);
        if burst < a_second {
            return Err(format!("{burst} at once are less than the {a_second} of a second"));
        }
        Ok(Self::new(a_second, burst))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() { f.write_str("off") } else { write!(f, "{}:{}", self.a_second, self.burst) }
    }
}

/// What of a rate is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bucket {
    /// When nothing of it is.
    full_at_ns: u64,
}

impl Bucket {
    /// Takes so much, or says how many milliseconds it is until it may be taken. What is more than fits at once may be
    /// taken when nothing is used up.
    #[inline]
    pub(crate) fn take(&mut self, rate: Rate, cost: u32, now: Monotonic) -> Result<(), u64> {
        if rate.is_off() {
            return Ok(());
        }
        let now_ns = now.0 * MS_NS;
        let (since, cost_ns, burst_ns) = (self.full_at_ns.max(now_ns), rate.takes_ns(cost), rate.burst_ns);
        let used_ns = since - now_ns;
        if used_ns + cost_ns.min(burst_ns) <= burst_ns {
            self.full_at_ns = since + cost_ns;
            return Ok(());
        }
        Err((used_ns + cost_ns.min(burst_ns) - burst_ns).div_ceil(MS_NS))
    }

    /// Takes so much in any case. How many milliseconds it is until it is in order again.
    #[inline]
    pub(crate) fn force(&mut self, rate: Rate, cost: u32, now: Monotonic) -> u64 {
        if rate.is_off() {
            return 0;
        }
        let now_ns = now.0 * MS_NS;
        self.full_at_ns = self.full_at_ns.max(now_ns) + rate.takes_ns(cost);
        (self.full_at_ns - now_ns).saturating_sub(rate.burst_ns).div_ceil(MS_NS)
    }

    /// Whether nothing of it is used up any more.
    pub(crate) fn is_full(self, now: Monotonic) -> bool {
        self.full_at_ns <= now.0 * MS_NS
    }

    /// The emptier one of two.
    pub(crate) fn emptier(self, other: Self) -> Self {
        Self { full_at_ns: self.full_at_ns.max(other.full_at_ns) }
    }
}

/// What one session may put into one group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum GroupRate {
    /// As much as its members take; while most of them are behind, as much as the limits say.
    #[default]
    AsLimited,
    /// So many bytes a second, one at least, and messages in proportion.
    Bytes(u32),
    /// As much as it likes.
    Off,
}

impl FromStr for GroupRate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::AsLimited),
            ("off", _) => Ok(Self::Off),
            (_, Ok(bytes @ 1..)) => Ok(Self::Bytes(bytes)),
            (_, Ok(0) | Err(_)) => Err("bytes a second, from 1 to 4294967295, auto or off".to_owned()),
        }
    }
}

/// How often clients may do what, as whoever runs the server chose. All off is how it begins, but for groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    /// Messages, and whatever else is neither of the next two, of a session.
    pub message: Rate,
    /// Bytes of requests, of a session.
    pub byte: Rate,
    /// Look-ups of a user; ten times as many of an address. Logins are some, of an address.
    pub lookup: Rate,
    /// Changes of friends, groups and passwords of a user; ten times as many of an address. Registrations are some, of an
    /// address.
    pub change: Rate,
    /// Wrong passwords from an address.
    pub guess: Rate,
    /// New connections of an address.
    pub connect: Rate,
    /// Connections of an address at a time; 0 for as many as it likes.
    pub connections: u32,
    /// What a session puts into a group. It counts by itself, whether requests are looked at or not.
    pub group: GroupRate,
}

impl Rates {
    /// Whether requests need not be looked at.
    pub const fn are_off(&self) -> bool {
        self.message.is_off() && self.byte.is_off() && self.lookup.is_off() && self.change.is_off()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Monotonic {
        Monotonic(ms)
    }

    #[test]
    fn so_many_at_once_and_then_so_many_a_second() {
        let rate: Rate = "10:30".parse().unwrap();
        let mut bucket = Bucket::default();
        let mut taken = |ms| (0..1_000).take_while(|_| bucket.take(rate, 1, at(ms)).is_ok()).count();
        assert_eq!([1_000, 1_000, 1_099, 1_100, 2_100, 100_000].map(&mut taken), [30, 0, 0, 1, 10, 30]);
    }

    #[test]
    fn the_wait_is_as_long_as_it_has_to_be_and_no_longer() {
        for (a_second, burst) in [(1, 1), (3, 7), (1_000, 5_000), (7_000_000, 7_000_001)] {
            let rate = Rate::new(a_second, burst);
            let mut bucket = Bucket::default();
            let mut now = 5;
            for cost in [1, burst, 2, burst / 2 + 1, burst * 3, 1] {
                while let Err(wait) = bucket.take(rate, cost, at(now)) {
                    assert!(wait > 0);
                    assert!(
                        wait == 1 || bucket.take(rate, cost, at(now + wait - 1)).is_err(),
                        "{rate} {cost}"
                    );
                    now += wait;
                }
            }
        }
    }

    #[test]
    fn what_is_forced_is_waited_for() {
        let rate = Rate::new(1_000, 2_000);
        let mut bucket = Bucket::default();
        assert_eq!(bucket.force(rate, 2_000, at(0)), 0);
        assert_eq!(bucket.force(rate, 500, at(0)), 500);
        assert!(bucket.take(rate, 1, at(500)).is_err() && bucket.take(rate, 1, at(501)).is_ok());
        assert!(!bucket.is_full(at(2_500)) && bucket.is_full(at(2_501)));
        assert_eq!(Bucket::default().force(Rate::OFF, u32::MAX, at(0)), 0);
    }

    #[test]
    fn a_rate_is_written_as_it_is_read() {
        for text in ["off", "1:1", "10:200", "1048576:4194304"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for wrong in ["", "10", "0:1", "1:0", "10:9", "-1:5", "a:b", "10:200:3", "1.5:3", "on"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
    }
}
