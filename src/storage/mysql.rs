//! The store of a cluster: MySQL or MariaDB, shared by several servers.
//!
//! Owns the runtime that the driver needs (it runs in the storage thread, and nowhere else), the
//! connections, and what becomes of a batch when one of them is lost or another server is in the way.
//! What each request means in SQL stands in the modules below, an idea each. Never answers before the
//! server has committed.
//!
//! While the server is gone every batch fails at once, and a task connects again.

mod account_acts;
mod accounts;
mod admissions;
mod backlog;
mod batch;
mod blocks;
mod changes;
mod client;
mod connection_pool;
mod consent;
mod fault;
mod group_rows;
mod group_rules;
mod groups;
mod heads;
mod history;
mod index;
mod late;
mod locked_rows;
mod markers;
mod marks;
mod messages;
mod names;
mod outbox;
mod page;
mod reads;
mod reconnect;
mod refusal;
mod row;
mod rows;
mod schema;
mod search;
mod segment;
mod session;
mod siblings;
mod stored;
mod sync;
mod tokens;
mod touched;
mod untold;
mod url;
mod user_cache;

use super::health::News;
use super::outbox::{Kinds, Page, Step};
use super::search::Searcher;
use super::siblings::{Entry, Sibling};
use super::{Committed, OpenError, Order, Outcome, Store, StoreError};
use batch::Batch;
use chatd_chat::model::ids::MessageId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::StoreResult;
use chatd_chat::wire::code::Code;
use client::Client;
use connection_pool::ConnectionPool;
use fault::{DbResult, Fault};
use locked_rows::LockedRows;
pub use refusal::Refusal;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tracing::warn;
pub use url::MySqlUrl;
use user_cache::UserCache;

/// What a request came to; the error is the database's own.
type Answered = DbResult<StoreResult>;

/// Messages of dissolved groups that are deleted after one batch at most.
const SWEEP_MESSAGES: u64 = 256;
/// How long a batch is tried again while others are in the way, and how often at least.
const CONTENDED: Duration = Duration::from_millis(1_200);
const TRIES: usize = 3;

/// A MySQL or MariaDB.
pub struct MySql {
    /// Declared first: what is dropped with the session may want to say good-bye in it.
    session: Option<StoreSession>,
    runtime: Runtime,
}

/// Everything but the runtime that it runs in.
struct StoreSession {
    url: MySqlUrl,
    limits: Limits,
    server: connection_pool::Server,
    link: Link,
    cache: UserCache,
    locked_rows: LockedRows,
    /// Whether orders were deferred that are to be asked again.
    retry_deferred: bool,
    dissolved: Dissolved,
    /// Whether the server said that it cannot, and has written nothing since.
    unprobed: bool,
    /// When the server last answered.
    heard: Instant,
}

/// Whether the server can be reached.
enum Link {
    Up(Box<ConnectionPool>, Option<JoinHandle<Option<Client>>>),
    Down { why: String, again: JoinHandle<ConnectionPool>, reasons: flume::Receiver<String> },
}

/// Whether messages of dissolved groups are left to be deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dissolved {
    Gone,
    Remains,
}

impl MySql {
    /// Connects, and brings the database up to date.
    ///
    /// # Errors
    /// If the server cannot be used.
    pub fn open(url: &MySqlUrl, limits: &Limits) -> Result<Self, OpenError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(OpenError::NoThread)?;
        let (mut pool, server) = runtime.block_on(connection_pool::open(url))?;
        let mark = runtime.block_on(search::load_mark(&mut pool.writer));
        let mut cache = UserCache::default();
        cache.mark = mark.map_err(|fault| schema::of(fault, url))?;
        let session = StoreSession {
            url: url.clone(),
            limits: limits.clone(),
            server,
            link: Link::Up(Box::new(pool), None),
            cache,
            locked_rows: LockedRows::default(),
            retry_deferred: false,
            dissolved: Dissolved::Remains,
            unprobed: false,
            heard: Instant::now(),
        };
        Ok(Self { session: Some(session), runtime })
    }

    fn parts(&mut self) -> (&Runtime, &mut StoreSession) {
        (&self.runtime, self.session.as_mut().expect("the session is there until the store is dropped"))
    }
}

impl Store for MySql {
    fn perform(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        let (runtime, session) = self.parts();
        runtime.block_on(session.perform(batch, outcomes))
    }

    fn probe_write(&mut self) -> Result<(), StoreError> {
        let (runtime, session) = self.parts();
        runtime.block_on(session.probe_write())
    }

    fn greatest_mid(&mut self) -> Result<MessageId, StoreError> {
        let (runtime, session) = self.parts();
        let Link::Up(pool, _) = &mut session.link else {
            return Err(StoreError::Down(format!("{} is gone", session.url)));
        };
        let greatest = runtime.block_on(async {
            let greatest = history::greatest_mid(&mut pool.writer).await?;
            pool.writer.run("COMMIT").await.map(|()| greatest)
        });
        greatest.map_err(|fault| StoreError::Down(fault.why()))
    }

    fn set_retention(&mut self, retention: Retention) -> Result<(), StoreError> {
        let (runtime, session) = self.parts();
        let Link::Up(pool, _) = &mut session.link else {
            return Err(StoreError::Down(format!("{} is gone", session.url)));
        };
        let told = runtime.block_on(history::set_retention(&mut pool.writer, retention));
        told.map_err(|fault| StoreError::Down(fault.why()))
    }

    fn searcher(&mut self) -> Result<Option<Box<dyn Searcher>>, StoreError> {
        let (_, session) = self.parts();
        let reader = search::Reader::open(&session.url, session.cache.mark.clone());
        reader
            .map(|reader| Some(Box::new(reader) as Box<dyn Searcher>))
            .map_err(|error| StoreError::Down(error.to_string()))
    }

    fn set_outbox(&mut self, kinds: Kinds, push_after: Duration) {
        let (_, session) = self.parts();
        let outbox = &mut session.cache.outbox;
        (outbox.pending.kinds, outbox.late_after) = (kinds, push_after / 2);
    }

    fn outbox(&mut self, step: &Step) -> Result<Page, StoreError> {
        let (runtime, session) = self.parts();
        runtime.block_on(session.outbox(step))
    }

    fn wait(&mut self, work: Pin<&mut dyn Future<Output = ()>>) -> News {
        let (runtime, session) = self.parts();
        runtime.block_on(session.wait(work))
    }

    fn announce(&mut self, entry: &Entry) -> Result<Vec<Sibling>, StoreError> {
        let (runtime, session) = self.parts();
        runtime.block_on(session.announce(entry))
    }

    fn withdraw(&mut self, server: u64) -> Result<(), StoreError> {
        let (runtime, session) = self.parts();
        runtime.block_on(session.withdraw(server))
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        if let Some(StoreSession { link: Link::Up(pool, _), .. }) = self.session.take() {
            // Good-bye is a courtesy.
            drop(self.runtime.block_on(async { tokio::time::timeout(reconnect::IDLE, pool.close()).await }));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let session = self.session.as_ref().expect("the session is there until the store is dropped");
        format!("{}, {}", session.server.version, session.url)
    }

    fn warnings(&self) -> Vec<String> {
        self.session.as_ref().map_or_else(Vec::new, |session| session.server.warnings.clone())
    }
}

impl Drop for MySql {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.session = None;
    }
}

impl StoreSession {
    async fn perform(
        &mut self,
        orders: &[Order],
        outcomes: &mut Vec<Outcome>,
    ) -> Result<Committed, StoreError> {
        self.replace().await;
        self.stay_connected().await?;
        let began = Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            let fault = match self.without_locked(orders, outcomes).await {
                Ok(committed) => {
                    self.heard = Instant::now();
                    return Ok(committed);
                }
                Err(fault) => fault,
            };
            self.cache.rolled_back();
            self.dissolved = Dissolved::Remains;
            match fault {
                Fault::Lost(why) => return Err(StoreError::Down(self.lose(why))),
                Fault::Contended(why) | Fault::Exists(why) | Fault::Locked(why) => {
                    self.roll_back().await?;
                    if tries >= TRIES && began.elapsed() > CONTENDED {
                        return Err(StoreError::Down(format!("{}: {why}", self.url)));
                    }
                }
                Fault::Down(why) | Fault::Full(why) => {
                    self.unprobed = true;
                    self.roll_back().await?;
                    return Err(StoreError::Down(format!("{}: {why}", self.url)));
                }
                Fault::Unexpected(why) | Fault::UsedUp(why) => {
                    self.roll_back().await?;
                    return Err(StoreError::Order(why));
                }
            }
        }
    }

    async fn announce(&mut self, entry: &Entry) -> Result<Vec<Sibling>, StoreError> {
        let met = siblings::announce(self.writer().await?, entry).await;
        self.minded(met).await
    }

    async fn withdraw(&mut self, server: u64) -> Result<(), StoreError> {
        let parted = siblings::withdraw(self.writer().await?, server).await;
        self.minded(parted).await
    }

    async fn outbox(&mut self, step: &Step) -> Result<Page, StoreError> {
        self.replace().await;
        self.stay_connected().await?;
        let Self { link, cache, .. } = self;
        let done = match link {
            Link::Up(pool, _) => cache.outbox.step(&mut pool.writer, step).await,
            Link::Down { why, .. } => return Err(StoreError::Down(why.clone())),
        };
        self.minded(done).await
    }

    /// The connection that writes, if there is one.
    async fn writer(&mut self) -> Result<&mut Client, StoreError> {
        self.replace().await;
        self.stay_connected().await?;
        match &mut self.link {
            Link::Up(pool, _) => Ok(&mut pool.writer),
            Link::Down { why, .. } => Err(StoreError::Down(why.clone())),
        }
    }

    /// What came of something that is no batch: if it came to nothing, nothing of it stays.
    async fn minded<T>(&mut self, did: DbResult<T>) -> Result<T, StoreError> {
        match did {
            Ok(done) => {
                self.heard = Instant::now();
                Ok(done)
            }
            Err(Fault::Lost(why)) => Err(StoreError::Down(self.lose(why))),
            Err(fault) => {
                self.roll_back().await?;
                Err(StoreError::Down(format!("{}: {}", self.url, fault.why())))
            }
        }
    }

    /// Tries to carry out a batch. What needs rows that somebody else has locked is deferred.
    async fn without_locked(&mut self, orders: &[Order], outcomes: &mut Vec<Outcome>) -> DbResult<Committed> {
        let mut deferred = Vec::new();
        if !self.locked_rows.is_empty() {
            deferred = self.look_for_locked(orders).await?;
        }
        let mut done = self.once(orders, outcomes, &deferred).await;
        if let Err(Fault::Locked(_)) = done {
            self.cache.rolled_back();
            self.roll_back().await.map_err(|error| Fault::Lost(error.to_string()))?;
            deferred = self.look_for_locked(orders).await?;
            if !self.locked_rows.is_empty() {
                done = self.once(orders, outcomes, &deferred).await;
            }
        }
        self.retry_deferred = deferred.contains(&true);
        done
    }

    async fn look_for_locked(&mut self, orders: &[Order]) -> DbResult<Vec<bool>> {
        let Link::Up(pool, _) = &mut self.link else { return Ok(Vec::new()) };
        let were_locked = !self.locked_rows.is_empty();
        let deferred = self.locked_rows.look(&mut pool.writer, orders).await?;
        pool.writer.run("ROLLBACK").await?;
        if !were_locked && !self.locked_rows.is_empty() {
            let (which, url) = (self.locked_rows.example(), &self.url);
            warn!(
                "{url}: somebody else has locked rows for long ({which}): what needs them waits, or gets 110"
            );
        }
        Ok(deferred)
    }

    /// Tries to carry out what of a batch is not deferred.
    async fn once(
        &mut self,
        orders: &[Order],
        outcomes: &mut Vec<Outcome>,
        deferred: &[bool],
    ) -> DbResult<Committed> {
        let Link::Up(pool, _) = &mut self.link else {
            let Link::Down { why, .. } = &self.link else { unreachable!("it is either") };
            return Err(Fault::Lost(why.clone()));
        };
        let mut batch = Batch::new(orders, &self.limits, deferred);
        let mut committed = Committed::Nothing;
        if batch.writes() {
            pool.writer.changed = 0;
            batch.write(&mut pool.writer, &mut self.cache).await?;
            pool.writer.run("COMMIT").await?;
            self.cache.committed();
            if pool.writer.changed > 0 {
                committed = Committed::Changes;
                self.unprobed = false;
            }
        }
        let left = reads::perform(&mut batch, orders, &self.limits, &mut pool.readers).await;
        for index in left {
            let outcome = match batch::read(&mut pool.writer, &self.limits, &orders[index]).await {
                Ok(outcome) => outcome,
                // What was committed is committed, whatever becomes of what is only read.
                Err(_) if committed == Committed::Changes => Outcome::Reply(Err(Code::Busy)),
                Err(fault) => return Err(fault),
            };
            batch.set(index, outcome);
        }
        if orders.iter().any(|order| {
            matches!(order, Order::Request(chatd_chat::port::store::StoreRequest::DelGroup { .. }))
        }) {
            self.dissolved = Dissolved::Remains;
        }
        outcomes.extend(batch.finish());
        self.sweep().await;
        Ok(committed)
    }

    /// Deletes some messages of dissolved groups, and what else is of no use any more. If that does not
    /// work, another time it will.
    async fn sweep(&mut self) {
        let Link::Up(pool, _) = &mut self.link else { return };
        if let Some(forgotten) = self.cache.forgotten.take() {
            let done = messages::forget_aliases(&mut pool.writer, forgotten).await;
            if pool.writer.run(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }).await.is_err() {
                return;
            }
        }
        if self.dissolved == Dissolved::Gone {
            return;
        }
        let swept = groups::sweep(&mut pool.writer, SWEEP_MESSAGES).await;
        let end = if swept.is_ok() { "COMMIT" } else { "ROLLBACK" };
        if pool.writer.run(end).await.is_ok() && swept.is_ok_and(|swept| swept < SWEEP_MESSAGES) {
            self.dissolved = Dissolved::Gone;
        }
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        let Link::Up(pool, _) = &mut self.link else { return Ok(()) };
        let rolled_back = pool.writer.run("ROLLBACK").await;
        rolled_back.map_err(|fault| StoreError::Down(self.lose(fault.why())))
    }
}
