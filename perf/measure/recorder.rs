//! What one round counts: latencies, the generator's own lag, and everything that went wrong.
//!
//! Fed by the load thread for every message, so nothing on the good path allocates. It never judges: the report
//! does.

use std::collections::BTreeMap;
use std::io;

use super::{Histogram, histogram};

/// Plain sums of one round, warm-up included except where a field says otherwise.
#[derive(Clone, Default, Debug)]
pub struct Counts {
    /// Intended by the plan (open loop) or by the loop (closed).
    pub intended: u64,
    /// Handed to a socket.
    pub sent: u64,
    /// Deliveries that these should bring: in a group one message brings many.
    pub expected: u64,
    /// Deliveries, repeated ones not counted.
    pub delivered: u64,
    /// Acknowledgements and refusals asked for with a `cid`, those that came, and those that never did.
    pub acks_expected: u64,
    pub acked: u64,
    pub acks_lost: u64,
    /// Deliveries (acknowledgements, where nobody hears) of messages that were meant to leave inside the measured
    /// window.
    pub measured: u64,
    /// Answers of errno 110 where the store was taken away on purpose: of `acked`, and no fault.
    pub refused: u64,
    /// Those that came inside the measured window, whenever they were meant to leave: what the rate reached is made of.
    pub delivered_in_window: u64,
    pub lost: u64,
    pub repeated: u64,
    /// Of these, those that belong to an earlier round.
    pub repeated_earlier: u64,
    pub reordered: u64,
    /// Came to a connection that should not hear it.
    pub misdelivered: u64,
    /// Frames that are neither a message nor an error. Harmless; counted so that nothing is silent.
    pub other_frames: u64,
    /// How often a socket was full, so that messages waited in the generator.
    pub socket_full: u64,
    pub connections_closed: u64,
    /// ERROR frames of the server, by their errno.
    pub server_errors: BTreeMap<i64, u64>,
    /// Failures of this process's own sockets, by the kernel's errno.
    pub socket_errors: BTreeMap<i32, u64>,
}

impl Counts {
    pub fn add(&mut self, other: &Counts) {
        self.intended += other.intended;
        self.sent += other.sent;
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.acks_expected += other.acks_expected;
        self.acked += other.acked;
        self.acks_lost += other.acks_lost;
        self.measured += other.measured;
        self.refused += other.refused;
        self.delivered_in_window += other.delivered_in_window;
        self.lost += other.lost;
        self.repeated += other.repeated;
        self.repeated_earlier += other.repeated_earlier;
        self.reordered += other.reordered;
        self.misdelivered += other.misdelivered;
        self.other_frames += other.other_frames;
        self.socket_full += other.socket_full;
        self.connections_closed += other.connections_closed;
        for (errno, count) in &other.server_errors {
            *self.server_errors.entry(*errno).or_default() += count;
        }
        for (errno, count) in &other.socket_errors {
            *self.socket_errors.entry(*errno).or_default() += count;
        }
    }

    /// Whether every message came once, in order, to whom it was meant for, and nobody complained.
    pub fn is_clean(&self) -> bool {
        let odd = self.repeated + self.reordered + self.misdelivered;
        self.lost + self.acks_lost + odd + self.connections_closed == 0
            && self.sent == self.intended
            && self.server_errors.is_empty()
            && self.socket_errors.is_empty()
    }
}

pub struct Recorder {
    pub counts: Counts,
    /// Delivery minus intended send (open loop) or actual send (closed loop).
    pub latency: Histogram,
    /// Acknowledgement minus intended or actual send; empty where none is asked for.
    pub ack: Histogram,
    /// The same of what was refused: an ERROR in the place of an acknowledgement.
    pub refusal: Histogram,
    /// Actual send minus intended send; empty in a closed loop, which intends nothing.
    pub lag: Histogram,
}

impl Recorder {
    pub fn new() -> Recorder {
        Recorder {
            counts: Counts::default(),
            latency: histogram(),
            ack: histogram(),
            refusal: histogram(),
            lag: histogram(),
        }
    }

    pub fn server_error(&mut self, errno: i64) {
        *self.counts.server_errors.entry(errno).or_default() += 1;
    }

    pub fn socket_error(&mut self, error: &io::Error) {
        *self.counts.socket_errors.entry(error.raw_os_error().unwrap_or(0)).or_default() += 1;
    }

    pub fn add(&mut self, other: &Recorder) {
        self.counts.add(&other.counts);
        self.latency.add(&other.latency).expect("both histograms have the same bounds");
        self.ack.add(&other.ack).expect("both histograms have the same bounds");
        self.refusal.add(&other.refusal).expect("both histograms have the same bounds");
        self.lag.add(&other.lag).expect("both histograms have the same bounds");
    }
}
