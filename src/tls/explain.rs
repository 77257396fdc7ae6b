//! What a failure means, in a sentence for whoever runs the program.

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why there is no TLS to be had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// A file cannot be read; the system's words.
    Unreadable(PathBuf, String),
    /// There is no certificate in this file.
    NoCertificate(PathBuf),
    /// There is no private key in this file.
    NoKey(PathBuf),
    /// The certificate of the first file is not made for the private key of the second.
    NotAPair(PathBuf, PathBuf),
    /// This machine trusts nobody.
    NoRoots,
    /// No certificate can be made out to this.
    NoName(String),
    /// Anything else, in the library's words.
    Odd(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, why) => write!(f, "{} cannot be read: {why}", path.display()),
            Self::NoCertificate(path) => {
                write!(f, "{} has no certificate in it (-----BEGIN CERTIFICATE-----)", path.display())
            }
            Self::NoKey(path) => {
                write!(f, "{} has no private key in it (-----BEGIN PRIVATE KEY-----)", path.display())
            }
            Self::NotAPair(certificate, key) => {
                let (certificate, key) = (certificate.display(), key.display());
                write!(f, "the certificate in {certificate} does not belong to the private key in {key}")
            }
            Self::NoRoots => f.write_str(
                "this machine trusts no authority (Debian's package ca-certificates is missing): name one in a file",
            ),
            Self::NoName(host) => write!(f, "{host:?} is nothing that a certificate can be made out to"),
            Self::Odd(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refusal {}

/// What an error means that a connection to `host` ended with.
pub fn failure(error: &Error, host: &str) -> String {
    match error {
        Error::InvalidCertificate(why) => certificate(why, host),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            format!("{host} wants a certificate of ours, which is not supported")
        }
        Error::AlertReceived(alert) => format!("{host} broke the TLS connection off: {alert:?}"),
        Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => {
            format!("{host} does not speak TLS on that port")
        }
        Error::PeerIncompatible(why) => format!("{host} speaks no TLS that is safe (1.2 or 1.3): {why:?}"),
        other => format!("TLS with {host} failed: {other}"),
    }
}

/// The same of an error of a socket: `None` if it has nothing to do with TLS.
pub fn io_failure(error: &io::Error, host: &str) -> Option<String> {
    error.get_ref()?.downcast_ref::<Error>().map(|error| failure(error, host))
}

fn certificate(why: &CertificateError, host: &str) -> String {
    match why {
        CertificateError::UnknownIssuer => format!(
            "the certificate of {host} was issued by nobody who is trusted here: name the authority's file, or \
             somebody else answers there"
        ),
        CertificateError::NotValidForName => format!("the certificate is not made out to {host}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().take(5).map(|name| plain(name)).collect();
            match names.is_empty() {
                true => format!("the certificate is not made out to {host}, but to nobody"),
                false => format!("the certificate is not made out to {host}, but to {}", names.join(", ")),
            }
        }
        CertificateError::Expired => format!("the certificate of {host} has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("the certificate of {host} expired {} ago", apart(*time, *not_after))
        }
        CertificateError::NotValidYet => format!("the certificate of {host} is not valid yet"),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!(
                "the certificate of {host} is valid only in {}: is the clock right?",
                apart(*time, *not_before)
            )
        }
        CertificateError::BadSignature => format!(
            "the certificate of {host} names an authority that is trusted here, and is not signed by it"
        ),
        other => format!("the certificate of {host} cannot be used: {other:?}"),
    }
}

/// A name that a certificate is made out to, as the library shows it: `DnsName("a.example")`. It is told by
/// whoever answers, and is shown only if nothing but a name is in it.
fn plain(name: &str) -> &str {
    let name = name.split('"').nth(1).unwrap_or(name);
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b".-*:_ ()".contains(&byte);
    if name.len() <= 255 && name.bytes().all(harmless) { name } else { "something odd" }
}

/// The time between two times, in words.
fn apart(one: UnixTime, other: UnixTime) -> String {
    let seconds = one.as_secs().abs_diff(other.as_secs());
    let (number, unit) = match seconds {
        0..120 => (seconds, "seconds"),
        120..7_200 => (seconds / 60, "minutes"),
        7_200..172_800 => (seconds / 3_600, "hours"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn each_sentence_says_what_to_do_about_it() {
        let at = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let presented = vec!["DnsName(\"b.example\")".to_owned(), "DnsName(\"\u{1b}[31m\")".to_owned()];
        let expected = rustls::pki_types::ServerName::try_from("a.example").unwrap();
        for (why, words) in [
            (CertificateError::UnknownIssuer, "issued by nobody who is trusted here"),
            (
                CertificateError::NotValidForNameContext { expected, presented },
                "not made out to a.example, but to b.example, something odd",
            ),
            (
                CertificateError::ExpiredContext { time: at(900_000), not_after: at(0) },
                "a.example expired 10 days ago",
            ),
            (
                CertificateError::NotValidYetContext { time: at(0), not_before: at(300) },
                "valid only in 5 minutes",
            ),
        ] {
            let said = failure(&Error::InvalidCertificate(why), "a.example");
            assert!(said.contains(words), "{said}");
        }
        let inner = Error::AlertReceived(AlertDescription::HandshakeFailure);
        let outer = io::Error::new(io::ErrorKind::InvalidData, inner);
        assert_eq!(
            io_failure(&outer, "h").as_deref(),
            Some("h broke the TLS connection off: HandshakeFailure")
        );
        assert_eq!(io_failure(&io::ErrorKind::BrokenPipe.into(), "h"), None);
    }
}
