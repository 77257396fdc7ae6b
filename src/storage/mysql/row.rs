//! Numbers and texts between SQL and the types of the core.
//!
//! SQL integers are signed and 64 bits wide. What does not fit into one is nothing that was ever
//! stored.

use super::fault::{DbResult, Fault};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use mysql_async::{Row, Value};

fn value(row: &Row, column: usize) -> DbResult<&Value> {
    row.as_ref(column).ok_or_else(|| Fault::Unexpected(format!("a row has no column {column}")))
}

fn unexpected(value: &Value, what: &str) -> Fault {
    // Never the value itself: it may be what a user wrote.
    let kind = match value {
        Value::NULL => "NULL".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        _ => "a value".to_owned(),
    };
    Fault::Unexpected(format!("{kind} is no {what}"))
}

/// A place, a time, or a count.
pub fn number(row: &Row, column: usize) -> DbResult<u64> {
    match value(row, column)? {
        Value::UInt(number) => Ok(*number),
        other @ Value::Int(number) => u64::try_from(*number).map_err(|_| unexpected(other, "number")),
        // The answers to plain text, and decimals.
        other @ Value::Bytes(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| unexpected(other, "number")),
        other => Err(unexpected(other, "number")),
    }
}

/// Until when something holds: it may be negative.
pub fn signed(row: &Row, column: usize) -> DbResult<i64> {
    match value(row, column)? {
        Value::Int(number) => Ok(*number),
        // The answers to plain text.
        other @ Value::Bytes(text) => std::str::from_utf8(text)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| unexpected(other, "number")),
        other => number(row, column)
            .and_then(|number| i64::try_from(number).map_err(|_| unexpected(other, "number"))),
    }
}

/// Whether a setting is on.
pub fn is_on(row: &Row, column: usize) -> DbResult<bool> {
    match value(row, column)? {
        Value::Bytes(text) => {
            Ok(!matches!(text.as_slice(), b"" | b"0") && !text.eq_ignore_ascii_case(b"OFF"))
        }
        Value::NULL => Ok(false),
        _ => number(row, column).map(|number| number != 0),
    }
}

/// A place that may be absent.
pub fn optional_number(row: &Row, column: usize) -> DbResult<Option<u64>> {
    if *value(row, column)? == Value::NULL { Ok(None) } else { number(row, column).map(Some) }
}

/// A number that may be absent, and less than 0.
pub fn optional_signed(row: &Row, column: usize) -> DbResult<Option<i64>> {
    match value(row, column)? {
        Value::NULL => Ok(None),
        Value::Int(number) => Ok(Some(*number)),
        // The answers to plain text.
        other @ Value::Bytes(text) => {
            let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
            parsed.map(Some).ok_or_else(|| unexpected(other, "number"))
        }
        other => i64::try_from(number(row, column)?).map(Some).map_err(|_| unexpected(other, "number")),
    }
}

pub fn user(row: &Row, column: usize) -> DbResult<UserId> {
    UserId::new(number(row, column)?).ok_or_else(|| Fault::Unexpected("a number is no user".to_owned()))
}

pub fn group(row: &Row, column: usize) -> DbResult<GroupId> {
    GroupId::new(number(row, column)?).ok_or_else(|| Fault::Unexpected("a number is no group".to_owned()))
}

pub fn mid(row: &Row, column: usize) -> DbResult<MessageId> {
    number(row, column).map(MessageId)
}

/// Bytes; none if there is no value.
pub fn bytes(row: &Row, column: usize) -> DbResult<&[u8]> {
    match value(row, column)? {
        Value::Bytes(bytes) => Ok(bytes),
        Value::NULL => Ok(&[]),
        other => Err(unexpected(other, "text")),
    }
}

pub fn text(row: &Row, column: usize) -> DbResult<&str> {
    std::str::from_utf8(bytes(row, column)?).map_err(|_| Fault::Unexpected("a text is not UTF-8".to_owned()))
}

/// A message's id as SQL has it; `None` for one that no clock makes.
pub fn sql_mid(mid: MessageId) -> Option<i64> {
    i64::try_from(mid.0).ok()
}

/// A place as SQL has it; none is greater than the greatest.
pub fn sql_number(pos: u64) -> Value {
    Value::Int(i64::try_from(pos).unwrap_or(i64::MAX))
}

/// A text as SQL has it.
pub fn sql_text(text: &str) -> Value {
    Value::Bytes(text.as_bytes().to_vec())
}
