//! Groups with messages of which nobody was told yet who lacks them: see [`crate::outbox::untold`].
//!
//! Whoever stores a message has its group locked, and makes the row if there is none. Only whoever posts changes a row
//! that is there, and locks the group to delete it, so none is deleted that somebody has just counted on. A row is moved
//! on from where it was read, or not at all: of two that post at once for a moment, one tells.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::outbox::{MESSAGES, lock_now, reached_by};
use super::{page, row};
use crate::outbox::pending::Pending;
use crate::outbox::untold::{Budget, GROUPS, Reader, STRETCH, Said, Telling, Untold, due_upto, lacking};
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use mysql_async::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const THERE: Many = Many::new("SELECT groupid FROM untold WHERE groupid IN (", "?", ")");
// A row more than once is a row once.
const NOTE: Many = Many::new(
    "INSERT INTO untold (groupid, pos, ts) VALUES ",
    "(?,?,?)",
    " ON DUPLICATE KEY UPDATE groupid = VALUES(groupid)",
);
const DUE: &str = "SELECT groupid, pos, upto, member FROM untold WHERE ts <= ? ORDER BY ts LIMIT ?";
const PLACES: &str = "SELECT pos, ts FROM message WHERE groupid = ? AND pos >= ? ORDER BY pos LIMIT ?";
// What was done to a group, and what was recalled, counts as unread to nobody.
const SAID: &str = "SELECT pos, mid, sender FROM message
    WHERE groupid = ? AND pos BETWEEN ? AND ? AND (rev IS NULL OR rev >= 0)
        AND NOT EXISTS (SELECT 1 FROM uncounted WHERE low = 0 AND high = ? AND uncounted.pos = message.pos)
    ORDER BY pos DESC";
const MEMBERS: &str = "SELECT userid, GREATEST(upto, marker, joined)
    FROM groupuser FORCE INDEX (groupuser_members)
    WHERE groupid = ? AND userid > ? ORDER BY userid LIMIT ?";
const BLOCKS: Many = Many::new(
    "SELECT userid, blocked FROM blocked FORCE INDEX (PRIMARY) WHERE (userid, blocked) IN (",
    "(?,?)",
    ")",
);
const BLOCKED: Many = Many::new("SELECT userid, blocked FROM blocked WHERE userid IN (", "?", ")");
/// Readers whose devices are asked for at one time.
const REACHED: usize = 64;

/// Something was said in these groups, which are locked: each has a row from now on.
pub async fn note(client: &mut Client, mut groups: BTreeMap<GroupId, (u64, Millis)>) -> DbResult<()> {
    let ids: Vec<Value> = groups.keys().map(|group| group.get().into()).collect();
    for found in client.find_all(THERE, &ids, &[]).await? {
        groups.remove(&row::group(&found, 0)?);
    }
    let values: Vec<Value> = groups
        .into_iter()
        .flat_map(|(group, (pos, ts))| [group.get().into(), row::sql_number(pos), row::sql_number(ts.0)])
        .collect();
    client.find_all(NOTE, &values, &[]).await.map(drop)
}

/// Tells who lacks what was said before `before`, as far as one step goes; whether more is left.
pub async fn tell(client: &mut Client, pending: &mut Pending, before: Millis) -> DbResult<bool> {
    let found = client.find(DUE, vec![row::sql_number(before.0), Value::from(GROUPS)]).await?;
    let (mut budget, mut more) = (Budget::of_step(), found.len() == GROUPS);
    for found in &found {
        if budget.is_used_up() {
            return Ok(true);
        }
        let untold = Untold {
            group: row::group(found, 0)?,
            pos: row::number(found, 1)?,
            upto: row::number(found, 2)?,
            member: row::number(found, 3)?,
        };
        more |= go_on(client, pending, &mut budget, untold, before).await? == Left::Due;
    }
    Ok(more)
}

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    /// It does not stand any more where it was read.
    Elsewhere,
    /// Nothing is left of it that is due.
    Nothing,
    /// Something is.
    Due,
}

/// Goes over one page of a group's members, and says what is left there.
async fn go_on(
    client: &mut Client,
    pending: &mut Pending,
    budget: &mut Budget,
    untold: Untold,
    before: Millis,
) -> DbResult<Left> {
    let pass = match untold.upto {
        0 => {
            let places = places(client, untold.group, untold.pos, STRETCH).await?;
            budget.places = budget.places.saturating_sub(places.len());
            due_upto(&places, before).map(|upto| untold.begun(upto))
        }
        _ => Some(untold),
    };
    let Some(pass) = pass else { return end(client, untold, untold.pos, before).await };
    let said = said(client, &pass).await?;
    budget.places = budget.places.saturating_sub(said.len());
    // Where all was recalled nobody lacks anything.
    let asked = if said.is_empty() { 0 } else { budget.members };
    let readers = members(client, &pass, asked).await?;
    budget.members -= readers.len();
    let (telling, last) = lackers(client, budget, &said, &readers).await?;
    // Something was recalled meanwhile: whoever lacks what was said before that is found with the next step.
    let Some(messages) = messages(client, &telling).await? else { return Ok(Left::Due) };
    let left = match last {
        Some(last) => stop_at(client, untold, pass.upto, last).await?,
        None if asked > 0 && readers.len() == asked => {
            stop_at(client, untold, pass.upto, readers[asked - 1].user).await?
        }
        None => end(client, untold, pass.upto + 1, before).await?,
    };
    if left != Left::Elsewhere {
        budget.bytes = budget.bytes.saturating_sub(telling.bytes());
        messages.iter().for_each(|envelope| telling.tell(pending, envelope));
    }
    Ok(left)
}

/// Places of a group from one on, and when they were said.
async fn places(client: &mut Client, group: GroupId, from: u64, most: usize) -> DbResult<Vec<(u64, Millis)>> {
    let values = vec![group.get().into(), row::sql_number(from), Value::from(most)];
    let found = client.find(PLACES, values).await?;
    found.iter().map(|found| Ok((row::number(found, 0)?, Millis(row::number(found, 1)?)))).collect()
}

/// The messages that a pass tells of, newest first.
async fn said(client: &mut Client, pass: &Untold) -> DbResult<Vec<Said>> {
    let group = || Value::from(pass.group.get());
    let values = vec![group(), row::sql_number(pass.pos), row::sql_number(pass.upto), group()];
    let read = |found: &mysql_async::Row| {
        Ok(Said { pos: row::number(found, 0)?, mid: row::mid(found, 1)?, sender: row::user(found, 2)? })
    };
    client.find(SAID, values).await?.iter().map(read).collect()
}

/// The members that a pass comes to next.
async fn members(client: &mut Client, pass: &Untold, most: usize) -> DbResult<Vec<Reader>> {
    let values = vec![pass.group.get().into(), row::sql_number(pass.member), Value::from(most)];
    let found = client.find(MEMBERS, values).await?;
    found
        .iter()
        .map(|found| Ok(Reader { user: row::user(found, 0)?, after: row::number(found, 1)? }))
        .collect()
}

/// Which of these lack something, and how they are reached; and the last of them if there is no room for more.
async fn lackers(
    client: &mut Client,
    budget: &Budget,
    said: &[Said],
    readers: &[Reader],
) -> DbResult<(Telling, Option<UserId>)> {
    let mut telling = Telling::default();
    let blocked = blocked(client, &lacking(said, readers, &HashMap::new())).await?;
    for part in lacking(said, readers, &blocked).chunks(REACHED) {
        let users: BTreeSet<UserId> = part.iter().map(|(reader, _)| reader.user).collect();
        let reached = reached_by(client, &users).await?;
        for (reader, said) in part {
            let (external, devices) = reached.of(reader.user);
            telling.add(*reader, *said, external, devices);
            if telling.bytes() >= budget.bytes {
                return Ok((telling, Some(reader.user)));
            }
        }
    }
    Ok((telling, None))
}

/// Whom those block who block the sender of what they lack: hardly anybody does.
async fn blocked(
    client: &mut Client,
    lacking: &[(Reader, Said)],
) -> DbResult<HashMap<UserId, HashSet<UserId>>> {
    let pairs: Vec<Value> = lacking
        .iter()
        .flat_map(|(reader, said)| [reader.user.get().into(), said.sender.get().into()])
        .collect();
    let mut blockers = BTreeSet::new();
    for found in client.find_all(BLOCKS, &pairs, &[]).await? {
        blockers.insert(row::user(&found, 0)?);
    }
    let blockers: Vec<Value> = blockers.into_iter().map(|user| user.get().into()).collect();
    let mut blocked: HashMap<UserId, HashSet<UserId>> = HashMap::new();
    for found in client.find_all(BLOCKED, &blockers, &[]).await? {
        blocked.entry(row::user(&found, 0)?).or_default().insert(row::user(&found, 1)?);
    }
    Ok(blocked)
}

/// The messages that are told of, unless one of them is there no more.
async fn messages(client: &mut Client, telling: &Telling) -> DbResult<Option<Vec<Envelope>>> {
    let mids: Vec<Value> = telling.mids().map(|mid| row::sql_number(mid.0)).collect();
    let (mut messages, mut scratch) = (Vec::with_capacity(mids.len()), Vec::new());
    for found in client.find_all(MESSAGES, &mids, &[]).await? {
        messages.push(page::envelope(&found, &mut scratch)?);
    }
    Ok((messages.len() == mids.len()).then_some(messages))
}

/// The values of a row as it was read.
fn as_read(untold: Untold) -> [Value; 4] {
    let [pos, upto, member] = [untold.pos, untold.upto, untold.member].map(row::sql_number);
    [untold.group.get().into(), pos, upto, member]
}

/// The pass goes on after this member.
async fn stop_at(client: &mut Client, untold: Untold, upto: u64, member: UserId) -> DbResult<Left> {
    let sql = "UPDATE untold SET upto = ?, member = ?
        WHERE groupid = ? AND pos = ? AND upto = ? AND member = ?";
    let mut values = vec![row::sql_number(upto), member.get().into()];
    values.extend(as_read(untold));
    Ok(if client.write(sql, values).await? > 0 { Left::Due } else { Left::Elsewhere })
}

/// The pass is through: what is said from this place on is for the next one.
async fn end(client: &mut Client, untold: Untold, from: u64, before: Millis) -> DbResult<Left> {
    let group = untold.group;
    let mut next = places(client, group, from, 1).await?.first().copied();
    if next.is_none() {
        let lock = "SELECT id FROM allgroup WHERE id = ? FOR UPDATE NOWAIT";
        if lock_now(client, lock, vec![group.get().into()]).await?.is_none() {
            // Something is being said: the row is looked at again with the next look.
            return move_to(client, untold, from, None).await;
        }
        next = places(client, group, from, 1).await?.first().copied();
    }
    let Some((pos, ts)) = next else {
        let sql = "DELETE FROM untold WHERE groupid = ? AND pos = ? AND upto = ? AND member = ?";
        let deleted = client.write(sql, as_read(untold).to_vec()).await? > 0;
        return Ok(if deleted { Left::Nothing } else { Left::Elsewhere });
    };
    match move_to(client, untold, pos, Some(ts)).await? {
        Left::Nothing if ts <= before => Ok(Left::Due),
        left => Ok(left),
    }
}

/// The next pass begins at this place, once that is due.
async fn move_to(client: &mut Client, untold: Untold, pos: u64, ts: Option<Millis>) -> DbResult<Left> {
    let sql = "UPDATE untold SET pos = ?, ts = COALESCE(?, ts), upto = 0, member = 0
        WHERE groupid = ? AND pos = ? AND upto = ? AND member = ?";
    let mut values = vec![row::sql_number(pos), ts.map_or(Value::NULL, |ts| row::sql_number(ts.0))];
    values.extend(as_read(untold));
    Ok(if client.write(sql, values).await? > 0 { Left::Nothing } else { Left::Elsewhere })
}
