//! A private nginx with the project's own nginx.conf, on other ports.

use super::scratch::Scratch;
use super::{await_listener, free_port, signal, spawn};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

const CONF: &str = include_str!("../../nginx.conf");

pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    _directory: Scratch,
}

impl Nginx {
    /// Starts one in front of the two servers; `change` may edit the configuration.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(servers: [SocketAddr; 2], change: impl FnOnce(String) -> String) -> Result<Self, String> {
        for fixed in ["127.0.0.1:6000", "127.0.0.1:6002", "listen 8000 "] {
            assert!(CONF.contains(fixed), "nginx.conf has {fixed}");
        }
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let conf = CONF
            .replace("127.0.0.1:6000", &servers[0].to_string())
            .replace("127.0.0.1:6002", &servers[1].to_string())
            .replace("listen 8000 ", &format!("listen {address} "));
        let directory = Scratch::new();
        let written = std::fs::write(directory.path().join("nginx.conf"), change(conf));
        written.map_err(|error| format!("nginx.conf cannot be written: {error}"))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-g", "daemon off;"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = spawn(&mut command)?;
        await_listener(&mut child, "nginx", address)?;
        Ok(Self { child, address, _directory: directory })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master takes its workers with it.
        signal(&self.child, libc::SIGTERM);
        let _ = self.child.wait();
    }
}
