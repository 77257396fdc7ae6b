//! Tokens that another application signs for its users: JSON Web Tokens (RFC 7519) as compact JWS (RFC 7515).
//!
//! Owns which keys are believed ([`key`]), where they come from ([`source`]), what a token must say ([`Policy`]), and the
//! thread that looks at tokens ([`gate`]). `ring` does the cryptography. The algorithm belongs to the key, never to the
//! token: a token that names another one is refused. Never prints a token or a secret, and never asks the store.

mod der;
pub mod gate;
pub mod key;
pub mod source;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatd_chat::wire::code::Code;
use key::Keys;
use serde_json::{Map, Value};

/// How far the clocks of whoever signs and of this machine may be apart, in seconds.
pub const LEEWAY_S: u64 = 60;
/// The longest `sub` that is taken, in bytes: it names a user in a unique column.
pub const SUBJECT_BYTES: usize = 190;

/// Whose tokens are believed, and for whom they must be meant.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be, or have among others.
    pub audience: String,
}

/// What a token says, once it is believed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// `sub`: the application's name of the user, 1 to [`SUBJECT_BYTES`] bytes.
    pub subject: String,
    /// `name`: what the user is called, if the token says so.
    pub name: Option<String>,
    /// `exp`, in seconds since the Unix epoch.
    pub expires: u64,
}

/// Why a token is not believed. For the log and the tests: whoever came with it hears only whether it has expired.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// It is not three parts of base64url, of which the first two are JSON objects.
    Malformed,
    /// No key is known that it could be signed with: its `kid` is unknown, or its `alg` is none of a key's.
    NoKey,
    /// It asks for an extension (`crit`), and none is understood.
    Critical,
    /// It was not signed by that key.
    Forged,
    /// `iss` is another one, or missing.
    Issuer,
    /// `aud` is another one, or missing.
    Audience,
    /// `sub` is missing, empty or too long.
    Subject,
    /// `exp` is missing or no number.
    NoExpiry,
    /// `nbf` is later.
    NotYet,
    /// `exp` is over.
    Expired,
}

impl Doubt {
    /// What whoever came with it is answered.
    pub fn code(self) -> Code {
        match self {
            Doubt::Expired => Code::Expired,
            _ => Code::Refused,
        }
    }
}

/// Believes a token, or not. `now` is in seconds since the Unix epoch.
///
/// # Errors
/// Why it is not believed. Of what it says nothing counts before its signature is found good.
pub fn verify(keys: &Keys, policy: &Policy, token: &str, now: u64) -> Result<Claims, Doubt> {
    let (signed, signature) = token.rsplit_once('.').ok_or(Doubt::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(Doubt::Malformed)?;
    let header = object(header)?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Doubt::Malformed)?;
    if header.contains_key("crit") {
        return Err(Doubt::Critical);
    }
    let text =
        |name| header.get(name).map(|value: &Value| value.as_str().ok_or(Doubt::Malformed)).transpose();
    let (algorithm, id) = (text("alg")?.ok_or(Doubt::Malformed)?, text("kid")?);
    let mut known = false;
    let mut good = false;
    for key in keys.candidates(algorithm, id) {
        known = true;
        good = good || key.verifies(signed.as_bytes(), &signature);
    }
    match (known, good) {
        (false, _) => Err(Doubt::NoKey),
        (true, false) => Err(Doubt::Forged),
        (true, true) => judge(&object(payload)?, policy, now),
    }
}

/// What a token says whose signature is good.
fn judge(payload: &Map<String, Value>, policy: &Policy, now: u64) -> Result<Claims, Doubt> {
    if payload.get("iss").and_then(Value::as_str) != Some(&policy.issuer) {
        return Err(Doubt::Issuer);
    }
    let meant = match payload.get("aud") {
        Some(Value::String(one)) => *one == policy.audience,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(&policy.audience)),
        _ => false,
    };
    if !meant {
        return Err(Doubt::Audience);
    }
    let expires = seconds(payload.get("exp")).ok_or(Doubt::NoExpiry)?;
    if expires.saturating_add(LEEWAY_S) <= now {
        return Err(Doubt::Expired);
    }
    if let Some(not_before) = payload.get("nbf")
        && seconds(Some(not_before)).is_none_or(|not_before| not_before > now.saturating_add(LEEWAY_S))
    {
        return Err(Doubt::NotYet);
    }
    let subject = payload.get("sub").and_then(Value::as_str).unwrap_or_default();
    if !(1..=SUBJECT_BYTES).contains(&subject.len()) {
        return Err(Doubt::Subject);
    }
    let name = payload.get("name").and_then(Value::as_str).map(str::to_owned);
    Ok(Claims { subject: subject.to_owned(), name, expires })
}

/// A NumericDate, which may have a fraction.
fn seconds(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| value.as_f64().filter(|seconds| *seconds >= 0.0).map(|seconds| seconds as u64))
}

fn object(part: &str) -> Result<Map<String, Value>, Doubt> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| Doubt::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| Doubt::Malformed)
}

#[cfg(test)]
mod tests;
