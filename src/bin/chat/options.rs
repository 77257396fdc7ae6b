//! What was typed: the command line of chat, unchecked but for its form.

use crate::exit;
use clap::Parser;
use std::path::PathBuf;

/// Talk to people on a chatd server.
///
/// On a terminal it asks; with its input from a file or a pipe it runs the same lines as a script
/// and waits for the answer to each.
#[derive(Debug, Parser)]
#[command(version, after_help = exit::TABLE)]
pub struct Options {
    /// HOST PORT, or HOST:PORT once or several times: they are tried in turn. tls://HOST:PORT is spoken to in TLS.
    /// [default: $CHAT_SERVER, or 127.0.0.1:6000]
    #[arg(value_name = "HOST:PORT")]
    pub servers: Vec<String>,

    /// Whose certificates are believed, in TLS: a file in PEM. [default: those whom this machine trusts]
    #[arg(long, value_name = "FILE", env = "CHAT_CA")]
    pub ca: Option<PathBuf>,

    /// One JSON object a line instead of lines for people; implies --script.
    #[arg(long)]
    pub json: bool,

    /// Run as a script on a terminal too: no prompts, no editing.
    #[arg(long)]
    pub script: bool,

    /// Log in even if you are logged in somewhere else: that session ends. On a terminal it asks.
    #[arg(long)]
    pub take_over: bool,

    /// Be one of several devices of yours that are logged in at once, and show what you say on the others. A session that does
    /// not say so is not replaced.
    #[arg(long, conflicts_with = "take_over")]
    pub multi: bool,

    /// What this device is called, in 1 to 50 characters. [default: with --multi the name of this machine]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,

    /// Log in with what is in this file, a JSON Web Token that another application has signed for you, and with what is in it
    /// by then when that expires.
    #[arg(long, value_name = "FILE")]
    pub jwt_file: Option<PathBuf>,

    /// An invitation, to register with a server that takes nobody without one.
    #[arg(long, value_name = "TEXT", env = "CHAT_INVITATION", hide_env_values = true)]
    pub invitation: Option<String>,

    /// In a script: go on after a line that failed; the first failure makes the exit status.
    #[arg(long)]
    pub keep_going: bool,

    /// In a script: how long to wait for a connection, and for an answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub timeout: u64,
}
