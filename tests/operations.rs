//! The tasks of docs/operations.md: each command there is typed, in the order of the page, on a machine of its own, as far as a
//! directory and two ports are one. What needs more than that is named below, with the test that does it.
//!
//! A `chatd` that serves runs until the block of commands ends, and has to end in order then.

use chatd_testing as common;
use common::scratch::Scratch;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than anything here takes on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What cannot be typed here, by how it begins, and the file whose tests do it.
const ELSEWHERE: [(&str, &str); 7] = [
    ("cargo ", "tests/packages.rs"),
    ("ops/deb/build ", "tests/packages.rs"),
    // What it builds is packed there; that it is the same twice is for `ops/reproduce`, which takes too long.
    ("ops/release ", "tests/packages.rs"),
    ("UPGRADE_MESSAGES=", "tests/upgrade/embedded.rs"),
    ("CHATD_BEFORE=", "tests/cluster/versions.rs"),
    ("mariadb-dump ", "tests/cluster/backup.rs"),
    ("chat --ca ", "tests/tls/conversation.rs"),
];

/// The commands of each block, in order. What root types (`#`) is done by `tests/packages.rs`.
fn blocks(page: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find("```console\n") {
        let block = &rest[start + "```console\n".len()..];
        let end = block.find("```").expect("a block ends");
        let lines = block[..end].replace("\\\n", " ");
        blocks.push(lines.lines().filter_map(|line| line.strip_prefix("$ ")).map(str::to_owned).collect());
        rest = &block[end + 3..];
    }
    blocks
}

/// A machine: a directory in the place of `/`, and ports that nobody else has.
struct Machine {
    root: Scratch,
    ports: [(&'static str, String); 2],
    server: Option<Server>,
}

struct Server {
    child: Child,
    said: JoinHandle<String>,
}

impl Machine {
    fn new() -> Self {
        let root = Scratch::new();
        for directory in ["etc/chatd", "var/lib", "backup", "usr/local/bin", "target/release", "bin"] {
            fs::create_dir_all(root.path().join(directory)).expect("a directory");
        }
        let program = PathBuf::from(env!("CARGO_BIN_EXE_chatd"));
        for place in ["bin/chatd", "target/release/chatd"] {
            std::os::unix::fs::symlink(&program, root.path().join(place)).expect("a link");
        }
        std::os::unix::fs::symlink(common::program("chatctl"), root.path().join("bin/chatctl"))
            .expect("a link");
        // Both are held until both are known, so that they are two.
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let [clients, admin] = free.map(|port| port.local_addr().expect("it listens").port().to_string());
        Self { root, ports: [("6000", clients), ("6060", admin)], server: None }
    }

    /// As it is typed here.
    fn here(&self, command: &str) -> String {
        let root = self.root.path().display();
        let mut here = command.to_owned();
        for directory in ["/etc/chatd", "/var/lib/", "/backup", "/usr/local/bin"] {
            here = here.replace(directory, &format!("{root}{directory}"));
        }
        for (port, free) in &self.ports {
            here = here.replace(&format!(":{port}"), &format!(":{free}"));
        }
        let pid = self.server.as_ref().map_or(String::new(), |server| server.child.id().to_string());
        here.replace("$(pidof chatd)", &pid)
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell.args(["-ec", command]).current_dir(self.root.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CHATD_"))
        {
            shell.env_remove(name);
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let [(_, clients), (_, admin)] = &self.ports;
        shell.env("PATH", format!("{}:{path}", self.root.path().join("bin").display()));
        shell
            .env("CHATD_PORT", clients)
            .env("CHATD_ADMIN", format!("127.0.0.1:{admin}"))
            .env("CHATD_CORES", "1");
        shell
    }

    /// Whether this is a server, which goes on.
    fn serves(command: &str) -> bool {
        let mut words = command.split('#').next().unwrap_or_default().split_whitespace();
        let is_chatd = words.next().is_some_and(|program| program.ends_with("chatd"));
        is_chatd
            && !words.any(|word| {
                matches!(word, "top" | "dev-cert" | "--check-config" | "--print-config" | "--example-config")
            })
    }

    /// Types one command. What fails is told with what it said.
    fn type_command(&mut self, command: &str) {
        let here = self.here(command);
        if Self::serves(command) {
            self.end();
            return self.start(command, &here);
        }
        let done = self.shell(&here).output().expect("a shell");
        let said = [&done.stdout[..], &done.stderr[..]].concat();
        assert!(done.status.success(), "$ {command}\n{}\n{}", here, String::from_utf8_lossy(&said));
    }

    fn start(&mut self, command: &str, here: &str) {
        let mut shell = self.shell(&format!("exec {here}"));
        // SAFETY: a system call on numbers; the server does not outlive the test.
        unsafe {
            shell.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            })
        };
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
        let (stdout, mut stderr) =
            (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| drop(tell.send(line)));
        });
        let said = std::thread::spawn(move || {
            let mut said = String::new();
            let _ = stderr.read_to_string(&mut said);
            said
        });
        self.server = Some(Server { child, said });
        while let Ok(line) = told.recv_timeout(PATIENCE) {
            if line.starts_with("ready ") {
                return;
            }
        }
        let server = self.server.take().expect("it was started");
        panic!("$ {command}\nwaited for `ready`: {}", server.kill());
    }

    /// The server ends, in order, if one runs that was not told to yet.
    fn end(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        let pid = libc::pid_t::try_from(server.child.id()).expect("a process id");
        // SAFETY: a system call on numbers; the child was not waited for, so the number is its.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let status = server.child.wait().expect("a child");
        let said = server.said.join().expect("it is read");
        assert!(status.success(), "the server ended with {status}: {said}");
    }
}

impl Server {
    fn kill(mut self) -> String {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.said.join().unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }
}

fn text(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file))
        .unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn each_task_is_done_as_it_is_written() {
    let mut machine = Machine::new();
    let mut typed = 0;
    for block in blocks(&text("docs/operations.md")) {
        for command in block {
            if !ELSEWHERE.iter().any(|(start, _)| command.starts_with(start)) {
                machine.type_command(&command);
                typed += 1;
            }
        }
        machine.end();
    }
    assert!(typed > 20, "only {typed} commands were found");
    assert!(machine.root.path().join("backup/chatd.db").is_file(), "there is a backup");
}

/// An exception that is not needed any more is a lie, and so is one whose test is gone.
#[test]
fn what_is_tested_elsewhere_is_there() {
    let page = text("docs/operations.md");
    let commands: Vec<String> = blocks(&page).concat();
    for (start, file) in ELSEWHERE {
        assert!(commands.iter().any(|command| command.starts_with(start)), "nobody types {start}…");
        assert!(text(file).contains("fn "), "{file} has no test");
    }
}
