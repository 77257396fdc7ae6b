//! Tokens, and the password that they hang on.

use super::{Answered, row};
use crate::token::{Uses, has_expired, make, password_print, print_of, stale_at};
use chatd_chat::model::device::{Device, PushToken};
use chatd_chat::model::ids::{Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::{Proof, Secret, Token, TokenId};
use chatd_chat::port::store::{Resumed, StoreReply};
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, params};

pub fn resume(
    db: &Connection,
    limits: &Limits,
    uses: &mut Uses,
    secret: &Secret,
    device: Option<&str>,
) -> Answered {
    let (print, now) = (print_of(secret), uses.next());
    let found = db
        .prepare_cached(
            "SELECT user.id, user.name, token.expires FROM token JOIN user ON user.id = token.userid
             WHERE token.id = ?1 AND hash = ?2 AND used > ?3 AND NOT disabled",
        )?
        .query_row(
            params![sql_token(print.id), print.hash, row::sql_number(stale_at(limits.token_days))],
            |found| Ok((row::user(found, 0)?, found.get(1)?, row::optional_number(found, 2)?.map(Millis))),
        )
        .optional()?;
    let Some((user, name, expires)) = found else { return Ok(Err(Code::Refused)) };
    if has_expired(expires) {
        return Ok(Err(Code::Expired));
    }
    db.prepare_cached("UPDATE token SET used = ?2, device = ifnull(?3, device) WHERE id = ?1")?
        .execute(params![sql_token(print.id), row::sql_number(now), device])?;
    Ok(Ok(StoreReply::Resumed(Resumed { user, name, token: print.id, expires })))
}

/// Whether what a login was proven by is the user's still.
pub fn holds(db: &Connection, user: UserId, proof: Proof) -> rusqlite::Result<bool> {
    match proof {
        Proof::Password(print) => {
            let mut find = db.prepare_cached("SELECT password FROM user WHERE id = ?1 AND NOT disabled")?;
            let found = find.query_row([user.get()], |found| found.get::<_, String>(0)).optional()?;
            Ok(found.is_some_and(|phc| password_print(&phc) == print))
        }
        Proof::Application(_) => db
            .prepare_cached("SELECT 1 FROM user WHERE id = ?1 AND external IS NOT NULL AND NOT disabled")?
            .exists([user.get()]),
        Proof::Token(token) => db
            .prepare_cached("SELECT 1 FROM token WHERE id = ?1 AND userid = ?2")?
            .exists(params![sql_token(token), user.get()]),
    }
}

/// Which of these are good.
pub fn check(db: &Connection, user: UserId, proofs: &[Proof]) -> Answered {
    let mut good = Vec::new();
    for &proof in proofs {
        if holds(db, user, proof)? {
            good.push(proof);
        }
    }
    Ok(Ok(StoreReply::Proven(good)))
}

/// Makes a token for a device, and room for it: what the device calls itself, and until when the token is good, if that
/// is known.
pub fn issue(
    db: &Connection,
    limits: &Limits,
    uses: &mut Uses,
    user: UserId,
    (device, expires): (Option<&str>, Option<Millis>),
) -> rusqlite::Result<Token> {
    let ((token, print), now) = (make(), row::sql_number(uses.next()));
    let others = limits.tokens.saturating_sub(1);
    db.prepare_cached(
        "DELETE FROM token WHERE userid = ?1 AND id NOT IN
         (SELECT id FROM token WHERE userid = ?1 ORDER BY used DESC LIMIT ?2)",
    )?
    .execute(params![user.get(), row::sql_number(others as u64)])?;
    db.prepare_cached(
        "INSERT INTO token (id, userid, hash, used, created, device, expires) VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6)",
    )?
    .execute(params![
        sql_token(print.id),
        user.get(),
        print.hash,
        now,
        device,
        expires.map(|expires| row::sql_number(expires.0))
    ])?;
    Ok(token)
}

/// Takes away the token that was issued under this name; which one that was.
pub fn take_asked(db: &Connection, user: UserId, cid: &str) -> rusqlite::Result<Option<TokenId>> {
    let mut take = db.prepare_cached("DELETE FROM token WHERE userid = ?1 AND asked = ?2 RETURNING id")?;
    let taken = take.query_map(params![user.get(), cid], |found| row::number(found, 0))?;
    Ok(taken.collect::<rusqlite::Result<Vec<u64>>>()?.pop().map(TokenId))
}

/// Keeps under which name a token was issued.
pub fn note_asked(db: &Connection, token: TokenId, cid: &str) -> rusqlite::Result<()> {
    db.prepare_cached("UPDATE token SET asked = ?2 WHERE id = ?1")?
        .execute(params![sql_token(token), cid])?;
    Ok(())
}

pub fn revoke(db: &Connection, user: UserId, token: TokenId) -> Answered {
    delete(db, user, token)?;
    Ok(Ok(StoreReply::Done))
}

/// Makes all tokens of a user worthless.
pub fn revoke_all(db: &Connection, user: UserId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM token WHERE userid = ?1")?.execute([user.get()])?;
    Ok(())
}

fn delete(db: &Connection, user: UserId, token: TokenId) -> rusqlite::Result<usize> {
    db.prepare_cached("DELETE FROM token WHERE id = ?1 AND userid = ?2")?
        .execute(params![sql_token(token), user.get()])
}

pub fn replace_password(
    db: &Connection,
    limits: &Limits,
    uses: &mut Uses,
    user: UserId,
    old: &str,
    new: &str,
) -> Answered {
    let replaced = db
        .prepare_cached("UPDATE user SET password = ?3 WHERE id = ?1 AND password = ?2")?
        .execute(params![user.get(), old, new])?;
    if replaced == 0 {
        // Somebody else replaced it while this one was compared.
        return Ok(Err(Code::Refused));
    }
    // Of several tokens it is not known which one the new one is in the place of.
    let device: Option<String> = db
        .prepare_cached("SELECT iif(count(*) = 1, min(device), NULL) FROM token WHERE userid = ?1")?
        .query_row([user.get()], |found| found.get(0))?;
    revoke_all(db, user)?;
    Ok(Ok(StoreReply::Issued(issue(db, limits, uses, user, (device.as_deref(), None))?)))
}

/// A user's tokens that are good, the one used last first.
pub fn devices(db: &Connection, limits: &Limits, user: UserId) -> Answered {
    let mut find = db.prepare_cached(
        "SELECT id, ifnull(device, ''), created, used, push_token, push_kind FROM token
         WHERE userid = ?1 AND used > ?2 ORDER BY used DESC",
    )?;
    let stale = row::sql_number(stale_at(limits.token_days));
    let devices = find.query_map(params![user.get(), stale], |found| {
        Ok(Device {
            token: TokenId(row::number(found, 0)?),
            name: found.get(1)?,
            created: Millis(row::number(found, 2)? / 1_000),
            used: Millis(row::number(found, 3)? / 1_000),
            push: push_token(found.get(4)?, found.get(5)?),
        })
    })?;
    Ok(Ok(StoreReply::Devices(devices.collect::<rusqlite::Result<_>>()?)))
}

/// Makes the token of a device worthless.
pub fn drop_device(db: &Connection, user: UserId, token: TokenId) -> Answered {
    let gone = delete(db, user, token)?;
    Ok(if gone == 0 { Err(Code::NoSuchUser) } else { Ok(StoreReply::Done) })
}

fn push_token(token: Option<String>, kind: Option<String>) -> Option<PushToken> {
    Some(PushToken { token: token?.into(), kind: kind?.into() })
}

/// Keeps by what a device is reached.
pub fn set_push_token(db: &Connection, user: UserId, device: TokenId, push: Option<&PushToken>) -> Answered {
    let (token, kind) = (push.map(|push| &*push.token), push.map(|push| &*push.kind));
    let set = db
        .prepare_cached("UPDATE token SET push_token = ?3, push_kind = ?4 WHERE id = ?1 AND userid = ?2")?
        .execute(params![sql_token(device), user.get(), token, kind])?;
    Ok(if set == 0 { Err(Code::NoSuchUser) } else { Ok(StoreReply::Done) })
}

/// A token's id as SQL has it; `None` for one that no token has.
fn sql_token(token: TokenId) -> Option<i64> {
    i64::try_from(token.0).ok()
}
