//! A user's conversations, newest first, and where each of them stands.
//!
//! One statement finds the newest direct conversations and reads what is told of them, another one those of groups, each
//! with a view of its own: what comes in between makes a conversation newer, and no count wrong. Places have no gaps, so
//! what others said beyond a marker is what is there beyond it but for the user's own messages, which are counted in an
//! index.
//!
//! A statement that looks for each conversation's places begins at its first message, not at its marker. That is how
//! they are counted where it costs little; how many lie beyond the marker of a long conversation is counted after it.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::row;
use crate::key::Key;
use chatd_chat::model::history::{Conversation, Head, HeadsPage};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use mysql_async::{Row, Value};
use std::collections::HashMap;

// The order of the tables and their indexes are told: left to itself the optimizer may go through all messages, newest
// first, or through all of the user's for each conversation, where it does not know yet how many there are. Of how many
// messages are the user's own is told 0 where none lies beyond the marker, and nothing where that is to be counted.
const DIRECT: &str = "SELECT STRAIGHT_JOIN n.newest, n.peer, user.name, n.head, n.marker, n.marker AS seen, last.ts,
        n.chg, n.uncounted,
        CASE WHEN n.head <= n.marker THEN 0
            WHEN n.peer = n.userid THEN n.head - n.marker
            WHEN n.head <= 128 OR n.head >= 2 * n.marker THEN (
                SELECT COUNT(*) FROM message FORCE INDEX (message_direct)
                WHERE sender = n.userid AND recipient = n.peer AND pos > n.marker)
            WHEN COALESCE((
                SELECT pos FROM message FORCE INDEX (message_direct)
                WHERE sender = n.userid AND recipient = n.peer ORDER BY pos DESC LIMIT 1), 0) <= n.marker THEN 0 END,
        IF(b.userid IS NULL AND s.userid IS NULL, p.marker, NULL)
    FROM (
        SELECT STRAIGHT_JOIN COALESCE(mine.mid, theirs.mid) AS newest, d.userid, d.peer, d.marker, c.head, c.chg,
            c.uncounted
        FROM dialogue AS d FORCE INDEX (PRIMARY)
        JOIN conversation AS c FORCE INDEX (PRIMARY)
            ON c.low = LEAST(d.userid, d.peer) AND c.high = GREATEST(d.userid, d.peer)
        LEFT JOIN message AS mine FORCE INDEX (message_direct)
            ON mine.sender = d.userid AND mine.recipient = d.peer AND mine.pos = c.head
        LEFT JOIN message AS theirs FORCE INDEX (message_direct)
            ON theirs.sender = d.peer AND theirs.recipient = d.userid AND theirs.pos = c.head
        WHERE d.userid = ? HAVING newest < ? ORDER BY newest DESC LIMIT ?
    ) AS n
    JOIN message AS last FORCE INDEX (PRIMARY) ON last.mid = n.newest
    JOIN user FORCE INDEX (PRIMARY) ON user.id = n.peer
    LEFT JOIN dialogue AS p FORCE INDEX (PRIMARY) ON p.userid = n.peer AND p.peer = n.userid
    LEFT JOIN blocked AS b FORCE INDEX (PRIMARY) ON b.userid = n.peer AND b.blocked = n.userid
    LEFT JOIN setting AS s FORCE INDEX (PRIMARY) ON s.userid = n.peer AND s.read_receipts = 0";
const GROUPS: &str = "SELECT STRAIGHT_JOIN last.mid AS newest, g.groupid, a.groupname, a.head, g.marker,
        GREATEST(g.marker, g.joined) AS seen, last.ts, a.chg, a.uncounted,
        CASE WHEN a.head <= GREATEST(g.marker, g.joined) THEN 0
            WHEN a.head <= 128 OR a.head >= 2 * GREATEST(g.marker, g.joined) THEN (
                SELECT COUNT(*) FROM message FORCE INDEX (message_group)
                WHERE groupid = g.groupid AND pos > GREATEST(g.marker, g.joined) AND sender = g.userid) END
    FROM groupuser AS g FORCE INDEX (PRIMARY)
    JOIN allgroup AS a FORCE INDEX (PRIMARY) ON a.id = g.groupid
    JOIN message AS last FORCE INDEX (message_group) ON last.groupid = a.id AND last.pos = a.head
    WHERE g.userid = ? AND a.head > g.joined AND last.mid < ? ORDER BY newest DESC LIMIT ?";
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
    row: "(SELECT ? AS step, COUNT(*) FROM uncounted
        WHERE low = ? AND high = ? AND pos > ? AND pos <= ? AND sender <> ?)",
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
    let before = row::sql_number(before.map_or(u64::MAX, |before| before.0));
    let values = vec![user.get().into(), before, row::sql_number(most as u64 + 1)];
    let mut heads = Vec::new();
    for found in client.find(DIRECT, values.clone()).await? {
        let peer_read = row::optional_number(&found, 10)?;
        heads.push(standing(&found, Conversation::With(row::user(&found, 1)?), peer_read)?);
    }
    for found in client.find(GROUPS, values).await? {
        heads.push(standing(&found, Conversation::Group(row::group(&found, 1)?), None)?);
    }
    heads.sort_unstable_by_key(|standing| std::cmp::Reverse(standing.head.mid));
    let complete = heads.len() <= most;
    heads.truncate(most);
    take_own_off(client, user, &mut heads).await?;
    uncount(client, user, &mut heads).await?;
    Ok(HeadsPage { heads: heads.into_iter().map(|standing| standing.head).collect(), complete })
}

/// A head, and what its unread messages are counted by.
struct Standing {
    /// Nothing is taken off what is unread yet.
    head: Head,
    /// Beyond this place they are.
    seen: u64,
    /// How many of those are the user's own, if that is known.
    own: Option<u64>,
    /// Beyond this place every row counts.
    uncounted: u64,
}

fn standing(found: &Row, conversation: Conversation, peer_read: Option<u64>) -> DbResult<Standing> {
    let (head, seen) = (row::number(found, 3)?, row::number(found, 5)?);
    let told = Head {
        conversation,
        name: row::text(found, 2)?.to_owned(),
        head,
        read: row::number(found, 4)?,
        peer_read,
        unread: head.saturating_sub(seen),
        mid: row::mid(found, 0)?,
        ts: Millis(row::number(found, 6).unwrap_or(0)),
        chg: row::number(found, 7)?,
    };
    Ok(Standing { head: told, seen, own: row::optional_number(found, 9)?, uncounted: row::number(found, 8)? })
}

/// Takes the user's own messages off, and counts them first where they are not counted yet.
async fn take_own_off(client: &mut Client, user: UserId, heads: &mut [Standing]) -> DbResult<()> {
    let is_group = |standing: &Standing| matches!(standing.head.conversation, Conversation::Group(_));
    let (groups, direct): (Vec<_>, Vec<_>) =
        heads.iter_mut().filter(|standing| standing.own.is_none()).partition(|standing| is_group(standing));
    for (sql, mut long) in [(OWN, direct), (OWN_IN_GROUPS, groups)] {
        for part in long.chunks_mut(COUNTED) {
            count_own(client, sql, user, part).await?;
        }
    }
    for standing in heads {
        standing.head.unread = standing.head.unread.saturating_sub(standing.own.unwrap_or(0));
    }
    Ok(())
}

async fn count_own(client: &mut Client, sql: Many, user: UserId, part: &mut [&mut Standing]) -> DbResult<()> {
    let rows = part.len().next_power_of_two();
    let mut values = Vec::with_capacity(rows * 5);
    for step in 0..rows {
        // What pads the statement counts nothing.
        let (of, seen, head) = part.get(step).map_or((0, 0, 0), |Standing { head, seen, .. }| {
            let of = match head.conversation {
                Conversation::With(peer) => peer.get(),
                Conversation::Group(group) => group.get(),
            };
            (of, *seen, head.head)
        });
        values.extend([Value::Int(step as i64), user.get().into(), of.into()]);
        values.extend([row::sql_number(seen), row::sql_number(head)]);
    }
    for found in client.find_rows(sql, rows, values).await? {
        if let Some(standing) = part.get_mut(row::number(&found, 0)? as usize) {
            standing.own = Some(row::number(&found, 1)?);
        }
    }
    Ok(())
}

/// Takes off what counts as unread to nobody: hardly any conversation has some of that beyond a marker.
async fn uncount(client: &mut Client, user: UserId, heads: &mut [Standing]) -> DbResult<()> {
    let mut some: Vec<&mut Standing> =
        heads.iter_mut().filter(|standing| standing.uncounted > standing.seen).collect();
    for part in some.chunks_mut(COUNTED) {
        let mut values = Vec::with_capacity(part.len() * 6);
        for (step, Standing { head, seen, .. }) in (0_i64..).zip(&*part) {
            let Key { low, high } = Key::of(user, head.conversation);
            values.extend([
                Value::Int(step),
                low.into(),
                high.into(),
                row::sql_number(*seen),
                row::sql_number(head.head),
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
