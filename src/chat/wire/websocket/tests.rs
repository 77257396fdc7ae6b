use super::*;

/// What a peer hears of a stream: texts, pings and closings, until it is violated.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Heard {
    Text(Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Option<u16>),
    Violation(Violation),
}

const FRAME_BYTES: usize = 70_000;

/// What is heard of a stream that comes cut at `cuts`, as a reader would collect it. Every `wait`-th text is put back
/// once, from its middle on, as a reader does that is paused.
fn hear(stream: &[u8], cuts: impl IntoIterator<Item = usize>, bound: usize, wait: usize) -> Vec<Heard> {
    let (mut decoder, mut tail, mut heard, mut at) = (Decoder::default(), Vec::new(), Vec::new(), 0);
    let mut texts = 0;
    for edge in cuts.into_iter().chain([stream.len()]) {
        tail.extend_from_slice(&stream[at..edge]);
        at = edge;
        loop {
            match decoder.next(&mut tail, bound) {
                Piece::Text { start, end } => {
                    texts += 1;
                    if wait > 0 && texts % wait == 0 && end > start {
                        let middle = start + (end - start) / 2;
                        heard.push(Heard::Text(tail[start..middle].to_vec()));
                        decoder.put_back(middle, end);
                        let rest = decoder.rest(&mut tail);
                        tail = tail[rest].to_vec();
                        let Piece::Text { start, end } = decoder.next(&mut tail, bound) else {
                            panic!("put back")
                        };
                        let Some(Heard::Text(text)) = heard.last_mut() else { unreachable!() };
                        text.extend_from_slice(&tail[start..end]);
                    } else {
                        heard.push(Heard::Text(tail[start..end].to_vec()));
                    }
                }
                Piece::Ping { start, end } => heard.push(Heard::Ping(tail[start..end].to_vec())),
                Piece::Pong => heard.push(Heard::Pong),
                Piece::Close(code) => heard.push(Heard::Close(code)),
                Piece::Partial => break,
                Piece::Violation(violation) => {
                    heard.push(Heard::Violation(violation));
                    return heard;
                }
            }
        }
        let rest = decoder.rest(&mut tail);
        tail = tail[rest].to_vec();
        assert!(tail.len() <= bound + 14 + CONTROL_BYTES, "{} bytes are kept", tail.len());
    }
    heard
}

fn whole(stream: &[u8]) -> Vec<Heard> {
    hear(stream, [], FRAME_BYTES, 0)
}

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, payload.len() as u8];
    let mut out = Vec::new();
    header(&mut out, 0, payload.len());
    out[0] = first;
    out[1] |= 0x80;
    out.extend_from_slice(&key);
    out.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    out
}

fn text(text: &str) -> Heard {
    Heard::Text(text.as_bytes().to_vec())
}

#[test]
fn the_examples_of_the_rfc() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(whole(&hello), [text("Hello")]);
    let mut pong = Vec::new();
    super::pong(&mut pong, b"Hello");
    assert_eq!(pong, [0x8a, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]);
    for (length, bytes) in [
        (125, &[0x81, 125][..]),
        (126, &[0x81, 126, 0, 126]),
        (65_535, &[0x81, 126, 255, 255]),
        (65_536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] {
        let mut out = Vec::new();
        text_header(&mut out, length);
        assert_eq!((out.as_slice(), Framing::Message.overhead(length)), (bytes, bytes.len()));
    }
}

#[test]
fn every_cut_of_a_stream_gives_the_same() {
    let stream = [
        frame(0x81, b"{\"a\":1}"),
        frame(0x01, "frag\u{e9}".as_bytes()),
        frame(0x89, b"are you there"),
        frame(0x00, &"\u{1f600}".as_bytes()[..2]),
        frame(0x00, b""),
        frame(0x8a, b""),
        frame(0x80, &"\u{1f600}".as_bytes()[2..]),
        frame(0x81, b""),
        frame(0x81, &[b'x'; 130]),
        frame(0x88, &[0x03, 0xe8, b'b', b'y', b'e']),
    ]
    .concat();
    let wanted = [
        text("{\"a\":1}"),
        Heard::Ping(b"are you there".to_vec()),
        Heard::Pong,
        text("frag\u{e9}\u{1f600}"),
        text(""),
        Heard::Text(vec![b'x'; 130]),
        Heard::Close(Some(1000)),
    ];
    for wait in 0..4 {
        assert_eq!(hear(&stream, [], FRAME_BYTES, wait), wanted);
        assert_eq!(hear(&stream, 0..stream.len(), FRAME_BYTES, wait), wanted);
        for first in 0..=stream.len() {
            assert_eq!(hear(&stream, [first], FRAME_BYTES, wait), wanted, "{first}");
            for second in (first..=stream.len()).step_by(3) {
                assert_eq!(hear(&stream, [first, second], FRAME_BYTES, wait), wanted, "{first} {second}");
            }
        }
    }
}

#[test]
fn lengths_and_bounds_are_exact() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, FRAME_BYTES] {
        let payload: Vec<u8> = (0..length).map(|at| b' ' + (at % 90) as u8).collect();
        let stream = frame(0x81, &payload);
        for cut in [0, 1, 2, 5, 9, 13, 14, 15, stream.len() / 2, stream.len() - 1] {
            assert_eq!(
                hear(&stream, [cut.min(stream.len())], FRAME_BYTES, 0),
                [Heard::Text(payload.clone())]
            );
        }
    }
    let too_large = [Heard::Violation(Violation::TooLarge)];
    assert_eq!(hear(&frame(0x81, &[b'x'; 9])[..6], [], 8, 0), too_large);
    let pieces = [frame(0x01, b"12345"), frame(0x00, b"678"), frame(0x80, b"9")].concat();
    assert_eq!(hear(&pieces, [], 8, 0), too_large);
    assert_eq!(hear(&pieces, [], 9, 0), [text("123456789")]);
    assert_eq!(whole(&[0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]), too_large);
}

#[test]
fn every_must_of_the_rfc_is_held() {
    let protocol = |stream: &[u8]| {
        for cut in 0..stream.len() {
            let heard = hear(stream, [cut], FRAME_BYTES, 0);
            assert!(
                matches!(heard.last(), Some(Heard::Violation(Violation::Protocol(_)))),
                "{stream:x?}: {heard:?}"
            );
        }
    };
    for bit in [0x40, 0x20, 0x10, 0x70] {
        protocol(&frame(0x81 | bit, b"x"));
        protocol(&frame(0x89 | bit, b"x"));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        protocol(&frame(0x80 | opcode, b""));
        protocol(&[frame(0x01, b"a"), frame(0x80 | opcode, b"")].concat());
    }
    // Not masked.
    protocol(&[0x81, 0x01, b'x']);
    protocol(&[0x88, 0x00]);
    // Control frames: cut, or too long.
    for opcode in [0x08, 0x09, 0x0a] {
        protocol(&frame(opcode, b""));
        protocol(&frame(0x80 | opcode, &[b'x'; 126]));
    }
    // Out of turn.
    protocol(&frame(0x80, b"x"));
    protocol(&frame(0x00, b"x"));
    protocol(&[frame(0x01, b"x"), frame(0x81, b"y")].concat());
    protocol(&[frame(0x81, b"x"), frame(0x80, b"y")].concat());
    protocol(&[frame(0x01, b"x"), frame(0x02, b"y")].concat());
    // Lengths in more bytes than they need, or with their first bit set.
    protocol(&[0x81, 0xfe, 0, 125, 1, 2, 3, 4]);
    protocol(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4]);
    protocol(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4]);
    assert_eq!(whole(&frame(0x82, b"x")), [Heard::Violation(Violation::Binary)]);
    assert_eq!(whole(&frame(0x02, b"x")), [Heard::Violation(Violation::Binary)]);
}

#[test]
fn codes_of_closing_are_the_registered_ones() {
    let close = |code: u16, reason: &[u8]| whole(&frame(0x88, &[&code.to_be_bytes(), reason].concat()));
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        assert_eq!(close(code, b"because"), [Heard::Close(Some(code))]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        assert!(matches!(close(code, b"")[..], [Heard::Violation(Violation::Protocol(_))]), "{code}");
    }
    assert_eq!(whole(&frame(0x88, b"")), [Heard::Close(None)]);
    assert!(matches!(whole(&frame(0x88, b"\x03"))[..], [Heard::Violation(Violation::Protocol(_))]));
    assert_eq!(close(1000, b"\xff"), [Heard::Violation(Violation::NotUtf8)]);
}

#[test]
fn what_is_not_utf8_shows_at_its_first_wrong_byte() {
    let bad = [Heard::Violation(Violation::NotUtf8)];
    for wrong in [&b"\xf4\x90"[..], b"\xc0\xaf", b"\xed\xa0", b"\xff", b"ok\x80", b"\xf8"] {
        assert_eq!(whole(&frame(0x81, wrong)), bad, "{wrong:x?}");
        assert_eq!(whole(&frame(0x01, wrong)), bad, "{wrong:x?}");
        // The frame goes on, and its first bytes are enough.
        let long = frame(0x01, &[wrong, b"and so on"].concat());
        assert_eq!(whole(&long[..6 + wrong.len()]), bad, "{wrong:x?}");
    }
    assert_eq!(whole(&frame(0x01, b"\xf0\x9f")), []);
    assert_eq!(whole(&frame(0x81, b"\xf0\x9f")), bad);
    assert_eq!(whole(&[frame(0x01, b"\xf0\x9f"), frame(0x80, b"")].concat()), bad);
}

/// A generator of numbers that needs no crate.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Streams that are damaged, cut anywhere: nothing panics, nothing is kept beyond the bound, and one cut gives what
/// another gives. `CHATD_FUZZ` says how many.
#[test]
fn damaged_streams_are_heard_the_same_however_they_are_cut() {
    let inputs = std::env::var("CHATD_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(200_000);
    let seeds: [&[u8]; 6] =
        [b"{\"msgid\":22,\"n\":1}", b"", "\u{1f600}\u{e9}".as_bytes(), b"\x03\xe8bye", &[b'x'; 130], b"a\nb"];
    let firsts = [0x81, 0x01, 0x00, 0x80, 0x89, 0x8a, 0x88, 0x82];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut violated = 0;
    for input in 0..inputs {
        let mut stream = Vec::new();
        for _ in 0..1 + random.below(4) {
            let first = if random.below(3) == 0 { firsts[random.below(firsts.len())] } else { 0x81 };
            stream.extend(frame(first, seeds[random.below(seeds.len())]));
        }
        for _ in 0..random.below(4) {
            let at = random.below(stream.len());
            match random.below(3) {
                0 => stream[at] ^= 1 << random.below(8),
                1 => stream.truncate(at + 1),
                _ => stream.insert(at, random.below(256) as u8),
            }
        }
        let cuts = [random.below(stream.len() + 1), random.below(stream.len() + 1)];
        let cuts = [cuts[0].min(cuts[1]), cuts[0].max(cuts[1])];
        let heard = hear(&stream, [], 160, 0);
        assert_eq!(
            hear(&stream, cuts, 160, 1 + random.below(2)),
            heard,
            "input {input}: {stream:x?} at {cuts:?}"
        );
        violated += usize::from(matches!(heard.last(), Some(Heard::Violation(_))));
    }
    assert!(violated > inputs / 20 && violated < inputs, "{violated} of {inputs} were violations");
}
