//! Suspects: whoever has guessed wrong lately, and therefore waits behind those who have not.
//!
//! Knows no password and no clock: time is an argument, in milliseconds.

use std::collections::HashMap;
use std::hash::Hash;

/// How long a wrong guess is remembered. Whoever mistypes notices it only while many guess.
const REMEMBERED_MS: u64 = 60_000;
/// Suspects at most. Above: those are forgotten whose time is over, and if there are none, no other is learnt.
const SUSPECTS_MOST: usize = 65_536;

/// Who is suspected, and since when.
#[derive(Debug)]
pub struct Suspects<P> {
    wrong: HashMap<P, u64>,
}

impl<P: Copy + Eq + Hash> Suspects<P> {
    /// Nobody is.
    pub fn new() -> Self {
        Self { wrong: HashMap::new() }
    }

    /// A guess was wrong. Whether that is news.
    pub fn learn(&mut self, party: P, now: u64) -> bool {
        let is_known = self.has(party, now);
        if self.wrong.len() >= SUSPECTS_MOST && !self.wrong.contains_key(&party) {
            self.wrong.retain(|_, since| now < *since + REMEMBERED_MS);
            if self.wrong.len() >= SUSPECTS_MOST {
                return false;
            }
        }
        self.wrong.insert(party, now);
        !is_known
    }

    /// Whether this one guessed wrong lately.
    pub fn has(&self, party: P, now: u64) -> bool {
        self.wrong.get(&party).is_some_and(|since| now < since + REMEMBERED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_guess_is_remembered_for_a_while() {
        let mut suspects = Suspects::new();
        assert!(!suspects.has('a', 0));
        assert!(suspects.learn('a', 0) && !suspects.learn('a', 10));
        assert!(suspects.has('a', 10 + REMEMBERED_MS - 1) && !suspects.has('b', 10));
        assert!(!suspects.has('a', 10 + REMEMBERED_MS));
    }

    #[test]
    fn who_is_new_is_learnt_once_others_are_forgotten() {
        let mut suspects = Suspects::new();
        (0..SUSPECTS_MOST).for_each(|party| assert!(suspects.learn(party, 0)));
        assert!(!suspects.learn(SUSPECTS_MOST, 1) && !suspects.has(SUSPECTS_MOST, 1));
        assert!(suspects.learn(SUSPECTS_MOST, REMEMBERED_MS) && suspects.has(SUSPECTS_MOST, REMEMBERED_MS));
    }
}
