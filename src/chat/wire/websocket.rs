//! WebSocket (RFC 6455), the server's side: bytes to messages, and the headers of what is sent. A pure codec.
//!
//! A [`Decoder`] works in the buffer that the bytes were received into. It unmasks them there, each byte once and
//! however the stream is cut, and puts fragments together by moving them to the front. It owns no bytes: what is
//! left of a message between two calls lies at the beginning of the buffer, and [`Decoder::rest`] says how much.
//! Knows no extension: a reserved bit is a fault.

mod mask;

use super::code::Code;
use super::frame::Framing;
use mask::Mask;
use std::ops::Range;

/// The longest payload of a control frame.
pub const CONTROL_BYTES: usize = 125;

/// One step of the decoder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Piece {
    /// A whole text message, perhaps empty: `bytes[start..end]`.
    Text {
        /// Its first byte.
        start: usize,
        /// One past its last byte.
        end: usize,
    },
    /// The peer asks whether we live: `bytes[start..end]` is to be said back.
    Ping {
        /// The first byte of its payload.
        start: usize,
        /// One past the last one.
        end: usize,
    },
    /// The peer says that it lives.
    Pong,
    /// The peer will say nothing more; why, if it says so.
    Close(Option<u16>),
    /// Nothing more is whole.
    Partial,
    /// The stream cannot be trusted any more.
    Violation(Violation),
}

/// What a peer may not do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Violation {
    /// Against the protocol, as this sentence says: 1002.
    Protocol(&'static str),
    /// A binary message: 1003.
    Binary,
    /// A text, or the reason of a close, that is not UTF-8: 1007.
    NotUtf8,
    /// A message that is longer than the bound: 1009.
    TooLarge,
}

impl Violation {
    /// The code that the connection is closed with.
    pub const fn close_code(self) -> u16 {
        match self {
            Violation::Protocol(_) => 1002,
            Violation::Binary => 1003,
            Violation::NotUtf8 => 1007,
            Violation::TooLarge => 1009,
        }
    }
}

/// A data frame whose payload is under way.
#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u32,
    mask: Mask,
    is_last: bool,
}

/// Where a peer's stream is.
///
/// Between two calls the buffer holds the message under way in `start..end`, unmasked, and from `at` on what was not
/// looked at. `start ≤ checked ≤ end ≤ at`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Decoder {
    start: u32,
    end: u32,
    /// Up to where the message is known to be UTF-8.
    checked: u32,
    at: u32,
    payload: Option<Payload>,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Stage {
    /// Between two messages.
    #[default]
    Between,
    /// Within a message.
    Within,
    /// The message is whole, and some of it was put back.
    PutBack,
}

/// The header of a frame: how long it is, and what it says.
struct Header {
    bytes: usize,
    is_last: bool,
    opcode: u8,
    payload_bytes: u64,
    mask: Mask,
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;
const LAST: u8 = 0x80;

impl Decoder {
    /// The next piece of what the buffer holds; messages have `frame_bytes` at most.
    pub fn next(&mut self, bytes: &mut [u8], frame_bytes: usize) -> Piece {
        if self.stage == Stage::PutBack {
            return self.whole();
        }
        loop {
            if let Some(payload) = self.payload {
                match self.take_in(bytes, payload) {
                    Ok(Some(piece)) => return piece,
                    Ok(None) if self.at as usize == bytes.len() => return Piece::Partial,
                    Ok(None) => continue,
                    Err(violation) => return Piece::Violation(violation),
                }
            }
            match self.begin(bytes, frame_bytes) {
                Ok(Some(piece)) => return piece,
                Ok(None) if self.payload.is_some() => {}
                Ok(None) => return Piece::Partial,
                Err(violation) => return Piece::Violation(violation),
            }
        }
    }

    /// Whether the peer is in the middle of something.
    pub fn is_within(&self) -> bool {
        self.stage != Stage::Between || self.payload.is_some()
    }

    /// Puts the end of the message that was just given back: it is given again by the next step.
    pub fn put_back(&mut self, start: usize, end: usize) {
        (self.start, self.end, self.checked) = (start as u32, end as u32, end as u32);
        self.stage = Stage::PutBack;
    }

    /// What of the buffer has to be there at the beginning of the next one, moved together.
    pub fn rest(&mut self, bytes: &mut [u8]) -> Range<usize> {
        let (start, end, at) = (self.start as usize, self.end as usize, self.at as usize);
        let kept = if self.stage == Stage::Between { at..bytes.len() } else { start..end + bytes.len() - at };
        if self.stage == Stage::Between {
            (self.start, self.end, self.checked) = (0, 0, 0);
        } else {
            if end < at {
                bytes.copy_within(at.., end);
            }
            (self.start, self.end, self.checked) =
                (0, self.end - self.start, self.checked.saturating_sub(self.start));
        }
        self.at = self.end;
        kept
    }

    /// Takes in what has come of a frame's payload; the message, if it is whole.
    fn take_in(&mut self, bytes: &mut [u8], mut payload: Payload) -> Result<Option<Piece>, Violation> {
        let at = self.at as usize;
        let count = (bytes.len() - at).min(payload.left as usize);
        payload.mask = payload.mask.apply(&mut bytes[at..at + count]);
        payload.left -= count as u32;
        if self.start == self.end {
            (self.start, self.end, self.checked) = (self.at, self.at, self.at);
        } else if self.end < self.at {
            bytes.copy_within(at..at + count, self.end as usize);
        }
        (self.at, self.end) = (self.at + count as u32, self.end + count as u32);
        let is_whole = payload.left == 0 && payload.is_last;
        self.payload = (payload.left > 0).then_some(payload);
        self.check(bytes, is_whole)?;
        Ok(is_whole.then(|| self.whole()))
    }

    /// Checks that what is there of a message is UTF-8, or may become it.
    fn check(&mut self, bytes: &[u8], is_whole: bool) -> Result<(), Violation> {
        match std::str::from_utf8(&bytes[self.checked as usize..self.end as usize]) {
            Ok(_) => self.checked = self.end,
            Err(error) if error.error_len().is_none() && !is_whole => {
                self.checked += error.valid_up_to() as u32;
            }
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }

    fn whole(&mut self) -> Piece {
        let piece = Piece::Text { start: self.start as usize, end: self.end as usize };
        (self.start, self.end, self.stage) = (self.at, self.at, Stage::Between);
        piece
    }

    /// Begins the next frame, once its header is whole. A control frame has to be whole, too: it is handled here.
    fn begin(&mut self, bytes: &mut [u8], frame_bytes: usize) -> Result<Option<Piece>, Violation> {
        let at = self.at as usize;
        let Some(header) = self.header(&bytes[at..])? else { return Ok(None) };
        if header.opcode >= CLOSE {
            return self.control(bytes, &header);
        }
        let before = if self.stage == Stage::Within { u64::from(self.end - self.start) } else { 0 };
        if before + header.payload_bytes > frame_bytes as u64 {
            return Err(Violation::TooLarge);
        }
        self.at += header.bytes as u32;
        if self.stage == Stage::Between {
            (self.start, self.end, self.checked) = (self.at, self.at, self.at);
            self.stage = Stage::Within;
        }
        let left = header.payload_bytes as u32;
        self.payload = Some(Payload { left, mask: header.mask, is_last: header.is_last });
        Ok(None)
    }

    /// Reads a header. What is wrong with its first two bytes shows as soon as these are there.
    fn header(&self, bytes: &[u8]) -> Result<Option<Header>, Violation> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let (is_last, opcode) = (first & LAST != 0, first & 0x0f);
        if first & 0x70 != 0 {
            return Err(Violation::Protocol("a reserved bit is set"));
        }
        if second & 0x80 == 0 {
            return Err(Violation::Protocol("a client's frame is masked"));
        }
        match (opcode, self.stage) {
            (CONTINUATION, Stage::Between) => {
                return Err(Violation::Protocol("there is nothing to go on with"));
            }
            (TEXT | BINARY, Stage::Within) => return Err(Violation::Protocol("a message is under way")),
            (BINARY, _) => return Err(Violation::Binary),
            (CLOSE | PING | PONG, _) if !is_last => {
                return Err(Violation::Protocol("a control frame is not cut"));
            }
            (CLOSE | PING | PONG, _) if second & 0x7f > CONTROL_BYTES as u8 => {
                return Err(Violation::Protocol("a control frame has 125 bytes at most"));
            }
            (CONTINUATION | TEXT | CLOSE | PING | PONG, _) => {}
            _ => return Err(Violation::Protocol("no such opcode")),
        }
        let (length_bytes, least) = match second & 0x7f {
            126 => (2, 126),
            127 => (8, 1 << 16),
            _ => (0, 0),
        };
        if rest.len() < length_bytes + 4 {
            return Ok(None);
        }
        let (length, rest) = rest.split_at(length_bytes);
        let payload_bytes = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)),
        };
        if payload_bytes < least || payload_bytes >> 63 != 0 {
            return Err(Violation::Protocol("a length takes as few bytes as it can"));
        }
        let mask = Mask::new([rest[0], rest[1], rest[2], rest[3]]);
        Ok(Some(Header { bytes: 2 + length_bytes + 4, is_last, opcode, payload_bytes, mask }))
    }

    fn control(&mut self, bytes: &mut [u8], header: &Header) -> Result<Option<Piece>, Violation> {
        let start = self.at as usize + header.bytes;
        let end = start + header.payload_bytes as usize;
        if end > bytes.len() {
            return Ok(None);
        }
        header.mask.apply(&mut bytes[start..end]);
        self.at = end as u32;
        Ok(Some(match header.opcode {
            PING => Piece::Ping { start, end },
            PONG => Piece::Pong,
            _ => Piece::Close(closing(&bytes[start..end])?),
        }))
    }
}

/// Reads the payload of a close frame.
fn closing(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let code = match *payload {
        [] => return Ok(None),
        [_] => return Err(Violation::Protocol("a code of closing has two bytes")),
        [high, low, ..] => u16::from_be_bytes([high, low]),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::Protocol("no such code of closing"));
    }
    std::str::from_utf8(&payload[2..]).map_err(|_| Violation::NotUtf8)?;
    Ok(Some(code))
}

/// Appends the header of a text message of so many bytes.
pub fn text_header(out: &mut Vec<u8>, payload_bytes: usize) {
    header(out, TEXT, payload_bytes);
}

/// Appends the answer to a ping.
pub fn pong(out: &mut Vec<u8>, payload: &[u8]) {
    header(out, PONG, payload.len());
    out.extend_from_slice(payload);
}

/// Appends the last frame, with a code if there is one to be said.
pub fn close(out: &mut Vec<u8>, code: Option<u16>) {
    header(out, CLOSE, if code.is_some() { 2 } else { 0 });
    out.extend(code.iter().flat_map(|code| code.to_be_bytes()));
}

fn header(out: &mut Vec<u8>, opcode: u8, payload_bytes: usize) {
    match payload_bytes {
        0..126 => out.extend_from_slice(&[LAST | opcode, payload_bytes as u8]),
        126..0x1_0000 => {
            let [high, low] = (payload_bytes as u16).to_be_bytes();
            out.extend_from_slice(&[LAST | opcode, 126, high, low]);
        }
        _ => {
            out.extend_from_slice(&[LAST | opcode, 127]);
            out.extend_from_slice(&(payload_bytes as u64).to_be_bytes());
        }
    }
}

/// The code that goes with the errno that a connection is closed for; 1000 where there is none.
pub const fn close_code(why: Option<Code>) -> u16 {
    match why {
        Some(Code::NotAFrame) => 1007,
        Some(Code::TooLarge) => 1009,
        Some(Code::Draining) => 1001,
        Some(Code::Replaced | Code::TooSlow | Code::TooFast) => 1008,
        Some(Code::TooMany) => 1013,
        _ => 1000,
    }
}

impl Framing {
    /// How many bytes go with a frame of so many.
    pub const fn overhead(self, frame_bytes: usize) -> usize {
        match (self, frame_bytes) {
            (Framing::Terminated, _) => 1,
            (Framing::Message, 0..126) => 2,
            (Framing::Message, 126..0x1_0000) => 4,
            (Framing::Message, _) => 10,
        }
    }
}

#[cfg(test)]
mod tests;
