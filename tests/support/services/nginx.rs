//! A private nginx with the project's own nginx.conf, on other ports, or with a configuration of its own.

use super::scratch::Scratch;
use super::{await_listener, free_port, spawn, terminate};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const CONF: &str = include_str!("../../../nginx.conf");

pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    /// Where browsers come to.
    pub web: SocketAddr,
    directory: Scratch,
}

impl Nginx {
    /// Starts one in front of the two servers; `change` may edit the configuration.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(servers: [SocketAddr; 2], change: impl FnOnce(String) -> String) -> Result<Self, String> {
        for fixed in
            ["127.0.0.1:6000", "127.0.0.1:6002", "listen 8000 ", "http://127.0.0.1:8000;", "listen 8080;"]
        {
            assert!(CONF.contains(fixed), "nginx.conf has {fixed}");
        }
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let web = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let conf = CONF
            .replace("127.0.0.1:6000", &servers[0].to_string())
            .replace("127.0.0.1:6002", &servers[1].to_string())
            .replace("listen 8000 ", &format!("listen {address} "))
            .replace("http://127.0.0.1:8000;", &format!("http://{address};"))
            .replace("listen 8080;", &format!("listen {web};"));
        let mut nginx = Self::configured(&change(conf), address, Scratch::new())?;
        nginx.web = web;
        Ok(nginx)
    }

    /// Starts one with this configuration, which listens on `address`; what it includes is in the
    /// directory already, where it is written to as `nginx.conf`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn configured(conf: &str, address: SocketAddr, directory: Scratch) -> Result<Self, String> {
        let written = std::fs::write(directory.path().join("nginx.conf"), conf);
        written.map_err(|error| format!("nginx.conf cannot be written: {error}"))?;
        let mut command = Command::new("nginx");
        command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-g", "daemon off;"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = spawn(&mut command)?;
        await_listener(&mut child, "nginx", address)?;
        Ok(Self { child, address, web: address, directory })
    }

    /// Its configuration.
    pub fn conf(&self) -> PathBuf {
        self.directory.path().join("nginx.conf")
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master takes its workers with it.
        terminate(&mut self.child);
    }
}
