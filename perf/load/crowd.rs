//! Who is there and who talks to whom: numbers only.
//!
//! Users are numbered pairs first (sender, receiver, sender, receiver …), then the groups one after the other, then
//! senders to readers who are away, then those who only sit there, then the readers who are away.

use std::ops::Range;

/// Groups of one size.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Groups {
    pub count: u32,
    pub members: u32,
    /// How many of each group's members speak.
    pub speakers: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Crowd {
    pub pairs: u32,
    pub groups: Groups,
    /// Senders whose readers are away.
    pub to_absent: u32,
    pub idle: u32,
}

/// The users that are connected, by what they do; and the talks, in the same order.
impl Crowd {
    pub fn pair_users(&self) -> Range<usize> {
        0..2 * self.pairs as usize
    }

    pub fn group_users(&self, group: u32) -> Range<usize> {
        let first = self.pair_users().end + (group * self.groups.members) as usize;
        first..first + self.groups.members as usize
    }

    pub fn absent_senders(&self) -> Range<usize> {
        let first = self.pair_users().end + (self.groups.count * self.groups.members) as usize;
        first..first + self.to_absent as usize
    }

    /// All who are connected.
    pub fn connected(&self) -> usize {
        self.absent_senders().end + self.idle as usize
    }

    /// All who are registered: those connected and the readers who are away, one for each sender to them.
    pub fn users(&self) -> usize {
        self.connected() + self.to_absent as usize
    }

    pub fn pair_talks(&self) -> Range<u32> {
        0..self.pairs
    }

    pub fn group_talks(&self) -> Range<u32> {
        self.pairs..self.pairs + self.groups.count * self.groups.speakers
    }

    pub fn absent_talks(&self) -> Range<u32> {
        let first = self.group_talks().end;
        first..first + self.to_absent
    }

    pub fn talks(&self) -> u32 {
        self.absent_talks().end
    }

    /// Deals the crowd out to so many load threads. Some may get nobody.
    pub fn split(&self, threads: u32) -> Vec<Crowd> {
        let part = |whole: u32, thread: u32| whole / threads + u32::from(thread < whole % threads);
        let crowd = |thread| Crowd {
            pairs: part(self.pairs, thread),
            groups: Groups { count: part(self.groups.count, thread), ..self.groups },
            to_absent: part(self.to_absent, thread),
            idle: part(self.idle, thread),
        };
        (0..threads).map(crowd).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CROWD: Crowd =
        Crowd { pairs: 3, groups: Groups { count: 2, members: 5, speakers: 4 }, to_absent: 3, idle: 7 };

    #[test]
    fn everybody_has_one_number() {
        assert_eq!((CROWD.pair_users(), CROWD.group_users(0), CROWD.group_users(1)), (0..6, 6..11, 11..16));
        assert_eq!((CROWD.absent_senders(), CROWD.connected(), CROWD.users()), (16..19, 26, 29));
        assert_eq!((CROWD.pair_talks(), CROWD.group_talks(), CROWD.absent_talks()), (0..3, 3..11, 11..14));
    }

    #[test]
    fn threads_share_the_crowd() {
        let parts = CROWD.split(2);
        assert_eq!(parts.iter().map(|part| part.pairs).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(parts.iter().map(Crowd::users).sum::<usize>(), CROWD.users());
        assert_eq!(parts.iter().map(Crowd::talks).sum::<u32>(), CROWD.talks());
        assert_eq!(CROWD.split(1), [CROWD]);
    }
}
