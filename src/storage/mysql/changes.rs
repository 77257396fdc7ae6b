//! Changes of messages: what was asked for is done once, counted, and written down for whoever was away.
//!
//! Whoever changes something locks the row of the conversation, as whoever stores a message does: so numbers of changes
//! have no gap, and are committed in their order, whichever server gives them.

use super::client::Client;
use super::fault::DbResult;
use super::{Answered, accounts, blocks, group_rules, groups, late, marks, row};
use crate::changes::{self, Message, Power, RECALL, RECALLED, Request};
use crate::key::Key;
use chatd_chat::model::change::{Alteration, Changed};
use chatd_chat::model::envelope::said::is_event;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::port::store::StoreResult;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::edited::edited;
use mysql_async::{Row, Value};

/// Does what is asked for, unless it was done before or is not allowed.
pub async fn alter(client: &mut Client, limits: &Limits, request: &Request<'_>) -> Answered {
    // What was answered before is answered so again, whatever became of it. Of two at once, one finds a name that is
    // taken when it writes it down, and is done again.
    if let Some(cid) = request.cid
        && let Some(answer) = repeated(client, request, cid).await?
    {
        return Ok(answer);
    }
    let key = Key::of(request.user, request.conversation);
    let (message, last, power) = match request.conversation {
        Conversation::With(peer) => {
            if !accounts::is_user(client, peer).await? {
                return Ok(Err(Code::NoSuchUser));
            }
            let Some((last, refuses)) = locked(client, key).await? else { return Ok(Err(Code::NoSuchUser)) };
            let marks = blocks::mark(peer, request.user) | marks::mark(peer, request.user);
            let refused = peer != request.user && refuses & marks != 0;
            let message = said_between(client, request.user, peer, request.pos).await?;
            (message, last, Power { recalls_anything: false, refused, muted: false })
        }
        Conversation::Group(group) => {
            let Some(last) = locked_group(client, group).await? else { return Ok(Err(Code::NoSuchGroup)) };
            let Some(joined) = groups::joined(client, request.user, group).await? else {
                return groups::not_a_member(client, group).await;
            };
            let message =
                if request.pos > joined { said_in(client, group, request.pos).await? } else { None };
            let recalls_anything = groups::recalls_anything(client, request.user, group).await?;
            let muted = group_rules::is_muted(client, request.user, group, request.ts).await?;
            (message, last, Power { recalls_anything, refused: false, muted })
        }
    };
    // What tells of the group is no message.
    let message = message.filter(|message| !is_event(&message.body));
    let Some(message) = message else { return Ok(Err(Code::NoSuchUser)) };
    if let Err(code) = request.is_allowed(limits, message.sender, message.ts, power) {
        return Ok(Err(code));
    }
    perform(client, limits, request, (key, last), &message).await
}

async fn perform(
    client: &mut Client,
    limits: &Limits,
    request: &Request<'_>,
    (key, last): (Key, u64),
    message: &Message,
) -> Answered {
    let changed = |rev, n| request.changed(message.mid, last + 1, rev, n);
    let changed = match request.alteration {
        Alteration::Edit { msg } => edit(client, message, msg).await?.then(|| changed(message.rev + 1, 0)),
        Alteration::Recall => {
            let changed = changed(message.rev, 0);
            recall(client, key, &changed, message).await?;
            Some(changed)
        }
        Alteration::React { emoji, on } => {
            match react(client, limits, key, request, (emoji, *on), message).await? {
                Ok(n) => n.map(|n| changed(message.rev, n)),
                Err(code) => return Ok(Err(code)),
            }
        }
    };
    if let Some(cid) = request.cid {
        let chg = changed.as_ref().map_or(last, |changed| changed.chg);
        remember(client, request, key, cid, chg).await?;
    }
    let Some(changed) = changed else { return Ok(Ok(changes::unchanged(last))) };
    log(client, key, &changed).await?;
    let (sql, id) = if key.low == 0 {
        ("UPDATE allgroup SET chg = ? WHERE id = ?", vec![key.high.into()])
    } else {
        ("UPDATE conversation SET chg = ? WHERE low = ? AND high = ?", key_values(key).to_vec())
    };
    let values = std::iter::once(row::sql_number(changed.chg)).chain(id).collect();
    client.write(sql, values).await?;
    Ok(Ok(changes::altered(changed)))
}

/// The message, if it is not recalled.
fn read_message(found: &Row) -> DbResult<Option<Message>> {
    let Ok(rev) = u64::try_from(row::optional_signed(found, 3)?.unwrap_or(0)) else { return Ok(None) };
    let (ts, sender) = (Millis(row::number(found, 1)?), row::user(found, 2)?);
    Ok(Some(Message { mid: row::mid(found, 0)?, ts, sender, rev, body: row::bytes(found, 4)?.to_vec() }))
}

fn key_values(key: Key) -> [Value; 2] {
    [key.low.into(), key.high.into()]
}

fn place_values(key: Key, pos: u64) -> [Value; 3] {
    [key.low.into(), key.high.into(), row::sql_number(pos)]
}

/// How many changes the conversation of two users has, and who of them refuses the other. It stays so until the commit.
async fn locked(client: &mut Client, key: Key) -> DbResult<Option<(u64, u64)>> {
    let sql = "SELECT chg, refuses FROM conversation WHERE low = ? AND high = ? FOR UPDATE";
    let found = client.find_one(sql, key_values(key).to_vec()).await?;
    found.map(|found| Ok((row::number(&found, 0)?, row::number(&found, 1)?))).transpose()
}

/// How many changes a group has, if there is such a group. It stays so until the commit.
async fn locked_group(client: &mut Client, group: GroupId) -> DbResult<Option<u64>> {
    let sql = "SELECT chg FROM allgroup WHERE id = ? AND groupname IS NOT NULL FOR UPDATE";
    let found = client.find_one(sql, vec![group.get().into()]).await?;
    found.map(|found| row::number(&found, 0)).transpose()
}

async fn said_between(
    client: &mut Client,
    one: UserId,
    other: UserId,
    pos: u64,
) -> DbResult<Option<Message>> {
    const SQL: &str = "SELECT mid, ts, sender, COALESCE(rev, 0), body FROM message
        WHERE sender = ? AND recipient = ? AND pos = ?";
    for (sender, recipient) in [(one, other), (other, one)] {
        let values = vec![sender.get().into(), recipient.get().into(), row::sql_number(pos)];
        if let Some(found) = client.find_one(SQL, values).await? {
            return read_message(&found);
        }
    }
    Ok(None)
}

async fn said_in(client: &mut Client, group: GroupId, pos: u64) -> DbResult<Option<Message>> {
    const SQL: &str = "SELECT mid, ts, sender, COALESCE(rev, 0), body FROM message
        WHERE groupid = ? AND pos = ?";
    let found = client.find_one(SQL, vec![group.get().into(), row::sql_number(pos)]).await?;
    found.map_or(Ok(None), |found| read_message(&found))
}

/// The answer to what was asked for under this name before.
async fn repeated(client: &mut Client, request: &Request<'_>, cid: &str) -> DbResult<Option<StoreResult>> {
    let sql = "SELECT low, high, pos, chg, said FROM change_cid WHERE author = ? AND cid = ?";
    let found = client.find_one(sql, vec![request.user.get().into(), row::sql_text(cid)]).await?;
    let Some(found) = found else { return Ok(None) };
    let id = |column| row::number(&found, column).map(|id| u32::try_from(id).unwrap_or(u32::MAX));
    let key = Key { low: id(0)?, high: id(1)? };
    let (pos, chg) = (row::number(&found, 2)?, row::number(&found, 3)?);
    Ok(Some(request.repeated((key, pos), row::optional_signed(&found, 4)?, chg)))
}

async fn remember(client: &mut Client, request: &Request<'_>, key: Key, cid: &str, chg: u64) -> DbResult<()> {
    let sql = "INSERT INTO change_cid (author, cid, low, high, pos, chg, said) VALUES (?, ?, ?, ?, ?, ?, ?)";
    let mut values = vec![request.user.get().into(), row::sql_text(cid)];
    values.extend(place_values(key, request.pos));
    values.extend([row::sql_number(chg), request.said().into()]);
    client.write(sql, values).await.map(drop)
}

/// Whether the message says something else now.
async fn edit(client: &mut Client, message: &Message, msg: &str) -> DbResult<bool> {
    let Some(body) = edited(&message.body, msg) else { return Ok(false) };
    let rev = row::sql_number(message.rev + 1);
    let values = vec![Value::Bytes(body), rev, row::sql_number(message.mid.0)];
    client.write("UPDATE message SET body = ?, rev = ? WHERE mid = ?", values).await?;
    late::changed(client, &[message.mid]).await?;
    Ok(true)
}

/// Nothing is left of the message but its place, and it waits for nobody.
async fn recall(client: &mut Client, key: Key, changed: &Changed, message: &Message) -> DbResult<()> {
    let place = || place_values(key, changed.pos).to_vec();
    let mid = || row::sql_number(message.mid.0);
    let recalled = vec![RECALLED.into(), mid()];
    client.write("UPDATE message SET body = '', rev = ? WHERE mid = ?", recalled).await?;
    late::changed(client, &[message.mid]).await?;
    client.write("DELETE FROM reaction WHERE low = ? AND high = ? AND pos = ?", place()).await?;
    // What was done to it before tells no more than that it was recalled.
    let sql = "UPDATE changes SET kind = ?, author = ?, ts = ?, n = 0, content = NULL
        WHERE low = ? AND high = ? AND pos = ?";
    let mut values = vec![row::sql_number(RECALL), changed.by.get().into(), row::sql_number(changed.ts.0)];
    values.extend(place());
    client.write(sql, values).await?;
    let sql = "UPDATE change_cid SET said = NULL WHERE low = ? AND high = ? AND pos = ?";
    client.write(sql, place()).await?;
    uncount(client, key, changed.pos, message.sender).await?;
    client.write("DELETE FROM offlinemessage WHERE mid = ?", vec![mid()]).await.map(drop)
}

/// The row at this place, which is this user's, is unread to nobody from now on. The conversation is locked.
pub async fn uncount(client: &mut Client, key: Key, pos: u64, sender: UserId) -> DbResult<()> {
    let sql = "INSERT INTO uncounted (low, high, pos, sender) VALUES (?, ?, ?, ?)
        ON DUPLICATE KEY UPDATE sender = VALUES(sender)";
    let mut values = place_values(key, pos).to_vec();
    values.push(sender.get().into());
    client.write(sql, values).await?;
    let (sql, id) = if key.low == 0 {
        ("UPDATE allgroup SET uncounted = GREATEST(uncounted, ?) WHERE id = ?", vec![key.high.into()])
    } else {
        let sql = "UPDATE conversation SET uncounted = GREATEST(uncounted, ?) WHERE low = ? AND high = ?";
        (sql, key_values(key).to_vec())
    };
    let values = std::iter::once(row::sql_number(pos)).chain(id).collect();
    client.write(sql, values).await.map(drop)
}

/// How many react so now, if that is new.
async fn react(
    client: &mut Client,
    limits: &Limits,
    key: Key,
    request: &Request<'_>,
    (emoji, on): (&str, bool),
    message: &Message,
) -> DbResult<Result<Option<u64>, Code>> {
    let place = place_values(key, request.pos);
    let with = |more: Vec<Value>| place.iter().cloned().chain(more).collect::<Vec<Value>>();
    let so = "SELECT COUNT(*) FROM reaction WHERE low = ? AND high = ? AND pos = ? AND emoji = ?";
    let emoji = || row::sql_text(emoji);
    let mine = || with(vec![emoji(), request.user.get().into()]);
    let before = count(client, so, with(vec![emoji()])).await?;
    if on && before == 0 {
        let ways = "SELECT COUNT(DISTINCT emoji) FROM reaction WHERE low = ? AND high = ? AND pos = ?";
        if count(client, ways, with(Vec::new())).await? >= limits.emojis as u64 {
            return Ok(Err(Code::TooMany));
        }
    }
    let is_mine = "SELECT COUNT(*) FROM reaction
        WHERE low = ? AND high = ? AND pos = ? AND emoji = ? AND userid = ?";
    if (count(client, is_mine, mine()).await? > 0) == on {
        return Ok(Ok(None));
    }
    let sql = if on {
        "INSERT INTO reaction (low, high, pos, emoji, userid) VALUES (?, ?, ?, ?, ?)"
    } else {
        "DELETE FROM reaction WHERE low = ? AND high = ? AND pos = ? AND emoji = ? AND userid = ?"
    };
    client.write(sql, mine()).await?;
    // From now on it is looked who reacts to the message.
    let sql = "UPDATE message SET rev = 0 WHERE mid = ? AND rev IS NULL";
    client.write(sql, vec![row::sql_number(message.mid.0)]).await?;
    Ok(Ok(Some(if on { before + 1 } else { before.saturating_sub(1) })))
}

async fn count(client: &mut Client, sql: &'static str, values: Vec<Value>) -> DbResult<u64> {
    client.find_one(sql, values).await?.map_or(Ok(0), |found| row::number(&found, 0))
}

/// How many changes a conversation has, as one of its people sees it.
pub async fn last(client: &mut Client, user: UserId, conversation: Conversation) -> DbResult<u64> {
    let key = Key::of(user, conversation);
    match conversation {
        Conversation::With(_) => {
            let sql = "SELECT chg FROM conversation WHERE low = ? AND high = ?";
            count(client, sql, key_values(key).to_vec()).await
        }
        Conversation::Group(group) => {
            count(client, "SELECT chg FROM allgroup WHERE id = ?", vec![group.get().into()]).await
        }
    }
}

async fn log(client: &mut Client, key: Key, changed: &Changed) -> DbResult<()> {
    let (kind, n, content) = changes::columns(changed);
    let sql = "INSERT INTO changes (low, high, chg, pos, mid, kind, author, ts, rev, n, content)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let mut values = key_values(key).to_vec();
    values.extend([changed.chg, changed.pos, changed.mid.0, kind].map(row::sql_number));
    values.push(changed.by.get().into());
    values.extend([changed.ts.0, changed.rev, n].map(row::sql_number));
    values.push(content.map_or(Value::NULL, row::sql_text));
    client.write(sql, values).await.map(drop)
}

/// The changes after `after`, `most` at most, of rows that are after place `joined`.
pub async fn after(
    client: &mut Client,
    key: Key,
    after: u64,
    joined: u64,
    most: usize,
) -> DbResult<Vec<Changed>> {
    let sql = "SELECT chg, pos, mid, author, ts, rev, kind, n, content FROM changes
        WHERE low = ? AND high = ? AND chg > ? AND pos > ? ORDER BY chg LIMIT ?";
    let mut values = key_values(key).to_vec();
    values.extend([after, joined, most as u64].map(row::sql_number));
    let changed = |found: &Row| {
        let content = Some(row::text(found, 8)?).filter(|_| found.as_ref(8) != Some(&Value::NULL));
        Ok(Changed {
            chg: row::number(found, 0)?,
            pos: row::number(found, 1)?,
            mid: row::mid(found, 2)?,
            by: row::user(found, 3)?,
            ts: Millis(row::number(found, 4)?),
            rev: row::number(found, 5)?,
            what: changes::done(row::number(found, 6)?, row::number(found, 7)?, content),
        })
    };
    client.find(sql, values).await?.iter().map(changed).collect()
}

/// Deletes what is known of changes in a group that is dissolved, `most` rows at most; how many it deleted.
pub async fn sweep(client: &mut Client, group: u32, most: u64) -> DbResult<u64> {
    const TABLES: [&str; 4] = [
        "DELETE FROM reaction WHERE low = 0 AND high = ? LIMIT ?",
        "DELETE FROM change_cid WHERE low = 0 AND high = ? LIMIT ?",
        "DELETE FROM changes WHERE low = 0 AND high = ? LIMIT ?",
        "DELETE FROM uncounted WHERE low = 0 AND high = ? LIMIT ?",
    ];
    let mut swept = 0;
    for sql in TABLES {
        swept += client.write(sql, vec![group.into(), row::sql_number(most - swept)]).await?;
    }
    Ok(swept)
}
