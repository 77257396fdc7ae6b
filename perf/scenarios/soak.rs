//! A server that runs for long while people talk, come and go: whether its memory grows, and whether it comes back to
//! where it was.

use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::Ending;
use super::bench::Bench;
use super::file::Scenario;
use super::settings::{Settings, Sides};
use super::side::Side;
use crate::cli;
use crate::measure::metric;
use crate::report::{Machine, time_text};
use crate::target::{Cpus, Target};

/// The length of a round, after each of which is looked.
const ROUND_S: f64 = 20.0;
/// Rounds at the beginning, of which memory is not counted: a third of them, while buffers grow to what they need.
const SETTLING: usize = 3;
/// How much memory may grow in an hour.
const GROWTH_MOST: f64 = 0.01;
/// Everybody has left within this.
const LEAVING: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a server has at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Held {
    rss_bytes: f64,
    descriptors: usize,
    threads: usize,
    connections: f64,
    /// What is asked of store and bus and not answered.
    under_way: f64,
}

pub fn soak(flags: &cli::Soak, stop: &AtomicBool) -> Result<Ending, String> {
    let mut scenario = Scenario::open("day")?;
    scenario.put("duration", ROUND_S);
    scenario.put("warmup", 0);
    let mut scenario = flags.load.applied_to(scenario)?;
    let rounds = (flags.minutes * 60.0 / ROUND_S).ceil().max(3.0) as u32;
    let plain = Settings::new(scenario.clone(), Sides::One, flags.load.waiting)?;
    if flags.load.logins.is_none() {
        scenario.put("logins", plain.crowd.connected() as f64 * flags.churn / 100.0);
    }
    let settings = Settings::new(scenario, Sides::One, flags.load.waiting)?;
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let target = Target::start_chatd(&settings.chatd_options(), &cpus.server, stop)?;
    println!(
        "soak: {rounds} rounds of {ROUND_S} s, {}, {} logins a second\n  {}\n  {}",
        settings.crowd_words(),
        settings.logins_per_s,
        target.description(),
        Machine::look().text()
    );
    let base = look(&target)?;
    let mut side = Side::connect(target, &settings, &bench)?;
    let (began, mut seen, mut faults) = (Instant::now(), Vec::new(), 0);
    for round in 0..rounds {
        let measured = side.round(&settings, &bench, round, None)?;
        bench.fail_if_stopped()?;
        let counts = &measured.figures.recorder.counts;
        faults += u32::from(!counts.is_clean());
        let held = look(&side.target)?;
        println!(
            "  {:>5.0} s   {:>7.1} MiB   {} descriptors   {} threads   {} connections   {} messages, the latest after {}",
            began.elapsed().as_secs_f64(),
            held.rss_bytes / 1_048_576.0,
            held.descriptors,
            held.threads,
            held.connections,
            counts.delivered,
            time_text(measured.figures.recorder.latency.max())
        );
        seen.push((began.elapsed().as_secs_f64() / 3_600.0, held.rss_bytes));
    }
    let target = side.empty();
    let after = come_back(&target, base)?;
    Ok(conclude(&seen, base, after, faults))
}

/// What the server holds now.
fn look(target: &Target) -> Result<Held, String> {
    let process = target.processes.servers.first().ok_or("the server's process is not known")?;
    let entries = |what: &str| -> Result<usize, String> {
        let path = format!("/proc/{}/{what}", process.pid);
        fs::read_dir(&path).map(Iterator::count).map_err(|error| format!("{path}: {error}"))
    };
    let admin = target.admin.ok_or("this chatd has no admin address")?;
    Ok(Held {
        rss_bytes: process.rss_bytes().ok_or("the memory of the server cannot be read")? as f64,
        descriptors: entries("fd")?,
        threads: entries("task")?,
        connections: metric(admin, "chatd_connections")?,
        under_way: metric(admin, "chatd_tickets")?,
    })
}

/// Waits until all have left, and what was asked is answered.
fn come_back(target: &Target, base: Held) -> Result<Held, String> {
    let deadline = Instant::now() + LEAVING;
    loop {
        let held = look(target)?;
        let is_back =
            held.connections == 0.0 && held.under_way == 0.0 && held.descriptors <= base.descriptors;
        if is_back || Instant::now() > deadline {
            return Ok(held);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn conclude(seen: &[(f64, f64)], base: Held, after: Held, faults: u32) -> Ending {
    let counted = &seen[SETTLING.max(seen.len() / 3).min(seen.len() - 2)..];
    let growth = slope(counted) / counted[0].1;
    let verdict = |is_kept: bool| if is_kept { "kept" } else { "MISSED" };
    println!(
        "  memory: {:+.2} % an hour over the last {} rounds, at most {:.0} %: {}",
        growth * 100.0,
        counted.len(),
        GROWTH_MOST * 100.0,
        verdict(growth < GROWTH_MOST)
    );
    println!(
        "  when all had left: {} descriptors (before: {}), {} threads ({}), {} connections, {} questions under way: {}",
        after.descriptors,
        base.descriptors,
        after.threads,
        base.threads,
        after.connections,
        after.under_way,
        verdict(
            after.descriptors <= base.descriptors
                && after.threads <= base.threads
                && after.connections + after.under_way == 0.0
        )
    );
    if faults == 0 {
        return Ending::Fine;
    }
    println!("  FAULTY: messages were lost, refused or came twice in {faults} rounds");
    Ending::Faulty
}

/// Of the straight line that lies nearest to these points.
fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let along: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    along / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_that_of_the_line() {
        let line: Vec<(f64, f64)> = (0..9).map(|x| (f64::from(x), 5.0 + 2.5 * f64::from(x))).collect();
        assert!((slope(&line) - 2.5).abs() < 1e-9);
        assert!(slope(&[(0.0, 7.0), (1.0, 7.0), (2.0, 7.0)]).abs() < 1e-9);
    }
}
