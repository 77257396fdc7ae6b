//! What was said, page by page, and from when on all of it is here.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::{Answered, accounts, changes, groups, page, row, rows};
use crate::history::{NEVER, Window, from_now_on, is_complete};
use crate::key::Key;
use crate::merge::PageLimit;
use chatd_chat::model::change::Wanted;
use chatd_chat::model::history::{Conversation, Placed, Span};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::model::retention::Retention;
use chatd_chat::port::store::{HistoryPage, StoreReply};
use chatd_chat::wire::code::Code;
use mysql_async::{Row, Value};

const DIRECT_DOWN: &str = "SELECT pos, mid FROM message
    WHERE sender = ? AND recipient = ? AND pos < ? AND COALESCE(rev, 0) >= ? ORDER BY pos DESC LIMIT ?";
const DIRECT_UP: &str = "SELECT pos, mid FROM message
    WHERE sender = ? AND recipient = ? AND pos > ? AND COALESCE(rev, 0) >= ? ORDER BY pos LIMIT ?";
const GROUP_DOWN: &str = "SELECT pos, mid FROM message
    WHERE groupid = ? AND pos > ? AND pos < ? AND COALESCE(rev, 0) >= ?
    AND (? OR LEFT(body, 6) <> '{\"by\":') ORDER BY pos DESC LIMIT ?";
const GROUP_UP: &str = "SELECT pos, mid FROM message
    WHERE groupid = ? AND pos > ? AND pos > ? AND COALESCE(rev, 0) >= ?
    AND (? OR LEFT(body, 6) <> '{\"by\":') ORDER BY pos LIMIT ?";

pub async fn history(
    client: &mut Client,
    user: UserId,
    (conversation, span): (Conversation, Span),
    wanted: Wanted,
    limit: PageLimit,
) -> Answered {
    let (window, most) = (Window::of(span), limit.messages.max(1));
    // Before the messages: those show these changes at least.
    let chg = if wanted.changes { changes::last(client, user, conversation).await? } else { 0 };
    let page = Page { user, conversation, wanted, window, most };
    match conversation {
        Conversation::With(other) => {
            if !accounts::is_user(client, other).await? {
                return Ok(Err(Code::NoSuchUser));
            }
            let mut places = page.direct(client, user, other).await?;
            if user != other {
                places.extend(page.direct(client, other, user).await?);
            }
            let messages = page.read(client, window.first(places, most), limit.bytes).await?;
            let start = match span {
                Span::After(pos) => message_at(client, user, other, pos).await?,
                Span::Newest | Span::Before(_) => None,
            };
            let complete = is_complete(&messages, start, complete_from(client).await?);
            Ok(Ok(StoreReply::History(HistoryPage { messages, chg, complete })))
        }
        Conversation::Group(group) => {
            let Some(joined) = groups::joined(client, user, group).await? else {
                return groups::not_a_member(client, group).await;
            };
            let places = page.of_group(client, group, joined).await?;
            let messages = page.read(client, places, limit.bytes).await?;
            Ok(Ok(StoreReply::History(HistoryPage { messages, chg, complete: true })))
        }
    }
}

type Places = Vec<(u64, MessageId)>;

/// What is looked for.
struct Page {
    user: UserId,
    conversation: Conversation,
    wanted: Wanted,
    window: Window,
    most: usize,
}

impl Page {
    async fn direct(&self, client: &mut Client, sender: UserId, recipient: UserId) -> DbResult<Places> {
        let sql = [DIRECT_DOWN, DIRECT_UP];
        self.find(client, sql, [sender.get().into(), recipient.get().into()], None).await
    }

    async fn of_group(&self, client: &mut Client, group: GroupId, joined: u64) -> DbResult<Places> {
        let of = [group.get().into(), row::sql_number(joined)];
        self.find(client, [GROUP_DOWN, GROUP_UP], of, Some(rows::events(self.wanted))).await
    }

    async fn find(
        &self,
        client: &mut Client,
        sql: [&'static str; 2],
        of: [Value; 2],
        events: Option<Value>,
    ) -> DbResult<Places> {
        let [down, up] = sql;
        let (sql, pos) = match self.window {
            Window::Down(pos) => (down, pos),
            Window::Up(pos) => (up, pos),
        };
        let [one, two] = of;
        let most = row::sql_number(self.most as u64);
        let mut values = vec![one, two, row::sql_number(pos), rows::least(self.wanted)];
        values.extend(events);
        values.push(most);
        let found = client.find(sql, values).await?;
        found.iter().map(|found| Ok((row::number(found, 0)?, row::mid(found, 1)?))).collect()
    }

    /// The messages at these places, as many as fit, lowest first.
    async fn read(&self, client: &mut Client, places: Places, bytes: usize) -> DbResult<Vec<Placed>> {
        let key = Key::of(self.user, self.conversation);
        let (mut messages, mut left) = (Vec::with_capacity(places.len()), bytes);
        // A few at a time: long messages would fill the page long before all of them are read.
        'page: for part in places.chunks(page::READ) {
            let mut bodies = page::bodies(client, part.iter().map(|(_, mid)| *mid)).await?;
            let read = part.iter().filter_map(|(pos, mid)| Some((key, *pos, bodies.remove(mid)?)));
            for (_, placed) in rows::placed(client, self.user, self.wanted, read.collect()).await? {
                let size = placed.bytes();
                if size > left && !messages.is_empty() {
                    break 'page;
                }
                left = left.saturating_sub(size);
                messages.push(placed);
            }
        }
        messages.sort_unstable_by_key(|message: &Placed| message.pos);
        Ok(messages)
    }
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
