//! The hearing half of a round: reads sockets empty and counts what comes.

use rustix::event::epoll;

use super::Round;
use crate::load::connection::{Flow, Heard};
use crate::measure::{Arrived, Recorder};
use crate::wire::{Answer, Stamp, msgid};

impl Round<'_> {
    pub(super) fn attend(&mut self, index: usize, flags: epoll::EventFlags) {
        let connection = &mut self.fleet.connections[index];
        if connection.flow == Flow::Full && flags.contains(epoll::EventFlags::OUT) {
            connection.flow = Flow::Open;
            self.flush(index as u32 / 2);
        }
        let ending = epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR;
        if flags.intersects(epoll::EventFlags::IN | ending) {
            self.read(index, flags.intersects(ending));
        }
    }

    /// Reads until the socket is empty. A read that leaves room in the buffer proves that it is, unless the
    /// other side is ending, which only a further read tells.
    fn read(&mut self, index: usize, is_ending: bool) {
        while self.fleet.connections[index].flow != Flow::Closed {
            match self.fleet.connections[index].read(&mut self.buffer) {
                Ok(Heard::Bytes(bytes)) => {
                    self.hear(index, bytes);
                    if bytes < self.buffer.len() && !is_ending {
                        return;
                    }
                }
                Ok(Heard::Nothing) => return,
                Ok(Heard::Closed) => self.close(index),
                Err(error) => {
                    self.recorder.socket_error(&error);
                    self.close(index);
                }
            }
        }
    }

    /// Counts the frames of one read. They share its time: none could have been seen earlier.
    fn hear(&mut self, index: usize, bytes: usize) {
        let now_ns = self.orders.clock.now_ns();
        let window = &self.orders.window;
        let (recorder, interval) = (&mut self.recorder, &mut self.interval);
        let number = index as u32 / 2;
        let pair = &mut self.fleet.pairs[number as usize];
        let mut deliveries = 0;
        self.fleet.connections[index].frames.take(&self.buffer[..bytes], |frame| {
            let Some(stamp) = Stamp::find(frame) else { return hear_other(frame, recorder) };
            if stamp.pair != number || index.is_multiple_of(2) {
                recorder.counts.misdelivered += 1;
                return;
            }
            match pair.arrivals.arrived(stamp.sequence) {
                Arrived::Again => {
                    recorder.counts.repeated += 1;
                    return;
                }
                Arrived::Late => recorder.counts.reordered += 1,
                Arrived::InOrder => {}
            }
            deliveries += 1;
            let latency_ns = now_ns.saturating_sub(stamp.time_ns);
            interval.latency.saturating_record(latency_ns);
            if window.contains(&stamp.time_ns) {
                recorder.latency.saturating_record(latency_ns);
                recorder.counts.measured += 1;
            }
        });
        if deliveries == 0 {
            return;
        }
        recorder.counts.delivered += deliveries;
        if window.contains(&now_ns) {
            recorder.counts.delivered_in_window += deliveries;
        }
        self.last_activity_ns = now_ns;
        self.fleet.delivered += deliveries;
        self.orders.live.set_delivered(self.fleet.delivered);
        self.go_on(number, deliveries, now_ns);
        self.send_dirty();
    }

    pub(super) fn close(&mut self, index: usize) {
        let connection = &mut self.fleet.connections[index];
        if connection.flow != Flow::Closed {
            connection.flow = Flow::Closed;
            self.recorder.counts.connections_closed += 1;
        }
    }
}

/// A frame without a stamp. Rare, so it may allocate.
#[cold]
fn hear_other(frame: &[u8], recorder: &mut Recorder) {
    let answer = Answer::read(frame);
    match (answer.msgid, answer.errno) {
        (Some(msgid::ERROR), Some(errno)) => recorder.server_error(errno),
        _ => recorder.counts.other_frames += 1,
    }
}
