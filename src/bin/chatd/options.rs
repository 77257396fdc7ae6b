//! What was typed: the command line of chatd, unchecked but for its form.

#[path = "options/api.rs"]
mod api;
#[path = "options/hook.rs"]
mod hook;
#[path = "options/jwt.rs"]
mod jwt;
#[path = "options/logging.rs"]
mod logging;
#[path = "options/webhooks.rs"]
mod webhooks;

use chatd::chat::model::rate::{GroupRate, Rate, Rates};
use chatd::chat::model::retention::Retention;
use chatd::executor::boot::{Network, RingMode};
use chatd::executor::metrics::Measuring;
use chatd::storage::password::Cost;
use clap::{ArgMatches, Args, Parser, Subcommand, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

pub use api::ApiAt;
pub use hook::Hook;
pub use jwt::Jwt;
pub use logging::Logging;
pub use webhooks::Webhooks;

/// A self-hosted chat server: one io_uring executor on each core, everything else embedded.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Takes options from this file, in TOML: their names are those of the command line. What is typed and what is in the
    /// environment (CHATD_ and the name) goes before it. SIGHUP has it read again.
    #[arg(long, value_name = "FILE", env = "CHATD_CONFIG")]
    pub config: Option<PathBuf>,

    /// Says whether all options can be meant, and ends.
    #[arg(long)]
    pub check_config: bool,

    /// Prints all options as that file would have them, and where each comes from, and ends. Passwords are not shown.
    #[arg(long)]
    pub print_config: bool,

    /// Prints a file that has every option, and ends.
    #[arg(long, hide = true)]
    pub example_config: bool,

    /// How many cores serve: one executor each. More than there are CPUs share them.
    /// [default: every CPU that this process may use, or as many as a quota allows]
    #[arg(long, value_name = "N")]
    pub cores: Option<usize>,

    /// The TCP port of the clients; 0 picks one.
    #[arg(long, value_name = "P", default_value_t = 6000)]
    pub port: u16,

    /// The address to listen on. 0.0.0.0 or :: opens the server to the network.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// Speaks TLS, too, on the same port: the server's certificate and those that it was issued by, in PEM. SIGHUP has
    /// both files read again.
    #[arg(long, value_name = "FILE", env = "CHATD_TLS_CERT", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// The private key of that certificate, in PEM.
    #[arg(long, value_name = "FILE", env = "CHATD_TLS_KEY", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Refuses clear text from beyond this machine.
    #[arg(long, requires = "tls_cert")]
    pub require_tls: bool,

    /// Proxies, as addresses or networks: each says in a PROXY header (version 1 or 2), or in X-Forwarded-For, whom it
    /// speaks for, and is refused if it does not. Nobody else is believed.
    #[arg(long, value_name = "CIDR[,CIDR]", env = "CHATD_PROXY_FROM", value_delimiter = ',')]
    pub proxy_from: Vec<Network>,

    /// Messages that a session may send: so many a second, and so many at once. Off: as many as it likes.
    #[arg(long, value_name = "N:BURST|off", default_value = "off")]
    pub message_rate: Rate,

    /// Bytes of requests that are read from a session, likewise.
    #[arg(long, value_name = "N:BURST|off", default_value = "off")]
    pub byte_rate: Rate,

    /// Look-ups of a user (HISTORY, SYNC, FIND, MEMBERS, friends), and of an address ten times as many: likewise.
    #[arg(long, value_name = "N:BURST|off", default_value = "off")]
    pub lookup_rate: Rate,

    /// Changes by a user (friends, groups, blocks, passwords, devices), and by an address, registrations included, ten
    /// times as many: likewise.
    #[arg(long, value_name = "N:BURST|off", default_value = "off")]
    pub change_rate: Rate,

    /// Wrong passwords from an address on each core, likewise.
    #[arg(long, value_name = "N:BURST|off", default_value = "off")]
    pub guess_rate: Rate,

    /// New connections of an address on each core, likewise.
    #[arg(long, value_name = "N:BURST|off", default_value = "off")]
    pub connect_rate: Rate,

    /// Connections of an address at a time, for each core.
    #[arg(long, value_name = "N|off", default_value = "off", value_parser = most)]
    pub address_connections: Most,

    /// Bytes that a session may put into a group in a second; auto: 1 MiB, while its members are behind.
    #[arg(long, value_name = "auto|BYTES|off", default_value = "auto")]
    pub group_rate: GroupRate,

    /// Where the embedded store keeps everything; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "./chatd-data")]
    pub data: PathBuf,

    /// Keeps everything in MySQL or MariaDB, which several servers share: mysql://user:password@host:port/database,
    /// with ?require_ssl=true encrypted.
    #[arg(long, value_name = "URL", env = "CHATD_MYSQL", hide_env_values = true)]
    pub mysql: Option<String>,

    /// Delivers through Redis, to every server that uses the same one: redis://[user:password@]host:port/db, or
    /// rediss:// encrypted.
    #[arg(long, value_name = "URL", env = "CHATD_REDIS", hide_env_values = true)]
    pub redis: Option<String>,

    /// Whose certificates MySQL may show: a file in PEM. [default: those whom this machine trusts]
    #[arg(long, value_name = "FILE", env = "CHATD_MYSQL_CA")]
    pub mysql_ca: Option<PathBuf>,

    /// Whose certificates Redis may show: a file in PEM. [default: those whom this machine trusts]
    #[arg(long, value_name = "FILE", env = "CHATD_REDIS_CA")]
    pub redis_ca: Option<PathBuf>,

    /// What the names of this cluster's Redis channels begin with.
    #[arg(long, value_name = "TEXT", default_value = "chatd:")]
    pub redis_prefix: String,

    /// Which one-to-one messages are stored. Undelivered: one that its v2 reader confirms at once needs no row, and
    /// the history has gaps.
    #[arg(long, value_name = "all|undelivered", default_value = "all", value_parser = keep)]
    pub keep: Retention,
    /// Index no messages, and answer no SEARCH. All servers of a cluster must be told the same.
    #[arg(long)]
    pub no_search: bool,

    /// What hashing a password costs (argon2id). Weaker than the default starts with a warning.
    #[arg(long, value_name = "m=KiB,t=N,p=N", default_value = "m=19456,t=2,p=1")]
    pub password_cost: Cost,

    /// Who may register.
    #[command(flatten)]
    pub register: Registering,

    /// Whose signed word lets users in.
    #[command(flatten)]
    pub jwt: Jwt,

    /// Who is told of what happens.
    #[command(flatten)]
    pub webhooks: Webhooks,
    /// Who is asked about passwords.
    #[command(flatten)]
    pub hook: Hook,

    /// Whether the cores measure the latency of every stage. Off shows what measuring costs.
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = measuring)]
    pub measure: Measuring,

    /// Microseconds that a core looks for something to do before it sleeps: less latency for a CPU that is never idle
    /// under traffic.
    #[arg(long, value_name = "MICROSECONDS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub busy_poll: u64,

    /// What the rings use of the kernel: deferred, cooperative or plain. For tests; the most that it has otherwise.
    #[arg(long, value_name = "MODE", hide = true)]
    pub ring: Option<RingMode>,

    /// Where metrics, histograms and health are shown: an address of its own, or off.
    /// [default: 127.0.0.1:6060, if nobody else is there]
    #[arg(long, value_name = "ADDR:PORT|off", value_parser = admin)]
    pub admin: Option<AdminAt>,

    /// A name, or several with commas, that the admin address is asked by, besides loopback names and its own address:
    /// others are refused.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub admin_host: Vec<String>,

    /// Who may use the API, and where.
    #[command(flatten)]
    pub api: ApiAt,

    /// Whether the page to chat on is served, at http://ADDR:PORT/. WebSocket is spoken in either case.
    /// [default: on, if the server listens on loopback only]
    #[arg(long, value_name = "on|off", value_parser = on_or_off)]
    pub web: Option<bool>,

    /// A site whose pages may connect by WebSocket, besides this server's own: https://www.example.org; * is every one.
    /// May be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    pub web_origin: Vec<String>,

    /// Appends what every stage took in every interval: a log that HdrHistogram tools read.
    #[arg(long, value_name = "FILE")]
    pub latency_log: Option<PathBuf>,

    /// Seconds of an interval of that log.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub latency_log_interval: Duration,

    /// What the log is.
    #[command(flatten)]
    pub logging: Logging,

    /// Options that were typed, and not read from the environment, although they may hold a password.
    #[arg(skip)]
    pub typed_urls: Vec<&'static str>,

    /// All of them as they were parsed.
    #[arg(skip)]
    pub all: Option<Box<ArgMatches>>,
}

/// Who may register.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Register {
    /// Everybody.
    Open,
    /// Whoever has an invitation.
    Token,
    /// Nobody.
    Closed,
}

/// New users.
#[derive(Clone, Debug, Default, Args)]
pub struct Registering {
    /// Who may register: everybody, whoever has an invitation, or nobody.
    /// [default: open; beyond loopback, whoever connects from this machine]
    #[arg(long, value_name = "open|token|closed", env = "CHATD_REGISTRATION", hide_possible_values = true)]
    pub registration: Option<Register>,

    /// With --registration open: also beyond loopback.
    #[arg(long)]
    pub open_to_all: bool,

    /// The invitations of --registration token: a file, one a line.
    #[arg(
        long,
        value_name = "FILE",
        env = "CHATD_REGISTRATION_TOKENS",
        required_if_eq("registration", "token")
    )]
    pub registration_tokens: Option<PathBuf>,
}

impl Options {
    /// How often clients may do what.
    pub fn rates(&self) -> Rates {
        Rates {
            message: self.message_rate,
            byte: self.byte_rate,
            lookup: self.lookup_rate,
            change: self.change_rate,
            guess: self.guess_rate,
            connect: self.connect_rate,
            connections: self.address_connections.0,
            group: self.group_rate,
        }
    }

    /// The file of the invitations, if it takes one to register.
    pub fn invitations(&self) -> Option<PathBuf> {
        let Registering { registration, registration_tokens, .. } = &self.register;
        registration_tokens.clone().filter(|_| *registration == Some(Register::Token))
    }
}

/// How many there may be; 0 for as many as there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Most(pub u32);

/// What else there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes a certificate for this machine, to try TLS with: not one that others believe.
    DevCert(DevCert),
    /// Shows live what a running chatd does: cores, rates, latencies by stage, queues. q ends it.
    Top(Top),
}

/// What was typed after `dev-cert`.
#[derive(Clone, Debug, Args)]
pub struct DevCert {
    /// Where the files go; made if it is not there.
    #[arg(value_name = "DIR", default_value = "./chatd-dev-cert")]
    pub directory: PathBuf,
}

/// What was typed after `top`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Top {
    /// The admin address of the server.
    #[arg(long, value_name = "ADDR:PORT", default_value_t = crate::admin::DEFAULT)]
    pub admin: SocketAddr,

    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    pub interval: Duration,

    /// Prints one plain table, of one interval, and ends.
    #[arg(long)]
    pub once: bool,
}

/// Where the admin address is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AdminAt {
    /// Nowhere.
    Off,
    /// Here.
    Address(SocketAddr),
}

fn admin(text: &str) -> Result<AdminAt, String> {
    match text {
        "off" => Ok(AdminAt::Off),
        _ => text
            .parse()
            .map(AdminAt::Address)
            .map_err(|_| "an address and a port, such as [::1]:6060, or off".to_owned()),
    }
}

fn most(text: &str) -> Result<Most, String> {
    match text {
        "off" => Ok(Most(0)),
        _ => text
            .parse()
            .ok()
            .filter(|&most| most > 0)
            .map(Most)
            .ok_or_else(|| "a number from 1, or off".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds".to_owned())?;
    if (0.1..=3_600.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("0.1 to 3600 seconds".to_owned())
    }
}

fn keep(text: &str) -> Result<Retention, String> {
    match text {
        "all" => Ok(Retention::All),
        "undelivered" => Ok(Retention::Undelivered),
        _ => Err("all or undelivered".to_owned()),
    }
}

fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

/// An origin as browsers write it: a scheme, a name and perhaps a port, and nothing after that.
fn origin(text: &str) -> Result<String, String> {
    let is_origin = |(scheme, authority): (&str, &str)| {
        matches!(scheme, "http" | "https")
            && !authority.is_empty()
            && !authority.contains(['/', '?', '#', '@', ' '])
    };
    if text == "*" || text.split_once("://").is_some_and(is_origin) {
        Ok(text.to_owned())
    } else {
        Err("an origin such as https://www.example.org, with nothing after the name or port, or *".to_owned())
    }
}

fn measuring(text: &str) -> Result<Measuring, String> {
    match text {
        "on" => Ok(Measuring::On),
        "off" => Ok(Measuring::Off),
        _ => Err("on or off".to_owned()),
    }
}
