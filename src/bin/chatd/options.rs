//! What was typed: the command line of chatd, unchecked but for its form.

use chatd::executor::metrics::Measuring;
use chatd::storage::password::Cost;
use clap::Parser;
use std::net::IpAddr;
use std::path::PathBuf;

/// A self-hosted chat server: one io_uring executor on each core, everything else embedded.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// How many cores serve: one executor each. More than there are CPUs share them.
    /// [default: every CPU that this process may use]
    #[arg(long, value_name = "N")]
    pub cores: Option<usize>,

    /// The TCP port of the clients; 0 picks one.
    #[arg(long, value_name = "P", default_value_t = 6000)]
    pub port: u16,

    /// The address to listen on. 0.0.0.0 or :: opens the server to the network.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    pub bind: IpAddr,

    /// Where the embedded store keeps everything; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "./chatd-data")]
    pub data: PathBuf,

    /// Delivers through Redis, to every server that uses the same one: redis://[user:password@]host:port/db.
    #[arg(long, value_name = "URL", env = "CHATD_REDIS", hide_env_values = true)]
    pub redis: Option<String>,

    /// What the names of this cluster's Redis channels begin with.
    #[arg(long, value_name = "TEXT", default_value = "chatd:")]
    pub redis_prefix: String,

    /// What hashing a password costs (argon2id). Weaker than the default starts with a warning.
    #[arg(long, value_name = "m=KiB,t=N,p=N", default_value = "m=19456,t=2,p=1")]
    pub password_cost: Cost,

    /// Whether the cores measure the latency of every stage. Off shows what measuring costs.
    #[arg(long, value_name = "on|off", default_value = "on", value_parser = measuring)]
    pub measure: Measuring,
}

fn measuring(text: &str) -> Result<Measuring, String> {
    match text {
        "on" => Ok(Measuring::On),
        "off" => Ok(Measuring::Off),
        _ => Err("on or off".to_owned()),
    }
}
