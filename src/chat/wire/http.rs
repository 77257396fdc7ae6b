//! HTTP/1.1, as much of it as a page and a WebSocket's beginning need: the head of a request to what it asks for.
//!
//! Strict, so that nothing before this server can read a request otherwise: lines end with CR LF, a request has one
//! `Host` and no body, what may stand once does not stand twice. HTTP/1.0, in which balancers ask whether a server lives,
//! may leave out `Host`, and asks for no WebSocket. The answers are next door, in [`answer`].

pub mod answer;

use super::proxy;
use answer::Status;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use core::net::IpAddr;
use memchr::memchr;
use sha1::{Digest, Sha1};

/// Bytes of a head, from its first line to the empty one.
pub const HEAD_BYTES: usize = 8 << 10;
/// Fields of a head.
pub const HEAD_LINES: usize = 64;

/// How far a head has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It goes on: all that is there was searched in vain.
    Partial,
    /// It is `bytes[..end]`.
    Whole(usize),
    /// It cannot become one.
    Refused(Status),
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask<'a> {
    /// Whether only the head of the answer is wanted.
    pub head_only: bool,
    /// The path, without what follows a question mark.
    pub path: &'a str,
    /// What the server was called.
    pub host: &'a str,
    /// Whose page asks.
    pub origin: Option<&'a str>,
    /// Which copies the client has: a list, or `*`.
    pub etags: Option<&'a str>,
    /// Whether the connection is to become a WebSocket.
    pub upgrade: Option<Upgrade<'a>>,
}

/// The wish for a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Upgrade<'a> {
    version: Option<&'a str>,
    key: Option<&'a str>,
}

/// Looks for the end of a head, of which `searched` bytes were looked at before.
pub fn arrive(bytes: &[u8], searched: usize) -> Arrival {
    let mut from = searched;
    while let Some(found) = memchr(b'\n', &bytes[from..]) {
        let at = from + found;
        if at >= HEAD_BYTES {
            return Arrival::Refused(Status::HeadTooLarge);
        }
        if at == 0 || bytes[at - 1] != b'\r' {
            return Arrival::Refused(Status::BadRequest);
        }
        if at >= 3 && bytes[at - 3..at - 1] == *b"\r\n" {
            return Arrival::Whole(at + 1);
        }
        from = at + 1;
    }
    if bytes.len() >= HEAD_BYTES {
        return Arrival::Refused(Status::HeadTooLarge);
    }
    Arrival::Partial
}

/// Reads a whole head.
///
/// # Errors
/// The status to answer with.
pub fn read(head: &[u8]) -> Result<Ask<'_>, Status> {
    let mut fields = [httparse::EMPTY_HEADER; HEAD_LINES];
    let mut request = httparse::Request::new(&mut fields);
    match request.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(Status::HeadTooLarge),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Status::BadRequest),
    }
    let is_old = match request.version {
        Some(0) => true,
        Some(1) => false,
        _ => return Err(Status::BadRequest),
    };
    let fields = Fields(request.headers);
    let host = fields.one("host")?.or(is_old.then_some("")).ok_or(Status::BadRequest)?;
    let has_body = fields.one("content-length")?.is_some_and(|length| length != "0");
    if has_body || fields.one("transfer-encoding")?.is_some() {
        return Err(Status::BadRequest);
    }
    let head_only = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        _ => return Err(Status::MethodNotAllowed),
    };
    let target = request.path.filter(|target| target.starts_with('/')).ok_or(Status::BadRequest)?;
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    let upgrades = fields.lists("connection", "upgrade") && fields.lists("upgrade", "websocket");
    let upgrade = if upgrades && !is_old {
        Some(Upgrade { version: fields.one("sec-websocket-version")?, key: fields.one("sec-websocket-key")? })
    } else {
        None
    };
    Ok(Ask {
        head_only,
        path,
        host,
        origin: fields.one("origin")?,
        etags: fields.first("if-none-match")?,
        upgrade,
    })
}

/// Whom the proxies that are `believed` say that a request is for.
pub fn forwarded(head: &[u8], believed: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let mut fields = [httparse::EMPTY_HEADER; HEAD_LINES];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head).ok()?;
    let named = request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("x-forwarded-for"));
    proxy::forwarded(named.map(|field| field.value), believed)
}

/// The fields of a head.
struct Fields<'h, 'b>(&'h [httparse::Header<'b>]);

impl<'b> Fields<'_, 'b> {
    /// The value of a field that may stand once.
    fn one(&self, name: &str) -> Result<Option<&'b str>, Status> {
        let mut values = self.0.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let Some(field) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Status::BadRequest);
        }
        std::str::from_utf8(field.value).map(|value| Some(value.trim())).map_err(|_| Status::BadRequest)
    }

    /// The value of a field that may go on in further lines, of which nobody has to know.
    fn first(&self, name: &str) -> Result<Option<&'b str>, Status> {
        let value =
            self.0.iter().find(|field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value);
        value
            .map(|value| std::str::from_utf8(value).map(str::trim).map_err(|_| Status::BadRequest))
            .transpose()
    }

    /// Whether a field, in however many lines, lists a word.
    fn lists(&self, name: &str, word: &str) -> bool {
        let values = self.0.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let mut words = values.flat_map(|field| field.value.split(|&byte| byte == b','));
        words.any(|listed| listed.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
    }
}

impl Upgrade<'_> {
    /// What says that this server has understood: the answer to the client's key.
    ///
    /// # Errors
    /// The status to answer with.
    pub fn accept(&self) -> Result<String, Status> {
        const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        if self.version != Some("13") {
            return Err(Status::UpgradeRequired);
        }
        let key = self.key.ok_or(Status::BadRequest)?;
        match STANDARD.decode(key) {
            Ok(nonce) if nonce.len() == 16 => {}
            _ => return Err(Status::BadRequest),
        }
        Ok(STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize()))
    }
}

/// Whether a list of `If-None-Match` has this copy: weak or strong, for a proxy that compresses weakens the name.
pub fn lists_copy(list: &str, etag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

/// Whether a page of this origin is the server's own, which was called `host`.
pub fn is_same_host(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let default = match scheme.to_ascii_lowercase().as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |name: &str| name.strip_suffix(default).unwrap_or(name).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests;
