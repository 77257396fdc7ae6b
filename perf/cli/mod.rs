//! What may be typed: commands and flags, and nothing of what they come to.
//!
//! A flag takes the place of what the scenario's file says; `scenarios::settings` turns both into what is meant.

mod load;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::target::relay::{Ground, RingMode};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use load::Load;

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
    Run(Box<Run>),
    /// Drive the built-in relay that only moves bytes: what any server must pay on this machine
    Floor(Box<Floor>),
    /// Find the highest rate that keeps a latency
    Search(Box<Search>),
    /// Compare the latency of pushes while the store, a MariaDB, is healthy, slow and down
    Store(Box<Store>),
    /// Compare what others feel while one is no good neighbour, and in peace
    Flood(Flood),
    /// Compare what people feel while an application has messages sent through the API, and in peace; how long that takes
    Api(Api),
    /// Compare logins of another application's users, who come with what it has signed: EdDSA and HS256
    Jwt(Jwt),
    /// Compare what people feel, and what a message costs, with a webhook: one that takes all, one that is dead, one that is silent
    Webhook(Webhook),
    /// Let a server run for long while people come and go: memory, descriptors, threads
    Soak(Soak),
    /// Put reports side by side: a table, and a page
    Compare(Compare),
    /// Draw the latency curve of reports as one small picture
    Chart(Chart),
    /// Print the figures of reports as a table in Markdown
    Figures(Figures),
    /// Prove that this harness does not lie: a stalled server must show, and the generator must be fast and punctual
    SelfTest(SelfTest),
    /// What can be run
    Scenarios,
    /// The relay itself
    #[command(hide = true)]
    Relay {
        #[arg(long, num_args = 0..=1)]
        ring: Option<Option<RingMode>>,
    },
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

#[derive(Args)]
pub struct Run {
    /// A scenario (`chat-perf scenarios` lists them) or a file with one
    pub scenario: String,
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub outputs: Outputs,
    /// Interleave with another server and print the ratio of server CPU per delivered message
    #[arg(long, value_enum, conflicts_with = "addresses")]
    pub vs: Option<Versus>,
    /// Interleave with another chatd under a load that differs in this, as `pairs=50` or `server_cores=1`; may be repeated
    #[arg(long, conflicts_with_all = ["addresses", "vs"], value_name = "KEY=VALUE")]
    pub against: Vec<String>,
    /// Interleave with another build of chatd under the same load: what a change costs
    #[arg(long, conflicts_with_all = ["addresses", "vs", "against"], value_name = "PROGRAM")]
    pub against_build: Option<PathBuf>,
}

impl Run {
    /// Whether two servers are driven in turn.
    pub fn is_interleaved(&self) -> bool {
        self.vs.is_some() || !self.against.is_empty() || self.against_build.is_some()
    }
}

#[derive(Args)]
pub struct Floor {
    /// A scenario of pairs or groups
    pub scenario: String,
    /// Drive the relay on an io_uring, with the flags of chatd's rings: of the best mode that the kernel has, or of this one
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, value_name = "MODE")]
    pub ring: Option<Option<RingMode>>,
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub outputs: Outputs,
}

impl Floor {
    pub fn ground(&self) -> Ground {
        self.ring.map_or(Ground::Epoll, Ground::Ring)
    }
}

#[derive(Args)]
pub struct Search {
    /// A scenario in which people talk
    #[arg(default_value = "direct")]
    pub scenario: String,
    /// Latencies to keep, as 5ms or 800us
    #[arg(long, value_parser = time_ns)]
    pub p50: Option<u64>,
    #[arg(long, value_parser = time_ns)]
    pub p99: Option<u64>,
    #[arg(long = "p99.9", value_parser = time_ns)]
    pub p999: Option<u64>,
    /// Where to begin, in messages a second
    #[arg(long, default_value_t = 5_000.0)]
    pub from: f64,
    /// How near to each other the highest good and the lowest bad rate come, as a share
    #[arg(long, default_value_t = 0.05)]
    pub precision: f64,
    /// Search the relay's rate instead
    #[arg(long, conflicts_with = "addresses")]
    pub floor: bool,
    #[command(flatten)]
    pub server: Server,
    #[command(flatten)]
    pub load: Load,
    /// Write every step to this file as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
}

#[derive(Args)]
pub struct Store {
    /// How much later each answer of the slow store comes, in milliseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(20..=1_000))]
    pub delay_ms: u64,
    /// Beside the healthy store, only these
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Trouble>,
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub outputs: Outputs,
}

#[derive(Args)]
pub struct Flood {
    /// Who it is
    #[arg(value_enum)]
    pub kind: FloodKind,
    #[command(flatten)]
    pub load: Load,
}

/// Who is no good neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum FloodKind {
    /// 1,000 wrong passwords a second from 50 addresses; others log in meanwhile
    Guesses,
    /// One client says 10,000 messages a second, and may say 20
    Shouting,
    /// One more member of a group of a thousand does not read
    Stalled,
}

#[derive(Args)]
pub struct Api {
    /// Messages that the application has sent, a second
    #[arg(long, default_value_t = 5_000.0)]
    pub acts: f64,
    /// Connections to the API, which stay
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=256))]
    pub connections: u32,
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub outputs: Outputs,
}

#[derive(Args)]
pub struct Jwt {
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub outputs: Outputs,
}

#[derive(Args)]
pub struct Webhook {
    #[command(flatten)]
    pub load: Load,
    #[command(flatten)]
    pub outputs: Outputs,
}

#[derive(Args)]
pub struct Soak {
    /// How long
    #[arg(long, default_value_t = 30.0)]
    pub minutes: f64,
    /// How many of those who are connected come and go in a second, in per cent
    #[arg(long, default_value_t = 1.0)]
    pub churn: f64,
    #[command(flatten)]
    pub load: Load,
}

#[derive(Args)]
pub struct Compare {
    /// JSON reports; the first is what the others are compared to
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// Write the page to this file
    #[arg(long)]
    pub html: Option<PathBuf>,
}

#[derive(Args)]
pub struct Chart {
    /// JSON reports
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// Write the picture to this file
    #[arg(long)]
    pub svg: PathBuf,
}

#[derive(Args)]
pub struct Figures {
    /// JSON reports, of runs, searches and idle sessions
    #[arg(required = true)]
    pub reports: Vec<PathBuf>,
    /// What the links to the reports begin with
    #[arg(long, default_value = "")]
    pub link: String,
}

#[derive(Args)]
pub struct SelfTest {
    /// Only these
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Proof>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Proof {
    Pause,
    Rate,
    Lag,
}

/// What ails a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Trouble {
    /// Each of its answers comes so much later.
    Slow,
    /// Every connection to it is cut, and each new one too.
    Down,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Versus {
    /// The relay that only moves bytes
    Floor,
    /// The same relay on an io_uring with the flags of chatd's
    RingFloor,
    /// The same chatd with --measure off: what measuring costs
    MeasureOff,
    /// The same chatd without --tls and --ws: what those cost
    Plain,
}

#[derive(Args)]
pub struct Outputs {
    /// Write everything to this file as JSON
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Write one page with charts
    #[arg(long)]
    pub html: Option<PathBuf>,
    /// Write an interval log (HdrHistogram V2)
    #[arg(long)]
    pub hlog: Option<PathBuf>,
    /// Write percentiles as text that HdrHistogram's plotters read
    #[arg(long)]
    pub hgrm: Option<PathBuf>,
    /// Write all four: BASE.json, BASE.html, BASE.hlog and BASE.hgrm
    #[arg(long, value_name = "BASE")]
    pub out: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub struct Server {
    /// Drive servers that run already; users are dealt out to several in turn
    #[arg(long = "server", id = "addresses", value_name = "ADDR:PORT", value_delimiter = ',')]
    pub addresses: Vec<SocketAddr>,
    /// Start a cluster and drive that: two chatd, with MariaDB, Redis and nginx
    #[arg(long, conflicts_with = "addresses")]
    pub cluster: bool,
    /// Their process ids, if they cannot be found by their ports
    #[arg(long = "pid", requires = "addresses", value_delimiter = ',')]
    pub pids: Vec<u32>,
    /// Who has issued the certificate of a running server, as PEM
    #[arg(long, requires = "addresses", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Where a running server tells of its stages
    #[arg(long, requires = "addresses", value_name = "ADDR:PORT")]
    pub admin: Option<SocketAddr>,
    /// Of the chatd that this run starts; by default hashing costs next to nothing
    #[arg(long, conflicts_with = "addresses", value_name = "m=KiB,t=N,p=N")]
    pub password_cost: Option<String>,
    /// A further argument of the chatd that this run starts; may be repeated
    #[arg(long, conflicts_with = "addresses", allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub chatd: Vec<String>,
    /// Another chatd than the one beside this program; the second of a comparison says so.
    #[arg(skip)]
    pub program: Option<PathBuf>,
}

/// `5ms`, `800us`, `1.5s`.
fn time_ns(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|character: char| character.is_alphabetic() || character == 'µ');
    let unit_ns = match &text[digits.len()..] {
        "ns" => 1.0,
        "us" | "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return Err("a time has a unit: ns, us, ms or s".into()),
    };
    let value: f64 = digits.parse().map_err(|_| format!("{digits} is no number"))?;
    if value > 0.0 && value.is_finite() {
        Ok((value * unit_ns) as u64)
    } else {
        Err("a time is above 0".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn times_have_units() {
        assert_eq!((time_ns("5ms"), time_ns("1.5s")), (Ok(5_000_000), Ok(1_500_000_000)));
        assert_eq!((time_ns("800us"), time_ns("800µs")), (Ok(800_000), Ok(800_000)));
        assert!(["5", "ms", "-1ms", "0s", "5m"].into_iter().all(|text| time_ns(text).is_err()));
    }
}
