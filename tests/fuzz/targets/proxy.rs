//! Headers of the PROXY protocol: what is one for whoever believes them, and that nobody else ever does.

use crate::Target;
use chatd_chat::model::limits::Limits;
use chatd_chat::wire::frame::{self, Step};
use chatd_chat::wire::http::{self, Arrival};
use chatd_chat::wire::json::Parser;
use chatd_chat::wire::proxy::{self, HEADER_BYTES, Header};
use chatd_chat::wire::request::{self, Severity};

/// `TARGET` reads what a connection begins with.
pub const TARGET: Target = Target {
    name: "proxy",
    run,
    dictionary: &[
        b"PROXY ",
        b"TCP4 ",
        b"TCP6 ",
        b"UNKNOWN",
        b"\r\n",
        b" ",
        b"0",
        b"65535",
        b"65536",
        b"192.0.2.7",
        b"10.0.0.1",
        b"::1",
        b"2001:db8::7",
        b"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        b"\r\n\r\n\0\r\nQUIT\n",
        b"\x21\x11\0\x0c",
        b"\x21\x21\0\x24",
        b"\x20\0\0\0",
        b"\x21\x31\0\xd8",
        b"\x21\0\x10\0",
        b"{\"msgid\":22}\0",
        b"GET / HTTP/1.1\r\n",
        b"Host: a\r\n\r\n",
        b" HTTP/1.1\r\n",
    ],
    bytes: 640,
};

fn run(bytes: &[u8]) {
    let header = proxy::read(bytes);
    let ends = match header {
        Header::Whole(end, _) => {
            assert!(end <= bytes.len() && end <= HEADER_BYTES);
            end
        }
        Header::Partial | Header::Absent | Header::Broken => bytes.len(),
    };
    // Split at every byte: until it is decided a header goes on, and what was decided stays.
    let mut before = Header::Partial;
    for cut in 0..=ends {
        let now = proxy::read(&bytes[..cut]);
        assert!(before == Header::Partial || before == now, "{before:?} became {now:?} at {cut}");
        before = now;
    }
    assert_eq!(before, header, "and what follows counts for nothing");
    if !matches!(header, Header::Absent) || bytes.starts_with(b"PROXY") {
        let limits = Limits::default();
        for cut in 0..=bytes.len().min(ends) {
            elsewhere(&bytes[..cut], &bytes[cut..], &limits);
        }
    }
}

/// A header from somebody who is not declared to be a proxy, in two pieces, is what its first byte says: it is never
/// accepted as anything.
fn elsewhere(first: &[u8], second: &[u8], limits: &Limits) {
    let Some(byte) = first.first().or(second.first()) else { return };
    let mut said = first.to_vec();
    if byte.is_ascii_uppercase() {
        let arrival = match http::arrive(&said, 0) {
            Arrival::Partial => {
                let searched = said.len();
                said.extend_from_slice(second);
                http::arrive(&said, searched)
            }
            decided => decided,
        };
        if let Arrival::Whole(end) = arrival {
            assert!(http::read(&said[..end]).is_err(), "{}", said.escape_ascii());
        }
        return;
    }
    said.extend_from_slice(second);
    if let Step::Frame { start, end, .. } = frame::next(&said, 0, 0, limits.frame_bytes) {
        let fault = request::parse(&mut said[start..end], &mut Parser::new(), limits);
        assert!(fault.is_err_and(|fault| fault.severity == Severity::Close));
    }
}
