//! Numbers and texts between SQL and the types of the core.
//!
//! SQL integers are signed and 64 bits wide. What does not fit into one is nothing that was ever
//! stored.

use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use rusqlite::types::Type;
use rusqlite::{Error, Row};
use std::fmt;

/// A number in a row that no such id can have: somebody else wrote into the database.
#[derive(Debug)]
struct NotAnId(i64);

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no id", self.0)
    }
}

impl std::error::Error for NotAnId {}

fn id<T>(row: &Row<'_>, column: usize, make: impl Fn(u64) -> Option<T>) -> rusqlite::Result<T> {
    let number: i64 = row.get(column)?;
    u64::try_from(number)
        .ok()
        .and_then(make)
        .ok_or_else(|| Error::FromSqlConversionFailure(column, Type::Integer, Box::new(NotAnId(number))))
}

pub fn user(row: &Row<'_>, column: usize) -> rusqlite::Result<UserId> {
    id(row, column, UserId::new)
}

pub fn group(row: &Row<'_>, column: usize) -> rusqlite::Result<GroupId> {
    id(row, column, GroupId::new)
}

pub fn mid(row: &Row<'_>, column: usize) -> rusqlite::Result<MessageId> {
    id(row, column, |number| Some(MessageId(number)))
}

/// A place, a time, or a count.
pub fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    id(row, column, Some)
}

/// A place that may be absent.
pub fn optional_number(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    if row.get_ref(column)? == rusqlite::types::ValueRef::Null {
        Ok(None)
    } else {
        number(row, column).map(Some)
    }
}

/// A message's id as SQL has it; `None` for one that no clock makes.
pub fn sql_mid(mid: MessageId) -> Option<i64> {
    i64::try_from(mid.0).ok()
}

/// A place as SQL has it; none is greater than the greatest.
pub fn sql_number(pos: u64) -> i64 {
    i64::try_from(pos).unwrap_or(i64::MAX)
}
