//! What is driven: a chatd started here, a chatd that runs already, or the relay that is the floor.
//!
//! Starts and stops processes and knows their addresses and ids. It never looks inside a message and never
//! measures.

mod child;
mod cpus;
pub mod launch;
pub mod relay;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use crate::load::{self, Fleet, Message};
use crate::measure::{Process, pid_listening_on};
use crate::wire::Speaker;

use child::Child;
pub use cpus::{Cpus, niceness_words, pin_this_thread};

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

/// A server that accepts connections. One that was started here stops when this is dropped.
pub struct Target {
    pub kind: Kind,
    pub address: SocketAddr,
    /// `None` where the process is on another machine, or hidden from this user.
    pub process: Option<Process>,
    /// `None`: not pinned by this harness.
    pub cpus: Option<Vec<usize>>,
    child: Option<Child>,
}

impl Target {
    /// Starts the chatd that lies beside this program.
    pub fn start_chatd(cores: usize, cpus: &[usize], stop: &AtomicBool) -> Result<Target, String> {
        let program = beside_this_program("chatd")?;
        let mut child = Child::prepare(Kind::Chatd)?;
        let arguments = vec![
            "--cores".into(),
            cores.to_string().into(),
            "--port".into(),
            "0".into(),
            "--data".into(),
            child.directory().join("data").into_os_string(),
            "--password-cost".into(),
            "m=8,t=1,p=1".into(),
        ];
        let address = child.start(&program, arguments, cpus, stop)?;
        Ok(Target::of_child(Kind::Chatd, address, cpus, child))
    }

    /// Starts the relay, a process of its own so that its CPU time is measured as a server's is.
    pub fn start_relay(cpus: &[usize], stop: &AtomicBool) -> Result<Target, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let mut child = Child::prepare(Kind::Relay)?;
        let address = child.start(&program, vec!["relay".into()], cpus, stop)?;
        Ok(Target::of_child(Kind::Relay, address, cpus, child))
    }

    fn of_child(kind: Kind, address: SocketAddr, cpus: &[usize], child: Child) -> Target {
        let process = child.pid().map(|pid| Process { pid });
        Target { kind, address, process, cpus: Some(cpus.to_vec()), child: Some(child) }
    }

    /// A server that runs already. Its process is looked for unless its id is given.
    pub fn running(kind: Kind, address: SocketAddr, pid: Option<u32>) -> Target {
        let process = pid.or_else(|| pid_listening_on(address)).map(|pid| Process { pid });
        Target { kind, address, process, cpus: None, child: None }
    }

    /// Connects `pairs` pairs of users and makes them ready to talk.
    pub fn connect(&self, pairs: usize, message: &Message, stop: &AtomicBool) -> Result<Fleet, String> {
        let users = 2 * pairs;
        let prefix = load::name_prefix();
        let (speakers, enlisted) = match self.kind {
            Kind::Chatd => {
                let speakers = load::register(self.address, &prefix, users, stop)?;
                let enlisted = load::log_in(self.address, &speakers, stop)?;
                (speakers, enlisted)
            }
            // Nobody is registered at a relay; names and ids are as long as chatd's, so the bytes are as many.
            Kind::Relay => {
                let name = |number: usize| format!("{prefix}{number:05}");
                let speakers = (0..users).map(|number| Speaker { id: number as i64 + 1, name: name(number) });
                (speakers.collect(), load::pair_up(self.address, pairs, stop)?)
            }
        };
        Fleet::new(enlisted, &speakers, message)
            .map_err(|error| format!("cannot watch {users} connections: {error}"))
    }

    /// How the server was started, for the report.
    pub fn description(&self) -> String {
        let origin = if self.child.is_some() { "started by this run" } else { "running already" };
        let command = self.process.and_then(Process::command_line);
        let command = command.map_or_else(|| "process unknown".into(), |line| without_launcher(&line));
        format!("{} at {}, {origin}: {command}", self.kind.word(), self.address)
    }
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
