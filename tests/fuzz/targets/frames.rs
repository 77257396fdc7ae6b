//! Streams cut into frames: however they come, the same frames, and those that a plain splitter finds.

use super::pieces;
use crate::Target;
use chatd_chat::wire::frame::{self, Step};

/// `TARGET` reads two bytes that say where the stream is cut, and the stream.
pub const TARGET: Target = Target {
    name: "frames",
    run,
    dictionary: &[b"\0", b"\n", b"\r\n", b"\r", b"{\"msgid\":1}", b"\r\r\n", b"\n\0"],
    bytes: 512,
};

/// A frame's bytes at most.
const BOUND: usize = 32;

/// What a stream says: its frames, and what it ends with.
#[derive(PartialEq, Eq, Debug)]
struct Heard {
    frames: Vec<Vec<u8>>,
    /// Bytes of a frame that goes on; `None` if one is too large.
    rest: Option<Vec<u8>>,
}

fn run(bytes: &[u8]) {
    let Some((by, stream)) = bytes.split_at_checked(2) else { return };
    let whole = collect(&[stream]);
    assert_eq!(collect(&pieces(stream, by)), whole, "cut by {by:?}");
    assert_eq!(plainly(stream), whole, "as a plain splitter does");
}

fn collect(pieces: &[&[u8]]) -> Heard {
    let (mut tail, mut frames, mut searched) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        tail.extend_from_slice(piece);
        let mut from = 0;
        loop {
            match frame::next(&tail, from, searched, BOUND) {
                Step::Frame { start, end, next, terminator } => {
                    assert!(from <= start && start < end && end < next && next <= tail.len());
                    assert_eq!(tail[next - 1], terminator.byte());
                    frames.push(tail[start..end].to_vec());
                    (from, searched) = (next, next);
                }
                Step::Partial { start } => {
                    tail.drain(..start);
                    searched = tail.len();
                    break;
                }
                Step::TooLarge => return Heard { frames, rest: None },
            }
        }
    }
    Heard { frames, rest: Some(tail) }
}

/// The same, as one would write it who never had to be quick.
fn plainly(stream: &[u8]) -> Heard {
    let mut frames = Vec::new();
    for line in stream.split_inclusive(|byte| matches!(byte, 0 | b'\n')) {
        let frame = match line {
            [frame @ .., b'\r', b'\n'] | [frame @ .., 0 | b'\n'] => frame,
            rest if rest.len() > BOUND + 1 => return Heard { frames, rest: None },
            rest => return Heard { frames, rest: Some(rest.to_vec()) },
        };
        if frame.len() > BOUND {
            return Heard { frames, rest: None };
        }
        if !frame.is_empty() {
            frames.push(frame.to_vec());
        }
    }
    Heard { frames, rest: Some(Vec::new()) }
}
