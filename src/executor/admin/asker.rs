//! Who may ask, and which form of `/metrics` is wanted: what the heads of requests say of that.

use std::net::{IpAddr, SocketAddr};

/// The names that this server answers to.
///
/// A page in somebody's browser can have its own name resolve to this address (DNS rebinding), and then reads what is
/// answered. It cannot choose what the browser says in `Host`: that name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    listed: Vec<String>,
    /// Where it listens, unless that is everywhere.
    own: Option<IpAddr>,
}

impl Names {
    /// The loopback names, the address that is listened on, and those that are listed.
    pub(super) fn new(listed: &[String], address: SocketAddr) -> Self {
        let listed = listed.iter().map(|name| plain(name)).collect();
        Self { listed, own: Some(address.ip()).filter(|own| !own.is_unspecified()) }
    }

    /// Whether this is one of them, with a port or without.
    pub(super) fn have(&self, host: &str) -> bool {
        let name = plain(name_of(host));
        let address = name.parse::<IpAddr>().ok();
        let address = address.map(|address| address.to_canonical());
        let is_own = |address: IpAddr| {
            address.is_loopback() || self.own.is_some_and(|own| own.to_canonical() == address)
        };
        address.is_some_and(is_own) || name == "localhost" || self.listed.contains(&name)
    }
}

/// A host without its port, and without the brackets of IPv6.
fn name_of(host: &str) -> &str {
    if let Some((inside, _)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return inside;
    }
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// As names are compared.
fn plain(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// The forms that metrics are written down in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Form {
    /// The text format 0.0.4 of Prometheus.
    Text,
    /// OpenMetrics 1.0.
    OpenMetrics,
}

/// The form that an `Accept` asks for: OpenMetrics for those who name it and do not prefer plain text, and for everybody
/// else, those who say nothing among them, text, as the client libraries of Prometheus do.
pub(super) fn form(accept: &str) -> Form {
    let (mut text, mut open) = (0.0_f32, 0.0_f32);
    for wanted in accept.split(',') {
        let mut parts = wanted.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (mut weight, mut known) = (1.0, true);
        for part in parts {
            match part.split_once('=').map(|(key, value)| (key.trim(), value.trim().trim_matches('"'))) {
                Some(("q" | "Q", value)) => weight = value.parse().unwrap_or(0.0),
                Some(("version", value)) => known = matches!(value, "0.0.1" | "1.0.0" | "0.0.4"),
                _ => {}
            }
        }
        match kind.as_str() {
            "application/openmetrics-text" if known => open = open.max(weight),
            "text/plain" if known => text = text.max(weight),
            _ => {}
        }
    }
    if open > 0.0 && open >= text { Form::OpenMetrics } else { Form::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_and_listed_ones_are_answered() {
        let names = Names::new(&["Metrics.example.org".to_owned()], ([10, 0, 0, 7], 6060).into());
        for host in [
            "localhost",
            "LOCALHOST:6060",
            "localhost.",
            "127.0.0.1:6060",
            "127.7.0.1",
            "[::1]:6060",
            "[::1]",
            "::1",
            "metrics.example.org",
            "metrics.EXAMPLE.org.:80",
            "10.0.0.7:6060",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert!(names.have(host), "{host}");
        }
        for host in [
            "",
            "evil.example.org",
            "evil.example.org:6060",
            "localhost.evil.example.org",
            "127.0.0.1.nip.io",
            "10.0.0.8",
            "[::2]:6060",
            "metrics.example.org.evil",
            "[::1",
            "0.0.0.0",
            "localhost:x",
        ] {
            assert!(!names.have(host), "{host}");
        }
        let everywhere = Names::new(&[], ([0, 0, 0, 0], 6060).into());
        assert!(
            !everywhere.have("0.0.0.0:6060") && !everywhere.have("10.0.0.7") && everywhere.have("127.0.0.1")
        );
    }

    #[test]
    fn each_asker_gets_the_form_that_it_asks_for() {
        for accept in [
            "",
            "*/*",
            "text/plain",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "text/plain;version=0.0.4",
            "application/openmetrics-text;q=0.1, text/plain;q=0.9",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;version=7.0.0",
            "application/openmetrics-text;q=x",
            ";;,,=;q",
        ] {
            assert_eq!(form(accept), Form::Text, "{accept}");
        }
        for accept in [
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; version=1.0.0; charset=utf-8",
            // Prometheus 2.5 and 2.50.
            "application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        ] {
            assert_eq!(form(accept), Form::OpenMetrics, "{accept}");
        }
    }
}
