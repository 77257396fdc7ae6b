//! Bytes to frames: a pure cursor over what has been received.
//!
//! A frame ends at a NUL byte or at a newline; a carriage return before the newline belongs to
//! the terminator; empty frames are skipped. Owns no bytes and knows no JSON.

use memchr::memchr2;

/// The byte that ends every frame of one side of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Terminator {
    /// What the original client sends.
    Nul,
    /// What a person with `nc` sends.
    Newline,
}

impl Terminator {
    /// The byte itself.
    pub const fn byte(self) -> u8 {
        match self {
            Terminator::Nul => 0,
            Terminator::Newline => b'\n',
        }
    }
}

/// How the frames for one connection are told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Framing {
    /// Each has a terminator.
    #[default]
    Terminated,
    /// Each is a message of a WebSocket, with a header before it.
    Message,
}

/// One step of the cursor over `bytes`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// A whole frame: `bytes[start..end]`, not empty; the cursor goes on at `next`.
    Frame {
        /// First byte of the frame.
        start: usize,
        /// One past its last byte.
        end: usize,
        /// One past its terminator.
        next: usize,
        /// What ended it.
        terminator: Terminator,
    },
    /// No whole frame from `start` on; `start` is the first byte of the partial one (or the end).
    Partial {
        /// Where the next frame begins.
        start: usize,
    },
    /// The frame that begins at the cursor is longer than the bound, ended or not.
    TooLarge,
}

/// Finds the next frame in `bytes` from `from` on.
///
/// `searched` is how far an earlier call already looked without finding a terminator
/// (`from ≤ searched ≤ bytes.len()`); a stream that arrives byte by byte is scanned once.
/// `frame_bytes` bounds a frame without its terminator.
pub fn next(bytes: &[u8], from: usize, searched: usize, frame_bytes: usize) -> Step {
    let mut start = from;
    let mut look = searched.max(from);
    loop {
        let Some(found) = memchr2(0, b'\n', &bytes[look..]) else {
            // A trailing carriage return may turn out to belong to the terminator.
            let partial = bytes.len() - start;
            return if partial > frame_bytes + 1 { Step::TooLarge } else { Step::Partial { start } };
        };
        let at = look + found;
        let terminator = if bytes[at] == 0 { Terminator::Nul } else { Terminator::Newline };
        let mut end = at;
        if terminator == Terminator::Newline && end > start && bytes[end - 1] == b'\r' {
            end -= 1;
        }
        if end - start > frame_bytes {
            return Step::TooLarge;
        }
        if end > start {
            return Step::Frame { start, end, next: at + 1, terminator };
        }
        start = at + 1;
        look = start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every frame of `stream` when it arrives cut at `cuts`, as a reader would collect them.
    fn collect(stream: &[u8], cuts: &[usize], bound: usize) -> Result<Vec<Vec<u8>>, ()> {
        let (mut tail, mut frames, mut searched) = (Vec::new(), Vec::new(), 0);
        let mut edges: Vec<usize> = cuts.to_vec();
        edges.push(stream.len());
        let mut at = 0;
        for edge in edges {
            tail.extend_from_slice(&stream[at..edge]);
            at = edge;
            let mut from = 0;
            loop {
                match next(&tail, from, searched, bound) {
                    Step::Frame { start, end, next, .. } => {
                        frames.push(tail[start..end].to_vec());
                        from = next;
                        searched = next;
                    }
                    Step::Partial { start } => {
                        tail.drain(..start);
                        searched = tail.len();
                        break;
                    }
                    Step::TooLarge => return Err(()),
                }
            }
        }
        Ok(frames)
    }

    #[test]
    fn every_split_gives_the_same_frames() {
        let stream = b"\0\n{\"a\":1}\0\r\n{\"b\":2}\r\n\n{}\n{\"c\"\r:3}\0";
        let whole = collect(stream, &[], 64).unwrap();
        assert_eq!(whole, [&b"{\"a\":1}"[..], b"{\"b\":2}", b"{}", b"{\"c\"\r:3}"]);
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                assert_eq!(collect(stream, &[first, second], 64).unwrap(), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn the_bound_is_exact_at_every_split_and_with_every_terminator() {
        for ending in [&b"\0"[..], b"\n", b"\r\n"] {
            for (len, fits) in [(7, true), (8, true), (9, false)] {
                let stream = [&vec![b'x'; len][..], ending].concat();
                for cut in 0..stream.len() {
                    assert_eq!(collect(&stream, &[cut], 8).is_ok(), fits, "{len} {cut} {ending:?}");
                }
            }
        }
    }

    #[test]
    fn a_frame_without_an_end_is_too_large_as_soon_as_it_is() {
        assert_eq!(next(&[b'x'; 9], 0, 0, 8), Step::Partial { start: 0 });
        assert_eq!(next(&[b'x'; 10], 0, 0, 8), Step::TooLarge);
    }
}
