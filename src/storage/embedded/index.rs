//! The index of the search, filled behind the messages: a little at a time, when nothing else is asked.
//!
//! Owns the tables `search` and `search_again`, and `history.searched_upto`, the id up to which every message is in the
//! index. A message that is stored with an id before it, and one whose text has changed, is written down in `search_again` in
//! the transaction that did it. To index a message twice changes nothing, so a crash costs nothing but what is done again.
//! Never part of a batch: a step is a transaction of its own, which waits for no disk.

use super::row;
use crate::key::Key;
use crate::search::Indexed;
use crate::search::run::{self, Change, Written};
use crate::search::words::fold_body;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, MessageId};
use rusqlite::{Connection, OptionalExtension, params};
use std::time::{Duration, Instant};

/// Messages that are read at one time.
const STEP: usize = 256;
/// Messages that a step puts into runs at most, and of one conversation at one time: these are at most so many runs, and a
/// conversation of which thousands are to be indexed takes several steps.
const PUT: usize = 512;
const PIECE: usize = 64;
/// Messages that a step indexes anew: each may be in a run of its own.
const AGAIN_STEP: usize = 64;
/// How long a step may take, more or less: what comes meanwhile waits for it.
const STEP_TIME: Duration = Duration::from_millis(2);
/// Runs that are written before they are settled, which is so many pages in the log and a few more: what is stored next
/// flushes all of them to the disk.
const SETTLED_RUNS: usize = 1_024;
/// Pages in the log that make a step move them into the database itself: nobody has settled them.
pub const CHECKPOINT_PAGES: u32 = 16_000;
/// Messages that are read before they are written, conversation by conversation, at most.
const GATHERED: usize = 16_384;
/// Bytes of a run. With what else is in its row it fills a page.
const RUN_BYTES: usize = 3_900;

const NEXT: &str = "SELECT mid, sender, recipient, groupid, pos, body FROM message
    WHERE mid > ?1 AND pos IS NOT NULL ORDER BY mid LIMIT ?2";
const AGAIN: &str = "SELECT search_again.mid, sender, recipient, groupid, pos, body
    FROM search_again LEFT JOIN message ON message.mid = search_again.mid LIMIT ?1";
const RUN: &str = "SELECT id, first, run FROM search WHERE low = ?1 AND high = ?2 AND first <= ?3
    ORDER BY first DESC LIMIT 1";

/// See above.
pub struct Indexer {
    upto: MessageId,
    /// Read and not written, by conversation and id.
    gathered: Vec<(Key, Change)>,
    /// What `upto` is once all of that is written.
    next: MessageId,
    /// Whether there was more to be read.
    more: bool,
    /// Runs that were written since that was last to be settled.
    unsettled: usize,
    /// Whether commits do not wait for the disk.
    pub(super) flushes_nothing: bool,
    /// What the last step has done: the bounds of that are bounds of its time.
    #[cfg(test)]
    pub(super) work: Work,
}

/// What a step does.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Work {
    /// Messages that it reads.
    pub(super) read: usize,
    /// Messages that it puts into runs.
    pub(super) put: usize,
    /// Runs that it writes.
    pub(super) runs: usize,
}

impl Indexer {
    pub fn load(db: &Connection) -> rusqlite::Result<Self> {
        let upto = db.query_row("SELECT searched_upto FROM history", [], |found| row::mid(found, 0))?;
        Ok(Self {
            upto,
            gathered: Vec::new(),
            next: upto,
            more: false,
            unsettled: 0,
            flushes_nothing: false,
            #[cfg(test)]
            work: Work::default(),
        })
    }

    /// A message was stored.
    pub fn stored(&self, db: &Connection, mid: MessageId) -> rusqlite::Result<()> {
        // What is gathered is read already.
        if mid <= self.next { changed(db, mid) } else { Ok(()) }
    }

    /// Does a little, in a transaction of its own: of an error it is not taken back here.
    fn step(&mut self, db: &Connection) -> rusqlite::Result<Indexed> {
        let (began, mut work) = (Instant::now(), Work::default());
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        if self.gathered.is_empty() {
            // Not while something is gathered that may be older.
            let again = index_again(db, &mut work)?;
            let read = self.gather(db, began)?;
            self.more = again >= AGAIN_STEP || read >= STEP;
            work.read += read;
        }
        // However slow the machine is, it goes on.
        while let Some(&(key, _)) = self.gathered.last() {
            // The oldest of these first: each run is full before the next one begins.
            let begin = self.gathered.partition_point(|(other, _)| *other < key);
            let end = self.gathered.len().min(begin + PIECE);
            let changes: Vec<Change> = self.gathered.drain(begin..end).map(|(_, change)| change).collect();
            put(db, key, &changes, &mut work)?;
            if work.put >= PUT || began.elapsed() > STEP_TIME {
                break;
            }
        }
        if self.gathered.is_empty() && self.next != self.upto {
            db.prepare_cached("UPDATE history SET searched_upto = ?1")?.execute([row::sql_mid(self.next)])?;
        }
        db.prepare_cached("COMMIT")?.execute([])?;
        if self.gathered.is_empty() {
            self.upto = self.next;
        }
        self.unsettled += work.runs;
        #[cfg(test)]
        {
            self.work = work;
        }
        Ok(if self.more || !self.gathered.is_empty() { Indexed::Partly } else { Indexed::All })
    }

    /// Whether so much was written that it is to be settled. It is said once.
    pub fn is_to_settle(&mut self) -> bool {
        let is_much = self.unsettled >= SETTLED_RUNS;
        if is_much {
            self.unsettled = 0;
        }
        is_much
    }

    /// What was gathered is to be gathered again.
    pub fn forget(&mut self) {
        self.gathered.clear();
        self.next = self.upto;
    }

    /// Reads what follows, for half the time of a step; how many messages that were.
    fn gather(&mut self, db: &Connection, began: Instant) -> rusqlite::Result<usize> {
        let mut read = 0;
        let mut statement = db.prepare_cached(NEXT)?;
        loop {
            let mut rows = statement.query(params![row::sql_mid(self.next), STEP as i64])?;
            let before = read;
            while let Some(found) = rows.next()? {
                read += 1;
                self.next = row::mid(found, 0)?;
                self.gathered.extend(change(found)?.filter(|(_, change)| !change.words.is_empty()));
            }
            if read < before + STEP || read >= GATHERED || began.elapsed() > STEP_TIME / 2 {
                break;
            }
        }
        self.gathered.sort_unstable_by_key(|(key, change)| (*key, change.mid));
        Ok(read)
    }
}

/// A step of the indexer. What is lost with the machine is indexed again: nothing is flushed to the disk for it. The next
/// commit of a batch flushes that too.
pub fn step(db: &Connection, indexer: &mut Indexer) -> rusqlite::Result<Indexed> {
    db.pragma_update(None, "synchronous", "NORMAL")?;
    indexer.flushes_nothing = true;
    let done = indexer.step(db);
    if done.is_err() {
        indexer.forget();
    }
    if !db.is_autocommit() {
        db.execute_batch("ROLLBACK")?;
    }
    flush_again(db, indexer).and(done)
}

/// Commits wait for the disk, whatever came of the last step. Said before every transaction that is one of messages.
pub fn flush_again(db: &Connection, indexer: &mut Indexer) -> rusqlite::Result<()> {
    if indexer.flushes_nothing {
        db.pragma_update(None, "synchronous", "FULL")?;
        indexer.flushes_nothing = false;
    }
    Ok(())
}

/// The text of a message has changed, or is gone: what the index has of it is made anew, after what is stored.
pub fn changed(db: &Connection, mid: MessageId) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR IGNORE INTO search_again (mid) VALUES (?1)")?
        .execute([row::sql_mid(mid)])
        .map(drop)
}

/// Deletes runs of a group that was dissolved, `most` at most; how many there were.
pub fn forget_group(db: &Connection, group: GroupId, most: usize) -> rusqlite::Result<usize> {
    db.prepare_cached(
        "DELETE FROM search WHERE id IN (SELECT id FROM search WHERE low = 0 AND high = ?1 LIMIT ?2)",
    )?
    .execute(params![group.get(), most as i64])
}

/// Indexes some of those that are to be indexed anew; how many that were.
fn index_again(db: &Connection, work: &mut Work) -> rusqlite::Result<usize> {
    let mut statement = db.prepare_cached(AGAIN)?;
    let mut rows = statement.query([AGAIN_STEP as i64])?;
    let (mut mids, mut changes) = (Vec::new(), Vec::new());
    while let Some(found) = rows.next()? {
        mids.push(found.get::<_, i64>(0)?);
        // A message that is gone was in a group that is gone.
        if found.get_ref(1)? != rusqlite::types::ValueRef::Null {
            changes.extend(change(found)?);
        }
    }
    for (key, change) in changes {
        put(db, key, &[change], work)?;
    }
    work.read += mids.len();
    let mut forget = db.prepare_cached("DELETE FROM search_again WHERE mid = ?1")?;
    for mid in &mids {
        forget.execute([mid])?;
    }
    Ok(mids.len())
}

/// What is to become of a message: of what columns say it is.
fn change(found: &rusqlite::Row<'_>) -> rusqlite::Result<Option<(Key, Change)>> {
    let Some(pos) = row::optional_number(found, 4)? else { return Ok(None) };
    let conversation = if row::optional_number(found, 3)?.is_some() {
        Conversation::Group(row::group(found, 3)?)
    } else {
        Conversation::With(row::user(found, 2)?)
    };
    let key = Key::of(row::user(found, 1)?, conversation);
    let mut words = String::new();
    fold_body(found.get_ref(5)?.as_bytes()?, &mut words);
    Ok(Some((key, Change { mid: row::mid(found, 0)?.0, pos, words })))
}

/// Puts changes of one conversation, sorted by id, into its runs.
fn put(db: &Connection, key: Key, mut changes: &[Change], work: &mut Work) -> rusqlite::Result<()> {
    work.put += changes.len();
    while let Some(last) = changes.last() {
        let mut find = db.prepare_cached(RUN)?;
        let found = find
            .query_row(params![key.low, key.high, row::sql_number(last.mid)], |found| {
                Ok((found.get::<_, i64>(0)?, row::number(found, 1)?, found.get::<_, Vec<u8>>(2)?))
            })
            .optional()?;
        // Those before the first run get one of their own.
        let begin = found.as_ref().map_or(0, |(_, first, _)| changes.partition_point(|one| one.mid < *first));
        let own = &changes[begin..];
        changes = &changes[..begin];
        let (id, runs) = match found {
            Some((id, first, old)) => (Some(id), run::put(first, &old, own, RUN_BYTES)),
            None => (None, run::put(own[0].mid, &[], own, RUN_BYTES)),
        };
        work.runs += runs.len();
        write(db, key, id, runs)?;
    }
    Ok(())
}

/// Writes runs in the place of the one with this id.
fn write(db: &Connection, key: Key, mut id: Option<i64>, runs: Vec<Written>) -> rusqlite::Result<()> {
    for Written { first, bytes } in runs {
        match id.take() {
            Some(id) if bytes.is_empty() => {
                db.prepare_cached("DELETE FROM search WHERE id = ?1")?.execute([id])?
            }
            Some(id) => {
                db.prepare_cached("UPDATE search SET run = ?2 WHERE id = ?1")?.execute(params![id, bytes])?
            }
            None if bytes.is_empty() => 0,
            None => db
                .prepare_cached("INSERT INTO search (low, high, first, run) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![key.low, key.high, row::sql_number(first), bytes])?,
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests;
