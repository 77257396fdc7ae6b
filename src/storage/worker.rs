//! The thread that stands between the queue and the store.
//!
//! Owns the order of things: takes all that waits into one batch, has it performed and committed,
//! and only then answers. Sends passwords over the [`pool`](super::pool). Says in the log when the
//! store stops working and when it works again. Knows no SQL and no thread of any core.

use super::answers::{Answers, Asker};
use super::dedup_windows::DedupWindows;
use super::health::{Health, State};
use super::pool::{Hashed, Job, Pool, Queue, Task};
use super::rates::Rates;
use super::siblings::{self, Call};
use super::{Config, OpenError, Order, Outcome, Store, StoreError};
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::profile::Who;
use chatd_chat::model::source::Source;
use chatd_chat::model::token::Password;
use chatd_chat::port::store::{ReplyQueue, StoreCall, StoreReply, StoreRequest};
use chatd_chat::wire::code::Code;
use chatd_process::log;
use futures_lite::future;
use std::ops::ControlFlow;
use std::pin::pin;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a batch may weigh, where a stored message weighs 1. What is under way at once goes into one
/// batch, so this counts under load only: there 256 make 36,000 messages a second on SQLite, and 1,024
/// make 53,000, of which none waits longer (benches/store.rs). On MySQL a batch costs a flush and some
/// seven round trips, however little is in it.
const BATCH_WEIGHT: usize = 1_024;
/// How long an order waits aside for what somebody else holds, before it is answered Busy.
const ASIDE: Duration = Duration::from_secs(1);
/// How far the thread of the store stands back behind the cores.
const NICENESS: i32 = 5;

/// The store's threads, at work.
pub struct Running {
    thread: JoinHandle<()>,
    state: State,
    passwords: Queue,
    siblings: Option<siblings::Line>,
}

impl Running {
    /// Waits until everything asked was answered and the store is closed. The way to make that
    /// happen is to drop every sender of questions first.
    ///
    /// # Errors
    /// If the thread panicked: a bug, already in the log.
    pub fn join(self) -> std::thread::Result<()> {
        drop(self.siblings);
        self.thread.join()
    }

    /// Whether the store works: a handle, for those who answer readiness checks.
    pub fn state(&self) -> State {
        self.state.clone()
    }

    /// The passwords that wait to be hashed: a handle, for those who show that.
    pub fn passwords(&self) -> Queue {
        self.passwords.clone()
    }

    /// The line on which servers of one database are told of each other, for one who asks. The store
    /// stays open until that one hangs up, too.
    ///
    /// # Panics
    /// If it was given away already.
    pub fn siblings(&mut self) -> siblings::Line {
        self.siblings.take().expect("there is one, for one who asks")
    }

    /// Whether the thread has ended, which it does by itself only if it panicked.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Starts the worker and its pool.
///
/// # Errors
/// If the operating system gives no thread.
pub fn start(
    store: Box<dyn Store>,
    config: &Config,
    questions: flume::Receiver<StoreCall>,
    answers: Vec<ReplyQueue>,
) -> Result<Running, OpenError> {
    start_with(store, config, questions, answers, ASIDE)
}

fn start_with(
    store: Box<dyn Store>,
    config: &Config,
    questions: flume::Receiver<StoreCall>,
    answers: Vec<ReplyQueue>,
    patience: Duration,
) -> Result<Running, OpenError> {
    let answers = Answers::new(answers);
    let (pool, hashed) = Pool::start(config.cost, &config.limits, &answers)?;
    let passwords = pool.queue();
    let (siblings, calls) = siblings::line();
    let worker = Worker {
        store,
        answers,
        orders: Vec::new(),
        steps: Vec::new(),
        outcomes: Vec::new(),
        aside: Vec::new(),
        since: Vec::new(),
        patience,
        pool: Some(pool),
        windows: DedupWindows::new(config.limits.dedup_away_cids),
        health: Health::default(),
        made: Rates::new(config.limits.group_makes, config.limits.group_make_ms),
        began: Instant::now(),
        calls,
    };
    let state = worker.health.state();
    let thread = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || worker.run(&questions, &hashed))
        .map_err(OpenError::NoThread)?;
    Ok(Running { thread, state, passwords, siblings: Some(siblings) })
}

/// What becomes of an outcome.
enum Step {
    /// It is the answer.
    Answer(Asker),
    /// It is the answer, with what this user said lately.
    Roster(Asker, UserId),
    /// It is the answer to whoever made a group.
    Made(Asker, UserId),
    /// It says what this password must match.
    Verify { asker: Asker, from: Source, who: Who, password: Password },
    /// It says what the first of these must match, to be replaced by the second.
    Change { asker: Asker, from: Source, who: Who, old: Password, new: Password },
}

struct Worker {
    store: Box<dyn Store>,
    answers: Answers,
    /// The batch, and what becomes of its outcomes: always of the same length.
    orders: Vec<Order>,
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
    /// Orders that wait for what somebody else holds, and since when: asked again with every batch, and
    /// before what is new. Never more than the cores have tickets out.
    aside: Vec<(Order, Step, Instant)>,
    /// Since when the first orders of the batch have waited.
    since: Vec<Instant>,
    /// How long they may.
    patience: Duration,
    /// Gone once the worker is finishing.
    pool: Option<Pool>,
    windows: DedupWindows,
    health: Health,
    /// Who has made groups lately.
    made: Rates<UserId>,
    began: Instant,
    /// What servers want to know of each other.
    calls: flume::Receiver<Call>,
}

/// What came out of one of the queues.
enum Next {
    /// Nothing yet.
    Nothing,
    Request(StoreCall),
    Hashed(Hashed),
    Call(Call),
    /// Nothing will ever come again.
    End,
}

impl Worker {
    fn run(mut self, questions: &flume::Receiver<StoreCall>, hashed: &flume::Receiver<Hashed>) {
        // Where it shares a CPU with a core, messages go first. That it cannot is no reason to stop.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        loop {
            // However many questions there are: a server that is not heard of seems to be dead.
            if let Ok(call) = self.calls.try_recv() {
                self.call(call);
            }
            self.recall();
            let mut weight = match self.next(questions, hashed) {
                Next::Nothing if self.orders.is_empty() => continue,
                Next::Nothing => 0,
                Next::Call(call) => {
                    self.call(call);
                    if self.orders.is_empty() {
                        continue;
                    }
                    0
                }
                Next::Request(question) => self.take(question),
                Next::Hashed(hashed) => self.store(hashed),
                Next::End => break,
            };
            while weight < BATCH_WEIGHT {
                weight += if let Ok(hashed) = hashed.try_recv() {
                    self.store(hashed)
                } else if let Ok(question) = questions.try_recv() {
                    self.take(question)
                } else {
                    break;
                };
            }
            self.perform();
        }
        self.finish(hashed);
    }

    /// Puts what waits at the beginning of the next batch.
    fn recall(&mut self) {
        for (order, step, since) in self.aside.drain(..) {
            self.orders.push(order);
            self.steps.push(step);
            self.since.push(since);
        }
    }

    /// The next thing to do. While there is none, the store minds its own business.
    fn next(&mut self, questions: &flume::Receiver<StoreCall>, hashed: &flume::Receiver<Hashed>) -> Next {
        match questions.try_recv() {
            Ok(question) => return Next::Request(question),
            Err(flume::TryRecvError::Disconnected) => {
                return self.calls.recv().map_or(Next::End, Next::Call);
            }
            Err(flume::TryRecvError::Empty) => {}
        }
        let mut next = Next::Nothing;
        let calls = self.calls.clone();
        let news = self.store.wait(pin!(async { next = first(questions, hashed, &calls).await }));
        self.health.hear(news);
        next
    }

    /// That this does not work is told to whoever calls; a store that is down is noticed by others.
    fn call(&mut self, call: Call) {
        // Whoever calls may have lost patience.
        match call {
            Call::Meet(entry, tell) => drop(tell.try_send(self.store.meet(&entry))),
            Call::Part(server, tell) => drop(tell.try_send(self.store.part(server))),
        }
    }

    /// What was hashed last is still stored; passwords not yet looked at get Busy.
    fn finish(mut self, hashed: &flume::Receiver<Hashed>) {
        let threads = self.pool.take().map_or(Vec::new(), Pool::stop);
        if !self.orders.is_empty() {
            // What waits has one more try: nobody is there any more to hear of another.
            self.perform();
            self.aside.clear();
        }
        while let Ok(hashed) = hashed.recv() {
            self.store(hashed);
            self.perform();
        }
        for thread in threads {
            // A panic in it is in the log already.
            drop(thread.join());
        }
        if let Err(error) = self.store.close() {
            log::line(format_args!("closing the store: {error}"));
        }
    }

    /// Puts a question into the batch and returns its weight.
    fn take(&mut self, question: StoreCall) -> usize {
        let asker = Asker { core: question.core, ticket: question.id };
        match question.request {
            StoreRequest::Register { name, password, from } => {
                self.offer(Job { asker, from, task: Task::Hash { name, password } });
                0
            }
            StoreRequest::Verify { who, password, from } => {
                self.orders.push(Order::Lookup { who: who.clone() });
                self.steps.push(Step::Verify { asker, from, who, password });
                1
            }
            StoreRequest::ChangePassword { user, old, new, from } => {
                let who = Who::Id(user);
                self.orders.push(Order::Lookup { who: who.clone() });
                self.steps.push(Step::Change { asker, from, who, old, new });
                1
            }
            StoreRequest::Remember { user, window } => {
                self.windows.put(user, window);
                self.answers.send(asker, Ok(StoreReply::Done));
                0
            }
            StoreRequest::LoadProfile { user, .. } => {
                let weight = weight(&question.request);
                self.orders.push(Order::Request(question.request));
                self.steps.push(Step::Roster(asker, user));
                weight
            }
            StoreRequest::CreateGroup { user, .. }
                if !self.made.take(user, self.began.elapsed().as_millis() as u64) =>
            {
                self.answers.send(asker, Err(Code::TooFast));
                0
            }
            ask @ StoreRequest::CreateGroup { user, .. } => {
                self.orders.push(Order::Request(ask));
                self.steps.push(Step::Made(asker, user));
                1
            }
            ask => {
                let weight = weight(&ask);
                self.orders.push(Order::Request(ask));
                self.steps.push(Step::Answer(asker));
                weight
            }
        }
    }

    fn offer(&self, job: Job) {
        match &self.pool {
            Some(pool) => pool.offer(job),
            None => self.answers.send(job.asker, Err(Code::Busy)),
        }
    }

    fn store(&mut self, hashed: Hashed) -> usize {
        self.orders.push(hashed.order);
        self.steps.push(Step::Answer(hashed.asker));
        1
    }

    /// Has the batch performed, and answers it.
    fn perform(&mut self) {
        if self.orders.is_empty() {
            // All that came was answered without the store.
            return;
        }
        let mut outcomes = std::mem::take(&mut self.outcomes);
        match self.store.perform(&self.orders, &mut outcomes) {
            Ok(committed) => self.health.praise(committed),
            Err(StoreError::Order(_)) if self.orders.len() > 1 => {
                outcomes.clear();
                let orders = std::mem::take(&mut self.orders);
                let _ = self.perform_halves(&orders, &mut outcomes);
                self.orders = orders;
            }
            Err(StoreError::Order(why)) => {
                let orders = std::mem::take(&mut self.orders);
                outcomes.clear();
                outcomes.push(self.judge(&orders[0], &why));
                self.orders = orders;
            }
            Err(StoreError::Down(why)) => {
                self.health.blame(why);
                outcomes.clear();
                outcomes.extend(self.orders.iter().map(|_| Outcome::Reply(Err(Code::Busy))));
            }
        }
        assert_eq!(outcomes.len(), self.steps.len(), "a store has one outcome for each order");
        let (mut orders, mut steps) = (std::mem::take(&mut self.orders), std::mem::take(&mut self.steps));
        let mut since = std::mem::take(&mut self.since).into_iter();
        for ((order, step), outcome) in orders.drain(..).zip(steps.drain(..)).zip(outcomes.drain(..)) {
            let since = since.next();
            match (step, outcome) {
                (step, Outcome::Later) => self.set_aside(order, step, since.unwrap_or_else(Instant::now)),
                (Step::Made(asker, user), Outcome::Reply(answer)) => {
                    if answer.is_err() {
                        self.made.give_back(&user);
                    }
                    self.answers.send(asker, answer);
                }
                (
                    Step::Answer(asker) | Step::Verify { asker, .. } | Step::Change { asker, .. },
                    Outcome::Reply(answer),
                ) => self.answers.send(asker, answer),
                (Step::Roster(asker, user), Outcome::Reply(mut answer)) => {
                    if let Ok(StoreReply::Profile(roster)) = &mut answer {
                        roster.dedup = self.windows.take(user);
                    }
                    self.answers.send(asker, answer);
                }
                (Step::Verify { asker, from, who, password }, Outcome::Found(account)) => {
                    self.offer(Job { asker, from, task: Task::Verify { who, account, password } });
                }
                (Step::Change { asker, from, who, old, new }, Outcome::Found(account)) => {
                    self.offer(Job { asker, from, task: Task::Change { who, account, old, new } });
                }
                (Step::Answer(_) | Step::Roster(..) | Step::Made(..), Outcome::Found(_)) => {
                    unreachable!("only lookups find accounts")
                }
            }
        }
        (self.orders, self.steps, self.outcomes) = (orders, steps, outcomes);
    }

    /// Has an order asked again, unless it has waited long enough.
    fn set_aside(&mut self, order: Order, step: Step, since: Instant) {
        if since.elapsed() < self.patience {
            return self.aside.push((order, step, since));
        }
        let asker = match step {
            Step::Made(asker, user) => {
                self.made.give_back(&user);
                asker
            }
            Step::Answer(asker)
            | Step::Roster(asker, _)
            | Step::Verify { asker, .. }
            | Step::Change { asker, .. } => asker,
        };
        self.answers.send(asker, Err(Code::Busy));
    }

    /// What an order comes to that has failed alone. A store that can store nothing is down, and the order may be
    /// asked again. If it can, asking again is of no use: the order is refused for good.
    fn judge(&mut self, order: &Order, why: &str) -> Outcome {
        if let Err(error) = self.store.prove() {
            self.health.blame(error.to_string());
            return Outcome::Reply(Err(Code::Busy));
        }
        if let Order::Request(StoreRequest::AppendHistory { envelopes }) = order
            && envelopes.len() > 1
        {
            return self.record_one_by_one(envelopes);
        }
        self.health.wonder(order.kind(), why);
        Outcome::Reply(Err(Code::InvalidField))
    }

    /// One message makes all fail that are to be recorded with it: the others must not suffer from it.
    fn record_one_by_one(&mut self, envelopes: &[Envelope]) -> Outcome {
        let mut outcome = Outcome::Reply(Ok(StoreReply::Done));
        for envelope in envelopes {
            let order = Order::Request(StoreRequest::AppendHistory { envelopes: vec![envelope.clone()] });
            let mut outcomes = Vec::new();
            match self.store.perform(std::slice::from_ref(&order), &mut outcomes) {
                Ok(committed) => {
                    self.health.praise(committed);
                    // What is locked is asked for again, and with it all: what is recorded already stays as it is.
                    outcome = outcomes.pop().filter(|one| *one == Outcome::Later).unwrap_or(outcome);
                }
                Err(StoreError::Order(why)) => self.health.wonder(order.kind(), &why),
                Err(StoreError::Down(why)) => {
                    self.health.blame(why);
                    return Outcome::Reply(Err(Code::Busy));
                }
            }
        }
        outcome
    }

    /// One order makes every batch fail that it is in: the others must not suffer from it. Of each half that
    /// fails the halves are tried, so that a thousand are done in some twenty batches. Breaks off when the store can
    /// do nothing with any of them.
    fn perform_halves(&mut self, orders: &[Order], outcomes: &mut Vec<Outcome>) -> ControlFlow<()> {
        let before = outcomes.len();
        let (first, second) = orders.split_at(orders.len() / 2);
        for half in [first, second] {
            let done = outcomes.len();
            let mut go_on = ControlFlow::Continue(());
            match self.store.perform(half, outcomes) {
                Ok(committed) => self.health.praise(committed),
                Err(StoreError::Order(why)) => {
                    outcomes.truncate(done);
                    if let [order] = half {
                        outcomes.push(self.judge(order, &why));
                        if outcomes.last() == Some(&Outcome::Reply(Err(Code::Busy))) {
                            go_on = ControlFlow::Break(());
                        }
                    } else {
                        go_on = self.perform_halves(half, outcomes);
                    }
                }
                Err(StoreError::Down(why)) => {
                    self.health.blame(why);
                    outcomes.truncate(done);
                    outcomes.extend(half.iter().map(|_| Outcome::Reply(Err(Code::Busy))));
                }
            }
            if go_on.is_break() {
                outcomes.resize(before + orders.len(), Outcome::Reply(Err(Code::Busy)));
                return go_on;
            }
            if outcomes[done..].contains(&Outcome::Later) {
                // What follows may have to come after it: the store knows, when it has both.
                outcomes.resize(before + orders.len(), Outcome::Later);
                break;
            }
        }
        ControlFlow::Continue(())
    }
}

/// What comes out of any of the queues first.
async fn first(
    questions: &flume::Receiver<StoreCall>,
    hashed: &flume::Receiver<Hashed>,
    calls: &flume::Receiver<Call>,
) -> Next {
    // Whether that is the end is for the next look to say.
    let question = async { questions.recv_async().await.map_or(Next::Nothing, Next::Request) };
    let password = async {
        match hashed.recv_async().await {
            Ok(hashed) => Next::Hashed(hashed),
            // The pool's threads are gone, by a panic: only questions are left.
            Err(flume::RecvError::Disconnected) => future::pending().await,
        }
    };
    let call = async {
        match calls.recv_async().await {
            Ok(call) => Next::Call(call),
            Err(flume::RecvError::Disconnected) => future::pending().await,
        }
    };
    future::or(future::or(question, password), call).await
}

/// How much of a batch an ask takes up, so that those who wait for a small one are not kept by
/// hundreds of large ones. Measured: a roster or a page of backlog takes 20 to 50 stored messages.
fn weight(ask: &StoreRequest) -> usize {
    match ask {
        StoreRequest::LoadProfile { .. }
        | StoreRequest::FetchBacklog { .. }
        | StoreRequest::History { .. }
        | StoreRequest::Members { .. } => 16,
        StoreRequest::Friends { .. } | StoreRequest::DelGroup { .. } => 8,
        StoreRequest::AppendHistory { envelopes } => envelopes.len().max(1),
        StoreRequest::Owe { mids, .. } => 1 + mids.len() / 4,
        StoreRequest::AckDelivered { mids, cursors: progress, .. } => 1 + (mids.len() + progress.len()) / 4,
        _ => 1,
    }
}

#[cfg(test)]
mod aside_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod tests;
