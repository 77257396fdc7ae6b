//! Who a server is: its certificate and private key, from files that are read again when it is told to.

use super::expiry;
use super::explain::Refusal;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::NoServerSessionStorage;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

/// A certificate that is valid for less than this is worth a word.
pub const SOON: Duration = Duration::from_secs(14 * 86_400);

/// Who a server is.
#[derive(Debug)]
pub struct Identity {
    certificate: PathBuf,
    key: PathBuf,
    held: RwLock<Held>,
}

/// What the files said when they were read last.
#[derive(Clone, Debug)]
struct Held {
    config: Arc<ServerConfig>,
    /// When the first certificate of the chain to expire does.
    not_after: SystemTime,
}

impl Identity {
    /// Reads the files: a chain of certificates, the server's own first, and the private key of that one.
    ///
    /// # Errors
    /// If they cannot be read, or do not belong together.
    pub fn read(certificate: PathBuf, key: PathBuf) -> Result<Self, Refusal> {
        let held = RwLock::new(Held::read(&certificate, &key)?);
        Ok(Self { certificate, key, held })
    }

    /// Reads the files again: who connects from now on is shown what they say now.
    ///
    /// # Errors
    /// As for [`Identity::read`]: then everything stays as it is.
    pub fn read_again(&self) -> Result<(), Refusal> {
        let held = Held::read(&self.certificate, &self.key)?;
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = held;
        Ok(())
    }

    /// What a connection that begins now is served with.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).config.clone()
    }

    /// Seconds until the certificate expires; less than none if it has.
    pub fn expires_in(&self) -> i64 {
        let not_after = self.held.read().unwrap_or_else(PoisonError::into_inner).not_after;
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        match not_after.duration_since(SystemTime::now()) {
            Ok(left) => seconds(left),
            Err(gone) => -seconds(gone.duration()),
        }
    }

    /// What is to be said of its certificate, if it expires soon or has expired.
    pub fn warning(&self) -> Option<String> {
        let (file, left) = (self.certificate.display(), self.expires_in());
        match left {
            ..=0 => Some(format!("the certificate in {file} has expired: clients refuse it")),
            _ if left.unsigned_abs() < SOON.as_secs() => {
                let (hours, days) = (left / 3_600, left / 86_400);
                let when = if days < 2 { format!("{hours} hours") } else { format!("{days} days") };
                Some(format!("the certificate in {file} expires in {when}"))
            }
            _ => None,
        }
    }

    /// The file of the certificate.
    pub fn file(&self) -> &Path {
        &self.certificate
    }
}

impl Held {
    fn read(certificate: &Path, key: &Path) -> Result<Self, Refusal> {
        let unreadable = |path: &Path, error: pem::Error| Refusal::Unreadable(path.into(), error.to_string());
        let chain: Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let chain = chain.map_err(|error| unreadable(certificate, error))?;
        if chain.is_empty() {
            return Err(Refusal::NoCertificate(certificate.into()));
        }
        let private = PrivateKeyDer::from_pem_file(key).map_err(|error| match error {
            pem::Error::NoItemsFound => Refusal::NoKey(key.into()),
            other => unreadable(key, other),
        })?;
        let expiries = chain.iter().map(|one| expiry::not_after(one));
        let not_after = expiries.collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min());
        let not_after = not_after.ok_or_else(|| Refusal::NoCertificate(certificate.into()))?;
        let config = config(chain, private).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => Refusal::NotAPair(certificate.into(), key.into()),
            other => Refusal::Odd(format!("{} cannot be used: {other}", certificate.display())),
        })?;
        Ok(Self { config: Arc::new(config), not_after })
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Tickets are all that a client may come back with: their keys change by themselves, every few hours, and nothing
    // is kept here. One is enough for who has one connection.
    config.ticketer = ring::Ticketer::new()?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    // What comes before a handshake is done could be said again by somebody else.
    config.max_early_data_size = 0;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(directory: &Path, name: &str, until: i32) -> (PathBuf, PathBuf) {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let files = (directory.join(format!("{name}.pem")), directory.join(format!("{name}-key.pem")));
        fs::write(&files.0, certificate.pem()).unwrap();
        fs::write(&files.1, key.serialize_pem()).unwrap();
        files
    }

    #[test]
    fn files_that_do_not_do_change_nothing() {
        let directory = std::env::temp_dir().join(format!("chatd-tls-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (certificate, key) = write(&directory, "one", 2120);
        let (_, other) = write(&directory, "two", 2120);
        let refused = |certificate: &Path, key: &Path| {
            Identity::read(certificate.into(), key.into()).expect_err("no identity").to_string()
        };
        assert!(refused(&certificate, &other).contains("does not belong to the private key"));
        assert!(refused(&key, &key).contains("no certificate in it"));
        assert!(refused(&certificate, &certificate).contains("no private key in it"));
        assert!(refused(&directory.join("none"), &key).contains("none cannot be read"));
        let identity = Identity::read(certificate.clone(), key.clone()).unwrap();
        assert!(identity.warning().is_none() && identity.expires_in() > 86_400);
        let first = identity.config();
        fs::write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(identity.read_again().is_err());
        assert!(Arc::ptr_eq(&first, &identity.config()), "the old one stays");
        write(&directory, "one", 2020);
        identity.read_again().unwrap();
        assert!(!Arc::ptr_eq(&first, &identity.config()));
        assert!(identity.warning().is_some_and(|warning| warning.contains("has expired")));
        assert!(identity.expires_in() < 0);
        fs::remove_dir_all(&directory).unwrap();
    }
}
