//! Backlogs: entries put in and taken out, and the cursors of groups, many at a time.
//!
//! [`page`](super::page) reads it.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::row;
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::CursorUpdate;
use mysql_async::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const INSERT: Many = Many::new(
    "INSERT INTO offlinemessage (userid, mid) VALUES ",
    "(?,?)",
    " ON DUPLICATE KEY UPDATE mid = VALUES(mid)",
);
// What comes and goes leaves a table that its statistics call almost empty, full of rows that are deleted
// and not yet purged: left to itself the optimizer scans it all.
const DELETE: Many = Many::new(
    "DELETE entry FROM offlinemessage AS entry FORCE INDEX (PRIMARY) WHERE (entry.userid, entry.mid) IN (",
    "(?,?)",
    ")",
);
const OTHERS: Many = Many::new("SELECT mid, `stored` FROM alias WHERE mid IN (", "?", ")");
const CURSORS: Many = Many::new(
    "SELECT userid, groupid, upto FROM groupuser WHERE (userid, groupid) IN (",
    "(?,?)",
    ") ORDER BY userid, groupid FOR UPDATE",
);
const HEADS: Many = Many::new("SELECT id, head FROM allgroup WHERE id IN (", "?", ")");
// The rows are there, and locked: this is an update of many.
const MOVE: Many = Many::new(
    "INSERT INTO groupuser (userid, groupid, grouprole, joined, upto) VALUES ",
    "(?,?,'normal',0,?)",
    " ON DUPLICATE KEY UPDATE upto = VALUES(upto)",
);
/// Cursors that one statement follows.
const FOLLOWED: usize = 16;
const FOLLOW: Many = Many {
    head: "",
    row: "(SELECT ? AS step, pos, mid, sender, COALESCE(rev, 0) < 0 FROM message
           WHERE groupid = ? AND pos > ? ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};
/// Places that a cursor is followed over at once, besides those that are known to be had.
const STRIDE: usize = 8;

/// The backlog entries that are to be there in the end, and those that are not, by user and message.
pub type BacklogChanges = BTreeMap<(UserId, i64), BacklogChange>;

/// What becomes of a backlog entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BacklogChange {
    /// Put it in, if it is not there.
    Insert,
    /// Take it out, if it is there.
    Delete,
}

/// The ids that messages are stored under that came again under others, by those.
pub type Aliases = HashMap<i64, i64>;

/// Makes it so. What was taken out under another id than it is stored under.
pub async fn apply_changes(client: &mut Client, changes: &BacklogChanges) -> DbResult<Aliases> {
    let pairs = |wanted: BacklogChange| -> Vec<Value> {
        let wanted = changes.iter().filter(|(_, change)| **change == wanted);
        wanted.flat_map(|((user, mid), _)| [user.get().into(), Value::Int(*mid)]).collect()
    };
    // A row more than once is a row once, so what pads the statements does no harm.
    client.find_all(INSERT, &pairs(BacklogChange::Insert), &[]).await?;
    let (deleted, before) = (pairs(BacklogChange::Delete), client.changed);
    client.find_all(DELETE, &deleted, &[]).await?;
    if client.changed - before < (deleted.len() / 2) as u64 {
        return delete_under_other_ids(client, changes).await;
    }
    Ok(Aliases::new())
}

/// Takes out what is stored under another id than the one that arrived.
async fn delete_under_other_ids(client: &mut Client, changes: &BacklogChanges) -> DbResult<Aliases> {
    let deleted =
        || changes.iter().filter(|(_, change)| **change == BacklogChange::Delete).map(|(pair, _)| *pair);
    let aliases = aliases(client, deleted().map(|(_, mid)| mid)).await?;
    let pairs = deleted().filter_map(|(user, mid)| Some((user, aliases.get(&mid)?)));
    let values: Vec<Value> = pairs.flat_map(|(user, mid)| [user.get().into(), Value::Int(*mid)]).collect();
    client.find_all(DELETE, &values, &[]).await?;
    Ok(aliases)
}

/// Under which ids the messages are stored that came again under these.
async fn aliases(client: &mut Client, mids: impl Iterator<Item = i64>) -> DbResult<Aliases> {
    let values: Vec<Value> = mids.map(Value::Int).collect();
    let found = client.find_all(OTHERS, &values, &[]).await?;
    found.iter().map(|found| Ok((row::number(found, 0)? as i64, row::number(found, 1)? as i64))).collect()
}

/// Moves cursors to where `steps` say, over what follows and the user has too, and never back.
pub async fn advance(client: &mut Client, steps: &[(UserId, &CursorUpdate)]) -> DbResult<()> {
    let mut left = steps.to_vec();
    while !left.is_empty() {
        // Who moves twice moves from where it then is.
        let mut memberships = HashSet::new();
        let firsts: Vec<_> =
            left.extract_if(.., |(user, step)| memberships.insert((*user, step.group))).collect();
        advance_once(client, &firsts).await?;
    }
    Ok(())
}

/// A cursor on the move.
struct Cursor {
    user: UserId,
    group: GroupId,
    beyond: HashSet<MessageId>,
    stored: u64,
    upto: u64,
    head: u64,
}

async fn advance_once(client: &mut Client, steps: &[(UserId, &CursorUpdate)]) -> DbResult<()> {
    let mut cursors = cursors(client, steps).await?;
    let beyond = cursors.iter().flat_map(|cursor| cursor.beyond.iter().copied().filter_map(row::sql_mid));
    let aliases = aliases(client, beyond).await?;
    for cursor in &mut cursors {
        let stored = |mid: &MessageId| Some(MessageId(*aliases.get(&row::sql_mid(*mid)?)? as u64));
        let stored: Vec<MessageId> = cursor.beyond.iter().filter_map(stored).collect();
        cursor.beyond.extend(stored);
    }
    follow(client, &mut cursors).await?;
    let moved = cursors.iter().filter(|cursor| cursor.upto > cursor.stored);
    let values = moved
        .flat_map(|cursor| {
            [cursor.user.get().into(), cursor.group.get().into(), row::sql_number(cursor.upto)]
        })
        .collect();
    client.write_all(MOVE, values).await
}

/// Where the cursors stand, with what the steps say. They are locked.
async fn cursors(client: &mut Client, steps: &[(UserId, &CursorUpdate)]) -> DbResult<Vec<Cursor>> {
    let steps: BTreeMap<(UserId, GroupId), &CursorUpdate> =
        steps.iter().map(|(user, step)| ((*user, step.group), *step)).collect();
    let memberships: Vec<Value> =
        steps.keys().flat_map(|(user, group)| [user.get().into(), group.get().into()]).collect();
    let found = client.find_all(CURSORS, &memberships, &[]).await?;
    let groups: BTreeSet<GroupId> = steps.keys().map(|(_, group)| *group).collect();
    let groups: Vec<Value> = groups.iter().map(|group| group.get().into()).collect();
    let mut heads = HashMap::new();
    for found in client.find_all(HEADS, &groups, &[]).await? {
        heads.insert(row::group(&found, 0)?, row::number(&found, 1)?);
    }
    let mut cursors = Vec::with_capacity(found.len());
    for found in &found {
        let (user, group, stored) = (row::user(found, 0)?, row::group(found, 1)?, row::number(found, 2)?);
        // Who left the group has no cursor in it any more: it was not found.
        let (Some(step), Some(&head)) = (steps.get(&(user, group)), heads.get(&group)) else { continue };
        // A cursor beyond the head would jump over messages that are not written yet.
        let upto = stored.max(step.upto.min(head));
        let beyond = step.beyond.iter().copied().collect();
        cursors.push(Cursor { user, group, beyond, stored, upto, head });
    }
    Ok(cursors)
}

/// Moves the cursors over the places right after them that hold the user's own messages and those
/// that it has too, and over what is recalled.
async fn follow(client: &mut Client, cursors: &mut [Cursor]) -> DbResult<()> {
    let mut behind: Vec<&mut Cursor> =
        cursors.iter_mut().filter(|cursor| cursor.upto < cursor.head).collect();
    while !behind.is_empty() {
        let mut further = Vec::new();
        for part in behind.chunks_mut(FOLLOWED) {
            further.extend(follow_some(client, part).await?);
        }
        let mut further = further.into_iter();
        behind.retain(|_| further.next().unwrap_or(false));
    }
    Ok(())
}

/// Goes one stride with some of them, and says for each whether it may get further.
async fn follow_some(client: &mut Client, cursors: &mut [&mut Cursor]) -> DbResult<Vec<bool>> {
    let stride = |cursor: &Cursor| cursor.beyond.len().min(64) + STRIDE;
    let rows = cursors.len().next_power_of_two();
    let mut values = Vec::with_capacity(rows * 4);
    for place in 0..rows {
        let (cursor, most) =
            cursors.get(place).map_or((&*cursors[0], 0), |cursor| (&**cursor, stride(cursor)));
        let (place, most) = (Value::Int(place as i64), Value::Int(most as i64));
        values.extend([place, cursor.group.get().into(), row::sql_number(cursor.upto), most]);
    }
    let mut places: HashMap<u64, Vec<(u64, MessageId, UserId, bool)>> = HashMap::new();
    for found in client.find_rows(FOLLOW, rows, values).await? {
        let is_recalled = row::number(&found, 4)? != 0;
        let place = (row::number(&found, 1)?, row::mid(&found, 2)?, row::user(&found, 3)?, is_recalled);
        places.entry(row::number(&found, 0)?).or_default().push(place);
    }
    let mut further = Vec::with_capacity(cursors.len());
    for (number, cursor) in (0..).zip(cursors) {
        let mut places = places.remove(&number).unwrap_or_default();
        // A union keeps no order.
        places.sort_unstable();
        let had = |(_, mid, sender, is_recalled): &&(u64, MessageId, UserId, bool)| {
            *is_recalled || *sender == cursor.user || cursor.beyond.contains(mid)
        };
        let steps = places.iter().take_while(had).count();
        further.push(steps == stride(cursor));
        if let Some((pos, ..)) = steps.checked_sub(1).and_then(|last| places.get(last)) {
            cursor.upto = *pos;
        }
    }
    Ok(further)
}
