//! What a proxy says of the client that it speaks for: the header of the PROXY protocol, versions 1 and 2, and the field
//! `X-Forwarded-For` of HTTP.
//!
//! Strict where the specification leaves no choice, so that nothing is read as a header that is none. Never decides who
//! may say so: whoever accepts connections knows whom it believes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a header, with all that a proxy adds to it. The specification asks for 536.
pub const HEADER_BYTES: usize = 4 << 10;
/// Bytes of a line of version 1, its end included.
const LINE_BYTES: usize = 107;
const WORD: &[u8] = b"PROXY ";
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// The signature, the command, the family, and how much follows.
const FIXED_BYTES: usize = 16;

/// How a connection begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Header {
    /// As a header does, which goes on.
    Partial,
    /// With a header of so many bytes. Whom the proxy speaks for; nothing if it speaks for itself, or does not say.
    Whole(usize, Option<IpAddr>),
    /// As no header does.
    Absent,
    /// As a header does, and it is none.
    Broken,
}

/// Reads the header that a connection begins with.
pub fn read(bytes: &[u8]) -> Header {
    if begins(bytes, WORD) {
        read_line(bytes)
    } else if begins(bytes, SIGNATURE) {
        read_binary(bytes)
    } else {
        Header::Absent
    }
}

/// Whether `bytes` begin with `with`, as far as they go.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    bytes.iter().zip(with).all(|(byte, wanted)| byte == wanted)
}

fn read_line(bytes: &[u8]) -> Header {
    let seen = &bytes[..bytes.len().min(LINE_BYTES)];
    let Some(end) = memchr::memchr(b'\n', seen) else {
        return if seen.len() < LINE_BYTES { Header::Partial } else { Header::Broken };
    };
    let line = seen[..end].strip_suffix(b"\r").and_then(|line| line.strip_prefix(WORD));
    match line.and_then(|line| core::str::from_utf8(line).ok()).and_then(said_in_line) {
        Some(from) => Header::Whole(end + 1, from),
        None => Header::Broken,
    }
}

/// What follows the first word of a line.
fn said_in_line(line: &str) -> Option<Option<IpAddr>> {
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let mut words = line.split(' ');
    let mut next = || words.next();
    let family = next()?;
    let (from, to) = (next()?, next()?);
    let address = |text: &str| match family {
        "TCP4" => text.parse().map(IpAddr::V4).ok(),
        "TCP6" => text.parse().map(IpAddr::V6).ok(),
        _ => None,
    };
    let from = address(from)?;
    address(to)?;
    let is_whole = is_port(next()?) && is_port(next()?) && next().is_none();
    is_whole.then_some(Some(from))
}

/// A port as it must be written: digits, none of them to no purpose.
fn is_port(text: &str) -> bool {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain && text.parse::<u16>().is_ok()
}

fn read_binary(bytes: &[u8]) -> Header {
    let Some((fixed, rest)) = bytes.split_at_checked(FIXED_BYTES) else { return Header::Partial };
    let (command, family) = (fixed[12], fixed[13]);
    let follows = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let addresses = match family {
        0x00 => 0,
        0x11 => 12,
        0x21 => 36,
        0x31 => 216,
        _ => return Header::Broken,
    };
    if !matches!(command, 0x20 | 0x21) || follows < addresses || FIXED_BYTES + follows > HEADER_BYTES {
        return Header::Broken;
    }
    let Some(said) = rest.get(..follows) else { return Header::Partial };
    let from = match (command, family) {
        (0x21, 0x11) => said.first_chunk().map(|octets: &[u8; 4]| IpAddr::from(*octets)),
        (0x21, 0x21) => said.first_chunk().map(|octets: &[u8; 16]| IpAddr::from(*octets)),
        _ => None,
    };
    Header::Whole(FIXED_BYTES + follows, from)
}

/// Whom a request is for, by the addresses that proxies have written into it, the last one on the right: the first
/// that is not `believed`, or the first of all if every one is. Nothing where the last one cannot be read.
pub fn forwarded<'a>(
    values: impl DoubleEndedIterator<Item = &'a [u8]>,
    believed: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let mut found = None;
    for text in values.rev().flat_map(|value| value.rsplit(|&byte| byte == b',')) {
        let Some(address) = address(text.trim_ascii()) else { break };
        found = Some(address);
        if !believed(address) {
            break;
        }
    }
    found
}

/// An address, as proxies write it: some with a port, some of them in brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = core::str::from_utf8(text).ok()?;
    let plain = |text: &str| text.parse::<IpAddr>().ok();
    let with_port = |text: &str| {
        let (address, port) = text.rsplit_once(':')?;
        is_port(port).then_some(())?;
        match address.strip_prefix('[') {
            Some(address) => address.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
        }
    };
    let bare = |text: &str| plain(text.strip_prefix('[')?.strip_suffix(']')?).filter(IpAddr::is_ipv6);
    plain(text).or_else(|| with_port(text)).or_else(|| bare(text))
}

#[cfg(test)]
mod tests;
