//! The store of a cluster: MySQL or MariaDB, shared by several servers.
//!
//! Owns the runtime that the driver needs (it runs in the storage thread, and nowhere else), the
//! connections, and what becomes of a batch when one of them is lost or another server is in the way.
//! What each ask means in SQL stands in the modules below, an idea each. Never answers before the
//! server has committed.
//!
//! While the server is gone every batch fails at once, and a task connects again.

mod accounts;
mod backlog;
mod batch;
mod blocks;
mod client;
mod fault;
mod groups;
mod held;
mod history;
mod known;
mod line;
mod messages;
mod names;
mod page;
mod reads;
mod reconnect;
mod refusal;
mod row;
mod schema;
mod segment;
mod session;
mod siblings;
mod stored;
mod tokens;
mod touched;
mod url;

use super::health::News;
use super::siblings::{Entry, Sibling};
use super::{Committed, OpenError, Order, Outcome, Store, StoreError};
use batch::Batch;
use chatd_chat::model::ids::MessageId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::StoreResult;
use chatd_chat::wire::code::Code;
use chatd_process::log;
use client::Client;
use fault::{Did, Fault};
use held::Held;
use known::Known;
use line::Line;
pub use refusal::Refusal;
use std::pin::Pin;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
pub use url::MySqlUrl;

/// What an ask came to; the error is the database's own.
type Answered = Did<StoreResult>;

/// Messages of dissolved groups that are deleted after one batch at most.
const SWEEP_MESSAGES: u64 = 256;
/// How long a batch is tried again while others are in the way, and how often at least.
const CONTENDED: Duration = Duration::from_millis(1_200);
const TRIES: usize = 3;

/// A MySQL or MariaDB.
pub struct MySql {
    /// Declared first: what is dropped with the desk may want to say good-bye in it.
    desk: Option<Desk>,
    runtime: Runtime,
}

/// Everything but the runtime that it runs in.
struct Desk {
    url: MySqlUrl,
    limits: Limits,
    server: line::Server,
    link: Link,
    known: Known,
    held: Held,
    /// Whether orders were set aside that are to be asked again.
    ask_again: bool,
    dissolved: Dissolved,
    /// Whether the server said that it cannot, and has written nothing since.
    unproven: bool,
    /// When the server last answered.
    heard: Instant,
}

/// Whether the server can be reached.
enum Link {
    Up(Box<Line>, Option<JoinHandle<Option<Client>>>),
    Down { why: String, again: JoinHandle<Line>, reasons: flume::Receiver<String> },
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
        let (line, server) = runtime.block_on(line::open(url))?;
        let desk = Desk {
            url: url.clone(),
            limits: limits.clone(),
            server,
            link: Link::Up(Box::new(line), None),
            known: Known::default(),
            held: Held::default(),
            ask_again: false,
            dissolved: Dissolved::Remains,
            unproven: false,
            heard: Instant::now(),
        };
        Ok(Self { desk: Some(desk), runtime })
    }

    fn parts(&mut self) -> (&Runtime, &mut Desk) {
        (&self.runtime, self.desk.as_mut().expect("the desk is there until the store is dropped"))
    }
}

impl Store for MySql {
    fn perform(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        let (runtime, desk) = self.parts();
        runtime.block_on(desk.perform(batch, outcomes))
    }

    fn prove(&mut self) -> Result<(), StoreError> {
        let (runtime, desk) = self.parts();
        runtime.block_on(desk.prove())
    }

    fn greatest_mid(&mut self) -> Result<MessageId, StoreError> {
        let (runtime, desk) = self.parts();
        let Link::Up(line, _) = &mut desk.link else {
            return Err(StoreError::Down(format!("{} is gone", desk.url)));
        };
        let greatest = runtime.block_on(async {
            let greatest = history::greatest_mid(&mut line.writer).await?;
            line.writer.run("COMMIT").await.map(|()| greatest)
        });
        greatest.map_err(|fault| StoreError::Down(fault.why()))
    }

    fn will_keep(&mut self, keep: Retention) -> Result<(), StoreError> {
        let (runtime, desk) = self.parts();
        let Link::Up(line, _) = &mut desk.link else {
            return Err(StoreError::Down(format!("{} is gone", desk.url)));
        };
        let told = runtime.block_on(history::will_keep(&mut line.writer, keep));
        told.map_err(|fault| StoreError::Down(fault.why()))
    }

    fn wait(&mut self, work: Pin<&mut dyn Future<Output = ()>>) -> News {
        let (runtime, desk) = self.parts();
        runtime.block_on(desk.wait(work))
    }

    fn meet(&mut self, entry: &Entry) -> Result<Vec<Sibling>, StoreError> {
        let (runtime, desk) = self.parts();
        runtime.block_on(desk.meet(entry))
    }

    fn part(&mut self, server: u64) -> Result<(), StoreError> {
        let (runtime, desk) = self.parts();
        runtime.block_on(desk.part(server))
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        if let Some(Desk { link: Link::Up(line, _), .. }) = self.desk.take() {
            // Good-bye is a courtesy.
            drop(self.runtime.block_on(async { tokio::time::timeout(reconnect::IDLE, line.close()).await }));
        }
        Ok(())
    }

    fn describe(&self) -> String {
        let desk = self.desk.as_ref().expect("the desk is there until the store is dropped");
        format!("{}, {}", desk.server.version, desk.url)
    }

    fn warnings(&self) -> Vec<String> {
        self.desk.as_ref().map_or_else(Vec::new, |desk| desk.server.warnings.clone())
    }
}

impl Drop for MySql {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        self.desk = None;
    }
}

impl Desk {
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
            let fault = match self.without_held(orders, outcomes).await {
                Ok(committed) => {
                    self.heard = Instant::now();
                    return Ok(committed);
                }
                Err(fault) => fault,
            };
            self.known.rolled_back();
            self.dissolved = Dissolved::Remains;
            match fault {
                Fault::Lost(why) => return Err(StoreError::Down(self.lose(why))),
                Fault::Contended(why) | Fault::Exists(why) | Fault::Held(why) => {
                    self.roll_back().await?;
                    if tries >= TRIES && began.elapsed() > CONTENDED {
                        return Err(StoreError::Down(format!("{}: {why}", self.url)));
                    }
                }
                Fault::Down(why) | Fault::Full(why) => {
                    self.unproven = true;
                    self.roll_back().await?;
                    return Err(StoreError::Down(format!("{}: {why}", self.url)));
                }
                Fault::Odd(why) | Fault::UsedUp(why) => {
                    self.roll_back().await?;
                    return Err(StoreError::Order(why));
                }
            }
        }
    }

    async fn meet(&mut self, entry: &Entry) -> Result<Vec<Sibling>, StoreError> {
        let met = siblings::meet(self.writer().await?, entry).await;
        self.minded(met).await
    }

    async fn part(&mut self, server: u64) -> Result<(), StoreError> {
        let parted = siblings::part(self.writer().await?, server).await;
        self.minded(parted).await
    }

    /// The connection that writes, if there is one.
    async fn writer(&mut self) -> Result<&mut Client, StoreError> {
        self.replace().await;
        self.stay_connected().await?;
        match &mut self.link {
            Link::Up(line, _) => Ok(&mut line.writer),
            Link::Down { why, .. } => Err(StoreError::Down(why.clone())),
        }
    }

    /// What came of something that is no batch: if it came to nothing, nothing of it stays.
    async fn minded<T>(&mut self, did: Did<T>) -> Result<T, StoreError> {
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

    /// Tries to carry out a batch. What needs rows that somebody else has locked is set `aside`.
    async fn without_held(&mut self, orders: &[Order], outcomes: &mut Vec<Outcome>) -> Did<Committed> {
        let mut aside = Vec::new();
        if !self.held.is_empty() {
            aside = self.look_for_held(orders).await?;
        }
        let mut done = self.once(orders, outcomes, &aside).await;
        if let Err(Fault::Held(_)) = done {
            self.known.rolled_back();
            self.roll_back().await.map_err(|error| Fault::Lost(error.to_string()))?;
            aside = self.look_for_held(orders).await?;
            if !self.held.is_empty() {
                done = self.once(orders, outcomes, &aside).await;
            }
        }
        self.ask_again = aside.contains(&true);
        done
    }

    async fn look_for_held(&mut self, orders: &[Order]) -> Did<Vec<bool>> {
        let Link::Up(line, _) = &mut self.link else { return Ok(Vec::new()) };
        let were_held = !self.held.is_empty();
        let aside = self.held.look(&mut line.writer, orders).await?;
        line.writer.run("ROLLBACK").await?;
        if !were_held && !self.held.is_empty() {
            let (which, url) = (self.held.example(), &self.url);
            log::line(format_args!(
                "{url}: somebody else has locked rows for long ({which}): what needs them waits, or gets 110"
            ));
        }
        Ok(aside)
    }

    /// Tries to carry out what of a batch is not set aside.
    async fn once(
        &mut self,
        orders: &[Order],
        outcomes: &mut Vec<Outcome>,
        aside: &[bool],
    ) -> Did<Committed> {
        let Link::Up(line, _) = &mut self.link else {
            let Link::Down { why, .. } = &self.link else { unreachable!("it is either") };
            return Err(Fault::Lost(why.clone()));
        };
        let mut batch = Batch::new(orders, &self.limits, aside);
        let mut committed = Committed::Nothing;
        if batch.writes() {
            line.writer.changed = 0;
            batch.write(&mut line.writer, &mut self.known).await?;
            line.writer.run("COMMIT").await?;
            self.known.committed();
            if line.writer.changed > 0 {
                committed = Committed::Changes;
                self.unproven = false;
            }
        }
        let left = reads::perform(&mut batch, orders, &self.limits, &mut line.readers).await;
        for place in left {
            let outcome = match batch::read(&mut line.writer, &self.limits, &orders[place]).await {
                Ok(outcome) => outcome,
                // What was committed is committed, whatever becomes of what is only read.
                Err(_) if committed == Committed::Changes => Outcome::Reply(Err(Code::Busy)),
                Err(fault) => return Err(fault),
            };
            batch.set(place, outcome);
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
        let Link::Up(line, _) = &mut self.link else { return };
        if let Some(forgotten) = self.known.forgotten.take() {
            let done = messages::forget_aliases(&mut line.writer, forgotten).await;
            if line.writer.run(if done.is_ok() { "COMMIT" } else { "ROLLBACK" }).await.is_err() {
                return;
            }
        }
        if self.dissolved == Dissolved::Gone {
            return;
        }
        let swept = groups::sweep(&mut line.writer, SWEEP_MESSAGES).await;
        let end = if swept.is_ok() { "COMMIT" } else { "ROLLBACK" };
        if line.writer.run(end).await.is_ok() && swept.is_ok_and(|swept| swept < SWEEP_MESSAGES) {
            self.dissolved = Dissolved::Gone;
        }
    }

    async fn roll_back(&mut self) -> Result<(), StoreError> {
        let Link::Up(line, _) = &mut self.link else { return Ok(()) };
        let rolled_back = line.writer.run("ROLLBACK").await;
        rolled_back.map_err(|fault| StoreError::Down(self.lose(fault.why())))
    }
}
