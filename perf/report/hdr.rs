//! Files that other HdrHistogram tools read: an interval log (V2), and percentiles as text.
//!
//! Both are in nanoseconds inside and milliseconds where people read: the log's maximum and the text's values.

use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::RunReport;
use crate::measure::Histogram;

const NS_A_MS: f64 = 1e6;

/// Every slice of time of every side: the first side's latency without a tag, as most tools want it, everything else
/// tagged `SIDE` or `SIDE-lag`.
pub fn interval_log(report: &RunReport) -> Result<String, String> {
    let mut intervals = Vec::new();
    for (number, side) in report.sides.iter().enumerate() {
        for slice in side.sum.series.iter().flat_map(|series| series.slices()) {
            let latency_tag = (number > 0).then(|| side.name.to_owned());
            for (tag, histogram) in
                [(latency_tag, &slice.latency), (Some(format!("{}-lag", side.name)), &slice.lag)]
            {
                if !histogram.is_empty() {
                    intervals.push((slice.start_ns, slice.end_ns, tag, histogram));
                }
            }
        }
    }
    intervals.sort_by_key(|(start_ns, ..)| *start_ns);
    let mut bytes = Vec::new();
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment(&format!("[chat-perf {}: {}, latency in ns]", report.scenario, report.load_loop))
        .add_comment("[Histogram log format version 1.3]")
        .with_start_time(report.began)
        .with_base_time(report.began)
        .with_max_value_divisor(NS_A_MS);
    let mut log = builder
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(|error| format!("cannot write an interval log: {error}"))?;
    let _ = log.write_comment(
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"",
    );
    for (start_ns, end_ns, tag, histogram) in intervals {
        let (start, length) = (Duration::from_nanos(start_ns), Duration::from_nanos(end_ns - start_ns));
        log.write_histogram(histogram, start, length, tag.as_deref().and_then(Tag::new))
            .map_err(|error| format!("cannot write an interval log: {error:?}"))?;
    }
    drop(log);
    String::from_utf8(bytes).map_err(|_| "an interval log is text".into())
}

/// The latency of the first side, as `HistogramLogProcessor` writes it and plotters read it.
pub fn percentiles(report: &RunReport) -> String {
    let recorder = report.sides.first().map(|side| &side.sum.recorder);
    recorder
        .map(|recorder| {
            percentiles_of(if recorder.latency.is_empty() { &recorder.ack } else { &recorder.latency })
        })
        .unwrap_or_default()
}

fn percentiles_of(histogram: &Histogram) -> String {
    const STEPS_A_HALVING: u32 = 5;
    let mut text = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    // Writing to a String cannot fail.
    for point in histogram.iter_quantiles(STEPS_A_HALVING) {
        let (ms, quantile) = (point.value_iterated_to() as f64 / NS_A_MS, point.quantile_iterated_to());
        let count = histogram.count_between(0, point.value_iterated_to());
        let _ = match quantile < 1.0 {
            true => writeln!(text, "{ms:12.6} {quantile:2.12} {count:10} {:14.2}", 1.0 / (1.0 - quantile)),
            false => writeln!(text, "{ms:12.6} {quantile:2.12} {count:10}"),
        };
    }
    let [mean, deviation, max] =
        [histogram.mean(), histogram.stdev(), histogram.max() as f64].map(|value| value / NS_A_MS);
    let _ = writeln!(text, "#[Mean    = {mean:12.6}, StdDeviation   = {deviation:12.6}]");
    let _ = writeln!(text, "#[Max     = {max:12.6}, Total count    = {:12}]", histogram.len());
    let (buckets, sub_buckets) = (histogram.buckets(), 2 * 10_u32.pow(u32::from(histogram.sigfig())));
    let _ =
        writeln!(text, "#[Buckets = {buckets:12}, SubBuckets     = {:12}]", sub_buckets.next_power_of_two());
    text
}
