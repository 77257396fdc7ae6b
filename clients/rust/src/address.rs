//! Where a server is: a host and a port, as people type them.

use std::fmt;
use std::str::FromStr;

/// The port of a server that is named without one.
pub const DEFAULT_PORT: u16 = 6000;

/// A host (a name, an IPv4 address or an IPv6 address) and a port, perhaps with `tls://` before them.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Address {
    /// Name or number, without brackets.
    pub host: String,
    /// TCP port, not 0.
    pub port: u16,
    /// Whether it is spoken to in TLS.
    pub tls: bool,
}

/// What stands before the host where that is so.
const TLS: &str = "tls://";

/// Why a text is no address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotAnAddress {
    /// Nothing stands where the host belongs.
    NoHost(String),
    /// What stands where the port belongs is not a number in `1..=65535`.
    BadPort(String),
}

impl fmt::Display for NotAnAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotAnAddress::NoHost(text) => write!(f, "{text:?} names no host"),
            NotAnAddress::BadPort(text) => write!(f, "{text:?} is not a port: it takes 1 to 65535"),
        }
    }
}

impl std::error::Error for NotAnAddress {}

impl Address {
    /// Host and port, each as typed; the host may have `tls://` before it.
    ///
    /// # Errors
    /// If the host is empty or the port is not a number in `1..=65535`.
    pub fn new(host: &str, port: &str) -> Result<Self, NotAnAddress> {
        let (tls, host) = host.strip_prefix(TLS).map_or((false, host), |host| (true, host));
        let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(NotAnAddress::NoHost(host.to_owned()));
        }
        match port.parse() {
            Ok(port) if port > 0 => Ok(Self { host: host.to_owned(), port, tls }),
            _ => Err(NotAnAddress::BadPort(port.to_owned())),
        }
    }
}

impl FromStr for Address {
    type Err = NotAnAddress;

    /// `host:port`, `[::1]:port`, or a host alone, which then has [`DEFAULT_PORT`]; with `tls://` before it, in TLS.
    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if let Some(text) = text.strip_prefix(TLS) {
            return text.parse().map(|address| Self { tls: true, ..address });
        }
        let alone = |host: &str| Address::new(host, &DEFAULT_PORT.to_string());
        match text.rsplit_once(':') {
            _ if text.starts_with('[') && text.ends_with(']') => alone(text),
            // Two colons and no bracket: an IPv6 address without a port.
            Some((host, _)) if host.contains(':') && !host.ends_with(']') => alone(text),
            Some((host, port)) => Address::new(host, port),
            None => alone(text),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { TLS } else { "" })?;
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_addresses_in_many_ways() {
        for (typed, meant) in [
            ("127.0.0.1:8000", "127.0.0.1:8000"),
            ("chat.example", "chat.example:6000"),
            ("[::1]:7", "[::1]:7"),
            ("[::1]", "[::1]:6000"),
            ("fe80::1", "[fe80::1]:6000"),
            ("tls://chat.example", "tls://chat.example:6000"),
            ("tls://[::1]:7", "tls://[::1]:7"),
        ] {
            assert_eq!(typed.parse::<Address>().unwrap().to_string(), meant);
        }
        for wrong in
            ["", ":6000", "host:", "host:0", "host:65536", "host:x", "tls://", "tls://:6000", "tls://host:x"]
        {
            assert!(wrong.parse::<Address>().is_err(), "{wrong}");
        }
        assert_eq!(Address::new("tls://a", "7"), "tls://a:7".parse());
    }
}
