//! Friendships that are asked for, and what users have chosen.
//!
//! An ask is a row until it is answered, taken back or in the way of a block. One of somebody who is blocked is a row like any
//! other, which only its asker meets: by it that one gets the answers that it would get otherwise.

use super::memory::Memory;
use super::{Answered, accounts, row};
use chatd_chat::model::consent::{
    FriendAnswer, FriendAsk, NewFriend, SavedSettings, Settings, SettingsChange, WhoWrites,
};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, params};

pub fn ask(
    db: &Connection,
    limits: &Limits,
    (user, friend): (UserId, UserId),
    note: &str,
    cid: Option<&str>,
) -> Answered {
    let Some(name) = name_of(db, friend)? else { return Ok(Err(Code::NoSuchUser)) };
    if accounts::has_friend(db, user, friend)? && accounts::has_friend(db, friend, user)? {
        return Ok(Err(Code::Exists));
    }
    if asks(db, friend, user)? {
        return befriend(db, limits, (user, friend), name);
    }
    let before = db
        .prepare_cached("SELECT cid FROM friend_ask WHERE userid = ?1 AND asker = ?2")?
        .query_row(params![friend.get(), user.get()], |found| found.get::<_, Option<String>>(0))
        .optional()?;
    if let Some(before) = before {
        let is_again = before.is_some() && before.as_deref() == cid;
        return Ok(if is_again { Ok(StoreReply::Done) } else { Err(Code::Exists) });
    }
    let waiting = |sql: &str, user: UserId| {
        db.prepare_cached(sql)?.query_row([user.get()], |found| row::number(found, 0))
    };
    let made = waiting("SELECT count(*) FROM friend_ask WHERE asker = ?1", user)?;
    let asked = waiting("SELECT count(*) FROM friend_ask WHERE userid = ?1 AND dropped = 0", friend)?;
    if made >= limits.friend_asks as u64 || asked >= limits.friend_asked as u64 {
        return Ok(Err(Code::TooMany));
    }
    let dropped = blocks(db, friend, user)?;
    db.prepare_cached(
        "INSERT INTO friend_ask (userid, asker, note, cid, dropped) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![friend.get(), user.get(), note, cid, dropped])?;
    Ok(Ok(if dropped { StoreReply::Done } else { StoreReply::Asked }))
}

pub fn answer(
    db: &Connection,
    limits: &Limits,
    (user, friend): (UserId, UserId),
    answer: FriendAnswer,
) -> Answered {
    let Some(name) = name_of(db, friend)? else { return Ok(Err(Code::NoSuchUser)) };
    if answer == FriendAnswer::No {
        // What the user was never told of stays, so that whoever asked learns nothing by it.
        take_back(db, friend, user, false)?;
        take_back(db, user, friend, true)?;
        return Ok(Ok(StoreReply::Done));
    }
    if asks(db, friend, user)? {
        return befriend(db, limits, (user, friend), name);
    }
    let are_friends = accounts::has_friend(db, user, friend)? && accounts::has_friend(db, friend, user)?;
    Ok(if are_friends { Ok(StoreReply::Done) } else { Err(Code::NoSuchUser) })
}

/// Both are on each other's list from now on, and nobody asks any more.
fn befriend(db: &Connection, limits: &Limits, pair: (UserId, UserId), name: String) -> Answered {
    let (user, friend) = pair;
    for (of, other) in [(user, friend), (friend, user)] {
        if !accounts::has_friend(db, of, other)? && accounts::has_all_friends(db, limits, of)? {
            return Ok(Err(Code::TooMany));
        }
    }
    for (of, other) in [(user, friend), (friend, user)] {
        db.prepare_cached("INSERT INTO friend (userid, friendid) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![of.get(), other.get()])?;
    }
    ask_no_more(db, user, friend)?;
    let (hides, is_hidden) = (blocks(db, friend, user)?, blocks(db, user, friend)?);
    Ok(Ok(StoreReply::Befriended(NewFriend { name, hides, is_hidden })))
}

/// Neither of the two asks the other for anything any more.
pub fn ask_no_more(db: &Connection, one: UserId, other: UserId) -> rusqlite::Result<()> {
    take_back(db, one, other, true)?;
    take_back(db, other, one, true)
}

/// `asker` asks `user` no more; what was dropped goes too, if that is said.
pub fn take_back(db: &Connection, asker: UserId, user: UserId, with_dropped: bool) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM friend_ask WHERE userid = ?1 AND asker = ?2 AND dropped <= ?3")?
        .execute(params![user.get(), asker.get(), with_dropped])
        .map(drop)
}

/// Whether `asker` asks `user`, which knows of it.
fn asks(db: &Connection, asker: UserId, user: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM friend_ask WHERE userid = ?1 AND asker = ?2 AND dropped = 0")?
        .exists(params![user.get(), asker.get()])
}

fn blocks(db: &Connection, user: UserId, other: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM blocked WHERE userid = ?1 AND blocked = ?2")?
        .exists(params![user.get(), other.get()])
}

fn name_of(db: &Connection, user: UserId) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT name FROM user WHERE id = ?1")?
        .query_row([user.get()], |found| found.get(0))
        .optional()
}

/// Who asks a user for its friendship, by id.
pub fn asking(db: &Connection, limits: &Limits, user: UserId) -> rusqlite::Result<Vec<FriendAsk>> {
    db.prepare_cached(
        "SELECT user.id, user.name, note FROM friend_ask JOIN user ON user.id = asker
         WHERE userid = ?1 AND dropped = 0 ORDER BY asker LIMIT ?2",
    )?
    .query_map(params![user.get(), row::sql_number(limits.friend_asked as u64)], |found| {
        Ok(FriendAsk { asker: row::user(found, 0)?, name: found.get(1)?, note: found.get(2)? })
    })?
    .collect()
}

/// What a user has chosen.
pub fn settings(db: &Connection, user: UserId) -> rusqlite::Result<Settings> {
    let found = db
        .prepare_cached("SELECT who_writes, read_receipts FROM setting WHERE userid = ?1")?
        .query_row([user.get()], |found| {
            Ok(Settings { who_writes: who(found, 0)?, read_receipts: found.get(1)? })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}

pub fn save_settings(db: &Connection, memory: &mut Memory, user: UserId, change: SettingsChange) -> Answered {
    let before = settings(db, user)?;
    let settings = change.applied_to(before);
    let changed = settings != before;
    if changed {
        db.prepare_cached(
            "INSERT INTO setting (userid, who_writes, read_receipts) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET who_writes = ?2, read_receipts = ?3",
        )?
        .execute(params![user.get(), settings.who_writes.name(), settings.read_receipts])?;
        memory.chooses(user, settings.who_writes);
    }
    Ok(Ok(StoreReply::Settings(SavedSettings { settings, changed })))
}

/// Whose messages a user takes that has chosen something but everybody's.
pub fn choosers(db: &Connection) -> rusqlite::Result<Vec<(UserId, WhoWrites)>> {
    db.prepare_cached("SELECT userid, who_writes FROM setting WHERE who_writes <> 'all'")?
        .query_map([], |found| Ok((row::user(found, 0)?, who(found, 1)?)))?
        .collect()
}

/// What a column says of who writes. What no chatd has written there lets nobody write.
fn who(found: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<WhoWrites> {
    let name: String = found.get(column)?;
    Ok(WhoWrites::named(&name).unwrap_or(WhoWrites::None))
}
