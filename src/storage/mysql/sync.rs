//! What a device lacks of its user's conversations, by place, and where messages are stored.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::{Answered, changes, page, row, rows};
use crate::key::Key;
use crate::merge::PageLimit;
use crate::sync::{Filling, Lacking, Standing};
use chatd_chat::model::change::{Changed, Wanted};
use chatd_chat::model::history::{Conversation, Placed, SyncFrom};
use chatd_chat::model::ids::{MessageId, UserId};
use chatd_chat::port::store::StoreReply;
use mysql_async::Value;
use std::collections::HashMap;

const DIRECT: Many = Many::new(
    "SELECT STRAIGHT_JOIN d.peer, c.head,
         IF(EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = d.peer AND b.blocked = d.userid)
            OR EXISTS (SELECT 1 FROM setting AS s WHERE s.userid = d.peer AND s.read_receipts = 0), NULL, p.marker),
         c.chg
     FROM dialogue AS d FORCE INDEX (PRIMARY)
     JOIN conversation AS c ON c.low = LEAST(d.userid, d.peer) AND c.high = GREATEST(d.userid, d.peer)
     LEFT JOIN dialogue AS p ON p.userid = d.peer AND p.peer = d.userid
     WHERE (d.userid, d.peer) IN (",
    "(?,?)",
    ")",
);
const GROUPS: Many = Many::new(
    "SELECT STRAIGHT_JOIN g.groupid, a.head, g.joined, a.chg FROM groupuser AS g FORCE INDEX (PRIMARY)
     JOIN allgroup AS a ON a.id = g.groupid WHERE (g.userid, g.groupid) IN (",
    "(?,?)",
    ")",
);
/// Conversations whose places one statement reads.
const PLACED: usize = 16;
const DIRECT_PLACES: Many = Many {
    head: "",
    row: "(SELECT ? AS step, pos, mid FROM message
           WHERE sender = ? AND recipient = ? AND pos > ? AND COALESCE(rev, 0) >= ? ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};
const GROUP_PLACES: Many = Many {
    head: "",
    row: "(SELECT ? AS step, pos, mid FROM message
           WHERE groupid = ? AND pos > ? AND COALESCE(rev, 0) >= ? AND (? OR LEFT(body, 6) <> '{\"by\":')
           ORDER BY pos LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};
const FOUND: Many = Many::new("SELECT mid, pos FROM message WHERE pos IS NOT NULL AND mid IN (", "?", ")");

/// Places, and which messages have them.
type Places = Vec<(u64, MessageId)>;

pub async fn sync(
    client: &mut Client,
    user: UserId,
    (since, wanted): (&[SyncFrom], Wanted),
    limit: PageLimit,
) -> Answered {
    // Before the messages: those show these changes at least.
    let standing = standing(client, user, since).await?;
    let (mut filling, most) = (Filling::new(limit.bytes), limit.messages.max(1));
    // A few at a time: the page may be full long before all of them are read.
    for part in since.chunks(PLACED) {
        let part: Vec<(SyncFrom, Option<Standing>)> =
            part.iter().map(|from| (*from, standing.get(&from.conversation).copied())).collect();
        let places = places(client, user, &part, (most, wanted)).await?;
        let mut rows = read(client, user, wanted, (&part, &places), filling.bytes_left()).await?.into_iter();
        for ((from, standing), places) in part.into_iter().zip(places) {
            let (messages, has_all) = rows.next().unwrap_or_default();
            let Some(standing) = standing else {
                filling.skip();
                continue;
            };
            let is_last = places.len() < most || places.last().is_some_and(|(pos, _)| *pos >= standing.head);
            let (changes, has_all_changes) = lacking_changes(client, user, from, standing, most).await?;
            let lacking = Lacking { messages, changes, is_all: has_all && is_last && has_all_changes };
            if !filling.add(from, standing, lacking) {
                return Ok(Ok(StoreReply::Synced(filling.page())));
            }
        }
    }
    Ok(Ok(StoreReply::Synced(filling.page())))
}

/// The changes that a device lacks, `most` at most, and whether these are all.
async fn lacking_changes(
    client: &mut Client,
    user: UserId,
    from: SyncFrom,
    standing: Standing,
    most: usize,
) -> DbResult<(Vec<Changed>, bool)> {
    let Some(after) = from.chg.filter(|chg| *chg < standing.chg) else { return Ok((Vec::new(), true)) };
    let key = Key::of(user, from.conversation);
    let found = changes::after(client, key, after, standing.joined, most).await?;
    let is_all = found.len() < most || found.last().is_some_and(|last| last.chg >= standing.chg);
    Ok((found, is_all))
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
        let conversation = Conversation::With(row::user(&found, 0)?);
        let chg = row::number(&found, 3)?;
        standing.insert(conversation, Standing { head, joined: 0, chg, peer_read });
    }
    for found in client.find_all(GROUPS, &groups, &[]).await? {
        let (head, joined) = (row::number(&found, 1)?, row::number(&found, 2)?);
        let conversation = Conversation::Group(row::group(&found, 0)?);
        let chg = row::number(&found, 3)?;
        standing.insert(conversation, Standing { head, joined, chg, peer_read: None });
    }
    Ok(standing)
}

/// Of each of them, the places of the messages that the device lacks, `most` at most, lowest first.
async fn places(
    client: &mut Client,
    user: UserId,
    part: &[(SyncFrom, Option<Standing>)],
    (most, wanted): (usize, Wanted),
) -> DbResult<Vec<Places>> {
    let (mut direct, mut groups): (Vec<Value>, Vec<Value>) = (Vec::new(), Vec::new());
    for (step, (from, standing)) in (0_i64..).zip(part) {
        let Some(Standing { head, joined, .. }) = *standing else { continue };
        if from.after >= head {
            continue;
        }
        let (step, after) = (Value::Int(step), row::sql_number(from.after.max(joined)));
        let (least, most) = (rows::least(wanted), row::sql_number(most as u64));
        match from.conversation {
            Conversation::With(peer) => {
                let there = [user.get().into(), peer.get().into()];
                let back = [peer.get().into(), user.get().into()];
                for ids in [Some(there), (peer != user).then_some(back)].into_iter().flatten() {
                    direct.push(step.clone());
                    direct.extend(ids);
                    direct.extend([after.clone(), least.clone(), most.clone()]);
                }
            }
            Conversation::Group(group) => {
                groups.extend([step, group.get().into()]);
                groups.extend([after, least, rows::events(wanted), most]);
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

/// Of each conversation, the messages at these places, in their order, as far as they fit and a few more; and whether
/// that is all of them.
async fn read(
    client: &mut Client,
    user: UserId,
    wanted: Wanted,
    (part, places): (&[(SyncFrom, Option<Standing>)], &[Places]),
    bytes: usize,
) -> DbResult<Vec<(Vec<Placed>, bool)>> {
    let mids: Vec<MessageId> = places.iter().flatten().map(|(_, mid)| *mid).collect();
    let (mut bodies, mut read) = (HashMap::with_capacity(mids.len()), 0);
    for part in mids.chunks(page::READ) {
        for (mid, body) in page::bodies(client, part.iter().copied()).await? {
            read += body.0.body().len();
            bodies.insert(mid, body);
        }
        if read > bytes {
            break;
        }
    }
    let mut rows = Vec::with_capacity(bodies.len());
    let mut counts = Vec::with_capacity(part.len());
    for ((from, _), places) in part.iter().zip(places) {
        let key = Key::of(user, from.conversation);
        let before = rows.len();
        // The same conversation may be asked for twice.
        rows.extend(places.iter().map_while(|(pos, mid)| Some((key, *pos, bodies.get(mid)?.clone()))));
        counts.push((rows.len() - before, rows.len() - before == places.len()));
    }
    let wanted_rows: Vec<bool> =
        rows.iter().map(|(_, _, (_, rev))| wanted.changes || rev.is_none_or(|rev| rev >= 0)).collect();
    let mut placed = rows::placed(client, user, wanted, rows).await?.into_iter().map(|(_, placed)| placed);
    let mut is_wanted = wanted_rows.into_iter();
    let take = |(count, is_all): (usize, bool)| {
        let given = is_wanted.by_ref().take(count).filter(|is_wanted| *is_wanted).count();
        (placed.by_ref().take(given).collect(), is_all)
    };
    Ok(counts.into_iter().map(take).collect())
}

/// The places of those messages that are stored under these ids.
pub async fn find_places(client: &mut Client, mids: &[MessageId]) -> Answered {
    let mids: Vec<Value> = mids.iter().copied().filter_map(row::sql_mid).map(Value::Int).collect();
    let found = client.find_all(FOUND, &mids, &[]).await?;
    let places = found.iter().map(|found| Ok((row::mid(found, 0)?, row::number(found, 1)?)));
    Ok(Ok(StoreReply::Places(places.collect::<DbResult<_>>()?)))
}
