//! What the embedded store knows without asking the file, and what it has not written yet.
//!
//! One process writes, so what was read once is so until this process changes it. All of it is
//! forgotten when a transaction is not committed. Bounded: places by [`PLACES`], users who block
//! somebody by their number, and what is owed by what one batch keeps.

use super::row;
use chatd_chat::model::ids::UserId;
use rusqlite::{Connection, params};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;

/// Conversations whose last place is remembered: so many that were used lately, at most twice as many.
const PLACES: usize = 1 << 16;

/// See above.
#[derive(Default)]
pub struct Memory {
    /// The last places of conversations, the smaller id first. `older` is asked when `places` does
    /// not know, and goes when that is full.
    places: FxHashMap<(UserId, UserId), u64>,
    older: FxHashMap<(UserId, UserId), u64>,
    /// Who blocks anybody at all; not read yet if there is none.
    blockers: Option<FxHashSet<UserId>>,
    /// What was stored in this batch and is owed to whom. Sorted: neighbours are written together.
    owing: BTreeSet<(UserId, i64)>,
}

impl Memory {
    /// The transaction is not committed.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The last place in the conversation of two users.
    pub fn last_place(&mut self, db: &Connection, one: UserId, other: UserId) -> rusqlite::Result<u64> {
        let pair = (one.min(other), one.max(other));
        if let Some(last) = self.places.get(&pair).or_else(|| self.older.get(&pair)) {
            return Ok(*last);
        }
        db.prepare_cached(
            "SELECT max(ifnull((SELECT max(pos) FROM message WHERE sender = ?1 AND recipient = ?2), 0),
                        ifnull((SELECT max(pos) FROM message WHERE sender = ?2 AND recipient = ?1), 0))",
        )?
        .query_row(params![one.get(), other.get()], |found| row::number(found, 0))
    }

    /// The last place in a conversation is now this one.
    pub fn placed(&mut self, one: UserId, other: UserId, pos: u64) {
        if self.places.len() >= PLACES {
            self.older = std::mem::take(&mut self.places);
        }
        self.places.insert((one.min(other), one.max(other)), pos);
    }

    /// Whether `user` refuses the messages of `sender`.
    pub fn blocks(&mut self, db: &Connection, user: UserId, sender: UserId) -> rusqlite::Result<bool> {
        let blockers = match &self.blockers {
            Some(blockers) => blockers,
            None => {
                let mut all = db.prepare_cached("SELECT DISTINCT userid FROM blocked")?;
                let all = all.query_map([], |found| row::user(found, 0))?.collect::<rusqlite::Result<_>>()?;
                self.blockers.insert(all)
            }
        };
        if !blockers.contains(&user) {
            return Ok(false);
        }
        db.prepare_cached("SELECT 1 FROM blocked WHERE userid = ?1 AND blocked = ?2")?
            .exists(params![user.get(), sender.get()])
    }

    /// `user` blocks somebody.
    pub fn blocker(&mut self, user: UserId) {
        if let Some(blockers) = &mut self.blockers {
            blockers.insert(user);
        }
    }

    /// A message that was stored just now is owed. It is written at the end of the batch, if it is
    /// not settled by then.
    pub fn owe(&mut self, user: UserId, mid: i64) {
        self.owing.insert((user, mid));
    }

    /// Whether a message is owed and not written down yet.
    pub fn owes(&self, user: UserId, mid: i64) -> bool {
        self.owing.contains(&(user, mid))
    }

    /// Whether a message was owed, was not written down yet, and now need not be.
    pub fn settle(&mut self, user: UserId, mid: i64) -> bool {
        self.owing.remove(&(user, mid))
    }

    /// Writes down what is owed.
    pub fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.owing.is_empty() {
            return Ok(());
        }
        let mut statement = db.prepare_cached("INSERT INTO offlinemessage (userid, mid) VALUES (?1, ?2)")?;
        for (user, mid) in std::mem::take(&mut self.owing) {
            statement.execute(params![user.get(), mid])?;
        }
        Ok(())
    }
}
