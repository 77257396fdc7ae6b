//! The report of a load run, one server, or two interleaved and their ratio: what it holds, and its text.

use std::fmt::Write;
use std::time::SystemTime;

use super::faults::all_faults;
use super::pushes::Pushes;
use super::units::{bytes_text, quantiles_text, time_text};
use super::{Machine, Spread, Verdict};
use crate::measure::{Counts, Figures, Recorder, Stages};

/// One server's share of a report.
pub struct SideFigures {
    /// `chatd` or `relay`.
    pub name: &'static str,
    pub description: String,
    /// In the order in which they ran.
    pub rounds: Vec<Figures>,
    pub sum: Figures,
    pub verdict: Verdict,
    /// What the server's CPU is counted by.
    pub unit: &'static str,
    /// From when to when latency counts, and what is called acknowledgement.
    pub latency_is: &'static str,
    pub ack_is: &'static str,
    /// What was asked for, in words; nothing in a closed loop.
    pub asked: String,
    /// Of people who came and went beside.
    pub logins: Option<Recorder>,
}

impl SideFigures {
    pub fn new(name: &'static str, description: String, rounds: Vec<Figures>) -> SideFigures {
        let sum = Figures::sum(&rounds).expect("a run has at least one round");
        let verdict = Verdict::of(&sum);
        SideFigures {
            name,
            description,
            rounds,
            sum,
            verdict,
            unit: "delivered message",
            latency_is: "from intended send to delivery",
            ack_is: "from intended send to ACK",
            asked: String::new(),
            logins: None,
        }
    }

    fn cpu_us_by_round(&self) -> Vec<f64> {
        self.rounds.iter().filter_map(Figures::cpu_us_each).collect()
    }
}

/// Server CPU per delivered message, one side over the other, round by round.
pub struct Ratio {
    pub ratio: Spread,
    /// The first's less the second's.
    pub difference_ns: Spread,
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
        let differences: Vec<f64> =
            first_us.iter().zip(&second_us).map(|(one, other)| (one - other) * 1e3).collect();
        Some(Ratio {
            ratio: Spread::of(&ratios)?,
            difference_ns: Spread::of(&differences)?,
            first_to_itself: Spread::of_neighbours(&first_us),
            second_to_itself: Spread::of_neighbours(&second_us),
        })
    }
}

/// What the sides of a report are held against each other by.
pub enum Compared {
    /// Nothing: they are not two of the same.
    Nothing,
    Cpu(Ratio),
    Pushes(Pushes),
}

pub struct RunReport {
    pub machine: Machine,
    /// What the times of slices count from.
    pub began: SystemTime,
    pub scenario: String,
    pub what: String,
    /// How the load was let loose, in words.
    pub load_loop: String,
    pub rate_asked_per_s: Option<f64>,
    pub placement: String,
    /// Who was there, in words.
    pub crowd: String,
    pub frame_bytes: u64,
    pub text_bytes: u64,
    pub seed: u64,
    pub ramp_s: f64,
    pub warmup_s: f64,
    pub sides: Vec<SideFigures>,
    pub compared: Compared,
}

impl RunReport {
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_head(&mut text);
        for side in &self.sides {
            let _ = self.write_side(side, &mut text);
        }
        match (self.sides.as_slice(), &self.compared) {
            ([first, second], Compared::Cpu(ratio)) => {
                let _ = self.write_ratio(ratio, [first, second], &mut text);
            }
            (_, Compared::Pushes(pushes)) => text.push_str(&pushes.text()),
            _ => {}
        }
        for fault in all_faults(&self.sides) {
            let _ = writeln!(text, "FAULTY     {fault}");
        }
        text
    }

    fn write_head(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "{} ({}): {}", self.scenario, self.what, self.load_loop)?;
        writeln!(text, "  machine    {}", self.machine.text())?;
        writeln!(text, "  placement  {}", self.placement)?;
        writeln!(
            text,
            "  load       {}, frames of {} bytes ({} of text), seed {}, {} s of warm-up a round",
            self.crowd, self.frame_bytes, self.text_bytes, self.seed, self.warmup_s
        )
    }

    fn write_side(&self, side: &SideFigures, text: &mut String) -> std::fmt::Result {
        let (sum, counts) = (&side.sum, &side.sum.recorder.counts);
        writeln!(text, "\n{}", side.description)?;
        writeln!(
            text,
            "  rate       {}{:.0} {}s a second over {:.1} s in {} round(s)",
            if side.asked.is_empty() { String::new() } else { format!("asked {}, reached ", side.asked) },
            sum.delivered_per_s(),
            side.unit,
            sum.window_s(),
            side.rounds.len()
        )?;
        if !sum.recorder.latency.is_empty() {
            writeln!(text, "  latency    {}  ({})", quantiles_text(&sum.recorder.latency), side.latency_is)?;
        }
        if !sum.recorder.ack.is_empty() {
            writeln!(text, "  ack        {}  ({})", quantiles_text(&sum.recorder.ack), side.ack_is)?;
        }
        if !sum.recorder.refusal.is_empty() {
            let refused = quantiles_text(&sum.recorder.refusal);
            writeln!(text, "  refusal    {refused}  (from intended send to errno 110)")?;
        }
        if !sum.recorder.lag.is_empty() {
            writeln!(text, "  own lag    {}", quantiles_text(&sum.recorder.lag))?;
        }
        if let Some(logins) = &side.logins {
            writeln!(
                text,
                "  logins     {}  ({} of {})",
                quantiles_text(&logins.latency),
                logins.counts.delivered,
                logins.counts.intended
            )?;
        }
        writeln!(text, "  server     {}", server_text(sum, side.unit))?;
        if let Some(taken) = sum.taken.filter(|taken| taken.taken_ns > 0) {
            let share = taken.share() * 100.0;
            writeln!(
                text,
                "  host       took {share:.1} % of this machine's CPU time meanwhile: latencies contain it"
            )?;
        }
        write_stages(sum.stages.as_ref(), text)?;
        writeln!(text, "  messages   {}", messages_text(counts))?;
        writeln!(text, "  errors     {}", errors_text(counts))?;
        writeln!(text, "  verdict    {}", side.verdict.text())
    }

    fn write_ratio(
        &self,
        ratio: &Ratio,
        [first, second]: [&SideFigures; 2],
        text: &mut String,
    ) -> std::fmt::Result {
        writeln!(text, "\nserver CPU per {}, {} over {}", first.unit, first.name, second.name)?;
        writeln!(text, "  ratio          {}", ratio.ratio.text())?;
        let Spread { median, quartile_1, quartile_3, .. } = ratio.difference_ns;
        writeln!(
            text,
            "  difference     median {median:+.0} ns   quartiles {quartile_1:+.0} to {quartile_3:+.0} ns"
        )?;
        for (side, noise) in [(first, &ratio.first_to_itself), (second, &ratio.second_to_itself)] {
            let name = format!("{0}/{0}", side.name);
            let spread = noise.as_ref().map_or("needs two rounds".into(), Spread::text);
            writeln!(text, "  {name:<14} {spread}")?;
        }
        writeln!(text, "  round   {:>11}   {:>11}   ratio", first.name, second.name)?;
        let both = first.cpu_us_by_round().into_iter().zip(second.cpu_us_by_round());
        for (round, (one, other)) in both.enumerate() {
            writeln!(text, "  {:>5}   {one:>8.2} µs   {other:>8.2} µs   {:.3}", round + 1, one / other)?;
        }
        Ok(())
    }
}

fn server_text(sum: &Figures, unit: &str) -> String {
    let Some(server) = sum.server else {
        return format!("CPU per {unit} unknown: the server's process cannot be looked at");
    };
    let cost = server.cpu_us_each().map_or("unknown".into(), |cost| format!("{cost:.2} µs"));
    let article = if unit.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let rss = server.rss_bytes.map_or("unknown".into(), bytes_text);
    let other = sum.other_cpus_busy.map_or(String::new(), |busy| {
        format!("; the idle other used {:.1} % of a CPU at most", busy * 100.0)
    });
    let bus = server.bus_us_each().map_or(String::new(), |us| format!(" ({us:.2} µs of it Redis')"));
    format!(
        "{cost} CPU {article} {unit}{bus}, {:.0} % of a CPU busy, RSS {rss} ({}){other}",
        server.cpus_busy() * 100.0,
        server.source.words()
    )
}

fn messages_text(counts: &Counts) -> String {
    let mut text = format!(
        "{} intended, {} of {} delivered, {} lost, {} repeated, {} reordered",
        counts.intended, counts.delivered, counts.expected, counts.lost, counts.repeated, counts.reordered
    );
    if counts.acks_expected > 0 {
        let _ = write!(text, ", {} of {} acknowledged", counts.acked, counts.acks_expected);
    }
    let unsent = counts.intended.saturating_sub(counts.sent);
    for (count, what) in [
        (counts.refused, "of these refused with errno 110, as asked for"),
        (counts.repeated_earlier, "of an earlier round repeated"),
        (unsent, "never sent"),
        (counts.acks_lost, "never acknowledged"),
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

fn write_stages(stages: Option<&Stages>, text: &mut String) -> std::fmt::Result {
    let Some(stages) = stages else { return Ok(()) };
    for (what, histograms) in [("stage", &stages.stages), ("path", &stages.paths)] {
        for (name, histogram) in histograms.iter().filter(|(_, histogram)| !histogram.is_empty()) {
            let [p50, p99, p999] =
                [0.5, 0.99, 0.999].map(|quantile| time_text(histogram.value_at_quantile(quantile)));
            let count = histogram.len();
            writeln!(text, "  {what:<9}  {name:<12} p50 {p50:<8} p99 {p99:<8} p99.9 {p999:<8} of {count}")?;
        }
    }
    Ok(())
}
