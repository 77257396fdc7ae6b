//! Pairs of users, each sender talking to its partner, against one server.

use std::sync::atomic::{AtomicBool, Ordering};

use super::Ending;
use super::progress::Progress;
use super::settings::{Loop, Settings};
use super::side::{Bench, Side};
use crate::load::Clock;
use crate::report::{Machine, Ratio, RunReport, SideFigures, Verdict};
use crate::target::{Cpus, Target, niceness_words};

/// Runs every round against `target`.
pub fn run(settings: &Settings, cpus: &Cpus, target: Target, stop: &AtomicBool) -> Result<Ending, String> {
    let bench = bench(settings, cpus, stop);
    let mut side = Side::connect(target, &bench)?;
    let mut rounds = Vec::new();
    for round in 0..settings.rounds {
        rounds.push(side.round(&bench, round, None)?);
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
    }
    let frame_bytes = side.frame_bytes();
    let figures = SideFigures::new(side.target.kind.word(), side.target.description(), rounds);
    let is_pinned = side.target.cpus.is_some();
    drop(side);
    let placement = if is_pinned { placement(cpus) } else { load_placement(cpus) };
    finish(&bench, placement, frame_bytes, vec![figures], None)
}

pub fn bench<'a>(settings: &'a Settings, cpus: &'a Cpus, stop: &'a AtomicBool) -> Bench<'a> {
    Bench { settings, cpus, clock: Clock::start(), progress: Progress::detect(), stop }
}

/// Prints and writes the report, and says how the run ended.
pub fn finish(
    bench: &Bench,
    placement: String,
    frame_bytes: usize,
    sides: Vec<SideFigures>,
    ratio: Option<Ratio>,
) -> Result<Ending, String> {
    let settings = bench.settings;
    let report = RunReport {
        machine: Machine::look(),
        scenario: "direct",
        load_loop: settings.loop_words(),
        rate_asked_per_s: match settings.load_loop {
            Loop::Open { rate_per_s, .. } => Some(rate_per_s),
            Loop::Closed { .. } => None,
        },
        placement,
        pairs: u64::from(settings.pairs),
        frame_bytes: frame_bytes as u64,
        text_bytes: settings.message.text_bytes as u64,
        seed: settings.seed,
        warmup_s: settings.warmup_ns as f64 / 1e9,
        sides,
        ratio,
    };
    print!("{}", report.text());
    if let Some(path) = &settings.json {
        report.write_json(path)?;
    }
    Ok(ending(&report))
}

fn ending(report: &RunReport) -> Ending {
    if report.sides.iter().any(|side| !side.sum.recorder.counts.is_clean()) {
        return Ending::Faulty;
    }
    match report.sides.iter().any(|side| matches!(side.verdict, Verdict::Invalid(_))) {
        true => Ending::Invalid,
        false => Ending::Fine,
    }
}

/// Where the server and the load thread ran.
pub fn placement(cpus: &Cpus) -> String {
    let warning =
        if cpus.are_apart() { "" } else { ": THEY SHARE A CPU, so latencies hold the generator's work" };
    format!(
        "server on CPU {}, load thread on CPU {}, {}{warning}",
        list(&cpus.server),
        cpus.load,
        niceness_words()
    )
}

fn load_placement(cpus: &Cpus) -> String {
    format!("server not placed by this run, load thread on CPU {}", cpus.load)
}

fn list(cpus: &[usize]) -> String {
    cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
}
