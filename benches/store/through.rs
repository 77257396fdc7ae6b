//! The whole way, as the cores go it: questions into the queue, answers out, a store behind it.

use chatd::chat::model::ids::RequestId;
use chatd::chat::model::limits::Limits;
use chatd::chat::model::retention::Retention;
use chatd::chat::port::store::{StoreCall, StoreRequest, StoreResult, StoreReturn};
use chatd::storage::password::Cost;
use chatd::storage::worker::Running;
use chatd::storage::{self, Backend, Config};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Asks and hears, and knows how long each answer took.
pub struct Through {
    ask: flume::Sender<StoreCall>,
    answers: flume::Receiver<Vec<StoreReturn>>,
    /// Those that came together and are still to be heard.
    received: VecDeque<StoreReturn>,
    running: Running,
    asked: Vec<Instant>,
    pub waited: Vec<Option<Duration>>,
    pub under_way: usize,
}

impl Through {
    pub fn new(backend: Backend) -> Self {
        let config = Config {
            backend,
            cost: Cost::default(),
            application: None,
            hook: None,
            limits: Limits::default(),
            retention: Retention::All,
            search: true,
            webhook: None,
        };
        let opened = storage::open(config).expect("a store to measure");
        let (ask, questions) = flume::bounded(16_384);
        let (answer, answers) = flume::unbounded();
        let running = opened.start(questions, vec![answer]).expect("threads");
        Self {
            ask,
            answers,
            received: VecDeque::new(),
            running,
            asked: Vec::new(),
            waited: Vec::new(),
            under_way: 0,
        }
    }

    /// Asks something that was due at `due`, and returns its number.
    pub fn ask_at(&mut self, due: Instant, ask: StoreRequest) -> usize {
        let number = self.asked.len();
        self.asked.push(due);
        self.waited.push(None);
        self.under_way += 1;
        let ticket = RequestId { index: number as u32, generation: 0 };
        self.ask.send(StoreCall { core: 0, id: ticket, request: ask }).expect("asked");
        number
    }

    pub fn ask(&mut self, ask: StoreRequest) -> usize {
        self.ask_at(Instant::now(), ask)
    }

    /// Waits for an answer, until `deadline` if there is one.
    pub fn hear(&mut self, deadline: Option<Instant>) -> Option<(usize, StoreResult)> {
        if self.received.is_empty() {
            self.received = VecDeque::from(match deadline {
                None => self.answers.recv().ok(),
                Some(deadline) => self.answers.recv_deadline(deadline).ok(),
            }?);
        }
        let answered = self.received.pop_front()?;
        let number = answered.id.index as usize;
        self.waited[number] = Some(self.asked[number].elapsed());
        self.under_way -= 1;
        Some((number, answered.result))
    }

    /// Hears all that is under way.
    pub fn hear_all(&mut self) {
        while self.under_way > 0 {
            let (_, answer) = self.hear(None).expect("answered");
            answer.expect("done");
        }
    }

    pub fn close(self) {
        drop(self.ask);
        self.running.join().expect("no panic");
    }
}
