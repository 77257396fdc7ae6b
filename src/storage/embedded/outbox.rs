//! The outbox: what a batch has told is written at its end, a row for up to a thousand events, and deleted once posted.
//!
//! Which messages nobody has confirmed is not written down with each of them: whatever is in a backlog and older than it
//! may be is told of, from the ids up to which that was done on. What comes into a backlog later than that is told of at
//! once. Which members of groups have not confirmed what was said there is looked at apart ([`super::untold`]).

use super::memory::Memory;
use super::{page, row, untold};
use crate::outbox::pending::{Pending, Waiting, text};
use crate::outbox::{Bounds, PAGE_BYTES, PAGE_ROWS, Page, Row, Step, TRIMMED_ROWS, UNDELIVERED};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

/// What in backlogs is older than it may be, by its id.
const WAITING: &str = "SELECT offlinemessage.userid, offlinemessage.mid FROM offlinemessage
    WHERE offlinemessage.mid > ?1 AND offlinemessage.mid <= ?2 ORDER BY offlinemessage.mid LIMIT ?3";

/// Writes what was told.
pub fn write(db: &Connection, pending: &mut Pending) -> rusqlite::Result<()> {
    if pending.is_empty() {
        return Ok(());
    }
    untold::note(db, pending)?;
    let now = row::sql_number(crate::outbox::pending::now().0);
    let mut insert = db.prepare_cached("INSERT INTO outbox (ts, events, body) VALUES (?1, ?2, ?3)")?;
    for lines in pending.take() {
        insert.execute(params![now, row::sql_number(lines.events), lines.body])?;
    }
    Ok(())
}

/// A message came into a backlog: told of at once if whoever looks for those that wait is beyond it.
pub fn tell_if_late(db: &Connection, memory: &mut Memory, user: UserId, mid: i64) -> rusqlite::Result<()> {
    let upto = memory.undelivered_upto.and_then(row::sql_mid);
    if memory.outbox.kinds.undelivered && upto.is_some_and(|upto| mid <= upto) {
        tell(db, &mut memory.outbox, user, mid)?;
    }
    Ok(())
}

/// Does a step, in a transaction if it changes something.
pub fn step(db: &mut Connection, memory: &mut Memory, step: &Step) -> rusqlite::Result<Page> {
    let (mut dropped, mut more) = (0, false);
    let until = step.undelivered_before.map(MessageId::of_time);
    let since = until.map(|_| begin_looking(db, memory, step.now)).transpose()?;
    let found = match since.zip(until) {
        Some((since, until)) => waiting(db, since, until)?,
        None => Vec::new(),
    };
    let due = step.undelivered_before.map(|before| untold::due(db, before)).transpose()?.unwrap_or_default();
    let over = step.trim.map(|bounds| over(db, bounds, step.now)).transpose()?.flatten();
    let is_told = step.tell.is_some() || !found.is_empty() || !due.is_empty();
    if !step.posted.is_empty() || is_told || over.is_some() {
        let transaction = Transaction::new(db, TransactionBehavior::Immediate)?;
        delete(&transaction, &step.posted)?;
        if let Some(beyond) = over {
            dropped = drop_oldest(&transaction, beyond)?;
        }
        let mut pending = Pending::default();
        step.tell.iter().for_each(|line| pending.line(line));
        for (user, mid) in &found {
            tell(&transaction, &mut pending, *user, *mid)?;
        }
        if let Some(before) = step.undelivered_before {
            more = untold::tell(&transaction, &mut pending, &due, before)?;
        }
        write(&transaction, &mut pending)?;
        if let Some((_, last)) = found.last() {
            transaction.prepare_cached("UPDATE history SET undelivered_upto = ?1")?.execute([last])?;
        }
        transaction.commit()?;
    }
    if let Some(until) = until {
        // The last of those that were found, if there may be more of them.
        let last = found.last().filter(|_| found.len() >= UNDELIVERED).map(|(_, mid)| *mid);
        let last = last.and_then(|mid| u64::try_from(mid).ok()).map(MessageId);
        memory.undelivered_upto = Some(last.unwrap_or(until).max(since.unwrap_or(until)));
    }
    Ok(Page { more, dropped, ..look(db, step)? })
}

/// From which id on backlogs are looked at: where it was left, or now, if nobody has looked before.
fn begin_looking(db: &Connection, memory: &mut Memory, now: Millis) -> rusqlite::Result<MessageId> {
    if let Some(upto) = memory.undelivered_upto {
        return Ok(upto);
    }
    let upto = db.query_row("SELECT undelivered_upto FROM history", [], |found| row::mid(found, 0))?;
    if upto > MessageId(0) {
        return Ok(upto);
    }
    let now = MessageId::of_time(now);
    db.execute("UPDATE history SET undelivered_upto = ?1", [row::sql_mid(now)])?;
    Ok(now)
}

/// Messages that wait in backlogs, and whose: some of the oldest, and all of the last one's.
fn waiting(db: &Connection, since: MessageId, until: MessageId) -> rusqlite::Result<Vec<(UserId, i64)>> {
    let read = |found: &rusqlite::Row<'_>| Ok((row::user(found, 0)?, found.get::<_, i64>(1)?));
    let (since, until, most) = (row::sql_mid(since), row::sql_mid(until), UNDELIVERED as i64);
    let mut select = db.prepare_cached(WAITING)?;
    let mut found: Vec<(UserId, i64)> =
        select.query_map(params![since, until, most], read)?.collect::<rusqlite::Result<_>>()?;
    if found.len() >= UNDELIVERED
        && let Some(&(_, last)) = found.last()
    {
        found.retain(|(_, mid)| *mid != last);
        let all = select.query_map(params![last - 1, last, i64::MAX], read)?;
        found.extend(all.collect::<rusqlite::Result<Vec<_>>>()?);
    }
    Ok(found)
}

/// Tells that nobody has confirmed a message, if there is such a one, and it was not recalled.
fn tell(db: &Connection, pending: &mut Pending, user: UserId, mid: i64) -> rusqlite::Result<()> {
    let (mut body, mut scratch) = (db.prepare_cached(page::BODY)?, Vec::new());
    let Some(id) = u64::try_from(mid).ok().map(MessageId) else { return Ok(()) };
    let found = page::envelope(&mut body, id, &mut scratch).optional()?;
    let Some((envelope, _)) = found.filter(|(_, rev)| rev.is_none_or(|rev| rev >= 0)) else {
        return Ok(());
    };
    let pos = db
        .prepare_cached("SELECT pos FROM message WHERE mid = ?1")?
        .query_row([mid], |found| row::optional_number(found, 0))?;
    let (external, devices) = reached_by(db, user)?;
    let waiting = Waiting { user, external: external.as_deref(), devices: &devices };
    pending.undelivered(&envelope, pos.unwrap_or(0), &waiting);
    Ok(())
}

/// What an application calls a user, if one does, and the user's devices, each an object.
pub fn reached_by(db: &Connection, user: UserId) -> rusqlite::Result<(Option<String>, Vec<String>)> {
    let external: Option<String> = db
        .prepare_cached("SELECT external FROM user WHERE id = ?1")?
        .query_row([user.get()], |found| found.get(0))
        .optional()?
        .flatten();
    let devices = db
        .prepare_cached("SELECT id, ifnull(device, ''), push_token, push_kind FROM token WHERE userid = ?1 ORDER BY used DESC")?
        .query_map([user.get()], |found| {
            let mut device = format!("{{\"id\":\"{}\"", row::number(found, 0)?);
            text(&mut device, "device", found.get_ref(1)?.as_str()?);
            if let Some(token) = found.get_ref(2)?.as_str_or_null()? {
                text(&mut device, "push_token", token);
                text(&mut device, "push_kind", found.get_ref(3)?.as_str_or_null()?.unwrap_or_default());
            }
            Ok(device + "}")
        })?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    Ok((external, devices))
}

fn delete(db: &Connection, posted: &[u64]) -> rusqlite::Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
    posted.iter().try_for_each(|id| delete.execute([row::sql_number(*id)]).map(drop))
}

/// The oldest and the newest row: their ids, and when the oldest was written.
fn ends(db: &Connection) -> rusqlite::Result<Option<(u64, u64, Millis)>> {
    let sql = "SELECT id, (SELECT max(id) FROM outbox), ts FROM outbox ORDER BY id LIMIT 1";
    db.prepare_cached(sql)?
        .query_row([], |found| {
            Ok((row::number(found, 0)?, row::number(found, 1)?, Millis(row::number(found, 2)?)))
        })
        .optional()
}

/// What is over the bounds: rows before an id, and older than a time.
struct Beyond {
    first: u64,
    id: u64,
    before: Millis,
}

fn over(db: &Connection, bounds: Bounds, now: Millis) -> rusqlite::Result<Option<Beyond>> {
    let Some((first, newest, oldest)) = ends(db)? else { return Ok(None) };
    let beyond = Beyond {
        first,
        id: (newest + 1).saturating_sub(bounds.rows),
        before: Millis(now.0.saturating_sub(bounds.age_ms)),
    };
    Ok((first < beyond.id || oldest < beyond.before).then_some(beyond))
}

/// Deletes the oldest rows that are over the bounds, and counts their events.
fn drop_oldest(db: &Connection, beyond: Beyond) -> rusqlite::Result<u64> {
    let end = row::sql_number(beyond.first + TRIMMED_ROWS);
    let values = params![end, row::sql_number(beyond.id), row::sql_number(beyond.before.0)];
    let sql = "SELECT ifnull(sum(events), 0) FROM outbox WHERE id < ?1 AND (id < ?2 OR ts < ?3)";
    let dropped = db.prepare_cached(sql)?.query_row(values, |found| row::number(found, 0))?;
    db.prepare_cached("DELETE FROM outbox WHERE id < ?1 AND (id < ?2 OR ts < ?3)")?.execute(values)?;
    Ok(dropped)
}

/// What waits now.
fn look(db: &Connection, step: &Step) -> rusqlite::Result<Page> {
    let mut page = Page { posts: true, ..Page::default() };
    let Some((first, newest, oldest)) = ends(db)? else { return Ok(page) };
    (page.waiting, page.oldest) = (newest - first + 1, Some(oldest));
    if !step.wanted {
        return Ok(page);
    }
    let mut select = db.prepare_cached("SELECT id, body FROM outbox ORDER BY id")?;
    let (mut rows, mut bytes) = (select.query([])?, 0);
    while bytes < PAGE_BYTES
        && page.rows.len() < PAGE_ROWS
        && let Some(found) = rows.next()?
    {
        let body: String = found.get(1)?;
        bytes += body.len();
        page.rows.push(Row { id: row::number(found, 0)?, body });
    }
    Ok(page)
}
