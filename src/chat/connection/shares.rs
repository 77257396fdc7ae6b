//! Shares: which entries of a queue that is too long go: the oldest of whoever has most in it.
//!
//! So nobody pushes out what another has in it, unless that other has more.

use crate::model::ids::UserId;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What one sender has in a queue: places in the list of all entries, sorted by sender, oldest first.
struct Share {
    first: usize,
    end: usize,
    bytes: usize,
}

/// Which entries, given with sender and bytes and oldest first, go until no more than `most` and no more than
/// `most_bytes` are left. For each entry: whether it goes.
pub(super) fn over(entries: &[(UserId, usize)], most: usize, most_bytes: usize) -> Vec<bool> {
    let mut sorted: Vec<(UserId, usize)> =
        entries.iter().enumerate().map(|(at, &(sender, _))| (sender, at)).collect();
    sorted.sort_unstable();
    let mut shares = Vec::new();
    let mut first = 0;
    for of_one in sorted.chunk_by(|a, b| a.0 == b.0) {
        let end = first + of_one.len();
        let bytes = of_one.iter().map(|&(_, at)| entries[at].1).sum();
        shares.push(Share { first, end, bytes });
        first = end;
    }
    let mut goes = vec![false; entries.len()];
    let mut left = entries.len();
    let mut left_bytes: usize = entries.iter().map(|&(_, bytes)| bytes).sum();
    let sizes: [fn(&Share) -> usize; 2] = [|share| share.end - share.first, |share| share.bytes];
    for (of_bytes, size) in [false, true].into_iter().zip(sizes) {
        // Of equal shares that with the oldest entry.
        let key = |share: &Share, which: usize| {
            let oldest = (share.first < share.end).then(|| sorted[share.first].1);
            oldest.map(|oldest| (size(share), Reverse(oldest), which))
        };
        let mut largest: BinaryHeap<_> =
            shares.iter().enumerate().filter_map(|(which, share)| key(share, which)).collect();
        while (of_bytes && left_bytes > most_bytes) || (!of_bytes && left > most) {
            let Some((_, Reverse(oldest), which)) = largest.pop() else { break };
            let share = &mut shares[which];
            let bytes = entries[oldest].1;
            goes[oldest] = true;
            (share.first, share.bytes) = (share.first + 1, share.bytes - bytes);
            (left, left_bytes) = (left - 1, left_bytes - bytes);
            largest.extend(key(&shares[which], which));
        }
    }
    goes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The entries that stay, by their places.
    fn left(entries: &[(u64, usize)], most: usize, most_bytes: usize) -> Vec<usize> {
        let entries: Vec<(UserId, usize)> =
            entries.iter().map(|&(sender, bytes)| (UserId::new(sender).unwrap(), bytes)).collect();
        let goes = over(&entries, most, most_bytes);
        (0..entries.len()).filter(|&at| !goes[at]).collect()
    }

    #[test]
    fn what_goes_is_the_oldest_of_whoever_has_most() {
        assert_eq!(left(&[(1, 1), (2, 1), (2, 1), (2, 1)], 2, 100), [0, 3]);
        assert_eq!(left(&[(2, 1), (1, 1), (2, 1), (1, 1)], 3, 100), [1, 2, 3], "of two that have as much");
        assert_eq!(left(&[(1, 1), (1, 1), (1, 1)], 1, 100), [2]);
        assert_eq!(left(&[(1, 1)], 0, 100), [] as [usize; 0]);
        assert_eq!(left(&[(1, 1), (2, 1)], 2, 2), [0, 1]);
    }

    #[test]
    fn of_bytes_likewise() {
        assert_eq!(left(&[(1, 30), (1, 30), (2, 50), (3, 20)], 9, 100), [1, 2, 3]);
        assert_eq!(left(&[(3, 20), (1, 90), (2, 50)], 9, 100), [0, 2]);
        assert_eq!(left(&[(3, 20), (1, 90)], 9, 10), [] as [usize; 0]);
    }

    #[test]
    fn thousands_are_within_both_bounds_afterwards() {
        let entries: Vec<(u64, usize)> = (0..5_000).map(|n| (1 + n * n % 97, 1 + n as usize % 300)).collect();
        let stays = left(&entries, 1_000, 50_000);
        assert!(stays.len() <= 1_000 && stays.iter().map(|&at| entries[at].1).sum::<usize>() <= 50_000);
        let rare = (1..=97).min_by_key(|&who| entries.iter().filter(|entry| entry.0 == who).count()).unwrap();
        assert!(entries.iter().any(|entry| entry.0 == rare) == stays.iter().any(|&at| entries[at].0 == rare));
    }
}
