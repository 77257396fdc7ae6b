//! What moves between two balancings of a key space: how many keys go from which server to which.
//!
//! Servers are the same when their names are, so the two sides may have them in any order. Of the
//! whole ring it is exact: both rings are walked side by side. Where there is no ring (`hash KEY`),
//! or it is about real keys, keys are counted.

use super::{Balancing, Choice, Consistent};
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;

/// Between whom something moves: a choice of the one balancing, and one of the other.
pub type Between = (Choice, Choice);

/// How much goes from whom to whom, what stays included.
#[derive(Clone, Default, Debug)]
pub struct Moves {
    amounts: BTreeMap<Between, u64>,
}

impl Moves {
    /// Every hash of the ring, of which there are 2³².
    pub fn of_rings(before: &Consistent, after: &Consistent) -> Self {
        let mut moves = Self::default();
        pairs(before, after, |between, first, last| moves.add(between, u64::from(last - first) + 1));
        moves
    }

    /// These keys.
    pub fn of_keys<'a>(
        before: &Balancing,
        after: &Balancing,
        keys: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let mut moves = Self::default();
        let mut counts: FxHashMap<Between, u64> = FxHashMap::default();
        for key in keys {
            *counts.entry((before.choose(key), after.choose(key))).or_default() += 1;
        }
        moves.amounts.extend(counts);
        moves
    }

    fn add(&mut self, between: Between, amount: u64) {
        *self.amounts.entry(between).or_default() += amount;
    }

    /// What goes from whom to whom.
    pub fn amounts(&self) -> impl Iterator<Item = (Between, u64)> + '_ {
        self.amounts.iter().map(|(&between, &amount)| (between, amount))
    }

    /// All there is.
    pub fn total(&self) -> u64 {
        self.amounts.values().sum()
    }
}

/// Calls `found` with every part of the ring in which neither choice changes.
pub fn pairs(before: &Consistent, after: &Consistent, mut found: impl FnMut(Between, u32, u32)) {
    let (mut befores, mut afters) = (before.arcs(), after.arcs());
    let (mut left, mut right) = (befores.next(), afters.next());
    let mut first = 0;
    while let (Some(one), Some(other)) = (left, right) {
        let last = one.last.min(other.last);
        found((one.choice, other.choice), first, last);
        first = last.wrapping_add(1);
        if one.last == last {
            left = befores.next();
        }
        if other.last == last {
            right = afters.next();
        }
    }
}

/// The `n`th of 2³² different addresses, scattered over all of them: keys to count with where there
/// is no ring to measure.
pub fn sample_key(n: u32) -> String {
    // An odd factor permutes the numbers of 32 bits; this one scatters them.
    let [a, b, c, d] = n.wrapping_mul(0x9e37_79b1).to_be_bytes();
    format!("{a}.{b}.{c}.{d}")
}
