//! Whose direct messages are refused by whom.

use super::memory::Memory;
use super::{Answered, accounts, consent, row};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::{Acquaintances, StoreReply};
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, params};

pub fn block(
    db: &Connection,
    memory: &mut Memory,
    limits: &Limits,
    user: UserId,
    blocked: UserId,
) -> Answered {
    if !accounts::is_user(db, blocked)? {
        return Ok(Err(Code::NoSuchUser));
    }
    let there = db
        .prepare_cached("SELECT 1 FROM blocked WHERE userid = ?1 AND blocked = ?2")?
        .exists(params![user.get(), blocked.get()])?;
    if there {
        return Ok(Err(Code::Exists));
    }
    let others = db
        .prepare_cached("SELECT count(*) FROM blocked WHERE userid = ?1")?
        .query_row([user.get()], |found| row::number(found, 0))?;
    if others >= limits.blocked as u64 {
        return Ok(Err(Code::TooMany));
    }
    db.prepare_cached("INSERT INTO blocked (userid, blocked) VALUES (?1, ?2)")?
        .execute(params![user.get(), blocked.get()])?;
    memory.blocker(user);
    consent::ask_no_more(db, user, blocked)?;
    Ok(Ok(StoreReply::Done))
}

pub fn unblock(db: &Connection, user: UserId, blocked: UserId) -> Answered {
    let gone = db
        .prepare_cached("DELETE FROM blocked WHERE userid = ?1 AND blocked = ?2")?
        .execute(params![user.get(), blocked.get()])?;
    if gone == 0 {
        return Ok(Err(Code::NoSuchUser));
    }
    // What was asked meanwhile came to nothing: it may be asked anew.
    db.prepare_cached("DELETE FROM friend_ask WHERE userid = ?1 AND asker = ?2 AND dropped = 1")?
        .execute(params![user.get(), blocked.get()])?;
    Ok(Ok(StoreReply::Done))
}

/// Whom a user knows and refuses, and what it has chosen.
pub fn acquaintances(db: &Connection, limits: &Limits, user: UserId) -> Answered {
    let (friends, blocked) = (accounts::friend_list(db, limits, user)?, all(db, user)?);
    let known = Acquaintances { friends, blocked, settings: consent::settings(db, user)? };
    Ok(Ok(StoreReply::Acquaintances(Box::new(known))))
}

/// Whom a user blocks, by id.
pub fn all(db: &Connection, user: UserId) -> rusqlite::Result<Vec<UserId>> {
    db.prepare_cached("SELECT blocked FROM blocked WHERE userid = ?1 ORDER BY blocked")?
        .query_map([user.get()], |found| row::user(found, 0))?
        .collect()
}
