//! The little HTTP/1.1 that is spoken here: GET and HEAD, one request a connection.
//!
//! Heads are parsed by httparse (the parser of hyper: no allocation, no dependency, fuzzed).

use std::fmt::Write;

/// Bytes of a request's head at most.
pub(super) const HEAD_BYTES: usize = 8 << 10;
/// Headers of a request at most.
const HEADERS: usize = 64;

/// The text of a page, of a refusal and of a failure.
pub(super) const TEXT: &str = "text/plain; charset=utf-8";

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) query: Vec<(String, String)>,
    /// Whether only the head of the answer is wanted.
    pub(super) head_only: bool,
    /// Every `Host` that was named: one, where a browser asks.
    pub(super) hosts: Vec<String>,
    /// What `Accept` says; empty if nothing.
    pub(super) accept: String,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) body: Vec<u8>,
}

/// How far the bytes go that have come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Head {
    /// Not to the end of the head.
    Partial,
    Whole(Request),
    /// Whoever it is wants the API: see [`api`](super::api).
    Api,
    /// They are no request that is answered here.
    Refused(Response),
}

impl Response {
    pub(super) fn new(content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, content_type, body: body.into() }
    }

    pub(super) fn refusal(status: u16, text: impl Into<String>) -> Self {
        Self { status, content_type: TEXT, body: (text.into() + "\n").into_bytes() }
    }

    /// The bytes for the socket.
    pub(super) fn bytes(self, head_only: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let (kind, length) = (self.content_type, self.body.len());
        let written = write!(head, "Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        written.expect("writing to a string does not fail");
        if self.status == 405 {
            head.push_str("Allow: GET, HEAD\r\n");
        }
        head.push_str(
            "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        );
        let mut bytes = head.into_bytes();
        if !head_only {
            bytes.extend(self.body);
        }
        bytes
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        421 => "Misdirected Request",
        431 => "Request Header Fields Too Large",
        503 => "Service Unavailable",
        _ => "Internal Server Error",
    }
}

/// Reads the head of a request.
pub(super) fn head(bytes: &[u8]) -> Head {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES => Head::Partial,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Head::Refused(Response::refusal(431, "the head of the request is too large"))
        }
        Err(error) => Head::Refused(Response::refusal(400, format!("this is not HTTP: {error}"))),
        Ok(httparse::Status::Complete(_)) => match (request.method, request.path) {
            (_, Some(target)) if target.starts_with("/v1/") => Head::Api,
            (Some(method @ ("GET" | "HEAD")), Some(target)) => {
                Head::Whole(asked(target, method == "HEAD", request.headers))
            }
            _ => Head::Refused(Response::refusal(405, "only GET and HEAD are answered here")),
        },
    }
}

fn asked(target: &str, head_only: bool, headers: &[httparse::Header<'_>]) -> Request {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key.to_owned(), value.to_owned())
    };
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
    let values = |name: &str| -> Vec<String> {
        let named = headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| String::from_utf8_lossy(header.value).trim().to_owned()).collect()
    };
    let (hosts, accept) = (values("host"), values("accept").join(","));
    Request { path: path.to_owned(), query, head_only, hosts, accept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> u16 {
        match head(bytes) {
            Head::Refused(response) => response.status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_whole_at_its_last_byte_and_not_before() {
        let bytes = b"HEAD /histograms?format=hdr&core=all&x HTTP/1.1\r\nHOST: here\r\nAccept: a\r\naccept:  b \r\n\r\n";
        for end in 0..bytes.len() {
            assert_eq!(head(&bytes[..end]), Head::Partial, "{end}");
        }
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let query = vec![pair("format", "hdr"), pair("core", "all"), pair("x", "")];
        let (hosts, accept) = (vec!["here".to_owned()], "a,b".to_owned());
        let request = Request { path: "/histograms".to_owned(), query, head_only: true, hosts, accept };
        assert_eq!(head(bytes), Head::Whole(request));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(status(b"POST /metrics HTTP/1.1\r\n\r\n"), 405);
        assert_eq!(status(b"\x16\x03\x01\x02\x00\x01\x00\x01"), 400);
        assert_eq!(status(b"GET / HTTP/3.0\r\n\r\n"), 400);
        assert_eq!(status(b"GET /metrics HTTP/1.1\r\nno colon\r\n\r\n"), 400);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        assert_eq!(status(many.as_bytes()), 431);
        let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES));
        assert_eq!(status(long.as_bytes()), 431);
    }

    #[test]
    fn no_bytes_are_too_strange() {
        let mut state = 7u64;
        for _ in 0..20_000 {
            let mut bytes = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
            for _ in 0..4 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = (state >> 33) as usize % bytes.len();
                bytes[at] = (state >> 24) as u8;
            }
            let _ = head(&bytes);
        }
    }

    #[test]
    fn a_head_has_the_length_of_the_body_that_it_leaves_out() {
        let response = Response::new(TEXT, "hello");
        let (whole, head) = (response.clone().bytes(false), response.bytes(true));
        assert!(whole.ends_with(b"\r\n\r\nhello") && whole.starts_with(&head));
        assert!(String::from_utf8(head).expect("ASCII").contains("Content-Length: 5\r\n"));
    }
}
