//! Backlogs: entries put in and taken out, and the cursors of groups.
//!
//! [`page`](super::page) reads it.

use super::memory::Memory;
use super::{Answered, messages, row};
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::port::store::{CursorUpdate, StoreReply};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

pub fn ack_delivered(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    mids: &[MessageId],
    cursors: &[CursorUpdate],
) -> Answered {
    let mut statement = db.prepare_cached("DELETE FROM offlinemessage WHERE userid = ?1 AND mid = ?2")?;
    let mut ack_delivered = |mid: i64| -> rusqlite::Result<bool> {
        Ok(memory.drop_backlog_entry(user, mid) || statement.execute(params![user.get(), mid])? > 0)
    };
    let mut others: Vec<MessageId> = Vec::new();
    for mid in mids.iter().copied().filter_map(row::sql_mid) {
        if !ack_delivered(mid)?
            && let Some(stored) = messages::stored_as(db, mid)?
        {
            ack_delivered(stored)?;
            others.extend(u64::try_from(stored).ok().map(MessageId));
        }
    }
    for step in cursors {
        advance(db, user, step)?;
    }
    Ok(Ok(if others.is_empty() { StoreReply::Done } else { StoreReply::DeliveredAs(others) }))
}

/// Moves a cursor to where `step` says, over what follows and the user has too, and never back.
fn advance(db: &Connection, user: UserId, step: &CursorUpdate) -> rusqlite::Result<()> {
    let member = db
        .prepare_cached(
            "SELECT upto, head FROM groupuser JOIN allgroup ON allgroup.id = groupid
             WHERE userid = ?1 AND groupid = ?2",
        )?
        .query_row(params![user.get(), step.group.get()], |found| {
            Ok((row::number(found, 0)?, row::number(found, 1)?))
        })
        .optional()?;
    // Who left the group has no cursor in it any more.
    let Some((stored, head)) = member else { return Ok(()) };
    // A cursor beyond the head would jump over messages that are not written yet.
    let mut upto = stored.max(step.upto.min(head));
    if upto < head {
        upto = follow(db, user, step, upto)?;
    }
    if upto > stored {
        db.prepare_cached("UPDATE groupuser SET upto = ?3 WHERE userid = ?1 AND groupid = ?2")?
            .execute(params![user.get(), step.group.get(), row::sql_number(upto)])?;
    }
    Ok(())
}

/// The last of the places after `upto` that hold the user's own messages, those in `beyond`, and what is recalled.
fn follow(db: &Connection, user: UserId, step: &CursorUpdate, mut upto: u64) -> rusqlite::Result<u64> {
    let mut beyond: HashSet<MessageId> = step.beyond.iter().copied().collect();
    let mut under_other_ids = step.beyond.iter().copied().filter_map(row::sql_mid);
    let mut statement = db.prepare_cached(
        "SELECT pos, mid, sender, ifnull(rev, 0) < 0 FROM message WHERE groupid = ?1 AND pos > ?2 ORDER BY pos",
    )?;
    let mut rows = statement.query(params![step.group.get(), row::sql_number(upto)])?;
    while let Some(found) = rows.next()? {
        let is_recalled: bool = found.get(3)?;
        if !is_recalled && row::user(found, 2)? != user && !beyond.contains(&row::mid(found, 1)?) {
            for mid in under_other_ids.by_ref() {
                let stored = messages::stored_as(db, mid)?;
                beyond.extend(stored.and_then(|stored| u64::try_from(stored).ok()).map(MessageId));
            }
            if !beyond.contains(&row::mid(found, 1)?) {
                break;
            }
        }
        upto = row::number(found, 0)?;
    }
    Ok(upto)
}
