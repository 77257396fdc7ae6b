//! Which message has which place in the conversation of two people.
//!
//! Owns the table `place`, and what is not written into it yet. Messages of many conversations come mixed, so that an
//! entry for each at once would change a page of the table for each. Entries wait in memory instead until there are
//! thousands, and are written sorted: those that follow each other are a run, which is one row. Nothing gets lost by that:
//! a message has its place in its own row too, and `history.placed_upto` is the id up to which the table has all of them.
//! The others are read at the next start.
//!
//! Who sent a message is told too, so that nobody has to look at it to know whose it is.

mod of_user;

pub use of_user::{Last, PlacesOfUser};

use super::row;
use crate::history::Window;
use chatd_chat::model::ids::{MessageId, UserId};
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use rustc_hash::FxHashMap;

/// Messages stored after `placed_upto` that make the table due. More make runs longer, the batch that writes them too, and
/// the start after a crash.
const DUE: usize = 16_384;
/// Places in a run, at most: SQLite puts what is longer than a fourth of a page into a page of its own.
const RUN: usize = 120;
/// Bytes of an id in a run, the most significant first.
const MID_BYTES: usize = size_of::<u64>();

/// What no id has, and an id in a run if the message was sent by the one of the two who has the greater id.
const BY_HIGH: u64 = 1 << 63;

/// Where to begin, from the greatest place down, and from the least up: the run that has place ?3 is the first.
const DOWN: &str =
    "SELECT first, mids FROM place WHERE low = ?1 AND high = ?2 AND first < ?3 ORDER BY first DESC";
const UP: &str = "SELECT first, mids FROM place WHERE low = ?1 AND high = ?2 AND first >=
    ifnull((SELECT max(first) FROM place WHERE low = ?1 AND high = ?2 AND first <= ?3), 0) ORDER BY first";
const LAST: &str = "SELECT first + octet_length(mids) / 8 - 1 FROM place WHERE low = ?1 AND high = ?2
    ORDER BY first DESC LIMIT 1";
/// Of two messages with one place, which nobody but a stranger can make, one is not found: better than none from then on.
const INSERT: &str =
    "INSERT INTO place (low, high, first, mids) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE
    SET mids = excluded.mids WHERE octet_length(excluded.mids) > octet_length(mids)";

/// A message and its place in a conversation, whose people are sorted by id. Sorted, those of a conversation are neighbours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    low: UserId,
    high: UserId,
    pos: u64,
    mid: MessageId,
    by_high: bool,
}

impl Entry {
    fn new(sender: UserId, recipient: UserId, pos: u64, mid: MessageId) -> Self {
        let (low, high) = (sender.min(recipient), sender.max(recipient));
        Self { low, high, pos, mid, by_high: sender > recipient }
    }

    /// As it is in a run.
    fn bytes(&self) -> [u8; MID_BYTES] {
        (self.mid.0 | if self.by_high { BY_HIGH } else { 0 }).to_be_bytes()
    }

    fn is_before(&self, next: &Self) -> bool {
        (self.low, self.high, self.pos + 1) == (next.low, next.high, next.pos)
    }
}

/// See above.
pub struct Places {
    /// What the table lacks: what is committed, and behind it what this batch has stored.
    waiting: Vec<Entry>,
    committed: usize,
    /// The last places of what waited at the start, or when a batch was last taken back: nobody else knows them.
    last_waiting: FxHashMap<(UserId, UserId), u64>,
    /// The table has every message with an id up to this one.
    placed_upto: MessageId,
    /// The greatest id of a message that was stored.
    greatest: MessageId,
    /// Messages stored since the table was written, those to groups too: a start must not have to read many of them.
    since: usize,
    due: usize,
    /// What `placed_upto` is once this batch is committed, if it has written the table.
    written: Option<MessageId>,
}

impl Places {
    /// What the table lacks, from the messages themselves.
    pub fn load(db: &Connection) -> rusqlite::Result<Self> {
        let placed_upto = db.query_row("SELECT placed_upto FROM history", [], |found| row::mid(found, 0))?;
        let sql = "SELECT sender, recipient, pos, mid FROM message
            WHERE mid > ?1 AND recipient IS NOT NULL AND pos IS NOT NULL ORDER BY mid";
        let entry = |found: &rusqlite::Row<'_>| {
            let (sender, recipient) = (row::user(found, 0)?, row::user(found, 1)?);
            Ok(Entry::new(sender, recipient, row::number(found, 2)?, row::mid(found, 3)?))
        };
        let waiting: Vec<Entry> = db
            .prepare(sql)?
            .query_map([row::sql_mid(placed_upto)], entry)?
            .collect::<rusqlite::Result<_>>()?;
        Ok(Self {
            committed: waiting.len(),
            last_waiting: last_places(&waiting),
            placed_upto,
            greatest: waiting.last().map_or(placed_upto, |last| last.mid),
            since: waiting.len(),
            waiting,
            due: DUE,
            written: None,
        })
    }

    /// What waits to be written.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Has the table written after so many messages.
    #[cfg(test)]
    pub fn make_due_after(&mut self, messages: usize) {
        self.due = messages;
    }

    /// A message was stored.
    pub fn stored(&mut self, mid: MessageId) {
        if mid > self.placed_upto {
            self.greatest = self.greatest.max(mid);
            self.since += 1;
        }
    }

    /// A direct message was stored, and has this place.
    pub fn add(
        &mut self,
        db: &Connection,
        (sender, recipient): (UserId, UserId),
        pos: u64,
        mid: MessageId,
    ) -> rusqlite::Result<()> {
        let entry = Entry::new(sender, recipient, pos, mid);
        if mid <= self.placed_upto {
            // It is late: a start would not find it.
            insert(&mut db.prepare_cached(INSERT)?, &[entry])?;
        } else {
            self.waiting.push(entry);
        }
        self.stored(mid);
        Ok(())
    }

    /// Writes the table if that is due. The last thing that a batch does.
    pub fn write_if_due(&mut self, db: &Connection) -> rusqlite::Result<()> {
        if self.since < self.due { Ok(()) } else { self.write(db) }
    }

    /// Writes all that waits.
    pub fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut entries = self.waiting.clone();
        entries.sort_unstable();
        let mut statement = db.prepare_cached(INSERT)?;
        for following in entries.chunk_by(Entry::is_before) {
            for run in following.chunks(RUN) {
                insert(&mut statement, run)?;
            }
        }
        db.prepare_cached("UPDATE history SET placed_upto = ?1")?.execute([row::sql_mid(self.greatest)])?;
        self.written = Some(self.greatest);
        Ok(())
    }

    /// The batch is committed.
    pub fn committed(&mut self) {
        if let Some(upto) = self.written.take() {
            self.waiting.clear();
            self.last_waiting.clear();
            (self.placed_upto, self.since) = (upto, 0);
        }
        self.committed = self.waiting.len();
    }

    /// The batch is not committed.
    pub fn rolled_back(&mut self) {
        self.written = None;
        self.waiting.truncate(self.committed);
        self.last_waiting = last_places(&self.waiting);
    }

    /// The messages of a conversation in this window, `most` at most, in the window's order.
    pub fn find(
        &self,
        db: &Connection,
        (one, other): (UserId, UserId),
        window: Window,
        most: usize,
    ) -> rusqlite::Result<Vec<(u64, MessageId)>> {
        let (low, high) = (one.min(other), one.max(other));
        let waiting = self.waiting.iter().filter(|entry| (entry.low, entry.high) == (low, high));
        find(db, (low, high), window, most, waiting)
    }

    /// The last place of a conversation, 0 if it has none, for whoever does not remember those that were given since the
    /// start, or since a batch was last taken back, and wait.
    pub fn last(&self, db: &Connection, (low, high): (UserId, UserId)) -> rusqlite::Result<u64> {
        let written =
            db.prepare_cached(LAST)?.query_row(params![low.get(), high.get()], |found| row::number(found, 0));
        let waiting = self.last_waiting.get(&(low, high)).copied().unwrap_or(0);
        // What came late was written at once, and may have a greater place than what waits.
        Ok(written.optional()?.unwrap_or(0).max(waiting))
    }

    /// The message at one place of a conversation.
    pub fn at(
        &self,
        db: &Connection,
        people: (UserId, UserId),
        pos: u64,
    ) -> rusqlite::Result<Option<MessageId>> {
        let Some(before) = pos.checked_sub(1) else { return Ok(None) };
        let next = self.find(db, people, Window::Up(before), 1)?;
        Ok(next.first().filter(|(found, _)| *found == pos).map(|(_, mid)| *mid))
    }
}

/// The messages of a conversation in this window, `most` at most, in the window's order: those of the table, and those that
/// wait.
fn find<'a>(
    db: &Connection,
    (one, other): (UserId, UserId),
    window: Window,
    most: usize,
    waiting: impl IntoIterator<Item = &'a Entry>,
) -> rusqlite::Result<Vec<(u64, MessageId)>> {
    let (low, high) = (one.min(other), one.max(other));
    let (sql, from) = match window {
        Window::Down(pos) => (DOWN, pos),
        Window::Up(pos) => (UP, pos),
    };
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(params![low.get(), high.get(), row::sql_number(from)])?;
    let mut places = Vec::new();
    while places.len() < most
        && let Some(found) = rows.next()?
    {
        let mids = found.get_ref(1)?.as_bytes()?.as_chunks::<MID_BYTES>().0;
        let mids = mids.iter().map(|mid| MessageId(u64::from_be_bytes(*mid) & !BY_HIGH));
        let run = (row::number(found, 0)?..).zip(mids);
        places.extend(run.filter(|(pos, _)| window.has(*pos)));
    }
    places
        .extend(waiting.into_iter().map(|entry| (entry.pos, entry.mid)).filter(|(pos, _)| window.has(*pos)));
    Ok(window.first(places, most))
}

/// The last places of the conversations of which something is among `entries`.
fn last_places(entries: &[Entry]) -> FxHashMap<(UserId, UserId), u64> {
    let mut last_places = FxHashMap::default();
    for entry in entries {
        let last = last_places.entry((entry.low, entry.high)).or_insert(0);
        *last = entry.pos.max(*last);
    }
    last_places
}

/// Writes a run of at least one entry.
fn insert(statement: &mut CachedStatement<'_>, run: &[Entry]) -> rusqlite::Result<()> {
    let mids: Vec<u8> = run.iter().flat_map(Entry::bytes).collect();
    let Entry { low, high, pos, .. } = run[0];
    statement.execute(params![low.get(), high.get(), row::sql_number(pos), mids]).map(drop)
}

#[cfg(test)]
mod tests;
