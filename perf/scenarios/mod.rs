//! What can be run. A scenario composes target, load, measure and report; it owns no socket and no number.

mod api;
mod arrive;
mod bench;
pub mod file;
mod finish;
mod flood;
mod idle;
mod jwt;
mod progress;
mod proofs;
mod search;
mod settings;
mod side;
mod soak;
mod store;
mod talk;
mod visits;
mod webhook;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use crate::cli::{self, Versus};
use crate::load::{Door, Secrecy};
use crate::target::relay::Ground;
use crate::target::{Certificate, ChatdOptions, Cpus, Kind, Target};
use crate::wire::{Acks, Dialect, Framing};
use bench::Bench;
use file::Scenario;
use finish::Finish;
use settings::{Settings, Sides, Work};

pub use api::api;
pub use flood::flood;
pub use jwt::jwt;
pub use proofs::self_test;
pub use search::search;
pub use soak::soak;
pub use store::store;
pub use webhook::webhook;

/// How a run ended, as its exit code tells scripts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// Measured, and believable.
    Fine,
    /// Measured, but the generator's own lag could explain the figures.
    Invalid,
    /// Measured, but messages were lost, repeated or reordered, or errors came.
    Faulty,
    /// The harness has not proved what it should.
    Unproved,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> ExitCode {
        match ending {
            Ending::Fine => ExitCode::SUCCESS,
            Ending::Invalid => ExitCode::from(3),
            Ending::Faulty => ExitCode::from(4),
            Ending::Unproved => ExitCode::from(5),
        }
    }
}

pub fn run(flags: &cli::Run, stop: &AtomicBool) -> Result<Ending, String> {
    let sides = if flags.is_interleaved() { Sides::TwoInterleaved } else { Sides::One };
    let settings = settings(&flags.scenario, &flags.load, &flags.server, sides)?;
    match (flags.vs, settings.work) {
        (Some(Versus::Floor | Versus::RingFloor), _) => check_floor(&settings)?,
        (_, work) if flags.is_interleaved() && work != Work::Talk => {
            return Err(format!("in scenario {} nobody talks: there is nothing to compare", settings.name));
        }
        _ => {}
    }
    let _held = flags.load.precedence.take()?;
    let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let finish_as = Finish { is_pinned: true, frame_bytes: 0, outputs: finish::outputs(&flags.outputs)? };
    let chatd = chatd(&flags.server, &settings, &cpus, stop)?;
    match settings.work {
        Work::Talk if flags.is_interleaved() => {
            let (second, names) = second(flags, &settings, &cpus, stop)?;
            let sides = [(&settings, chatd), (&second.settings, second.target)];
            talk::versus(&bench, sides, names, finish_as)
        }
        Work::Talk => talk::run(&settings, &bench, chatd, finish_as),
        Work::Backlog => arrive::backlog(&settings, &bench, chatd, finish_as),
        Work::Logins | Work::Resumptions => arrive::arrivals(&settings, &bench, chatd, finish_as),
        Work::Idle => idle::run(&settings, &chatd, finish_as.outputs.json.as_deref(), stop),
    }
}

/// What is driven in turn with a chatd, and how.
struct Second {
    settings: Settings,
    target: Target,
}

/// The second side of a comparison, and what both sides are called.
fn second(
    flags: &cli::Run,
    first: &Settings,
    cpus: &Cpus,
    stop: &AtomicBool,
) -> Result<(Second, [&'static str; 2]), String> {
    let mut server = flags.server.clone();
    let mut settings = first.clone();
    let relay = |ground| Target::start_relay(ground, first.sources, &cpus.server, stop);
    let (target, names) = match flags.vs {
        Some(Versus::Floor) => (relay(Ground::Epoll)?, ["chatd", "relay"]),
        Some(Versus::RingFloor) => (relay(Ground::Ring(None))?, ["chatd", "ring-relay"]),
        Some(Versus::MeasureOff) => {
            server.chatd.extend(["--measure".to_owned(), "off".to_owned()]);
            (chatd(&server, &settings, cpus, stop)?, ["measure-on", "measure-off"])
        }
        Some(Versus::Plain) => {
            let name = match (settings.tls, settings.framing) {
                (Some(_), Framing::WebSocket) => "wss",
                (Some(_), Framing::Lines) => "tls",
                (None, Framing::WebSocket) => "ws",
                (None, Framing::Lines) => return Err("--vs plain compares --tls or --ws with neither".into()),
            };
            (settings.tls, settings.framing) = (None, Framing::Lines);
            (chatd(&server, &settings, cpus, stop)?, [name, "plain"])
        }
        None if flags.against_build.is_some() => {
            server.program = flags.against_build.clone();
            (chatd(&server, &settings, cpus, stop)?, ["chatd", "other build"])
        }
        None => {
            let mut scenario = flags.load.applied_to(Scenario::open(&flags.scenario)?)?;
            flags.against.iter().try_for_each(|line| scenario.set(line))?;
            settings = Settings::new(scenario, Sides::TwoInterleaved, flags.load.waiting)?;
            if (settings.work, settings.rounds) != (Work::Talk, first.rounds) {
                return Err("--against may change neither what is done nor how many rounds there are".into());
            }
            let cpus = Cpus::place(settings.server_cores, flags.load.load_threads)?;
            (chatd(&server, &settings, &cpus, stop)?, ["chatd", "varied"])
        }
    };
    Ok((Second { settings, target }, names))
}

pub fn floor(flags: &cli::Floor, stop: &AtomicBool) -> Result<Ending, String> {
    let scenario = flags.load.applied_to(Scenario::open(&flags.scenario)?)?;
    let settings = Settings::new(scenario, Sides::One, flags.load.waiting)?;
    check_floor(&settings)?;
    let _held = flags.load.precedence.take()?;
    // The relay has one thread, whatever the number of cores asked.
    let cpus = Cpus::place(1, flags.load.load_threads)?;
    let bench = Bench::new(&cpus, settings.waiting, stop);
    let finish_as = Finish { is_pinned: true, frame_bytes: 0, outputs: finish::outputs(&flags.outputs)? };
    let relay = Target::start_relay(flags.ground(), settings.sources, &cpus.server, stop)?;
    talk::run(&settings, &bench, relay, finish_as)
}

/// Says what can be run.
pub fn list() {
    for scenario in Scenario::all() {
        println!("{:<12} {}", scenario.name, scenario.get("what").unwrap_or_default());
        if let Some(needs) = scenario.get("needs") {
            println!("{:<12} needs {needs}", "");
        }
    }
    println!("Commands of their own, `chat-perf COMMAND --help`: {}", file::ELSEWHERE.join(", "));
}

fn settings(name: &str, load: &cli::Load, server: &cli::Server, sides: Sides) -> Result<Settings, String> {
    let scenario = load.applied_to(Scenario::open(name)?)?;
    if let Some(needs) = scenario.get("needs")
        && ((server.addresses.is_empty() && !server.cluster) || scenario.get("kind") == Some("none"))
    {
        return Err(format!("scenario {} needs {needs}", scenario.name));
    }
    let settings = Settings::new(scenario, sides, load.waiting)?;
    let servers = if server.cluster { 2 } else { server.addresses.len().max(1) };
    if settings.servers > servers {
        return Err(format!(
            "scenario {} needs {} servers: --cluster, or --server A,B",
            settings.name, settings.servers
        ));
    }
    Ok(settings)
}

/// A relay hears and tells, and does nothing else.
fn check_floor(settings: &Settings) -> Result<(), String> {
    let crowd = &settings.crowd;
    // A relay would pass on to a whole room what each of v2 confirms.
    let is_v2_room = settings.message.dialect == Dialect::V2 && crowd.groups.count > 0;
    let asks_more = settings.message.acks == Acks::Asked || settings.logins_per_s > 0.0 || is_v2_room;
    if settings.work != Work::Talk || crowd.to_absent + crowd.idle > 0 || asks_more {
        return Err(format!(
            "scenario {} has no floor: a relay stores nothing, acknowledges nothing and knows no logins",
            settings.name
        ));
    }
    Ok(())
}

fn chatd(
    server: &cli::Server,
    settings: &Settings,
    cpus: &Cpus,
    stop: &AtomicBool,
) -> Result<Target, String> {
    if server.addresses.is_empty() {
        let certificate = settings.tls.map(Certificate::make).transpose()?;
        let mut more = server.chatd.clone();
        if settings.shouts_in_groups() && !more.iter().any(|argument| argument.starts_with("--group-rate")) {
            eprintln!(
                "chat-perf: chatd is started with --group-rate off, or it would refuse some of this load"
            );
            more.extend(["--group-rate".to_owned(), "off".to_owned()]);
        }
        more.extend(certificate.iter().flat_map(|certificate| certificate.arguments.clone()));
        let options = ChatdOptions {
            secrecy: certificate.as_ref().map(|certificate| certificate.secrecy.clone()).unwrap_or_default(),
            password_cost: server.password_cost.clone(),
            more,
            program: server.program.clone(),
            ..settings.chatd_options()
        };
        return if server.cluster {
            Target::start_cluster(&options, settings.through, &cpus.server, stop)
        } else {
            Target::start_chatd(&options, &cpus.server, stop)
        };
    }
    let secrecy = match (settings.tls, &server.ca) {
        (None, _) => Secrecy::Clear,
        (Some(handshake), Some(authority)) => Secrecy::trusting(authority, handshake)?,
        (Some(_), None) => return Err("TLS with a server that runs already needs --ca FILE".into()),
    };
    let (addresses, sources) = (server.addresses.clone(), settings.sources);
    let door = Door { addresses, sources, framing: settings.framing, secrecy };
    let mut target = Target::running(Kind::Chatd, door, &server.pids);
    target.admin = server.admin;
    Ok(target)
}
