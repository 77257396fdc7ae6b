//! What is owed to whom: put in, taken out, and the cursors of groups, many at a time.
//!
//! [`page`](super::page) reads it.

use super::client::{Client, Many};
use super::fault::Did;
use super::row;
use crate::chat::ask::Progress;
use crate::chat::ids::{GroupId, MessageId, UserId};
use mysql_async::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

const OWE: Many = Many::new(
    "INSERT INTO offlinemessage (userid, mid) VALUES ",
    "(?,?)",
    " ON DUPLICATE KEY UPDATE mid = VALUES(mid)",
);
const SETTLE: Many = Many::new("DELETE FROM offlinemessage WHERE (userid, mid) IN (", "(?,?)", ")");
const STORED: Many = Many::new("SELECT mid FROM message WHERE mid IN (", "?", ")");
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
    row: "(SELECT ? AS step, pos, mid, sender FROM message
           WHERE groupid = ? AND pos > ? ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};
/// Places that a cursor is followed over at once, besides those that are known to be had.
const STRIDE: usize = 8;

/// What is to be owed in the end, and what no more, by user and message.
pub type Owing = BTreeMap<(UserId, i64), Owed>;

/// Whether a message is owed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Owed {
    /// Put it in, if it is not there.
    Yes,
    /// Take it out, if it is there.
    No,
}

/// Those of `mids` that are stored.
pub async fn stored(client: &mut Client, mids: &BTreeSet<i64>) -> Did<HashSet<i64>> {
    let values: Vec<Value> = mids.iter().map(|mid| Value::Int(*mid)).collect();
    let found = client.find_all(STORED, &values, &[]).await?;
    found.iter().map(|found| Ok(row::number(found, 0)? as i64)).collect()
}

/// Makes it so.
pub async fn owe(client: &mut Client, owing: &Owing) -> Did<()> {
    let pairs = |wanted: Owed| -> Vec<Value> {
        let wanted = owing.iter().filter(|(_, owed)| **owed == wanted);
        wanted.flat_map(|((user, mid), _)| [user.get().into(), Value::Int(*mid)]).collect()
    };
    client.write_all(OWE, pairs(Owed::Yes)).await?;
    client.find_all(SETTLE, &pairs(Owed::No), &[]).await.map(drop)
}

/// Moves cursors to where `steps` say, over what follows and the user has too, and never back.
pub async fn advance(client: &mut Client, steps: &[(UserId, &Progress)]) -> Did<()> {
    let mut left = steps.to_vec();
    while !left.is_empty() {
        // Who moves twice moves from where it then is.
        let mut seats = HashSet::new();
        let firsts: Vec<_> = left.extract_if(.., |(user, step)| seats.insert((*user, step.group))).collect();
        advance_once(client, &firsts).await?;
    }
    Ok(())
}

/// A cursor on the move.
struct Cursor<'a> {
    user: UserId,
    group: GroupId,
    beyond: &'a [MessageId],
    stored: u64,
    upto: u64,
    head: u64,
}

async fn advance_once(client: &mut Client, steps: &[(UserId, &Progress)]) -> Did<()> {
    let mut cursors = cursors(client, steps).await?;
    follow(client, &mut cursors).await?;
    let moved = cursors.iter().filter(|cursor| cursor.upto > cursor.stored);
    let values = moved
        .flat_map(|cursor| [cursor.user.get().into(), cursor.group.get().into(), row::sql_place(cursor.upto)])
        .collect();
    client.write_all(MOVE, values).await
}

/// Where the cursors stand, with what the steps say. They are locked.
async fn cursors<'a>(client: &mut Client, steps: &[(UserId, &'a Progress)]) -> Did<Vec<Cursor<'a>>> {
    let steps: BTreeMap<(UserId, GroupId), &Progress> =
        steps.iter().map(|(user, step)| ((*user, step.group), *step)).collect();
    let seats: Vec<Value> =
        steps.keys().flat_map(|(user, group)| [user.get().into(), group.get().into()]).collect();
    let found = client.find_all(CURSORS, &seats, &[]).await?;
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
        cursors.push(Cursor { user, group, beyond: &step.beyond, stored, upto, head });
    }
    Ok(cursors)
}

/// Moves the cursors over the places right after them that hold the user's own messages and those
/// that it has too.
async fn follow(client: &mut Client, cursors: &mut [Cursor<'_>]) -> Did<()> {
    let mut behind: Vec<&mut Cursor<'_>> =
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
async fn follow_some(client: &mut Client, cursors: &mut [&mut Cursor<'_>]) -> Did<Vec<bool>> {
    let stride = |cursor: &Cursor<'_>| cursor.beyond.len().min(64) + STRIDE;
    let rows = cursors.len().next_power_of_two();
    let mut values = Vec::with_capacity(rows * 4);
    for place in 0..rows {
        let (cursor, most) =
            cursors.get(place).map_or((&*cursors[0], 0), |cursor| (&**cursor, stride(cursor)));
        let (place, most) = (Value::Int(place as i64), Value::Int(most as i64));
        values.extend([place, cursor.group.get().into(), row::sql_place(cursor.upto), most]);
    }
    let mut places: HashMap<u64, Vec<(u64, MessageId, UserId)>> = HashMap::new();
    for found in client.find_rows(FOLLOW, rows, values).await? {
        let place = (row::number(&found, 1)?, row::mid(&found, 2)?, row::user(&found, 3)?);
        places.entry(row::number(&found, 0)?).or_default().push(place);
    }
    let mut further = Vec::with_capacity(cursors.len());
    for (number, cursor) in (0..).zip(cursors) {
        let mut places = places.remove(&number).unwrap_or_default();
        // A union keeps no order.
        places.sort_unstable();
        let beyond: HashSet<MessageId> = cursor.beyond.iter().copied().collect();
        let had = places.iter().take_while(|(_, mid, sender)| *sender == cursor.user || beyond.contains(mid));
        let steps = had.inspect(|(pos, ..)| cursor.upto = *pos).count();
        further.push(steps == stride(cursor));
    }
    Ok(further)
}
