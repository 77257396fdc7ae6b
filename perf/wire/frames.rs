//! Cuts what a connection receives into frames, however the bytes were split.
//!
//! Whole frames are handed out where they lie; only a frame that is cut in two is copied. Knows nothing about
//! what is inside a frame.

/// Bytes of a frame at most, many times what a server says: of a longer one the rest is left out, so that a server
/// without end fills no memory.
const MOST: usize = 1 << 20;

/// The part of a frame that has not ended yet, of one connection.
#[derive(Default)]
pub struct Frames {
    partial: Vec<u8>,
}

impl Frames {
    /// Takes the next bytes and hands every frame that is now whole to `heard`, without its end byte. Frames end
    /// in NUL or newline; empty ones are skipped.
    pub fn take(&mut self, mut bytes: &[u8], mut heard: impl FnMut(&[u8])) {
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
