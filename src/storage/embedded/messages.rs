//! Storing a message: once, however often it is asked for.
//!
//! Written for the message that is new: its row is inserted outright, and only if the database
//! finds that the row, or one of the same (sender, cid), is there already, is that one looked at.

use super::memory::Memory;
use super::{Answered, group_rules, groups, markers, outbox, row};
use crate::history::forgotten_before;
use chatd_chat::model::envelope::said::content;
use chatd_chat::model::envelope::{Envelope, Target};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::port::store::{StoreReply, StoreResult, StoredMessage};
use chatd_chat::wire::code::Code;
use rusqlite::{CachedStatement, Connection, Error, OptionalExtension, ffi, params};

/// Stores a message, and makes a direct one part of its recipient's backlog.
pub fn store(db: &Connection, memory: &mut Memory, envelope: &Envelope) -> Answered {
    let Some(new) = New::of(envelope) else { return Ok(Err(Code::InvalidField)) };
    match envelope.target() {
        Target::User(user) => store_direct(db, memory, envelope, &new, user),
        Target::Group(group) => store_group(db, memory, envelope, &new, group),
    }
}

/// Stores direct messages for the history only: they are in nobody's backlog.
pub fn append_history(db: &Connection, memory: &mut Memory, envelopes: &[Envelope]) -> Answered {
    let mut insert = db.prepare_cached(INSERT_DIRECT)?;
    for envelope in envelopes {
        if let (Target::User(user), Some(new)) = (envelope.target(), New::of(envelope)) {
            // What is refused is left out.
            drop(insert_direct(db, &mut insert, memory, envelope, &new, user)?);
        }
    }
    Ok(Ok(StoreReply::Done))
}

/// The columns of a message to be stored.
struct New<'a> {
    mid: i64,
    ts: i64,
    sender: u32,
    cid: Option<&'a str>,
    body: &'a str,
}

impl<'a> New<'a> {
    /// `None` if it is damaged or forged: no row can hold it.
    fn of(envelope: &'a Envelope) -> Option<Self> {
        let cid = envelope.cid();
        Some(Self {
            mid: i64::try_from(envelope.mid().0).ok()?,
            ts: i64::try_from(envelope.ts().0).ok()?,
            sender: envelope.sender().get(),
            cid: (!cid.is_empty()).then_some(cid),
            body: std::str::from_utf8(envelope.body()).ok()?,
        })
    }
}

/// What became of a direct message.
enum Inserted {
    /// It has this place.
    New(u64),
    /// It was there before.
    Again(Stored),
    /// It may not be stored.
    Refused(Code),
}

fn store_direct(
    db: &Connection,
    memory: &mut Memory,
    envelope: &Envelope,
    new: &New<'_>,
    user: UserId,
) -> Answered {
    match insert_direct(db, &mut db.prepare_cached(INSERT_DIRECT)?, memory, envelope, new, user)? {
        Inserted::New(pos) => {
            memory.add_backlog_entry(user, new.mid);
            Ok(Ok(stored_reply(envelope, Some(pos))))
        }
        Inserted::Again(stored) => {
            // The same message from another core: the user left before that one could deliver it, so
            // it goes into the backlog, whatever became of it elsewhere. Twice is allowed, never is not.
            let same = stored.mid == envelope.mid() && stored.answer(envelope) != Ok(StoreReply::IdTaken);
            let waits = !stored.is_recalled() && same && stored.is(envelope);
            if waits && !memory.has_backlog_entry(user, new.mid) {
                insert_backlog_entry(db, memory, user, new.mid)?;
            }
            again(db, &stored, envelope)
        }
        Inserted::Refused(code) => Ok(Err(code)),
    }
}

const INSERT_DIRECT: &str =
    "INSERT INTO message (mid, ts, sender, recipient, pos, cid, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// `insert` is [`INSERT_DIRECT`].
fn insert_direct(
    db: &Connection,
    insert: &mut CachedStatement<'_>,
    memory: &mut Memory,
    envelope: &Envelope,
    new: &New<'_>,
    user: UserId,
) -> rusqlite::Result<Inserted> {
    let sender = envelope.sender();
    if memory.refuses(db, user, sender)? {
        // What was acknowledged before stays acknowledged.
        let stored = Stored::find(db, new)?;
        return Ok(stored.map_or(Inserted::Refused(Code::NotYours), Inserted::Again));
    }
    let pos = memory.last_pos(db, sender, user)? + 1;
    let values = params![new.mid, new.ts, new.sender, user.get(), row::sql_number(pos), new.cid, new.body];
    match insert.execute(values) {
        Ok(_) => {
            if pos == 1 {
                markers::begin_dialogue(db, sender, user)?;
            }
            memory.set_last_pos(sender, user, pos);
            memory.places.add(db, (sender, user), pos, envelope.mid())?;
            memory.indexer.stored(db, envelope.mid())?;
            memory.outbox.message(envelope, pos);
            Ok(Inserted::New(pos))
        }
        Err(error) => match extended_code(&error) {
            // The sender is logged in, so it is the recipient that is missing.
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => Ok(Inserted::Refused(Code::NoSuchUser)),
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE => {
                Stored::find(db, new)?.map(Inserted::Again).ok_or(error)
            }
            _ => Err(error),
        },
    }
}

fn store_group(
    db: &Connection,
    memory: &mut Memory,
    envelope: &Envelope,
    new: &New<'_>,
    group: GroupId,
) -> Answered {
    // No row unless the sender is a member of a group that is there, and not muted by the time of the message.
    let inserted = db
        .prepare_cached(
            "INSERT INTO message (mid, ts, sender, groupid, cid, body, pos)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, head + 1
             FROM groupuser JOIN allgroup ON allgroup.id = groupuser.groupid
             WHERE groupuser.userid = ?3 AND groupuser.groupid = ?4
               AND groupuser.muted BETWEEN 0 AND ?2
               AND (allgroup.muted BETWEEN 0 AND ?2 OR grouprole = 'creator' OR admin)
             RETURNING pos",
        )?
        .query_row(params![new.mid, new.ts, new.sender, group.get(), new.cid, new.body], |found| {
            row::number(found, 0)
        })
        .optional();
    match inserted {
        Ok(Some(pos)) => {
            db.prepare_cached("UPDATE allgroup SET head = ?2 WHERE id = ?1")?
                .execute(params![group.get(), row::sql_number(pos)])?;
            memory.places.stored(envelope.mid());
            memory.indexer.stored(db, envelope.mid())?;
            memory.outbox.message(envelope, pos);
            Ok(Ok(stored_reply(envelope, Some(pos))))
        }
        // What was stored while the sender was a member stays stored.
        Ok(None) => match Stored::find(db, new)? {
            Some(stored) => again(db, &stored, envelope),
            None if group_rules::standing(db, envelope.sender(), group)?.member.is_some() => {
                Ok(Err(Code::Muted))
            }
            None => groups::not_a_member(db, group),
        },
        Err(error) => match extended_code(&error) {
            ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_UNIQUE => {
                let Some(stored) = Stored::find(db, new)? else { return Err(error) };
                again(db, &stored, envelope)
            }
            _ => Err(error),
        },
    }
}

/// The answer to a message that is stored already. If it came under another id, that is remembered.
fn again(db: &Connection, stored: &Stored, envelope: &Envelope) -> Answered {
    let answer = stored.answer(envelope);
    let (mid, forgotten) = (envelope.mid(), forgotten_before(envelope.mid()));
    if answer.is_ok() && stored.mid != mid {
        db.prepare_cached("DELETE FROM alias WHERE mid < ?1")?.execute([row::sql_mid(forgotten)])?;
        db.prepare_cached("INSERT INTO alias (mid, stored) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![row::sql_mid(mid), row::sql_mid(stored.mid)])?;
    }
    Ok(answer)
}

/// The id of the stored message that came again under this one.
pub fn stored_as(db: &Connection, mid: i64) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT stored FROM alias WHERE mid = ?1")?
        .query_row([mid], |found| found.get(0))
        .optional()
}

/// Puts a stored message into a user's backlog, if it is not there.
fn insert_backlog_entry(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    mid: i64,
) -> rusqlite::Result<()> {
    let insert = "INSERT INTO offlinemessage (userid, mid) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    let inserted = db.prepare_cached(insert)?.execute(params![user.get(), mid])?;
    if inserted > 0 { outbox::tell_if_late(db, memory, user, mid) } else { Ok(()) }
}

fn stored_reply(envelope: &Envelope, pos: Option<u64>) -> StoreReply {
    StoreReply::Stored(StoredMessage { mid: envelope.mid(), ts: envelope.ts(), pos })
}

fn extended_code(error: &Error) -> i32 {
    match error {
        Error::SqliteFailure(failure, _) => failure.extended_code,
        _ => 0,
    }
}

/// A message that was stored before.
struct Stored {
    mid: MessageId,
    ts: Millis,
    sender: UserId,
    target: Target,
    pos: Option<u64>,
    body: String,
    cid: Option<String>,
    /// How often it was edited, if it was changed at all; less than 0 if it was recalled.
    rev: Option<i64>,
}

impl Stored {
    /// This sender's message of this cid, or else the message with this id.
    fn find(db: &Connection, new: &New<'_>) -> rusqlite::Result<Option<Self>> {
        if new.cid.is_some() {
            let by_cid = db
                .prepare_cached(
                    "SELECT mid, ts, sender, recipient, groupid, pos, body, cid, rev FROM message
                     WHERE sender = ?1 AND cid = ?2",
                )?
                .query_row(params![new.sender, new.cid], Self::read)
                .optional()?;
            if by_cid.is_some() {
                return Ok(by_cid);
            }
        }
        db.prepare_cached(
            "SELECT mid, ts, sender, recipient, groupid, pos, body, cid, rev FROM message WHERE mid = ?1",
        )?
        .query_row([new.mid], Self::read)
        .optional()
    }

    fn read(found: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let direct = row::optional_number(found, 4)?.is_none();
        Ok(Self {
            mid: row::mid(found, 0)?,
            ts: Millis(row::number(found, 1)?),
            sender: row::user(found, 2)?,
            target: if direct {
                Target::User(row::user(found, 3)?)
            } else {
                Target::Group(row::group(found, 4)?)
            },
            pos: row::optional_number(found, 5)?,
            body: found.get(6)?,
            cid: found.get_ref(7)?.as_str_or_null().ok().flatten().map(str::to_owned),
            rev: found.get(8)?,
        })
    }

    /// Whether it says something else by now than when it was sent.
    fn is_changed(&self) -> bool {
        self.rev.is_some_and(|rev| rev != 0)
    }

    fn is_recalled(&self) -> bool {
        self.rev.is_some_and(|rev| rev < 0)
    }

    /// Whether this is what `envelope` says, to the same people. `name` and `time` do not count. What a message said that
    /// was changed since nobody knows any more.
    fn is(&self, envelope: &Envelope) -> bool {
        self.sender == envelope.sender()
            && self.target == envelope.target()
            && (self.is_changed() || content(self.body.as_bytes()) == content(envelope.body()))
    }

    fn answer(&self, envelope: &Envelope) -> StoreResult {
        let cid = self.cid.as_deref().unwrap_or_default();
        if cid.is_empty() || (self.sender, cid) != (envelope.sender(), envelope.cid()) {
            // Found by its id. The same message was asked for twice, in every byte, or it is another one:
            // never say Stored of what is not.
            let same = cid == envelope.cid()
                && (self.sender, self.target, self.ts)
                    == (envelope.sender(), envelope.target(), envelope.ts())
                && (self.is_changed() || self.body.as_bytes() == envelope.body());
            if !same {
                return Ok(StoreReply::IdTaken);
            }
        } else if !self.is(envelope) {
            return Err(Code::CidReused);
        }
        Ok(StoreReply::Stored(StoredMessage { mid: self.mid, ts: self.ts, pos: self.pos }))
    }
}
