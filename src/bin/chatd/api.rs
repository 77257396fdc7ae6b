//! The server's API: who may use it, as it is meant.

use crate::files;
use crate::options::ApiAt;
use chatd::executor::admin::api::{Access, NoTokens, Socket, Tokens};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why there is no API although one was asked for.
#[derive(Debug)]
pub enum NoApi {
    /// The file of the tokens cannot be read.
    Unreadable(PathBuf, io::Error),
    /// It has no tokens.
    Tokens(PathBuf, NoTokens),
    /// The socket cannot be had.
    Socket(PathBuf, io::Error),
}

impl fmt::Display for NoApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoApi::Unreadable(file, error) => write!(f, "cannot read {}: {error}", file.display()),
            NoApi::Tokens(file, why) => write!(f, "tokens of the API: {}: {why}", file.display()),
            NoApi::Socket(path, error) => write!(f, "cannot listen on {}: {error}", path.display()),
        }
    }
}

impl std::error::Error for NoApi {}

/// The tokens; none if no file was named.
///
/// # Errors
/// If a file was named that has none.
pub fn tokens(at: &ApiAt) -> Result<Tokens, NoApi> {
    at.api_token_file.as_deref().map_or_else(|| Ok(Tokens::default()), read)
}

/// The tokens in a file.
///
/// # Errors
/// If it has none.
pub fn read(file: &Path) -> Result<Tokens, NoApi> {
    let text = files::text(file).map_err(|error| NoApi::Unreadable(file.to_owned(), error))?;
    Tokens::read(&text).map_err(|why| NoApi::Tokens(file.to_owned(), why))
}

/// Who may use the API; `None` if nobody may. `admin` is the admin address, where there is one.
///
/// # Errors
/// If the socket cannot be had.
pub fn access(
    tokens: Tokens,
    socket: Option<PathBuf>,
    admin: Option<SocketAddr>,
    warnings: &mut Vec<String>,
) -> Result<Option<Access>, NoApi> {
    match admin {
        None if tokens.count() > 0 => {
            warnings.push("no API for tokens: there is no admin address (--admin)".to_owned());
        }
        Some(address) if tokens.count() > 0 && !address.ip().is_loopback() => warnings.push(format!(
            "tokens of the API cross the network in clear text on {address}: a TLS proxy in front encrypts them"
        )),
        Some(_) | None => {}
    }
    if tokens.count() == 0 && socket.is_none() {
        return Ok(None);
    }
    let listen = |path: PathBuf| Socket::bind(&path).map_err(|error| NoApi::Socket(path, error));
    Ok(Some(Access { tokens, socket: socket.map(listen).transpose()? }))
}
