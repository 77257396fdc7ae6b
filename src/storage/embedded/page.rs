//! One page of a backlog, read for [`Merge`]: backlog entries, what groups hold, and the bodies.

use super::{Answered, group_rules, row};
use crate::merge::{Candidate, Group, Merge, PageLimit, Want};
use chatd_chat::model::envelope::{Envelope, Row, Target};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::port::store::{BacklogMessage, BacklogPage, StoreReply};
use rusqlite::{CachedStatement, Connection, params};

pub fn fetch(
    db: &Connection,
    user: UserId,
    after: MessageId,
    have: &[(GroupId, u64)],
    limit: PageLimit,
) -> Answered {
    let mut merge = Merge::new(after, &groups(db, user)?, have, limit);
    let mut wants = Vec::new();
    let page = loop {
        if let Some(page) = merge.proceed(&mut wants) {
            break page;
        }
        for want in &wants {
            match *want {
                Want::Backlog { after, most } => merge.backlog(backlog(db, user, after, most)?),
                Want::Group { stream, group, after, most } => {
                    merge.group(stream, most, of_group(db, user, group, after, most)?);
                }
            }
        }
    };
    let messages = read(db, &page.messages)?;
    let rules = group_rules::of_user(db, user)?;
    Ok(Ok(StoreReply::Backlog(BacklogPage { messages, complete: page.complete, heads: page.heads, rules })))
}

fn groups(db: &Connection, user: UserId) -> rusqlite::Result<Vec<Group>> {
    db.prepare_cached(
        "SELECT groupid, upto, head FROM groupuser JOIN allgroup ON allgroup.id = groupid WHERE userid = ?1",
    )?
    .query_map([user.get()], |found| {
        Ok(Group { group: row::group(found, 0)?, upto: row::number(found, 1)?, head: row::number(found, 2)? })
    })?
    .collect()
}

fn of_group(
    db: &Connection,
    user: UserId,
    group: GroupId,
    after: u64,
    most: usize,
) -> rusqlite::Result<Vec<Candidate>> {
    db.prepare_cached(
        "SELECT mid, pos, octet_length(body) FROM message
         WHERE groupid = ?1 AND pos > ?2 AND sender <> ?3 AND ifnull(rev, 0) >= 0 ORDER BY pos LIMIT ?4",
    )?
    .query_map(params![group.get(), row::sql_number(after), user.get(), most as i64], |found| {
        Ok(Candidate {
            mid: row::mid(found, 0)?,
            pos: Some(row::number(found, 1)?),
            bytes: bytes_of(found, 2)?,
        })
    })?
    .collect()
}

fn backlog(db: &Connection, user: UserId, after: MessageId, most: usize) -> rusqlite::Result<Vec<Candidate>> {
    // Of a group that was dissolved nothing is shown any more.
    db.prepare_cached(
        "SELECT message.mid, octet_length(body)
         FROM offlinemessage JOIN message ON message.mid = offlinemessage.mid
         LEFT JOIN allgroup ON allgroup.id = message.groupid
         WHERE userid = ?1 AND offlinemessage.mid > ?2
           AND (message.groupid IS NULL OR allgroup.groupname IS NOT NULL)
         ORDER BY offlinemessage.mid LIMIT ?3",
    )?
    .query_map(params![user.get(), row::sql_mid(after), most as i64], |found| {
        Ok(Candidate { mid: row::mid(found, 0)?, pos: None, bytes: bytes_of(found, 1)? })
    })?
    .collect()
}

fn bytes_of(found: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<usize> {
    row::number(found, column).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// What an [`envelope`] is made from.
pub const BODY: &str = "SELECT ts, sender, recipient, groupid, cid, body, rev FROM message WHERE mid = ?1";

/// The messages of a page, with their bodies.
fn read(db: &Connection, page: &[Candidate]) -> rusqlite::Result<Vec<BacklogMessage>> {
    let mut statement = db.prepare_cached(BODY)?;
    let mut scratch = Vec::new();
    page.iter()
        .map(|candidate| {
            let (envelope, _) = envelope(&mut statement, candidate.mid, &mut scratch)?;
            Ok(BacklogMessage { envelope, pos: candidate.pos })
        })
        .collect()
}

/// The message with this id, by [`BODY`], and how often it was edited, if it was changed at all.
pub fn envelope(
    statement: &mut CachedStatement<'_>,
    mid: MessageId,
    scratch: &mut Vec<u8>,
) -> rusqlite::Result<(Envelope, Option<i64>)> {
    statement.query_row([row::sql_mid(mid)], |found| {
        let direct = row::optional_number(found, 3)?.is_none();
        let target =
            if direct { Target::User(row::user(found, 2)?) } else { Target::Group(row::group(found, 3)?) };
        let stored = Row {
            sender: row::user(found, 1)?,
            target,
            mid,
            ts: Millis(row::number(found, 0).unwrap_or(0)),
            cid: found.get_ref(4)?.as_bytes_or_null()?.unwrap_or_default(),
            body: found.get_ref(5)?.as_bytes()?,
        };
        Ok((Envelope::of_row(stored, scratch), found.get(6)?))
    })
}
