//! What measuring costs a core: everything that it records of one-to-one messages, from the system call that brings
//! them to the one that takes them away, and nothing else of their way.
//!
//! A turn brings so many messages and flushes those of the turn before. Prints ns of CPU a message with measuring on and
//! off, and fails if recording allocates. `cargo bench --bench metrics`. What it costs within a real server, caches and
//! all, says `chat-perf run direct --vs measure-off`.

mod allocations;

use allocations::allocations;
use chatd::chat::model::envelope::{Durability, Envelope, Message, Target};
use chatd::chat::model::ids::{ConnectionId, CoreId, MessageClock, Millis, RequestId, UserId};
use chatd::chat::port::effect::{Effect, Frame};
use chatd::chat::port::event::Event;
use chatd::chat::port::store::{StoreReply, StoreRequest};
use chatd::chat::wire::frame::Terminator;
use chatd::chat::wire::request::{Body, Request};
use chatd::executor::flight_recorder::Recordings;
use chatd::executor::metrics::{LocalCores, Marks, Measuring, Metrics, Path, Queue, Stage};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// One core's metrics, and the marks of one connection for each message of a turn.
struct Core {
    metrics: Metrics,
    marks: Marks,
    queues: Vec<Queue>,
    frames: Vec<Frame>,
    epoch: Instant,
    sent: u64,
}

impl Core {
    fn new(measuring: Measuring, messages: usize) -> Self {
        let mut clock = MessageClock::new(CoreId(0));
        let user = |id| UserId::new(id).expect("not 0");
        let mut frame = |number: usize| {
            let message = Message {
                sender: user(1),
                target: Target::User(user(number as u64 + 2)),
                mid: clock.next(Millis(1_700_000_000_000)),
                ts: Millis(1_700_000_000_000),
                cid: "",
                durability: Durability::IfUndelivered,
                body: &[b'x'; 128],
            };
            Frame::Push(Envelope::read_at(message, 1, &mut Vec::new()))
        };
        Self {
            metrics: Metrics::new(CoreId(0), LocalCores::default(), measuring),
            marks: Marks::default(),
            queues: (0..messages).map(|_| Queue::default()).collect(),
            frames: (0..messages).map(&mut frame).collect(),
            epoch: Instant::now(),
            sent: 0,
        }
    }

    fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }

    /// What `turn` in src/executor/event_loop/turn.rs does of measuring: the clock is read before the system call and after
    /// it, and twice more around the first request.
    fn turn(&mut self) {
        let entered_ns = self.metrics.is_on().then(|| self.now_ns());
        let now_ns = self.now_ns();
        self.metrics.begin_turn();
        for number in 0..self.queues.len() {
            // The send of the turn before has completed.
            if self.metrics.is_on() {
                self.metrics.record(Stage::Flushed, now_ns.saturating_sub(20_000), now_ns);
                while let Some(mark) = self.marks.pop(&mut self.queues[number], self.sent) {
                    self.metrics.flushed(mark, now_ns);
                }
            }
            let sampled_ns = self.metrics.take_sample().then(|| self.now_ns());
            let parsed_ns = sampled_ns.map(|_| self.now_ns());
            if let Some(mark) = self.metrics.mark(black_box(&self.frames[number]), &mut None, now_ns) {
                assert!(self.marks.push(&mut self.queues[number], mark, self.sent + 129));
            }
            if let (Some(sampled_ns), Some(parsed_ns)) = (sampled_ns, parsed_ns) {
                let routed_ns = self.now_ns();
                self.metrics.record(Stage::Parsed, sampled_ns, parsed_ns);
                self.metrics.record(Stage::Routed, parsed_ns, routed_ns);
            }
        }
        self.sent += 129;
        if let Some(entered_ns) = entered_ns {
            self.metrics.record(Stage::Read, entered_ns, now_ns);
        }
    }
}

/// CPU time of this thread: what else runs on the machine is not counted.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The median of several rounds, in ns a message.
fn cost_ns(measuring: Measuring, messages: usize) -> f64 {
    const ROUNDS: usize = 15;
    const MESSAGES: usize = 400_000;
    let mut core = Core::new(measuring, messages);
    // The table of marks grows to what is under way, and then no more.
    core.turn();
    let mut rounds: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (begun, allocated) = (cpu_time(), allocations());
        (0..MESSAGES / messages).for_each(|_| core.turn());
        let used = cpu_time() - begun;
        assert_eq!(allocations(), allocated, "recording allocates");
        rounds.push(used.as_nanos() as f64 / (MESSAGES / messages * messages) as f64);
    }
    let measured = core.metrics.path(Path::SameCore).len() as usize;
    assert!(measured >= MESSAGES * ROUNDS / 2 || measuring == Measuring::Off, "messages were measured");
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

/// What an entry of the flight recorder costs, in ns: of a request, of its push, of what is stored of it and of its ACK, in turn.
fn entry_ns() -> f64 {
    const ROUNDS: usize = 15;
    const TURNS: u64 = 500_000;
    let mut recorder = Recordings::new(1, Millis(1_700_000_000_000)).recorder(0);
    let core = Core::new(Measuring::Off, 1);
    let connection = ConnectionId { index: 1, generation: 0 };
    let body = Body::Ping { n: 1 };
    let request = Request { id: UserId::new(1), cid: None, body, bytes: 128 };
    let said = Event::Request { connection, terminator: Terminator::Nul, request };
    let id = RequestId { index: 1, generation: 1 };
    let Frame::Push(envelope) = core.frames[0].clone() else { unreachable!("made so above") };
    let push = Effect::Send { connection, frame: core.frames[0].clone() };
    let store = Effect::Store { id, request: StoreRequest::StoreMessage { envelope } };
    let answered = Event::Answered { id, result: Ok(StoreReply::Done) };
    let mut rounds: Vec<f64> = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let (begun, allocated) = (cpu_time(), allocations());
        for turn in 0..TURNS {
            recorder.event(black_box(&said), turn);
            recorder.effect(black_box(&store), turn);
            recorder.effect(black_box(&push), turn);
            recorder.event(black_box(&answered), turn);
        }
        let used = cpu_time() - begun;
        assert_eq!(allocations(), allocated, "the flight recorder allocates");
        rounds.push(used.as_nanos() as f64 / (4 * TURNS) as f64);
    }
    rounds.sort_by(f64::total_cmp);
    rounds[ROUNDS / 2]
}

fn main() {
    println!("ns of CPU a message: what a core records of it, the clock of the turn included");
    for messages in [1, 4, 16, 64] {
        let (on, off) = (cost_ns(Measuring::On, messages), cost_ns(Measuring::Off, messages));
        println!(
            "metrics: {messages:>3} a turn   on {on:>6.1}   off {off:>5.1}   difference {:>6.1}",
            on - off
        );
    }
    println!("flight recorder: {:.1} ns an entry", entry_ns());
}
