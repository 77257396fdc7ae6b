//! A certificate for the servers that a run starts, which only this run believes.

use chatd_testing::services::certificates::Authority;

use crate::load::{Handshake, Secrecy};

/// The files are gone when this is: once all servers have started.
pub struct Certificate {
    pub secrecy: Secrecy,
    /// What a chatd is to be told.
    pub arguments: [String; 4],
    _authority: Authority,
}

impl Certificate {
    pub fn make(handshake: Handshake) -> Result<Certificate, String> {
        let authority = Authority::new();
        let issued = authority.issue(&["127.0.0.1", "localhost"]);
        let secrecy = Secrecy::trusting(&authority.file(), handshake)?;
        let arguments = ["--tls-cert", issued.certificate(), "--tls-key", issued.key()].map(str::to_owned);
        Ok(Certificate { secrecy, arguments, _authority: authority })
    }
}
