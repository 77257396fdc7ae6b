//! What the server's API does with accounts.

use super::{Answered, accounts, admissions, row, tokens};
use crate::admission::{ERASED, names};
use crate::names::fold;
use crate::outbox::pending::Pending;
use crate::token::{Uses, issued};
use chatd_chat::model::act::{AccountAct, AccountName, AccountRecord};
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, params};

pub fn perform(
    db: &Connection,
    limits: &Limits,
    (uses, pending): (&mut Uses, &mut Pending),
    act: &AccountAct,
) -> Answered {
    match act {
        AccountAct::Find(who) => Ok(find(db, who)?.map(StoreReply::Account).ok_or(Code::NoSuchUser)),
        AccountAct::Put { who, name, disabled } => {
            put(db, limits, pending, (who, name.as_deref()), *disabled)
        }
        AccountAct::IssueToken { user, device, cid } => match find(db, &AccountName::Id(*user))? {
            None => Ok(Err(Code::NoSuchUser)),
            Some(AccountRecord { disabled: true, .. }) => Ok(Err(Code::NotYours)),
            Some(_) => {
                let before =
                    cid.as_deref().map(|cid| tokens::take_asked(db, *user, cid)).transpose()?.flatten();
                let token = tokens::issue(db, limits, uses, *user, (device.as_deref(), None))?;
                if let Some(cid) = cid {
                    tokens::note_asked(db, token.id, cid)?;
                }
                Ok(Ok(issued(token, before)))
            }
        },
        AccountAct::Groups { user, owned } => {
            let mut find = db.prepare_cached(
                "SELECT groupid FROM groupuser JOIN allgroup ON allgroup.id = groupuser.groupid
                 WHERE userid = ?1 AND groupname IS NOT NULL
                 AND (?2 IS NULL OR (folded = ?2 AND grouprole = 'creator')) ORDER BY groupid",
            )?;
            let groups = find
                .query_map(params![user.get(), owned.as_deref().map(fold)], |found| row::group(found, 0))?;
            Ok(Ok(StoreReply::Groups(groups.collect::<rusqlite::Result<_>>()?)))
        }
        AccountAct::Erase(user) => erase(db, limits, *user),
        AccountAct::RevokeTokens(user) => {
            if find(db, &AccountName::Id(*user))?.is_none() {
                return Ok(Err(Code::NoSuchUser));
            }
            tokens::revoke_all(db, *user)?;
            Ok(Ok(StoreReply::Done))
        }
    }
}

/// Who is named so: by its name, as it is written, if there is somebody, and as it is folded.
fn find(db: &Connection, who: &AccountName) -> rusqlite::Result<Option<AccountRecord>> {
    const SELECT: &str = "SELECT id, name, external, disabled FROM user WHERE ";
    let record = |found: &rusqlite::Row<'_>| {
        let (name, external) = (found.get(1)?, found.get(2)?);
        Ok(AccountRecord {
            user: row::user(found, 0)?,
            name,
            external,
            disabled: row::number(found, 3)? != 0,
        })
    };
    match who {
        AccountName::Id(user) => {
            db.prepare_cached(&format!("{SELECT} id = ?1"))?.query_row([user.get()], record).optional()
        }
        AccountName::External(external) => {
            db.prepare_cached(&format!("{SELECT} external = ?1"))?.query_row([external], record).optional()
        }
        AccountName::Name(name) => {
            let mut find = db.prepare_cached(&format!(
                "{SELECT} name = ?1 OR folded = ?2 ORDER BY name = ?1 DESC LIMIT 1"
            ))?;
            find.query_row(params![name, fold(name)], record).optional()
        }
    }
}

fn put(
    db: &Connection,
    limits: &Limits,
    pending: &mut Pending,
    (who, name): (&AccountName, Option<&str>),
    disabled: Option<bool>,
) -> Answered {
    let found = match find(db, who)? {
        Some(found) => found,
        None => match make(db, limits, pending, (who, name))? {
            Ok(made) => made,
            Err(code) => return Ok(Err(code)),
        },
    };
    let Some(disabled) = disabled else { return Ok(Ok(StoreReply::Account(found))) };
    db.prepare_cached("UPDATE user SET disabled = ?2 WHERE id = ?1 AND disabled <> ?2")?
        .execute(params![found.user.get(), disabled])?;
    if disabled {
        tokens::revoke_all(db, found.user)?;
    }
    Ok(Ok(StoreReply::Account(AccountRecord { disabled, ..found })))
}

/// Makes a user without a password.
fn make(
    db: &Connection,
    limits: &Limits,
    pending: &mut Pending,
    (who, name): (&AccountName, Option<&str>),
) -> rusqlite::Result<Result<AccountRecord, Code>> {
    let made: Result<(UserId, String), Code> = match who {
        AccountName::Id(_) => Err(Code::NoSuchUser),
        AccountName::External(external) => admissions::make(db, pending, limits, (external, name))?,
        AccountName::Name(name) => {
            let made = db
                .prepare_cached("INSERT INTO user (name, folded, password) VALUES (?1, ?2, '') RETURNING id")?
                .query_row(params![name, fold(name)], |found| row::user(found, 0));
            let made = accounts::given(made)?;
            made.iter().for_each(|user| pending.user(*user, name, None));
            made.map(|user| (user, name.to_string()))
        }
    };
    let external = match who {
        AccountName::External(external) => Some(external.to_string()),
        AccountName::Id(_) | AccountName::Name(_) => None,
    };
    Ok(made.map(|(user, name)| AccountRecord { user, name, external, disabled: false }))
}

fn erase(db: &Connection, limits: &Limits, user: UserId) -> Answered {
    if find(db, &AccountName::Id(user))?.is_none() {
        return Ok(Err(Code::NoSuchUser));
    }
    tokens::revoke_all(db, user)?;
    for sql in [
        "DELETE FROM friend WHERE userid = ?1 OR friendid = ?1",
        "DELETE FROM friend_ask WHERE userid = ?1 OR asker = ?1",
        "DELETE FROM blocked WHERE userid = ?1",
        "DELETE FROM setting WHERE userid = ?1",
        "DELETE FROM grouprequest WHERE userid = ?1",
        "DELETE FROM offlinemessage WHERE userid = ?1",
    ] {
        db.prepare_cached(sql)?.execute([user.get()])?;
    }
    for name in names(&user.to_string(), Some(ERASED), limits) {
        let folded = fold(&name);
        if accounts::is_taken(db, &name, &folded)? {
            continue;
        }
        db.prepare_cached(
            "UPDATE user SET name = ?2, folded = ?3, password = '', external = NULL, disabled = 1 WHERE id = ?1",
        )?
        .execute(params![user.get(), name, folded])?;
        return Ok(Ok(StoreReply::Done));
    }
    Ok(Err(Code::TooMany))
}
