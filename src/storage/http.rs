//! HTTP to others, from threads that may wait: with a deadline for all of it, and no redirects.

use chatd_tls::{Refusal, Trust};
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
    let config =
        ureq::Agent::config_builder().timeout_global(Some(patience)).max_redirects(0).tls_config(tls);
    Ok(ureq::Agent::new_with_config(config.build()))
}
