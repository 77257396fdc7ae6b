//! chatd: composes the cores and the store, says what it is, and stops when it is asked to.
//!
//! The only place where executor and storage meet. What was typed is in [`options`], what it means
//! in [`settings`]. `chatd top` is in [`top`].

mod admin;
mod api;
mod config;
mod cpus;
mod dev_cert;
mod files;
mod latency_log;
mod options;
mod reading;
mod screen;
mod settings;
mod siblings;
mod sources;
mod stopping;
mod top;
mod watchdog;

use chatd::chat::model::limits::Limits;
use chatd::executor::admin::Admin;
use chatd::executor::admin::api::{self as acts, Access, Api};
use chatd::executor::admin::health::Health;
use chatd::executor::boot::{self, Cores};
use chatd::executor::probe;
use chatd::executor::stop::StopSignals;
use chatd::storage::{self, worker::Running};
use chatd_process::log;
use chatd_process::panic_policy::{self, LAST_LINES};
use chatd_process::supervisor::News;
use latency_log::LatencyLog;
use options::{Command, Options};
use reading::Reading;
use settings::Settings;
use siblings::Siblings;
use std::error::Error;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Arc;
use stopping::Stopping;
use tracing::{error, info, warn};

fn main() -> ExitCode {
    log::install();
    let mut options = Options::read();
    options.logging.take_effect();
    let result = match options.command.take() {
        Some(Command::Top(wanted)) => top::run(wanted),
        Some(Command::DevCert(wanted)) => dev_cert::run(&wanted),
        None if options.check_config => check(options),
        None => run(options),
    };
    let code = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error}");
            ExitCode::FAILURE
        }
    };
    // Whether anybody reads it is not ours to wait for.
    log::flush(LAST_LINES);
    code
}

/// Says whether all options can be meant: files are read, and nothing is opened, listened on or changed.
fn check(options: Options) -> Result<(), Box<dyn Error>> {
    let settings = Settings::new(options, probe::raise_open_files())?;
    settings.warnings.iter().for_each(|warning| warn!("{warning}"));
    log::print("these options can be meant\n".to_owned());
    Ok(())
}

/// Everything that runs.
struct Server {
    cores: Cores,
    store: Running,
    health: Arc<Health>,
    admin: Option<Admin>,
    api: Option<Api>,
    latency_log: Option<LatencyLog>,
    siblings: Option<Siblings>,
}

fn run(options: Options) -> Result<(), Box<dyn Error>> {
    // Before any thread is started, so that none of them is killed by what asks all to stop.
    let signals = StopSignals::block()?;
    log::start(Limits::default().log_lines)?;
    panic_policy::install();
    let stopping = Stopping::start(signals)?;
    let open_files = probe::raise_open_files();
    let all = options.all.clone().filter(|_| options.config.is_some());
    let (invitations, api_tokens) = (options.invitations(), options.api.api_token_file.clone());
    let mut settings = Settings::new(options, open_files)?;
    probe::check(settings.cpus.len())?;
    let store = storage::open(settings.store())?;
    let described = store.describe();
    settings.warnings.extend(store.warnings());
    let server = start(&mut settings, store)?;
    let admin = server.admin.as_ref().map(|admin| admin.address);
    let screen = screen::text(&settings, server.cores.address, &described, admin);
    let reading = Reading {
        before: all,
        identity: settings.secrecy.identity.clone(),
        application: settings.application.clone(),
        invitations,
        api_tokens: api_tokens.map(|file| (file, settings.api_tokens.clone())),
        cores: server.cores.stopper(),
    };
    stopping.serving(reading);
    // The last line on stdout is what scripts wait for.
    log::print(format!("{screen}ready {}\n", server.cores.address));
    watchdog::tell(News::Ready);
    watchdog::start(server.cores.observer.clone())?;
    let signal = stopping.wait();
    watchdog::tell(News::Stopping);
    info!("{signal} received, finishing with every session");
    server.stop()
}

fn start(settings: &mut Settings, store: storage::Opened) -> Result<Server, Box<dyn Error>> {
    let listener = admin::listen(settings.admin, &settings.admin_hosts, &mut settings.warnings)?;
    let access = api_access(settings, listener.as_ref())?;
    let log = settings.latency_log.as_ref().map(|(path, interval)| {
        let file =
            latency_log::open(path).map_err(|error| format!("cannot write {}: {error}", path.display()));
        file.map(|file| (file, *interval))
    });
    let log = log.transpose()?;
    let (questions, asked) = flume::bounded(settings.limits.store_queue);
    let (queues, answers) = (0..settings.cpus.len()).map(|_| flume::unbounded()).unzip();
    let after = store.greatest_mid();
    let mut store = store.start(asked, queues)?;
    let config = boot::Config {
        address: settings.address,
        cpus: settings.cpus.clone(),
        limits: settings.limits.clone(),
        secrecy: settings.secrecy.clone(),
        site: settings.site.clone(),
        proxies: settings.proxies.clone(),
        rates: settings.rates,
        keep: settings.keep,
        registration: settings.registration.clone(),
        after,
        measuring: settings.measuring,
        ring: settings.ring,
        busy_poll: settings.busy_poll,
        delivery: settings.delivery.clone(),
        questions,
        answers,
    };
    let cores = boot::start(config)?;
    let (health, observer) = (admin::health(store.state()), &cores.observer);
    let api = access.map(|access| acts::start(access, cores.acts.clone())).transpose()?;
    let start_admin = |listener| {
        let (observer, health) = (observer.clone(), health.clone());
        admin::start(listener, observer, health, settings, &store, api.as_ref())
    };
    let admin = listener.map(start_admin).transpose()?;
    let latency_log =
        log.map(|(file, interval)| LatencyLog::start(file, interval, observer.clone())).transpose()?;
    let siblings = Siblings::start(settings, cores.address, store.siblings(), observer.clone())?;
    Ok(Server { store, health, admin, api, latency_log, siblings, cores })
}

/// Who may use the API, if anybody may.
fn api_access(
    settings: &mut Settings,
    listener: Option<&TcpListener>,
) -> Result<Option<Access>, Box<dyn Error>> {
    let address = listener.map(TcpListener::local_addr).transpose()?;
    let (tokens, socket) = (settings.api_tokens.clone(), settings.api_socket.clone());
    Ok(api::access(tokens, socket, address, &mut settings.warnings)?)
}

impl Server {
    /// First whoever sends clients here is told; then the cores, which hand over what their sessions
    /// leave; then the store, which writes it. The admin thread sees all of that.
    fn stop(self) -> Result<(), Box<dyn Error>> {
        self.health.drain();
        if let Some(log) = self.latency_log {
            log.stop();
        }
        self.cores.stopper().stop();
        let ended = self.cores.join();
        // It is no server any more: nobody may miss it.
        if let Some(siblings) = self.siblings {
            siblings.stop();
        }
        self.store.join().map_err(|_| "a storage thread has failed")?;
        ended?;
        if let Some(admin) = self.admin {
            admin.stop();
        }
        if let Some(api) = self.api {
            api.stop();
        }
        info!("stopped");
        Ok(())
    }
}
