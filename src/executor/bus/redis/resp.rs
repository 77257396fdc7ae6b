//! RESP3 as far as a bus needs it: where a frame ends, and what the two frequent ones say.
//!
//! Pure. A push of a message and the integer that answers a publish are read by hand, and a publish is
//! written by hand, because they come with every message; everything else goes through the `redis` crate.

use memchr::memchr;
use std::io::Write;

/// How deep replies may nest; none of ours comes near.
const DEPTH: usize = 8;
/// Elements of a reply at most, those within others among them, so that one that comes in pieces is not
/// gone through for ever: many times what a look at 512 users gives.
const ELEMENTS: usize = 8_192;

/// One frame of what Redis sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Frame<'a> {
    /// `:n`, the answer to a publish.
    Integer(i64),
    /// A message on a channel.
    Message {
        /// Where.
        channel: &'a [u8],
        /// What.
        payload: &'a [u8],
    },
    /// Anything else, whole.
    Other(&'a [u8]),
}

/// Bytes that are not to be read any further.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// They are no RESP3.
    NotResp,
    /// A frame has more bytes than it may.
    TooLarge,
}

use Fault::NotResp;

impl Fault {
    /// What the other side does wrong.
    pub(super) fn why(self) -> &'static str {
        match self {
            Fault::NotResp => "it does not speak RESP3",
            Fault::TooLarge => "it says more at once than it may",
        }
    }
}

/// Appends `PUBLISH channel payload`.
pub(super) fn write_publish(into: &mut Vec<u8>, channel: &str, payload: &[u8]) {
    into.reserve(channel.len() + payload.len() + 64);
    // Writing to a Vec cannot fail.
    let _ = write!(into, "*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n", channel.len());
    let _ = write!(into, "${}\r\n", payload.len());
    into.extend_from_slice(payload);
    into.extend_from_slice(b"\r\n");
}

/// The first frame of `bytes` and its length, or `None` if it is not all there. A frame has `most`
/// bytes at most: one that is not all there is refused as soon as it says or shows that it has more, and so is one that is.
pub(super) fn next(bytes: &[u8], most: usize) -> Result<Option<(Frame<'_>, usize)>, Fault> {
    match whole(bytes, most)? {
        None if bytes.len() > most => Err(Fault::TooLarge),
        Some((_, length)) if length > most => Err(Fault::TooLarge),
        found => Ok(found),
    }
}

fn whole(bytes: &[u8], most: usize) -> Result<Option<(Frame<'_>, usize)>, Fault> {
    match bytes.first() {
        None => Ok(None),
        Some(b':') => match line(bytes, 0)? {
            Some((text, end)) => Ok(Some((Frame::Integer(number(text)?), end))),
            None => Ok(None),
        },
        Some(b'>') => match message(bytes, most)? {
            Some(Push::Message(frame, end)) => Ok(Some((frame, end))),
            Some(Push::Other) => other(bytes, most),
            None => Ok(None),
        },
        Some(_) => other(bytes, most),
    }
}

fn other(bytes: &[u8], most: usize) -> Result<Option<(Frame<'_>, usize)>, Fault> {
    let mut elements = ELEMENTS;
    Ok(end_of(bytes, 0, DEPTH, &mut elements, most)?.map(|end| (Frame::Other(&bytes[..end]), end)))
}

enum Push<'a> {
    Message(Frame<'a>, usize),
    Other,
}

/// `>3 $7 message $n channel $m payload`.
fn message(bytes: &[u8], most: usize) -> Result<Option<Push<'_>>, Fault> {
    const HEAD: &[u8] = b">3\r\n$7\r\nmessage\r\n";
    if bytes.len() < HEAD.len() {
        return Ok(if HEAD.starts_with(bytes) { None } else { Some(Push::Other) });
    }
    if !bytes.starts_with(HEAD) {
        return Ok(Some(Push::Other));
    }
    let Some((channel, at)) = blob(bytes, HEAD.len(), most)? else { return Ok(None) };
    let Some((payload, end)) = blob(bytes, at, most)? else { return Ok(None) };
    Ok(Some(Push::Message(Frame::Message { channel, payload }, end)))
}

/// `$n` and n bytes: those bytes, and where it ends.
fn blob(bytes: &[u8], at: usize, most: usize) -> Result<Option<(&[u8], usize)>, Fault> {
    if bytes.get(at).is_some_and(|&kind| kind != b'$') {
        return Err(NotResp);
    }
    let Some((text, start)) = line(bytes, at)? else { return Ok(None) };
    let end = end_after(start, number(text)?, most)?;
    Ok((bytes.len() >= end + 2).then(|| (&bytes[start..end], end + 2)))
}

/// Where so many bytes from `start` on end, without their line's end.
fn end_after(start: usize, length: i64, most: usize) -> Result<usize, Fault> {
    let length = usize::try_from(length).map_err(|_| NotResp)?;
    if length > most { Err(Fault::TooLarge) } else { Ok(start + length) }
}

/// The text of the line that begins at `at`, without its kind, and where the next one begins.
fn line(bytes: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, Fault> {
    let Some(rest) = bytes.get(at + 1..) else { return Ok(None) };
    match memchr(b'\n', rest) {
        None if rest.len() > 64 << 10 => Err(NotResp),
        None => Ok(None),
        Some(0) => Err(NotResp),
        Some(newline) if rest[newline - 1] != b'\r' => Err(NotResp),
        Some(newline) => Ok(Some((&rest[..newline - 1], at + 1 + newline + 1))),
    }
}

fn number(text: &[u8]) -> Result<i64, Fault> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(NotResp)
}

/// Where the frame that begins at `at` ends.
fn end_of(
    bytes: &[u8],
    at: usize,
    depth: usize,
    elements: &mut usize,
    most: usize,
) -> Result<Option<usize>, Fault> {
    if depth == 0 {
        return Err(NotResp);
    }
    *elements = elements.checked_sub(1).ok_or(Fault::TooLarge)?;
    let Some(&kind) = bytes.get(at) else { return Ok(None) };
    let Some((text, start)) = line(bytes, at)? else { return Ok(None) };
    let children = match kind {
        b'+' | b'-' | b':' | b'_' | b',' | b'#' | b'(' => return Ok(Some(start)),
        b'$' | b'!' | b'=' => {
            let length = number(text)?;
            if length < 0 {
                return Ok(Some(start));
            }
            let end = end_after(start, length, most)? + 2;
            return Ok((bytes.len() >= end).then_some(end));
        }
        b'*' | b'~' | b'>' => number(text)?.max(0),
        b'%' => number(text)?.max(0).saturating_mul(2),
        _ => return Err(NotResp),
    };
    if children > ELEMENTS as i64 {
        return Err(Fault::TooLarge);
    }
    let mut end = start;
    for _ in 0..children {
        match end_of(bytes, end, depth - 1, elements, most)? {
            Some(next) => end = next,
            None => return Ok(None),
        }
    }
    Ok(Some(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &[u8] = b":3\r\n>3\r\n$7\r\nmessage\r\n$9\r\nchatd:u:7\r\n$4\r\n\r\n\0x\r\n\
        >3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n-ERR no\r\n*2\r\n$1\r\nc\r\n:0\r\n%1\r\n+a\r\n_\r\n:0\r\n";

    const MOST: usize = 64;

    fn all(bytes: &[u8]) -> Vec<Frame<'_>> {
        let (mut at, mut frames) = (0, Vec::new());
        while let Some((frame, length)) = next(&bytes[at..], MOST).unwrap() {
            frames.push(frame);
            at += length;
        }
        assert_eq!(at, bytes.len());
        frames
    }

    #[test]
    fn a_frame_that_is_all_there_may_have_no_more_bytes_than_one_in_pieces() {
        let line = |bytes: usize| [b"+", &vec![b'x'; bytes - 3][..], b"\r\n"].concat();
        assert!(next(&line(MOST), MOST).unwrap().is_some());
        assert_eq!(next(&line(MOST + 1), MOST), Err(Fault::TooLarge));
        assert_eq!(next(&line(MOST + 1)[..MOST], MOST), Ok(None));
    }

    #[test]
    fn a_publish_is_written_as_redis_writes_it() {
        for (channel, payload) in [("chatd:u:7", &b"\r\n\0x"[..]), ("g:1", b""), ("\u{e4}", &[0xff; 300])] {
            let mut written = b"before".to_vec();
            write_publish(&mut written, channel, payload);
            let command = redis::cmd("PUBLISH").arg(channel).arg(payload).get_packed_command();
            assert_eq!(written, [b"before", &command[..]].concat());
        }
    }

    #[test]
    fn every_frame_is_found() {
        let frames = all(STREAM);
        assert_eq!(frames.len(), 7);
        assert_eq!(frames[0], Frame::Integer(3));
        assert_eq!(frames[1], Frame::Message { channel: b"chatd:u:7", payload: b"\r\n\0x" });
        assert!(matches!(frames[2], Frame::Other(bytes) if bytes.ends_with(b"c\r\n:1\r\n")));
        assert_eq!(frames[3], Frame::Other(b"-ERR no\r\n"));
        assert_eq!(frames[6], Frame::Integer(0));
    }

    #[test]
    fn no_cut_is_taken_for_a_frame() {
        let mut at = 0;
        while at < STREAM.len() {
            let (_, length) = next(&STREAM[at..], MOST).unwrap().unwrap();
            for cut in 0..length {
                assert_eq!(next(&STREAM[at..at + cut], MOST), Ok(None), "{at} {cut}");
            }
            at += length;
        }
    }

    #[test]
    fn what_is_no_resp_is_refused() {
        for bytes in [&b"HTTP/1.1 400\r\n"[..], b":x\r\n", b"$-x\r\n", b">3\r\n$7\r\nmessage\r\n:1\r\n"] {
            assert_eq!(next(bytes, MOST), Err(NotResp), "{bytes:?}");
        }
    }
    /// However much is announced, and whatever it is said to be.
    #[test]
    fn no_frame_is_waited_for_beyond_its_bound() {
        let announced = [
            &b"$65\r\n"[..],
            b"$9223372036854775807\r\n",
            b"=65\r\ntxt:",
            b"*1\r\n$65\r\n",
            b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$9223372036854775807\r\n",
            b">3\r\n$7\r\nmessage\r\n$65\r\n",
        ];
        for bytes in announced {
            assert_eq!(next(bytes, MOST), Err(Fault::TooLarge), "{bytes:?}");
        }
        assert_eq!(next(b"$64\r\n", MOST), Ok(None));
        for head in [&b"*9223372036854775807\r\n"[..], b"%9223372036854775807\r\n", b"*9999\r\n"] {
            assert_eq!(next(head, MOST), Err(Fault::TooLarge), "{head:?}");
        }
        for head in [&b"+"[..], b"~8000\r\n"] {
            let rest = if head == b"+" { vec![b'+'; MOST] } else { b"_\r\n".repeat(MOST) };
            let endless = [head, &rest].concat();
            assert_eq!(next(&endless[..MOST], MOST), Ok(None), "{head:?}");
            assert_eq!(next(&endless, MOST), Err(Fault::TooLarge), "{head:?}");
        }
    }

    #[test]
    fn elements_are_counted_however_they_are_nested() {
        let many =
            [&b"*100\r\n"[..], &[&b"*100\r\n"[..], &b"_\r\n".repeat(100)].concat().repeat(100)].concat();
        assert_eq!(next(&many, usize::MAX >> 1), Err(Fault::TooLarge));
        let fewer =
            [&b"*10\r\n"[..], &[&b"*100\r\n"[..], &b"_\r\n".repeat(100)].concat().repeat(10)].concat();
        assert_eq!(next(&fewer, usize::MAX >> 1).unwrap().map(|(_, length)| length), Some(fewer.len()));
    }
}
