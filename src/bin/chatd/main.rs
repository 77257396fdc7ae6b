//! chatd: composes the cores and the store, says what it is, and stops when it is asked to.
//!
//! The only place where executor and storage meet. What was typed is in [`options`], what it means
//! in [`settings`].

mod options;
mod screen;
mod settings;

use chatd::executor::boot::{self, Cores};
use chatd::executor::probe;
use chatd::executor::stop::StopSignals;
use chatd::storage::{self, worker::Running};
use clap::Parser;
use options::Options;
use settings::Settings;
use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    // Before any thread is started, so that none of them is killed by what asks all to stop.
    let signals = StopSignals::block()?;
    let open_files = probe::raise_open_files();
    let settings = Settings::new(options, open_files)?;
    probe::check(settings.cpus.len())?;
    let store = storage::open(settings.store())?;
    let described = store.describe();
    let (cores, running) = start(&settings, store)?;
    let screen = screen::text(&settings, cores.address, &described);
    // The last line on stdout is what scripts wait for. Whoever started this server may be gone.
    let _ = writeln!(io::stdout(), "{screen}ready {}", cores.address);
    say(&format!("{} received, finishing with every session", signals.wait()));
    stop(cores, running, signals)
}

fn start(settings: &Settings, store: storage::Opened) -> Result<(Cores, Running), Box<dyn Error>> {
    let (questions, asked) = flume::bounded(settings.limits.store_queue);
    let (queues, answers) = (0..settings.cpus.len()).map(|_| flume::unbounded()).unzip();
    let running = store.start(asked, queues)?;
    let config = boot::Config {
        address: settings.address,
        cpus: settings.cpus.clone(),
        limits: settings.limits.clone(),
        measuring: settings.measuring,
        delivery: settings.delivery.clone(),
        questions,
        answers,
    };
    Ok((boot::start(config)?, running))
}

/// First the cores, which hand over what their sessions leave; then the store, which writes it.
fn stop(cores: Cores, running: Running, signals: StopSignals) -> Result<(), Box<dyn Error>> {
    std::thread::spawn(move || {
        let signal = signals.wait();
        say(&format!("{signal} received again, stopping at once"));
        std::process::exit(1);
    });
    cores.stop();
    let ended = cores.join();
    running.join().map_err(|_| "a storage thread has failed")?;
    ended?;
    say("stopped");
    Ok(())
}

/// Tells the operator. That nobody listens is no reason to stop, as `eprintln!` would.
fn say(what: &str) {
    let _ = writeln!(io::stderr(), "chatd: {what}");
}
