//! `chatd dev-cert`: a certificate to try TLS with, and an authority of its own that issued it.
//!
//! The authority's key is thrown away: whoever trusts it trusts this one certificate.

use crate::options::DevCert;
use chatd_process::log;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa};
use rcgen::{KeyPair, KeyUsagePurpose, date_time_ymd};
use std::error::Error;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::SystemTime;

/// What it is made out to.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Makes the files, and prints what to do with them.
pub fn run(wanted: &DevCert) -> Result<(), Box<dyn Error>> {
    let directory = &wanted.directory;
    let file = |name: &str| directory.join(name);
    let (ca, certificate, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    if let Some(there) = [&ca, &certificate, &key].into_iter().find(|path| path.exists()) {
        return Err(format!(
            "{} is there already: remove it first, or name another directory",
            there.display()
        )
        .into());
    }
    fs::create_dir_all(directory)
        .map_err(|error| format!("{} cannot be made: {error}", directory.display()))?;
    let made = make()?;
    write(&ca, &made.ca, 0o644)?;
    write(&certificate, &made.certificate, 0o644)?;
    write(&key, &made.key, 0o600)?;
    log::print(format!(
        "A certificate for {}, valid for a year, which only those believe who are told to.\n\n  \
         chatd --tls-cert {} --tls-key {}\n  chat --ca {} tls://localhost:6000\n",
        NAMES.join(", "),
        certificate.display(),
        key.display(),
        ca.display()
    ));
    Ok(())
}

/// Three files, in PEM.
struct Made {
    ca: String,
    certificate: String,
    key: String,
}

fn make() -> Result<Made, rcgen::Error> {
    let (year, month, day) = date(SystemTime::now());
    let params = |name: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, name);
        // Of a leap day there is none a year later.
        (params.not_before, params.not_after) =
            (date_time_ymd(year, month, day.min(28)), date_time_ymd(year + 1, month, day.min(28)));
        Ok::<_, rcgen::Error>(params)
    };
    let mut authority = params("chatd dev-cert", &[])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut own = params("localhost", &NAMES)?;
    own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    own.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate()?;
    let certificate = own.signed_by(&key, &issuer)?;
    Ok(Made { ca: issuer.pem(), certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Year, month and day, of UTC (Howard Hinnant's civil_from_days).
fn date(now: SystemTime) -> (i32, u8, u8) {
    let days = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() / 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    ((era * 400 + year + later) as i32, month as u8, day as u8)
}

/// Writes a new file that nobody else may change, and of which `mode` says who may read it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn days_have_their_dates() {
        for (days, wanted) in
            [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_786, (2026, 11, 29))]
        {
            assert_eq!(date(SystemTime::UNIX_EPOCH + Duration::from_secs(days * DAY)), wanted);
        }
    }

    const DAY: u64 = 86_400;
}
