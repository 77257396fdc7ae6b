//! Users that are logged in and say nothing: what a session costs in resident memory.
//!
//! All are registered first, over a few connections, so that what registering leaves in the server's caches is not
//! taken for the cost of a session. Kernel memory of the sockets is not resident memory of the process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Ending;
use super::settings::seconds;
use crate::cli::RunIdle;
use crate::load;
use crate::measure::{Cpu, Process};
use crate::report::{IdleReport, Machine};
use crate::target::Target;

/// After registering, for the server to put its house in order.
const SETTLE: Duration = Duration::from_millis(500);

pub fn run(flags: &RunIdle, target: &Target, stop: &AtomicBool) -> Result<Ending, String> {
    let idle = Duration::from_nanos(seconds("--duration", flags.duration, 0.0)?);
    let process = target.process.ok_or("the server's process is not known: give it with --pid")?;
    let rss_start_bytes = rss(process)?;
    let users = flags.users as usize;
    let speakers = load::register(target.address, &load::name_prefix(), users, stop)?;
    sleep(SETTLE, stop)?;
    let rss_registered_bytes = rss(process)?;
    let enlisted = load::log_in(target.address, &speakers, stop)?;
    sleep(SETTLE, stop)?;
    let (cpu_before, began) = (process.cpu(), Instant::now());
    sleep(idle, stop)?;
    let cpu_after = process.cpu();
    let used_ns = cpu_before.zip(cpu_after).and_then(|(before, after): (Cpu, Cpu)| after.since(before));
    let report = IdleReport {
        machine: Machine::look(),
        description: target.description(),
        users: users as u64,
        rss_start_bytes,
        rss_registered_bytes,
        rss_idle_bytes: rss(process)?,
        idle_s: flags.duration,
        cpus_busy: used_ns.map(|used_ns| used_ns as f64 / began.elapsed().as_nanos().max(1) as f64),
        closed: enlisted.iter().filter(|one| !one.is_alive()).count() as u64,
    };
    print!("{}", report.text());
    if let Some(path) = &flags.json {
        report.write_json(path)?;
    }
    Ok(if report.closed == 0 { Ending::Fine } else { Ending::Faulty })
}

fn rss(process: Process) -> Result<u64, String> {
    process.rss_bytes().ok_or_else(|| format!("the memory of process {} cannot be read", process.pid))
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
