//! The highest rate that keeps a latency: doubled until it breaks, bisected, confirmed.
//!
//! A step holds if every limit is kept, 98 of 100 messages asked for came in time, none was lost, and the generator
//! was punctual. A step that breaks is tried once more, since a machine's hiccup breaks one step and not two. The rate
//! found must hold three times in a row, or it is lowered until it does.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::Ending;
use super::bench::Bench;
use super::finish::writable;
use super::settings::{Loop, Settings, Sides, Work};
use super::side::Side;
use crate::cli;
use crate::json::{Json, object};
use crate::measure::Figures;
use crate::plan::Arrival;
use crate::report::{Machine, Verdict, time_text};
use crate::target::relay::Ground;
use crate::target::{Cpus, Target};

/// A latency to keep.
struct Limit {
    name: &'static str,
    quantile: f64,
    most_ns: u64,
}

/// One try at one rate.
struct Step {
    rate_per_s: f64,
    reached_per_s: f64,
    latency_ns: Vec<u64>,
    lag_p99_ns: u64,
    /// Why it does not hold; nothing if it does.
    broken_by: Option<String>,
}

const CONFIRMATIONS: u32 = 3;
const TRIES: u32 = 2;
const REACHED: f64 = 0.98;
/// How far a rate is lowered that was not confirmed.
const LOWERED: f64 = 0.93;
const STEPS_MAX: usize = 60;
const RATE_MAX: f64 = 5e6;

pub fn search(flags: &cli::Search, stop: &AtomicBool) -> Result<Ending, String> {
    flags.json.as_deref().map_or(Ok(()), writable)?;
    let limits: Vec<Limit> =
        [("p50", 0.5, flags.p50), ("p99", 0.99, flags.p99), ("p99.9", 0.999, flags.p999)]
            .into_iter()
            .filter_map(|(name, quantile, most_ns)| Some(Limit { name, quantile, most_ns: most_ns? }))
            .collect();
    if limits.is_empty() {
        return Err("say what is to be kept: --p50, --p99 or --p99.9, as --p99 5ms".into());
    }
    let mut settings = super::settings(&flags.scenario, &flags.load, &flags.server, Sides::One)?;
    if settings.work != Work::Talk {
        return Err(format!("in scenario {} nobody talks: there is no rate to search", settings.name));
    }
    if flags.load.duration.is_none() {
        settings.duration_ns = 3_000_000_000;
    }
    let cores = if flags.floor { 1 } else { settings.server_cores };
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let target = if flags.floor {
        super::check_floor(&settings)?;
        Target::start_relay(Ground::Epoll, settings.sources, &cpus.server, stop)?
    } else {
        super::chatd(&flags.server, &settings, &cpus, stop)?
    };
    let description = target.description();
    let side = Side::connect(target, &settings, &bench)?;
    let mut search = Search { settings: &settings, bench: &bench, side, limits, steps: Vec::new() };
    println!(
        "search: {}, {}\n  {description}\n  {}",
        settings.name,
        settings.crowd_words(),
        Machine::look().text()
    );
    let found = search.find(flags.from, flags.precision.clamp(0.005, 0.5))?;
    search.conclude(found, description, flags.json.as_deref())
}

struct Search<'a> {
    settings: &'a Settings,
    bench: &'a Bench<'a>,
    side: Side,
    limits: Vec<Limit>,
    steps: Vec<Step>,
}

impl Search<'_> {
    /// The highest rate that holds; `None` if none does.
    fn find(&mut self, from_per_s: f64, precision: f64) -> Result<Option<f64>, String> {
        let (mut good, mut bad) = (0.0, f64::INFINITY);
        let mut rate = from_per_s.max(1.0);
        while bad - good > precision * good.max(1.0) && self.steps.len() < STEPS_MAX && rate < RATE_MAX {
            if self.holds(rate)? {
                good = rate;
            } else {
                bad = rate;
            }
            rate = match (good, bad) {
                (0.0, bad) => bad / 4.0,
                (good, f64::INFINITY) => good * 2.0,
                (good, bad) => (good + bad) / 2.0,
            };
            if rate < 1.0 {
                return Ok(None);
            }
        }
        let mut rate = good;
        while rate > 1.0 && self.steps.len() < 2 * STEPS_MAX {
            let mut held = 0;
            while held < CONFIRMATIONS && self.step(rate, &format!("confirm {}/{CONFIRMATIONS}", held + 1))? {
                held += 1;
            }
            if held == CONFIRMATIONS {
                return Ok(Some(rate));
            }
            rate *= LOWERED;
        }
        Ok(None)
    }

    fn holds(&mut self, rate_per_s: f64) -> Result<bool, String> {
        for attempt in 1..=TRIES {
            if self.step(rate_per_s, if attempt == 1 { "try" } else { "again" })? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step(&mut self, rate_per_s: f64, what: &str) -> Result<bool, String> {
        let load_loop = Loop::Open { rate_per_s, arrival: self.arrival() };
        let round = self.steps.len() as u32;
        let measured = self.side.round_at(self.settings, load_loop, self.bench, round, None)?;
        self.bench.fail_if_stopped()?;
        let step = self.judge(rate_per_s, &measured.figures);
        let latencies: Vec<String> = self
            .limits
            .iter()
            .zip(&step.latency_ns)
            .map(|(limit, ns)| format!("{} {:<8}", limit.name, time_text(*ns)))
            .collect();
        println!(
            "  {what:<12} {rate_per_s:>9.0}/s  reached {:>9.0}/s  {}  lag p99 {:<8} {}",
            step.reached_per_s,
            latencies.join(" "),
            time_text(step.lag_p99_ns),
            step.broken_by.as_deref().unwrap_or("holds")
        );
        let holds = step.broken_by.is_none();
        self.steps.push(step);
        Ok(holds)
    }

    fn arrival(&self) -> Arrival {
        match self.settings.load_loop {
            Loop::Open { arrival, .. } => arrival,
            Loop::Closed { .. } => Arrival::Poisson,
        }
    }

    fn judge(&self, rate_per_s: f64, figures: &Figures) -> Step {
        let recorder = &figures.recorder;
        let counts = &recorder.counts;
        let latency_ns: Vec<u64> =
            self.limits.iter().map(|limit| recorder.latency.value_at_quantile(limit.quantile)).collect();
        let over = self.limits.iter().zip(&latency_ns).find(|(limit, ns)| **ns > limit.most_ns);
        let on_time = counts.delivered_in_window as f64
            / (counts.expected.max(1) as f64 / counts.intended.max(1) as f64)
            / figures.window_s();
        // Two thousand messages differ by more than 2 % by chance alone.
        let chance = 3.0 / (rate_per_s * figures.window_s()).sqrt();
        let broken_by = if !counts.is_clean() {
            Some("messages were lost or refused".into())
        } else if recorder.latency.is_empty() {
            // Nothing is no evidence.
            Some("nothing was measured".into())
        } else if let Some((limit, ns)) = over {
            match Verdict::of(figures) {
                Verdict::Invalid(_) => Some("INVALID: the generator is too late to tell".into()),
                _ => Some(format!("{} is {}", limit.name, time_text(*ns))),
            }
        } else if on_time < rate_per_s * (REACHED - chance) {
            Some(format!("only {on_time:.0}/s came in time"))
        } else {
            None
        };
        let lag_p99_ns = recorder.lag.value_at_quantile(0.99);
        Step { rate_per_s, reached_per_s: on_time, latency_ns, lag_p99_ns, broken_by }
    }

    fn conclude(
        self,
        found: Option<f64>,
        description: String,
        json: Option<&Path>,
    ) -> Result<Ending, String> {
        let kept: Vec<String> = self
            .limits
            .iter()
            .map(|limit| format!("{} ≤ {}", limit.name, time_text(limit.most_ns)))
            .collect();
        let kept = kept.join(" and ");
        match found {
            Some(rate) => println!(
                "  found        {rate:.0} messages/s keep {kept}, {CONFIRMATIONS} times of {CONFIRMATIONS}"
            ),
            None => println!("  found        no rate that keeps {kept}"),
        }
        if let Some(path) = json {
            let step = |step: &Step| {
                object([
                    ("rate_per_s", step.rate_per_s.into()),
                    ("reached_per_s", step.reached_per_s.into()),
                    ("latency_ns", step.latency_ns.clone().into()),
                    ("lag_p99_ns", step.lag_p99_ns.into()),
                    ("broken_by", step.broken_by.clone().into()),
                ])
            };
            let json = object([
                ("search", self.settings.name.as_str().into()),
                ("machine", Machine::look().json()),
                ("description", description.into()),
                ("kept", kept.into()),
                ("found_per_s", found.into()),
                ("steps", Json::List(self.steps.iter().map(step).collect())),
            ]);
            crate::report::write_json(path, &json)?;
        }
        Ok(if found.is_some() { Ending::Fine } else { Ending::Faulty })
    }
}
