//! A private Redis without persistence: restarted, it is empty.

use super::{again_and_again, await_listener, free_port, signal, spawn};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(60);

pub struct Redis {
    child: Option<Child>,
    arguments: Vec<String>,
    port: u16,
}

impl Redis {
    /// Starts one with these arguments besides the usual.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(arguments: &[&str]) -> Result<Self, String> {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut redis = Self { child: None, arguments, port: free_port() };
        // Somebody else may have been given the same port meanwhile.
        again_and_again(|| {
            redis.port = free_port();
            redis.run()
        })?;
        Ok(redis)
    }

    /// Starts it, again if it was killed.
    ///
    /// # Errors
    /// If it does not start.
    pub fn run(&mut self) -> Result<(), String> {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no"]).args(&self.arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = self.child.insert(spawn(&mut command)?);
        await_listener(child, "redis-server", ([127, 0, 0, 1], self.port).into())
    }

    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Of its process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn url(&self) -> String {
        format!("redis://{}/0", self.address())
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal(&child, libc::SIGKILL);
            child.wait().expect("a child of ours");
        }
    }

    /// What it answers to an inline command, as far as that comes in one read.
    pub fn ask(&self, command: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).expect("Redis listens");
        stream.set_read_timeout(Some(ANSWER)).expect("a socket");
        stream.write_all(format!("{command}\r\n").as_bytes()).expect("written");
        let mut answer = [0; 64 << 10];
        let bytes = stream.read(&mut answer).expect("an answer");
        String::from_utf8_lossy(&answer[..bytes]).into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
