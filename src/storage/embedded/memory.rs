//! What the embedded store knows without asking the file, and what it has not written yet.
//!
//! One process writes, so what was read once is so until this process changes it. All of it but the [`Places`] that wait is
//! forgotten when a transaction is not committed. Bounded: last places by [`CONVERSATIONS`], users who do not
//! take everybody's messages by their number, and backlog entries by what one batch stores.

use super::index::Indexer;
use super::places::Places;
use super::{accounts, consent, outbox, row};
use crate::outbox::pending::Pending;
use chatd_chat::model::consent::WhoWrites;
use chatd_chat::model::ids::{MessageId, UserId};
use rusqlite::{Connection, params};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

/// Conversations whose last place is remembered: so many that were used lately, at most twice as many.
const CONVERSATIONS: usize = 1 << 16;

/// See above.
pub struct Memory {
    pub places: Places,
    pub indexer: Indexer,
    pub outbox: Pending,
    /// Of messages up to this one whatever still is in a backlog was told of; none if nobody has looked since the start.
    pub undelivered_upto: Option<MessageId>,
    /// The last places of conversations, the smaller id first. `older` is asked when `last_positions` does
    /// not know, and goes when that is full. Between them they have every conversation that was given a place
    /// which waits, since there are more of them than may wait.
    last_positions: FxHashMap<(UserId, UserId), u64>,
    older: FxHashMap<(UserId, UserId), u64>,
    /// Who does not take everybody's messages, and what it has chosen: who blocks somebody is here, too. Not read yet if
    /// there is none.
    choosers: Option<FxHashMap<UserId, WhoWrites>>,
    /// Backlog entries of what was stored in this batch. Sorted: neighbours are written together.
    backlog_entries: BTreeSet<(UserId, i64)>,
}

impl Memory {
    /// What the file has is not known yet, but for what it lacks.
    pub fn load(db: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            places: Places::load(db)?,
            indexer: Indexer::load(db)?,
            outbox: Pending::default(),
            undelivered_upto: None,
            last_positions: FxHashMap::default(),
            older: FxHashMap::default(),
            choosers: None,
            backlog_entries: BTreeSet::new(),
        })
    }

    /// The transaction is not committed.
    pub fn forget(&mut self) {
        self.places.rolled_back();
        self.last_positions.clear();
        self.older.clear();
        self.choosers = None;
        self.backlog_entries.clear();
        self.outbox.clear();
    }

    /// The last place in the conversation of two users.
    pub fn last_pos(&mut self, db: &Connection, one: UserId, other: UserId) -> rusqlite::Result<u64> {
        let pair = (one.min(other), one.max(other));
        if let Some(last) = self.last_positions.get(&pair).or_else(|| self.older.get(&pair)) {
            return Ok(*last);
        }
        self.places.last(db, pair)
    }

    /// The last place in a conversation is now this one.
    pub fn set_last_pos(&mut self, one: UserId, other: UserId, pos: u64) {
        if self.last_positions.len() >= CONVERSATIONS {
            self.older = std::mem::take(&mut self.last_positions);
        }
        self.last_positions.insert((one.min(other), one.max(other)), pos);
    }

    /// Whether `user` refuses the messages of `sender`.
    pub fn refuses(&mut self, db: &Connection, user: UserId, sender: UserId) -> rusqlite::Result<bool> {
        let choosers = match &self.choosers {
            Some(choosers) => choosers,
            None => self.choosers.insert(read_choosers(db)?),
        };
        let Some(&who_writes) = choosers.get(&user).filter(|_| user != sender) else { return Ok(false) };
        let blocks = || {
            db.prepare_cached("SELECT 1 FROM blocked WHERE userid = ?1 AND blocked = ?2")?
                .exists(params![user.get(), sender.get()])
        };
        Ok(match who_writes {
            WhoWrites::None => true,
            WhoWrites::Friends => !accounts::has_friend(db, user, sender)? || blocks()?,
            WhoWrites::All => blocks()?,
        })
    }

    /// `user` blocks somebody.
    pub fn blocker(&mut self, user: UserId) {
        if let Some(choosers) = &mut self.choosers {
            choosers.entry(user).or_default();
        }
    }

    /// `user` has chosen who writes to it.
    pub fn chooses(&mut self, user: UserId, who_writes: WhoWrites) {
        if let Some(choosers) = &mut self.choosers {
            choosers.insert(user, who_writes);
        }
    }

    /// A message that was stored just now is in a backlog. The entry is written at the end of the batch, if it is
    /// not taken out by then.
    pub fn add_backlog_entry(&mut self, user: UserId, mid: i64) {
        self.backlog_entries.insert((user, mid));
    }

    /// Whether a backlog entry is there that is not written yet.
    pub fn has_backlog_entry(&self, user: UserId, mid: i64) -> bool {
        self.backlog_entries.contains(&(user, mid))
    }

    /// Takes out a backlog entry that is not written yet; whether there was one.
    pub fn drop_backlog_entry(&mut self, user: UserId, mid: i64) -> bool {
        self.backlog_entries.remove(&(user, mid))
    }

    /// Writes the backlog entries.
    pub fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.backlog_entries.is_empty() {
            return Ok(());
        }
        let mut statement = db.prepare_cached("INSERT INTO offlinemessage (userid, mid) VALUES (?1, ?2)")?;
        for (user, mid) in std::mem::take(&mut self.backlog_entries) {
            statement.execute(params![user.get(), mid])?;
            outbox::tell_if_late(db, self, user, mid)?;
        }
        Ok(())
    }
}

fn read_choosers(db: &Connection) -> rusqlite::Result<FxHashMap<UserId, WhoWrites>> {
    let mut blockers = db.prepare_cached("SELECT DISTINCT userid FROM blocked")?;
    let blockers = blockers.query_map([], |found| Ok((row::user(found, 0)?, WhoWrites::All)))?;
    let mut choosers: FxHashMap<UserId, WhoWrites> = blockers.collect::<rusqlite::Result<_>>()?;
    choosers.extend(consent::choosers(db)?);
    Ok(choosers)
}
