//! What was said, page by page, and from when on all of it is here.

use super::places::Places;
use super::rows::Rows;
use super::{Answered, accounts, changes, groups, row};
use crate::history::{NEVER, Window, from_now_on, is_complete};
use crate::merge::PageLimit;
use chatd_chat::model::change::Wanted;
use chatd_chat::model::history::{Conversation, Span};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{HistoryPage, StoreReply};
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, params};

/// What a page of a group needs the database for; `rest` begins with the place.
macro_rules! group {
    ($rest:literal) => {
        concat!("SELECT pos, mid FROM message WHERE groupid = ?1 AND pos > ?2 AND pos ", $rest)
    };
}

pub fn history(
    (db, known): (&Connection, &Places),
    user: UserId,
    (conversation, span): (Conversation, Span),
    wanted: Wanted,
    limit: PageLimit,
) -> Answered {
    let mut rows = Rows::new(db, user, (conversation, wanted), limit);
    let window = Window::of(span);
    let chg = if wanted.changes { changes::last(db, user, conversation)? } else { 0 };
    match conversation {
        Conversation::With(other) => {
            if !accounts::is_user(db, other)? {
                return Ok(Err(Code::NoSuchUser));
            }
            rows.fill(window, |window, most| known.find(db, (user, other), window, most))?;
            let messages = rows.sorted();
            let start = match span {
                Span::After(pos) => known.at(db, (user, other), pos)?,
                Span::Newest | Span::Before(_) => None,
            };
            let complete = is_complete(&messages, start, complete_from(db)?);
            Ok(Ok(StoreReply::History(HistoryPage { messages, chg, complete })))
        }
        Conversation::Group(group) => {
            let Some(joined) = groups::joined(db, user, group)? else {
                return groups::not_a_member(db, group);
            };
            rows.fill(window, |window, most| of_group(db, group, joined, window, most))?;
            Ok(Ok(StoreReply::History(HistoryPage { messages: rows.sorted(), chg, complete: true })))
        }
    }
}

/// Places, and which messages have them.
pub type Found = Vec<(u64, MessageId)>;

pub fn of_group(
    db: &Connection,
    group: GroupId,
    joined: u64,
    window: Window,
    most: usize,
) -> rusqlite::Result<Found> {
    let (sql, pos) = match window {
        Window::Down(pos) => (group!("< ?3 ORDER BY pos DESC LIMIT ?4"), pos),
        Window::Up(pos) => (group!("> ?3 ORDER BY pos LIMIT ?4"), pos),
    };
    let values =
        params![group.get(), row::sql_number(joined), row::sql_number(pos), row::sql_number(most as u64)];
    db.prepare_cached(sql)?.query_map(values, place)?.collect()
}

fn place(found: &rusqlite::Row<'_>) -> rusqlite::Result<(u64, MessageId)> {
    Ok((row::number(found, 0)?, row::mid(found, 1)?))
}

fn complete_from(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT complete_from FROM history")?.query_row([], |found| row::number(found, 0))
}

/// Notes from when on all direct messages are stored.
/// The greatest id of a message, also of those that came again under another id; 0 if there is none.
pub fn greatest_mid(db: &Connection) -> rusqlite::Result<MessageId> {
    let sql =
        "SELECT max(ifnull((SELECT max(mid) FROM message), 0), ifnull((SELECT max(mid) FROM alias), 0))";
    db.query_row(sql, [], |found| row::mid(found, 0))
}

pub fn set_retention(db: &Connection, retention: Retention) -> rusqlite::Result<()> {
    let from = match retention {
        Retention::Undelivered => MessageId(NEVER),
        Retention::All if complete_from(db)? == NEVER => from_now_on(greatest_mid(db)?),
        Retention::All => return Ok(()),
    };
    db.execute("UPDATE history SET complete_from = ?1", [row::sql_mid(from)]).map(drop)
}
