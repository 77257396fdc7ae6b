//! Certificates made for a test, and whoever issues them: files in a directory of their own.

use super::scratch::Scratch;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Somebody who issues certificates.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: Scratch,
    issued: AtomicU32,
}

/// A certificate and its private key.
pub struct Issued {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        // Of two with one name, a client takes the wrong one for a forger.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {} of chatd's tests", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let authority = Self { issuer, directory: Scratch::new(), issued: AtomicU32::new(0) };
        fs::write(authority.file(), authority.issuer.pem()).expect("a file");
        authority
    }

    /// Its own certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// A certificate made out to these, valid in these years (the end of the last excluded).
    pub fn issue_for(&self, names: &[&str], from: i32, until: i32) -> Issued {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        let file = |kind: &str| self.directory.path().join(format!("{kind}{number}.pem"));
        let issued = Issued { certificate: file("cert"), key: file("key") };
        fs::write(&issued.certificate, certificate.pem()).expect("a file");
        fs::write(&issued.key, key.serialize_pem()).expect("a file");
        issued
    }

    /// A certificate made out to these, valid now.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for(names, 2020, 2120)
    }
}

impl Issued {
    pub fn certificate(&self) -> &str {
        self.certificate.to_str().expect("a plain path")
    }

    pub fn key(&self) -> &str {
        self.key.to_str().expect("a plain path")
    }
}
