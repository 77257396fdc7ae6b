//! What one connection owns: its socket, what it has half read, and its outbox.
//!
//! A silent connection owns no buffer in either direction.

use super::pacing::{Next, Pacing, PacingLimits};
use super::proxied::Origin;
use super::spoken::{Spoken, Web};
use super::tls::Tls;
use crate::metrics::Queue;
use chatd_chat::model::ids::{ConnectionId, Monotonic};
use chatd_chat::wire::frame::Terminator;
use chatd_chat::wire::websocket;
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroU32;
use std::os::fd::{AsRawFd, RawFd};

/// One connection of this core.
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    stream: TcpStream,
    pub(super) stage: Stage,
    /// What it speaks.
    pub(super) spoken: Spoken,
    /// Who says where it comes from.
    pub(super) origin: Origin,
    /// What ends its frames; known from the first frame of the client.
    pub(super) terminator: Option<Terminator>,
    /// Whether its requests are not to be handed over for now.
    pub(super) paused: bool,
    /// Whether the client has said its last word.
    pub(super) ended: bool,
    /// Whether a receive is with the kernel.
    pub(super) receiving: bool,
    pub(super) tail: Tail,
    /// What of the core's sum of tails is this one's, in bytes of memory.
    pub(super) charged: u32,
    /// Bytes that it said after it was closed, and that were thrown away.
    pub(super) discarded: u32,
    /// Since when a frame is under way.
    pub(super) partial_since: Option<Monotonic>,
    pub(super) outbox: Outbox,
    /// How its outbox is cut, if it may read as the original client does.
    pub(super) pacing: Option<Box<Pacing>>,
    /// What it has besides, if it began with HTTP.
    pub(super) web: Option<Box<Web>>,
    /// What its bytes go through, if it is encrypted.
    pub(super) tls: Option<Box<Tls>>,
}

/// How far a connection has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// It is read from and written to.
    Open,
    /// It is to be closed once its outbox is with the kernel, or at this time.
    Emptying(Monotonic),
    /// Our side is closed. It is over when the peer has acknowledged all and closed too, or at
    /// this time.
    Lingering(Monotonic),
    /// It is over, and the hub will be told.
    Gone,
    /// The hub knows; operations may still be with the kernel.
    Over,
}

/// Of a core's connections, how many there are whose frames are wrapped in something.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wrapped {
    /// WebSockets.
    pub(crate) websockets: u64,
    /// In TLS.
    pub(crate) encrypted: u64,
}

impl Wrapped {
    /// One of them is no more.
    pub(super) fn forget(&mut self, connection: &Connection) {
        self.websockets -= u64::from(connection.spoken == Spoken::WebSocket);
        self.encrypted -= u64::from(connection.tls.is_some());
    }
}

/// Bytes received and not handed over: a frame under way, or what came before a pause.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) bytes: Vec<u8>,
    /// How far it was searched for a terminator in vain.
    pub(super) searched: u32,
    /// When they were read, if that was before a pause; as messages carry it.
    pub(super) read_us: Option<NonZeroU32>,
}

/// Bytes to be sent.
///
/// Invariant: `taken_bytes ≤ submitted.len()`; `submitted` does not change while `sending`.
#[derive(Default)]
pub(super) struct Outbox {
    /// What was written since the last send was submitted.
    pub(super) waiting: Vec<u8>,
    /// What is being sent.
    pub(super) submitted: Vec<u8>,
    /// How much of `submitted` the socket has taken.
    pub(super) taken_bytes: usize,
    /// Whether a send is with the kernel.
    pub(super) sending: bool,
    /// Whether it is on the list of those to be flushed this turn.
    pub(super) dirty: bool,
    /// Bytes that the socket has taken since the connection was opened.
    pub(super) sent: u64,
    /// When the first bytes of `waiting` and of `submitted` were written, in nanoseconds.
    pub(super) waiting_since_ns: u64,
    pub(super) submitted_since_ns: u64,
    /// What is measured of them.
    pub(super) marks: Queue,
}

impl Outbox {
    /// Bytes that were ever written to it.
    pub(super) fn written(&self) -> u64 {
        self.sent + (self.submitted.len() - self.taken_bytes + self.waiting.len()) as u64
    }
}

impl Connection {
    pub(super) fn new(id: ConnectionId, stream: TcpStream) -> Self {
        Self {
            id,
            stream,
            stage: Stage::Open,
            spoken: Spoken::Unknown,
            origin: Origin::Known,
            terminator: None,
            paused: false,
            ended: false,
            receiving: false,
            tail: Tail::default(),
            charged: 0,
            discarded: 0,
            partial_since: None,
            outbox: Outbox::default(),
            pacing: None,
            web: None,
            tls: None,
        }
    }

    pub(super) fn descriptor(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// The client's first frame tells what ends its frames.
    pub(super) fn begin(&mut self, terminator: Terminator) {
        self.terminator = Some(terminator);
        self.pacing = (terminator == Terminator::Nul).then(|| Box::new(Pacing::new()));
    }

    /// Appends a frame of so many bytes, which `write` writes, with its terminator or header.
    pub(super) fn append(
        &mut self,
        frame_bytes: usize,
        write: impl FnOnce(&mut Vec<u8>),
        now_ns: u64,
        limits: &PacingLimits,
    ) {
        if self.spoken == Spoken::WebSocket && self.pacing.is_none() {
            websocket::text_header(&mut self.outbox.waiting, frame_bytes);
            return write(&mut self.outbox.waiting);
        }
        let before = self.outbox.waiting.len();
        write(&mut self.outbox.waiting);
        if self.pacing.is_some() {
            return self.pace(before, now_ns, limits);
        }
        let terminator = self.terminator.unwrap_or(Terminator::Newline);
        self.outbox.waiting.push(terminator.byte());
    }

    /// What was appended since the outbox had so many bytes is a frame that is written in its time.
    fn pace(&mut self, before: usize, now_ns: u64, limits: &PacingLimits) {
        let Some(pacing) = &mut self.pacing else { return };
        let frame_bytes = self.outbox.waiting.len() - before;
        if pacing.terminates(frame_bytes) {
            self.outbox.waiting.push(Terminator::Nul.byte());
        }
        let (waiting, written) = (self.outbox.waiting.len(), self.outbox.written());
        pacing.appended(waiting - before, waiting, written, now_ns, limits);
    }

    /// Moves what may be written now from `waiting` to `submitted`, all of which was sent. Gives the time of the next
    /// write, if it is still to come.
    pub(super) fn take_paced(&mut self, now_ns: u64, limits: &PacingLimits) -> Option<u64> {
        let Outbox { waiting, submitted, .. } = &mut self.outbox;
        submitted.clear();
        let pacing = self.pacing.as_mut().filter(|_| !waiting.is_empty())?;
        match pacing.next(waiting.len(), now_ns, limits) {
            Next::Later(due_ns) => return Some(due_ns),
            Next::Bytes(bytes) if bytes == waiting.len() => std::mem::swap(submitted, waiting),
            Next::Bytes(bytes) => submitted.extend(waiting.drain(..bytes)),
        }
        None
    }

    /// Whether operations of it are with the kernel: then it must stay where it is.
    pub(super) fn is_busy(&self) -> bool {
        self.receiving || self.outbox.sending
    }

    /// Whether nothing happens to it any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Gone | Stage::Over)
    }

    /// Whether the socket has taken everything.
    pub(super) fn is_flushed(&self) -> bool {
        let own = self.tls.as_deref().is_some_and(Tls::has_own);
        !self.outbox.sending && self.outbox.waiting.is_empty() && !own
    }

    /// Whether the peer has said all and was told all, our closing included.
    pub(super) fn is_through(&self) -> bool {
        self.ended && (self.tcp_acked() == self.tcp_sent() || self.is_reset())
    }

    /// Whether the peer's system has thrown the connection away: nothing is acknowledged any more.
    fn is_reset(&self) -> bool {
        const TCP_CLOSE: u8 = 7;
        let mut state = 0_u8;
        let (at, mut bytes) = ((&raw mut state).cast(), 1);
        // SAFETY: TCP_INFO writes at most `bytes` bytes to the address given, of which the first is the
        // connection's state; both outlive the call, and the descriptor is open as long as `stream` is.
        let result = unsafe {
            libc::getsockopt(self.stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_INFO, at, &raw mut bytes)
        };
        result == 0 && bytes == 1 && state == TCP_CLOSE
    }

    /// Bytes that the socket has taken since the connection was opened, as they go over TCP: encrypted, if it is.
    fn tcp_sent(&self) -> u64 {
        self.tls.as_deref().map_or(self.outbox.sent, Tls::sent)
    }

    /// How many of these the peer's TCP has acknowledged. Never too many.
    fn tcp_acked(&self) -> u64 {
        let mut in_flight: libc::c_int = 0;
        // SAFETY: SIOCOUTQ (the socket's TIOCOUTQ) writes one int to the address given, which
        // outlives the call; the descriptor is open as long as `stream` is.
        let result = unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut in_flight) };
        if result == 0 { self.tcp_sent().saturating_sub(in_flight.max(0) as u64) } else { 0 }
    }

    /// Bytes of the outbox, of all that were ever sent, that the peer's TCP has acknowledged. Never too many.
    fn acked(&mut self) -> u64 {
        let acked = self.tcp_acked();
        self.tls.as_deref_mut().map_or(acked, |tls| tls.acked(acked))
    }

    /// The same as its hub counts them: each frame with a terminator or header, and nothing else.
    pub(super) fn acked_frames(&mut self) -> u64 {
        let acked = self.acked();
        match (&mut self.pacing, self.web.as_deref()) {
            (Some(pacing), _) => pacing.acked(acked),
            (None, Some(Web::Socket(socket))) => socket.acked(acked),
            (None, Some(Web::Answer(_))) => 0,
            (None, None) => acked,
        }
    }

    /// Whether its client is in the middle of a message of which nothing lies in the tail.
    pub(super) fn is_within(&self) -> bool {
        self.tls.as_deref().is_some_and(Tls::is_within)
            || matches!(self.web.as_deref(), Some(Web::Socket(socket)) if socket.decoder.is_within())
    }

    /// Whether it comes from this machine.
    pub(super) fn is_local(&self) -> bool {
        self.stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback())
    }

    pub(super) fn shutdown(&self, how: Shutdown) {
        // Fails only if the connection is gone, which is what is wanted.
        let _ = self.stream.shutdown(how);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory is given out in steps of 16 bytes, 8 of them for the allocator: 216 bytes take what 208 take.
    #[test]
    fn a_plain_connection_pays_nothing_for_http_and_tls() {
        assert!(size_of::<Connection>() <= 216, "{}", size_of::<Connection>());
    }
}
