//! Streams of WebSocket frames: however they come, the same is heard, and no more is kept than one message.

use super::pieces;
use crate::Target;
use chatd_chat::wire::websocket::{CONTROL_BYTES, Decoder, Piece};

/// `TARGET` reads three bytes, which say where the stream is cut and whether a text is put back, and the stream.
pub const TARGET: Target = Target {
    name: "websocket",
    run,
    dictionary: &[
        b"\x81\x80\0\0\0\0",
        b"\x81\x85\x37\xfa\x21\x3d",
        b"\x01\x82\0\0\0\0",
        b"\0\x82\0\0\0\0",
        b"\x80\x82\0\0\0\0",
        b"\x89\x80\0\0\0\0",
        b"\x89\x82\0\0\0\0",
        b"\x8a\x80\0\0\0\0",
        b"\x88\x82\0\0\0\0\x03\xe8",
        b"\x81\xfe\0\x7e",
        b"\x81\xff\0\0\0\0\0\x01\0\0",
        b"\x82\x81\0\0\0\0",
        b"\xc1",
        b"\xf0\x9f\x98\x80",
        b"\xed\xa0\x80",
        b"\x81\x02",
    ],
    bytes: 768,
};

/// A message's bytes at most.
const BOUND: usize = 256;

fn run(bytes: &[u8]) {
    let Some((by, stream)) = bytes.split_at_checked(3) else { return };
    let whole = hear(&[stream], false);
    assert_eq!(hear(&pieces(stream, by), by[2] & 1 != 0), whole, "cut by {by:?}");
}

/// What is heard of a stream, as a reader hears it; where `wait`, each text is put back once, from its middle on.
fn hear(pieces: &[&[u8]], wait: bool) -> Vec<(Piece, Vec<u8>)> {
    let named = Piece::Text { start: 0, end: 0 };
    let (mut decoder, mut tail, mut heard) = (Decoder::default(), Vec::new(), Vec::new());
    for piece in pieces {
        tail.extend_from_slice(piece);
        loop {
            match decoder.next(&mut tail, BOUND) {
                Piece::Text { start, end } => {
                    assert!(std::str::from_utf8(&tail[start..end]).is_ok() && end - start <= BOUND);
                    let mut text = tail[start..end].to_vec();
                    if wait && start < end {
                        let middle = start + (end - start) / 2;
                        text.truncate(middle - start);
                        decoder.put_back(middle, end);
                        let rest = decoder.rest(&mut tail);
                        tail = tail[rest].to_vec();
                        let Piece::Text { start, end } = decoder.next(&mut tail, BOUND) else {
                            panic!("it was put back")
                        };
                        text.extend_from_slice(&tail[start..end]);
                    }
                    heard.push((named, text));
                }
                Piece::Ping { start, end } => {
                    assert!(end - start <= CONTROL_BYTES);
                    heard.push((Piece::Ping { start: 0, end: 0 }, tail[start..end].to_vec()));
                }
                piece @ (Piece::Pong | Piece::Close(_)) => heard.push((piece, Vec::new())),
                Piece::Partial => break,
                piece @ Piece::Violation(violation) => {
                    assert!((1002..=1009).contains(&violation.close_code()));
                    heard.push((piece, Vec::new()));
                    return heard;
                }
            }
        }
        let rest = decoder.rest(&mut tail);
        tail = tail[rest].to_vec();
        assert!(tail.len() <= BOUND + 14 + CONTROL_BYTES, "{} bytes are kept", tail.len());
    }
    heard
}
