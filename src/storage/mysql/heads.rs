//! A user's conversations, newest first, and where each of them stands.
//!
//! First the newest are found, then what is told of them is read, each statement with a view of its own: what comes in
//! between makes a conversation newer, and no count wrong. Places have no gaps, so what others said beyond a marker is
//! what is there beyond it but for the user's own messages, which are counted in an index.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::row;
use crate::key::Key;
use chatd_chat::model::history::{Conversation, Head, HeadsPage};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use mysql_async::{Row, Value};
use std::collections::HashMap;

// The order of the tables is told: left to itself the optimizer may go through all messages, newest first.
const NEWEST_DIRECT: &str = "SELECT STRAIGHT_JOIN COALESCE(mine.mid, theirs.mid) AS newest, d.peer
    FROM dialogue AS d
    JOIN conversation AS c ON c.low = LEAST(d.userid, d.peer) AND c.high = GREATEST(d.userid, d.peer)
    LEFT JOIN message AS mine ON mine.sender = d.userid AND mine.recipient = d.peer AND mine.pos = c.head
    LEFT JOIN message AS theirs
        ON theirs.sender = d.peer AND theirs.recipient = d.userid AND theirs.pos = c.head
    WHERE d.userid = ? HAVING newest < ? ORDER BY newest DESC LIMIT ?";
const NEWEST_OF_GROUPS: &str = "SELECT STRAIGHT_JOIN message.mid AS newest, g.groupid
    FROM groupuser AS g
    JOIN allgroup AS a ON a.id = g.groupid
    JOIN message ON message.groupid = a.id AND message.pos = a.head
    WHERE g.userid = ? AND a.head > g.joined AND message.mid < ? ORDER BY newest DESC LIMIT ?";
const DIRECT: Many = Many::new(
    "SELECT STRAIGHT_JOIN d.peer, user.name, c.head, d.marker,
         IF(EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = d.peer AND b.blocked = d.userid)
            OR EXISTS (SELECT 1 FROM setting AS s WHERE s.userid = d.peer AND s.read_receipts = 0), NULL, p.marker),
         COALESCE(mine.mid, theirs.mid), COALESCE(mine.ts, theirs.ts), c.chg, c.uncounted
     FROM dialogue AS d FORCE INDEX (PRIMARY)
     JOIN conversation AS c ON c.low = LEAST(d.userid, d.peer) AND c.high = GREATEST(d.userid, d.peer)
     JOIN user ON user.id = d.peer
     LEFT JOIN dialogue AS p ON p.userid = d.peer AND p.peer = d.userid
     LEFT JOIN message AS mine ON mine.sender = d.userid AND mine.recipient = d.peer AND mine.pos = c.head
     LEFT JOIN message AS theirs
         ON theirs.sender = d.peer AND theirs.recipient = d.userid AND theirs.pos = c.head
     WHERE (d.userid, d.peer) IN (",
    "(?,?)",
    ")",
);
const GROUPS: Many = Many::new(
    "SELECT STRAIGHT_JOIN g.groupid, a.groupname, a.head, g.marker, g.joined, message.mid, message.ts, a.chg,
         a.uncounted
     FROM groupuser AS g FORCE INDEX (PRIMARY)
     JOIN allgroup AS a ON a.id = g.groupid
     JOIN message ON message.groupid = a.id AND message.pos = a.head
     WHERE (g.userid, g.groupid) IN (",
    "(?,?)",
    ")",
);
/// Conversations that one statement counts in.
const COUNTED: usize = 64;
// Values and not columns of another table: only so it begins at the place.
const OWN: Many = Many {
    head: "",
    row: "(SELECT ? AS step, COUNT(*) FROM message WHERE sender = ? AND recipient = ? AND pos > ? AND pos <= ?)",
    between: " UNION ALL ",
    tail: "",
};
const OWN_IN_GROUPS: Many = Many {
    head: "",
    row: "(SELECT ? AS step, COUNT(*) FROM message WHERE sender = ? AND groupid = ? AND pos > ? AND pos <= ?)",
    between: " UNION ALL ",
    tail: "",
};

const UNCOUNTED: Many = Many {
    head: "",
    row: "(SELECT ? AS step, COUNT(*) FROM uncounted WHERE low = ? AND high = ? AND pos > ? AND sender <> ?)",
    between: " UNION ALL ",
    tail: "",
};

/// The newest conversations whose last messages have smaller ids than `before`.
pub async fn page(
    client: &mut Client,
    user: UserId,
    before: Option<MessageId>,
    most: usize,
) -> DbResult<HeadsPage> {
    if most == 0 {
        return Ok(HeadsPage::default());
    }
    let (newest, complete) = newest(client, user, before, most).await?;
    let (mut peers, mut groups) = (Vec::new(), Vec::new());
    for conversation in newest {
        match conversation {
            Conversation::With(peer) => peers.extend([user.get().into(), peer.get().into()]),
            Conversation::Group(group) => groups.extend([user.get().into(), group.get().into()]),
        }
    }
    let mut heads = Vec::with_capacity(most.min((peers.len() + groups.len()) / 2));
    for found in client.find_all(DIRECT, &peers, &[]).await? {
        heads.extend(direct(&found)?);
    }
    let peers = heads.len();
    count_unread(client, OWN, user, &mut heads).await?;
    for found in client.find_all(GROUPS, &groups, &[]).await? {
        heads.push(of_group(&found)?);
    }
    count_unread(client, OWN_IN_GROUPS, user, &mut heads[peers..]).await?;
    uncount(client, user, &mut heads).await?;
    let mut heads: Vec<Head> = heads.into_iter().map(|standing| standing.head).collect();
    heads.sort_unstable_by_key(|head| std::cmp::Reverse(head.mid));
    Ok(HeadsPage { heads, complete })
}

/// Which conversations are in the page, and whether they are the last ones.
async fn newest(
    client: &mut Client,
    user: UserId,
    before: Option<MessageId>,
    most: usize,
) -> DbResult<(Vec<Conversation>, bool)> {
    let before = row::sql_number(before.map_or(u64::MAX, |before| before.0));
    let values = vec![user.get().into(), before, row::sql_number(most as u64 + 1)];
    let mut newest: Vec<(MessageId, Conversation)> = Vec::new();
    for found in client.find(NEWEST_DIRECT, values.clone()).await? {
        newest.push((row::mid(&found, 0)?, Conversation::With(row::user(&found, 1)?)));
    }
    for found in client.find(NEWEST_OF_GROUPS, values).await? {
        newest.push((row::mid(&found, 0)?, Conversation::Group(row::group(&found, 1)?)));
    }
    newest.sort_unstable_by_key(|(mid, _)| std::cmp::Reverse(*mid));
    let complete = newest.len() <= most;
    newest.truncate(most);
    Ok((newest.into_iter().map(|(_, conversation)| conversation).collect(), complete))
}

/// A head whose unread messages are not counted yet.
struct Standing {
    head: Head,
    /// Beyond this place they are.
    read: u64,
    /// Beyond this place every row counts.
    uncounted: u64,
}

/// None if somebody has deleted its last message.
fn direct(found: &Row) -> DbResult<Option<Standing>> {
    let Some(mid) = row::optional_number(found, 5)? else { return Ok(None) };
    let read = row::number(found, 3)?;
    let head = Head {
        conversation: Conversation::With(row::user(found, 0)?),
        name: row::text(found, 1)?.to_owned(),
        head: row::number(found, 2)?,
        read,
        peer_read: row::optional_number(found, 4)?,
        unread: 0,
        mid: MessageId(mid),
        ts: Millis(row::number(found, 6).unwrap_or(0)),
        chg: row::number(found, 7)?,
    };
    Ok(Some(Standing { head, read, uncounted: row::number(found, 8)? }))
}

fn of_group(found: &Row) -> DbResult<Standing> {
    let read = row::number(found, 3)?;
    let head = Head {
        conversation: Conversation::Group(row::group(found, 0)?),
        name: row::text(found, 1)?.to_owned(),
        head: row::number(found, 2)?,
        read,
        peer_read: None,
        unread: 0,
        mid: row::mid(found, 5)?,
        ts: Millis(row::number(found, 6).unwrap_or(0)),
        chg: row::number(found, 7)?,
    };
    Ok(Standing { head, read: read.max(row::number(found, 4)?), uncounted: row::number(found, 8)? })
}

/// Counts what others said beyond the places of `heads`, all of which are direct conversations, or all groups.
async fn count_unread(client: &mut Client, own: Many, user: UserId, heads: &mut [Standing]) -> DbResult<()> {
    let notes = |head: &Head| head.conversation == Conversation::With(user);
    let mut behind: Vec<&mut Standing> = heads
        .iter_mut()
        .filter(|standing| standing.head.head > standing.read && !notes(&standing.head))
        .collect();
    for part in behind.chunks_mut(COUNTED) {
        let rows = part.len().next_power_of_two();
        let mut values = Vec::with_capacity(rows * 5);
        for step in 0..rows {
            // What pads the statement counts nothing.
            let (of, read, head) = part.get(step).map_or((0, 0, 0), |Standing { head, read, .. }| {
                let of = match head.conversation {
                    Conversation::With(peer) => peer.get(),
                    Conversation::Group(group) => group.get(),
                };
                (of, *read, head.head)
            });
            let places = [row::sql_number(read), row::sql_number(head)];
            values.extend([Value::Int(step as i64), user.get().into(), of.into()]);
            values.extend(places);
        }
        for Standing { head, read, .. } in &mut *part {
            head.unread = head.head - *read;
        }
        for found in client.find_rows(own, rows, values).await? {
            let (step, own) = (row::number(&found, 0)? as usize, row::number(&found, 1)?);
            if let Some(Standing { head, .. }) = part.get_mut(step) {
                head.unread = head.unread.saturating_sub(own);
            }
        }
    }
    Ok(())
}

/// Takes off what counts as unread to nobody: hardly any conversation has some of that beyond a marker.
async fn uncount(client: &mut Client, user: UserId, heads: &mut [Standing]) -> DbResult<()> {
    let mut some: Vec<&mut Standing> =
        heads.iter_mut().filter(|standing| standing.uncounted > standing.read).collect();
    for part in some.chunks_mut(COUNTED) {
        let mut values = Vec::with_capacity(part.len() * 5);
        for (step, Standing { head, read, .. }) in (0_i64..).zip(&*part) {
            let Key { low, high } = Key::of(user, head.conversation);
            values.extend([
                Value::Int(step),
                low.into(),
                high.into(),
                row::sql_number(*read),
                user.get().into(),
            ]);
        }
        let mut found: HashMap<u64, u64> = HashMap::new();
        // What pads the statement comes twice.
        for counted in client.find_all(UNCOUNTED, &values, &[]).await? {
            found.insert(row::number(&counted, 0)?, row::number(&counted, 1)?);
        }
        for (step, standing) in (0..).zip(part) {
            let uncounted = found.get(&step).copied().unwrap_or(0);
            standing.head.unread = standing.head.unread.saturating_sub(uncounted);
        }
    }
    Ok(())
}
