//! Options of logins by JSON Web Tokens.

use clap::Args;
use std::path::PathBuf;

/// Logins by JSON Web Tokens, which another application signs for its users.
#[derive(Clone, Debug, Default, Args)]
pub struct Jwt {
    /// Lets in whoever has a token (JWT) signed with one of these keys: PEM, or a JWK set.
    #[arg(long, value_name = "FILE", env = "CHATD_JWT_KEY", requires = "jwt_issuer", requires = "jwt_audience",
          conflicts_with_all = ["jwt_secret", "jwt_jwks"])]
    pub jwt_key: Option<PathBuf>,

    /// The same with a secret that is shared (HS256): a file of 32 bytes at least.
    #[arg(
        long,
        value_name = "FILE",
        env = "CHATD_JWT_SECRET",
        requires = "jwt_issuer",
        requires = "jwt_audience",
        conflicts_with = "jwt_jwks"
    )]
    pub jwt_secret: Option<PathBuf>,

    /// The same with the keys at an address, https://app.example/.well-known/jwks.json, which is asked now and then.
    #[arg(long, value_name = "URL", env = "CHATD_JWT_JWKS", requires = "jwt_issuer", requires = "jwt_audience",
          value_parser = web_address)]
    pub jwt_jwks: Option<String>,

    /// What `iss` of such a token must be.
    #[arg(long, value_name = "TEXT", env = "CHATD_JWT_ISSUER")]
    pub jwt_issuer: Option<String>,

    /// What `aud` of such a token must be, or have among others.
    #[arg(long, value_name = "TEXT", env = "CHATD_JWT_AUDIENCE")]
    pub jwt_audience: Option<String>,
}

/// An address of HTTP.
pub fn web_address(text: &str) -> Result<String, String> {
    match text.starts_with("https://") || text.starts_with("http://") {
        true => Ok(text.to_owned()),
        false => Err("it begins with https:// or http://".to_owned()),
    }
}
