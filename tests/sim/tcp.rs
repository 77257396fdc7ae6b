//! One connection: what the client has written and the server not read, what the server has sent
//! and the client's TCP not acknowledged.

use chatd::chat::model::ids::ConnectionId;
use chatd::chat::port::effect::Frame;
use chatd::chat::wire::frame::{self, Step, Terminator};
use chatd::chat::wire::websocket::{self, Decoder, Piece, Violation};
use std::collections::VecDeque;

/// How a client reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    Fast,
    Slowly,
    NotAtAll,
}

/// What of a stream came next.
pub enum Taken {
    /// A frame, without what tells it apart.
    Frame(Vec<u8>),
    /// None that is whole.
    Partial,
    TooLarge,
}

pub struct Conn {
    pub core: usize,
    pub id: ConnectionId,
    pub terminator: Terminator,
    /// Of a WebSocket: where its client's stream is.
    pub decoder: Option<Decoder>,
    /// Written by the client, not at the server yet.
    pub to_server: VecDeque<u8>,
    /// At the server, not handed over.
    pub input: Vec<u8>,
    /// The client will write nothing more.
    pub finished: bool,
    pub told_ended: bool,
    pub paused: bool,
    /// The hub has asked for it to be closed.
    pub closing: bool,
    /// The client is gone without a word: nothing is acknowledged any more.
    pub broken: bool,
    /// The hub was told that it is gone.
    pub closed: bool,
    /// All that was ever sent to the client.
    pub out: Vec<u8>,
    /// How much of it the client's TCP has acknowledged.
    pub acked: usize,
    /// How much of that the client has taken apart.
    pub parsed: usize,
    pub reading: Reading,
    /// Bytes are on their way.
    pub coming: bool,
    pub going: bool,
}

impl Conn {
    pub fn new(core: usize, id: ConnectionId, terminator: Terminator, is_websocket: bool) -> Self {
        Self {
            core,
            id,
            terminator,
            decoder: is_websocket.then(Decoder::default),
            to_server: VecDeque::new(),
            input: Vec::new(),
            finished: false,
            told_ended: false,
            paused: false,
            closing: false,
            broken: false,
            closed: false,
            out: Vec::new(),
            acked: 0,
            parsed: 0,
            reading: Reading::Fast,
            coming: false,
            going: false,
        }
    }

    /// Whether the person behind it can still do something with it.
    pub fn is_usable(&self) -> bool {
        !self.broken && !self.closed && !self.finished && !self.closing
    }

    /// The next frame that is whole at the server.
    pub fn take(&mut self, frame_bytes: usize) -> Taken {
        let Some(decoder) = &mut self.decoder else {
            return match frame::next(&self.input, 0, 0, frame_bytes) {
                Step::Frame { start, end, next, .. } => {
                    let frame = self.input[start..end].to_vec();
                    self.input.drain(..next);
                    Taken::Frame(frame)
                }
                Step::Partial { .. } => Taken::Partial,
                Step::TooLarge => Taken::TooLarge,
            };
        };
        let taken = match decoder.next(&mut self.input, frame_bytes) {
            Piece::Text { start, end } => Taken::Frame(self.input[start..end].to_vec()),
            Piece::Partial => Taken::Partial,
            Piece::Violation(Violation::TooLarge) => Taken::TooLarge,
            piece => panic!("a client says texts and nothing else, not {piece:?}"),
        };
        let kept = decoder.rest(&mut self.input);
        self.input = self.input[kept].to_vec();
        taken
    }

    /// The client writes a message, in one frame or, if `at` says where, in two.
    pub fn write_message(&mut self, text: &str, at: Option<usize>) {
        let (first, last) = text.as_bytes().split_at(at.unwrap_or(0));
        let frames: &[(u8, &[u8])] =
            if at.is_some() { &[(0x01, first), (0x80, last)] } else { &[(0x81, last)] };
        for &(kind, payload) in frames {
            let mut header = Vec::new();
            websocket::text_header(&mut header, payload.len());
            (header[0], header[1]) = (kind, header[1] | 0x80);
            let mask = [0x5a, 0x01, 0xc3, payload.len() as u8];
            header.extend(mask);
            header.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
            self.to_server.extend(header);
        }
    }

    /// The server sends a frame.
    pub fn send(&mut self, frame: &Frame) {
        if self.decoder.is_some() {
            websocket::text_header(&mut self.out, frame.len());
        }
        frame.write(&mut self.out);
        if self.decoder.is_none() {
            self.out.push(self.terminator.byte());
        }
    }

    /// The next whole frame that the client has got, without what tells it apart.
    pub fn next_frame(&mut self) -> Option<Vec<u8>> {
        let (start, end, next) = self.whole(self.parsed, self.acked)?;
        self.parsed = next;
        Some(self.out[start..end].to_vec())
    }

    /// The first frame that was sent.
    pub fn first_frame(&self) -> &[u8] {
        self.whole(0, self.out.len()).map_or(&[], |(start, end, _)| &self.out[start..end])
    }

    /// Where in what was sent the frame at `from` begins and ends, and the next one begins; nothing if `until` is
    /// within it.
    fn whole(&self, from: usize, until: usize) -> Option<(usize, usize, usize)> {
        let got = &self.out[from..until];
        if self.decoder.is_none() {
            let end = from + got.iter().position(|&byte| byte == 0 || byte == b'\n')?;
            return Some((from, end, end + 1));
        }
        let (header, length) = match *got.get(1)? {
            length @ 0..126 => (2, usize::from(length)),
            126 => (4, usize::from(u16::from_be_bytes(got.get(2..4)?.try_into().expect("two bytes")))),
            _ => panic!("no frame of a simulation is that long"),
        };
        let end = from + header + length;
        (end <= until).then_some((from + header, end, end))
    }
}
