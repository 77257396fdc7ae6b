//! Which CPUs serve: a core on each, and by itself no more of them than this process may use at one time.

use std::hash::{BuildHasher, RandomState};
use std::thread::available_parallelism;

/// Those on which this process may run, if it can be said.
pub fn allowed() -> Option<Vec<usize>> {
    let cpus: Vec<_> = core_affinity::get_core_ids()?.into_iter().map(|cpu| cpu.id).collect();
    if cpus.is_empty() { None } else { Some(cpus) }
}

/// How many cores there are if nobody says so: one for each CPU that is `allowed`, or as many as this process may use at one
/// time, where a quota (of a container, say) allows less.
pub fn by_itself(allowed: &[usize]) -> usize {
    bounded(allowed, available_parallelism().map_or(allowed.len(), usize::from))
}

fn bounded(allowed: &[usize], at_a_time: usize) -> usize {
    allowed.len().min(at_a_time.max(1))
}

/// The CPUs of so many cores. Where a quota chose fewer than there are, they begin by chance, for others with a quota are
/// on the same machine, and the first process of each container has the same number.
pub fn chosen(allowed: &[usize], cores: usize, by_quota: bool) -> Vec<usize> {
    let first = if by_quota { RandomState::new().hash_one(()) as usize } else { 0 };
    from(allowed, cores, first)
}

fn from(allowed: &[usize], cores: usize, first: usize) -> Vec<usize> {
    allowed.iter().copied().cycle().skip(first % allowed.len()).take(cores).collect()
}

#[cfg(test)]
mod tests {
    use super::{bounded, chosen, from};

    #[test]
    fn a_quota_of_less_than_all_cpus_bounds_the_cores_and_an_option_does_not_ask_it() {
        let allowed: Vec<usize> = (0..64).collect();
        for (at_a_time, cores) in [(64, 64), (99, 64), (2, 2), (0, 1)] {
            assert_eq!(bounded(&allowed, at_a_time), cores);
        }
        assert_eq!(chosen(&allowed, 64, false), allowed, "a core on each CPU");
        assert_eq!(from(&allowed, 2, 63), [63, 0], "others begin elsewhere");
        assert_eq!(from(&allowed, 1, usize::MAX), [63]);
        assert_eq!(chosen(&allowed, 2, true).len(), 2);
        assert_eq!(chosen(&[4, 6], 5, false), [4, 6, 4, 6, 4], "whoever says how many means it");
    }
}
