//! Changes of messages: what was asked for is done once, counted, and written down for whoever was away.
//!
//! The log has a number for each change of a conversation, without gaps; `chg` of the conversation is the last one. What a
//! message says is in its own row, so that whoever reads it there reads the present text.

use super::memory::Memory;
use super::{Answered, accounts, group_rules, groups, index, row};
use crate::changes::{self, Message, Power, RECALL, RECALLED, Request};
use crate::key::Key;
use chatd_chat::model::change::{Alteration, Changed};
use chatd_chat::model::envelope::said::is_event;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::StoreResult;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::edited::edited;
use rusqlite::{Connection, OptionalExtension, params};

/// Does what is asked for, unless it was done before or is not allowed.
pub fn alter(db: &Connection, memory: &mut Memory, limits: &Limits, request: &Request<'_>) -> Answered {
    // What was answered before is answered so again, whatever became of it.
    if let Some(cid) = request.cid
        && let Some(answer) = repeated(db, request, cid)?
    {
        return Ok(answer);
    }
    let (found, power) = match request.conversation {
        Conversation::With(peer) => {
            if !accounts::is_user(db, peer)? {
                return Ok(Err(Code::NoSuchUser));
            }
            let found = memory.places.at(db, (request.user, peer), request.pos)?;
            let refused = memory.refuses(db, peer, request.user)?;
            (found, Power { recalls_anything: false, refused, muted: false })
        }
        Conversation::Group(group) => {
            let Some(joined) = groups::joined(db, request.user, group)? else {
                return groups::not_a_member(db, group);
            };
            let found = if request.pos > joined { at(db, group, request.pos)? } else { None };
            let recalls_anything = groups::recalls_anything(db, request.user, group)?;
            let muted = group_rules::is_muted(db, request.user, group, request.ts)?;
            (found, Power { recalls_anything, refused: false, muted })
        }
    };
    let message = found.map(|mid| read_message(db, mid)).transpose()?.flatten();
    // What tells of the group is no message.
    let message = message.filter(|message| !is_event(&message.body));
    let Some(message) = message else { return Ok(Err(Code::NoSuchUser)) };
    if let Err(code) = request.is_allowed(limits, message.sender, message.ts, power) {
        return Ok(Err(code));
    }
    perform(db, memory, limits, request, &message)
}

fn perform(
    db: &Connection,
    memory: &mut Memory,
    limits: &Limits,
    request: &Request<'_>,
    message: &Message,
) -> Answered {
    let key = Key::of(request.user, request.conversation);
    let last = last(db, request.user, request.conversation)?;
    let changed = match request.alteration {
        Alteration::Edit { msg } => {
            edit(db, message, msg)?.then(|| request.changed(message.mid, last + 1, message.rev + 1, 0))
        }
        Alteration::Recall => {
            let changed = request.changed(message.mid, last + 1, message.rev, 0);
            recall(db, memory, key, &changed, message)?;
            Some(changed)
        }
        Alteration::React { emoji, on } => match react(db, limits, key, request, (emoji, *on))? {
            Ok(Some(n)) => {
                mark_reacted(db, message)?;
                Some(request.changed(message.mid, last + 1, message.rev, n))
            }
            Ok(None) => None,
            Err(code) => return Ok(Err(code)),
        },
    };
    if let Some(cid) = request.cid {
        let chg = changed.as_ref().map_or(last, |changed| changed.chg);
        remember(db, request, key, cid, chg)?;
    }
    let Some(changed) = changed else { return Ok(Ok(changes::unchanged(last))) };
    log(db, key, &changed)?;
    count(db, request.conversation, key, changed.chg)?;
    Ok(Ok(changes::altered(changed)))
}

/// The message with this id, if it is not recalled.
fn read_message(db: &Connection, mid: MessageId) -> rusqlite::Result<Option<Message>> {
    let mut find =
        db.prepare_cached("SELECT ts, sender, ifnull(rev, 0), body FROM message WHERE mid = ?1")?;
    let message = |found: &rusqlite::Row<'_>| {
        let rev: i64 = found.get(2)?;
        let Ok(rev) = u64::try_from(rev) else { return Ok(None) };
        let (ts, sender) = (Millis(row::number(found, 0)?), row::user(found, 1)?);
        Ok(Some(Message { mid, ts, sender, rev, body: found.get_ref(3)?.as_bytes()?.to_vec() }))
    };
    Ok(find.query_row([row::sql_mid(mid)], message).optional()?.flatten())
}

/// The message at one place of a group.
fn at(db: &Connection, group: GroupId, pos: u64) -> rusqlite::Result<Option<MessageId>> {
    db.prepare_cached("SELECT mid FROM message WHERE groupid = ?1 AND pos = ?2")?
        .query_row(params![group.get(), row::sql_number(pos)], |found| row::mid(found, 0))
        .optional()
}

/// The answer to what was asked for under this name before.
fn repeated(db: &Connection, request: &Request<'_>, cid: &str) -> rusqlite::Result<Option<StoreResult>> {
    db.prepare_cached("SELECT low, high, pos, chg, said FROM change_cid WHERE author = ?1 AND cid = ?2")?
        .query_row(params![request.user.get(), cid], |found| {
            let key = Key { low: found.get(0)?, high: found.get(1)? };
            Ok(request.repeated((key, row::number(found, 2)?), found.get(4)?, row::number(found, 3)?))
        })
        .optional()
}

fn remember(db: &Connection, request: &Request<'_>, key: Key, cid: &str, chg: u64) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO change_cid (author, cid, low, high, pos, chg, said) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        request.user.get(),
        cid,
        key.low,
        key.high,
        row::sql_number(request.pos),
        row::sql_number(chg),
        request.said(),
    ])
    .map(drop)
}

/// Whether the message says something else now.
fn edit(db: &Connection, message: &Message, msg: &str) -> rusqlite::Result<bool> {
    let Some(body) = edited(&message.body, msg).and_then(|body| String::from_utf8(body).ok()) else {
        return Ok(false);
    };
    db.prepare_cached("UPDATE message SET body = ?2, rev = ?3 WHERE mid = ?1")?.execute(params![
        row::sql_mid(message.mid),
        body,
        row::sql_number(message.rev + 1)
    ])?;
    index::changed(db, message.mid)?;
    Ok(true)
}

/// Nothing is left of the message but its place, and it waits for nobody.
fn recall(
    db: &Connection,
    memory: &mut Memory,
    key: Key,
    changed: &Changed,
    message: &Message,
) -> rusqlite::Result<()> {
    let place = (key.low, key.high, row::sql_number(changed.pos));
    let mid = row::sql_mid(message.mid);
    db.prepare_cached("UPDATE message SET body = '', rev = ?2 WHERE mid = ?1")?
        .execute(params![mid, RECALLED])?;
    db.prepare_cached("DELETE FROM reaction WHERE low = ?1 AND high = ?2 AND pos = ?3")?.execute(place)?;
    // What was done to it before tells no more than that it was recalled.
    db.prepare_cached(
        "UPDATE changes SET kind = ?4, author = ?5, ts = ?6, n = 0, content = NULL
         WHERE low = ?1 AND high = ?2 AND pos = ?3",
    )?
    .execute(params![
        place.0,
        place.1,
        place.2,
        row::sql_number(RECALL),
        changed.by.get(),
        row::sql_number(changed.ts.0)
    ])?;
    db.prepare_cached("UPDATE change_cid SET said = NULL WHERE low = ?1 AND high = ?2 AND pos = ?3")?
        .execute(place)?;
    uncount(db, key, changed.pos, message.sender)?;
    index::changed(db, message.mid)?;
    memory.write(db)?;
    db.prepare_cached("DELETE FROM offlinemessage WHERE mid = ?1")?.execute([mid]).map(drop)
}

/// The row at this place, which is this user's, is unread to nobody from now on.
pub fn uncount(db: &Connection, key: Key, pos: u64, sender: UserId) -> rusqlite::Result<()> {
    let pos = row::sql_number(pos);
    db.prepare_cached(
        "INSERT INTO uncounted (low, high, pos, sender) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?
    .execute(params![key.low, key.high, pos, sender.get()])?;
    if key.low == 0 {
        db.prepare_cached("UPDATE allgroup SET uncounted = max(uncounted, ?2) WHERE id = ?1")?
            .execute(params![key.high, pos])
            .map(drop)
    } else {
        db.prepare_cached(
            "UPDATE dialogue SET uncounted = max(uncounted, ?3)
             WHERE (userid, peer) IN (VALUES (?1, ?2), (?2, ?1))",
        )?
        .execute(params![key.low, key.high, pos])
        .map(drop)
    }
}

/// How many react so now, if that is new.
fn react(
    db: &Connection,
    limits: &Limits,
    key: Key,
    request: &Request<'_>,
    (emoji, on): (&str, bool),
) -> rusqlite::Result<Result<Option<u64>, Code>> {
    let pos = row::sql_number(request.pos);
    let count = |db: &Connection| {
        db.prepare_cached(
            "SELECT count(*) FROM reaction WHERE low = ?1 AND high = ?2 AND pos = ?3 AND emoji = ?4",
        )?
        .query_row(params![key.low, key.high, pos, emoji], |found| row::number(found, 0))
    };
    if on && count(db)? == 0 {
        let ways = db
            .prepare_cached(
                "SELECT count(DISTINCT emoji) FROM reaction WHERE low = ?1 AND high = ?2 AND pos = ?3",
            )?
            .query_row(params![key.low, key.high, pos], |found| row::number(found, 0))?;
        if ways >= limits.emojis as u64 {
            return Ok(Err(Code::TooMany));
        }
    }
    let sql = if on {
        "INSERT INTO reaction (low, high, pos, emoji, userid) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING"
    } else {
        "DELETE FROM reaction WHERE low = ?1 AND high = ?2 AND pos = ?3 AND emoji = ?4 AND userid = ?5"
    };
    let done = db.prepare_cached(sql)?.execute(params![key.low, key.high, pos, emoji, request.user.get()])?;
    Ok(Ok(if done == 0 { None } else { Some(count(db)?) }))
}

/// From now on it is looked who reacts to the message.
fn mark_reacted(db: &Connection, message: &Message) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE message SET rev = 0 WHERE mid = ?1 AND rev IS NULL")?
        .execute([row::sql_mid(message.mid)])
        .map(drop)
}

/// How many changes a conversation has, as one of its people sees it.
pub fn last(db: &Connection, user: UserId, conversation: Conversation) -> rusqlite::Result<u64> {
    let number = |found: &rusqlite::Row<'_>| row::number(found, 0);
    let found = match conversation {
        Conversation::With(peer) => db
            .prepare_cached("SELECT chg FROM dialogue WHERE userid = ?1 AND peer = ?2")?
            .query_row([user.get(), peer.get()], number),
        Conversation::Group(group) => {
            db.prepare_cached("SELECT chg FROM allgroup WHERE id = ?1")?.query_row([group.get()], number)
        }
    };
    Ok(found.optional()?.unwrap_or(0))
}

/// The conversation has so many changes now.
fn count(db: &Connection, conversation: Conversation, key: Key, chg: u64) -> rusqlite::Result<()> {
    let chg = row::sql_number(chg);
    match conversation {
        Conversation::With(_) => db
            .prepare_cached(
                "UPDATE dialogue SET chg = ?3 WHERE (userid, peer) IN (VALUES (?1, ?2), (?2, ?1))",
            )?
            .execute(params![key.low, key.high, chg]),
        Conversation::Group(_) => {
            db.prepare_cached("UPDATE allgroup SET chg = ?2 WHERE id = ?1")?.execute(params![key.high, chg])
        }
    }
    .map(drop)
}

fn log(db: &Connection, key: Key, changed: &Changed) -> rusqlite::Result<()> {
    let (kind, n, content) = changes::columns(changed);
    db.prepare_cached(
        "INSERT INTO changes (low, high, chg, pos, mid, kind, author, ts, rev, n, content)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        key.low,
        key.high,
        row::sql_number(changed.chg),
        row::sql_number(changed.pos),
        row::sql_mid(changed.mid),
        row::sql_number(kind),
        changed.by.get(),
        row::sql_number(changed.ts.0),
        row::sql_number(changed.rev),
        row::sql_number(n),
        content,
    ])
    .map(drop)
}

/// Who has recalled the message at this place, and when.
pub fn recalled(db: &Connection, key: Key, pos: u64) -> rusqlite::Result<(UserId, Millis)> {
    db.prepare_cached("SELECT author, ts FROM changes WHERE low = ?1 AND high = ?2 AND pos = ?3 LIMIT 1")?
        .query_row(params![key.low, key.high, row::sql_number(pos)], |found| {
            Ok((row::user(found, 0)?, Millis(row::number(found, 1)?)))
        })
}

/// The changes after `after`, `most` at most, of rows that are after place `joined`.
pub fn after(
    db: &Connection,
    key: Key,
    after: u64,
    joined: u64,
    most: usize,
) -> rusqlite::Result<Vec<Changed>> {
    db.prepare_cached(
        "SELECT chg, pos, author, ts, rev, kind, n, content, mid FROM changes
         WHERE low = ?1 AND high = ?2 AND chg > ?3 AND pos > ?4 ORDER BY chg LIMIT ?5",
    )?
    .query_map(
        params![key.low, key.high, row::sql_number(after), row::sql_number(joined), most as i64],
        |found| {
            Ok(Changed {
                chg: row::number(found, 0)?,
                pos: row::number(found, 1)?,
                mid: row::mid(found, 8)?,
                by: row::user(found, 2)?,
                ts: Millis(row::number(found, 3)?),
                rev: row::number(found, 4)?,
                what: changes::done(
                    row::number(found, 5)?,
                    row::number(found, 6)?,
                    found.get_ref(7)?.as_str_or_null().ok().flatten(),
                ),
            })
        },
    )?
    .collect()
}

/// Deletes what is known of changes in a group that is dissolved, `most` rows at most; how many it deleted.
pub fn sweep(db: &Connection, group: GroupId, most: usize) -> rusqlite::Result<usize> {
    const TABLES: [&str; 4] = [
        "DELETE FROM reaction WHERE (low, high, pos, emoji, userid) IN
         (SELECT low, high, pos, emoji, userid FROM reaction WHERE low = 0 AND high = ?1 LIMIT ?2)",
        "DELETE FROM change_cid WHERE (author, cid) IN
         (SELECT author, cid FROM change_cid WHERE low = 0 AND high = ?1 LIMIT ?2)",
        "DELETE FROM changes WHERE rowid IN
         (SELECT rowid FROM changes WHERE low = 0 AND high = ?1 LIMIT ?2)",
        "DELETE FROM uncounted WHERE (low, high, pos) IN
         (SELECT low, high, pos FROM uncounted WHERE low = 0 AND high = ?1 LIMIT ?2)",
    ];
    let mut swept = 0;
    for table in TABLES {
        let left = row::sql_number((most - swept) as u64);
        swept += db.prepare_cached(table)?.execute(params![group.get(), left])?;
    }
    Ok(swept)
}
