//! Groups with messages of which nobody was told yet who lacks them: see [`crate::outbox::untold`].

use super::{outbox, page, row};
use crate::outbox::pending::Pending;
use crate::outbox::untold::{Budget, GROUPS, Reader, STRETCH, Said, Telling, Untold, due_upto, lacking};
use chatd_chat::model::ids::{Millis, UserId};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::{HashMap, HashSet};

const DUE: &str = "SELECT groupid, pos, upto, member FROM untold WHERE ts <= ?1 ORDER BY ts LIMIT ?2";
const PLACES: &str = "SELECT pos, ts FROM message WHERE groupid = ?1 AND pos >= ?2 ORDER BY pos LIMIT ?3";
// What was done to a group, and what was recalled, counts as unread to nobody.
const SAID: &str = "SELECT pos, mid, sender FROM message
    WHERE groupid = ?1 AND pos BETWEEN ?2 AND ?3 AND ifnull(rev, 0) >= 0
        AND NOT EXISTS (SELECT 1 FROM uncounted WHERE low = 0 AND high = ?1 AND uncounted.pos = message.pos)
    ORDER BY pos DESC";
const MEMBERS: &str = "SELECT userid, max(upto, marker, joined) FROM groupuser
    WHERE groupid = ?1 AND userid > ?2 ORDER BY userid LIMIT ?3";

/// Something was said in these groups: each has a row from now on.
pub fn note(db: &Connection, pending: &mut Pending) -> rusqlite::Result<()> {
    let insert = "INSERT INTO untold (groupid, pos, ts) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
    let mut insert = db.prepare_cached(insert)?;
    for (group, (pos, ts)) in pending.take_groups() {
        insert.execute(params![group.get(), row::sql_number(pos), row::sql_number(ts.0)])?;
    }
    Ok(())
}

/// Groups whose first message was said before `before`: some of the oldest.
pub fn due(db: &Connection, before: Millis) -> rusqlite::Result<Vec<Untold>> {
    let read = |found: &rusqlite::Row<'_>| {
        Ok(Untold {
            group: row::group(found, 0)?,
            pos: row::number(found, 1)?,
            upto: row::number(found, 2)?,
            member: row::number(found, 3)?,
        })
    };
    db.prepare_cached(DUE)?.query_map(params![row::sql_number(before.0), GROUPS as i64], read)?.collect()
}

/// Tells who lacks what is due in these groups, as far as one step goes; whether more is left.
pub fn tell(
    db: &Connection,
    pending: &mut Pending,
    due: &[Untold],
    before: Millis,
) -> rusqlite::Result<bool> {
    let (mut budget, mut more) = (Budget::of_step(), due.len() == GROUPS);
    for untold in due {
        if budget.is_used_up() {
            return Ok(true);
        }
        more |= go_on(db, pending, &mut budget, *untold, before)?;
    }
    Ok(more)
}

/// Goes over one page of a group's members; whether something is left there that is due.
fn go_on(
    db: &Connection,
    pending: &mut Pending,
    budget: &mut Budget,
    untold: Untold,
    before: Millis,
) -> rusqlite::Result<bool> {
    let pass = match untold.upto {
        0 => begin(db, budget, untold, before)?,
        _ => Some(untold),
    };
    let Some(pass) = pass else { return end(db, untold, untold.pos, before) };
    let said = said(db, &pass)?;
    budget.places = budget.places.saturating_sub(said.len());
    // Where all was recalled nobody lacks anything.
    let asked = if said.is_empty() { 0 } else { budget.members };
    let readers = members(db, &pass, asked)?;
    budget.members -= readers.len();
    let (telling, last) = lackers(db, budget, &said, &readers)?;
    tell_all(db, pending, &telling)?;
    budget.bytes = budget.bytes.saturating_sub(telling.bytes());
    match last {
        Some(last) => stop_at(db, pass, last),
        None if asked > 0 && readers.len() == asked => stop_at(db, pass, readers[asked - 1].user),
        None => end(db, untold, pass.upto + 1, before),
    }
}

/// A pass that begins, if anything is due.
fn begin(
    db: &Connection,
    budget: &mut Budget,
    untold: Untold,
    before: Millis,
) -> rusqlite::Result<Option<Untold>> {
    let places = db
        .prepare_cached(PLACES)?
        .query_map(params![untold.group.get(), row::sql_number(untold.pos), STRETCH as i64], |found| {
            Ok((row::number(found, 0)?, Millis(row::number(found, 1)?)))
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    budget.places = budget.places.saturating_sub(places.len());
    Ok(due_upto(&places, before).map(|upto| untold.begun(upto)))
}

/// The messages that a pass tells of, newest first.
fn said(db: &Connection, pass: &Untold) -> rusqlite::Result<Vec<Said>> {
    let read = |found: &rusqlite::Row<'_>| {
        Ok(Said { pos: row::number(found, 0)?, mid: row::mid(found, 1)?, sender: row::user(found, 2)? })
    };
    let values = params![pass.group.get(), row::sql_number(pass.pos), row::sql_number(pass.upto)];
    db.prepare_cached(SAID)?.query_map(values, read)?.collect()
}

/// The members that a pass comes to next.
fn members(db: &Connection, pass: &Untold, most: usize) -> rusqlite::Result<Vec<Reader>> {
    let read =
        |found: &rusqlite::Row<'_>| Ok(Reader { user: row::user(found, 0)?, after: row::number(found, 1)? });
    let values = params![pass.group.get(), row::sql_number(pass.member), most as i64];
    db.prepare_cached(MEMBERS)?.query_map(values, read)?.collect()
}

/// Which of these lack something, and how they are reached; and the last of them if there is no room for more.
fn lackers(
    db: &Connection,
    budget: &Budget,
    said: &[Said],
    readers: &[Reader],
) -> rusqlite::Result<(Telling, Option<UserId>)> {
    let mut telling = Telling::default();
    let blocked = blocked(db, &lacking(said, readers, &HashMap::new()))?;
    for (reader, said) in lacking(said, readers, &blocked) {
        let (external, devices) = outbox::reached_by(db, reader.user)?;
        telling.add(reader, said, external.as_deref(), &devices);
        if telling.bytes() >= budget.bytes {
            return Ok((telling, Some(reader.user)));
        }
    }
    Ok((telling, None))
}

/// Whom those block who block the sender of what they lack: hardly anybody does.
fn blocked(
    db: &Connection,
    lacking: &[(Reader, Said)],
) -> rusqlite::Result<HashMap<UserId, HashSet<UserId>>> {
    let mut blocks = db.prepare_cached("SELECT 1 FROM blocked WHERE userid = ?1 AND blocked = ?2")?;
    let mut all = db.prepare_cached("SELECT blocked FROM blocked WHERE userid = ?1")?;
    let mut blocked = HashMap::new();
    for (reader, said) in lacking {
        if blocks.exists(params![reader.user.get(), said.sender.get()])? {
            let whom = all.query_map([reader.user.get()], |found| row::user(found, 0))?;
            blocked.insert(reader.user, whom.collect::<rusqlite::Result<_>>()?);
        }
    }
    Ok(blocked)
}

fn tell_all(db: &Connection, pending: &mut Pending, telling: &Telling) -> rusqlite::Result<()> {
    let (mut body, mut scratch) = (db.prepare_cached(page::BODY)?, Vec::new());
    for mid in telling.mids() {
        let (envelope, _): (_, Option<i64>) = page::envelope(&mut body, mid, &mut scratch)?;
        telling.tell(pending, &envelope);
    }
    Ok(())
}

/// The pass goes on after this member.
fn stop_at(db: &Connection, pass: Untold, member: UserId) -> rusqlite::Result<bool> {
    let values = params![pass.group.get(), row::sql_number(pass.upto), member.get()];
    db.prepare_cached("UPDATE untold SET upto = ?2, member = ?3 WHERE groupid = ?1")?.execute(values)?;
    Ok(true)
}

/// The pass is through: what is said from this place on is for the next one. Whether that is due.
fn end(db: &Connection, untold: Untold, from: u64, before: Millis) -> rusqlite::Result<bool> {
    let group = untold.group.get();
    let next = db
        .prepare_cached(PLACES)?
        .query_row(params![group, row::sql_number(from), 1], |found| {
            Ok((row::number(found, 0)?, row::number(found, 1)?))
        })
        .optional()?;
    let Some((pos, ts)) = next else {
        db.prepare_cached("DELETE FROM untold WHERE groupid = ?1")?.execute([group])?;
        return Ok(false);
    };
    db.prepare_cached("UPDATE untold SET pos = ?2, ts = ?3, upto = 0, member = 0 WHERE groupid = ?1")?
        .execute(params![group, row::sql_number(pos), row::sql_number(ts)])?;
    Ok(ts <= before.0)
}

#[cfg(test)]
mod tests;
