//! The HTTP/1.1 of the API: heads, bodies of a stated length, and connections that go on.

use std::fmt::Write;

/// Bytes of a request's head at most, and of its body.
pub(super) const HEAD_BYTES: usize = 8 << 10;
pub(super) const BODY_BYTES: usize = 64 << 10;
/// Headers of a request at most.
const HEADERS: usize = 64;

const JSON: &str = "application/json";

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without what follows a question mark.
    pub(super) path: String,
    /// What `Authorization: Bearer` says.
    pub(super) bearer: Option<Vec<u8>>,
    /// Where the body lies in what was received.
    pub(super) body: std::ops::Range<usize>,
    /// Whether the connection ends with the answer.
    pub(super) is_last: bool,
}

/// How far the bytes go that have come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    /// Not to the end of the request. Whether whoever asks waits to be told to go on.
    Partial {
        waits: bool,
    },
    Whole(Request),
    /// They are no request that is answered here.
    Refused(Response),
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    content_type: &'static str,
    pub(super) body: Vec<u8>,
    /// What 405 allows.
    allow: &'static str,
}

impl Response {
    /// 200, with a JSON object.
    pub(super) fn json(body: Vec<u8>) -> Self {
        Self { status: 200, content_type: JSON, body, allow: "" }
    }

    /// HTTP's own refusals, with a sentence.
    pub(super) fn refusal(status: u16, text: &str) -> Self {
        let body = serde_json::json!({ "errmsg": text }).to_string().into_bytes();
        Self { status, content_type: JSON, body, allow: "" }
    }

    /// 405, and what would do.
    pub(super) fn only(allow: &'static str) -> Self {
        Self { allow, ..Self::refusal(405, &format!("this path is for {allow}")) }
    }

    /// What the log says of it: the errno, and the ids that were given; no text.
    pub(super) fn outcome(&self) -> String {
        if self.status != 200 {
            return format!("HTTP {}", self.status);
        }
        let answer: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let mut outcome = format!("errno {}", answer["errno"].as_u64().unwrap_or(0));
        for name in ["id", "groupid", "mid", "pos", "deviceid"] {
            match &answer[name] {
                serde_json::Value::Null => {}
                value => outcome.push_str(&format!(", {name} {value}")),
            }
        }
        outcome
    }

    /// Whether the connection cannot go on after it: what follows may be no request.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self.status, 200 | 404 | 405 | 503)
    }

    /// The bytes for the socket.
    pub(super) fn write(&self, out: &mut Vec<u8>, is_last: bool) {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        let (kind, length) = (self.content_type, self.body.len());
        let written = write!(head, "Content-Type: {kind}\r\nContent-Length: {length}\r\n");
        written.expect("writing to a string does not fail");
        match self.status {
            401 => head.push_str("WWW-Authenticate: Bearer realm=\"chatd\"\r\n"),
            405 => {
                head.push_str("Allow: ");
                head.push_str(self.allow);
                head.push_str("\r\n");
            }
            503 => head.push_str("Retry-After: 1\r\n"),
            _ => {}
        }
        head.push_str("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        head.push_str(if is_last { "Connection: close\r\n\r\n" } else { "\r\n" });
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.body);
    }
}

/// Begins an answer of many lines, each a JSON object, whose length nobody knows yet.
pub(super) fn begin_lines(out: &mut Vec<u8>, is_last: bool) {
    out.extend_from_slice(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\
          Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
    );
    out.extend_from_slice(if is_last { b"Connection: close\r\n\r\n" } else { b"\r\n" });
}

/// Some of them: none are an end.
pub(super) fn write_lines(out: &mut Vec<u8>, lines: &[u8]) {
    if !lines.is_empty() {
        out.extend_from_slice(format!("{:x}\r\n", lines.len()).as_bytes());
        out.extend_from_slice(lines);
        out.extend_from_slice(b"\r\n");
    }
}

/// That was all.
pub(super) fn end_lines(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0\r\n\r\n");
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        431 => "Request Header Fields Too Large",
        _ => "Service Unavailable",
    }
}

/// Reads one request, which begins at the first byte.
pub(super) fn read(bytes: &[u8]) -> Asked {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head_bytes = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head_bytes)) if head_bytes <= HEAD_BYTES => head_bytes,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES => return Asked::Partial { waits: false },
        Ok(_) | Err(httparse::Error::TooManyHeaders) => {
            return Asked::Refused(Response::refusal(431, "the head of the request is too large"));
        }
        Err(error) => return Asked::Refused(Response::refusal(400, &format!("this is not HTTP: {error}"))),
    };
    let values = |name: &'static str| {
        let named = request.headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value.trim_ascii())
    };
    let has = |name, token: &str| {
        let mut words = values(name).flat_map(|value| value.split(|&byte| byte == b','));
        words.any(|word| word.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
    };
    // A proxy may have looked at the other one.
    if values("host").count() > 1 {
        return Asked::Refused(Response::refusal(400, "a request has one Host"));
    }
    let length = match length(&mut values("content-length"), values("transfer-encoding").next().is_some()) {
        Ok(length) => length,
        Err(response) => return Asked::Refused(response),
    };
    if length > BODY_BYTES {
        return Asked::Refused(Response::refusal(413, "the body is larger than 64 KiB"));
    }
    let body = head_bytes..head_bytes + length;
    if bytes.len() < body.end {
        let waits = has("expect", "100-continue") && bytes.len() == head_bytes;
        return Asked::Partial { waits };
    }
    let bearer = values("authorization").find_map(|value| {
        let (scheme, token) = (value.get(..7)?, value.get(7..)?);
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii().to_vec())
    });
    let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let is_last = has("connection", "close") || request.version != Some(1);
    Asked::Whole(Request {
        method: request.method.unwrap_or_default().to_owned(),
        path,
        bearer,
        body,
        is_last,
    })
}

/// The length of the body: 0 if none is stated.
fn length<'a>(stated: &mut impl Iterator<Item = &'a [u8]>, has_encoding: bool) -> Result<usize, Response> {
    if has_encoding {
        return Err(Response::refusal(411, "a body has a Content-Length here, and no Transfer-Encoding"));
    }
    let Some(value) = stated.next() else { return Ok(0) };
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if !is_number || stated.any(|other| other != value) {
        return Err(Response::refusal(400, "the Content-Length is no number, or there are two"));
    }
    // More digits than a number has are too many bytes in any case.
    Ok(std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> u16 {
        match read(bytes) {
            Asked::Refused(response) => response.status,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_whole_at_the_last_byte_of_its_body_and_not_before() {
        let bytes = b"POST /v1/a?b HTTP/1.1\r\nHost: a\r\nAUTHORIZATION: bearer  t \r\ncontent-length: 2\r\n\r\n{}GET";
        let end = bytes.len() - 3;
        for at in 0..end {
            assert_eq!(read(&bytes[..at]), Asked::Partial { waits: false }, "{at}");
        }
        let (method, path, bearer) = ("POST".to_owned(), "/v1/a".to_owned(), Some(b"t".to_vec()));
        let request = Request { method, path, bearer, body: end - 2..end, is_last: false };
        assert_eq!(read(bytes), Asked::Whole(request));
    }

    #[test]
    fn who_waits_to_be_told_to_go_on_is_seen() {
        let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
        assert_eq!(read(head), Asked::Partial { waits: true });
        assert_eq!(read(&[head, &b"{"[..]].concat()), Asked::Partial { waits: false });
    }

    #[test]
    fn what_is_no_request_is_refused() {
        assert_eq!(status(b"\x16\x03\x01\x02\x00\x01\x00\x01"), 400);
        assert_eq!(status(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n"), 413);
        assert_eq!(
            status(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n"),
            413
        );
        assert_eq!(status(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"), 400);
        assert_eq!(
            status(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            400
        );
        assert_eq!(status(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n", "a".repeat(HEAD_BYTES));
        assert_eq!(status(long.as_bytes()), 431);
        assert_eq!(status(b"POST / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
        assert_eq!(status(b"POST / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "a: b\r\n".repeat(HEADERS + 1));
        assert_eq!(status(many.as_bytes()), 431);
    }
}
