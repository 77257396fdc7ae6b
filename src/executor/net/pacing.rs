//! Pacing: one frame a write, for clients that read as the original does.
//!
//! The original client takes what one `recv(1024)` gives for one frame. Two frames that lie in its socket together cost
//! it the second one, a byte beyond 1,024 ends it. Whose first frame ended with NUL is taken for such a client, until it
//! asks for v2: its frames leave one a write, some milliseconds apart. Owns no bytes: only how the outbox is cut.

use chatd_chat::model::limits::Limits;
use chatd_chat::wire::request::{Body, Dialect, Request};
use std::collections::VecDeque;

/// What the original client reads at once. A terminator that would be one byte more is left out.
const READ_BYTES: usize = 1_024;
/// The shortest gap, when many frames wait.
const GAP_MIN_NS: u64 = 2_000_000;
/// Room for the lengths of so many frames is kept.
const FEW_FRAMES: usize = 16;

/// Bounds of pacing, in nanoseconds and bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct PacingLimits {
    gap_ns: u64,
    wait_ns: u64,
    bytes: usize,
}

impl PacingLimits {
    pub(super) fn of(limits: &Limits) -> Self {
        Self {
            gap_ns: limits.paced_gap_ms * 1_000_000,
            wait_ns: limits.paced_wait_ms * 1_000_000,
            bytes: limits.paced_bytes,
        }
    }
}

/// How one connection's outbox is cut into writes.
///
/// Invariant: `frames` sums up to the bytes that wait in the outbox, or is empty while `burst`.
#[derive(Debug)]
pub(super) struct Pacing {
    /// Whether the client reads a stream after all: nothing is held back any more.
    streams: bool,
    /// Whether every frame has its terminator: the client has named a request, which the original never does.
    terminates: bool,
    /// Lengths of the frames that wait, with their terminators.
    frames: VecDeque<u32>,
    /// Whether too much waits: it goes as it is.
    burst: bool,
    /// By when what waits should be written.
    by_ns: u64,
    /// Whether the connection is being closed: then it has to be.
    closing: bool,
    /// When the next write may be.
    next_ns: u64,
    /// The gap after the last write.
    gap_ns: u64,
    /// Whether the connection is on the list of those that wait for their next write.
    pub(super) listed: bool,
    /// Where frames without a terminator end in what is sent, unless the peer's TCP has acknowledged them.
    bare: VecDeque<u64>,
    /// How many of them it has acknowledged.
    bare_acked: u64,
}

/// What may be written now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// So many bytes.
    Bytes(usize),
    /// Nothing before this time, in nanoseconds.
    Later(u64),
}

impl Pacing {
    pub(super) fn new() -> Self {
        Self {
            streams: false,
            terminates: false,
            frames: VecDeque::new(),
            burst: false,
            by_ns: 0,
            closing: false,
            next_ns: 0,
            gap_ns: 0,
            listed: false,
            bare: VecDeque::new(),
            bare_acked: 0,
        }
    }

    /// Learns from a request what kind of client this is.
    pub(super) fn learn(&mut self, request: &Request<'_>) {
        let v2 = match request.body {
            Body::Login { client, .. } | Body::Register { client, .. } => client.dialect == Dialect::V2,
            Body::Resume { .. } => true,
            _ => false,
        };
        if v2 {
            (self.streams, self.burst) = (true, true);
            self.frames = VecDeque::new();
        }
        self.terminates |= v2 || request.cid.is_some();
    }

    /// Whether a frame of this length ends with a terminator.
    pub(super) fn terminates(&self, frame_bytes: usize) -> bool {
        self.terminates || frame_bytes != READ_BYTES
    }

    /// A frame was appended to the outbox, in which `waiting` bytes wait now; `written` were ever written to it.
    pub(super) fn appended(
        &mut self,
        bytes: usize,
        waiting: usize,
        written: u64,
        now_ns: u64,
        limits: &PacingLimits,
    ) {
        if bytes == READ_BYTES && !self.terminates {
            self.bare.push_back(written);
        }
        self.by_ns = now_ns + limits.wait_ns;
        if self.burst {
            return;
        }
        self.frames.push_back(bytes as u32);
        let too_long = self.frames.len() as u64 * GAP_MIN_NS > limits.wait_ns;
        if too_long || waiting > limits.bytes {
            self.give_up();
        }
    }

    /// The connection is being closed: what waits has until `by_ns`.
    pub(super) fn hurry(&mut self, now_ns: u64, by_ns: u64) {
        (self.by_ns, self.closing) = (self.by_ns.min(by_ns), true);
        if self.frames.len() as u64 * GAP_MIN_NS > by_ns.saturating_sub(now_ns) {
            self.give_up();
        }
    }

    /// What waits goes as it is.
    fn give_up(&mut self) {
        self.burst = true;
        self.frames.clear();
    }

    /// What of the `waiting` bytes is to be written now. It is taken for written.
    pub(super) fn next(&mut self, waiting: usize, now_ns: u64, limits: &PacingLimits) -> Next {
        if self.closing && now_ns >= self.by_ns {
            self.give_up();
        }
        if self.burst {
            self.burst = self.streams;
            self.gap_ns = limits.gap_ns;
            self.next_ns = now_ns + limits.gap_ns;
            return Next::Bytes(waiting);
        }
        if now_ns < self.next_ns {
            return Next::Later(self.next_ns);
        }
        let Some(frame) = self.frames.pop_front() else { return Next::Bytes(waiting) };
        if self.frames.is_empty() && self.frames.capacity() > FEW_FRAMES {
            // A silent connection owns little.
            self.frames = VecDeque::new();
        }
        let left = self.frames.len().max(1) as u64;
        self.gap_ns =
            (self.by_ns.saturating_sub(now_ns) / left).clamp(GAP_MIN_NS, limits.gap_ns.max(GAP_MIN_NS));
        self.next_ns = now_ns + self.gap_ns;
        Next::Bytes(frame as usize)
    }

    /// The socket has taken what was written: the gap begins here.
    pub(super) fn taken(&mut self, now_ns: u64) {
        self.next_ns = self.next_ns.max(now_ns + self.gap_ns);
    }

    /// Bytes that the peer's TCP has acknowledged, with the terminators that were left out of them.
    pub(super) fn acked(&mut self, bytes: u64) -> u64 {
        while self.bare.front().is_some_and(|&end| end <= bytes) {
            self.bare.pop_front();
            self.bare_acked += 1;
        }
        bytes + self.bare_acked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn limits() -> PacingLimits {
        PacingLimits::of(&Limits::default())
    }

    /// Writes `count` frames of 100 bytes at once, and gives the time and size of every write that follows.
    fn writes(pacing: &mut Pacing, count: usize, from_ns: u64) -> Vec<(u64, usize)> {
        let (mut now_ns, mut waiting, limits) = (from_ns, 0, limits());
        for _ in 0..count {
            waiting += 100;
            pacing.appended(100, waiting, waiting as u64, now_ns, &limits);
        }
        let mut writes = Vec::new();
        while waiting > 0 {
            match pacing.next(waiting, now_ns, &limits) {
                Next::Later(due_ns) => now_ns = due_ns,
                Next::Bytes(bytes) => {
                    waiting -= bytes;
                    writes.push((now_ns, bytes));
                }
            }
        }
        writes
    }

    #[test]
    fn few_frames_are_a_gap_apart() {
        let mut pacing = Pacing::new();
        let first = writes(&mut pacing, 3, 100 * MS);
        assert_eq!(first, [(100 * MS, 100), (105 * MS, 100), (110 * MS, 100)]);
        // The gap holds between the last of these and the next, too.
        assert_eq!(writes(&mut pacing, 1, 111 * MS), [(115 * MS, 100)]);
    }

    #[test]
    fn many_frames_are_through_within_a_second_and_never_too_close() {
        for count in [200, 300, 400, 500] {
            let writes = writes(&mut Pacing::new(), count, 0);
            assert_eq!(writes.len(), count);
            assert!(writes.last().unwrap().0 <= 1_000 * MS, "{count}: {:?}", writes.last());
            assert!(writes.windows(2).all(|two| two[1].0 - two[0].0 >= GAP_MIN_NS), "{count}");
        }
    }

    #[test]
    fn what_would_take_longer_goes_as_it_is() {
        let mut pacing = Pacing::new();
        assert_eq!(writes(&mut pacing, 501, 0), [(0, 50_100)]);
        // And after that one a write again.
        assert_eq!(writes(&mut pacing, 2, 100 * MS), [(100 * MS, 100), (105 * MS, 100)]);
        let (mut pacing, limits) = (Pacing::new(), limits());
        pacing.appended(100, 100, 100, 0, &limits);
        pacing.appended(131_000, 131_100, 131_100, 0, &limits);
        assert_eq!(pacing.next(131_100, 0, &limits), Next::Bytes(131_100));
    }

    #[test]
    fn who_is_being_closed_gets_all_in_half_the_time() {
        let limits = limits();
        for (count, first) in [(250, 100), (251, 25_100)] {
            let mut pacing = Pacing::new();
            (1..=count).for_each(|at| pacing.appended(100, at * 100, at as u64 * 100, 0, &limits));
            pacing.hurry(0, 500 * MS);
            assert_eq!(pacing.next(count * 100, 0, &limits), Next::Bytes(first), "{count}");
        }
        // Somebody was late.
        let mut pacing = Pacing::new();
        (1..=3).for_each(|at| pacing.appended(100, at * 100, at as u64 * 100, 0, &limits));
        pacing.hurry(0, 500 * MS);
        assert_eq!(pacing.next(300, 0, &limits), Next::Bytes(100));
        assert_eq!(pacing.next(200, 500 * MS, &limits), Next::Bytes(200));
    }

    #[test]
    fn the_gap_begins_when_the_socket_has_taken_the_frame() {
        let (mut pacing, limits) = (Pacing::new(), limits());
        pacing.appended(100, 100, 100, 0, &limits);
        assert_eq!(pacing.next(100, 0, &limits), Next::Bytes(100));
        pacing.taken(4 * MS);
        pacing.appended(100, 100, 200, 5 * MS, &limits);
        assert_eq!(pacing.next(100, 5 * MS, &limits), Next::Later(9 * MS));
    }

    #[test]
    fn a_terminator_that_is_left_out_counts_as_acknowledged_with_its_frame() {
        let (mut pacing, limits) = (Pacing::new(), limits());
        assert!(!pacing.terminates(1_024) && pacing.terminates(1_023) && pacing.terminates(1_025));
        pacing.appended(1_024, 1_024, 1_024, 0, &limits);
        pacing.appended(101, 1_125, 1_125, 0, &limits);
        pacing.appended(1_024, 2_149, 2_149, 0, &limits);
        assert_eq!(
            [1_023, 1_024, 1_125, 2_148, 2_149].map(|bytes| pacing.acked(bytes)),
            [1_023, 1_025, 1_126, 2_149, 2_151]
        );
    }
}
