//! What follows `server`, by the rules of nginx's `ngx_parse_url`: which of it nginx refuses.
//!
//! Looks nothing up: whether a name has an address is for the resolver of the machine that nginx runs on.

use super::upstream::Module;
use std::net::Ipv6Addr;

/// Bytes of a socket's path.
const PATH_BYTES: usize = 107;

/// Host and port of a server; the path of a socket, and no port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address<'a> {
    /// An IPv6 address without its brackets.
    pub host: &'a str,
    /// None where nothing is said.
    pub port: Option<u16>,
    /// Whether the host is a path.
    pub is_socket: bool,
}

/// Reads the name of a server.
///
/// # Errors
/// What nginx says to it.
pub fn address(name: &str) -> Result<Address<'_>, &'static str> {
    if let Some(path) = name.get(..5).filter(|scheme| scheme.eq_ignore_ascii_case("unix:")) {
        let path = &name[path.len()..];
        return match path.len() {
            0 => Err("no path in the unix domain socket"),
            1..=PATH_BYTES => Ok(Address { host: path, port: None, is_socket: true }),
            _ => Err("too long path in the unix domain socket"),
        };
    }
    if let Some(inner) = name.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or("invalid host")?;
        let port = match rest.strip_prefix(':') {
            _ if rest.contains('/') => return Err("invalid host"),
            Some(text) => Some(port(text)?),
            None if rest.is_empty() => None,
            None => return Err("invalid host"),
        };
        return match host.parse::<Ipv6Addr>() {
            _ if host.is_empty() => Err("no host"),
            Err(_) => Err("invalid IPv6 address"),
            Ok(_) => Ok(Address { host, port, is_socket: false }),
        };
    }
    if name.contains(['/', '?']) {
        return Err("invalid host");
    }
    let (host, port) = match name.split_once(':') {
        Some((host, text)) => (host, Some(port(text)?)),
        None => (name, None),
    };
    if host.is_empty() { Err("no host") } else { Ok(Address { host, port, is_socket: false }) }
}

/// Why nginx refuses a server of this name, if it does.
pub fn refusal(name: &str, module: Module) -> Option<String> {
    match address(name) {
        Ok(address) if module == Module::Stream && address.port.is_none() && !address.is_socket => {
            Some(format!("nginx refuses {name} in stream: it has no port"))
        }
        Ok(_) => None,
        Err(_) if is_bare_ipv6(name) => Some(format!(
            "nginx refuses {name}: an IPv6 address stands in brackets, [{}]:{}",
            name.rsplit_once(':').map_or("", |(host, _)| host),
            name.rsplit_once(':').map_or("", |(_, port)| port),
        )),
        Err(what) => Some(format!("nginx refuses {name}: {what}")),
    }
}

/// Whether this is an IPv6 address, perhaps with a port, without its brackets.
pub fn is_bare_ipv6(name: &str) -> bool {
    let host = name.rsplit_once(':').map_or("", |(host, _)| host);
    name.parse::<Ipv6Addr>().is_ok() || (host.contains(':') && host.parse::<Ipv6Addr>().is_ok())
}

fn port(text: &str) -> Result<u16, &'static str> {
    match text.parse() {
        Ok(port) if port > 0 && text.bytes().all(|byte| byte.is_ascii_digit()) => Ok(port),
        _ => Err("invalid port"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_nginx_reads_them() {
        for (name, host, port) in [
            ("127.0.0.1:06000", "127.0.0.1", Some(6000)),
            ("backend", "backend", None),
            ("[::1]:65535", "::1", Some(65535)),
            ("[::1]", "::1", None),
            ("UNIX:/a:b", "/a:b", None),
        ] {
            let read = address(name).unwrap();
            assert_eq!((read.host, read.port), (host, port), "{name}");
        }
        for (name, what) in [
            ("a:0", "invalid port"),
            ("a:65536", "invalid port"),
            ("a:", "invalid port"),
            ("a:+1", "invalid port"),
            ("a:1-3", "invalid port"),
            (":1", "no host"),
            ("", "no host"),
            ("http://a:1", "invalid host"),
            ("a:1/", "invalid host"),
            ("[::1", "invalid host"),
            ("[::1]1", "invalid host"),
            ("[]:1", "no host"),
            ("[::g]:1", "invalid IPv6 address"),
            ("::1:6004", "invalid port"),
            ("unix:", "no path in the unix domain socket"),
        ] {
            assert_eq!(address(name), Err(what), "{name}");
        }
        assert_eq!(
            refusal("::1:6004", Module::Stream).as_deref(),
            Some("nginx refuses ::1:6004: an IPv6 address stands in brackets, [::1]:6004")
        );
    }
}
