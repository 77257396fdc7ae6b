//! A private nginx with the project's own nginx.conf, on other ports, or with a configuration of its own.

use super::certificates::Authority;
use super::scratch::Scratch;
use super::{await_listener, free_port, spawn, terminate};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

const CONF: &str = include_str!("../../../nginx.conf");
/// Where it comes from: servers behind it declare that (`--proxy-from`), and whoever comes to them without it does not.
pub const COMES_FROM: &str = "127.0.0.99";

pub struct Nginx {
    child: Child,
    pub address: SocketAddr,
    /// Where browsers come to.
    pub web: SocketAddr,
    /// Where both come to in TLS; nowhere, of a configuration of its own.
    pub secure: Option<Secure>,
    directory: Scratch,
}

/// Where TLS ends at nginx.
pub struct Secure {
    pub clients: SocketAddr,
    pub browsers: SocketAddr,
    /// Who issued the certificate that is shown there, which is made out to localhost.
    pub authority: Authority,
}

impl Nginx {
    /// Starts one in front of the two servers; `change` may edit the configuration.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(servers: [SocketAddr; 2], change: impl FnOnce(String) -> String) -> Result<Self, String> {
        let ports: [SocketAddr; 4] = std::array::from_fn(|_| SocketAddr::from(([127, 0, 0, 1], free_port())));
        let [address, web, clients, browsers] = ports;
        let authority = Authority::new();
        let issued = authority.issue(&["localhost"]);
        let bind = format!("proxy_connect_timeout 1s;\nproxy_bind {COMES_FROM};");
        let changes = [
            ("proxy_connect_timeout 1s;", bind),
            ("127.0.0.1:6000", servers[0].to_string()),
            ("127.0.0.1:6002", servers[1].to_string()),
            ("http://127.0.0.1:8000;", format!("http://{address};")),
            ("listen 8000 ", format!("listen {address} ")),
            ("listen 8001 ", format!("listen {clients} ")),
            ("listen 8080;", format!("listen {web};")),
            ("listen 8443 ", format!("listen {browsers} ")),
            ("chatd-dev-cert/cert.pem", issued.certificate().to_owned()),
            ("chatd-dev-cert/key.pem", issued.key().to_owned()),
        ];
        let conf = changes.iter().fold(CONF.to_owned(), |conf, (fixed, here)| {
            assert!(conf.contains(fixed), "nginx.conf has {fixed}");
            conf.replace(fixed, here)
        });
        let mut nginx = Self::configured(&change(conf), address, Scratch::new())?;
        nginx.web = web;
        nginx.secure = Some(Secure { clients, browsers, authority });
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
        Ok(Self { child, address, web: address, secure: None, directory })
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
