//! Users and their friends.

use super::{Answered, row};
use crate::Account;
use crate::names::fold;
use chatd_chat::model::consent::Parting;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Person, Who};
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, ffi, params};

pub fn enroll(db: &Connection, name: &str, hash: &str) -> Answered {
    // A name that is taken must not use up an id, so it is not left to the constraint.
    let folded = fold(name);
    if is_taken(db, name, &folded)? {
        return Ok(Err(Code::Refused));
    }
    let made = db
        .prepare_cached("INSERT INTO user (name, folded, password) VALUES (?1, ?2, ?3) RETURNING id")?
        .query_row(params![name, folded, hash], |found| row::user(found, 0));
    Ok(given(made)?.map(StoreReply::Registered))
}

/// Whether a name is somebody's, as it is written or as it is folded.
pub fn is_taken(db: &Connection, name: &str, folded: &str) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM user WHERE folded = ?2 OR name = ?1")?.exists(params![name, folded])
}

/// The id that an insert gave away; `TooMany` once they are used up, which can never succeed again.
pub fn given<T>(made: rusqlite::Result<T>) -> rusqlite::Result<Result<T, Code>> {
    match made {
        Ok(id) => Ok(Ok(id)),
        // The only check that these tables have is that an id is not beyond the last one.
        Err(error) if is_used_up(&error) => Ok(Err(Code::TooMany)),
        Err(error) => Err(error),
    }
}

fn is_used_up(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_CONSTRAINT_CHECK)
}

/// The id of whoever is named so: as it is written, if there is somebody, and as it is folded.
fn id_of(db: &Connection, who: &Who) -> rusqlite::Result<Option<u32>> {
    let name = match who {
        Who::Id(user) => return Ok(Some(user.get())),
        Who::Name(name) => name,
    };
    let written = db
        .prepare_cached("SELECT id FROM user WHERE name = ?1")?
        .query_row([name], |found| found.get(0))
        .optional()?;
    if written.is_some() {
        return Ok(written);
    }
    db.prepare_cached("SELECT id FROM user WHERE folded = ?1")?
        .query_row([fold(name)], |found| found.get(0))
        .optional()
}

pub fn lookup(db: &Connection, who: &Who) -> rusqlite::Result<Option<Account>> {
    let account = |found: &rusqlite::Row<'_>| {
        Ok(Account { user: row::user(found, 0)?, name: found.get(1)?, hash: found.get(2)? })
    };
    let Some(id) = id_of(db, who)? else { return Ok(None) };
    db.prepare_cached(
        "SELECT id, name, password FROM user WHERE id = ?1 AND password <> '' AND NOT disabled",
    )?
    .query_row([id], account)
    .optional()
}

pub fn confirm(db: &Connection, account: &Account) -> Answered {
    let same = db
        .prepare_cached("SELECT 1 FROM user WHERE id = ?1 AND password = ?2 AND NOT disabled")?
        .exists(params![account.user.get(), account.hash])?;
    Ok(if same { Ok(account.verified()) } else { Err(Code::Refused) })
}

pub fn find(db: &Connection, user: UserId, who: &Who) -> Answered {
    let Some(id) = id_of(db, who)? else { return Ok(Err(Code::NoSuchUser)) };
    let sql =
        "SELECT id, name, EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = ?2)
        FROM user WHERE id = ?1";
    let found = db.prepare_cached(sql)?.query_row([id, user.get()], person).optional()?;
    Ok(found.map(StoreReply::Found).ok_or(Code::NoSuchUser))
}

pub fn friends(db: &Connection, limits: &Limits, user: UserId) -> Answered {
    friend_list(db, limits, user).map(|friends| Ok(StoreReply::Friends(friends)))
}

pub fn friend_list(db: &Connection, limits: &Limits, user: UserId) -> rusqlite::Result<Vec<Person>> {
    db.prepare_cached(
        "SELECT user.id, user.name, EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = ?1)
         FROM friend JOIN user ON user.id = friend.friendid
         WHERE friend.userid = ?1 ORDER BY friend.friendid LIMIT ?2",
    )?
    .query_map(params![user.get(), row::sql_number(limits.friends as u64)], person)?
    .collect()
}

/// Which friends of a user block it, by id.
pub fn hidden(db: &Connection, user: UserId) -> Answered {
    let mut hidden = db.prepare_cached(
        "SELECT friend.friendid FROM friend
         JOIN blocked AS b ON b.userid = friend.friendid AND b.blocked = friend.userid
         WHERE friend.userid = ?1 ORDER BY friend.friendid",
    )?;
    let hidden = hidden.query_map([user.get()], |found| row::user(found, 0))?;
    Ok(Ok(StoreReply::Hidden(hidden.collect::<rusqlite::Result<_>>()?)))
}

/// A person from a row that begins with its id, its name, and whether it blocks whoever asks.
pub fn person(found: &rusqlite::Row<'_>) -> rusqlite::Result<Person> {
    Ok(Person { id: row::user(found, 0)?, name: found.get(1)?, hides: found.get(2)? })
}

pub fn add_friend(db: &Connection, limits: &Limits, user: UserId, friend: UserId) -> Answered {
    if !is_user(db, friend)? {
        return Ok(Err(Code::NoSuchUser));
    }
    let pair = params![user.get(), friend.get()];
    if has_friend(db, user, friend)? {
        return Ok(Err(Code::Exists));
    }
    if has_all_friends(db, limits, user)? {
        return Ok(Err(Code::TooMany));
    }
    db.prepare_cached("INSERT INTO friend (userid, friendid) VALUES (?1, ?2)")?.execute(pair)?;
    let hides =
        db.prepare_cached("SELECT 1 FROM blocked WHERE userid = ?2 AND blocked = ?1")?.exists(pair)?;
    Ok(Ok(if hides { StoreReply::Hidden(vec![friend]) } else { StoreReply::Done }))
}

/// Whether somebody is on a user's list of friends.
pub fn has_friend(db: &Connection, user: UserId, friend: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM friend WHERE userid = ?1 AND friendid = ?2")?
        .exists(params![user.get(), friend.get()])
}

/// Whether a user has as many friends as it may have.
pub fn has_all_friends(db: &Connection, limits: &Limits, user: UserId) -> rusqlite::Result<bool> {
    let friends = db
        .prepare_cached("SELECT count(*) FROM friend WHERE userid = ?1")?
        .query_row([user.get()], |found| row::number(found, 0))?;
    Ok(friends >= limits.friends as u64)
}

pub fn del_friend(db: &Connection, user: UserId, friend: UserId, parting: Parting) -> Answered {
    let mut delete = db.prepare_cached("DELETE FROM friend WHERE userid = ?1 AND friendid = ?2")?;
    if delete.execute(params![user.get(), friend.get()])? == 0 {
        return Ok(Err(Code::NoSuchUser));
    }
    let both = parting == Parting::BothLists && delete.execute(params![friend.get(), user.get()])? > 0;
    Ok(Ok(if both { StoreReply::Parted } else { StoreReply::Done }))
}

/// Whether there is such a user.
pub fn is_user(db: &Connection, user: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM user WHERE id = ?1")?.exists([user.get()])
}
