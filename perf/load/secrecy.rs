//! Whether what is said to a server is encrypted, and how handshakes are made.
//!
//! rustls, as the server; but another half of it, and none of the server's code around it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::{
    ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue, WantsClientCert,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, ConfigBuilder, NamedGroup, RootCertStore};

/// How the connections of a door are encrypted.
#[derive(Clone, Debug, Default)]
pub enum Secrecy {
    #[default]
    Clear,
    Tls(Arc<ClientConfig>),
}

/// How handshakes are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Handshake {
    /// Each in full, with the server's certificate.
    Full,
    /// With a ticket of an earlier one, if there is any.
    Resumed,
}

impl Handshake {
    pub const fn word(self) -> &'static str {
        match self {
            Handshake::Full => "full",
            Handshake::Resumed => "resumed",
        }
    }
}

impl Secrecy {
    /// TLS with servers whose certificate was issued by the authority in this file.
    pub fn trusting(authority: &Path, handshake: Handshake) -> Result<Secrecy, String> {
        let unusable = |why: String| format!("{}: {why}", authority.display());
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(authority)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unusable(error.to_string()))?;
        for certificate in certificates {
            roots.add(certificate).map_err(|error| unusable(error.to_string()))?;
        }
        let builder: ConfigBuilder<ClientConfig, WantsClientCert> =
            ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| error.to_string())?
                .with_root_certificates(roots);
        let mut config = builder.with_no_client_auth();
        config.resumption = match handshake {
            Handshake::Full => Resumption::disabled(),
            Handshake::Resumed => Resumption::store(Arc::new(Tickets::default())),
        };
        Ok(Secrecy::Tls(Arc::new(config)))
    }

    /// The encryption of a connection to this address, if there is any.
    pub fn begin(&self, address: SocketAddr) -> Result<Option<ClientConnection>, rustls::Error> {
        match self {
            Secrecy::Clear => Ok(None),
            Secrecy::Tls(config) => {
                let name = ServerName::from(address.ip());
                let mut session = ClientConnection::new(config.clone(), name)?;
                // What waits is bounded by whoever waits for room.
                session.set_buffer_limit(None);
                Ok(Some(session))
            }
        }
    }
}

/// Tickets of all servers of a run, each used once: a storm takes as many as it has users.
#[derive(Debug, Default)]
struct Tickets(Mutex<VecDeque<Tls13ClientSessionValue>>);

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, _: Tls12ClientSessionValue) {}

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        None
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(ticket);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}
