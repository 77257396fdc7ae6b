//! What may be typed: commands and flags, and nothing of what they come to.
//!
//! `scenarios::settings` turns them into what is meant.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::load::Waiting;
use crate::plan::Arrival;

#[derive(Parser)]
#[command(
    name = "chat-perf",
    version,
    about = "The load harness of chatd: open-loop latency and CPU per message"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Drive a chatd, one of its own if no --server is given
    Run {
        #[command(subcommand)]
        scenario: RunScenario,
    },
    /// Drive the built-in relay that only moves bytes: what any server must pay on this machine
    Floor {
        #[command(subcommand)]
        scenario: FloorScenario,
    },
    /// The relay itself
    #[command(hide = true)]
    Relay,
    /// Becomes a server, confined to CPUs and bound to die with the harness
    #[command(hide = true)]
    Launch {
        #[arg(long)]
        parent: u32,
        #[arg(long, value_delimiter = ',')]
        cpus: Vec<usize>,
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

#[derive(Subcommand)]
pub enum RunScenario {
    /// Pairs of users, each sender talking to its partner
    Direct(RunDirect),
    /// Logged-in users that do nothing: resident memory a session
    Idle(RunIdle),
}

#[derive(Subcommand)]
pub enum FloorScenario {
    /// The same as `run direct`, against the relay
    Direct(Load),
}

#[derive(Args)]
pub struct RunDirect {
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    pub load: Load,
    /// Interleave with the relay and print the ratio of server CPU per delivered message
    #[arg(long, value_enum, conflicts_with = "address")]
    pub vs: Option<Versus>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Versus {
    Floor,
}

#[derive(Args)]
pub struct RunIdle {
    #[command(flatten)]
    pub server: Server,
    /// Users to log in
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub users: u32,
    /// Cores of the chatd that this run starts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub server_cores: u16,
    /// Seconds to idle before memory is read
    #[arg(long, default_value_t = 3.0)]
    pub duration: f64,
    /// Write everything to this file as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
}

#[derive(Args)]
pub struct Server {
    /// Drive a chatd that runs already
    #[arg(long = "server", id = "address", value_name = "ADDR:PORT")]
    pub address: Option<SocketAddr>,
    /// Its process id, if it cannot be found by its port
    #[arg(long, requires = "address")]
    pub pid: Option<u32>,
}

#[derive(Args)]
pub struct Load {
    /// Messages a second over all pairs, open loop: latency counts from the intended send time
    #[arg(long, default_value_t = 10_000.0, conflicts_with = "closed")]
    pub rate: f64,
    /// How the sends of a pair are spaced
    #[arg(long, value_enum, default_value_t = Arrival::Poisson, conflicts_with = "closed")]
    pub arrival: Arrival,
    /// Closed loop: the next message of a pair leaves when one has come
    #[arg(long)]
    pub closed: bool,
    /// Closed loop: messages under way a pair
    #[arg(long, default_value_t = 1, requires = "closed", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub under_way: u32,
    /// Pairs of a sender and a receiver
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    pub pairs: u32,
    /// The same in users: two a pair
    #[arg(long, conflicts_with = "pairs", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    pub users: Option<u32>,
    /// Bytes of message text; the default makes frames of about 128 bytes
    #[arg(long, default_value_t = 34)]
    pub size: usize,
    /// Seconds measured, a round [default: 10, or 2 with --vs]
    #[arg(long)]
    pub duration: Option<f64>,
    /// Seconds of warm-up before each round is measured [default: 1, or 0.5 with --vs]
    #[arg(long)]
    pub warmup: Option<f64>,
    /// Rounds [default: 1, or 7 with --vs]
    #[arg(long)]
    pub rounds: Option<u32>,
    /// Seed of the plan of send times
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Cores of the chatd that this run starts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub server_cores: u16,
    /// What the load thread does while nothing is due
    #[arg(long, value_enum, default_value_t = Waiting::Sleep)]
    pub waiting: Waiting,
    /// Write everything to this file as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
}
