//! Whether the messages of one pair came all, once, and in order.
//!
//! Exact whatever the distance: it remembers every gap that is still open. Knows nothing of time or sockets.

use std::ops::Range;

/// What one arrival means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrived {
    InOrder,
    /// A later one came first. Not lost, and not repeated.
    Late,
    /// It has come before, or belongs to an earlier round.
    Again,
}

/// The arrivals of one pair. Every number below `next` has arrived or lies in `gaps`; gaps are sorted, disjoint
/// and not empty. Only faults allocate.
#[derive(Default)]
pub struct Sequence {
    next: u32,
    gaps: Vec<Range<u32>>,
}

impl Sequence {
    /// Begins a new round: everything below `next` is history and would be a repetition.
    pub fn restart(&mut self, next: u32) {
        self.next = next;
        self.gaps.clear();
    }

    pub fn arrived(&mut self, number: u32) -> Arrived {
        if number >= self.next {
            if number > self.next {
                self.gaps.push(self.next..number);
            }
            self.next = number + 1;
            return Arrived::InOrder;
        }
        let Some(place) = self.gaps.iter().rposition(|gap| gap.contains(&number)) else {
            return Arrived::Again;
        };
        let gap = self.gaps.remove(place);
        let after = number + 1..gap.end;
        let before = gap.start..number;
        for piece in [after, before] {
            if !piece.is_empty() {
                self.gaps.insert(place, piece);
            }
        }
        Arrived::Late
    }

    /// How many of the numbers below `sent` have not arrived.
    pub fn missing(&self, sent: u32) -> u64 {
        let in_gaps: u64 = self.gaps.iter().map(|gap| u64::from(gap.end - gap.start)).sum();
        in_gaps + u64::from(sent.saturating_sub(self.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Random;

    fn judge(numbers: &[u32]) -> (Vec<Arrived>, Sequence) {
        let mut sequence = Sequence::default();
        (numbers.iter().map(|&number| sequence.arrived(number)).collect(), sequence)
    }

    #[test]
    fn all_in_order_is_all_well() {
        let (arrivals, sequence) = judge(&[0, 1, 2, 3]);
        assert!(arrivals.iter().all(|arrived| *arrived == Arrived::InOrder));
        assert_eq!(sequence.missing(4), 0);
    }

    #[test]
    fn lost_ones_are_missed_in_the_middle_and_at_the_end() {
        let (_, sequence) = judge(&[0, 3, 4]);
        assert_eq!(sequence.missing(5), 2);
        assert_eq!(sequence.missing(9), 6);
    }

    #[test]
    fn repeated_and_late_ones_are_told_apart() {
        use Arrived::*;
        let (arrivals, sequence) = judge(&[0, 0, 3, 1, 1, 2, 3, 4]);
        assert_eq!(arrivals, [InOrder, Again, InOrder, Late, Again, Late, Again, InOrder]);
        assert_eq!(sequence.missing(5), 0);
    }

    #[test]
    fn a_new_round_forgives_the_old_one() {
        let (_, mut sequence) = judge(&[0, 5]);
        sequence.restart(8);
        assert_eq!(sequence.arrived(3), Arrived::Again);
        assert_eq!(sequence.arrived(8), Arrived::InOrder);
        assert_eq!(sequence.missing(9), 0);
    }

    #[test]
    fn agrees_with_a_plain_set_on_random_histories() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let numbers: Vec<u32> = (0..300).map(|_| random.below(200)).collect();
            let (arrivals, sequence) = judge(&numbers);
            let mut seen = std::collections::BTreeSet::new();
            for (number, arrived) in numbers.iter().zip(arrivals) {
                let newest = seen.last().is_none_or(|last| number > last);
                let expected = match (seen.insert(*number), newest) {
                    (false, _) => Arrived::Again,
                    (true, true) => Arrived::InOrder,
                    (true, false) => Arrived::Late,
                };
                assert_eq!(arrived, expected, "seed {seed}");
            }
            assert_eq!(sequence.missing(200), 200 - seen.len() as u64, "seed {seed}");
        }
    }
}
