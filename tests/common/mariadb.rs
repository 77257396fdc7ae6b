//! A private MariaDB: its own directory, its own socket, a port that nobody else has, and gone
//! when the value is.
//!
//! Installs the Debian package if it is missing and this is root. Never touches a MariaDB that runs
//! already.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The user that the tests log in as, and its password.
pub const USER: &str = "chatd";
pub const PASSWORD: &str = "s3cret";

pub struct MariaDb {
    directory: PathBuf,
    port: u16,
    settings: Vec<String>,
    child: Option<Child>,
    databases: AtomicU64,
}

impl MariaDb {
    /// Starts one with these settings besides the usual (`--name=value`).
    pub fn start(settings: &[&str]) -> Self {
        install();
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("chatd-mariadb-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let made = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", directory.join("data").display()))
            .args(as_root())
            .output()
            .expect("mariadb-install-db is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let settings = settings.iter().map(|&setting| setting.to_owned()).collect();
        let port = free_port();
        let mut mariadb = Self { directory, port, settings, child: None, databases: AtomicU64::new(0) };
        mariadb.run();
        mariadb.sql(&format!(
            "CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}'; GRANT ALL ON *.* TO '{USER}'@'%'"
        ));
        mariadb
    }

    /// Starts the server, again if it was killed, and waits until it answers.
    pub fn run(&mut self) {
        let log =
            std::fs::File::options().create(true).append(true).open(self.directory.join("log")).unwrap();
        let child = Command::new(server())
            .arg("--no-defaults")
            .args(as_root())
            .arg(format!("--datadir={}", self.directory.join("data").display()))
            .arg(format!("--socket={}", self.socket().display()))
            .arg(format!("--pid-file={}", self.directory.join("pid").display()))
            .arg(format!("--port={}", self.port))
            .args([
                "--bind-address=127.0.0.1",
                "--innodb-buffer-pool-size=512M",
                "--innodb-log-file-size=512M",
            ])
            .args(["--skip-log-bin", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=1"])
            .args(&self.settings)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd is installed");
        self.child = Some(child);
        let start = Instant::now();
        while !self.try_sql("SELECT 1").is_ok_and(|said| said.contains('1')) {
            let ended = self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
            assert!(
                !ended && start.elapsed() < Duration::from_secs(60),
                "MariaDB does not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it hang (SIGSTOP), or go on.
    pub fn freeze(&self, freeze: bool) {
        let child = self.child.as_ref().expect("it runs");
        let signal = if freeze { "-STOP" } else { "-CONT" };
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    }

    /// Makes a new, empty database and returns its URL.
    pub fn database(&self) -> String {
        let name = format!("chat{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"));
        self.url(&name)
    }

    /// The URL of a database, over TCP.
    pub fn url(&self, database: &str) -> String {
        format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{}/{database}?prefer_socket=false", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn socket(&self) -> PathBuf {
        self.directory.join("socket")
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

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.directory));
    }
}

/// Root must say that it means it.
fn as_root() -> &'static [&'static str] {
    if is_root() { &["--user=root"] } else { &[] }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"))
}

fn server() -> PathBuf {
    let places = ["/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd", "/usr/libexec/mariadbd"];
    places
        .iter()
        .map(Path::new)
        .find(|path| path.exists())
        .map_or_else(|| "mariadbd".into(), Path::to_path_buf)
}

fn installed() -> bool {
    Command::new(server()).arg("--version").output().is_ok_and(|said| said.status.success())
        && Command::new("mariadb-install-db").arg("--help").output().is_ok()
}

fn install() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        if installed() {
            return;
        }
        assert!(
            is_root(),
            "these tests need MariaDB: apt-get install mariadb-server (its service need not run)"
        );
        let script = "apt-get update -q && apt-get install -y -q mariadb-server";
        let done = Command::new("sh")
            .args(["-c", script])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .output()
            .expect("a shell");
        assert!(
            done.status.success() && installed(),
            "mariadb-server could not be installed: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    });
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
