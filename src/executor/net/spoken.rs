//! What a connection speaks: told by its first byte, and for a WebSocket by its upgrade.
//!
//! What lies below this, a connection that is encrypted, hands over what it has decrypted as if it had been received:
//! the first byte of that tells again.

use chatd_chat::wire::websocket::{self, Decoder};

/// What a connection speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spoken {
    /// It has said nothing yet.
    Unknown,
    /// Frames, each with a terminator.
    Frames,
    /// HTTP: one request.
    Http,
    /// TLS.
    Tls,
    /// Messages, after an upgrade.
    WebSocket,
}

impl Spoken {
    /// By the first byte of a connection.
    pub(super) const fn of(first: u8) -> Self {
        match first {
            b'A'..=b'Z' => Spoken::Http,
            0x16 => Spoken::Tls,
            _ => Spoken::Frames,
        }
    }
}

/// What a connection that began with HTTP has besides. Others have none of it.
pub(super) enum Web {
    /// What is still to be written of an answer's body.
    Answer(&'static [u8]),
    /// A WebSocket.
    Socket(WebSocket),
}

/// One WebSocket.
pub(super) struct WebSocket {
    pub(super) decoder: Decoder,
    /// How it ends, once that is known.
    ending: Option<Ending>,
    /// Bytes written that are no frames: the answer to the upgrade, and pongs.
    other_bytes: u64,
    /// Where in all that was written the frames end, once the last one is.
    frames_end: u64,
    /// Bytes of pongs that the kernel may not have taken, and where the last of them ends.
    pong_bytes: usize,
    pongs_end: u64,
    /// The last ping that came when these were too many.
    ping: Option<Box<[u8]>>,
}

/// How a WebSocket ends.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// Its client has said so, and why.
    Said(Option<u16>),
    /// Its client did what it may not do: this code.
    Violated(u16),
}

/// Bytes of pongs that may wait for the kernel. Above, the last ping is answered and those before it are not.
const PONG_BYTES: usize = 4 << 10;

impl WebSocket {
    /// One whose upgrade was answered in so many bytes.
    pub(super) fn new(answer_bytes: usize) -> Self {
        Self {
            decoder: Decoder::default(),
            ending: None,
            other_bytes: answer_bytes as u64,
            frames_end: u64::MAX,
            pong_bytes: 0,
            pongs_end: 0,
            ping: None,
        }
    }

    /// Whether nothing that its client says counts any more.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_some()
    }

    /// Its client has said its last word.
    pub(super) fn note_close(&mut self, code: Option<u16>) {
        self.ending.get_or_insert(Ending::Said(code));
    }

    /// Its client did what it may not do.
    pub(super) fn note_violation(&mut self, code: u16) {
        self.ending.get_or_insert(Ending::Violated(code));
    }

    /// Appends the last frame: `written` bytes were written before it. An ending that is known goes before `code`.
    pub(super) fn close(&mut self, out: &mut Vec<u8>, written: u64, code: u16) {
        self.frames_end = written;
        let code = match self.ending {
            Some(Ending::Said(code)) => code,
            Some(Ending::Violated(code)) => Some(code),
            None => Some(code),
        };
        websocket::close(out, code);
    }

    /// Answers a ping, at once or once the kernel has taken the answers before it. `written` bytes were written, of
    /// which the kernel has taken `sent`.
    pub(super) fn answer(&mut self, out: &mut Vec<u8>, payload: &[u8], written: u64, sent: u64) {
        if sent >= self.pongs_end {
            self.pong_bytes = 0;
        }
        if self.pong_bytes >= PONG_BYTES {
            self.ping = Some(payload.into());
            return;
        }
        let before = out.len();
        websocket::pong(out, payload);
        let bytes = out.len() - before;
        self.pong_bytes += bytes;
        self.other_bytes += bytes as u64;
        self.pongs_end = written + bytes as u64;
    }

    /// The ping that is to be answered now that the kernel has taken `sent` bytes.
    pub(super) fn take_ping(&mut self, sent: u64) -> Option<Box<[u8]>> {
        if sent >= self.pongs_end { self.ping.take() } else { None }
    }

    /// What of so many acknowledged bytes was frames. Never too many.
    pub(super) fn acked(&self, bytes: u64) -> u64 {
        bytes.min(self.frames_end).saturating_sub(self.other_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_tells() {
        for first in b'A'..=b'Z' {
            assert_eq!(Spoken::of(first), Spoken::Http);
        }
        assert_eq!(Spoken::of(0x16), Spoken::Tls);
        for first in [b'{', b'\n', 0, b' ', b'a', b'@', b'[', 0x15, 0xff] {
            assert_eq!(Spoken::of(first), Spoken::Frames, "{first}");
        }
    }

    #[test]
    fn a_flood_of_pings_fills_a_few_kilobytes_and_the_last_one_is_answered() {
        let (mut socket, mut out) = (WebSocket::new(100), vec![0; 100]);
        for number in 0..10_000_u32 {
            let written = out.len() as u64;
            socket.answer(&mut out, &number.to_be_bytes(), written, 100);
        }
        let full = out.len() as u64;
        assert!(full <= 100 + PONG_BYTES as u64 + 131, "{full}");
        assert_eq!(socket.take_ping(full - 1), None);
        let ping = socket.take_ping(full).expect("one was put off");
        assert_eq!(*ping, 9_999_u32.to_be_bytes());
        socket.answer(&mut out, &ping, full, full);
        assert_eq!(out[out.len() - 6..], [0x8a, 4, 0, 0, 0x27, 0x0f]);
        assert_eq!(socket.take_ping(u64::MAX), None);
    }

    #[test]
    fn only_frames_count_as_acknowledged() {
        let (mut socket, mut out) = (WebSocket::new(100), vec![0; 150]);
        assert_eq!([99, 100, 150].map(|bytes| socket.acked(bytes)), [0, 0, 50]);
        socket.answer(&mut out, b"ping", 150, 0);
        assert_eq!([150, 156, 200].map(|bytes| socket.acked(bytes)), [44, 50, 94]);
        socket.close(&mut out, 200, 1000);
        assert_eq!([200, 204].map(|bytes| socket.acked(bytes)), [94, 94]);
    }

    #[test]
    fn the_code_of_the_client_is_said_back_and_a_violation_goes_before_the_reason() {
        let said = |prepare: fn(&mut WebSocket)| {
            let (mut socket, mut out) = (WebSocket::new(0), Vec::new());
            prepare(&mut socket);
            socket.close(&mut out, 0, 1001);
            out
        };
        assert_eq!(said(|_| {}), [0x88, 2, 0x03, 0xe9]);
        assert_eq!(said(|socket| socket.note_close(Some(4000))), [0x88, 2, 0x0f, 0xa0]);
        assert_eq!(said(|socket| socket.note_close(None)), [0x88, 0]);
        assert_eq!(said(|socket| socket.note_violation(1002)), [0x88, 2, 0x03, 0xea]);
    }
}
