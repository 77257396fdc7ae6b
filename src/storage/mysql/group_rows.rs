//! The rows that tell what was done to groups: made once, and found again by the cid of who asked.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::group_rules::ruled;
use super::row;
use crate::group_rules::{Asked, Named, body, placed, repeats};
use chatd_chat::model::group_rule::{GroupRule, NewRow};
use chatd_chat::model::history::Placed;
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::group_event::What;
use mysql_async::Value;

/// Makes the row that tells of something, at the next place of the group, which is locked.
pub async fn add_row(
    client: &mut Client,
    asked: &Asked<'_>,
    user: Option<UserId>,
    what: What<'_>,
) -> DbResult<Placed> {
    let by = named(client, asked.user).await?;
    let user = match user.filter(|&user| user != asked.user) {
        Some(user) => Some(named(client, user).await?),
        None => None,
    };
    let body = body(&by, asked.group, user.as_ref(), what);
    let mut mid = asked.row.mid;
    while is_taken(client, mid).await? {
        mid = mid.next_of_core();
    }
    let group = || vec![asked.group.get().into()];
    client.write("UPDATE allgroup SET head = head + 1 WHERE id = ?", group()).await?;
    let found = client.find_one("SELECT head FROM allgroup WHERE id = ?", group()).await?;
    let pos = found.map_or(Ok(0), |found| row::number(&found, 0))?;
    let values = vec![
        row::sql_mid(mid).map_or(Value::NULL, Value::Int),
        row::sql_number(asked.row.ts.0),
        asked.user.get().into(),
        asked.group.get().into(),
        row::sql_number(pos),
        asked.cid.map_or(Value::NULL, row::sql_text),
        Value::Bytes(body.clone()),
    ];
    let sql = "INSERT INTO message (mid, ts, sender, groupid, pos, cid, body) VALUES (?, ?, ?, ?, ?, ?, ?)";
    match client.write(sql, values).await {
        Ok(_) => {}
        // Somebody else has made a row of this id or this cid since it was looked: the same again finds it.
        Err(Fault::Exists(why)) => return Err(Fault::Contended(why)),
        Err(fault) => return Err(fault),
    }
    // It never counts as unread.
    let place = || row::sql_number(pos);
    let values = vec![asked.group.get().into(), place(), asked.user.get().into()];
    client.write("INSERT INTO uncounted (low, high, pos, sender) VALUES (0, ?, ?, ?)", values).await?;
    let values = vec![place(), asked.group.get().into()];
    client.write("UPDATE allgroup SET uncounted = ? WHERE id = ?", values).await?;
    let row = NewRow { mid, ..asked.row };
    Ok(placed(asked.user, asked.group, row, asked.cid.unwrap_or_default().as_bytes(), &body, pos))
}

/// The answer to a request whose row is there already.
pub async fn again(
    client: &mut Client,
    asked: &Asked<'_>,
    rule: &GroupRule,
) -> DbResult<Option<Result<StoreReply, Code>>> {
    let Some(cid) = asked.cid else { return Ok(None) };
    let sql = "SELECT mid, ts, groupid, pos, body FROM message WHERE sender = ? AND cid = ?";
    let found = client.find_one(sql, vec![asked.user.get().into(), row::sql_text(cid)]).await?;
    let Some(found) = found else { return Ok(None) };
    let stored = NewRow { mid: row::mid(&found, 0)?, ts: Millis(row::number(&found, 1)?) };
    let (group, pos) = (row::optional_number(&found, 2)?, row::optional_number(&found, 3)?);
    let body = row::bytes(&found, 4)?;
    let by = named(client, asked.user).await?;
    let user = match rule.about().filter(|&user| user != asked.user) {
        Some(user) => Some(named(client, user).await?),
        None => None,
    };
    let same =
        group == Some(asked.group.get().into()) && repeats(body, &by, asked.group, user.as_ref(), rule);
    let Some(pos) = pos.filter(|_| same) else { return Ok(Some(Err(Code::CidReused))) };
    let placed = placed(asked.user, asked.group, stored, cid.as_bytes(), body, pos);
    Ok(Some(Ok(StoreReply::Ruled(ruled(client, asked, rule, Some(placed), false).await?))))
}

async fn is_taken(client: &mut Client, mid: MessageId) -> DbResult<bool> {
    let mid = row::sql_mid(mid).map_or(Value::NULL, Value::Int);
    Ok(client.find_one("SELECT 1 FROM message WHERE mid = ?", vec![mid]).await?.is_some())
}

async fn named(client: &mut Client, user: UserId) -> DbResult<Named> {
    let found = client.find_one("SELECT name FROM user WHERE id = ?", vec![user.get().into()]).await?;
    let name = found.as_ref().map(|found| row::text(found, 0)).transpose()?;
    Ok((user, name.unwrap_or_default().to_owned()))
}
