//! What was said, page by page, and from when on all of it is here.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::{Answered, accounts, groups, page, row};
use crate::history::{NEVER, Window, from_now_on, is_complete};
use crate::merge::{Candidate, PageLimit};
use chatd_chat::model::history::{Conversation, Placed, Span};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{HistoryPage, StoreReply};
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};

const DIRECT_DOWN: &str = "SELECT pos, mid FROM message
    WHERE sender = ? AND recipient = ? AND pos < ? ORDER BY pos DESC LIMIT ?";
const DIRECT_UP: &str = "SELECT pos, mid FROM message
    WHERE sender = ? AND recipient = ? AND pos > ? ORDER BY pos LIMIT ?";
const GROUP_DOWN: &str = "SELECT pos, mid FROM message
    WHERE groupid = ? AND pos > ? AND pos < ? ORDER BY pos DESC LIMIT ?";
const GROUP_UP: &str = "SELECT pos, mid FROM message
    WHERE groupid = ? AND pos > ? AND pos > ? ORDER BY pos LIMIT ?";

pub async fn history(
    client: &mut Client,
    user: UserId,
    conversation: Conversation,
    span: Span,
    limit: PageLimit,
) -> Answered {
    let (window, most) = (Window::of(span), limit.messages.max(1));
    match conversation {
        Conversation::With(other) => {
            if !accounts::is_user(client, other).await? {
                return Ok(Err(Code::NoSuchUser));
            }
            let mut places = direct(client, user, other, window, most).await?;
            if user != other {
                places.extend(direct(client, other, user, window, most).await?);
            }
            let messages = read(client, window.first(places, most), limit.bytes).await?;
            let start = match span {
                Span::After(pos) => message_at(client, user, other, pos).await?,
                Span::Newest | Span::Before(_) => None,
            };
            let complete = is_complete(&messages, start, complete_from(client).await?);
            Ok(Ok(StoreReply::History(HistoryPage { messages, complete })))
        }
        Conversation::Group(group) => {
            let Some(joined) = groups::joined(client, user, group).await? else {
                return groups::not_a_member(client, group).await;
            };
            let places = of_group(client, group, joined, window, most).await?;
            Ok(Ok(StoreReply::History(HistoryPage {
                messages: read(client, places, limit.bytes).await?,
                complete: true,
            })))
        }
    }
}

type Places = Vec<(u64, MessageId)>;

async fn direct(
    client: &mut Client,
    sender: UserId,
    recipient: UserId,
    window: Window,
    most: usize,
) -> DbResult<Places> {
    let (sql, pos) = match window {
        Window::Down(pos) => (DIRECT_DOWN, pos),
        Window::Up(pos) => (DIRECT_UP, pos),
    };
    let ids = [sender.get().into(), recipient.get().into()];
    find(client, sql, ids, pos, most).await
}

async fn of_group(
    client: &mut Client,
    group: GroupId,
    joined: u64,
    window: Window,
    most: usize,
) -> DbResult<Places> {
    let (sql, pos) = match window {
        Window::Down(pos) => (GROUP_DOWN, pos),
        Window::Up(pos) => (GROUP_UP, pos),
    };
    find(client, sql, [group.get().into(), row::sql_number(joined)], pos, most).await
}

async fn find(
    client: &mut Client,
    sql: &'static str,
    of: [Value; 2],
    pos: u64,
    most: usize,
) -> DbResult<Places> {
    let [one, two] = of;
    let found = client.find(sql, vec![one, two, row::sql_number(pos), row::sql_number(most as u64)]).await?;
    found.iter().map(|found| Ok((row::number(found, 0)?, row::mid(found, 1)?))).collect()
}

/// The messages at these places, as many as fit, lowest first.
async fn read(client: &mut Client, places: Places, bytes: usize) -> DbResult<Vec<Placed>> {
    let candidate = |&(pos, mid): &(u64, MessageId)| Candidate { mid, pos: Some(pos), bytes: 0 };
    let candidates: Vec<Candidate> = places.iter().map(candidate).collect();
    let (mut messages, mut left) = (Vec::with_capacity(places.len()), bytes);
    // A few at a time: long messages would fill the page long before all of them are read.
    for part in candidates.chunks(page::READ) {
        for waiting in page::read(client, part).await? {
            let size = waiting.envelope.body().len();
            if size > left && !messages.is_empty() {
                messages.sort_unstable_by_key(|message: &Placed| message.pos);
                return Ok(messages);
            }
            left = left.saturating_sub(size);
            messages.push(Placed { envelope: waiting.envelope, pos: waiting.pos.unwrap_or(0) });
        }
    }
    messages.sort_unstable_by_key(|message| message.pos);
    Ok(messages)
}

/// The message at one place of a conversation.
async fn message_at(
    client: &mut Client,
    one: UserId,
    other: UserId,
    pos: u64,
) -> DbResult<Option<MessageId>> {
    let sql = "SELECT mid FROM message WHERE sender = ? AND recipient = ? AND pos = ?";
    for (sender, recipient) in [(one, other), (other, one)] {
        let values = vec![sender.get().into(), recipient.get().into(), row::sql_number(pos)];
        if let Some(found) = client.find_one(sql, values).await? {
            return row::mid(&found, 0).map(Some);
        }
    }
    Ok(None)
}

async fn complete_from(client: &mut Client) -> DbResult<u64> {
    let found: Option<Row> =
        client.find_one("SELECT complete_from FROM history WHERE one = 1", vec![]).await?;
    let found = found.ok_or_else(|| Fault::Unexpected("the table history has no row".to_owned()))?;
    row::number(&found, 0)
}

/// Notes from when on all direct messages are stored.
/// The greatest id of a message, also of those that came again under another id; 0 if there is none.
pub async fn greatest_mid(client: &mut Client) -> DbResult<MessageId> {
    let sql =
        "SELECT GREATEST(IFNULL((SELECT MAX(mid) FROM message), 0), IFNULL((SELECT MAX(mid) FROM alias), 0))";
    let found = client.find(sql, Vec::new()).await?;
    found.first().map_or(Ok(MessageId(0)), |found| row::mid(found, 0))
}

pub async fn set_retention(client: &mut Client, retention: Retention) -> DbResult<()> {
    let from = match retention {
        Retention::Undelivered => NEVER,
        Retention::All if complete_from(client).await? == NEVER => from_now_on(greatest_mid(client).await?).0,
        Retention::All => return client.run("COMMIT").await,
    };
    client.write("UPDATE history SET complete_from = ? WHERE one = 1", vec![row::sql_number(from)]).await?;
    client.run("COMMIT").await
}
