//! Rows of a conversation as a history or a device gets them: messages, and what became of them since.

use super::history::Found;
use super::{changes, page};
use crate::history::Window;
use crate::key::Key;
use crate::merge::PageLimit;
use chatd_chat::model::change::{Reaction, RowState, Wanted};
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::history::{Conversation, Placed};
use chatd_chat::model::ids::{MessageId, UserId};
use rusqlite::{Connection, OptionalExtension, params};

/// Rows that are being read.
pub struct Rows<'a> {
    db: &'a Connection,
    user: UserId,
    key: Key,
    wanted: Wanted,
    most: usize,
    bytes_left: usize,
    rows: Vec<Placed>,
    scratch: Vec<u8>,
}

/// Why no more rows were read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// There are none.
    NoMore,
    /// The page has as many as it may, or has no room for the next one.
    Full,
}

impl<'a> Rows<'a> {
    /// None yet.
    pub fn new(
        db: &'a Connection,
        user: UserId,
        (conversation, wanted): (Conversation, Wanted),
        limit: PageLimit,
    ) -> Self {
        let (key, most) = (Key::of(user, conversation), limit.messages.max(1));
        Self { db, user, key, wanted, most, bytes_left: limit.bytes, rows: Vec::new(), scratch: Vec::new() }
    }

    /// Reads what `find` finds in the window, in its order: as much as may be in the page, and no row that is not wanted.
    pub fn fill(
        &mut self,
        mut window: Window,
        find: impl Fn(Window, usize) -> rusqlite::Result<Found>,
    ) -> rusqlite::Result<End> {
        loop {
            let asked = self.most - self.rows.len();
            let places = find(window, asked)?;
            let (found, last) = (places.len(), places.last().copied());
            for (pos, mid) in places {
                if !self.add(pos, mid)? {
                    return Ok(End::Full);
                }
            }
            match last {
                Some((pos, _)) if found == asked => window = window.beyond(pos),
                Some(_) | None => return Ok(End::NoMore),
            }
            if self.rows.len() == self.most {
                return Ok(End::Full);
            }
        }
    }

    /// Whether there is room for this row.
    fn add(&mut self, pos: u64, mid: MessageId) -> rusqlite::Result<bool> {
        let mut statement = self.db.prepare_cached(page::BODY)?;
        // Somebody may have deleted it.
        let found = page::envelope(&mut statement, mid, &mut self.scratch).optional()?;
        let Some((envelope, rev)) = found else { return Ok(true) };
        if envelope.is_event() && !self.wanted.events {
            return Ok(true);
        }
        let Some(state) = state(self.db, self.user, (self.key, pos), rev, self.wanted)? else {
            return Ok(true);
        };
        let placed = Placed { envelope, pos, state };
        let bytes = placed.bytes();
        if bytes > self.bytes_left && !self.rows.is_empty() {
            return Ok(false);
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.rows.push(placed);
        Ok(true)
    }

    /// What was read, lowest place first.
    pub fn sorted(mut self) -> Vec<Placed> {
        self.rows.sort_unstable_by_key(|row| row.pos);
        self.rows
    }
}

/// What became of the message at a place; `None` if such a row is not wanted.
fn state(
    db: &Connection,
    user: UserId,
    (key, pos): (Key, u64),
    rev: Option<i64>,
    wanted: Wanted,
) -> rusqlite::Result<Option<RowState>> {
    let Some(rev) = rev else { return Ok(Some(RowState::AsSaid)) };
    let Ok(rev) = u64::try_from(rev) else {
        return if wanted.changes { recalled(db, key, pos).map(Some) } else { Ok(None) };
    };
    if !wanted.changes {
        return Ok(Some(RowState::AsSaid));
    }
    let reactions = reactions(db, user, key, pos)?;
    let is_as_said = rev == 0 && reactions.is_empty();
    Ok(Some(if is_as_said { RowState::AsSaid } else { RowState::Changed { rev, reactions } }))
}

fn recalled(db: &Connection, key: Key, pos: u64) -> rusqlite::Result<RowState> {
    let (by, ts) = changes::recalled(db, key, pos)?;
    Ok(RowState::Recalled { by, ts })
}

fn reactions(db: &Connection, user: UserId, key: Key, pos: u64) -> rusqlite::Result<Vec<Reaction>> {
    db.prepare_cached(
        "SELECT emoji, count(*), max(userid = ?4) FROM reaction
         WHERE low = ?1 AND high = ?2 AND pos = ?3 GROUP BY emoji ORDER BY emoji",
    )?
    .query_map(params![key.low, key.high, super::row::sql_number(pos), user.get()], |found| {
        let emoji: Box<str> = found.get_ref(0)?.as_str()?.into();
        Ok(Reaction { emoji, n: super::row::number(found, 1)?, mine: found.get(2)? })
    })?
    .collect()
}

/// A message, as it is by now; `None` if it is gone, or recalled.
pub fn as_it_is(
    db: &Connection,
    user: UserId,
    (conversation, pos): (Conversation, u64),
    mid: MessageId,
    wanted: Wanted,
) -> rusqlite::Result<Option<Placed>> {
    let mut statement = db.prepare_cached(page::BODY)?;
    let found = page::envelope(&mut statement, mid, &mut Vec::new()).optional()?;
    let is_there = |(_, rev): &(Envelope, Option<i64>)| rev.is_none_or(|rev| rev >= 0);
    let Some((envelope, rev)) = found.filter(is_there) else { return Ok(None) };
    let state = state(db, user, (Key::of(user, conversation), pos), rev, wanted)?;
    Ok(state.map(|state| Placed { envelope, pos, state }))
}
