//! Whose certificates are believed.

use super::explain::Refusal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::path::PathBuf;
use std::sync::Arc;

/// Whose certificates a client believes. There is no way to believe everybody.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Trust {
    /// Those whom this machine trusts (`/etc/ssl/certs` and the like, `SSL_CERT_FILE`).
    #[default]
    System,
    /// Those in this file alone: certificates in PEM.
    File(PathBuf),
}

impl Trust {
    /// That file alone, if one was named.
    pub fn of(file: Option<PathBuf>) -> Self {
        file.map_or(Self::System, Self::File)
    }

    /// The certificates of those who are trusted.
    ///
    /// # Errors
    /// If there are none, or they cannot be read.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, Refusal> {
        let certificates = match self {
            // What of them cannot be read is left out: a machine has many of them, and some are odd.
            Self::System => rustls_native_certs::load_native_certs().certs,
            Self::File(path) => {
                let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
                read.map_err(|error: rustls::pki_types::pem::Error| {
                    Refusal::Unreadable(path.clone(), error.to_string())
                })?
            }
        };
        let is_certificate =
            |one: &CertificateDer<'_>| RootCertStore::empty().add(one.clone().into_owned()).is_ok();
        let certificates: Vec<_> = certificates.into_iter().filter(is_certificate).collect();
        match (certificates.is_empty(), self) {
            (false, _) => Ok(certificates),
            (true, Self::System) => Err(Refusal::NoRoots),
            (true, Self::File(path)) => Err(Refusal::NoCertificate(path.clone())),
        }
    }

    /// What a client connects with. Reads files: to be kept, because it also remembers sessions.
    ///
    /// # Errors
    /// As for [`Trust::certificates`].
    pub fn client(&self) -> Result<Arc<ClientConfig>, Refusal> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(self.certificates()?);
        let config = ClientConfig::builder_with_provider(super::provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Refusal::Odd(error.to_string()))?;
        Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

/// What a certificate has to be made out to: the host as it was typed, a name or a number.
///
/// # Errors
/// If no certificate can be made out to that.
pub fn name_of(host: &str) -> Result<ServerName<'static>, Refusal> {
    ServerName::try_from(host.to_owned()).map_err(|_| Refusal::NoName(host.to_owned()))
}
