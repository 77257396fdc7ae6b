//! Numbers as people read them.

/// A time in the unit that suits it, three digits or so.
pub fn time_text(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{} µs", three_digits(ns as f64 / 1e3)),
        1_000_000..1_000_000_000 => format!("{} ms", three_digits(ns as f64 / 1e6)),
        _ => format!("{} s", three_digits(ns as f64 / 1e9)),
    }
}

pub fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..10_240 => format!("{bytes} bytes"),
        10_240..10_485_760 => format!("{} KiB", three_digits(bytes as f64 / 1024.0)),
        _ => format!("{} MiB", three_digits(bytes as f64 / 1_048_576.0)),
    }
}

fn three_digits(value: f64) -> String {
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}")
}

/// The quantiles that every report shows, with their names in text and in JSON.
pub const QUANTILES: [(f64, &str); 6] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (0.9999, "p99.99"), (1.0, "max")];

/// One line of percentiles.
pub fn quantiles_text(histogram: &crate::measure::Histogram) -> String {
    if histogram.is_empty() {
        return "nothing measured".into();
    }
    let parts = QUANTILES
        .map(|(quantile, name)| format!("{name} {:<8}", time_text(histogram.value_at_quantile(quantile))));
    parts.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (41_234, "41.2 µs"),
            (999_400, "999 µs"),
            (1_500_000, "1.50 ms"),
            (99_960_000, "100 ms"),
            (2_000_000_000, "2.00 s"),
        ] {
            assert_eq!(time_text(ns), text);
        }
        assert_eq!(bytes_text(2_048), "2048 bytes");
        assert_eq!(bytes_text(20_480), "20.0 KiB");
    }

    #[test]
    fn percentiles_are_what_the_histogram_holds() {
        let mut histogram = crate::measure::histogram();
        assert_eq!(quantiles_text(&histogram), "nothing measured");
        for us in 1..=10_000_u64 {
            histogram.record(us * 1_000).unwrap();
        }
        assert_eq!(
            quantiles_text(&histogram),
            "p50 5.00 ms  p90 9.00 ms  p99 9.90 ms  p99.9 9.99 ms  p99.99 10.0 ms  max 10.0 ms"
        );
    }
}
