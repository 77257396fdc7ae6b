//! Servers that a cluster needs, each a private process of the test that started it: Redis and
//! nginx. (MariaDB is next door.) Installed by apt where they are missing and we may.

use super::DEADLINE;
use super::scratch::Scratch;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Instant;

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// Sees to it that a program of a Debian package is there.
pub fn install(program: &str, packages: &[&str]) {
    static APT: Mutex<()> = Mutex::new(());
    let _one_at_a_time = APT.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let found = |directory: &str| Path::new(directory).join(program).exists();
    if ["/usr/bin", "/usr/sbin", "/usr/local/bin"].into_iter().any(found) {
        return;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    let installed = apt(&install) || (apt(&["update", "-qq"]) && apt(&install));
    assert!(installed, "these tests need {program}: apt-get install {}", packages.join(" "));
}

/// No child outlives the thread that started it, however that ends.
fn dies_with_us(command: &mut Command) -> &mut Command {
    let prepare = || {
        // SAFETY: a system call on numbers.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        Ok(())
    };
    // SAFETY: what is called between fork and exec allocates nothing and takes no lock.
    unsafe { command.pre_exec(prepare) }
}

/// A Redis without persistence: restarted, it is empty.
pub struct Redis {
    child: Child,
    pub port: u16,
}

impl Redis {
    pub fn start() -> Self {
        install("redis-server", &["redis-server"]);
        let port = free_port();
        Self { child: Self::spawn(port), port }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    fn spawn(port: u16) -> Child {
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = dies_with_us(&mut command).spawn().expect("redis-server can be started");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("Ready to accept connections")), "redis-server did not start");
        // Nobody reads the rest; a full pipe must not stop it.
        std::thread::spawn(move || lines.for_each(drop));
        child
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child of ours");
        self.child.wait().expect("a child of ours");
    }

    pub fn start_again(&mut self) {
        self.child = Self::spawn(self.port);
    }

    /// What Redis answers to an inline command, as far as it comes in one read.
    pub fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("Redis listens");
        stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
        stream.write_all(format!("{command}\r\n").as_bytes()).expect("written");
        let mut answer = [0; 64 << 10];
        let bytes = stream.read(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer[..bytes]).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// nginx with the project's own nginx.conf, on other ports.
pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    _directory: Scratch,
}

impl Nginx {
    /// In front of the two servers; `change` may edit the configuration.
    pub fn start(servers: [SocketAddr; 2], change: impl FnOnce(String) -> String) -> Self {
        install("nginx", &["nginx", "libnginx-mod-stream"]);
        let port = free_port();
        let conf = include_str!("../../nginx.conf");
        for fixed in ["127.0.0.1:6000", "127.0.0.1:6002", "listen 8000 "] {
            assert!(conf.contains(fixed), "nginx.conf has {fixed}");
        }
        let conf = conf
            .replace("127.0.0.1:6000", &servers[0].to_string())
            .replace("127.0.0.1:6002", &servers[1].to_string())
            .replace("listen 8000 ", &format!("listen 127.0.0.1:{port} "));
        let directory = Scratch::new();
        fs::create_dir_all(directory.path()).expect("a temporary directory");
        fs::write(directory.path().join("nginx.conf"), change(conf)).expect("written");
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-g", "daemon off;"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = dies_with_us(&mut command).spawn().expect("nginx can be started");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + DEADLINE;
        while TcpStream::connect(address).is_err() {
            assert!(Instant::now() < deadline, "nginx did not start");
            std::thread::yield_now();
        }
        Self { child, address, _directory: directory }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // SIGTERM: the master takes its workers with it.
        // SAFETY: a system call on numbers.
        unsafe { libc::kill(self.child.id() as i32, libc::SIGTERM) };
        let _ = self.child.wait();
    }
}
