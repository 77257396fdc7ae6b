//! The answers of HTTP: a head, and what every one of them says about what a browser may do with it.
//!
//! A connection is for one request: each answer but that to an upgrade says that it is closed then.

/// How a request was met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Status {
    /// Here it is.
    Done = 200,
    /// The client's copy is the newest.
    NotModified = 304,
    /// No request that this server can trust.
    BadRequest = 400,
    /// A page of somebody else's.
    Forbidden = 403,
    /// Nothing is there.
    NotFound = 404,
    /// Neither GET nor HEAD.
    MethodNotAllowed = 405,
    /// It took too long.
    TooSlow = 408,
    /// Here is a WebSocket, of version 13, and nothing else.
    UpgradeRequired = 426,
    /// More than 8 KiB or 64 fields.
    HeadTooLarge = 431,
    /// Not now.
    Unavailable = 503,
}

impl Status {
    /// What follows the number.
    const fn reason(self) -> &'static str {
        match self {
            Status::Done => "OK",
            Status::NotModified => "Not Modified",
            Status::BadRequest => "Bad Request",
            Status::Forbidden => "Forbidden",
            Status::NotFound => "Not Found",
            Status::MethodNotAllowed => "Method Not Allowed",
            Status::TooSlow => "Request Timeout",
            Status::UpgradeRequired => "Upgrade Required",
            Status::HeadTooLarge => "Request Header Fields Too Large",
            Status::Unavailable => "Service Unavailable",
        }
    }

    /// A sentence for people.
    pub const fn text(self) -> &'static str {
        match self {
            Status::Done => "ok\n",
            Status::NotModified => "",
            Status::BadRequest => "not a request: HTTP/1.1, one Host, no body\n",
            Status::Forbidden => "pages of this origin may not connect here\n",
            Status::NotFound => "nothing is there\n",
            Status::MethodNotAllowed => "GET and HEAD only\n",
            Status::TooSlow => "the request took too long\n",
            Status::UpgradeRequired => "a WebSocket of version 13 only\n",
            Status::HeadTooLarge => "a head has 8 KiB and 64 fields at most\n",
            Status::Unavailable => "not now, try again\n",
        }
    }

    /// Fields that go with it.
    const fn fields(self) -> &'static str {
        match self {
            Status::MethodNotAllowed => "Allow: GET, HEAD\r\n",
            Status::UpgradeRequired => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            Status::Unavailable => "Retry-After: 1\r\n",
            Status::Done
            | Status::NotModified
            | Status::BadRequest
            | Status::Forbidden
            | Status::NotFound
            | Status::TooSlow
            | Status::HeadTooLarge => "",
        }
    }
}

/// What a browser may do with anything of ours: run our scripts, talk to us, and nothing else.
const POLICY: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self' ws: wss:; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cache-Control: no-cache\r\n";

/// The head of an answer whose body has so many bytes.
pub fn head(status: Status, kind: &str, body_bytes: usize, etag: Option<&str>) -> Vec<u8> {
    let connection = if status as u16 == Status::UpgradeRequired as u16 { "close, Upgrade" } else { "close" };
    let etag = etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
    let body = if status as u16 == Status::NotModified as u16 {
        String::new()
    } else {
        format!("Content-Type: {kind}\r\nContent-Length: {body_bytes}\r\n")
    };
    format!(
        "HTTP/1.1 {} {}\r\n{body}{etag}{}{POLICY}Connection: {connection}\r\n\r\n",
        status as u16,
        status.reason(),
        status.fields(),
    )
    .into_bytes()
}

/// The head of a WebSocket: what follows are frames.
pub fn switching(accept: &str) -> Vec<u8> {
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    format!("HTTP/1.1 101 Switching Protocols\r\n{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n")
        .into_bytes()
}
