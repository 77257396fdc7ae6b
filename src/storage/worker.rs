//! The thread that stands between the queue and the store.
//!
//! Owns the order of things: takes all that waits into one [`batch`], has it performed and committed,
//! and only then answers. Sends passwords over the [`pool`](super::pool). Says in the log when the
//! store stops working and when it works again. Knows no SQL and no thread of any core.

mod batch;
mod isolation;
mod pace;
mod search;

use super::dedup_windows::DedupWindows;
use super::health::{Health, State};
use super::jwt::gate::Gate;
use super::outbox::line::OutboxCall;
use super::outbox::{self, Figures};
use super::pool::{Hashed, Pool, Queue};
use super::rates::Rates;
use super::replies::{Replies, ReplyBatch};
use super::search::line::Line;
use super::siblings::{self, SiblingCall};
use super::{Config, OpenError, Order, Outcome, Store};
use batch::Step;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{ReplyQueue, StoreCall};
use chatd_process::precedence::Beside;
use futures_lite::future;
use pace::Pace;
use search::Search;
use std::pin::pin;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::error;

/// What a batch may weigh, where a stored message weighs 1. What is under way at once goes into one
/// batch, so this counts under load only: there 256 make 36,000 messages a second on SQLite, and 1,024
/// make 53,000, of which none waits longer (benches/store.rs). On MySQL a batch costs a flush and some
/// seven round trips, however little is in it.
const BATCH_WEIGHT: usize = 1_024;
/// How long an order is deferred for what somebody else has locked, before it is answered Busy.
const DEFER_FOR: Duration = Duration::from_secs(1);

/// The store's threads, at work.
pub struct Running {
    thread: JoinHandle<()>,
    state: State,
    passwords: Queue,
    siblings: Option<siblings::SiblingLine>,
    webhook: Option<Figures>,
}

impl Running {
    /// Waits until everything asked was answered and the store is closed. The way to make that
    /// happen is to drop every sender of requests first.
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

    /// What is known of the outbox, where there is a webhook: a handle, for those who show that.
    pub fn webhook(&self) -> Option<Figures> {
        self.webhook.clone()
    }

    /// The line on which servers of one database are told of each other. The store stays open until its
    /// holder drops it, too.
    ///
    /// # Panics
    /// If it was given away already.
    pub fn siblings(&mut self) -> siblings::SiblingLine {
        self.siblings.take().expect("it is given away once")
    }
}

/// Starts the worker and its pool.
///
/// # Errors
/// If the operating system gives no thread.
pub fn start(
    store: Box<dyn Store>,
    config: &Config,
    calls: flume::Receiver<StoreCall>,
    replies: Vec<ReplyQueue>,
) -> Result<Running, OpenError> {
    start_with(store, config, calls, replies, DEFER_FOR)
}

fn start_with(
    mut store: Box<dyn Store>,
    config: &Config,
    calls: flume::Receiver<StoreCall>,
    replies: Vec<ReplyQueue>,
    patience: Duration,
) -> Result<Running, OpenError> {
    let replies = Replies::new(replies);
    let (done, hashed) = flume::unbounded();
    let pool = Pool::start(config.hook.clone(), config.cost, &config.limits, &replies, &done)?;
    let gate = match config.application.clone() {
        Some(application) => Some(Gate::start(application, &config.limits, &replies, done)?),
        None => None,
    };
    let passwords = pool.queue();
    let (siblings, sibling_calls) = siblings::line();
    let search = start_search(&mut *store, config, &replies)?;
    let (outbox_line, outbox_calls) = outbox::line::line();
    let (poster, stopped) = flume::bounded(0);
    let webhook = config.webhook.clone().map(|webhook| (webhook, Figures::default()));
    let figures = webhook.as_ref().map(|(_, figures)| figures.clone());
    if let Some((webhook, figures)) = webhook {
        outbox::poster::start(webhook, outbox_line, figures, stopped)?;
    }
    let worker = Worker {
        store,
        batch_replies: replies.batch(),
        replies,
        orders: Vec::new(),
        steps: Vec::new(),
        outcomes: Vec::new(),
        deferred: Vec::new(),
        since: Vec::new(),
        patience,
        pool: Some(pool),
        gate,
        windows: DedupWindows::new(config.limits.dedup_away_cids),
        health: Health::default(),
        group_makes: Rates::new(config.limits.group_makes, config.limits.group_make_ms),
        ask_makes: Rates::new(config.limits.ask_makes, config.limits.ask_make_ms),
        began: Instant::now(),
        sibling_calls,
        outbox_calls,
        _poster: poster,
        search,
        pace: Pace::default(),
    };
    let state = worker.health.state();
    let thread = std::thread::Builder::new()
        .name("store".to_owned())
        .spawn(move || worker.run(&calls, &hashed))
        .map_err(OpenError::NoThread)?;
    Ok(Running { thread, state, passwords, siblings: Some(siblings), webhook: figures })
}

/// Has somebody search, unless nobody is to, or what there is to be searched is not kept.
fn start_search(store: &mut dyn Store, config: &Config, replies: &Replies) -> Result<Search, OpenError> {
    if !config.search || config.retention != Retention::All {
        return Ok(Search::none());
    }
    let searcher = store.searcher();
    let searcher = searcher.map_err(|error| OpenError::Failed(store.describe(), error.to_string()))?;
    let Some(searcher) = searcher else { return Ok(Search::none()) };
    let (line, woken) = Line::start(searcher, replies.clone(), config.limits.store_queue)?;
    Ok(Search::new(line, woken, store.indexes()))
}

struct Worker {
    store: Box<dyn Store>,
    replies: Replies,
    /// The replies of the batch that is being resolved.
    batch_replies: ReplyBatch,
    /// The batch, and what becomes of its outcomes: always of the same length.
    orders: Vec<Order>,
    steps: Vec<Step>,
    outcomes: Vec<Outcome>,
    /// Orders that wait for what somebody else has locked, and since when: performed again with every batch, and
    /// before what is new. Never more than the cores have requests in flight.
    deferred: Vec<(Order, Step, Instant)>,
    /// Since when the first orders of the batch have waited.
    since: Vec<Instant>,
    /// How long they may.
    patience: Duration,
    /// Gone once the worker is finishing.
    pool: Option<Pool>,
    /// Likewise, and not there if no application's word is taken.
    gate: Option<Gate>,
    windows: DedupWindows,
    health: Health,
    /// Who has made groups lately.
    group_makes: Rates<UserId>,
    /// Who has asked for friendships lately.
    ask_makes: Rates<UserId>,
    began: Instant,
    /// What servers want to know of each other.
    sibling_calls: flume::Receiver<SiblingCall>,
    /// What whoever posts wants of the outbox.
    outbox_calls: flume::Receiver<OutboxCall>,
    /// Whoever posts ends when this is gone.
    _poster: flume::Sender<()>,
    search: Search,
    pace: Pace,
}

/// What came out of one of the queues.
enum Next {
    /// Nothing yet.
    Nothing,
    Request(StoreCall),
    Hashed(Hashed),
    SiblingCall(SiblingCall),
    OutboxCall(OutboxCall),
    /// Something was stored a while ago.
    Woken,
    /// Nothing will ever come again.
    End,
}

impl Worker {
    fn run(mut self, calls: &flume::Receiver<StoreCall>, hashed: &flume::Receiver<Hashed>) {
        Beside::Store.stand_back();
        loop {
            // However many requests there are: a server that is not heard of seems to be dead.
            if let Ok(sibling_call) = self.sibling_calls.try_recv() {
                self.sibling_call(sibling_call);
            }
            if let Ok(outbox_call) = self.outbox_calls.try_recv() {
                self.outbox_call(&outbox_call);
            }
            self.requeue_deferred();
            let mut weight = match self.next(calls, hashed) {
                Next::Nothing if self.orders.is_empty() => continue,
                Next::Nothing => 0,
                Next::Woken => {
                    self.search.wake();
                    continue;
                }
                Next::SiblingCall(sibling_call) => {
                    self.sibling_call(sibling_call);
                    if self.orders.is_empty() {
                        continue;
                    }
                    0
                }
                Next::OutboxCall(outbox_call) => {
                    self.outbox_call(&outbox_call);
                    if self.orders.is_empty() {
                        continue;
                    }
                    0
                }
                Next::Request(call) => {
                    self.pace.gather(|| 1 + calls.len());
                    self.take(call)
                }
                Next::Hashed(hashed) => self.store(hashed),
                Next::End => break,
            };
            while weight < BATCH_WEIGHT {
                weight += if let Ok(hashed) = hashed.try_recv() {
                    self.store(hashed)
                } else if let Ok(call) = calls.try_recv() {
                    self.take(call)
                } else {
                    break;
                };
            }
            self.perform();
        }
        self.finish(hashed);
    }

    /// The next thing to do. While there is none, the store minds its own business.
    fn next(&mut self, calls: &flume::Receiver<StoreCall>, hashed: &flume::Receiver<Hashed>) -> Next {
        match calls.try_recv() {
            Ok(call) => return Next::Request(call),
            Err(flume::TryRecvError::Disconnected) => {
                return self.sibling_calls.recv().map_or(Next::End, Next::SiblingCall);
            }
            Err(flume::TryRecvError::Empty) => {}
        }
        if self.search.is_due() && hashed.is_empty() && self.orders.is_empty() {
            self.index();
            return Next::Nothing;
        }
        let mut next = Next::Nothing;
        let (sibling_calls, outbox_calls) = (self.sibling_calls.clone(), self.outbox_calls.clone());
        let woken = self.search.woken.clone();
        let aside =
            future::or(called(&sibling_calls, Next::SiblingCall), called(&outbox_calls, Next::OutboxCall));
        let first = future::or(first(calls, hashed, &woken), aside);
        let news = self.store.wait(pin!(async { next = first.await }));
        self.health.report_news(news);
        next
    }

    /// That this does not work is told to whoever calls; a store that is down is noticed by others.
    fn sibling_call(&mut self, sibling_call: SiblingCall) {
        // Whoever calls may have lost patience.
        match sibling_call {
            SiblingCall::Announce(entry, tell) => drop(tell.try_send(self.store.announce(&entry))),
            SiblingCall::Withdraw(server, tell) => drop(tell.try_send(self.store.withdraw(server))),
        }
    }

    /// Does what whoever posts asks for. That this does not work is told to that one.
    fn outbox_call(&mut self, OutboxCall { step, tell }: &OutboxCall) {
        // Whoever asks may have lost patience.
        drop(tell.try_send(self.store.outbox(step)));
    }

    /// What was hashed last is still stored; passwords not yet looked at get Busy.
    fn finish(mut self, hashed: &flume::Receiver<Hashed>) {
        let mut threads = self.pool.take().map_or(Vec::new(), Pool::stop);
        threads.extend(self.gate.take().map_or(Vec::new(), Gate::stop));
        if !self.orders.is_empty() {
            // What waits has one more try: nobody is there any more to hear of another.
            self.perform();
            self.deferred.clear();
        }
        while let Ok(hashed) = hashed.recv() {
            self.store(hashed);
            self.perform();
        }
        self.search.stop();
        for thread in threads {
            // A panic in it is in the log already.
            drop(thread.join());
        }
        if let Err(error) = self.store.close() {
            error!("closing the store: {error}");
        }
    }
}

/// What comes out of any of the queues first.
async fn first(
    calls: &flume::Receiver<StoreCall>,
    hashed: &flume::Receiver<Hashed>,
    woken: &flume::Receiver<()>,
) -> Next {
    // Whether that is the end is for the next look to say.
    let call = async { calls.recv_async().await.map_or(Next::Nothing, Next::Request) };
    let password = async {
        match hashed.recv_async().await {
            Ok(hashed) => Next::Hashed(hashed),
            // The pool's threads are gone, by a panic: only questions are left.
            Err(flume::RecvError::Disconnected) => future::pending().await,
        }
    };
    future::or(future::or(call, password), called(woken, |()| Next::Woken)).await
}

/// What comes out of a queue; nothing ever, once nobody puts anything in.
async fn called<T>(queue: &flume::Receiver<T>, next: impl Fn(T) -> Next) -> Next {
    match queue.recv_async().await {
        Ok(call) => next(call),
        Err(flume::RecvError::Disconnected) => future::pending().await,
    }
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod deferred_tests;
#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod search_tests;
#[cfg(test)]
mod tests;
