//! Signed tokens and the keys that they are believed by: without the key nothing is believed, and with it only what the
//! policy takes.

use crate::Target;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatd_storage::jwt::key::Keys;
use chatd_storage::jwt::{Claims, Doubt, LEEWAY_S, Policy, SUBJECT_BYTES, verify};
use ring::hmac;

/// `TARGET` reads a byte that says what follows: a token, the payload of one that is signed, its header and its payload,
/// or a file of keys.
pub const TARGET: Target = Target {
    name: "jwt",
    run,
    dictionary: &[
        b"{\"alg\":\"HS256\"}",
        b"\"alg\":\"none\"",
        b"\"kid\":",
        b"\"crit\":[]",
        b"\"iss\":\"https://app.example\"",
        b"\"aud\":\"chat\"",
        b"\"aud\":[\"chat\"]",
        b"\"sub\":\"u\"",
        b"\"exp\":2000000300",
        b"\"nbf\":",
        b"\"name\":",
        b"1e400",
        b"-1",
        b"2000000300.5",
        b"18446744073709551615",
        b".",
        b"..",
        b"eyJhbGciOiJIUzI1NiJ9",
        b"-----BEGIN PUBLIC KEY-----",
        b"-----END PUBLIC KEY-----",
        b"-----BEGIN RSA PUBLIC KEY-----",
        b"{\"keys\":[",
        b"\"kty\":\"OKP\"",
        b"\"kty\":\"oct\"",
        b"\"crv\":\"Ed25519\"",
        b"\"kty\":\"RSA\"",
        b"\"n\":",
        b"\"e\":\"AQAB\"",
        b"\"use\":\"sig\"",
        b"MCowBQYDK2VwAyEA",
    ],
    bytes: 1_024,
};

const NOW: u64 = 2_000_000_000;
const SECRET: &[u8] = b"a secret of thirty-two bytes, at least";
/// Nothing in the corpus was signed with it.
const UNUSED: &[u8] = b"another one, that never signs anything";

fn run(bytes: &[u8]) {
    let Some((&kind, bytes)) = bytes.split_first() else { return };
    match kind & 3 {
        0 => {
            let Ok(token) = std::str::from_utf8(bytes) else { return };
            let keys = Keys::secret(UNUSED).expect("it is long enough");
            assert!(verify(&keys, &policy(), token, NOW).is_err(), "{token}");
        }
        1 => check(judged(br#"{"alg":"HS256","typ":"JWT"}"#, bytes), bytes),
        2 => {
            let at = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
            let (header, payload) = bytes.split_at(at);
            check(judged(header, payload), payload);
        }
        _ => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            let Ok(keys) = Keys::read(text) else { return };
            assert!(!keys.is_empty() && !format!("{keys:?}").is_empty());
            for algorithm in ["EdDSA", "ES256", "RS256", "HS256"] {
                let good = keys.candidates(algorithm, None).any(|key| key.verifies(b"signed", &[0; 64]));
                assert!(!good, "zeros are no signature: {text}");
            }
        }
    }
}

fn policy() -> Policy {
    Policy { issuer: "https://app.example".to_owned(), audience: "chat".to_owned() }
}

/// What is made of a token that says so, signed as it should be.
fn judged(header: &[u8], payload: &[u8]) -> Result<Claims, Doubt> {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), signed.as_bytes());
    let keys = Keys::secret(SECRET).expect("it is long enough");
    verify(&keys, &policy(), &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), NOW)
}

/// Whoever is believed has a subject, and time left.
fn check(claims: Result<Claims, Doubt>, payload: &[u8]) {
    if let Ok(claims) = claims {
        assert!((1..=SUBJECT_BYTES).contains(&claims.subject.len()), "{}", payload.escape_ascii());
        assert!(claims.expires.saturating_add(LEEWAY_S) > NOW, "{}", payload.escape_ascii());
        let said: serde_json::Value = serde_json::from_slice(payload).expect("it was read");
        assert_eq!((&said["iss"], &said["sub"]), (&"https://app.example".into(), &claims.subject.into()));
    }
}
