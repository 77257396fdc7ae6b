//! The self-test: proves on this machine that the harness does not lie.
//!
//! A server that stands still must show in the percentiles (a generator that waits for it would not notice), the
//! generator must be able to send far more than what it is used to measure, and be punctual at it.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Ending;
use super::bench::Bench;
use super::file::Scenario;
use super::settings::{Settings, Sides};
use super::side::Side;
use crate::cli::Proof;
use crate::load::Waiting;
use crate::measure::Figures;
use crate::report::time_text;
use crate::target::relay::Ground;
use crate::target::{Cpus, Precedence, Target};

const ALL: [Proof; 3] = [Proof::Pause, Proof::Rate, Proof::Lag];

/// What one proof came to.
struct Outcome {
    said: String,
    holds: bool,
}

pub fn self_test(only: &[Proof], stop: &AtomicBool) -> Result<Ending, String> {
    let _held = Precedence::Nice.take()?;
    let cpus = Cpus::place(1, Some(1))?;
    let bench = Bench::new(&cpus, Waiting::Sleep, stop);
    if !cpus.are_apart() {
        println!("  beware: server and load share one CPU");
    }
    let mut ending = Ending::Fine;
    for proof in ALL.into_iter().filter(|proof| only.is_empty() || only.contains(proof)) {
        let outcome = match proof {
            Proof::Pause => pause(&bench)?,
            Proof::Rate => rate(&bench)?,
            Proof::Lag => lag(&bench)?,
        };
        println!("  {}   {}", if outcome.holds { "proved" } else { "FAILED" }, outcome.said);
        if !outcome.holds {
            ending = Ending::Unproved;
        }
        bench.fail_if_stopped()?;
    }
    Ok(ending)
}

const PAUSE_AFTER: Duration = Duration::from_secs(8);
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_P99_NS: u64 = 1_750_000_000;

/// A chatd that is stopped for 2 s of 20 s, at 1,000 messages a second.
fn pause(bench: &Bench) -> Result<Outcome, String> {
    let settings = direct([("rate", "1000"), ("duration", "20")])?;
    let target = Target::start_chatd(&settings.chatd_options(), &bench.cpus.server, bench.stop)?;
    let process = target.processes.servers.first().and_then(|process| Pid::from_raw(process.pid as i32));
    let pid = process.ok_or("the server's process is not known")?;
    let mut side = Side::connect(target, &settings, bench)?;
    let figures = std::thread::scope(|scope| {
        let pausing = scope.spawn(|| {
            std::thread::sleep(PAUSE_AFTER);
            let stopped = kill_process(pid, Signal::STOP);
            std::thread::sleep(PAUSE);
            stopped.and(kill_process(pid, Signal::CONT))
        });
        let figures = side.round(&settings, bench, 0, None).map(|measured| measured.figures);
        let paused = pausing.join().expect("the pausing thread does not panic");
        paused.map_err(|error| format!("cannot stop and continue the server: {error}"))?;
        figures
    })?;
    let p99_ns = p99(&figures);
    Ok(Outcome {
        said: format!(
            "a server stopped for 2 s of 20 s at 1,000/s shows p99 {} (at least {}; p50 {}, lost {})",
            time_text(p99_ns),
            time_text(PAUSE_P99_NS),
            time_text(figures.recorder.latency.value_at_quantile(0.5)),
            figures.recorder.counts.lost
        ),
        holds: p99_ns >= PAUSE_P99_NS && figures.recorder.counts.is_clean(),
    })
}

const RATE_PER_S: f64 = 300_000.0;

/// The generator against the relay, flat out.
fn rate(bench: &Bench) -> Result<Outcome, String> {
    // A little more is asked, so that chance does not decide.
    let figures =
        against_the_relay(bench, direct([("rate", "305000"), ("duration", "5"), ("pairs", "64")])?)?;
    let reached = figures.delivered_per_s();
    Ok(Outcome {
        said: format!(
            "one load thread sustains {reached:.0} messages/s open loop against the relay (at least {RATE_PER_S:.0}; own lag p50 {}, p99 {})",
            time_text(figures.recorder.lag.value_at_quantile(0.5)),
            time_text(figures.recorder.lag.value_at_quantile(0.99))
        ),
        holds: reached >= RATE_PER_S && figures.recorder.counts.is_clean(),
    })
}

const LAG_P99_NS: u64 = 100_000;

/// How late the generator is at a rate that is used.
fn lag(bench: &Bench) -> Result<Outcome, String> {
    let figures =
        against_the_relay(bench, direct([("rate", "50000"), ("duration", "10"), ("pairs", "64")])?)?;
    let lag_ns = figures.recorder.lag.value_at_quantile(0.99);
    Ok(Outcome {
        said: format!(
            "own lag at 50,000 messages/s: p99 {} (under {}; p50 {}, p99.9 {})",
            time_text(lag_ns),
            time_text(LAG_P99_NS),
            time_text(figures.recorder.lag.value_at_quantile(0.5)),
            time_text(figures.recorder.lag.value_at_quantile(0.999))
        ),
        holds: lag_ns < LAG_P99_NS && figures.recorder.counts.is_clean(),
    })
}

fn against_the_relay(bench: &Bench, settings: Settings) -> Result<Figures, String> {
    let relay = Target::start_relay(Ground::Epoll, 0, &bench.cpus.server, bench.stop)?;
    let mut side = Side::connect(relay, &settings, bench)?;
    Ok(side.round(&settings, bench, 0, None)?.figures)
}

fn p99(figures: &Figures) -> u64 {
    figures.recorder.latency.value_at_quantile(0.99)
}

fn direct<const N: usize>(values: [(&str, &str); N]) -> Result<Settings, String> {
    let mut scenario = Scenario::open("direct")?;
    values.into_iter().for_each(|(key, value)| scenario.put(key, value));
    Settings::new(scenario, Sides::One, Waiting::Sleep)
}
