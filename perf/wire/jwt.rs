//! What an application signs for its users, as JSON Web Tokens: pure, with keys that are the same in every run and open
//! nothing but servers of this harness.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair};

const ISSUER: &str = "https://perf.example";
const AUDIENCE: &str = "chat-perf";
/// What both keys are made of: 32 bytes.
const SEED: &[u8; 32] = b"a key of chat-perf, for all runs";

/// An application that vouches for its users.
pub struct Application {
    /// As tokens and reports call what it signs with.
    pub algorithm: &'static str,
    key: Key,
}

enum Key {
    EdDsa(Box<Ed25519KeyPair>),
    Hs256(hmac::Key),
}

impl Application {
    /// One that signs with a key of which only itself has the private half.
    pub fn eddsa() -> Application {
        let pair = Ed25519KeyPair::from_seed_unchecked(SEED).expect("it has 32 bytes");
        Application { algorithm: "EdDSA", key: Key::EdDsa(Box::new(pair)) }
    }

    /// One that shares a secret with the server.
    pub fn hs256() -> Application {
        Application { algorithm: "HS256", key: Key::Hs256(hmac::Key::new(hmac::HMAC_SHA256, SEED)) }
    }

    /// The option by which a chatd is told the key, and the file that it names.
    pub fn key_file(&self) -> (&'static str, Vec<u8>) {
        match &self.key {
            Key::EdDsa(pair) => {
                let point = URL_SAFE_NO_PAD.encode(pair.public_key());
                let key = format!("{{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{point}\"}}");
                ("--jwt-key", key.into_bytes())
            }
            Key::Hs256(_) => ("--jwt-secret", SEED.to_vec()),
        }
    }

    /// What else a chatd is told, so that it believes this application.
    pub fn arguments() -> [String; 4] {
        ["--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE].map(str::to_owned)
    }

    /// The token of one of its users, good until `expires`, in seconds since 1970.
    pub fn token(&self, subject: &str, expires: u64) -> String {
        let header = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"{}\",\"typ\":\"JWT\"}}", self.algorithm));
        let claims = URL_SAFE_NO_PAD.encode(format!(
            "{{\"iss\":\"{ISSUER}\",\"aud\":\"{AUDIENCE}\",\"sub\":\"{subject}\",\"name\":\"{subject}\",\"exp\":{expires}}}"
        ));
        let text = format!("{header}.{claims}");
        let signature = match &self.key {
            Key::EdDsa(pair) => URL_SAFE_NO_PAD.encode(pair.sign(text.as_bytes())),
            Key::Hs256(key) => URL_SAFE_NO_PAD.encode(hmac::sign(key, text.as_bytes())),
        };
        format!("{text}.{signature}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ED25519, UnparsedPublicKey};

    #[test]
    fn what_is_signed_is_good_by_the_key_that_the_server_is_told() {
        for application in [Application::eddsa(), Application::hs256()] {
            let token = application.token("u-1", 1_800_000_000);
            let (text, signature) = token.rsplit_once('.').unwrap();
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let (option, file) = application.key_file();
            let is_good = match option {
                "--jwt-secret" => {
                    let key = hmac::Key::new(hmac::HMAC_SHA256, &file);
                    hmac::verify(&key, text.as_bytes(), &signature).is_ok()
                }
                _ => {
                    let jwk: serde_json::Value = serde_json::from_slice(&file).unwrap();
                    let point = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
                    UnparsedPublicKey::new(&ED25519, point).verify(text.as_bytes(), &signature).is_ok()
                }
            };
            assert!(is_good, "{option}");
            let part = |number: usize| -> serde_json::Value {
                let part = text.split('.').nth(number).unwrap();
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
            };
            assert_eq!(part(0)["alg"], application.algorithm);
            assert_eq!((&part(1)["sub"], &part(1)["exp"]), (&"u-1".into(), &1_800_000_000_u64.into()));
        }
    }
}
