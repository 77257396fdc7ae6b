//! What was typed: the command line of chat-ring, unchecked but for its form.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Say which server nginx chooses, and what moves when its servers change.
///
/// With --conf and a command it answers from an nginx configuration. Alone it is a shell in which a
/// ring is put together by hand; from a pipe, a script of the same lines.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Options {
    /// The nginx configuration, with what it includes.
    #[arg(long, value_name = "FILE", global = true)]
    pub conf: Option<PathBuf>,

    /// Which upstream, as NAME, stream/NAME or http/NAME. [default: the only one, or the only one
    /// with `hash`]
    #[arg(long, value_name = "NAME", global = true)]
    pub upstream: Option<String>,

    /// Reckon with this `hash` instead of what the upstream says: '$remote_addr consistent'.
    #[arg(long, value_name = "KEY [consistent]", global = true)]
    pub hash: Option<String>,

    /// In the shell: whose ring.
    #[arg(long, value_enum, default_value_t = Whose::Nginx)]
    pub ring: Whose,

    /// In the shell, on nginx's ring: what of a client is hashed, with $remote_addr and $remote_port.
    #[arg(long, value_name = "TEXT", default_value = "$remote_addr")]
    pub key: String,

    /// What to say of --conf; without it, the shell.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Whose ring the shell has.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Whose {
    /// The one of `hash KEY consistent`.
    Nginx,
    /// The one of the original ConsistentHash.
    Seed,
}

/// What can be asked of a configuration.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Where keys go, and where next, when that server fails.
    Get(Get),
    /// What part of all keys each server has.
    Share(Share),
    /// How many keys move when the servers change, and which.
    Moves(Moves),
    /// The upstream's block as it is with the changes.
    Emit(Emit),
}

/// `get`.
#[derive(Debug, Args)]
pub struct Get {
    /// What the text after `hash` stands for: for $remote_addr an address, for
    /// $remote_addr:$remote_port an address with a port.
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,

    /// Keys from a file too, the first word of each line: an access log. `-` is standard input.
    #[arg(long = "keys", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// For programs: key, server and the next servers, apart by tabs.
    #[arg(long)]
    pub tsv: bool,

    /// What the upstream is to be like.
    #[command(flatten)]
    pub changes: Changes,
}

/// `share`.
#[derive(Debug, Args)]
pub struct Share {
    /// Draw it into this file too.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// What the upstream is to be like.
    #[command(flatten)]
    pub changes: Changes,
}

/// `moves`.
#[derive(Debug, Args)]
pub struct Moves {
    /// Count the keys of a file too, the first word of each line: an access log. `-` is standard
    /// input.
    #[arg(long = "keys", value_name = "FILE")]
    pub file: Option<PathBuf>,

    /// With --keys: show each key that moves, from where and to where, apart by tabs; nothing else.
    #[arg(long, requires = "file")]
    pub list: bool,

    /// Draw it into this file too.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,

    /// What changes.
    #[command(flatten)]
    pub changes: Changes,
}

/// `emit`.
#[derive(Debug, Args)]
pub struct Emit {
    /// What changes.
    #[command(flatten)]
    pub changes: Changes,
}

/// What is different from the configuration. Each may come several times.
#[derive(Debug, Default, Args)]
pub struct Changes {
    /// A server more, of this weight or 1.
    #[arg(long, value_name = "HOST:PORT[:WEIGHT]")]
    pub add: Vec<String>,

    /// A server less.
    #[arg(long, value_name = "HOST:PORT")]
    pub del: Vec<String>,

    /// Another weight.
    #[arg(long, value_name = "HOST:PORT:WEIGHT")]
    pub weight: Vec<String>,

    /// A server is down: marked so, failed or full.
    #[arg(long, value_name = "HOST:PORT")]
    pub down: Vec<String>,

    /// A server that is marked down is up.
    #[arg(long, value_name = "HOST:PORT")]
    pub up: Vec<String>,
}
