//! Reading again while the server runs: what SIGHUP does. Says what was taken up, and what takes a restart.

use crate::api;
use crate::options::Options;
use crate::settings;
use chatd::chat::model::registration::Registration;
use chatd::executor::admin::api::Tokens;
use chatd::executor::boot::Stopper;
use chatd::storage::jwt::gate::Application;
use chatd_tls::Identity;
use clap::ArgMatches;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tracing::{info, warn};

/// Options that are taken up while the server runs; all others take a restart.
const TAKEN_UP: [&str; 10] = [
    "message-rate",
    "byte-rate",
    "lookup-rate",
    "change-rate",
    "guess-rate",
    "connect-rate",
    "address-connections",
    "group-rate",
    "log-format",
    "log-level",
];

/// What can be read again.
pub struct Reading {
    /// The options that the server has, if a file has some of them.
    pub before: Option<Box<ArgMatches>>,
    /// Its certificate.
    pub identity: Option<Arc<Identity>>,
    /// Whose signed word it takes.
    pub application: Option<Application>,
    /// Where its invitations are.
    pub invitations: Option<PathBuf>,
    /// Where the tokens of its API are, and which it takes.
    pub api_tokens: Option<(PathBuf, Tokens)>,
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

    /// Reads what can be read again, and says what cannot.
    pub fn read_again(&self) {
        let reading = self.0.lock().expect("the one thread that has it does not panic");
        if let Some(identity) = &reading.identity {
            read_certificate(identity);
        }
        if let Some(application) = &reading.application {
            read_keys(application);
        }
        if let Some(file) = &reading.invitations {
            read_invitations(file, &reading.cores);
        }
        if let Some((file, tokens)) = &reading.api_tokens {
            read_api_tokens(file, tokens);
        }
        match &reading.before {
            Some(before) => read_options(before, &reading.cores),
            None => info!(
                "SIGHUP received, the options stay as they are: there is no file to read them from again (--config), \
                 and what was typed or is in the environment takes a restart"
            ),
        }
    }
}

/// Reads the certificate again: whoever is connected stays so, and who connects from now on is shown the new one.
fn read_certificate(identity: &Identity) {
    let file = identity.file().display().to_string();
    match identity.read_again() {
        Ok(()) => info!("SIGHUP received, the certificate in {file} was read again"),
        Err(why) => warn!("SIGHUP received, the certificate stays as it was: {why}"),
    }
    if let Some(warning) = identity.warning() {
        warn!("{warning}");
    }
}

/// Reads the keys for tokens again: who is logged in stays so until its token is over, and who comes from now on needs one
/// that is signed with a key that is there now.
fn read_keys(application: &Application) {
    match application.reload() {
        Ok(()) => info!("SIGHUP received, the keys for jwt were read again: {}", application.keys()),
        Err(why) => warn!("SIGHUP received, the keys for jwt stay as they were: {why}"),
    }
}

/// Reads the invitations again.
fn read_invitations(file: &Path, cores: &Stopper) {
    match settings::invitations(file) {
        Ok(invitations) => {
            let count = invitations.iter().count();
            cores.set_registration(&Registration::Invited(invitations));
            info!("SIGHUP received, the invitations were read again: {count} in {}", file.display());
        }
        Err(why) => warn!("SIGHUP received, the invitations stay as they were: {why}"),
    }
}

/// Reads the tokens of the API again: what is asked for from now on needs one that is there now.
fn read_api_tokens(file: &Path, tokens: &Tokens) {
    match api::read(file) {
        Ok(others) => {
            tokens.replace(&others);
            info!(
                "SIGHUP received, the tokens of the API were read again: {} in {}",
                tokens.count(),
                file.display()
            );
        }
        Err(why) => warn!("SIGHUP received, the tokens of the API stay as they were: {why}"),
    }
}

/// Reads the options again. Those that are not taken up are compared with those of the start, so that they are told of
/// each time.
fn read_options(before: &ArgMatches, cores: &Stopper) {
    match Options::read_again(before) {
        Err(why) => warn!("SIGHUP received, the options stay as they were: {why}"),
        Ok((options, changed)) => {
            let (taken_up, others): (Vec<String>, Vec<String>) =
                changed.into_iter().partition(|name| TAKEN_UP.contains(&name.as_str()));
            cores.set_rates(options.rates());
            options.logging.take_effect();
            let taken_up =
                if taken_up.is_empty() { "no other rates".to_owned() } else { taken_up.join(", ") };
            info!("SIGHUP received, the options were read again: {taken_up} since the start");
            if !others.is_empty() {
                warn!("these take a restart: {}", others.join(", "));
            }
        }
    }
}
