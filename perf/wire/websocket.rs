//! WebSocket, as much of it as a client needs that only talks: the upgrade, and headers in both directions.
//!
//! Masks are zero: what a server pays to take a mask off is the same for every mask.

/// How frames are told apart, in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Framing {
    /// Each ends with a newline.
    #[default]
    Lines,
    /// Each is a message of a WebSocket.
    WebSocket,
}

/// Upgrades to a WebSocket; what follows need not wait for the answer.
const UPGRADE: &[u8] =
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const TEXT: u8 = 0x81;
const MASKED: u8 = 0x80;

impl Framing {
    /// What a connection says first of all.
    pub const fn greeting(self) -> &'static [u8] {
        match self {
            Framing::Lines => b"",
            Framing::WebSocket => UPGRADE,
        }
    }

    /// Appends a line as this framing has it.
    pub fn append(self, line: &[u8], out: &mut Vec<u8>) {
        match self {
            Framing::Lines => out.extend_from_slice(line),
            Framing::WebSocket => {
                let frame = line.strip_suffix(b"\n").unwrap_or(line);
                match frame.len() {
                    bytes @ 0..126 => out.extend_from_slice(&[TEXT, MASKED | bytes as u8]),
                    bytes => {
                        assert!(bytes < 1 << 16, "a server takes no such frame");
                        out.extend_from_slice(&[TEXT, MASKED | 126, (bytes >> 8) as u8, bytes as u8]);
                    }
                }
                out.extend_from_slice(&[0; 4]);
                out.extend_from_slice(frame);
            }
        }
    }
}

/// Whether a frame with this first byte is a whole text message.
pub fn is_text(first: u8) -> bool {
    first == TEXT
}

/// Where the payload of the first frame of `bytes` begins and ends, if it is whole.
pub fn bounds(bytes: &[u8]) -> Option<(usize, usize)> {
    let length_bytes = match *bytes.get(1)? {
        126 => 2,
        127 => 8,
        short => return Some((2, 2 + usize::from(short))).filter(|&(_, end)| end <= bytes.len()),
    };
    let header = 2 + length_bytes;
    let length = bytes.get(2..header)?.iter().fold(0, |sum: usize, &byte| sum << 8 | usize::from(byte));
    Some((header, header.checked_add(length)?)).filter(|&(_, end)| end <= bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_a_message() {
        let mut out = Vec::new();
        Framing::WebSocket.append(b"{}\n", &mut out);
        assert_eq!(out, [0x81, 0x82, 0, 0, 0, 0, b'{', b'}']);
        out.clear();
        Framing::WebSocket.append(&[b'x'; 300], &mut out);
        assert_eq!((&out[..8], out.len()), (&[0x81, 0xfe, 1, 44, 0, 0, 0, 0][..], 308));
        out.clear();
        Framing::Lines.append(b"{}\n", &mut out);
        assert_eq!(out, b"{}\n");
    }
}
