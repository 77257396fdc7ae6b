//! A report as one JSON document with everything: what pages, comparisons and pictures are made of.

use super::faults::{all_faults, faults};
use super::run::{Compared, Ratio, RunReport, SideFigures};
use super::spread::Spread;
use super::units::QUANTILES;
use crate::json::{Json, object};
use crate::measure::{Counts, Figures, Histogram, Interval, Recorder, Series, Taken};

/// The kind of document, so that others are refused.
pub const FORMAT: &str = "chat-perf report 2";

impl RunReport {
    pub fn json(&self) -> Json {
        let (cpu_ratio, push_ratios) = match &self.compared {
            Compared::Nothing => (Json::Null, Json::Null),
            Compared::Cpu(ratio) => (self.ratio_json(ratio), Json::Null),
            Compared::Pushes(pushes) => (Json::Null, pushes.json()),
        };
        object([
            ("format", FORMAT.into()),
            ("scenario", self.scenario.as_str().into()),
            ("what", self.what.as_str().into()),
            ("machine", self.machine.json()),
            ("load_loop", self.load_loop.as_str().into()),
            ("rate_asked_per_s", self.rate_asked_per_s.into()),
            ("placement", self.placement.as_str().into()),
            ("crowd", self.crowd.as_str().into()),
            ("frame_bytes", self.frame_bytes.into()),
            ("text_bytes", self.text_bytes.into()),
            ("seed", self.seed.into()),
            ("ramp_s", self.ramp_s.into()),
            ("warmup_s", self.warmup_s.into()),
            ("sides", Json::List(self.sides.iter().map(side_json).collect())),
            ("faults", Json::List(all_faults(&self.sides).into_iter().map(Json::from).collect())),
            ("cpu_ratio", cpu_ratio),
            ("push_ratios", push_ratios),
        ])
    }

    fn ratio_json(&self, ratio: &Ratio) -> Json {
        object([
            ("first", self.sides.first().map(|side| side.name).into()),
            ("second", self.sides.last().map(|side| side.name).into()),
            ("ratio", spread_json(&ratio.ratio)),
            ("difference_ns", spread_json(&ratio.difference_ns)),
            ("first_to_itself", ratio.first_to_itself.as_ref().map(spread_json).into()),
            ("second_to_itself", ratio.second_to_itself.as_ref().map(spread_json).into()),
        ])
    }
}

fn side_json(side: &SideFigures) -> Json {
    let rounds = side.rounds.iter().map(figures_json).collect();
    object([
        ("name", side.name.into()),
        ("description", side.description.as_str().into()),
        ("unit", side.unit.into()),
        ("asked", side.asked.as_str().into()),
        ("latency_is", side.latency_is.into()),
        ("ack_is", side.ack_is.into()),
        ("verdict", side.verdict.word().into()),
        ("verdict_text", side.verdict.text().into()),
        ("faults", faults(&side.sum.recorder.counts).into()),
        ("sum", figures_json(&side.sum)),
        ("rounds", Json::List(rounds)),
        ("latency_curve", curve_json(&side.sum.recorder.latency)),
        ("ack_curve", curve_json(&side.sum.recorder.ack)),
        ("series_columns", SERIES_COLUMNS.map(Json::from).to_vec().into()),
        ("series", Json::List(side.sum.series.iter().map(|series| series_json(series)).collect())),
        ("stages", side.sum.stages.as_ref().map(|stages| named_json(&stages.stages)).into()),
        ("paths", side.sum.stages.as_ref().map(|stages| named_json(&stages.paths)).into()),
        ("logins", side.logins.as_ref().map(logins_json).into()),
    ])
}

fn figures_json(figures: &Figures) -> Json {
    let server = figures.server.as_ref();
    object([
        ("window_s", figures.window_s().into()),
        ("delivered_per_s", figures.delivered_per_s().into()),
        ("latency_ns", histogram_json(&figures.recorder.latency)),
        ("ack_ns", histogram_json(&figures.recorder.ack)),
        ("refusal_ns", histogram_json(&figures.recorder.refusal)),
        ("lag_ns", histogram_json(&figures.recorder.lag)),
        ("server_cpu_us_each", figures.cpu_us_each().into()),
        ("bus_cpu_us_each", server.and_then(|server| server.bus_us_each()).into()),
        ("server_cpu_ns", server.map(|server| server.cpu_ns).into()),
        ("server_cpu_watched_ns", server.map(|server| server.wall_ns).into()),
        ("server_cpu_source", server.map(|server| server.source.words()).into()),
        ("server_rss_bytes", server.and_then(|server| server.rss_bytes).into()),
        ("other_cpus_busy", figures.other_cpus_busy.into()),
        ("taken_by_host", figures.taken.map(Taken::share).into()),
        ("counts", counts_json(&figures.recorder.counts)),
    ])
}

fn counts_json(counts: &Counts) -> Json {
    let by_errno = |pairs: Vec<(String, u64)>| {
        Json::Object(pairs.into_iter().map(|(errno, count)| (errno, count.into())).collect())
    };
    let server = counts.server_errors.iter().map(|(errno, count)| (errno.to_string(), *count));
    let socket = counts.socket_errors.iter().map(|(errno, count)| (errno.to_string(), *count));
    object([
        ("intended", counts.intended.into()),
        ("sent", counts.sent.into()),
        ("expected", counts.expected.into()),
        ("delivered", counts.delivered.into()),
        ("acks_expected", counts.acks_expected.into()),
        ("acked", counts.acked.into()),
        ("acks_lost", counts.acks_lost.into()),
        ("refused", counts.refused.into()),
        ("measured", counts.measured.into()),
        ("delivered_in_window", counts.delivered_in_window.into()),
        ("lost", counts.lost.into()),
        ("repeated", counts.repeated.into()),
        ("repeated_earlier", counts.repeated_earlier.into()),
        ("reordered", counts.reordered.into()),
        ("misdelivered", counts.misdelivered.into()),
        ("other_frames", counts.other_frames.into()),
        ("socket_full", counts.socket_full.into()),
        ("connections_closed", counts.connections_closed.into()),
        ("server_errors", by_errno(server.collect())),
        ("socket_errors", by_errno(socket.collect())),
    ])
}

fn histogram_json(histogram: &Histogram) -> Json {
    if histogram.is_empty() {
        return Json::Null;
    }
    let value = |(quantile, name): (f64, &str)| {
        (name.to_owned(), Json::Integer(histogram.value_at_quantile(quantile)))
    };
    let mut fields: Vec<(String, Json)> = QUANTILES.into_iter().map(value).collect();
    fields.push(("mean".into(), histogram.mean().into()));
    fields.push(("count".into(), histogram.len().into()));
    Json::Object(fields)
}

pub fn spread_json(spread: &Spread) -> Json {
    object([
        ("count", (spread.count as u64).into()),
        ("min", spread.min.into()),
        ("quartile_1", spread.quartile_1.into()),
        ("median", spread.median.into()),
        ("quartile_3", spread.quartile_3.into()),
        ("max", spread.max.into()),
    ])
}

/// Percentile and value, denser towards the end: what a curve is drawn from.
fn curve_json(histogram: &Histogram) -> Json {
    const STEPS_A_HALVING: u32 = 5;
    let mut points = Vec::new();
    for point in histogram.iter_quantiles(STEPS_A_HALVING) {
        // Beyond the last message there is nothing more to see.
        let percentile = point.quantile_iterated_to() * 100.0;
        points.push(Json::List(vec![percentile.into(), point.value_iterated_to().into()]));
    }
    Json::List(points)
}

const SERIES_COLUMNS: [&str; 7] =
    ["start_s", "length_s", "per_s", "p50_ns", "p99_ns", "max_ns", "lag_p99_ns"];

fn series_json(series: &Series) -> Json {
    let row = |slice: &Interval| {
        let length_s = (slice.end_ns - slice.start_ns) as f64 / 1e9;
        let thousandth = |value: f64| (value * 1e3).round() / 1e3;
        Json::List(vec![
            thousandth(slice.start_ns as f64 / 1e9).into(),
            thousandth(length_s).into(),
            (slice.handled as f64 / length_s).round().into(),
            slice.latency.value_at_quantile(0.5).into(),
            slice.latency.value_at_quantile(0.99).into(),
            slice.latency.max().into(),
            slice.lag.value_at_quantile(0.99).into(),
        ])
    };
    Json::List(series.slices().iter().map(row).collect())
}

fn named_json(histograms: &[(String, Histogram)]) -> Json {
    Json::Object(
        histograms.iter().map(|(name, histogram)| (name.clone(), histogram_json(histogram))).collect(),
    )
}

fn logins_json(recorder: &Recorder) -> Json {
    object([
        ("latency_ns", histogram_json(&recorder.latency)),
        ("lag_ns", histogram_json(&recorder.lag)),
        ("counts", counts_json(&recorder.counts)),
    ])
}
