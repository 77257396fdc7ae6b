//! A server process that this harness starts: its directory, its ready line, its end.
//!
//! Dropping it stops the server and removes the directory, on errors too. It knows nothing of what the server does.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Kind;

const READY_WITHIN: Duration = Duration::from_secs(20);
const STOP_WITHIN: Duration = Duration::from_secs(10);

pub struct Child {
    kind: Kind,
    directory: PathBuf,
    process: Option<std::process::Child>,
}

impl Child {
    /// Makes the directory; nothing runs yet.
    pub fn prepare(kind: Kind) -> Result<Child, String> {
        let name = format!("chat-perf-{}-{}", kind.word(), crate::load::name_prefix());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory)
            .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        Ok(Child { kind, directory, process: None })
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file for the server, which nobody else may read.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<PathBuf, String> {
        let path = self.directory.join(name);
        let written = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        written
            .and_then(|mut file| file.write_all(contents))
            .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(path)
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(std::process::Child::id)
    }

    /// Starts `program` on these CPUs and waits for its ready line.
    pub fn start(
        &mut self,
        program: &Path,
        arguments: Vec<OsString>,
        environment: &[(&str, String)],
        cpus: &[usize],
        stop: &AtomicBool,
    ) -> Result<SocketAddr, String> {
        let own = std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let stderr = fs::File::create(self.stderr_path())
            .map_err(|error| format!("cannot write to {}: {error}", self.directory.display()))?;
        let cpu_list = cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let mut child = Command::new(own)
            .args(["launch", "--parent", &std::process::id().to_string(), "--cpus", &cpu_list, "--"])
            .arg(program)
            .args(arguments)
            // A cluster of the caller's is not driven by accident.
            .env_remove("CHATD_MYSQL")
            .env_remove("CHATD_REDIS")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.kind.word()))?;
        let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
        self.process = Some(child);
        let (tell, told) = mpsc::channel();
        // Reads on until the server ends, so that the server never blocks on its own stdout.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("ready ").and_then(|text| text.trim().parse().ok()) {
                    let _ = tell.send(address);
                }
            }
        });
        self.wait_until_ready(&told, stop)
    }

    fn wait_until_ready(
        &mut self,
        told: &mpsc::Receiver<SocketAddr>,
        stop: &AtomicBool,
    ) -> Result<SocketAddr, String> {
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            match told.recv_timeout(Duration::from_millis(50)) {
                Ok(address) => return Ok(address),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let failure = self.failure("ended before it was ready");
                    // It is over: nothing is left to stop, and what went wrong is said once.
                    if let Some(mut process) = self.process.take() {
                        let _ = process.kill().and_then(|()| process.wait());
                    }
                    return Err(failure);
                }
                Err(mpsc::RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                    return Err("interrupted".into());
                }
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    return Err(self.failure("did not say `ready ADDR:PORT` within 20 s"));
                }
            }
        }
    }

    fn stderr_path(&self) -> PathBuf {
        self.directory.join("stderr")
    }

    /// What went wrong, with the server's own last words.
    fn failure(&self, what: &str) -> String {
        let text = fs::read_to_string(self.stderr_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(8)..].join("\n  ");
        let said = if last.is_empty() { "it said nothing".into() } else { format!("it said:\n  {last}") };
        format!("{} {what}; {said}", self.kind.word())
    }

    fn stop(&self, process: &mut std::process::Child) {
        if let Err(error) = kill_process(Pid::from_child(process), Signal::TERM) {
            eprintln!("chat-perf: cannot signal {}: {error}", self.kind.word());
        }
        let deadline = Instant::now() + STOP_WITHIN;
        while Instant::now() < deadline {
            match process.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(Some(status)) => {
                    if self.kind == Kind::Chatd && !status.success() {
                        eprintln!("chat-perf: {}", self.failure(&format!("ended with {status}")));
                    }
                    return;
                }
                Err(_) => break,
            }
        }
        eprintln!("chat-perf: {}", self.failure("did not stop within 10 s of SIGTERM and is killed"));
        // Both fail only if the process has ended in the meantime.
        let _ = process.kill();
        let _ = process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            self.stop(&mut process);
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            eprintln!("chat-perf: {} stays behind: {error}", self.directory.display());
        }
    }
}
