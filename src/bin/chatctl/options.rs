//! What was typed: the command line of chatctl, unchecked but for its form.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What else --help says; the statuses are those of `exit.rs`.
const USERS_AND_STATUSES: &str = "\
A USER is a number (its id), ext:NAME (what your application calls it), or a name (name:7 is the name 7).

Exit status:
  0  done
  1  refused: the server says why, or the backup is not whole
  2  the command line makes no sense
  3  no answer: say it again with the same --cid, and it is done once";

/// Has a chatd do what its API can: users, tokens, groups, messages, sessions; and makes, verifies and restores backups of the
/// embedded store.
#[derive(Debug, Parser)]
#[command(version, after_help = USERS_AND_STATUSES)]
pub struct Options {
    /// The server's admin address.
    #[arg(
        long,
        value_name = "URL",
        global = true,
        env = "CHATCTL_URL",
        default_value = "http://127.0.0.1:6060"
    )]
    pub url: String,

    /// A file with a token of its API: a line of its --api-token-file, or the token alone.
    #[arg(long, value_name = "FILE", global = true, env = "CHATCTL_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,

    /// Its --api-socket, in the place of --url. [default: /run/chatd/api.sock, where it is and there is no token]
    #[arg(long, value_name = "PATH", global = true, env = "CHATCTL_SOCKET")]
    pub socket: Option<PathBuf>,

    /// Print what the server answers, as JSON.
    #[arg(long, global = true)]
    pub json: bool,

    /// How long to wait for an answer.
    #[arg(long, value_name = "SECONDS", global = true, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make users, shut them out, forget them.
    #[command(subcommand)]
    Users(Users),
    /// Give out tokens, and make them worthless.
    #[command(subcommand)]
    Tokens(Tokens),
    /// Make groups, and say who is in them.
    #[command(subcommand)]
    Groups(Groups),
    /// See who is there, and end sessions.
    #[command(subcommand)]
    Sessions(Sessions),
    /// Send a message in a user's name.
    Send(Send),
    /// Tell everybody something who is online, on all servers.
    Announce(Announce),
    /// Show a conversation as a user has it.
    History(History),
    /// Print all that is known of a user, a JSON object a line.
    Export(Of),
    /// Forget who a user was. What it said stays with those to whom it was said.
    Erase(Erase),
    /// Have the server end as SIGTERM does: all is stored, all sessions are told.
    Drain,
    /// Have any act of the API done: its name and its JSON.
    Call(Call),
    /// Copy the embedded store of a running server to a file, and verify the copy.
    Backup(Backup),
    /// Verify a backup.
    Verify(Verify),
    /// Put a backup, verified, into a data directory without a database.
    Restore(Restore),
}

/// `users`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// Make a user if there is none, without a password; or shut it out, or let it in again.
    Put(PutUser),
}

/// `users put`.
#[derive(Debug, Args)]
pub struct PutUser {
    /// Which user.
    #[arg(value_name = "USER")]
    pub user: String,
    /// What a new one is called.
    #[arg(long)]
    pub name: Option<String>,
    /// Shut it out: its sessions end, and nobody comes in as it.
    #[arg(long, conflicts_with = "enable")]
    pub disable: bool,
    /// Let it in again.
    #[arg(long)]
    pub enable: bool,
}

/// `tokens`.
#[derive(Debug, Subcommand)]
pub enum Tokens {
    /// A token, with which a device of a user comes in by RESUME.
    Issue(Issue),
    /// Make a token worthless, or all of a user's. Their sessions end.
    Revoke(Device),
}

/// `tokens issue`.
#[derive(Debug, Args)]
pub struct Issue {
    /// Whose.
    #[arg(value_name = "USER")]
    pub user: String,
    /// What the device is called.
    #[arg(long)]
    pub device: Option<String>,
    /// Your own name for this act: said again with the same one, the token is in the place of the one before.
    #[arg(long)]
    pub cid: Option<String>,
}

/// A user, and one of its devices or all of them.
#[derive(Debug, Args)]
pub struct Device {
    /// Whose.
    #[arg(value_name = "USER")]
    pub user: String,
    /// Which one. [default: all of them]
    #[arg(long, value_name = "ID")]
    pub deviceid: Option<String>,
}

/// `groups`.
#[derive(Debug, Subcommand)]
pub enum Groups {
    /// Make a group, or change what it is called and who may join.
    Put(PutGroup),
    /// Add members, remove them, or give them a role.
    Members(Members),
}

/// `groups put`.
#[derive(Debug, Args)]
pub struct PutGroup {
    /// Which one is changed. [default: the owner's one of this name, made if need be]
    #[arg(long, value_name = "ID")]
    pub groupid: Option<u64>,
    /// Whose it is.
    #[arg(long, value_name = "USER")]
    pub owner: String,
    /// What it is called.
    #[arg(long)]
    pub name: Option<String>,
    /// What it is about.
    #[arg(long)]
    pub desc: Option<String>,
    /// Who may join.
    #[arg(long, value_enum)]
    pub join: Option<Join>,
}

/// Who may join a group.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Join {
    /// Everybody.
    Open,
    /// Whom an admin lets in.
    Ask,
    /// Nobody.
    Closed,
}

/// `groups members`.
#[derive(Debug, Args)]
pub struct Members {
    /// Which group.
    #[arg(value_name = "GROUPID")]
    pub groupid: u64,
    /// In whose name: its owner, or an admin.
    #[arg(long, value_name = "USER")]
    pub by: String,
    /// Who joins.
    #[arg(long, value_name = "USER")]
    pub add: Vec<String>,
    /// Who leaves.
    #[arg(long, value_name = "USER")]
    pub remove: Vec<String>,
    /// What those who join are.
    #[arg(long, value_enum, requires = "add")]
    pub role: Option<Role>,
}

/// What a member is.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Role {
    /// One who runs the group.
    Admin,
    /// A member like others.
    Normal,
}

/// `sessions`.
#[derive(Debug, Subcommand)]
pub enum Sessions {
    /// Show the devices of a user, and which are online.
    List(Of),
    /// End the sessions of a user, or of one of its devices; they may come back.
    Kick(Device),
}

/// A user.
#[derive(Debug, Args)]
pub struct Of {
    /// Which user.
    #[arg(value_name = "USER")]
    pub user: String,
}

/// `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// In whose name.
    #[arg(long, value_name = "USER")]
    pub from: String,
    /// To whom.
    #[arg(long, value_name = "USER", required_unless_present = "group", conflicts_with = "group")]
    pub to: Option<String>,
    /// To which group.
    #[arg(long, value_name = "ID")]
    pub group: Option<u64>,
    /// The text; `-` is standard input.
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Of the application, kept with the message: a JSON object.
    #[arg(long, value_name = "JSON")]
    pub data: Option<String>,
    /// The place of the message that it replies to.
    #[arg(long, value_name = "POS")]
    pub reply: Option<u64>,
    /// Your own name for this act: said again with the same one, it is done once. [default: one that nobody has used]
    #[arg(long)]
    pub cid: Option<String>,
}

/// `announce`.
#[derive(Debug, Args)]
pub struct Announce {
    /// The text; `-` is standard input.
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Your own name for this act: said again with the same one, it is done once. [default: one that nobody has used]
    #[arg(long)]
    pub cid: Option<String>,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    /// As whom.
    #[arg(value_name = "USER")]
    pub user: String,
    /// With whom.
    #[arg(long = "with", value_name = "USER", required_unless_present = "group", conflicts_with = "group")]
    pub other: Option<String>,
    /// In which group.
    #[arg(long, value_name = "ID")]
    pub group: Option<u64>,
    /// Only what came before this place.
    #[arg(long, value_name = "POS")]
    pub before: Option<u64>,
    /// How many at most.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
}

/// `erase`.
#[derive(Debug, Args)]
pub struct Erase {
    /// Which user.
    #[arg(value_name = "USER")]
    pub user: String,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
}

/// `call`.
#[derive(Debug, Args)]
pub struct Call {
    /// The act: messages.send.
    #[arg(value_name = "ACT")]
    pub act: String,
    /// Its JSON object; `-` is standard input.
    #[arg(value_name = "JSON")]
    pub body: String,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// The copy. Nothing is overwritten.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The server's data directory.
    #[arg(long, value_name = "DIR", default_value = "./chatd-data", env = "CHATD_DATA")]
    pub data: PathBuf,
}

/// `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// A data directory without a database; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
}
