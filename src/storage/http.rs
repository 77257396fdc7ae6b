//! HTTP to others, from threads that may wait: with a deadline for all of it, and no redirects. What is for this machine
//! goes to no proxy, whatever the environment says (`HTTP_PROXY` and its like): it has secrets in it, in clear text.

use chatd_tls::{Refusal, Trust};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Asks `url` and nobody else, and waits so long for all of an answer. `https://` takes whom this machine trusts.
///
/// # Errors
/// If this machine trusts nobody.
pub fn agent(url: &str, patience: Duration) -> Result<ureq::Agent, Refusal> {
    let certificates = match url.starts_with("https:") {
        true => Trust::System.certificates()?,
        false => Vec::new(),
    };
    let roots: Vec<_> =
        certificates.iter().map(|one| ureq::tls::Certificate::from_der(one).to_owned()).collect();
    let roots = ureq::tls::RootCerts::Specific(Arc::new(roots));
    let tls = ureq::tls::TlsConfig::builder().root_certs(roots).build();
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .max_redirects(0)
        .tls_config(tls)
        .user_agent(concat!("chatd/", env!("CARGO_PKG_VERSION")));
    let config = if is_this_machine(url) { config.proxy(None) } else { config };
    Ok(ureq::Agent::new_with_config(config.build()))
}

/// Whether an address leads to this machine and nowhere else.
pub fn is_this_machine(url: &str) -> bool {
    let Ok(uri) = url.parse::<ureq::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_by_its_names_and_addresses() {
        for here in [
            "http://127.0.0.1:80/x",
            "https://[::1]/",
            "http://LocalHost:8000",
            "http://127.9.9.9/?a=http://b/",
        ] {
            assert!(is_this_machine(here), "{here}");
            assert!(agent(here, Duration::from_secs(1)).is_ok_and(|agent| agent.config().proxy().is_none()));
        }
        assert!(is_this_machine("http://user:word@localhost:8080"));
        for elsewhere in [
            "http://127.evil.example/",
            "http://app.example/127.0.0.1",
            "http://app.example/",
            "http://localhost.evil.example/",
            "http://10.0.0.1/",
            "",
            "/x",
        ] {
            assert!(!is_this_machine(elsewhere), "{elsewhere}");
        }
    }
}
