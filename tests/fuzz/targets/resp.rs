//! What Redis says: frames of RESP3, however they come, and what the `redis` crate makes of the rare ones.

use super::pieces;
use crate::Target;

#[path = "../../../src/executor/bus/redis/resp.rs"]
#[allow(dead_code, reason = "whoever is told why is elsewhere")]
mod parser;

use parser::{Fault, Frame};

/// `TARGET` reads two bytes that say where the stream is cut, and the stream.
pub const TARGET: Target = Target {
    name: "resp",
    run,
    dictionary: &[
        b"\r\n",
        b">3\r\n$7\r\nmessage\r\n",
        b"$7\r\n",
        b":1\r\n",
        b"*2\r\n",
        b"%1\r\n",
        b"~1\r\n",
        b"-ERR x\r\n",
        b"+OK\r\n",
        b"_\r\n",
        b"#t\r\n",
        b",1.5\r\n",
        b"(12345678901234567890\r\n",
        b"=7\r\ntxt:abc\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"!5\r\n",
        b"|1\r\n",
        b"$?\r\n",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"subscribe",
        b"9999",
    ],
    bytes: 1_024,
};

/// A frame's bytes at most.
const BOUND: usize = 256;

fn run(bytes: &[u8]) {
    let Some((by, stream)) = bytes.split_at_checked(2) else { return };
    let whole = collect(&[stream]);
    let cut = collect(&pieces(stream, by));
    // A stream that is refused may be refused sooner, if it comes in pieces; never is more heard, nor anything else.
    let same = whole.0.len().min(cut.0.len());
    assert_eq!(whole.0[..same], cut.0[..same], "cut by {by:?}");
    match (whole.1, cut.1) {
        (Ok(whole_rest), Ok(cut_rest)) => assert_eq!((whole.0.len(), whole_rest), (cut.0.len(), cut_rest)),
        (whole_end, cut_end) => {
            assert_eq!((whole.0.len(), whole_end.is_err()), (cut.0.len(), cut_end.is_err()))
        }
    }
}

/// The frames, as text, and how many bytes are left of one that goes on.
fn collect(pieces: &[&[u8]]) -> (Vec<String>, Result<usize, Fault>) {
    let (mut tail, mut frames) = (Vec::new(), Vec::new());
    for piece in pieces {
        tail.extend_from_slice(piece);
        loop {
            let length = match parser::next(&tail, BOUND) {
                Ok(Some((frame, length))) => {
                    assert!(0 < length && length <= tail.len());
                    assert_eq!(
                        parser::next(&tail[..length], BOUND),
                        Ok(Some((frame, length))),
                        "nothing behind it counts"
                    );
                    frames.push(shown(frame));
                    length
                }
                Ok(None) => break,
                Err(fault) => return (frames, Err(fault)),
            };
            tail.drain(..length);
        }
    }
    assert!(tail.len() <= BOUND, "{} bytes are waited for", tail.len());
    (frames, Ok(tail.len()))
}

fn shown(frame: Frame<'_>) -> String {
    match frame {
        Frame::Other(bytes) => {
            // As the bus does; what it says is its own affair.
            let _ = redis::parse_redis_value(bytes);
            format!("{}", bytes.escape_ascii())
        }
        Frame::Integer(_) | Frame::Message { .. } => format!("{frame:?}"),
    }
}
