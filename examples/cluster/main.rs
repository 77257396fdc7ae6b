//! A whole cluster on this machine, to try: `cargo run --release --example cluster`.
//!
//! Starts MariaDB, Redis, two chatd and nginx in front of them, all on free ports and with what they
//! keep in temporary directories, and says what to type. Ctrl-C ends all of it and leaves nothing.

mod server;

/// As the tests start them.
use chatd_testing::services;

use server::{Server, Shared};
use services::install;
use services::mariadb::MariaDb;
use services::nginx::Nginx;
use services::redis::Redis;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("cluster: {why}");
            ExitCode::FAILURE
        }
    }
}

/// The parts, in the order in which they end: nobody loses what it needs.
struct Cluster {
    nginx: Nginx,
    servers: [Server; 2],
    redis: Redis,
    mariadb: MariaDb,
}

fn run() -> Result<(), String> {
    let missing = install::missing();
    if !missing.is_empty() {
        return Err(format!("this needs more programs: {}", install::advice(&missing)));
    }
    // Signals are caught before anything is started that has to be ended.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| error.to_string())?;
    let programs = build()?;
    let cluster = Cluster::start(&programs.join("chatd"))?;
    println!("{}", cluster.what_to_type(&programs));
    signals.forever().next();
    println!("\nending the cluster");
    Ok(())
}

/// Builds chatd and chat as this program was built; the directory that they are in.
fn build() -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
    let directory = own.parent().and_then(Path::parent).ok_or("this program lies in no target directory")?;
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo.args(["build", "--quiet", "--bin", "chatd", "--bin", "chat"]);
    cargo.args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")]);
    if directory.ends_with("release") {
        cargo.arg("--release");
    }
    println!("building chatd and chat, if that was not done before");
    match cargo.status() {
        Ok(status) if status.success() => Ok(directory.to_owned()),
        Ok(_) => Err("chatd cannot be built".to_owned()),
        Err(error) => Err(format!("cargo cannot be started: {error}")),
    }
}

impl Cluster {
    fn start(chatd: &Path) -> Result<Self, String> {
        println!("starting MariaDB, Redis, two chatd and nginx");
        let mariadb = MariaDb::start(&[])?;
        // Even if this program is killed.
        mariadb.outlives_nobody();
        let redis = Redis::start(&[])?;
        let shared = Shared { mysql: mariadb.url(&mariadb.make_database()), redis: redis.url() };
        let servers = [Server::start(chatd, "first", &shared)?, Server::start(chatd, "second", &shared)?];
        let nginx = Nginx::start(servers.each_ref().map(|server| server.address), |conf| conf)?;
        Ok(Self { nginx, servers, redis, mariadb })
    }

    fn what_to_type(&self, programs: &Path) -> String {
        let Self { nginx, servers: [first, second], redis, mariadb } = self;
        let chat = programs.join("chat");
        let (chat, socket) = (chat.display(), mariadb.socket());
        let (nc, redis_port) = (nginx.address.to_string().replace(':', " "), redis.address().port());
        let (a, b) = (first.address, second.address);
        format!(
            "
A cluster of two servers runs. Ctrl-C ends it, and nothing of it stays.

  nginx          {nginx_address}, in front of both
  first server   {a}, admin http://{first_admin}/ , process {first_pid}
  second server  {b}, admin http://{second_admin}/ , process {second_pid}

In two other terminals, each led to one of the servers in turn:

  {chat} {nginx_address}
  {chat} {nginx_address}

Or to one of them, whichever you like:

  {chat} {a}
  {chat} {b}

Or without a client, a frame a line:

  nc {nc}
  {{\"msgid\":4,\"name\":\"amy\",\"password\":\"green door\"}}
  {{\"msgid\":1,\"id\":1,\"password\":\"green door\"}}

And from behind:

  {chatd} top --admin {first_admin}
  redis-cli -p {redis_port} pubsub channels
  mariadb -uroot -S {socket} chat0 -e 'SELECT id, name FROM user'
  kill -9 {first_pid}      # its users log in again and find everything at the other server
",
            nginx_address = nginx.address,
            first_admin = first.admin,
            second_admin = second.admin,
            first_pid = first.pid(),
            second_pid = second.pid(),
            chatd = programs.join("chatd").display(),
            socket = socket.display(),
        )
    }
}
