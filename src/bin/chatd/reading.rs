//! Reading again while the server runs: what SIGHUP does. Says what was taken up, and what takes a restart.

use crate::options::Options;
use chatd::executor::boot::Stopper;
use chatd_process::log;
use chatd_tls::Identity;
use clap::ArgMatches;
use std::sync::{Arc, Mutex};

/// Options that are taken up while the server runs; all others take a restart.
const TAKEN_UP: [&str; 8] = [
    "message-rate",
    "byte-rate",
    "lookup-rate",
    "change-rate",
    "guess-rate",
    "connect-rate",
    "address-connections",
    "group-rate",
];

/// What can be read again.
pub struct Reading {
    /// The options that the server has, if a file has some of them.
    pub before: Option<Box<ArgMatches>>,
    /// Its certificate.
    pub identity: Option<Arc<Identity>>,
    /// Who is told.
    pub cores: Stopper,
}

/// What can be read again, once there are sessions.
pub struct Serving(Mutex<Reading>);

impl Serving {
    pub fn new(reading: Reading) -> Self {
        Self(Mutex::new(reading))
    }

    /// Asks the cores to finish; asked again, at once.
    pub fn stop(&self) {
        self.0.lock().expect("the one thread that has it does not panic").cores.stop();
    }

    /// Reads what can be read again; whether there is anything.
    pub fn read_again(&self) -> bool {
        let reading = self.0.lock().expect("the one thread that has it does not panic");
        if let Some(identity) = &reading.identity {
            read_certificate(identity);
        }
        if let Some(before) = &reading.before {
            read_options(before, &reading.cores);
        }
        reading.identity.is_some() || reading.before.is_some()
    }
}

/// Reads the certificate again: whoever is connected stays so, and who connects from now on is shown the new one.
fn read_certificate(identity: &Identity) {
    let file = identity.file().display().to_string();
    match identity.read_again() {
        Ok(()) => log::line(format_args!("SIGHUP received, the certificate in {file} was read again")),
        Err(why) => log::line(format_args!("SIGHUP received, the certificate stays as it was: {why}")),
    }
    if let Some(warning) = identity.warning() {
        log::line(warning);
    }
}

/// Reads the options again. Those that are not taken up are compared with those of the start, so that they are told of
/// each time.
fn read_options(before: &ArgMatches, cores: &Stopper) {
    match Options::read_again(before) {
        Err(why) => log::line(format_args!("SIGHUP received, the options stay as they were: {why}")),
        Ok((options, changed)) => {
            let (taken_up, others): (Vec<String>, Vec<String>) =
                changed.into_iter().partition(|name| TAKEN_UP.contains(&name.as_str()));
            cores.set_rates(options.rates());
            let taken_up =
                if taken_up.is_empty() { "no other rates".to_owned() } else { taken_up.join(", ") };
            log::line(format_args!(
                "SIGHUP received, the options were read again: {taken_up} since the start"
            ));
            if !others.is_empty() {
                log::line(format_args!("these take a restart: {}", others.join(", ")));
            }
        }
    }
}
