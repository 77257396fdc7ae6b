//! A private MariaDB: its own directory, its own socket, and a port that nobody else has.

use super::scratch::Scratch;
use super::{LOOK, START, again_and_again, free_port, install, signal, spawn};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Who logs in, and with what.
pub const USER: &str = "chatd";
pub const PASSWORD: &str = "s3cret";

pub struct MariaDb {
    child: Option<Child>,
    directory: Scratch,
    port: u16,
    settings: Vec<String>,
    databases: AtomicU64,
}

impl MariaDb {
    /// Starts one with these settings besides the usual (`--name=value`).
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(settings: &[&str]) -> Result<Self, String> {
        let directory = Scratch::new();
        // When one starts it removes what it takes for the rest of an earlier one's temporary tables, in a
        // directory that all of this machine would share.
        let temporary = directory.path().join("tmp");
        std::fs::create_dir(&temporary).map_err(|error| format!("{}: {error}", temporary.display()))?;
        let made = Command::new("mariadb-install-db")
            .env("TMPDIR", &temporary)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", directory.path().join("data").display()))
            .args(as_root())
            .output()
            .map_err(|error| format!("mariadb-install-db cannot be started: {error}"))?;
        if !made.status.success() {
            return Err(format!("mariadb-install-db: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let (port, databases) = (free_port(), AtomicU64::new(0));
        let mut mariadb = Self { child: None, directory, port, settings, databases };
        // Somebody else may have been given the same port meanwhile.
        again_and_again(|| {
            mariadb.port = free_port();
            mariadb.run()
        })?;
        mariadb.sql(&format!(
            "CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO '{USER}'@'%'"
        ));
        Ok(mariadb)
    }

    /// Starts the server, again if it was killed, and waits until it answers.
    ///
    /// # Errors
    /// If it does not start.
    pub fn run(&mut self) -> Result<(), String> {
        let failed = |error| format!("the log of MariaDB cannot be written: {error}");
        let log = std::fs::File::options().create(true).append(true).open(self.log_path()).map_err(failed)?;
        let program = install::find("mariadbd").unwrap_or_else(|| "mariadbd".into());
        let mut command = Command::new(program);
        command
            .env("TMPDIR", self.directory.path().join("tmp"))
            .arg("--no-defaults")
            .args(as_root())
            .arg(format!("--datadir={}", self.directory.path().join("data").display()))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--pid-file={}", self.directory.path().join("pid").display()))
            .arg(format!("--port={}", self.port))
            .args(["--bind-address=127.0.0.1", "--skip-log-bin", "--skip-name-resolve"])
            .arg("--innodb-flush-log-at-trx-commit=1")
            .args(&self.settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.child = Some(spawn(&mut command)?);
        let deadline = Instant::now() + START;
        while !self.try_sql("SELECT 1").is_ok_and(|said| said.contains('1')) {
            let ended = self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|s| s.is_some()));
            if ended || Instant::now() > deadline {
                let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
                return Err(format!("MariaDB does not start: {log}"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Has its directory removed when this process ends: for one in a `static`.
    pub fn outlives_nobody(&self) {
        self.directory.outlives_nobody();
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, libc::SIGKILL);
            child.wait().expect("a child of ours");
        }
    }

    /// Lets it hang.
    pub fn freeze(&self) {
        signal(self.child.as_ref().expect("it runs"), libc::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        signal(self.child.as_ref().expect("it runs"), libc::SIGCONT);
    }

    /// Makes a new, empty database and returns its name.
    pub fn make_database(&self) -> String {
        let name = format!("chat{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        name
    }

    /// A user who may do everything with one database and nothing else, and who `init_connect` and
    /// `read_only` are for, and its URL.
    pub fn plain_user(&self, database: &str, address: SocketAddr) -> String {
        self.sql(&format!(
            "CREATE USER IF NOT EXISTS plain IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON {database}.* TO plain"
        ));
        format!("mysql://plain:{PASSWORD}@{address}/{database}")
    }

    /// The URL of a database, over TCP.
    pub fn url(&self, database: &str) -> String {
        self.url_by_way_of(self.address(), database)
    }

    /// The URL of a database, behind something else at `address`.
    pub fn url_by_way_of(&self, address: SocketAddr, database: &str) -> String {
        format!("mysql://{USER}:{PASSWORD}@{address}/{database}")
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    fn log_path(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Runs SQL as its administrator and returns what that prints.
    pub fn sql(&self, sql: &str) -> String {
        self.try_sql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn try_sql(&self, sql: &str) -> Result<String, String> {
        let done = Command::new("mariadb")
            .args(["--no-defaults", "--skip-column-names", "--batch", "-uroot", "-e", sql])
            .arg(format!("--socket={}", self.socket().display()))
            .output()
            .map_err(|error| error.to_string())?;
        if done.status.success() {
            Ok(String::from_utf8_lossy(&done.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&done.stderr).into_owned())
        }
    }
}

/// A session that keeps what it has locked until it is dropped.
pub struct Holder(Child);

impl MariaDb {
    /// Begins a transaction of somebody else with this statement, and leaves it open.
    pub fn hold(&self, database: &str, sql: &str) -> Holder {
        let mut command = Command::new("mariadb");
        command
            .args(["--no-defaults", "--skip-column-names", "--batch", "--unbuffered", "-uroot", database])
            .arg(format!("--socket={}", self.socket().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = spawn(&mut command).expect("a session");
        let text = format!("BEGIN;\n{sql};\nSELECT 'it is held';\n");
        child.stdin.as_mut().expect("a pipe").write_all(text.as_bytes()).expect("a session that listens");
        let said = BufReader::new(child.stdout.as_mut().expect("a pipe"));
        let held = said.lines().map_while(Result::ok).any(|line| line == "it is held");
        assert!(held, "{sql}: it was not carried out");
        Holder(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Its end rolls back what it began.
        signal(&self.0, libc::SIGKILL);
        let _ = self.0.wait();
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Root must say that it means it.
fn as_root() -> &'static [&'static str] {
    // SAFETY: a system call without arguments.
    if unsafe { libc::geteuid() } == 0 { &["--user=root"] } else { &[] }
}
