//! One page of a backlog.
//!
//! A page is a merge. One stream holds what is owed, by mid; every group that is ahead of the user
//! is a stream of its own, by place. Of the streams' first messages the oldest goes into the page,
//! until that is full. A group's part of a page is thus always the run of places right after the
//! user's cursor: the cursor can follow, and the next page repeats nothing. Streams read ahead a
//! little, numbers only; bodies are read for what is in the page.

use super::{Answered, row};
use crate::chat::ask::{Done, Waiting};
use crate::chat::envelope::{Envelope, Message, Storing, Target};
use crate::chat::ids::{GroupId, MessageId, Millis, UserId};
use rusqlite::{CachedStatement, Connection, params};
use std::collections::{HashMap, HashSet, VecDeque};

/// Messages that a stream reads ahead at least when it is empty, and at most.
const AHEAD: std::ops::RangeInclusive<usize> = 4..=64;

/// How much fits.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Messages at most.
    pub messages: usize,
    /// Bytes of bodies at most; the first message always fits.
    pub bytes: usize,
}

/// A message that could be in the page.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    mid: MessageId,
    pos: Option<u64>,
    bytes: usize,
}

/// A group of the user, and how far its part of the page reaches.
struct Stream {
    group: GroupId,
    head: u64,
    /// Nothing is missing up to here: given before, or in the page, or the user's own.
    upto: u64,
    ahead: VecDeque<Candidate>,
    /// Everything up to here is given, in `ahead`, or the user's own.
    read: u64,
    /// How many to read ahead.
    step: usize,
}

pub fn take(
    db: &Connection,
    user: UserId,
    after: MessageId,
    have: &[(GroupId, u64)],
    room: Room,
) -> Answered {
    let mut owed = Owed { user, ahead: VecDeque::new(), read: after, done: false };
    let mut streams = streams(db, user, have, room)?;
    let mut page: Vec<Candidate> = Vec::new();
    let mut owed_in_page: HashSet<MessageId> = HashSet::new();
    let mut bytes = 0;
    let complete = loop {
        let first_owed = owed.first(db)?;
        let mut oldest = first_owed.map(|candidate| (candidate, None));
        for (index, stream) in streams.iter_mut().enumerate() {
            while let Some(first) = stream.first(db, user)? {
                // Owed and of a group that is behind: given once, as owed. The owed stream is
                // sorted, so by now it has given all that is older than this.
                if owed_in_page.contains(&first.mid) {
                    stream.give();
                    continue;
                }
                if oldest.is_none_or(|(other, _)| first.mid < other.mid) {
                    oldest = Some((first, Some(index)));
                }
                break;
            }
        }
        let Some((candidate, from)) = oldest else { break true };
        if !page.is_empty()
            && (page.len() >= room.messages || candidate.bytes > room.bytes.saturating_sub(bytes))
        {
            break false;
        }
        match from {
            Some(index) => streams[index].give(),
            None => {
                owed.give();
                owed_in_page.insert(candidate.mid);
            }
        }
        bytes += candidate.bytes;
        page.push(candidate);
    };
    // Within a group a message that was stored late is younger by place than by mid.
    page.sort_unstable_by_key(|candidate| candidate.mid);
    let heads = streams.iter().map(|stream| (stream.group, stream.upto)).collect();
    Ok(Ok(Done::Taken { messages: read(db, &page)?, complete, heads }))
}

/// All groups of the user; only those that are ahead of it will ever read a message.
fn streams(
    db: &Connection,
    user: UserId,
    have: &[(GroupId, u64)],
    room: Room,
) -> rusqlite::Result<Vec<Stream>> {
    let have: HashMap<GroupId, u64> = have.iter().copied().collect();
    let mut streams: Vec<Stream> = db.prepare_cached(
        "SELECT groupid, upto, head FROM groupuser JOIN allgroup ON allgroup.id = groupid WHERE userid = ?1",
    )?
    .query_map([user.get()], |found| {
        let (group, head) = (row::group(found, 0)?, row::number(found, 2)?);
        let known = have.get(&group).copied().unwrap_or(0).min(head);
        let upto = row::number(found, 1)?.max(known);
        Ok(Stream { group, head, upto, ahead: VecDeque::new(), read: upto, step: 0 })
    })?
    .collect::<rusqlite::Result<_>>()?;
    // The more groups are behind, the less of the page is one group's.
    let behind = streams.iter().filter(|stream| stream.read < stream.head).count().max(1);
    let step = (room.messages / behind).saturating_mul(2).clamp(*AHEAD.start(), *AHEAD.end());
    streams.iter_mut().for_each(|stream| stream.step = step);
    Ok(streams)
}

impl Stream {
    /// The next message that the user has not got, if there is one.
    fn first(&mut self, db: &Connection, user: UserId) -> rusqlite::Result<Option<Candidate>> {
        if self.ahead.is_empty() && self.read < self.head {
            self.read_ahead(db, user)?;
        }
        // Up to the next message given to nobody, all is the user's own.
        self.upto = match self.ahead.front() {
            Some(Candidate { pos: Some(pos), .. }) => pos - 1,
            _ => self.read,
        };
        Ok(self.ahead.front().copied())
    }

    fn give(&mut self) {
        if let Some(Candidate { pos: Some(pos), .. }) = self.ahead.pop_front() {
            self.upto = pos;
        }
    }

    fn read_ahead(&mut self, db: &Connection, user: UserId) -> rusqlite::Result<()> {
        let mut statement = db.prepare_cached(
            "SELECT mid, pos, octet_length(body) FROM message
             WHERE groupid = ?1 AND pos > ?2 AND sender <> ?3 ORDER BY pos LIMIT ?4",
        )?;
        let values = params![self.group.get(), row::sql_place(self.read), user.get(), self.step as i64];
        let mut rows = statement.query(values)?;
        while let Some(found) = rows.next()? {
            let pos = row::number(found, 1)?;
            self.ahead.push_back(Candidate {
                mid: row::mid(found, 0)?,
                pos: Some(pos),
                bytes: bytes_of(found, 2)?,
            });
            self.read = pos;
        }
        if self.ahead.len() < self.step {
            self.read = self.head;
        }
        Ok(())
    }
}

/// What is owed by itself, by mid.
struct Owed {
    user: UserId,
    ahead: VecDeque<Candidate>,
    read: MessageId,
    done: bool,
}

impl Owed {
    fn first(&mut self, db: &Connection) -> rusqlite::Result<Option<Candidate>> {
        if self.ahead.is_empty() && !self.done {
            let after = row::sql_mid(self.read);
            // Of a group that was dissolved nothing is shown any more.
            let mut statement = db.prepare_cached(
                "SELECT message.mid, octet_length(body)
                 FROM offlinemessage JOIN message ON message.mid = offlinemessage.mid
                 LEFT JOIN allgroup ON allgroup.id = message.groupid
                 WHERE userid = ?1 AND offlinemessage.mid > ?2
                   AND (message.groupid IS NULL OR allgroup.groupname IS NOT NULL)
                 ORDER BY offlinemessage.mid LIMIT ?3",
            )?;
            let mut rows = statement.query(params![self.user.get(), after, *AHEAD.end() as i64])?;
            while let Some(found) = rows.next()? {
                let mid = row::mid(found, 0)?;
                self.ahead.push_back(Candidate { mid, pos: None, bytes: bytes_of(found, 1)? });
                self.read = mid;
            }
            self.done = self.ahead.len() < *AHEAD.end();
        }
        Ok(self.ahead.front().copied())
    }

    fn give(&mut self) {
        self.ahead.pop_front();
    }
}

fn bytes_of(found: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<usize> {
    row::number(found, column).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// The messages of a page, with their bodies.
fn read(db: &Connection, page: &[Candidate]) -> rusqlite::Result<Vec<Waiting>> {
    let mut statement =
        db.prepare_cached("SELECT ts, sender, recipient, groupid, cid, body FROM message WHERE mid = ?1")?;
    let mut scratch = Vec::new();
    page.iter()
        .map(|candidate| {
            let envelope = envelope(&mut statement, candidate.mid, &mut scratch)?;
            Ok(Waiting { envelope, pos: candidate.pos })
        })
        .collect()
}

fn envelope(
    statement: &mut CachedStatement<'_>,
    mid: MessageId,
    scratch: &mut Vec<u8>,
) -> rusqlite::Result<Envelope> {
    statement.query_row([row::sql_mid(mid)], |found| {
        let direct = row::place(found, 3)?.is_none();
        let target =
            if direct { Target::User(row::user(found, 2)?) } else { Target::Group(row::group(found, 3)?) };
        let message = Message {
            sender: row::user(found, 1)?,
            target,
            mid,
            ts: Millis(row::number(found, 0)?),
            cid: found.get_ref(4)?.as_str_or_null()?.unwrap_or(""),
            storing: Storing::Always,
            body: found.get_ref(5)?.as_bytes()?,
        };
        Ok(Envelope::message(message, scratch))
    })
}
