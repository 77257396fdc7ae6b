//! The embedded store: SQLite in a directory of its own.
//!
//! Owns the database file, the lock on its directory and the transaction around every batch. What
//! each request means in SQL stands in the modules below, an idea each. Never answers before the disk
//! has it: WAL with `synchronous=FULL` is an fsync for every commit.
//!
//! How a refused request is kept apart from its batch: every request checks first and writes then, and a
//! statement that fails takes back only itself. So a request that is refused has changed nothing, and
//! no savepoint is needed.

mod account_acts;
mod accounts;
mod admissions;
mod backlog;
pub mod backup;
mod blocks;
mod changes;
mod consent;
mod directory;
mod group_rows;
mod group_rules;
mod groups;
mod heads;
mod history;
mod index;
mod markers;
mod memory;
mod messages;
mod names;
mod outbox;
mod page;
mod places;
mod row;
mod rows;
mod search;
mod sync;
#[cfg(test)]
mod tests;
mod tokens;
mod untold;

use super::merge::PageLimit;
use super::names::Clash;
use super::outbox::{Kinds, Page, Step};
use super::search::{Indexed, Searcher};
use super::token::Uses;
use super::{Committed, OpenError, Order, Outcome, Store, StoreError, migrate};
use crate::group_rules::Asked;
use chatd_chat::model::ids::MessageId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{Issue, StoreReply, StoreRequest, StoreResult};
use chatd_chat::wire::code::Code;
use directory::Directory;
use memory::Memory;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};
use std::path::Path;
use std::time::Duration;

/// Messages of dissolved groups that one batch deletes at most, so that it is not kept up by them.
const SWEEP_MESSAGES: usize = 1_000;
/// How long to wait for another program that reads or writes the database. Whoever asked for
/// something hears within two seconds that the store is busy.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Pages in the log that make a commit move them into the database. That makes the commit about 10 ms
/// longer; at 400 pages it would be 8 ms and a fifth fewer messages a second (benches/store.rs).
const CHECKPOINT_PAGES: u32 = 1_000;
/// The same under load: 20 ms, but a sixth less of the CPU a message, for pages that are written again
/// and again are moved once.
const CHECKPOINT_PAGES_UNDER_LOAD: u32 = 4_000;
/// Rows that a batch changes, from which on that is load.
const LOAD_ROWS: u64 = 128;

/// Writes a message of nobody, which has an id that no message has. It is never committed.
const PROBE: &str = "BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON;
    INSERT INTO message (mid, ts, sender, recipient, pos, body)
    SELECT min(coalesce(min(mid), 0), 0) - 1, 0, 0, 0, 1, '' FROM message";

/// What a request came to; the error is the database's own.
type Answered = rusqlite::Result<StoreResult>;

/// SQLite and the directory that it lives in.
pub struct Embedded {
    db: Connection,
    directory: Directory,
    limits: Limits,
    dissolved: Dissolved,
    memory: Memory,
    uses: Uses,
    /// How long it waits for another program.
    patience: Duration,
    checkpoint_pages: u32,
}

/// Whether messages of dissolved groups are left to be deleted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dissolved {
    Gone,
    Remains,
}

impl Embedded {
    /// Opens the database in `directory`, making both if they are not there.
    ///
    /// # Errors
    /// If the directory cannot be used, is in use, or holds something else or something newer.
    pub fn open(directory: &Path, limits: &Limits) -> Result<Self, OpenError> {
        let directory = Directory::claim(directory)?;
        directory.provide(|new| {
            let failed = |error: rusqlite::Error| migrate::explain(&error, new);
            let mut db = Connection::open(new).map_err(failed)?;
            migrate::migrate(&mut db, new, migrate::SQLITE)?;
            db.close().map_err(|(_, error)| failed(error))
        })?;
        let path = directory.database();
        let mut db = Connection::open(&path).map_err(|error| migrate::explain(&error, &path))?;
        // Before anything is set: what is not ours is not touched.
        migrate::check(&db, &path, migrate::SQLITE)?;
        tune(&db).map_err(|error| migrate::explain(&error, &path))?;
        migrate::migrate(&mut db, &path, migrate::SQLITE)?;
        let clashes = names::fold_all(&mut db).map_err(|error| migrate::explain(&error, &path))?;
        clashes.into_iter().for_each(Clash::report);
        let memory = Memory::load(&db).map_err(|error| migrate::explain(&error, &path))?;
        Ok(Self {
            db,
            directory,
            limits: limits.clone(),
            dissolved: Dissolved::Remains,
            memory,
            uses: Uses::default(),
            patience: PATIENCE,
            checkpoint_pages: CHECKPOINT_PAGES,
        })
    }

    fn one(&mut self, order: &Order) -> rusqlite::Result<Outcome> {
        let answer = match order {
            Order::Enroll { name, hash } => accounts::enroll(&self.db, name, hash),
            Order::Admit { admission } => {
                admissions::admit(&self.db, &mut self.memory, &self.limits, admission)
            }
            Order::Lookup { who } => return accounts::lookup(&self.db, who).map(Outcome::Found),
            Order::Confirm { account } => accounts::confirm(&self.db, account),
            Order::Replace { user, old, new } => {
                tokens::replace_password(&self.db, &self.limits, &mut self.uses, *user, old, new)
            }
            Order::Request(request) => self.request(request),
        };
        let answer = answer?;
        self.memory.outbox.told(order, &answer);
        Ok(Outcome::Reply(answer))
    }

    fn request(&mut self, request: &StoreRequest) -> Answered {
        let (db, limits, memory, uses) = (&self.db, &self.limits, &mut self.memory, &mut self.uses);
        match request {
            StoreRequest::Register { .. }
            | StoreRequest::Verify { .. }
            | StoreRequest::Admit { .. }
            | StoreRequest::ChangePassword { .. } => {
                panic!("the worker turns passwords into other orders")
            }
            StoreRequest::Remember { .. } => panic!("the worker remembers it"),
            StoreRequest::Search { .. } => panic!("whoever searches does it aside"),
            StoreRequest::Resume { secret, device } => {
                tokens::resume(db, limits, uses, secret, device.as_deref())
            }
            StoreRequest::Account(act) => account_acts::perform(db, limits, (uses, &mut memory.outbox), act),
            StoreRequest::LoadProfile { .. } => self.load_profile(request),
            StoreRequest::Revoke { user, token } => tokens::revoke(db, *user, *token),
            StoreRequest::Devices { user } => tokens::devices(db, limits, *user),
            StoreRequest::CheckProofs { user, proofs } => tokens::check(db, *user, proofs),
            StoreRequest::DropDevice { user, token } => tokens::drop_device(db, *user, *token),
            StoreRequest::SetPushToken { user, device, push } => {
                tokens::set_push_token(db, *user, *device, push.as_ref())
            }
            StoreRequest::Heads { user, before, heads } => {
                let page = heads::page(db, &memory.places, *user, *before, *heads)?;
                Ok(Ok(StoreReply::Heads(page)))
            }
            StoreRequest::Sync { user, since, wanted, messages, bytes } => {
                let limit = PageLimit { messages: *messages, bytes: *bytes };
                sync::sync(db, memory, *user, (since, *wanted), limit)
            }
            StoreRequest::Alter { .. } => self.alter(request),
            StoreRequest::MoveMarker { user, conversation: of, pos } => {
                markers::move_marker(db, memory, *user, *of, *pos)
            }
            StoreRequest::FindPlaces { mids } => sync::find_places(db, mids),
            StoreRequest::Find { user, who } => accounts::find(db, *user, who),
            StoreRequest::Hidden { user } => accounts::hidden(db, *user),
            StoreRequest::Block { user, blocked } => blocks::block(db, memory, limits, *user, *blocked),
            StoreRequest::Unblock { user, blocked } => blocks::unblock(db, *user, *blocked),
            StoreRequest::Members { user, group, after, members } => {
                groups::page_of_members(db, *user, *group, *after, *members)
            }
            StoreRequest::History { user, conversation, span, wanted, messages, bytes } => {
                let limit = PageLimit { messages: *messages, bytes: *bytes };
                history::history((db, &memory.places), *user, (*conversation, *span), *wanted, limit)
            }
            StoreRequest::Friends { user } => accounts::friends(db, limits, *user),
            StoreRequest::Acquaintances { user } => blocks::acquaintances(db, limits, *user),
            StoreRequest::AddFriend { user, friend } => accounts::add_friend(db, limits, *user, *friend),
            StoreRequest::DelFriend { user, friend, parting } => {
                accounts::del_friend(db, *user, *friend, *parting)
            }
            StoreRequest::AskFriend { user, friend, note, cid } => {
                consent::ask(db, limits, (*user, *friend), note, cid.as_deref())
            }
            StoreRequest::AnswerFriend { user, friend, answer } => {
                consent::answer(db, limits, (*user, *friend), *answer)
            }
            StoreRequest::SaveSettings { user, change } => consent::save_settings(db, memory, *user, *change),
            StoreRequest::CreateGroup { user, name, desc } => groups::create(db, limits, *user, name, desc),
            StoreRequest::AddGroup { user, group, row } => {
                groups::join(db, memory, limits, (*user, *group), *row)
            }
            StoreRequest::DelGroup { user, group, row } => {
                self.dissolved = Dissolved::Remains;
                groups::leave(db, memory, *user, *group, *row)
            }
            StoreRequest::RuleGroup { user, group, rule, row, cid } => {
                let asked = Asked { user: *user, group: *group, row: *row, cid: cid.as_deref() };
                group_rules::rule(db, memory, limits, &asked, rule)
            }
            StoreRequest::JoinRequests { user, group } => group_rules::join_requests(db, *user, *group),
            StoreRequest::CheckMembership { user, group } => groups::may_write(db, *user, *group),
            StoreRequest::StoreMessage { envelope } => messages::store(db, memory, envelope),
            StoreRequest::AppendHistory { envelopes } => messages::append_history(db, memory, envelopes),
            StoreRequest::AckDelivered { user, mids, cursors } => {
                backlog::ack_delivered(db, memory, *user, mids, cursors)
            }
            StoreRequest::FetchBacklog { user, after, have, messages, bytes } => {
                memory.write(db)?;
                page::fetch(db, *user, *after, have, PageLimit { messages: *messages, bytes: *bytes })
            }
        }
    }

    fn alter(&mut self, request: &StoreRequest) -> Answered {
        let StoreRequest::Alter { user, conversation, pos, alteration, cid, ts } = request else {
            unreachable!("it is another request")
        };
        let (user, conversation, pos, ts, cid) = (*user, *conversation, *pos, *ts, cid.as_deref());
        let request = crate::changes::Request { user, conversation, pos, alteration, cid, ts };
        changes::alter(&self.db, &mut self.memory, &self.limits, &request)
    }

    fn load_profile(&mut self, request: &StoreRequest) -> Answered {
        let StoreRequest::LoadProfile { user, proof, detail, issue, device, heads } = request else {
            unreachable!("it is another request")
        };
        if !tokens::holds(&self.db, *user, *proof)? {
            return Ok(Err(Code::Refused));
        }
        let mut profile = groups::load_profile(&self.db, &self.limits, *user, *detail)?;
        profile.heads = heads::page(&self.db, &self.memory.places, *user, None, *heads)?;
        if *issue == Issue::Token {
            let (uses, device) = (&mut self.uses, device.as_deref());
            profile.token =
                Some(tokens::issue(&self.db, &self.limits, uses, *user, (device, proof.expires()))?);
        }
        Ok(Ok(StoreReply::Profile(Box::new(profile))))
    }

    fn all(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> rusqlite::Result<()> {
        for order in batch {
            outcomes.push(self.one(order)?);
        }
        self.memory.write(&self.db)?;
        outbox::write(&self.db, &mut self.memory.outbox)?;
        if self.dissolved == Dissolved::Remains {
            let swept = groups::sweep(&self.db, SWEEP_MESSAGES)?;
            if swept > 0 {
                // It may have read some of those.
                self.memory.indexer.forget();
            }
            if swept < SWEEP_MESSAGES {
                self.dissolved = Dissolved::Gone;
            }
        }
        Ok(())
    }

    /// Says how long to wait for another program.
    fn wait_for_others(&mut self, patience: Duration) {
        // It can only fail on a number that does not fit.
        if self.patience != patience && self.db.busy_timeout(patience).is_ok() {
            self.patience = patience;
        }
    }

    /// Says when the log is to be moved into the database.
    fn checkpoint_beyond(&mut self, pages: u32) -> rusqlite::Result<()> {
        if self.checkpoint_pages != pages {
            self.db.pragma_update(None, "wal_autocheckpoint", pages)?;
            self.checkpoint_pages = pages;
        }
        Ok(())
    }

    /// Between BEGIN and COMMIT. Immediate, so that the write lock is waited for at one place.
    fn transaction(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> rusqlite::Result<Committed> {
        let before = self.db.total_changes();
        index::flush_again(&self.db, &mut self.memory.indexer)?;
        self.db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.all(batch, outcomes)?;
        self.memory.places.write_if_due(&self.db)?;
        let changes = self.db.total_changes() - before;
        self.checkpoint_beyond(if changes < LOAD_ROWS {
            CHECKPOINT_PAGES
        } else {
            CHECKPOINT_PAGES_UNDER_LOAD
        })?;
        self.db.prepare_cached("COMMIT")?.execute([])?;
        self.memory.places.committed();
        Ok(if changes == 0 { Committed::Nothing } else { Committed::Changes })
    }
}

impl Store for Embedded {
    fn perform(&mut self, batch: &[Order], outcomes: &mut Vec<Outcome>) -> Result<Committed, StoreError> {
        let failed = match self.transaction(batch, outcomes) {
            Ok(committed) => {
                self.wait_for_others(PATIENCE);
                return Ok(committed);
            }
            Err(error) => error,
        };
        if matches!(failed.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) {
            // Whoever asks next must not wait as long again to hear the same.
            self.wait_for_others(Duration::ZERO);
        }
        self.dissolved = Dissolved::Remains;
        self.memory.forget();
        // After some errors SQLite has rolled back by itself.
        if !self.db.is_autocommit()
            && let Err(error) = self.db.execute_batch("ROLLBACK")
        {
            return Err(StoreError::Down(format!("{failed}, and then {error}")));
        }
        Err(if is_down(&failed) {
            let code = failed.sqlite_error().map_or(0, |error| error.extended_code);
            let path = self.directory.database();
            StoreError::Down(format!("{}: {failed} (SQLite error {code})", path.display()))
        } else {
            StoreError::Order(failed.to_string())
        })
    }

    fn probe_write(&mut self) -> Result<(), StoreError> {
        let path = self.directory.database();
        let down = |why: String| StoreError::Down(format!("{}: {why}", path.display()));
        // A table that is gone, or another version's.
        migrate::check(&self.db, &path, migrate::SQLITE)
            .map_err(|error| StoreError::Down(error.to_string()))?;
        let written = self.db.execute_batch(PROBE);
        let ended = if self.db.is_autocommit() { Ok(()) } else { self.db.execute_batch("ROLLBACK") };
        written.and(ended).map_err(|error| down(error.to_string()))
    }

    fn greatest_mid(&mut self) -> Result<MessageId, StoreError> {
        history::greatest_mid(&self.db).map_err(|error| StoreError::Down(error.to_string()))
    }

    fn set_retention(&mut self, retention: Retention) -> Result<(), StoreError> {
        history::set_retention(&self.db, retention).map_err(|error| StoreError::Down(error.to_string()))
    }

    fn set_outbox(&mut self, kinds: Kinds, _push_after: Duration) {
        self.memory.outbox.kinds = kinds;
    }

    fn outbox(&mut self, step: &Step) -> Result<Page, StoreError> {
        let done = outbox::step(&mut self.db, &mut self.memory, step);
        done.map_err(|error| StoreError::Down(format!("{}: {error}", self.directory.database().display())))
    }

    fn indexes(&self) -> bool {
        true
    }

    fn index(&mut self) -> Result<Indexed, StoreError> {
        let aside = self.checkpoint_beyond(index::CHECKPOINT_PAGES);
        let done = aside.and_then(|()| index::step(&self.db, &mut self.memory.indexer));
        done.map_err(|error| StoreError::Down(format!("{}: {error}", self.directory.database().display())))
    }

    fn is_to_settle(&mut self) -> bool {
        self.memory.indexer.is_to_settle()
    }

    fn searcher(&mut self) -> Result<Option<Box<dyn Searcher>>, StoreError> {
        let reader = search::Reader::open(&self.directory.database());
        reader
            .map(|reader| Some(Box::new(reader) as Box<dyn Searcher>))
            .map_err(|error| StoreError::Down(error.to_string()))
    }

    /// Nobody waits for them, nobody else is kept from their conversations meanwhile, and where a flush takes long there are
    /// many: more of them share one.
    fn history_weight(&self, messages: usize) -> usize {
        messages / 4
    }

    fn close(mut self: Box<Self>) -> Result<(), StoreError> {
        let down = |error: rusqlite::Error| StoreError::Down(error.to_string());
        // The next start has nothing to look for then.
        let placed = self.db.unchecked_transaction().and_then(|transaction| {
            self.memory.places.write(&transaction)?;
            transaction.commit()
        });
        placed.map_err(down)?;
        self.db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").map_err(down)?;
        self.db.close().map_err(|(_, error)| down(error))
    }

    fn describe(&self) -> String {
        format!("embedded (SQLite {}), {}", rusqlite::version(), self.directory.database().display())
    }
}

fn tune(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(PATIENCE)?;
    // Plans do not depend on the values bound, so a statement is never compiled again for them.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.pragma_update(None, "cache_size", -(32 << 10))?;
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Whether an error is about the store as a whole, or about what was asked.
fn is_down(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::ReadOnly
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::OutOfMemory
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
