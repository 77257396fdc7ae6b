//! Users that are logged in and say nothing: what a session costs in resident memory.
//!
//! All are registered first, over a few connections, so that what registering leaves in the server's caches is not
//! taken for the cost of a session. Kernel memory of the sockets is not resident memory of the process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Ending;
use super::settings::Settings;
use crate::load;
use crate::measure::Processes;
use crate::report::{IdleReport, Machine};
use crate::target::Target;

/// After registering, for the server to put its house in order.
const SETTLE: Duration = Duration::from_millis(500);

pub fn run(
    settings: &Settings,
    target: &Target,
    json: Option<&Path>,
    stop: &AtomicBool,
) -> Result<Ending, String> {
    let processes = &target.processes;
    let rss_start_bytes = rss(processes)?;
    let users = settings.users.unwrap_or(5_000) as usize;
    let speakers = load::register(&target.door, &load::name_prefix(), users, stop)?;
    sleep(SETTLE, stop)?;
    let rss_registered_bytes = rss(processes)?;
    let enlisted = load::log_in(&target.door, &speakers, settings.message.dialect, stop)?;
    sleep(SETTLE, stop)?;
    let (cpu_before, began) = (processes.cpu(), Instant::now());
    sleep(Duration::from_nanos(settings.duration_ns), stop)?;
    let cpu_after = processes.cpu();
    let used_ns = cpu_before.zip(cpu_after).and_then(|(before, after)| after.all.since(before.all));
    let report = IdleReport {
        machine: Machine::look(),
        description: target.description(),
        users: users as u64,
        rss_start_bytes,
        rss_registered_bytes,
        rss_idle_bytes: rss(processes)?,
        idle_s: settings.duration_ns as f64 / 1e9,
        cpus_busy: used_ns.map(|used_ns| used_ns as f64 / began.elapsed().as_nanos().max(1) as f64),
        closed: enlisted.iter().filter(|one| !one.is_alive()).count() as u64,
    };
    print!("{}", report.text());
    if let Some(path) = json {
        report.write_json(path)?;
    }
    Ok(if report.closed == 0 { Ending::Fine } else { Ending::Faulty })
}

fn rss(processes: &Processes) -> Result<u64, String> {
    processes
        .rss_bytes()
        .ok_or_else(|| "the memory of the server cannot be read: give its process with --pid".into())
}

fn sleep(duration: Duration, stop: &AtomicBool) -> Result<(), String> {
    let end = Instant::now() + duration;
    while Instant::now() < end {
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".into());
        }
        std::thread::sleep(Duration::from_millis(20).min(end.saturating_duration_since(Instant::now())));
    }
    Ok(())
}
