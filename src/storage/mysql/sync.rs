//! What a device lacks of its user's conversations, by place, and where messages are stored.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::{Answered, page, row};
use crate::merge::{Candidate, PageLimit};
use crate::sync::Filling;
use chatd_chat::model::envelope::Envelope;
use chatd_chat::model::history::{Conversation, Placed, SyncFrom};
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::port::store::StoreReply;
use mysql_async::Value;
use std::collections::HashMap;

const DIRECT: Many = Many::new(
    "SELECT STRAIGHT_JOIN d.peer, c.head,
         IF(EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = d.peer AND b.blocked = d.userid)
            OR EXISTS (SELECT 1 FROM setting AS s WHERE s.userid = d.peer AND s.read_receipts = 0), NULL, p.marker)
     FROM dialogue AS d FORCE INDEX (PRIMARY)
     JOIN conversation AS c ON c.low = LEAST(d.userid, d.peer) AND c.high = GREATEST(d.userid, d.peer)
     LEFT JOIN dialogue AS p ON p.userid = d.peer AND p.peer = d.userid
     WHERE (d.userid, d.peer) IN (",
    "(?,?)",
    ")",
);
const GROUPS: Many = Many::new(
    "SELECT STRAIGHT_JOIN g.groupid, a.head, g.joined FROM groupuser AS g FORCE INDEX (PRIMARY)
     JOIN allgroup AS a ON a.id = g.groupid WHERE (g.userid, g.groupid) IN (",
    "(?,?)",
    ")",
);
/// Conversations whose places one statement reads.
const PLACED: usize = 16;
const DIRECT_PLACES: Many = Many {
    head: "",
    row: "(SELECT ? AS step, pos, mid FROM message
           WHERE sender = ? AND recipient = ? AND pos > ? ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};
const GROUP_PLACES: Many = Many {
    head: "",
    row: "(SELECT ? AS step, pos, mid FROM message WHERE groupid = ? AND pos > ? ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};
const FOUND: Many = Many::new("SELECT mid, pos FROM message WHERE pos IS NOT NULL AND mid IN (", "?", ")");

/// Where a conversation stands for a user.
#[derive(Clone, Copy)]
struct Standing {
    head: u64,
    joined: u64,
    peer_read: Option<u64>,
}

/// Places, and which messages have them.
type Places = Vec<(u64, MessageId)>;

pub async fn sync(client: &mut Client, user: UserId, since: &[SyncFrom], limit: PageLimit) -> Answered {
    let standing = standing(client, user, since).await?;
    let (mut filling, most) = (Filling::new(limit.bytes), limit.messages.max(1));
    // A few at a time: the page may be full long before all of them are read.
    for part in since.chunks(PLACED) {
        let part: Vec<(SyncFrom, Option<Standing>)> =
            part.iter().map(|from| (*from, standing.get(&from.conversation).copied())).collect();
        let places = places(client, user, &part, most).await?;
        let bodies = bodies(client, &places, filling.bytes_left()).await?;
        for ((from, standing), places) in part.into_iter().zip(places) {
            let Some(Standing { head, peer_read, .. }) = standing else {
                filling.skip();
                continue;
            };
            let wanted = places.len();
            let placed = |(pos, mid)| Some(Placed { envelope: bodies.get(&mid)?.clone(), pos });
            let messages = places.into_iter().map_while(placed).collect();
            if !filling.add(from, (head, peer_read), messages, wanted) {
                return Ok(Ok(StoreReply::Synced(filling.page())));
            }
        }
    }
    Ok(Ok(StoreReply::Synced(filling.page())))
}

/// Where those of the conversations stand that the user has a part in.
async fn standing(
    client: &mut Client,
    user: UserId,
    since: &[SyncFrom],
) -> DbResult<HashMap<Conversation, Standing>> {
    let (mut peers, mut groups): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for from in since {
        match from.conversation {
            Conversation::With(peer) => peers.extend([user.get().into(), peer.get().into()]),
            Conversation::Group(group) => groups.extend([user.get().into(), group.get().into()]),
        }
    }
    let mut standing = HashMap::with_capacity(since.len());
    for found in client.find_all(DIRECT, &peers, &[]).await? {
        let (head, peer_read) = (row::number(&found, 1)?, row::optional_number(&found, 2)?);
        standing.insert(Conversation::With(row::user(&found, 0)?), Standing { head, joined: 0, peer_read });
    }
    for found in client.find_all(GROUPS, &groups, &[]).await? {
        let (head, joined) = (row::number(&found, 1)?, row::number(&found, 2)?);
        standing
            .insert(Conversation::Group(row::group(&found, 0)?), Standing { head, joined, peer_read: None });
    }
    Ok(standing)
}

/// Of each of them, the places of the messages that the device lacks, `most` at most, lowest first.
async fn places(
    client: &mut Client,
    user: UserId,
    part: &[(SyncFrom, Option<Standing>)],
    most: usize,
) -> DbResult<Vec<Places>> {
    let (mut direct, mut groups): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for (step, (from, standing)) in (0_i64..).zip(part) {
        let Some(Standing { head, joined, .. }) = *standing else { continue };
        if from.after >= head {
            continue;
        }
        let (step, after) = (Value::Int(step), row::sql_number(from.after.max(joined)));
        let limit = [after, row::sql_number(most as u64)];
        match from.conversation {
            Conversation::With(peer) => {
                let there = [user.get().into(), peer.get().into()];
                let back = [peer.get().into(), user.get().into()];
                for ids in [Some(there), (peer != user).then_some(back)].into_iter().flatten() {
                    direct.push(step.clone());
                    direct.extend(ids);
                    direct.extend(limit.clone());
                }
            }
            Conversation::Group(group) => {
                groups.extend([step, group.get().into()]);
                groups.extend(limit);
            }
        }
    }
    let mut places: Vec<Places> = vec![Vec::new(); part.len()];
    for (sql, values) in [(DIRECT_PLACES, direct), (GROUP_PLACES, groups)] {
        for found in client.find_all(sql, &values, &[]).await? {
            let place = (row::number(&found, 1)?, row::mid(&found, 2)?);
            if let Some(places) = places.get_mut(row::number(&found, 0)? as usize) {
                places.push(place);
            }
        }
    }
    for places in &mut places {
        // A union keeps no order, and what pads the statement comes twice.
        places.sort_unstable();
        places.dedup();
        places.truncate(most);
    }
    Ok(places)
}

/// The messages at these places, in their order, as far as they fit and a few more.
async fn bodies(
    client: &mut Client,
    places: &[Places],
    bytes: usize,
) -> DbResult<HashMap<MessageId, Envelope>> {
    let candidate = |&(pos, mid): &(u64, MessageId)| Candidate { mid, pos: Some(pos), bytes: 0 };
    let candidates: Vec<Candidate> = places.iter().flatten().map(candidate).collect();
    let (mut bodies, mut read) = (HashMap::with_capacity(candidates.len()), 0);
    for part in candidates.chunks(page::READ) {
        for waiting in page::read(client, part).await? {
            read += waiting.envelope.body().len();
            bodies.insert(waiting.envelope.mid(), waiting.envelope);
        }
        if read > bytes {
            break;
        }
    }
    Ok(bodies)
}

/// The places of those messages that are stored under these ids.
pub async fn find_places(client: &mut Client, mids: &[MessageId]) -> Answered {
    let mids: Vec<Value> = mids.iter().copied().filter_map(row::sql_mid).map(Value::Int).collect();
    let found = client.find_all(FOUND, &mids, &[]).await?;
    let places = found.iter().map(|found| Ok((row::mid(found, 0)?, row::number(found, 1)?)));
    Ok(Ok(StoreReply::Places(places.collect::<DbResult<_>>()?)))
}
