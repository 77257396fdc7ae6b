//! What one message costs the core, without any I/O: the bytes of a frame become a request, the
//! hub decides, and the encoded push is appended to the reader's output.
//!
//! Two users on one core write to each other, in frames of 128 bytes. What TCP has acknowledged is
//! told when the hub asks. Prints ns of CPU and allocations a message, the median of several rounds, and
//! fails if a message costs more than 2 allocations. `cargo bench --bench hub`.

mod allocations;

use allocations::allocations;
use chatd::chat::hub::Hub;
use chatd::chat::model::ids::{ConnectionId, CoreId, Millis, Monotonic, Now, UserId};
use chatd::chat::model::limits::Limits;
use chatd::chat::model::profile::Who;
use chatd::chat::model::rate::{Rate, Rates};
use chatd::chat::model::source::Source;
use chatd::chat::model::token::PasswordPrint;
use chatd::chat::port::effect::Effect;
use chatd::chat::port::event::Event;
use chatd::chat::port::store::{BacklogPage, StoreReply, StoreRequest, Verified};
use chatd::chat::wire::frame::{self, Step};
use chatd::chat::wire::json::Parser;
use chatd::chat::wire::request;
use std::time::Duration;

/// A core without a world: sessions 0 and 1 belong to users 1 and 2.
struct Core {
    hub: Hub,
    /// Taken out while it is at work.
    parser: Option<Parser>,
    limits: Limits,
    now: Now,
    effects: Vec<Effect>,
    /// What each reader was sent: bytes since the beginning, and the output that a flush empties.
    sent: [u64; 2],
    output: [Vec<u8>; 2],
}

fn session(index: usize) -> ConnectionId {
    ConnectionId { index: index as u32, generation: 0 }
}

impl Core {
    fn new(rates: Rates) -> Self {
        let limits = Limits::default();
        let mut core = Self {
            hub: Hub::new(CoreId(0), limits.clone()),
            parser: Some(Parser::new()),
            limits,
            now: Now { monotonic: Monotonic(1), wall: Millis(1_700_000_000_000) },
            effects: Vec::new(),
            sent: [0; 2],
            output: [Vec::new(), Vec::new()],
        };
        core.hub.set_rates(rates);
        for index in 0..2 {
            core.log_in(index);
        }
        core
    }

    fn log_in(&mut self, index: usize) {
        self.happen(Event::Opened { connection: session(index), from: Source::Proxy });
        self.say(format!("{{\"msgid\":1,\"id\":{},\"password\":\"pw\"}}\n", index + 1).as_bytes());
    }

    /// One read from a socket, of whoever the frame says it is.
    fn say(&mut self, read: &[u8]) {
        let mut input = read.to_vec();
        let from = usize::from(read.windows(6).any(|bytes| bytes == b"\"id\":2"));
        self.serve(from, &mut input);
    }

    fn serve(&mut self, from: usize, input: &mut [u8]) {
        let mut at = 0;
        while let Step::Frame { start, end, next, terminator } =
            frame::next(input, at, at, self.limits.frame_bytes)
        {
            let mut parser = self.parser.take().expect("frames are read one after the other");
            let request = request::parse(&mut input[start..end], &mut parser, &self.limits);
            let request = request.expect("a valid frame");
            self.happen(Event::Request { connection: session(from), terminator, request });
            self.parser = Some(parser);
            at = next;
        }
    }

    fn happen(&mut self, event: Event<'_>) {
        let mut effects = std::mem::take(&mut self.effects);
        self.hub.handle(self.now, event, &mut effects);
        for effect in effects.drain(..) {
            self.perform(effect);
        }
        // A nested event has left its own list behind; the larger one is kept.
        if effects.capacity() > self.effects.capacity() {
            self.effects = effects;
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Send { connection: session, frame } => {
                let index = session.index as usize;
                frame.write(&mut self.output[index]);
                self.output[index].push(0);
                self.sent[index] += frame.len() as u64 + 1;
            }
            Effect::Probe { connection: session } => {
                let index = session.index as usize;
                self.output[index].clear();
                self.happen(Event::Acked { connection: session, bytes: self.sent[index] });
            }
            Effect::Join { id: ticket, .. } => self.happen(Event::Joined { id: ticket, result: Ok(()) }),
            Effect::Publish { id: ticket, channel, envelope } => {
                self.happen(Event::Arrived { channel, envelope });
                if let Some(ticket) = ticket {
                    self.happen(Event::Published { id: ticket, receivers: Ok(1) });
                }
            }
            Effect::QueryPresence { id: ticket, users } => {
                let online = vec![false; users.len()];
                self.happen(Event::PresenceResult { id: ticket, online: Ok(online) });
            }
            Effect::Store { id: ticket, request: ask } => {
                let done = match ask {
                    StoreRequest::Verify { who: Who::Id(user), .. } => StoreReply::Verified(Verified {
                        user,
                        name: "somebody".into(),
                        print: PasswordPrint(1),
                    }),
                    StoreRequest::LoadProfile { .. } => StoreReply::Profile(Box::default()),
                    _ => StoreReply::Backlog(BacklogPage {
                        messages: Vec::new(),
                        complete: true,
                        heads: Vec::new(),
                        rules: Vec::new(),
                    }),
                };
                self.happen(Event::Answered { id: ticket, result: Ok(done) });
            }
            Effect::SendAll { .. } => unreachable!("each message has one reader"),
            Effect::Pause { .. } | Effect::Resume { .. } | Effect::Close { .. } | Effect::Leave { .. } => {}
        }
    }
}

fn frame_of_128_bytes(from: UserId, to: UserId) -> Vec<u8> {
    let head = format!("{{\"id\":{from},\"msg\":\"");
    let tail =
        format!("\",\"msgid\":6,\"name\":\"somebody\",\"time\":\"2026-11-23 04:04:14\",\"toid\":{to}}}\0");
    let text = "m".repeat(128 - head.len() - (tail.len() - 1));
    let frame = [head, text, tail].concat().into_bytes();
    assert_eq!(frame.len(), 129);
    frame
}

/// CPU time of this thread: what else runs on the machine is not counted.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() {
    const ROUNDS: usize = 15;
    const MESSAGES: u64 = 200_000;
    const TICK: u64 = 25_000;
    const RATES_NS_MOST: f64 = 20.0;
    // Of the other core it is looked at whether each message may be said: they all may.
    let plenty = Rate::new(100_000_000, 200_000_000);
    let rates = Rates { message: plenty, byte: Rate::new(2_000_000_000, 4_000_000_000), ..Rates::default() };
    let mut cores = [Core::new(Rates::default()), Core::new(rates)];
    let (ann, bob) = (UserId::new(1).unwrap(), UserId::new(2).unwrap());
    let frames = [frame_of_128_bytes(ann, bob), frame_of_128_bytes(bob, ann)];
    let mut input = frames[0].clone();
    let mut figures: [Vec<(f64, f64)>; 2] = Default::default();
    for round in 0..2 * ROUNDS {
        let core = &mut cores[round % 2];
        let (begun, allocated) = (cpu_time(), allocations());
        for number in 0..MESSAGES {
            let from = (number % 2) as usize;
            input.copy_from_slice(&frames[from]);
            core.serve(from, &mut input);
            if number % TICK == 0 {
                core.now.monotonic = core.now.monotonic.plus(100);
                core.now.wall.0 += 100;
                core.happen(Event::Tick { utc_offset_s: 0 });
            }
        }
        let ns = (cpu_time() - begun).as_nanos() as f64 / MESSAGES as f64;
        let allocations = (allocations() - allocated) as f64 / MESSAGES as f64;
        figures[round % 2].push((ns, allocations));
    }
    assert!(
        cores.iter().flat_map(|core| core.sent).all(|sent| sent > 128 * MESSAGES / 2),
        "messages were pushed"
    );
    let mut looks: Vec<f64> = figures[0].iter().zip(&figures[1]).map(|(off, on)| on.0 - off.0).collect();
    looks.sort_by(f64::total_cmp);
    let mut figures = figures.into_iter().next().expect("two");
    figures.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ((best, _), (median, allocations)) = (figures[0], figures[ROUNDS / 2]);
    println!("hub: {median:.0} ns a message (best round {best:.0}), {allocations:.2} allocations");
    let look = looks[ROUNDS / 2];
    let kept = if look <= RATES_NS_MOST { "kept" } else { "MISSED" };
    println!("rates: {look:.0} ns a message more, where there are some; at most {RATES_NS_MOST:.0}: {kept}");
    assert!(allocations <= 2.0, "more than 2 allocations a message");
}
