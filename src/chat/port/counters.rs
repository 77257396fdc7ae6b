//! What a hub has counted since it started: plain numbers that decide nothing.

use crate::wire::code::Code;

/// Errnos that there are at most: 0 to 2, and 100 to 128.
const SMALL: usize = 3;
const LARGE: usize = 29;
const FIRST_LARGE: u16 = 100;

/// Why a connection was closed by its hub.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// It did not read what was sent to it.
    SlowReader,
    /// It had not logged in, and newer ones needed its place.
    Anonymous,
    /// It said what cannot be a frame.
    Garbled,
    /// It did not answer a ping.
    Silent,
    /// A frame of its was under way for too long.
    SlowFrame,
    /// Too much was half read on its core, of which its frame was one of the largest.
    Shed,
    /// It asked on and on for more than it may.
    Flooding,
    /// Too many came from the same address.
    Crowded,
    /// The server is stopping.
    Draining,
}

impl Cut {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::SlowReader,
        Self::Anonymous,
        Self::Garbled,
        Self::Silent,
        Self::SlowFrame,
        Self::Shed,
        Self::Flooding,
        Self::Crowded,
        Self::Draining,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SlowReader => "slow_reader",
            Self::Anonymous => "anonymous",
            Self::Garbled => "garbled",
            Self::Silent => "silent",
            Self::SlowFrame => "slow_frame",
            Self::Shed => "unfinished_frames",
            Self::Flooding => "flooding",
            Self::Crowded => "crowded",
            Self::Draining => "draining",
        }
    }
}

/// The counters of one hub.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HubCounters {
    /// Messages to one user that were taken in from clients.
    pub direct: u64,
    /// Messages to a group that were taken in from clients.
    pub group: u64,
    /// ACKs of stored messages.
    pub acks: u64,
    /// Logins that worked.
    pub logins: u64,
    /// Users who are not logged in any more, logins that came to nothing after the password included.
    pub partings: u64,
    /// Sessions that are logging in now: the password was right, and the rest is under way.
    pub logging_in: u64,
    /// Retries that were dropped because too many waited for a busy store.
    pub retries_dropped: u64,
    cuts: [u64; Cut::ALL.len()],
    small: [u64; SMALL],
    large: [u64; LARGE],
}

impl HubCounters {
    /// A client was told of this error.
    pub(crate) fn error(&mut self, code: Code) {
        let errno = code.errno();
        let slot = if errno < FIRST_LARGE {
            self.small.get_mut(usize::from(errno))
        } else {
            self.large.get_mut(usize::from(errno - FIRST_LARGE))
        };
        if let Some(slot) = slot {
            *slot += 1;
        }
    }

    /// A connection was closed, and its client told why.
    pub(crate) fn cut(&mut self, why: Cut) {
        self.cuts[why as usize] += 1;
        match why {
            Cut::SlowReader => self.error(Code::TooSlow),
            Cut::Anonymous | Cut::Shed | Cut::Crowded => self.error(Code::TooMany),
            Cut::Flooding => self.error(Code::TooFast),
            Cut::SlowFrame => self.error(Code::NotAFrame),
            Cut::Draining => self.error(Code::Draining),
            // What exactly was wrong is counted where it is told.
            Cut::Garbled => {}
            // Nobody is there to be told.
            Cut::Silent => {}
        }
    }

    /// How often connections were closed, by reason.
    pub fn cuts(&self) -> impl Iterator<Item = (Cut, u64)> + '_ {
        Cut::ALL.into_iter().zip(self.cuts)
    }

    /// How often clients were told of errors, by errno; those that never happened are left out.
    pub fn errors(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let small = (0..).zip(self.small);
        let large = (FIRST_LARGE..).zip(self.large);
        small.chain(large).filter(|&(_, count)| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_cuts_are_counted_by_what_they_are() {
        let mut counters = HubCounters::default();
        counters.error(Code::Refused);
        counters.error(Code::TooMany);
        counters.cut(Cut::Anonymous);
        counters.cut(Cut::Garbled);
        assert_eq!(counters.errors().collect::<Vec<_>>(), [(1, 1), (116, 2)]);
        let cuts: Vec<u64> = counters.cuts().map(|(_, count)| count).collect();
        assert_eq!(cuts, [0, 1, 1, 0, 0, 0, 0, 0, 0]);
    }
}
