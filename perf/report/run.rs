//! The report of a load run: one server, or two interleaved and their ratio.

use std::fmt::Write;
use std::path::Path;

use super::json::{Json, object};
use super::units::{QUANTILES, bytes_text, quantiles_text};
use super::{Machine, Spread, Verdict, written};
use crate::measure::{Counts, Figures, Histogram};

/// One server's share of a report.
pub struct SideFigures {
    /// `chatd` or `relay`.
    pub name: &'static str,
    pub description: String,
    /// In the order in which they ran.
    pub rounds: Vec<Figures>,
    pub sum: Figures,
    pub verdict: Verdict,
}

impl SideFigures {
    pub fn new(name: &'static str, description: String, rounds: Vec<Figures>) -> SideFigures {
        let sum = Figures::sum(&rounds).expect("a run has at least one round");
        let verdict = Verdict::of(&sum);
        SideFigures { name, description, rounds, sum, verdict }
    }

    fn cpu_us_by_round(&self) -> Vec<f64> {
        self.rounds.iter().filter_map(Figures::cpu_us_per_delivery).collect()
    }
}

/// Server CPU per delivered message, one side over the other, round by round.
pub struct Ratio {
    pub ratio: Spread,
    /// Each side against itself, neighbouring rounds: the noise that the ratio stands in.
    pub first_to_itself: Option<Spread>,
    pub second_to_itself: Option<Spread>,
}

impl Ratio {
    /// `None` if the CPU of either is unknown in any round.
    pub fn of(first: &SideFigures, second: &SideFigures) -> Option<Ratio> {
        let (first_us, second_us) = (first.cpu_us_by_round(), second.cpu_us_by_round());
        if first_us.len() != first.rounds.len() || second_us.len() != first_us.len() {
            return None;
        }
        let ratios: Vec<f64> = first_us.iter().zip(&second_us).map(|(one, other)| one / other).collect();
        Some(Ratio {
            ratio: Spread::of(&ratios)?,
            first_to_itself: Spread::of_neighbours(&first_us),
            second_to_itself: Spread::of_neighbours(&second_us),
        })
    }
}

pub struct RunReport {
    pub machine: Machine,
    pub scenario: &'static str,
    /// How the load was let loose, in words.
    pub load_loop: String,
    pub rate_asked_per_s: Option<f64>,
    pub placement: String,
    pub pairs: u64,
    pub frame_bytes: u64,
    pub text_bytes: u64,
    pub seed: u64,
    pub warmup_s: f64,
    pub sides: Vec<SideFigures>,
    pub ratio: Option<Ratio>,
}

impl RunReport {
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_head(&mut text);
        for side in &self.sides {
            let _ = self.write_side(side, &mut text);
        }
        if let [first, second] = self.sides.as_slice() {
            let _ = self.write_ratio(first, second, &mut text);
        }
        text
    }

    fn write_head(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{}: {}", self.scenario, self.load_loop)?;
        writeln!(text, "  machine    {}", self.machine.text())?;
        writeln!(text, "  placement  {}", self.placement)?;
        writeln!(
            text,
            "  load       {} pairs, frames of {} bytes ({} of text), seed {}, {} s of warm-up a round",
            self.pairs, self.frame_bytes, self.text_bytes, self.seed, self.warmup_s
        )
    }

    fn write_side(&self, side: &SideFigures, text: &mut String) -> std::fmt::Result {
        let (sum, counts) = (&side.sum, &side.sum.recorder.counts);
        writeln!(text, "\n{}", side.description)?;
        let asked = self.rate_asked_per_s.map_or(String::new(), |rate| format!("asked {rate:.0}/s   "));
        writeln!(
            text,
            "  rate       {asked}reached {:.0}/s over {:.1} s in {} round(s)",
            sum.delivered_per_s(),
            sum.window_s(),
            side.rounds.len()
        )?;
        writeln!(text, "  latency    {}", quantiles_text(&sum.recorder.latency))?;
        if !sum.recorder.lag.is_empty() {
            writeln!(text, "  own lag    {}", quantiles_text(&sum.recorder.lag))?;
        }
        writeln!(text, "  server     {}", server_text(sum))?;
        writeln!(text, "  messages   {}", messages_text(counts))?;
        writeln!(text, "  errors     {}", errors_text(counts))?;
        writeln!(text, "  verdict    {}", side.verdict.text())
    }

    fn write_ratio(&self, first: &SideFigures, second: &SideFigures, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\nserver CPU per delivered message, {} over {}", first.name, second.name)?;
        let Some(ratio) = &self.ratio else { return writeln!(text, "  unknown") };
        writeln!(text, "  ratio          {}", ratio.ratio.text())?;
        for (side, noise) in [(first, &ratio.first_to_itself), (second, &ratio.second_to_itself)] {
            let name = format!("{0}/{0}", side.name);
            let spread = noise.as_ref().map_or("needs two rounds".into(), Spread::text);
            writeln!(text, "  {name:<14} {spread}")?;
        }
        writeln!(text, "  round   {:>8}   {:>8}   ratio", first.name, second.name)?;
        let both = first.cpu_us_by_round().into_iter().zip(second.cpu_us_by_round());
        for (round, (one, other)) in both.enumerate() {
            writeln!(text, "  {:>5}   {one:>5.2} µs   {other:>5.2} µs   {:.3}", round + 1, one / other)?;
        }
        Ok(())
    }

    pub fn write_json(&self, path: &Path) -> Result<(), String> {
        written::write_json(path, &self.json())
    }

    fn json(&self) -> Json {
        object([
            ("scenario", self.scenario.into()),
            ("machine", self.machine.json()),
            ("load_loop", self.load_loop.as_str().into()),
            ("rate_asked_per_s", self.rate_asked_per_s.into()),
            ("placement", self.placement.as_str().into()),
            ("pairs", self.pairs.into()),
            ("frame_bytes", self.frame_bytes.into()),
            ("text_bytes", self.text_bytes.into()),
            ("seed", self.seed.into()),
            ("warmup_s", self.warmup_s.into()),
            ("sides", Json::List(self.sides.iter().map(side_json).collect())),
            ("cpu_ratio", self.ratio.as_ref().map(|ratio| self.ratio_json(ratio)).into()),
        ])
    }

    fn ratio_json(&self, ratio: &Ratio) -> Json {
        object([
            ("first", self.sides.first().map(|side| side.name).into()),
            ("second", self.sides.last().map(|side| side.name).into()),
            ("ratio", spread_json(&ratio.ratio)),
            ("first_to_itself", ratio.first_to_itself.as_ref().map(spread_json).into()),
            ("second_to_itself", ratio.second_to_itself.as_ref().map(spread_json).into()),
        ])
    }
}

fn server_text(sum: &Figures) -> String {
    let Some(server) = sum.server else {
        return "CPU per delivered message unknown: the server's process cannot be looked at".into();
    };
    let cost = server.cpu_us_per_delivery().map_or("unknown".into(), |cost| format!("{cost:.2} µs"));
    let rss = server.rss_bytes.map_or("unknown".into(), bytes_text);
    let other = sum.other_cpus_busy.map_or(String::new(), |busy| {
        format!("; the idle other used {:.1} % of a CPU at most", busy * 100.0)
    });
    format!(
        "{cost} CPU a delivered message, {:.0} % of a CPU busy, RSS {rss} ({}){other}",
        server.cpus_busy() * 100.0,
        server.source.words()
    )
}

fn messages_text(counts: &Counts) -> String {
    let mut text = format!(
        "{} intended, {} delivered, {} lost, {} repeated, {} reordered",
        counts.intended, counts.delivered, counts.lost, counts.repeated, counts.reordered
    );
    let unsent = counts.intended.saturating_sub(counts.sent);
    for (count, what) in [
        (unsent, "never sent"),
        (counts.misdelivered, "misdelivered"),
        (counts.other_frames, "other frames"),
        (counts.socket_full, "times a socket was full"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

fn errors_text(counts: &Counts) -> String {
    let mut parts = Vec::new();
    for (errno, count) in &counts.server_errors {
        parts.push(format!("{count} × server errno {errno}"));
    }
    for (errno, count) in &counts.socket_errors {
        parts.push(format!("{count} × {}", std::io::Error::from_raw_os_error(*errno)));
    }
    if counts.connections_closed > 0 {
        parts.push(format!("{} connections closed by the server", counts.connections_closed));
    }
    if parts.is_empty() { "none".into() } else { parts.join(", ") }
}

fn side_json(side: &SideFigures) -> Json {
    let rounds = side.rounds.iter().map(figures_json).collect();
    object([
        ("name", side.name.into()),
        ("description", side.description.as_str().into()),
        ("verdict", side.verdict.word().into()),
        ("verdict_text", side.verdict.text().into()),
        ("sum", figures_json(&side.sum)),
        ("rounds", Json::List(rounds)),
    ])
}

fn figures_json(figures: &Figures) -> Json {
    let server = figures.server.as_ref();
    object([
        ("window_s", figures.window_s().into()),
        ("delivered_per_s", figures.delivered_per_s().into()),
        ("latency_ns", histogram_json(&figures.recorder.latency)),
        ("lag_ns", histogram_json(&figures.recorder.lag)),
        ("server_cpu_us_per_delivery", figures.cpu_us_per_delivery().into()),
        ("server_cpu_ns", server.map(|server| server.cpu_ns).into()),
        ("server_cpu_watched_ns", server.map(|server| server.wall_ns).into()),
        ("server_cpu_source", server.map(|server| server.source.words()).into()),
        ("server_rss_bytes", server.and_then(|server| server.rss_bytes).into()),
        ("other_cpus_busy", figures.other_cpus_busy.into()),
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
        ("delivered", counts.delivered.into()),
        ("measured", counts.measured.into()),
        ("delivered_in_window", counts.delivered_in_window.into()),
        ("lost", counts.lost.into()),
        ("repeated", counts.repeated.into()),
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

fn spread_json(spread: &Spread) -> Json {
    object([
        ("count", (spread.count as u64).into()),
        ("min", spread.min.into()),
        ("quartile_1", spread.quartile_1.into()),
        ("median", spread.median.into()),
        ("quartile_3", spread.quartile_3.into()),
        ("max", spread.max.into()),
    ])
}
