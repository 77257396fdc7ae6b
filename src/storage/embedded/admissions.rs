//! Users whom another application vouches for.

use super::memory::Memory;
use super::{Answered, accounts, row};
use crate::admission::{Admission, names};
use crate::names::fold;
use crate::outbox::pending::Pending;
use chatd_chat::model::ids::UserId;
use chatd_chat::model::limits::Limits;
use chatd_chat::model::token::TokenId;
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, params};

/// Finds the user, or makes it; a session that goes on has its token go on, too.
pub fn admit(db: &Connection, memory: &mut Memory, limits: &Limits, admission: &Admission) -> Answered {
    let found = db
        .prepare_cached("SELECT id, name, disabled FROM user WHERE external = ?1")?
        .query_row([&admission.external], |found| {
            Ok((row::user(found, 0)?, found.get::<_, String>(1)?, row::number(found, 2)? != 0))
        })
        .optional()?;
    let (user, name) = match (found, admission.renews) {
        (Some((_, _, true)), _) => return Ok(Err(Code::Refused)),
        (Some((user, _, false)), Some((renews, _))) if user != renews => return Ok(Err(Code::NotYours)),
        (Some((user, name, false)), _) => (user, name),
        (None, Some(_)) => return Ok(Err(Code::NotYours)),
        (None, None) => {
            match make(db, &mut memory.outbox, limits, (&admission.external, admission.name.as_deref()))? {
                Ok(made) => made,
                Err(code) => return Ok(Err(code)),
            }
        }
    };
    if let (Some((_, Some(TokenId(token)))), Some(expires)) = (admission.renews, admission.expires) {
        db.prepare_cached("UPDATE token SET expires = ?3 WHERE id = ?1 AND userid = ?2")?
            .execute(params![row::sql_number(token), user.get(), row::sql_number(expires.0)])?;
    }
    Ok(Ok(admission.let_in(user, name)))
}

/// Makes a user without a password, under the first of its names that is nobody's.
pub fn make(
    db: &Connection,
    pending: &mut Pending,
    limits: &Limits,
    (external, name): (&str, Option<&str>),
) -> rusqlite::Result<Result<(UserId, String), Code>> {
    for name in names(external, name, limits) {
        let folded = fold(&name);
        if accounts::is_taken(db, &name, &folded)? {
            continue;
        }
        let made = db
            .prepare_cached(
                "INSERT INTO user (name, folded, password, external) VALUES (?1, ?2, '', ?3) RETURNING id",
            )?
            .query_row(params![name, folded, external], |found| row::user(found, 0));
        let made = accounts::given(made)?;
        made.iter().for_each(|user| pending.user(*user, &name, Some(external)));
        return Ok(made.map(|user| (user, name)));
    }
    // Somebody has taken even the name that nobody could think of.
    Ok(Err(Code::TooMany))
}
