//! One page of a backlog, read for [`Merge`]: backlog entries, what groups hold, and the bodies.
//!
//! A page is read in autocommit, statement by statement, while others write. It cannot miss what was
//! committed before it began: a group's places become visible in their order, because its row is
//! locked from the place's making to the commit, and cursors only grow. A message that vanishes in
//! between was in a group that was dissolved in between, and is left out.

use super::Answered;
use super::client::{Client, Many};
use super::fault::DbResult;
use super::group_rules;
use super::row;
use crate::merge::{Candidate, Group, Merge, PageLimit, Want};
use chatd_chat::model::envelope::{Envelope, Row as Stored, Target};
use chatd_chat::model::ids::{GroupId, MessageId, Millis, UserId};
use chatd_chat::port::store::{BacklogMessage, BacklogPage, StoreReply};
use mysql_async::{Row, Value};
use std::collections::HashMap;

const GROUPS: &str = "SELECT groupid, upto, head FROM groupuser
    JOIN allgroup ON allgroup.id = groupid WHERE userid = ?";

// Of a group that was dissolved nothing is shown any more.
const BACKLOG: &str = "SELECT message.mid, OCTET_LENGTH(body)
    FROM offlinemessage JOIN message ON message.mid = offlinemessage.mid
    LEFT JOIN allgroup ON allgroup.id = message.groupid
    WHERE userid = ? AND offlinemessage.mid > ? AND (message.groupid IS NULL OR groupname IS NOT NULL)
    ORDER BY offlinemessage.mid LIMIT ?";

/// Groups that one statement reads ahead of.
const STREAMS: usize = 16;
const AHEAD: Many = Many {
    head: "",
    row: "(SELECT ? AS stream, mid, pos, OCTET_LENGTH(body) FROM message
           WHERE groupid = ? AND pos > ? AND sender <> ? AND COALESCE(rev, 0) >= 0 ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};

const BODIES: Many = Many::new(
    "SELECT mid, ts, sender, recipient, groupid, cid, body, rev FROM message WHERE mid IN (",
    "?",
    ")",
);

pub async fn fetch(
    client: &mut Client,
    user: UserId,
    after: MessageId,
    have: &[(GroupId, u64)],
    limit: PageLimit,
) -> Answered {
    let mut merge = Merge::new(after, &groups(client, user).await?, have, limit);
    let mut wants = Vec::new();
    let page = loop {
        if let Some(page) = merge.proceed(&mut wants) {
            break page;
        }
        if let Some(Want::Backlog { after, most }) = wants.first() {
            merge.backlog(backlog(client, user, *after, *most).await?);
        }
        read_ahead(client, user, &wants, &mut merge).await?;
    };
    let messages = read(client, &page.messages).await?;
    let rules = group_rules::of_user(client, user).await?;
    Ok(Ok(StoreReply::Backlog(BacklogPage { messages, complete: page.complete, heads: page.heads, rules })))
}

async fn groups(client: &mut Client, user: UserId) -> DbResult<Vec<Group>> {
    let found = client.find(GROUPS, vec![user.get().into()]).await?;
    let group = |found: &Row| {
        Ok(Group { group: row::group(found, 0)?, upto: row::number(found, 1)?, head: row::number(found, 2)? })
    };
    found.iter().map(group).collect()
}

async fn backlog(
    client: &mut Client,
    user: UserId,
    after: MessageId,
    most: usize,
) -> DbResult<Vec<Candidate>> {
    let Some(after) = row::sql_mid(after) else { return Ok(Vec::new()) };
    let found = client.find(BACKLOG, vec![user.get().into(), after.into(), Value::Int(most as i64)]).await?;
    let candidate =
        |found: &Row| Ok(Candidate { mid: row::mid(found, 0)?, pos: None, bytes: bytes_of(found, 1)? });
    found.iter().map(candidate).collect()
}

/// Reads what is wanted of groups, many groups at a time.
async fn read_ahead(client: &mut Client, user: UserId, wants: &[Want], merge: &mut Merge) -> DbResult<()> {
    let streams: Vec<(usize, GroupId, u64, usize)> = wants
        .iter()
        .filter_map(|want| match *want {
            Want::Group { stream, group, after, most } => Some((stream, group, after, most)),
            Want::Backlog { .. } => None,
        })
        .collect();
    for part in streams.chunks(STREAMS) {
        let rows = part.len().next_power_of_two();
        let mut values = Vec::with_capacity(rows * 5);
        for place in 0..rows {
            // What pads the statement reads nothing.
            let (stream, group, after, most) =
                part.get(place).copied().unwrap_or((0, part[0].1, u64::MAX, 0));
            values.extend([
                Value::Int(stream as i64),
                group.get().into(),
                row::sql_number(after),
                user.get().into(),
                Value::Int(most as i64),
            ]);
        }
        let mut found: HashMap<u64, Vec<Candidate>> = HashMap::new();
        for row in client.find_rows(AHEAD, rows, values).await? {
            let candidate = Candidate {
                mid: row::mid(&row, 1)?,
                pos: Some(row::number(&row, 2)?),
                bytes: bytes_of(&row, 3)?,
            };
            found.entry(row::number(&row, 0)?).or_default().push(candidate);
        }
        for (stream, _, _, most) in part {
            let mut found = found.remove(&(*stream as u64)).unwrap_or_default();
            // A union keeps no order.
            found.sort_unstable_by_key(|candidate| candidate.pos);
            merge.group(*stream, *most, found);
        }
    }
    Ok(())
}

fn bytes_of(found: &Row, column: usize) -> DbResult<usize> {
    row::number(found, column).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

/// Bodies that are read at once by those who do not know how many will do.
pub const READ: usize = 32;

/// A message, and how often it was edited, if it was changed at all; less than 0 if it was recalled.
pub type Body = (Envelope, Option<i64>);

/// The messages of a page, with their bodies. What was recalled since is for nobody.
async fn read(client: &mut Client, page: &[Candidate]) -> DbResult<Vec<BacklogMessage>> {
    let mut bodies = bodies(client, page.iter().map(|one| one.mid)).await?;
    let waiting = |one: &Candidate| {
        let (envelope, rev) = bodies.remove(&one.mid)?;
        rev.is_none_or(|rev| rev >= 0).then_some(BacklogMessage { envelope, pos: one.pos })
    };
    Ok(page.iter().filter_map(waiting).collect())
}

/// Those of these messages that are there.
pub async fn bodies(
    client: &mut Client,
    mids: impl Iterator<Item = MessageId>,
) -> DbResult<HashMap<MessageId, Body>> {
    let mids: Vec<Value> = mids.filter_map(row::sql_mid).map(Value::Int).collect();
    let mut scratch = Vec::new();
    let mut bodies = HashMap::with_capacity(mids.len());
    for found in client.find_all(BODIES, &mids, &[]).await? {
        let envelope = envelope(&found, &mut scratch)?;
        bodies.insert(envelope.mid(), (envelope, row::optional_signed(&found, 7)?));
    }
    Ok(bodies)
}

pub fn envelope(found: &Row, scratch: &mut Vec<u8>) -> DbResult<Envelope> {
    let direct = row::optional_number(found, 4)?.is_none();
    let target =
        if direct { Target::User(row::user(found, 3)?) } else { Target::Group(row::group(found, 4)?) };
    let stored = Stored {
        sender: row::user(found, 2)?,
        target,
        mid: row::mid(found, 0)?,
        ts: Millis(row::number(found, 1).unwrap_or(0)),
        cid: row::bytes(found, 5)?,
        body: row::bytes(found, 6)?,
    };
    Ok(Envelope::of_row(stored, scratch))
}
