//! The histograms as JSON. Written by hand: all of it is numbers and names that need no escape.

use super::buckets::sum_ns;
use super::histograms::{QUANTILES, serialized};
use super::view::{View, Whose};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;

/// `{version, uptime_s, unit, cores, merged?, by_core?}`; see `docs/metrics.md`.
pub(super) fn text(view: &View, whose: &[Whose]) -> String {
    let mut parts = vec![
        format!("\"version\":\"{}\"", view.version),
        format!("\"uptime_s\":{:.3}", view.uptime.as_secs_f64()),
        "\"unit\":\"ns\"".to_owned(),
        format!("\"cores\":{}", view.cores),
    ];
    if whose.contains(&Whose::All) {
        parts.push(format!("\"merged\":{{{}}}", both(view, Whose::All)));
    }
    let cores = whose.iter().filter_map(|one| match one {
        Whose::Core(core) => Some(format!("{{\"core\":{core},{}}}", both(view, *one))),
        Whose::All => None,
    });
    let cores: Vec<String> = cores.collect();
    if !cores.is_empty() {
        parts.push(format!("\"by_core\":[{}]", cores.join(",")));
    }
    format!("{{{}}}\n", parts.join(","))
}

fn both(view: &View, whose: Whose) -> String {
    let histograms = view.histograms(whose).unwrap_or_default();
    let of = |wanted: &str| {
        let found = histograms.iter().filter(|(kind, ..)| *kind == wanted);
        let found: Vec<String> = found.map(|(_, name, h)| format!("\"{name}\":{}", one(h))).collect();
        found.join(",")
    };
    format!("\"stages\":{{{}}},\"paths\":{{{}}}", of("stage"), of("path"))
}

fn one(histogram: &Histogram<u64>) -> String {
    let (count, sum, min, max) = (histogram.len(), sum_ns(histogram), histogram.min(), histogram.max());
    let quantile = |(name, quantile)| format!("\"{name}\":{}", histogram.value_at_quantile(quantile));
    let quantiles = QUANTILES.map(quantile).join(",");
    // Serializing into memory fails for histograms beyond all bounds only.
    let v2 = serialized(histogram).map(|bytes| STANDARD.encode(bytes)).unwrap_or_default();
    format!("{{\"count\":{count},\"sum\":{sum},\"min\":{min},\"max\":{max},{quantiles},\"v2\":\"{v2}\"}}")
}
