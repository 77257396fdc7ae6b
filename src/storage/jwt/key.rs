//! Keys that tokens are signed with: what each can verify, and how they are written down.
//!
//! A file of keys is PEM (one or several `PUBLIC KEY`), a JWK, or a JWK set (RFC 7517). A key has one algorithm.

use super::der::{self, Kind};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{hmac, signature};
use serde_json::{Map, Value};
use std::fmt;

/// Keys in a set at most: a token without a `kid` is tried with each of its algorithm.
pub const KEYS: usize = 32;
/// Bytes of a secret at least, as RFC 7518 wants them for HS256.
const SECRET_BYTES: usize = 32;

/// A key that verifies, and cannot sign anything but where the algorithm makes no difference (HS256). Never printed.
pub struct Key {
    id: Option<String>,
    material: Material,
}

enum Material {
    /// An Ed25519 point.
    EdDsa(Vec<u8>),
    /// A P-256 point, uncompressed.
    Es256(Vec<u8>),
    /// Modulus and exponent, big-endian.
    Rs256 {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// An RSAPublicKey in DER.
    Rs256Der(Vec<u8>),
    Hs256(hmac::Key),
}

/// The keys that are believed.
#[derive(Default)]
pub struct Keys(Vec<Key>);

/// Why a file has no keys.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadKeys(String);

impl fmt::Display for BadKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadKeys {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {:?})", self.algorithm(), self.id)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.0).finish()
    }
}

fn bad(text: impl Into<String>) -> BadKeys {
    BadKeys(text.into())
}

impl Key {
    /// The one algorithm that this key is for.
    pub fn algorithm(&self) -> &'static str {
        match self.material {
            Material::EdDsa(_) => "EdDSA",
            Material::Es256(_) => "ES256",
            Material::Rs256 { .. } | Material::Rs256Der(_) => "RS256",
            Material::Hs256(_) => "HS256",
        }
    }

    /// Whether `signed` was signed with it.
    pub fn verifies(&self, signed: &[u8], with: &[u8]) -> bool {
        let public = |algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(algorithm, key).verify(signed, with).is_ok()
        };
        match &self.material {
            Material::EdDsa(key) => public(&signature::ED25519, key),
            Material::Es256(key) => public(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::Rs256Der(key) => public(&signature::RSA_PKCS1_2048_8192_SHA256, key),
            Material::Rs256 { n, e } => signature::RsaPublicKeyComponents { n, e }
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed, with)
                .is_ok(),
            // In constant time.
            Material::Hs256(key) => hmac::verify(key, signed, with).is_ok(),
        }
    }

    fn of_jwk(jwk: &Map<String, Value>) -> Result<Option<Self>, BadKeys> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let part = |name: &str| {
            let text = text(name).ok_or_else(|| bad(format!("a key has no {name}")))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| bad(format!("{name} of a key is not base64url")))
        };
        if text("use").is_some_and(|purpose| purpose != "sig") {
            return Ok(None);
        }
        let material = match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Material::EdDsa(sized(part("x")?, 32, "x")?),
            (Some("EC"), Some("P-256")) => {
                let (x, y) = (sized(part("x")?, 32, "x")?, sized(part("y")?, 32, "y")?);
                Material::Es256([&[4], &x[..], &y[..]].concat())
            }
            // Some write the sign of the number, too, which `ring` does not take.
            (Some("RSA"), _) => Material::Rs256 { n: unsigned(part("n")?), e: unsigned(part("e")?) },
            (Some("oct"), _) => secret(&part("k")?)?,
            // A set may have keys for others.
            _ => return Ok(None),
        };
        let key = Self { id: text("kid").map(str::to_owned), material };
        match text("alg") {
            Some(algorithm) if algorithm != key.algorithm() => Ok(None),
            _ => Ok(Some(key)),
        }
    }
}

fn sized(bytes: Vec<u8>, size: usize, name: &str) -> Result<Vec<u8>, BadKeys> {
    if bytes.len() == size { Ok(bytes) } else { Err(bad(format!("{name} of a key has not {size} bytes"))) }
}

/// A number without the zeros in front of it.
fn unsigned(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|&byte| byte == 0).collect()
}

fn secret(bytes: &[u8]) -> Result<Material, BadKeys> {
    if bytes.len() < SECRET_BYTES {
        return Err(bad(format!(
            "a secret has {SECRET_BYTES} bytes at least, and this one has {}",
            bytes.len()
        )));
    }
    Ok(Material::Hs256(hmac::Key::new(hmac::HMAC_SHA256, bytes)))
}

impl Keys {
    /// Reads a file of keys: PEM, a JWK or a JWK set.
    ///
    /// # Errors
    /// If it has none that can be used, or one that is damaged.
    pub fn read(text: &str) -> Result<Self, BadKeys> {
        // What some editors put before a text is no part of it.
        let text = text.trim_start_matches('\u{feff}');
        let keys = match text.trim_start().starts_with('{') {
            true => of_json(text)?.into_iter().collect::<Result<_, _>>()?,
            false => of_pem(text)?,
        };
        Self::of(keys)
    }

    /// Reads a JWK set that an application publishes for everybody: what of it makes no sense here is left out (RFC 7517,
    /// section 5), so that one key does not take the others along. What was left out, and why the first of it was.
    ///
    /// # Errors
    /// If it has none that can be used.
    pub fn read_published(text: &str) -> Result<(Self, Vec<BadKeys>), BadKeys> {
        if !text.trim_start().starts_with('{') {
            return Ok((Self::read(text)?, Vec::new()));
        }
        let (mut keys, mut left_out) = (Vec::new(), Vec::new());
        for key in of_json(text)? {
            match key {
                Ok(key) => keys.push(key),
                Err(why) => left_out.push(why),
            }
        }
        match left_out.first() {
            Some(why) if keys.is_empty() => Err(why.clone()),
            _ => Ok((Self::of(keys)?, left_out)),
        }
    }

    fn of(keys: Vec<Key>) -> Result<Self, BadKeys> {
        match keys.len() {
            0 => Err(bad("there is no key for EdDSA, ES256, RS256 or HS256 in it")),
            1..=KEYS => Ok(Self(keys)),
            many => Err(bad(format!("it has {many} keys, and {KEYS} are the most"))),
        }
    }

    /// A secret for HS256, as it is in a file: a newline at the end is not part of it.
    ///
    /// # Errors
    /// If it is too short.
    pub fn secret(bytes: &[u8]) -> Result<Self, BadKeys> {
        let line = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n"));
        let bytes = line.unwrap_or(bytes);
        Ok(Self(vec![Key { id: None, material: secret(bytes)? }]))
    }

    /// Those that a token may be signed with that says so of itself: the algorithm is the key's, and where both name the
    /// key, the name is.
    pub fn candidates(&self, algorithm: &str, id: Option<&str>) -> impl Iterator<Item = &Key> {
        self.0.iter().filter(move |key| {
            let named = key.id.as_deref().is_none_or(|own| id.is_none_or(|id| id == own));
            key.algorithm() == algorithm && named
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The keys of a JWK, or of a set of them, that are for algorithms of ours, and what is wrong with those that are damaged.
fn of_json(text: &str) -> Result<Vec<Result<Key, BadKeys>>, BadKeys> {
    let file: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| bad(format!("it is not JSON: {error}")))?;
    let Some(several) = file.get("keys") else {
        return Ok(Key::of_jwk(&file).transpose().into_iter().collect());
    };
    let several = several.as_array().ok_or_else(|| bad("its keys are no list"))?;
    let key = |jwk: &Value| match jwk.as_object() {
        Some(jwk) => Key::of_jwk(jwk).transpose(),
        None => Some(Err(bad("a key is no object"))),
    };
    Ok(several.iter().filter_map(key).collect())
}

fn of_pem(text: &str) -> Result<Vec<Key>, BadKeys> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, begun)) = rest.split_once("-----BEGIN ") {
        let (label, begun) = begun.split_once("-----").ok_or_else(|| bad("PEM that ends too soon"))?;
        let end = format!("-----END {label}-----");
        let (body, after) = begun.split_once(&end).ok_or_else(|| bad("PEM that ends too soon"))?;
        rest = after;
        if label.contains("PRIVATE") {
            return Err(bad("it has a private key, which this server must not know: give it the public one"));
        }
        let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        let der = STANDARD.decode(body).map_err(|_| bad("PEM that is not base64"))?;
        let material = match label {
            "RSA PUBLIC KEY" => Material::Rs256Der(der),
            "PUBLIC KEY" => match der::public_key(&der) {
                Some((Kind::Rsa, key)) => Material::Rs256Der(key.to_vec()),
                Some((Kind::P256, key)) => Material::Es256(sized(key.to_vec(), 65, "the point")?),
                Some((Kind::Ed25519, key)) => Material::EdDsa(sized(key.to_vec(), 32, "the point")?),
                None => return Err(bad("a public key is neither RSA, P-256 nor Ed25519")),
            },
            _ => return Err(bad(format!("PEM of a {label}, where a PUBLIC KEY is expected"))),
        };
        keys.push(Key { id: None, material });
    }
    Ok(keys)
}
