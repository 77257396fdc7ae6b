//! Shares: a bounded queue in which nobody waits behind what somebody else has put into it.
//!
//! Each party has a line of its own, and the lines take turns. If all of it is full, the longest line
//! gives way: whoever has little in the queue gets in whatever others do. Knows no password and no clock.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The lines of all parties. Invariant: `turns` names every line once, and no line is empty.
#[derive(Debug)]
pub struct Shares<P, J> {
    lines: HashMap<P, VecDeque<J>>,
    turns: VecDeque<P>,
    waiting: usize,
    most: usize,
}

/// What became of something that was to be put into the queue.
#[derive(PartialEq, Eq, Debug)]
pub enum Offered<J> {
    /// It waits.
    Waits,
    /// It waits, in the place of the last one in the longest line.
    InsteadOf(J),
    /// Its party has its share already.
    ShareFull(J),
    /// Everybody has so little in the queue that nobody gives way.
    Full(J),
}

impl<P: Copy + Eq + Hash, J> Shares<P, J> {
    /// A queue for so many.
    pub fn new(most: usize) -> Self {
        Self { lines: HashMap::new(), turns: VecDeque::new(), waiting: 0, most: most.max(1) }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Puts something at the end of its party's line, if fewer than `share` are in it.
    pub fn offer(&mut self, party: P, job: J, share: usize) -> Offered<J> {
        let own = self.lines.get(&party).map_or(0, VecDeque::len);
        if own >= share {
            return Offered::ShareFull(job);
        }
        let mut gone = None;
        if self.waiting >= self.most {
            let longest = self.lines.iter().max_by_key(|(_, line)| line.len());
            match longest.map(|(party, line)| (*party, line.len())) {
                Some((longest, length)) if length > own + 1 => gone = self.drop_last(longest),
                _ => return Offered::Full(job),
            }
        }
        match self.lines.entry(party) {
            Entry::Occupied(line) => line.into_mut().push_back(job),
            Entry::Vacant(line) => {
                line.insert(VecDeque::from([job]));
                self.turns.push_back(party);
            }
        }
        self.waiting += 1;
        gone.map_or(Offered::Waits, Offered::InsteadOf)
    }

    /// The next one: the first of the line whose turn it is.
    pub fn next(&mut self) -> Option<J> {
        let party = self.turns.pop_front()?;
        let line = self.lines.get_mut(&party).expect("a line for each turn");
        let job = line.pop_front().expect("no line is empty");
        if line.is_empty() {
            self.lines.remove(&party);
        } else {
            self.turns.push_back(party);
        }
        self.waiting -= 1;
        Some(job)
    }

    /// Takes out all of one party.
    pub fn take(&mut self, party: P) -> VecDeque<J> {
        let line = self.lines.remove(&party).unwrap_or_default();
        if !line.is_empty() {
            self.turns.retain(|other| *other != party);
            self.waiting -= line.len();
        }
        line
    }

    /// A line that gives way has at least two, so it stays.
    fn drop_last(&mut self, party: P) -> Option<J> {
        let job = self.lines.get_mut(&party)?.pop_back();
        self.waiting -= usize::from(job.is_some());
        job
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<P: Copy + Eq + Hash, J>(shares: &mut Shares<P, J>) -> Vec<J> {
        std::iter::from_fn(|| shares.next()).collect()
    }

    #[test]
    fn lines_take_turns_and_each_keeps_its_order() {
        let mut shares = Shares::new(100);
        for number in 0..5 {
            assert_eq!(shares.offer('a', ('a', number), 100), Offered::Waits);
        }
        assert_eq!(shares.next(), Some(('a', 0)));
        for party in ['b', 'c', 'b'] {
            assert_eq!(shares.offer(party, (party, 9), 100), Offered::Waits);
        }
        assert_eq!(shares.waiting(), 7);
        let order = [('a', 1), ('b', 9), ('c', 9), ('a', 2), ('b', 9), ('a', 3), ('a', 4)];
        assert_eq!(all(&mut shares), order);
        assert_eq!((shares.waiting(), shares.next()), (0, None));
        assert_eq!(shares.offer('a', ('a', 5), 100), Offered::Waits, "it goes on as it began");
        assert_eq!(all(&mut shares), [('a', 5)]);
    }

    #[test]
    fn a_party_that_is_taken_out_has_no_turn_any_more() {
        let mut shares = Shares::new(9);
        for (party, number) in [('a', 1), ('b', 2), ('a', 3)] {
            assert_eq!(shares.offer(party, number, 9), Offered::Waits);
        }
        assert_eq!(shares.take('a'), [1, 3]);
        assert!(shares.take('a').is_empty());
        assert_eq!((shares.waiting(), shares.next(), shares.next()), (1, Some(2), None));
    }

    #[test]
    fn a_party_has_its_share_and_the_longest_line_gives_way() {
        let mut shares = Shares::new(6);
        for number in 0..4 {
            assert_eq!(shares.offer(1, number, 4), Offered::Waits);
        }
        assert_eq!(shares.offer(1, 4, 4), Offered::ShareFull(4));
        assert_eq!((shares.offer(2, 20, 4), shares.offer(2, 21, 4)), (Offered::Waits, Offered::Waits));
        // It is full: who has less than the longest line takes its last place.
        assert_eq!(shares.offer(3, 30, 4), Offered::InsteadOf(3));
        assert_eq!(shares.offer(3, 31, 4), Offered::InsteadOf(2));
        assert_eq!(shares.offer(3, 32, 4), Offered::Full(32), "all have as much");
        assert!(matches!(shares.offer(4, 40, 4), Offered::InsteadOf(_)), "one of those with two");
        assert_eq!(shares.waiting(), 6);
    }
}
