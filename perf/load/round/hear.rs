//! The hearing half of a round: reads sockets empty and counts what comes.

use rustix::event::epoll;

use super::Round;
use crate::load::connection::{Flow, Heard};
use crate::measure::{Arrived, Recorder};
use crate::wire::{Acks, Answer, Dialect, Stamp, msgid, pong};

/// What came of the frames of one read.
#[derive(Default)]
struct Came {
    deliveries: u64,
    acks: u64,
    /// Acknowledgements of messages that nobody hears.
    kept: u64,
}

impl Round<'_> {
    pub(super) fn attend(&mut self, index: usize, flags: epoll::EventFlags) {
        let connection = &mut self.fleet.connections[index];
        if connection.flow == Flow::Full && flags.contains(epoll::EventFlags::OUT) {
            connection.flow = Flow::Open;
            match self.fleet.talk_of[index] {
                Some(number) => self.flush(number),
                None => self.write_on(index),
            }
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
                Ok(Heard::Bytes(bytes)) => self.hear(index, bytes),
                Ok(Heard::Last(bytes)) => {
                    self.hear(index, bytes);
                    if !is_ending {
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
        let mut came = Came::default();
        let mut frames = std::mem::take(&mut self.fleet.connections[index].frames);
        let buffer = std::mem::take(&mut self.buffer);
        frames.take(&buffer[..bytes], |frame| self.hear_frame(index as u32, frame, now_ns, &mut came));
        self.buffer = buffer;
        self.fleet.connections[index].frames = frames;
        self.confirm(index);
        if came.deliveries + came.acks == 0 {
            return;
        }
        self.last_activity_ns = now_ns;
        self.recorder.counts.delivered += came.deliveries;
        self.recorder.counts.acked += came.acks;
        if self.orders.window.contains(&now_ns) {
            self.recorder.counts.delivered_in_window += came.deliveries + came.kept;
        }
        self.interval.handled += came.deliveries + came.kept;
        self.fleet.handled += came.deliveries + came.kept;
        self.orders.live.set_handled(self.fleet.handled);
        self.send_dirty();
    }

    fn hear_frame(&mut self, index: u32, frame: &[u8], now_ns: u64, came: &mut Came) {
        if let Some(stamp) = Stamp::find(frame) {
            self.hear_message(index, stamp, now_ns, came);
            if self.fleet.dialect == Dialect::V2
                && let Some(mid) = Answer::mid(frame)
                && self.confirmation.add(mid)
            {
                self.confirm(index as usize);
            }
        } else if self.fleet.acks == Acks::Asked
            && let Some(stamp) = Stamp::find_cid(frame)
        {
            self.hear_ack(index, stamp, frame, now_ns, came);
        } else {
            self.hear_rest(index, frame);
        }
    }

    /// A reader who speaks v2 says what it has got, once for each read.
    fn confirm(&mut self, index: usize) {
        let connection = &mut self.fleet.connections[index];
        let mut result = Ok(());
        self.confirmation.take(|frame| result = connection.say(frame));
        if let Err(error) = result {
            self.recorder.socket_error(&error);
            self.close(index);
        }
    }

    /// A frame without a stamp. Rare, so it may allocate.
    #[cold]
    fn hear_rest(&mut self, index: u32, frame: &[u8]) {
        let Some(n) = Answer::ping(frame) else {
            return hear_other(Answer::read(frame), &mut self.recorder);
        };
        let connection = &mut self.fleet.connections[index as usize];
        if let Err(error) = connection.say(&pong(n)) {
            self.recorder.socket_error(&error);
            self.close(index as usize);
        }
    }

    fn hear_message(&mut self, index: u32, stamp: Stamp, now_ns: u64, came: &mut Came) {
        let recorder = &mut self.recorder;
        let talk = self.fleet.talks.get_mut(stamp.talk as usize);
        let Some(heard) = talk.and_then(|talk| talk.heard_by(index)) else {
            recorder.counts.misdelivered += 1;
            return;
        };
        match heard.arrived(stamp.sequence) {
            Arrived::Again => return hear_again(stamp, self.orders.start_ns, recorder),
            Arrived::Late => recorder.counts.reordered += 1,
            Arrived::InOrder => {}
        }
        came.deliveries += 1;
        let latency_ns = now_ns.saturating_sub(stamp.time_ns);
        self.interval.latency.saturating_record(latency_ns);
        if self.orders.window.contains(&stamp.time_ns) {
            recorder.latency.saturating_record(latency_ns);
            recorder.counts.measured += 1;
        }
        self.go_on_when_heard(stamp.talk, now_ns);
    }

    fn hear_ack(&mut self, index: u32, stamp: Stamp, frame: &[u8], now_ns: u64, came: &mut Came) {
        let recorder = &mut self.recorder;
        let talk = self.fleet.talks.get_mut(stamp.talk as usize).filter(|talk| talk.sender == index);
        let Some(talk) = talk else {
            recorder.counts.misdelivered += 1;
            return;
        };
        if talk.acked.arrived(stamp.sequence) == Arrived::Again {
            return hear_again(stamp, self.orders.start_ns, recorder);
        }
        came.acks += 1;
        let answer = Answer::read(frame);
        let latency_ns = now_ns.saturating_sub(stamp.time_ns);
        let is_measured = self.orders.window.contains(&stamp.time_ns);
        if (answer.msgid, answer.errno) != (Some(msgid::ACK), Some(0)) {
            if is_measured {
                recorder.refusal.saturating_record(latency_ns);
            }
            return hear_other(answer, recorder);
        }
        if is_measured {
            recorder.ack.saturating_record(latency_ns);
        }
        if talk.hearers.is_empty() {
            came.kept += 1;
            self.interval.latency.saturating_record(latency_ns);
            recorder.counts.measured += u64::from(is_measured);
            self.go_on_when_heard(stamp.talk, now_ns);
        }
    }

    /// Of a connection that speaks in no talk.
    fn write_on(&mut self, index: usize) {
        if let Err(error) = self.fleet.connections[index].write() {
            self.recorder.socket_error(&error);
            self.close(index);
        }
    }

    pub(super) fn close(&mut self, index: usize) {
        let connection = &mut self.fleet.connections[index];
        if connection.flow != Flow::Closed {
            connection.flow = Flow::Closed;
            self.recorder.counts.connections_closed += 1;
        }
    }
}

/// What has come before, or comes after the round that it belongs to is over.
fn hear_again(stamp: Stamp, start_ns: u64, recorder: &mut Recorder) {
    recorder.counts.repeated += 1;
    recorder.counts.repeated_earlier += u64::from(stamp.time_ns < start_ns);
}

/// A frame that is neither a message nor what was asked for.
fn hear_other(answer: Answer, recorder: &mut Recorder) {
    match (answer.msgid, answer.errno) {
        (Some(msgid::ERROR), Some(errno)) => recorder.server_error(errno),
        _ => recorder.counts.other_frames += 1,
    }
}
