//! `chat-perf`: the load harness of chatd.
//!
//! - [`plan`]: intended send times, pure and seeded.
//! - [`wire`]: what is said and heard, as pure functions.
//! - [`load`]: its own sockets, one epoll a thread; it shares no I/O code with what it measures.
//! - [`target`]: what is driven, a chatd or the built-in relay that is the floor.
//! - [`measure`]: what is counted and timed.
//! - [`report`]: what a run says of itself, and whether to believe it.
//! - [`scenarios`]: what can be run; the only place where the others meet.
//!
//! Exit codes: 0 measured, 1 could not run, 2 wrong flags, 3 INVALID (the generator's lag could explain the
//! latencies), 4 messages lost, repeated or reordered, or errors, 5 the self-test failed; 130 interrupted.

mod cli;
mod json;
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

use cli::{Cli, Command};
use scenarios::Ending;
use target::{launch, relay};

fn main() -> ExitCode {
    let done = |result: Result<(), String>| result.map(|()| Ending::Fine);
    let result = match Cli::parse().command {
        Command::Relay { ring } => done(relay::serve(ring.map_or(relay::Ground::Epoll, relay::Ground::Ring))),
        Command::Launch { parent, cpus, command } => Err(launch::launch(parent, &cpus, &command)),
        Command::Run(flags) => measured(|stop| scenarios::run(&flags, stop)),
        Command::Floor(flags) => measured(|stop| scenarios::floor(&flags, stop)),
        Command::Search(flags) => measured(|stop| scenarios::search(&flags, stop)),
        Command::Store(flags) => measured(|stop| scenarios::store(&flags, stop)),
        Command::Flood(flags) => measured(|stop| scenarios::flood(&flags, stop)),
        Command::Api(flags) => measured(|stop| scenarios::api(&flags, stop)),
        Command::Jwt(flags) => measured(|stop| scenarios::jwt(&flags, stop)),
        Command::Webhook(flags) => measured(|stop| scenarios::webhook(&flags, stop)),
        Command::Soak(flags) => measured(|stop| scenarios::soak(&flags, stop)),
        Command::SelfTest(flags) => measured(|stop| scenarios::self_test(&flags.only, stop)),
        Command::Compare(flags) => done(report::compare(&flags.reports, flags.html.as_deref())),
        Command::Chart(flags) => done(report::chart(&flags.reports, &flags.svg)),
        Command::Figures(flags) => done(report::figures(&flags.reports, &flags.link)),
        Command::Scenarios => {
            scenarios::list();
            Ok(Ending::Fine)
        }
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

/// Thousands of sockets, here and in the servers, which inherit the limit.
fn raise_file_limit() -> Result<(), String> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .map_err(|error| format!("cannot raise the limit of open files: {error}"))
}
