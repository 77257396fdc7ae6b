//! The time by which what is stored expires: what has not been used for so many days.
//!
//! A wall clock may be wrong for a while in either direction. What was used a minute ago must not expire
//! for that, now or later: so it is taken for the earlier, and written down as the later, of two times
//! that the clocks make possible. What is right again is written and judged rightly at once.

use chatd_chat::model::ids::{CoreId, MessageClock, MessageId, Millis};
use rustix::time::{ClockId, clock_gettime};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The wall clock, and the one that runs evenly, also while the machine is suspended. In microseconds.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    wall_us: u64,
    even_us: u64,
}

impl Clocks {
    fn read() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let even = clock_gettime(ClockId::Boottime);
        let even_us = even.tv_sec.unsigned_abs() * 1_000_000 + even.tv_nsec.unsigned_abs() / 1_000;
        Self { wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX >> 1), even_us }
    }

    /// What the wall clock would show if nobody had set it since `began`.
    fn unset_us(self, began: Self) -> u64 {
        began.wall_us + self.even_us.saturating_sub(began.even_us)
    }

    fn used_us(self, began: Self) -> u64 {
        self.wall_us.max(self.unset_us(began))
    }

    fn judged_us(self, began: Self) -> u64 {
        self.wall_us.min(self.unset_us(began))
    }
}

/// The clocks as this process first saw them.
fn began() -> Clocks {
    static BEGAN: OnceLock<Clocks> = OnceLock::new();
    *BEGAN.get_or_init(Clocks::read)
}

/// The time that is written down for what is used now, in microseconds since the Unix epoch.
pub fn used_us() -> u64 {
    let began = began();
    Clocks::read().used_us(began)
}

/// The time by which it is judged now whether something has expired, likewise.
pub fn judged_us() -> u64 {
    let began = began();
    Clocks::read().judged_us(began)
}

/// The least id of a message that is made at that time.
pub fn judged_mid() -> MessageId {
    MessageClock::new(CoreId(0)).next(Millis(judged_us() / 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_expires_nothing_and_is_forgotten_when_it_is_right_again() {
        let began = Clocks { wall_us: 1_000_000, even_us: 50 };
        let later = |wall_us| Clocks { wall_us, even_us: 60 };
        let right = later(1_000_010);
        assert_eq!((right.used_us(began), right.judged_us(began)), (1_000_010, 1_000_010));
        let ahead = later(9_000_000);
        assert_eq!((ahead.used_us(began), ahead.judged_us(began)), (9_000_000, 1_000_010));
        let behind = later(3);
        assert_eq!((behind.used_us(began), behind.judged_us(began)), (1_000_010, 3));
        // Begun with a clock that was behind, or ahead, and was put right.
        let began = Clocks { wall_us: 5, even_us: 50 };
        assert_eq!((right.used_us(began), right.judged_us(began)), (1_000_010, 15));
        let began = Clocks { wall_us: 9_000_000, even_us: 50 };
        assert_eq!((right.used_us(began), right.judged_us(began)), (9_000_010, 1_000_010));
    }
}
