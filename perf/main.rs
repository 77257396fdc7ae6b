//! `chat-perf`: the load harness of chatd.
//!
//! - [`plan`]: intended send times, pure and seeded.
//! - [`wire`]: what is said and heard, as pure functions.
//! - [`load`]: its own sockets, one epoll, one thread; it shares no I/O code with what it measures.
//! - [`target`]: what is driven, a chatd or the built-in relay that is the floor.
//! - [`measure`]: what is counted and timed.
//! - [`report`]: what a run says of itself, and whether to believe it.
//! - [`scenarios`]: what can be run; the only place where the others meet.
//!
//! Exit codes: 0 measured, 1 could not run, 2 wrong flags, 3 INVALID (the generator's lag could explain the
//! latencies), 4 messages lost, repeated or reordered, or errors; 130 interrupted.

mod cli;
mod load;
mod measure;
mod plan;
mod report;
mod scenarios;
mod target;
#[cfg(test)]
mod tests;
mod wire;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};

use cli::{Cli, Command, FloorScenario, RunScenario};
use scenarios::settings::{Settings, Sides};
use scenarios::{Ending, direct, idle, versus};
use target::{Cpus, Kind, Target, launch, relay};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Relay => relay::serve().map(|()| Ending::Fine),
        Command::Launch { parent, cpus, command } => Err(launch::launch(parent, &cpus, &command)),
        Command::Run { scenario } => measured(|stop| run(scenario, stop)),
        Command::Floor { scenario: FloorScenario::Direct(load) } => measured(|stop| floor(load, stop)),
    };
    match result {
        Ok(ending) => ending.into(),
        Err(reason) => {
            eprintln!("chat-perf: {reason}");
            ExitCode::from(if reason == "interrupted" { 130 } else { 1 })
        }
    }
}

/// Prepares this process for a run that Ctrl-C ends in order.
fn measured(work: impl FnOnce(&AtomicBool) -> Result<Ending, String>) -> Result<Ending, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The second signal ends at once; the servers are bound to this process and end with it.
        signal_hook::flag::register_conditional_shutdown(signal, 130, stop.clone())
            .and_then(|_| signal_hook::flag::register(signal, stop.clone()))
            .map_err(|error| format!("cannot listen for signals: {error}"))?;
    }
    raise_file_limit()?;
    let result = work(&stop);
    if stop.load(Ordering::Relaxed) { Err("interrupted".into()) } else { result }
}

fn run(scenario: RunScenario, stop: &AtomicBool) -> Result<Ending, String> {
    match scenario {
        RunScenario::Direct(flags) => {
            let is_versus = flags.vs.is_some();
            let sides = if is_versus { Sides::TwoInterleaved } else { Sides::One };
            let settings = Settings::new(flags.load, sides)?;
            let cpus = Cpus::place(settings.server_cores)?;
            let chatd = chatd(&flags.server, settings.server_cores, &cpus, stop)?;
            if is_versus {
                let relay = Target::start_relay(&cpus.server, stop)?;
                return versus::run(&settings, &cpus, [chatd, relay], stop);
            }
            direct::run(&settings, &cpus, chatd, stop)
        }
        RunScenario::Idle(flags) => {
            let cores = usize::from(flags.server_cores);
            let cpus = Cpus::place(cores)?;
            idle::run(&flags, &chatd(&flags.server, cores, &cpus, stop)?, stop)
        }
    }
}

fn floor(load: cli::Load, stop: &AtomicBool) -> Result<Ending, String> {
    let settings = Settings::new(load, Sides::One)?;
    // The relay has one thread, whatever the number of cores asked.
    let cpus = Cpus::place(1)?;
    let relay = Target::start_relay(&cpus.server, stop)?;
    direct::run(&settings, &cpus, relay, stop)
}

fn chatd(server: &cli::Server, cores: usize, cpus: &Cpus, stop: &AtomicBool) -> Result<Target, String> {
    match server.address {
        Some(address) => Ok(Target::running(Kind::Chatd, address, server.pid)),
        None => Target::start_chatd(cores, &cpus.server, stop),
    }
}

/// Thousands of sockets, here and in the servers, which inherit the limit.
fn raise_file_limit() -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|error| format!("cannot raise the limit of open files: {error}"))
}
