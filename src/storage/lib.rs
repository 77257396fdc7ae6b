//! Answers questions, on threads of its own.
//!
//! Owns what is remembered: users, groups, messages and who still has to get them. The cores ask
//! through one bounded queue ([`StoreCall`]) and are answered through a queue each; in between, the
//! [`worker`] makes one transaction of all that waits, the [`Store`] performs it, and passwords take
//! a detour over the [`pool`]. Never knows a session, a socket or an executor.
//!
//! [`open`] holds the one `match` that chooses the store.

// Those who work on a crate read its pages with its private items.
#![allow(rustdoc::private_intra_doc_links)]

pub mod admission;
pub mod auth_hook;
mod changes;
#[doc(hidden)]
pub mod contract;
mod dedup_windows;
pub mod embedded;
mod expiry;
mod group_rules;
mod guesses;
pub mod health;
mod history;
mod http;
pub mod jwt;
mod key;
mod kind;
mod merge;
pub mod migrate;
pub mod mysql;
pub mod names;
mod open_error;
pub mod outbox;
pub mod password;
pub mod pool;
mod rates;
pub mod replies;
#[cfg(test)]
mod scratch;
pub mod search;
mod shares;
pub mod siblings;
mod suspects;
mod sync;
mod token;
pub mod worker;

use admission::Admission;
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::Who;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{ReplyQueue, StoreCall, StoreReply, StoreRequest, StoreResult, Verified};
use futures_lite::future;
use health::News;
pub use http::is_this_machine;
pub use mysql::MySqlUrl;
pub use open_error::OpenError;
use password::Cost;
use search::{Indexed, Searcher};
use siblings::{Entry, Sibling};
use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
#[doc(hidden)]
pub use token::password_print;
use worker::Running;

/// Friends aside, the entries (groups and members) that a profile tells about at most. All groups
/// are told; members beyond this are left out.
pub const PROFILE_ENTRIES: usize = 1_500;

/// Where things are kept, and how.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which store.
    pub backend: Backend,
    /// What a new password hash costs.
    pub cost: Cost,
    /// Whose signed word lets users in, if there is somebody.
    pub application: Option<jwt::gate::Application>,
    /// Who is asked about names and passwords, if that is not this server's to know.
    pub hook: Option<Arc<auth_hook::AuthHook>>,
    /// The bounds that the store enforces.
    pub limits: Limits,
    /// Which messages it will be asked to store, so that its history can say whether it is complete.
    pub retention: Retention,
    /// Whether messages are searched, and indexed for that.
    pub search: bool,
    /// Who is told of what happens, if there is somebody.
    pub webhook: Option<outbox::Webhook>,
}

/// Which store it is.
#[derive(Clone, Debug)]
pub enum Backend {
    /// SQLite in this directory, which is made if it is not there.
    Directory(PathBuf),
    /// MySQL or MariaDB, which several servers may share.
    MySql(MySqlUrl),
}

/// What a store is asked: an [`StoreRequest`] whose password, if it had one, was dealt with.
#[derive(Clone, Debug)]
pub enum Order {
    /// Any request but Register, Verify, ChangePassword and Admit.
    Request(StoreRequest),
    /// Make a user. → an [`StoreResult`]: `Registered` | `Refused` (name taken).
    Enroll {
        /// Its name.
        name: String,
        /// Its hashed password.
        hash: String,
    },
    /// Let in whom an application vouches for. → an [`StoreResult`]: `Admitted` | `Refused` (shut out) | `NotYours` (it is
    /// somebody else's word) | `TooMany` (no id is left).
    Admit {
        /// Whom, as the application calls it.
        admission: Admission,
    },
    /// Give a user another password, make all its tokens worthless and give it a new one.
    /// → an [`StoreResult`]: `Issued` | `Refused` (the password is not `old` any more).
    Replace {
        /// Whose.
        user: UserId,
        /// The hash that the old password was compared with.
        old: String,
        /// The new one.
        new: String,
    },
    /// A password was compared with what this account had: let the user in, if it has that still.
    /// → an [`StoreResult`]: `Verified` | `Refused`.
    Confirm {
        /// As it was found before the comparison.
        account: Account,
    },
    /// Find what a password has to match. → [`Outcome::Found`].
    Lookup {
        /// Whose.
        who: Who,
    },
}

/// What a user proves itself with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its id.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// Its hashed password, a PHC string.
    pub hash: String,
}

impl Account {
    /// What is answered to whoever has the password.
    fn verified(&self) -> StoreReply {
        let Self { user, name, hash } = self;
        StoreReply::Verified(Verified { user: *user, name: name.clone(), print: token::password_print(hash) })
    }
}

/// What a store did with an [`Order`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// For the core that asked.
    Reply(StoreResult),
    /// What a lookup found; `None` for unknown users.
    Found(Option<Account>),
    /// Nothing yet: somebody else has locked what it needs. It is to be performed again soon, before anything
    /// that was asked after it. A store that says so comes back from [`Store::wait`] by itself.
    Deferred,
}

/// What it took to commit a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Committed {
    /// Something was written, so the store can write.
    Changes,
    /// There was nothing to write; that says nothing about whether the store could.
    Nothing,
}

/// Why a batch could not be performed. Nothing of it was, then.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreError {
    /// The store as a whole is out of order: disk full, disk failing, locked by somebody else.
    Down(String),
    /// Something about one order, which the others must not suffer from: a bug, or a database that is damaged in
    /// one place. Asked again, it would fail again.
    Order(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Down(why) => f.write_str(why),
            StoreError::Order(why) => write!(f, "one request could not be carried out: {why}"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Something that remembers. One batch is one transaction.
///
/// Refusals (`Err(Code)`) are part of an outcome and concern one order only: what a refused order
/// changed is nothing. When `perform` returns `Ok`, all of the batch is durable.
pub trait Store: Send {
    /// Carries out the orders one after the other, as one transaction: an order sees what the ones
    /// before it did. Appends as many outcomes to `outcomes` as there were orders.
    ///
    /// # Errors
    /// If the batch as a whole failed. Nothing of it is kept then, it may be tried again, and what
    /// was appended means nothing.
    fn perform(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError>;

    /// Writes something of what is written most, and takes it back. Asked when an order has failed, to tell a store
    /// that can store nothing from one that can store anything else.
    ///
    /// # Errors
    /// If the store as a whole is out of order, and why.
    fn probe_write(&mut self) -> Result<(), StoreError>;

    /// The greatest id of a message that the store knows; 0 if it knows none.
    ///
    /// # Errors
    /// If it cannot be read.
    fn greatest_mid(&mut self) -> Result<MessageId, StoreError>;

    /// Says which messages the store will be asked to store from now on, so that its history can say
    /// whether it is complete. Said once, before the first batch.
    ///
    /// # Errors
    /// If that cannot be written down.
    fn set_retention(&mut self, retention: Retention) -> Result<(), StoreError>;

    /// What so many messages for the history weigh in a batch, in which a message that is acknowledged weighs 1.
    fn history_weight(&self, messages: usize) -> usize {
        messages
    }

    /// Waits until `work` is done, and may mind its own business meanwhile: then it may come back
    /// earlier, with news about itself.
    fn wait(&mut self, work: Pin<&mut dyn Future<Output = ()>>) -> News {
        future::block_on(work);
        News::None
    }

    /// Writes down that this server lives, and tells which others wrote that down, and when. A store
    /// that one server has for itself knows no others.
    ///
    /// # Errors
    /// If the store does not work; nothing is written then.
    fn announce(&mut self, _entry: &Entry) -> Result<Vec<Sibling>, StoreError> {
        Ok(Vec::new())
    }

    /// Strikes out what a server wrote down about itself.
    ///
    /// # Errors
    /// If the store does not work.
    fn withdraw(&mut self, _server: u64) -> Result<(), StoreError> {
        Ok(())
    }

    /// Says which events are to be written to the outbox from now on. Said once, before the first batch; if it is not
    /// said, none are. A message is undelivered once it was in a backlog for `push_after`.
    fn set_outbox(&mut self, _kinds: outbox::Kinds, _push_after: Duration) {}

    /// Does what whoever posts asks of the outbox, in a transaction of its own.
    ///
    /// # Errors
    /// If the store does not work; nothing is changed then.
    fn outbox(&mut self, _step: &outbox::Step) -> Result<outbox::Page, StoreError> {
        Ok(outbox::Page::default())
    }

    /// Whether this has something to do for the index of the search when messages were stored: see [`Store::index`].
    fn indexes(&self) -> bool {
        false
    }

    /// Does a little for the index of the search: nobody waits for that, and it takes a few milliseconds.
    ///
    /// # Errors
    /// If the store does not work.
    fn index(&mut self) -> Result<Indexed, StoreError> {
        Ok(Indexed::All)
    }

    /// Whether the index has written so much since this was last so that whoever searches is to settle it:
    /// see [`Searcher::settle`].
    fn is_to_settle(&mut self) -> bool {
        false
    }

    /// Somebody who searches, for a thread of its own; `None` where nobody can.
    ///
    /// # Errors
    /// If the store does not work.
    fn searcher(&mut self) -> Result<Option<Box<dyn Searcher>>, StoreError> {
        Ok(None)
    }

    /// Leaves everything tidy. Nothing is lost if this is never called.
    ///
    /// # Errors
    /// If tidying up failed.
    fn close(self: Box<Self>) -> Result<(), StoreError>;

    /// Which store this is and where, for the start-up screen.
    fn describe(&self) -> String;

    /// What whoever runs it should know, a sentence each: settings that break a promise.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// A store that is open, locked and of the right version, and not yet working.
pub struct Opened {
    store: Box<dyn Store>,
    greatest_mid: MessageId,
    config: Config,
}

/// Opens what `config` names. All that can be wrong with it shows here, before a core is started.
///
/// # Errors
/// If the server cannot run with this store.
pub fn open(config: Config) -> Result<Opened, OpenError> {
    let mut store: Box<dyn Store> = match &config.backend {
        Backend::Directory(directory) => Box::new(embedded::Embedded::open(directory, &config.limits)?),
        Backend::MySql(url) => Box::new(mysql::MySql::open(url, &config.limits)?),
    };
    let told = store.set_retention(config.retention);
    told.map_err(|error| OpenError::Failed(store.describe(), error.to_string()))?;
    if let Some(webhook) = &config.webhook {
        store.set_outbox(webhook.kinds, webhook.push_after);
    }
    let greatest = store.greatest_mid();
    let greatest_mid = greatest.map_err(|error| OpenError::Failed(store.describe(), error.to_string()))?;
    Ok(Opened { store, greatest_mid, config })
}

impl Opened {
    /// Which store this is and where, for the start-up screen.
    pub fn describe(&self) -> String {
        self.store.describe()
    }

    /// The greatest id of a message that the store knows: ids are given after it.
    pub fn greatest_mid(&self) -> MessageId {
        self.greatest_mid
    }

    /// What whoever runs the server should know, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        self.store.warnings()
    }

    /// Starts the threads. They work until every sender of `questions` is gone: dropping those, and
    /// then [`Running::join`], is the way to stop.
    ///
    /// `replies[core]` gets the answers to the questions of `core`; these queues must be unbounded, or
    /// hold a reply for every request of the core, because the threads of all cores wait behind one
    /// that is full. Replies keep the order of the requests, but for Register and Verify, which
    /// take their time aside.
    ///
    /// # Errors
    /// If the operating system gives no thread.
    pub fn start(
        self,
        questions: flume::Receiver<StoreCall>,
        replies: Vec<ReplyQueue>,
    ) -> Result<Running, OpenError> {
        worker::start(self.store, &self.config, questions, replies)
    }
}
