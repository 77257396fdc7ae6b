//! What is driven: a chatd or a cluster started here, servers that run already, or the relay that is the floor.
//!
//! Starts and stops processes and knows their addresses and ids. It never looks inside a message and never
//! measures.

mod certificate;
mod child;
mod cluster;
mod cpus;
pub mod launch;
mod precedence;
pub mod relay;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::load::{self, Crowd, Door, Fleet, Message, Secrecy};
use crate::measure::{Processes, Stages, pid_listening_on};
use crate::wire::{Framing, Speaker};

pub use certificate::Certificate;
use child::Child;
use cluster::Ground;
pub use cluster::{Backends, Proxy, Through};
pub use cpus::{Cpus, confine, pin_this_thread};
pub use precedence::{Precedence, niceness_words, step_back};

/// How the connections of a target are made ready.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Chatd,
    Relay,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Chatd => "chatd",
            Kind::Relay => "relay",
        }
    }
}

/// A server, or a cluster of them, that accepts connections. One that was started here stops when this is dropped.
pub struct Target {
    pub kind: Kind,
    pub door: Door,
    /// Empty where the processes are on another machine, or hidden from this user.
    pub processes: Processes,
    /// `None`: not pinned by this harness.
    pub cpus: Option<Vec<usize>>,
    /// Where the server tells of its stages, if it does.
    pub admin: Option<SocketAddr>,
    children: Vec<Child>,
    _ground: Option<Ground>,
}

/// How a chatd is to be started.
#[derive(Clone, Debug)]
pub struct ChatdOptions {
    pub cores: usize,
    pub sources: u32,
    pub framing: Framing,
    pub secrecy: Secrecy,
    /// As chatd's own flag; the default is worth nothing, and quick.
    pub password_cost: Option<String>,
    /// Handed to chatd as they are.
    pub more: Vec<String>,
    /// Options that name a file, and what is in it: written beside its data, and gone with it.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Another chatd than the one that lies beside this program.
    pub program: Option<PathBuf>,
}

impl ChatdOptions {
    fn door(&self, addresses: Vec<SocketAddr>) -> Door {
        let secrecy = self.secrecy.clone();
        Door { addresses, sources: self.sources, framing: self.framing, secrecy }
    }
}

impl Target {
    /// Starts a chatd: the one that lies beside this program, unless the options name another.
    pub fn start_chatd(options: &ChatdOptions, cpus: &[usize], stop: &AtomicBool) -> Result<Target, String> {
        let (child, address, admin) = start_one(options, &[], cpus, stop)?;
        Ok(Target { admin, ..Target::of_child(Kind::Chatd, options.door(vec![address]), cpus, child) })
    }

    /// Starts the relay, a process of its own so that its CPU time is measured as a server's is.
    pub fn start_relay(
        ground: relay::Ground,
        sources: u32,
        cpus: &[usize],
        stop: &AtomicBool,
    ) -> Result<Target, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let mut child = Child::prepare(Kind::Relay)?;
        let mut arguments: Vec<OsString> = vec!["relay".into()];
        match ground {
            relay::Ground::Epoll => {}
            relay::Ground::Ring(None) => arguments.push("--ring".into()),
            relay::Ground::Ring(Some(mode)) => arguments.extend(["--ring".into(), mode.word().into()]),
        }
        let address = child.start(&program, arguments, &[], cpus, stop)?;
        Ok(Target::of_child(
            Kind::Relay,
            Door { addresses: vec![address], sources, framing: Framing::Lines, secrecy: Secrecy::Clear },
            cpus,
            child,
        ))
    }

    fn of_child(kind: Kind, door: Door, cpus: &[usize], child: Child) -> Target {
        let processes = Processes::of(child.pid());
        Target {
            kind,
            door,
            processes,
            cpus: Some(cpus.to_vec()),
            admin: None,
            children: vec![child],
            _ground: None,
        }
    }

    /// Servers that run already. Their processes are looked for unless their ids are given.
    pub fn running(kind: Kind, door: Door, pids: &[u32]) -> Target {
        let mut pids = pids.to_vec();
        if pids.is_empty() {
            let found: Option<Vec<u32>> =
                door.addresses.iter().map(|address| pid_listening_on(*address)).collect();
            let mut found = found.unwrap_or_default();
            found.sort_unstable();
            found.dedup();
            pids = found;
        }
        Target {
            kind,
            door,
            processes: Processes::of(pids),
            cpus: None,
            admin: None,
            children: Vec::new(),
            _ground: None,
        }
    }

    /// Connects a crowd and makes it ready to talk. Gives its fleet, and all of its users.
    pub fn connect(
        &self,
        crowd: &Crowd,
        message: &Message,
        stop: &AtomicBool,
    ) -> Result<(Fleet, Vec<Speaker>), String> {
        let prefix = load::name_prefix();
        let (speakers, enlisted, groups) = match self.kind {
            Kind::Chatd => {
                let speakers = load::register(&self.door, &prefix, crowd.users(), stop)?;
                let mut enlisted =
                    load::log_in(&self.door, &speakers[..crowd.connected()], message.dialect, stop)?;
                let groups: Result<Vec<i64>, String> = (0..crowd.groups.count)
                    .map(|group| crowd.group_users(group))
                    .map(|users| load::gather(&mut enlisted[users.clone()], &speakers[users], stop))
                    .collect();
                (speakers, enlisted, groups?)
            }
            // Nobody is registered at a relay; names and ids are as long as chatd's, so the bytes are as many.
            Kind::Relay => {
                assert!(crowd.to_absent + crowd.idle == 0, "a relay has neither absent nor idle users");
                let name = |number: usize| format!("{prefix}{number:05}");
                let speakers =
                    (0..crowd.users()).map(|number| Speaker { id: number as i64 + 1, name: name(number) });
                let pairs = (0..crowd.pairs).map(|_| 2);
                let groups = (0..crowd.groups.count).map(|_| crowd.groups.members as usize);
                let enlisted = load::fill_rooms(&self.door, pairs.chain(groups), stop)?;
                (speakers.collect(), enlisted, (1..=i64::from(crowd.groups.count)).collect())
            }
        };
        let fleet = Fleet::new(crowd, enlisted, &speakers, &groups, message)
            .map_err(|error| format!("cannot watch {} connections: {error}", crowd.connected()))?;
        Ok((fleet, speakers))
    }

    /// What the server says of its stages. `None` if it says nothing.
    pub fn stages(&self) -> Option<Stages> {
        let fetched = Stages::fetch(self.admin?);
        fetched.inspect_err(|reason| eprintln!("chat-perf: no stages: {reason}")).ok()
    }

    /// How the server was started, for the report.
    pub fn description(&self) -> String {
        let origin = if !self.children.is_empty() { "started by this run" } else { "running already" };
        let commands: Vec<String> = self
            .processes
            .servers
            .iter()
            .filter_map(|process| process.command_line())
            .map(|line| without_launcher(&line))
            .collect();
        let commands = if commands.is_empty() { "process unknown".into() } else { commands.join("; ") };
        let addresses: Vec<String> = self.door.addresses.iter().map(SocketAddr::to_string).collect();
        format!("{} at {}, {origin}: {commands}", self.kind.word(), addresses.join(", "))
    }
}

/// Starts a chatd with this in its environment; where it listens, for clients and for those who look after it.
fn start_one(
    options: &ChatdOptions,
    environment: &[(&str, String)],
    cpus: &[usize],
    stop: &AtomicBool,
) -> Result<(Child, SocketAddr, Option<SocketAddr>), String> {
    let program = options.program.clone().map_or_else(|| beside_this_program("chatd"), Ok)?;
    let mut child = Child::prepare(Kind::Chatd)?;
    let cost = options.password_cost.as_deref().unwrap_or("m=8,t=1,p=1");
    let data = child.directory().join("data").into_os_string();
    let mut arguments: Vec<OsString> =
        ["--cores", &options.cores.to_string(), "--port", "0", "--password-cost", cost]
            .map(OsString::from)
            .to_vec();
    arguments.extend(["--data".into(), data]);
    let admin = if knows_admin(&program) { Some(free_port()?) } else { None };
    if let Some(admin) = admin {
        arguments.extend(["--admin".into(), admin.to_string().into()]);
    }
    arguments.extend(options.more.iter().map(OsString::from));
    for (option, contents) in &options.files {
        arguments.extend([option.into(), child.write(option.trim_start_matches('-'), contents)?.into()]);
    }
    let address = child.start(&program, arguments, environment, cpus, stop)?;
    Ok((child, address, admin))
}

/// Whether this chatd has an admin address.
fn knows_admin(program: &std::path::Path) -> bool {
    let help = std::process::Command::new(program).arg("--help").output();
    help.is_ok_and(|help| String::from_utf8_lossy(&help.stdout).contains("--admin"))
}

/// A port that nobody has at this moment.
fn free_port() -> Result<SocketAddr, String> {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port for the server's admin address: {error}"))
}

/// Only the programs' own names: where they lie is nobody's business in a report.
fn without_launcher(command_line: &str) -> String {
    let mut words = command_line.split(' ');
    let program = words.next().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}

fn beside_this_program(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let path = own.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(format!(
        "there is no {name} beside this program ({}). Build it with `cargo build --release --bin {name}`, \
         or drive a running one with --server ADDR:PORT.",
        path.display()
    ))
}
