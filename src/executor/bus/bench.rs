//! The bus by itself, for benches: cores without clients, each on a thread with a ring of its own.

use super::redis::{RedisBus, RedisError, Server};
use super::{BusState, Consequences};
use crate::net::ring::{Operation, Ring};
use crate::net::sockets::Hurry;
use chatd_chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd_chat::model::ids::{CoreId, MessageId, Millis, RequestId, UserId};
use chatd_chat::port::event::{Channel, Event};
use rustix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What one side of a run has cost.
#[derive(Clone, Copy, Debug)]
pub struct Side {
    /// Messages published or received.
    pub messages: u64,
    /// Wall time, from the first to the last of them.
    pub wall: Duration,
    /// CPU time of the core's thread.
    pub cpu: Duration,
}

/// A core that is on the bus and has no clients.
pub struct BareCore {
    bus: RedisBus,
    ring: Ring,
    due: Consequences,
    requests: u32,
}

/// A core that tells no operator of its connection.
const SILENT: usize = 1;
/// Requests under way at most.
const BUS_QUEUE: usize = 16_384;

impl BareCore {
    /// Joins the cluster of `server`. Call on the thread that the core is to run on.
    ///
    /// # Errors
    /// If Redis cannot be used.
    ///
    /// # Panics
    /// If this machine gives no io_uring.
    pub fn new(server: &Arc<Server>) -> Result<Self, RedisError> {
        let greeted = server.greet(None)?;
        let bus = RedisBus::new(server.clone(), greeted, SILENT, BUS_QUEUE);
        let ring = Ring::new(None).expect("io_uring works here");
        Ok(Self { bus, ring, due: Consequences::new(), requests: 0 })
    }

    fn next_id(&mut self) -> RequestId {
        self.requests += 1;
        RequestId { index: self.requests, generation: 0 }
    }

    /// Submits, waits for something to complete, and gives what came of it to `handle`.
    fn turn(&mut self, mut handle: impl FnMut(Event<'static>)) {
        self.bus.flush(&mut self.ring, Hurry::Busy);
        self.ring.wait(Duration::MAX);
        while let Some(completion) = self.ring.next() {
            match completion.operation {
                Operation::LinkReceive(number) => {
                    let bytes = completion.lease.as_deref().unwrap_or(&[]);
                    self.bus.received(number, bytes, completion.result, &mut self.due);
                    completion.lease.into_iter().for_each(|lease| self.ring.give_back(lease));
                }
                Operation::LinkSend(number) => self.bus.sent(number, completion.result, &mut self.due),
                _ => {}
            }
        }
        while let Some(event) = self.due.pop_front() {
            handle(event);
        }
    }

    /// Joins a user's channel, and returns when it has.
    pub fn join(&mut self, user: UserId) {
        let id = self.next_id();
        self.bus.join(id, Channel::User(user), &mut self.due);
        let mut joined = false;
        while !joined {
            self.turn(|event| joined |= matches!(event, Event::Joined { result: Ok(()), .. }));
        }
    }

    /// Publishes `messages` messages to `user`, `under_way` of them at a time.
    pub fn publish(&mut self, user: UserId, messages: u64, under_way: u64) -> Side {
        let (mut published, mut counted) = (0, 0);
        let (start, cpu) = (Instant::now(), cpu_time());
        while counted < messages {
            while published < messages && published - counted < under_way {
                let id = self.next_id();
                let envelope = sample(user, published);
                self.bus.publish(Some(id), Channel::User(user), &envelope, &mut self.due);
                published += 1;
            }
            self.turn(|event| {
                counted += u64::from(matches!(event, Event::Published { receivers: Ok(1), .. }))
            });
            assert_eq!(self.bus.state(), BusState::Up, "Redis has stayed");
        }
        Side { messages, wall: start.elapsed(), cpu: cpu_time() - cpu }
    }

    /// Receives until `messages` have come; latencies of one in 64 go to `latency`, in nanoseconds.
    pub fn receive(&mut self, messages: u64, mut latency: impl FnMut(u64)) -> Side {
        let mut received = 0;
        let (mut start, cpu) = (None, cpu_time());
        while received < messages {
            self.turn(|event| {
                if let Event::Arrived { envelope, .. } = event {
                    start.get_or_insert_with(Instant::now);
                    received += 1;
                    if received % 64 == 0 || messages < 100_000 {
                        latency(now_ns().saturating_sub(envelope.ts().0));
                    }
                }
            });
            assert_eq!(self.bus.state(), BusState::Up, "Redis has stayed");
        }
        Side { messages, wall: start.map_or(Duration::ZERO, |start| start.elapsed()), cpu: cpu_time() - cpu }
    }
}

/// A message of 128 bytes, with the time in nanoseconds where messages have milliseconds.
fn sample(user: UserId, number: u64) -> Envelope {
    let body = [b'x'; 128];
    let mid = MessageId(number << 10 | u64::from(CoreId(1).0));
    let (target, durability) = (Target::User(user), Durability::IfUndelivered);
    let message =
        Message { sender: user, target, mid, ts: Millis(now_ns()), cid: "", durability, body: &body };
    Envelope::message(message, &mut Vec::new())
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
