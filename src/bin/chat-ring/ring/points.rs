//! Sorted points on a ring of 2³², and the first one at or after a place.
//!
//! A place is found through a table of where each slice of the ring begins, with two slices a point
//! on average, so that a look-up touches a few bytes instead of stepping through 17 halves of a
//! large ring. Within a slice it is a binary search: no choice of names makes it slow.

/// The table has 2ⁿ slices, at most this many.
const MAX_SLICE_BITS: u32 = 24;

#[derive(Debug)]
pub(super) struct Points {
    /// Ascending, none twice.
    hashes: Vec<u32>,
    /// Whose point it is.
    owners: Vec<u32>,
    /// `starts[s]`: the first point whose hash is in slice `s` or later; one more at the end.
    starts: Vec<u32>,
    shift: u32,
}

impl Points {
    /// Sorts them. Of points with equal hashes, that of the lowest owner stays.
    pub(super) fn new(points: impl Iterator<Item = (u32, u32)>) -> Self {
        // Hash and owner in one number: its order is the order that is wanted, whatever the sort.
        let mut sorted: Vec<u64> =
            points.map(|(hash, owner)| u64::from(hash) << 32 | u64::from(owner)).collect();
        sorted.sort_unstable();
        sorted.dedup_by_key(|point| *point >> 32);
        let hashes: Vec<u32> = sorted.iter().map(|point| (point >> 32) as u32).collect();
        let owners = sorted.iter().map(|point| *point as u32).collect();
        let bits = (usize::BITS - hashes.len().leading_zeros() + 1).min(MAX_SLICE_BITS);
        let shift = u32::BITS - bits;
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (at, hash) in (0u32..).zip(&hashes) {
            let slice = (hash >> shift) as usize;
            while starts.len() <= slice {
                starts.push(at);
            }
        }
        starts.resize((1 << bits) + 1, hashes.len() as u32);
        Self { hashes, owners, starts, shift }
    }

    /// The index of the first point at `hash` or after it; the first of all where there is none.
    pub(super) fn at_or_after(&self, hash: u32) -> usize {
        let slice = (hash >> self.shift) as usize;
        let (from, to) = (self.starts[slice] as usize, self.starts[slice + 1] as usize);
        let at = from + self.hashes[from..to].partition_point(|&point| point < hash);
        if at == self.hashes.len() { 0 } else { at }
    }

    pub(super) fn hashes(&self) -> &[u32] {
        &self.hashes
    }

    pub(super) fn owners(&self) -> &[u32] {
        &self.owners
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_as_by_looking_at_every_point() {
        let mut hash = 1u32;
        for count in [1usize, 2, 3, 7, 64, 1_000] {
            let scattered = (0..count as u32).map(|owner| {
                hash = hash.wrapping_mul(0x9e37_79b1).wrapping_add(0x7f4a_7c15);
                (hash, owner)
            });
            // And some close together, which all fall into one slice.
            let close = (0..20).map(|n| (0xffff_fff0 - n, n));
            let points = Points::new(scattered.chain(close).collect::<Vec<_>>().into_iter());
            assert!(points.hashes.windows(2).all(|pair| pair[0] < pair[1]));
            let near = points.hashes.iter().flat_map(|&h| [h.wrapping_sub(1), h, h.wrapping_add(1)]);
            for place in near.chain([0, u32::MAX]) {
                let slowly = points.hashes.iter().position(|&point| point >= place).unwrap_or(0);
                assert_eq!(points.at_or_after(place), slowly, "{count} points, {place:08x}");
            }
        }
    }

    #[test]
    fn of_equal_points_the_first_owners_stays() {
        let points = Points::new([(7, 2), (7, 1), (3, 5), (7, 9), (3, 4)].into_iter());
        assert_eq!((points.hashes(), points.owners()), (&[3, 7][..], &[4, 1][..]));
    }
}
