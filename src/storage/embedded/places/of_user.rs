//! The direct conversations of one user: their last messages, and how many of the messages are its own.
//!
//! What waits is looked through once, for all of them.

use super::{BY_HIGH, Entry, MID_BYTES, Places, UP, find};
use crate::embedded::row;
use crate::history::Window;
use chatd_chat::model::ids::{MessageId, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;

const LAST_RUN: &str =
    "SELECT first, mids FROM place WHERE low = ?1 AND high = ?2 ORDER BY first DESC LIMIT 1";

/// Where a conversation ends.
#[derive(Clone, Copy)]
pub struct Last {
    pub pos: u64,
    pub mid: MessageId,
    /// How many messages after the place that was asked for are the user's own; `None` if more runs have to be read.
    pub own: Option<u64>,
}

/// See above.
pub struct PlacesOfUser {
    user: UserId,
    /// What the table lacks, by who the other one is.
    waiting: FxHashMap<UserId, Vec<Entry>>,
}

impl Places {
    /// Those of a user.
    pub fn of_user(&self, user: UserId) -> PlacesOfUser {
        let mut waiting: FxHashMap<UserId, Vec<Entry>> = FxHashMap::default();
        for entry in &self.waiting {
            if entry.low == user {
                waiting.entry(entry.high).or_default().push(*entry);
            } else if entry.high == user {
                waiting.entry(entry.low).or_default().push(*entry);
            }
        }
        PlacesOfUser { user, waiting }
    }
}

impl PlacesOfUser {
    /// Where a conversation ends, and, if the last run and what waits tell it, how many messages after `after` are the
    /// user's own.
    pub fn last(&self, db: &Connection, peer: UserId, after: u64) -> rusqlite::Result<Option<Last>> {
        let mut statement = db.prepare_cached(LAST_RUN)?;
        let ids = [self.user.min(peer).get(), self.user.max(peer).get()];
        let written = statement.query_row(ids, |found| {
            let (first, mids) = (row::number(found, 0)?, runs(found)?);
            let last = mids.last().map(|mid| MessageId(u64::from_be_bytes(*mid) & !BY_HIGH));
            let own = (after + 1 >= first).then(|| self.own_of_run(peer, first, mids, after));
            Ok(last.map(|mid| Last { pos: first + mids.len() as u64 - 1, mid, own }))
        });
        let written = written.optional()?.flatten();
        let waiting = self.waiting_with(peer).iter().max_by_key(|entry| entry.pos);
        let own = written.map_or(Some(0), |last| last.own).map(|own| own + self.own_waiting(peer, after));
        // What came late was written at once, and may have a greater place than what waits.
        let waiting = waiting.map(|entry| Last { pos: entry.pos, mid: entry.mid, own });
        let last = waiting.into_iter().chain(written).max_by_key(|last| last.pos);
        Ok(last.map(|last| Last { own, ..last }))
    }

    /// How many messages after `after` are the user's own.
    pub fn own(&self, db: &Connection, peer: UserId, after: u64) -> rusqlite::Result<u64> {
        let (low, high) = (self.user.min(peer), self.user.max(peer));
        let mut statement = db.prepare_cached(UP)?;
        let mut found = statement.query(params![low.get(), high.get(), row::sql_number(after)])?;
        let mut own = self.own_waiting(peer, after);
        while let Some(found) = found.next()? {
            own += self.own_of_run(peer, row::number(found, 0)?, runs(found)?, after);
        }
        Ok(own)
    }

    /// The first messages after `after`, `most` at most.
    pub fn find(
        &self,
        db: &Connection,
        peer: UserId,
        after: u64,
        most: usize,
    ) -> rusqlite::Result<Vec<(u64, MessageId)>> {
        find(db, (self.user, peer), Window::Up(after), most, self.waiting_with(peer))
    }

    fn own_of_run(&self, peer: UserId, first: u64, mids: &[[u8; MID_BYTES]], after: u64) -> u64 {
        let first_bit = if self.user > peer { 0x80 } else { 0 };
        let skipped = (after + 1).saturating_sub(first).min(mids.len() as u64) as usize;
        mids[skipped..].iter().filter(|mid| mid[0] & 0x80 == first_bit).count() as u64
    }

    fn own_waiting(&self, peer: UserId, after: u64) -> u64 {
        let is_high = self.user > peer;
        let own = |entry: &&Entry| entry.pos > after && entry.by_high == is_high;
        self.waiting_with(peer).iter().filter(own).count() as u64
    }

    fn waiting_with(&self, peer: UserId) -> &[Entry] {
        self.waiting.get(&peer).map_or(&[], Vec::as_slice)
    }
}

fn runs<'r>(found: &'r rusqlite::Row<'_>) -> rusqlite::Result<&'r [[u8; MID_BYTES]]> {
    Ok(found.get_ref(1)?.as_bytes()?.as_chunks::<MID_BYTES>().0)
}
