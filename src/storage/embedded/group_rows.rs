//! The rows that tell what was done to groups: made once, and found again by the cid of who asked.

use super::group_rules::ruled;
use super::memory::Memory;
use super::row;
use crate::group_rules::{Asked, Named, body, placed, repeats};
use chatd_chat::model::group_rule::{GroupRule, NewRow};
use chatd_chat::model::history::Placed;
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::group_event::What;
use rusqlite::{Connection, OptionalExtension, params};

/// Makes the row that tells of something, at the next place of the group.
pub fn add_row(
    db: &Connection,
    memory: &mut Memory,
    asked: &Asked<'_>,
    user: Option<UserId>,
    what: What<'_>,
) -> rusqlite::Result<Placed> {
    let by = named(db, asked.user)?;
    let user = user.filter(|&user| user != asked.user).map(|user| named(db, user)).transpose()?;
    let body = body(&by, asked.group, user.as_ref(), what);
    let mut mid = asked.row.mid;
    while is_taken(db, mid)? {
        mid = mid.next_of_core();
    }
    let pos = db
        .prepare_cached("UPDATE allgroup SET head = head + 1 WHERE id = ?1 RETURNING head")?
        .query_row([asked.group.get()], |found| row::number(found, 0))?;
    db.prepare_cached(
        "INSERT INTO message (mid, ts, sender, groupid, cid, body, pos) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        row::sql_mid(mid),
        row::sql_number(asked.row.ts.0),
        asked.user.get(),
        asked.group.get(),
        asked.cid,
        std::str::from_utf8(&body).expect("it was made of texts"),
        row::sql_number(pos),
    ])?;
    memory.places.stored(mid);
    // It never counts as unread.
    db.prepare_cached("INSERT INTO uncounted (low, high, pos, sender) VALUES (0, ?1, ?2, ?3)")?
        .execute(params![asked.group.get(), row::sql_number(pos), asked.user.get()])?;
    db.prepare_cached("UPDATE allgroup SET uncounted = ?2 WHERE id = ?1")?
        .execute(params![asked.group.get(), row::sql_number(pos)])?;
    let row = NewRow { mid, ..asked.row };
    Ok(placed(asked.user, asked.group, row, asked.cid.unwrap_or_default().as_bytes(), &body, pos))
}

/// The answer to a request whose row is there already.
pub fn again(
    db: &Connection,
    asked: &Asked<'_>,
    rule: &GroupRule,
) -> rusqlite::Result<Option<Result<StoreReply, Code>>> {
    let Some(cid) = asked.cid else { return Ok(None) };
    let stored = db
        .prepare_cached("SELECT mid, ts, groupid, pos, body FROM message WHERE sender = ?1 AND cid = ?2")?
        .query_row(params![asked.user.get(), cid], |found| {
            let row = NewRow { mid: row::mid(found, 0)?, ts: Millis(row::number(found, 1)?) };
            let place = (row::optional_number(found, 2)?, row::optional_number(found, 3)?);
            Ok((row, place, found.get::<_, String>(4)?))
        })
        .optional()?;
    let Some((stored, (group, pos), body)) = stored else { return Ok(None) };
    let by = named(db, asked.user)?;
    let user = rule.about().filter(|&user| user != asked.user).map(|user| named(db, user)).transpose()?;
    let same = group == Some(asked.group.get().into())
        && repeats(body.as_bytes(), &by, asked.group, user.as_ref(), rule);
    let Some(pos) = pos.filter(|_| same) else { return Ok(Some(Err(Code::CidReused))) };
    let placed = placed(asked.user, asked.group, stored, cid.as_bytes(), body.as_bytes(), pos);
    Ok(Some(Ok(StoreReply::Ruled(ruled(db, asked, rule, Some(placed), false)?))))
}

fn is_taken(db: &Connection, mid: MessageId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM message WHERE mid = ?1")?.exists([row::sql_mid(mid)])
}

fn named(db: &Connection, user: UserId) -> rusqlite::Result<Named> {
    let name = db
        .prepare_cached("SELECT name FROM user WHERE id = ?1")?
        .query_row([user.get()], |found| found.get(0))
        .optional()?;
    Ok((user, name.unwrap_or_default()))
}
