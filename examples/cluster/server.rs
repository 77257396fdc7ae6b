//! One chatd of the cluster: started, shown, and ended as an operator would.

use super::services::nginx::COMES_FROM;
use super::services::{free_port, spawn, terminate};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long it may take to be ready.
const START: Duration = Duration::from_secs(60);

/// What all servers share: where MySQL and Redis are.
pub struct Shared {
    pub mysql: String,
    pub redis: String,
}

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub admin: SocketAddr,
}

impl Server {
    /// Starts one, and shows what it says besides its start-up screen.
    pub fn start(chatd: &Path, name: &'static str, shared: &Shared) -> Result<Self, String> {
        let admin = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut command = Command::new(chatd);
        command
            .args(["--port", "0", "--admin", &admin.to_string()])
            // URLs with passwords in them are nobody's business.
            .env("CHATD_MYSQL", &shared.mysql)
            .env("CHATD_REDIS", &shared.redis)
            .env("CHATD_PROXY_FROM", COMES_FROM)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = spawn(&mut command)?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines(stdout) {
                if let Some(address) = line.strip_prefix("ready ").and_then(|text| text.parse().ok()) {
                    let _ = tell.send(address);
                }
            }
        });
        std::thread::spawn(move || lines(stderr).for_each(|line| eprintln!("[{name}] {line}")));
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut server = Self { child, address: unknown, admin };
        server.address = told.recv_timeout(START).map_err(|_| format!("the {name} server does not start"))?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// What comes line by line, until the other side ends.
fn lines(stream: Option<impl std::io::Read>) -> impl Iterator<Item = String> {
    stream.into_iter().flat_map(|stream| BufReader::new(stream).lines().map_while(Result::ok))
}

impl Drop for Server {
    fn drop(&mut self) {
        terminate(&mut self.child);
    }
}
