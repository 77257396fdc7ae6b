//! Cuts what a connection receives into frames, lines or messages of a WebSocket, however the bytes were split.
//!
//! Whole frames are handed out where they lie; only a frame that is cut in two is copied. Knows nothing about
//! what is inside a frame.

use super::websocket::{self, Framing};

/// Bytes of a frame at most, many times what a server says: of a longer one the rest is left out, so that a server
/// without end fills no memory.
const MOST: usize = 1 << 20;

/// What of a connection's stream has not come whole.
#[derive(Default)]
pub struct Frames {
    framing: Framing,
    /// Of a WebSocket: whether the answer to the upgrade has come.
    is_open: bool,
    partial: Vec<u8>,
}

impl Frames {
    pub fn new(framing: Framing) -> Frames {
        Frames { framing, ..Frames::default() }
    }

    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Takes the next bytes and hands every frame that is now whole to `heard`, without what tells it apart from the
    /// next one. Lines end in NUL or newline; empty ones are skipped.
    pub fn take(&mut self, bytes: &[u8], heard: impl FnMut(&[u8])) {
        match self.framing {
            Framing::Lines => self.take_lines(bytes, heard),
            Framing::WebSocket => self.take_messages(bytes, heard),
        }
    }

    fn take_lines(&mut self, mut bytes: &[u8], mut heard: impl FnMut(&[u8])) {
        while let Some(end) = memchr::memchr2(0, b'\n', bytes) {
            let (head, tail) = (&bytes[..end], &bytes[end + 1..]);
            if self.partial.is_empty() {
                if !head.is_empty() {
                    heard(head);
                }
            } else {
                self.keep(head);
                heard(&self.partial);
                self.partial.clear();
            }
            bytes = tail;
        }
        self.keep(bytes);
    }

    fn take_messages(&mut self, bytes: &[u8], mut heard: impl FnMut(&[u8])) {
        let joined;
        let mut rest = bytes;
        if !self.partial.is_empty() {
            self.keep(bytes);
            joined = std::mem::take(&mut self.partial);
            rest = &joined;
        }
        if !self.is_open {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                return self.keep(rest);
            };
            self.is_open = true;
            rest = &rest[end + 4..];
        }
        while let Some((header, end)) = websocket::bounds(rest) {
            if websocket::is_text(rest[0]) {
                heard(&rest[header..end]);
            }
            rest = &rest[end..];
        }
        self.keep(rest);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = MOST - self.partial.len();
        self.partial.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b"{\"a\":1}\0\0{\"b\":\"two\"}\n\r{}\0{\"last\":true}\0";

    fn heard_in_pieces(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut frames = Frames::default();
        let mut heard = Vec::new();
        for piece in pieces {
            frames.take(piece, |frame| heard.push(frame.to_vec()));
        }
        heard
    }

    #[test]
    fn every_split_hears_the_same_frames() {
        let whole = heard_in_pieces(&[STREAM]);
        assert_eq!(whole.len(), 4);
        assert_eq!(whole[1], b"{\"b\":\"two\"}");
        for first in 0..=STREAM.len() {
            for second in first..=STREAM.len() {
                let pieces = [&STREAM[..first], &STREAM[first..second], &STREAM[second..]];
                assert_eq!(heard_in_pieces(&pieces), whole, "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn messages_of_a_websocket_likewise() {
        let long = [b'x'; 300];
        let stream = [
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x02{}\x8a\x01p\x81\x7e\x01\x2c".as_slice(),
            &long,
            b"\x81\x03{3}",
        ]
        .concat();
        for first in 0..=stream.len() {
            for second in (first..=stream.len()).step_by(7) {
                let (mut frames, mut heard) = (Frames::new(Framing::WebSocket), Vec::new());
                for piece in [&stream[..first], &stream[first..second], &stream[second..]] {
                    frames.take(piece, |frame| heard.push(frame.to_vec()));
                }
                assert_eq!(heard, [b"{}".as_slice(), &long, b"{3}"], "split at {first} and {second}");
            }
        }
    }

    #[test]
    fn byte_by_byte_too() {
        let bytes: Vec<&[u8]> = STREAM.chunks(1).collect();
        assert_eq!(heard_in_pieces(&bytes), heard_in_pieces(&[STREAM]));
    }

    #[test]
    fn an_unfinished_frame_is_not_heard() {
        assert!(heard_in_pieces(&[b"{\"a\":"]).is_empty());
    }

    #[test]
    fn a_frame_without_end_fills_no_memory() {
        let mut frames = Frames::default();
        for _ in 0..3 * MOST / 1_000 {
            frames.take(&[b'x'; 1_000], |_| panic!("it has no end"));
        }
        assert!(frames.partial.capacity() <= 2 * MOST);
        let mut heard = Vec::new();
        frames.take(b"\n{}\n", |frame| heard.push(frame.len()));
        assert_eq!(heard, [MOST, 2]);
    }
}
