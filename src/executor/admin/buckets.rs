//! A histogram as OpenMetrics has it: counts up to fixed bounds, which add up over cores and servers.

use hdrhistogram::Histogram;

/// The steps within a power of ten. Fine enough that a quantile read from them is within a quarter of
/// the truth, and `/histograms` has it within 1 %.
const STEPS: [f64; 6] = [1.0, 1.5, 2.0, 3.0, 5.0, 7.0];
/// From a microsecond up to ten seconds, in nanoseconds.
const LOWEST_NS: f64 = 1e3;
const DECADES: i32 = 7;

/// What OpenMetrics shows of a histogram of nanoseconds, in seconds.
pub(super) struct Buckets {
    pub(super) sum: f64,
    pub(super) count: u64,
    /// Upper bounds, and how many are above the bound before.
    pub(super) buckets: Vec<(f64, u64)>,
}

/// Every duration in nanoseconds, added up, as exactly as the histogram knows them.
pub(super) fn sum_ns(histogram: &Histogram<u64>) -> u128 {
    let recorded = histogram.iter_recorded();
    recorded
        .map(|step| u128::from(step.value_iterated_to()) * u128::from(step.count_since_last_iteration()))
        .sum()
}

impl Buckets {
    pub(super) fn new(histogram: &Histogram<u64>) -> Self {
        let bounds_ns =
            (0..DECADES).flat_map(|decade| STEPS.map(|step| step * LOWEST_NS * 10f64.powi(decade)));
        let last_ns = LOWEST_NS * 10f64.powi(DECADES);
        let bounds_ns: Vec<f64> = bounds_ns.chain([last_ns, f64::INFINITY]).collect();
        let mut buckets: Vec<(f64, u64)> = bounds_ns.iter().map(|bound_ns| (bound_ns / 1e9, 0)).collect();
        for step in histogram.iter_recorded() {
            let value_ns = step.value_iterated_to() as f64;
            let at = bounds_ns.partition_point(|&bound_ns| bound_ns < value_ns);
            buckets[at].1 += step.count_since_last_iteration();
        }
        Self { sum: sum_ns(histogram) as f64 / 1e9, count: histogram.len(), buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics;

    #[test]
    fn everything_is_in_one_bucket_and_the_sum_is_close() {
        let mut histogram = metrics::histogram();
        let values = [1, 999, 1_000, 1_400, 70_000, 6_900_000, 59_000_000_000];
        values.iter().for_each(|&value| histogram.record(value).expect("within bounds"));
        let Buckets { sum, count, buckets } = Buckets::new(&histogram);
        assert_eq!(count, 7);
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 7);
        let bounds: Vec<f64> = buckets.iter().map(|&(bound, _)| bound).collect();
        assert!(bounds.is_sorted() && bounds[0] == 1e-6 && bounds[1] == 1.5e-6);
        assert_eq!(bounds[bounds.len() - 2..], [10.0, f64::INFINITY]);
        assert_eq!(buckets.last().map(|&(_, count)| count), Some(1));
        let exact: u64 = values.iter().sum();
        assert!((sum / (exact as f64 / 1e9) - 1.0).abs() < 0.01, "{sum}");
    }
}
