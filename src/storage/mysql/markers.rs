//! Read markers, and the rows of direct conversations that have them, many at a time.
//!
//! A direct conversation has a row for each of its two people from its first message on: they are also the list of
//! a user's direct conversations. Markers never move back, and never beyond the last message. Rows are locked in the
//! order of their keys, and those of no user or group: whoever stores a message does not wait for somebody who reads.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::row;
use super::user_cache::UserCache;
use chatd_chat::model::device::Marker;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::port::store::{StoreReply, StoreResult};
use chatd_chat::wire::code::Code;
use mysql_async::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

const BEGIN: Many = Many::new(
    "INSERT INTO dialogue (userid, peer) VALUES ",
    "(?,?)",
    " ON DUPLICATE KEY UPDATE marker = marker",
);
const DIALOGUES: Many = Many::new(
    "SELECT userid, peer, marker FROM dialogue FORCE INDEX (PRIMARY) WHERE (userid, peer) IN (",
    "(?,?)",
    ") ORDER BY userid, peer FOR UPDATE",
);
const HEADS: Many =
    Many::new("SELECT low, high, head FROM conversation WHERE (low, high) IN (", "(?,?)", ")");
const MOVE: Many = Many::new(
    "INSERT INTO dialogue (userid, peer, marker) VALUES ",
    "(?,?,?)",
    " ON DUPLICATE KEY UPDATE marker = VALUES(marker)",
);
// What came before joining counts as read.
const MEMBERS: Many = Many::new(
    "SELECT userid, groupid, GREATEST(marker, joined) FROM groupuser FORCE INDEX (PRIMARY)
     WHERE (userid, groupid) IN (",
    "(?,?)",
    ") ORDER BY userid, groupid FOR UPDATE",
);
const GROUPS: Many =
    Many::new("SELECT id, head FROM allgroup WHERE groupname IS NOT NULL AND id IN (", "?", ")");
// An insert with an update in it would look at foreign keys, and lock groups for that.
const MOVE_IN_GROUPS: Many = Many {
    head: "UPDATE (",
    row: "SELECT CAST(? AS SIGNED) AS userid, CAST(? AS SIGNED) AS groupid, CAST(? AS SIGNED) AS marker",
    between: " UNION ALL ",
    tail: ") AS moved STRAIGHT_JOIN groupuser FORCE INDEX (PRIMARY)
        ON groupuser.userid = moved.userid AND groupuser.groupid = moved.groupid
        SET groupuser.marker = moved.marker",
};

/// A marker that is to be moved: whose, in which conversation, and where to.
pub type Move = (UserId, Conversation, u64);

/// First messages of conversations of these two are stored: both have them from now on.
pub async fn begin_dialogues(client: &mut Client, begun: &BTreeSet<(UserId, UserId)>) -> DbResult<()> {
    let rows: BTreeSet<(UserId, UserId)> =
        begun.iter().flat_map(|&(one, other)| [(one, other), (other, one)]).collect();
    let values: Vec<Value> = rows.into_iter().flat_map(pair).collect();
    client.find_all(BEGIN, &values, &[]).await.map(drop)
}

/// Moves them, as if one after the other.
pub async fn advance(
    client: &mut Client,
    cache: &mut UserCache,
    moves: &[Move],
) -> DbResult<Vec<StoreResult>> {
    let mut results: Vec<StoreResult> = vec![Err(Code::Busy); moves.len()];
    let mut left: Vec<(usize, Move)> = moves.iter().copied().enumerate().collect();
    while !left.is_empty() {
        // Who moves twice moves from where it then is.
        let mut markers = HashSet::new();
        let is_first =
            |(_, (user, conversation, _)): &mut (usize, Move)| markers.insert((*user, *conversation));
        let firsts: Vec<(usize, Move)> = left.extract_if(.., is_first).collect();
        let mut standing = Standing::of_dialogues(client, cache, &firsts).await?;
        standing.of_groups(client, &firsts).await?;
        let (mut dialogues, mut groups) = (Vec::new(), Vec::new());
        for (index, (user, conversation, pos)) in firsts {
            let moved = standing.moved(user, conversation, pos);
            if let Ok(Marker { pos, moved: true }) = moved {
                let (values, of) = match conversation {
                    Conversation::With(peer) => (&mut dialogues, peer.get()),
                    Conversation::Group(group) => (&mut groups, group.get()),
                };
                values.extend([user.get().into(), of.into(), row::sql_number(pos)]);
            }
            results[index] = moved.map(StoreReply::Marker);
        }
        client.find_all(MOVE, &dialogues, &[]).await?;
        client.find_all(MOVE_IN_GROUPS, &groups, &[]).await?;
    }
    Ok(results)
}

/// Where markers stand, which are locked, and how far they may move.
struct Standing {
    dialogues: HashMap<(UserId, UserId), u64>,
    heads: HashMap<(UserId, UserId), u64>,
    strangers: HashSet<UserId>,
    members: HashMap<(UserId, GroupId), u64>,
    groups: HashMap<GroupId, u64>,
}

impl Standing {
    async fn of_dialogues(
        client: &mut Client,
        cache: &mut UserCache,
        moves: &[(usize, Move)],
    ) -> DbResult<Self> {
        let dialogues: BTreeSet<(UserId, UserId)> = moves.iter().filter_map(dialogue).collect();
        let values: Vec<Value> = dialogues.iter().copied().flat_map(pair).collect();
        let mut found = HashMap::with_capacity(dialogues.len());
        for dialogue in client.find_all(DIALOGUES, &values, &[]).await? {
            found.insert((row::user(&dialogue, 0)?, row::user(&dialogue, 1)?), row::number(&dialogue, 2)?);
        }
        let conversations: BTreeSet<(UserId, UserId)> = found.keys().copied().map(ordered).collect();
        let values: Vec<Value> = conversations.into_iter().flat_map(pair).collect();
        let mut heads = HashMap::with_capacity(found.len());
        for head in client.find_all(HEADS, &values, &[]).await? {
            heads.insert((row::user(&head, 0)?, row::user(&head, 1)?), row::number(&head, 2)?);
        }
        let unknown =
            dialogues.iter().filter(|dialogue| !found.contains_key(dialogue)).map(|(_, peer)| *peer);
        let strangers = cache.strangers(client, unknown).await?;
        Ok(Self { dialogues: found, heads, strangers, members: HashMap::new(), groups: HashMap::new() })
    }

    async fn of_groups(&mut self, client: &mut Client, moves: &[(usize, Move)]) -> DbResult<()> {
        let members: BTreeSet<(UserId, GroupId)> = moves.iter().filter_map(membership).collect();
        let values: Vec<Value> =
            members.iter().flat_map(|(user, group)| [user.get().into(), group.get().into()]).collect();
        for member in client.find_all(MEMBERS, &values, &[]).await? {
            let key = (row::user(&member, 0)?, row::group(&member, 1)?);
            self.members.insert(key, row::number(&member, 2)?);
        }
        let groups: BTreeSet<GroupId> = members.into_iter().map(|(_, group)| group).collect();
        let values: Vec<Value> = groups.into_iter().map(|group| group.get().into()).collect();
        for group in client.find_all(GROUPS, &values, &[]).await? {
            self.groups.insert(row::group(&group, 0)?, row::number(&group, 1)?);
        }
        Ok(())
    }

    /// Where a marker is when it was moved to `pos`, or why it cannot be.
    fn moved(&self, user: UserId, conversation: Conversation, pos: u64) -> Result<Marker, Code> {
        let (now, head) = match conversation {
            Conversation::With(peer) => match self.dialogues.get(&(user, peer)) {
                Some(now) => (*now, self.heads.get(&ordered((user, peer))).copied().unwrap_or(0)),
                None if self.strangers.contains(&peer) => return Err(Code::NoSuchUser),
                None => (0, 0),
            },
            Conversation::Group(group) => {
                let head = *self.groups.get(&group).ok_or(Code::NoSuchGroup)?;
                (*self.members.get(&(user, group)).ok_or(Code::NotAMember)?, head)
            }
        };
        let next = pos.min(head);
        Ok(Marker { pos: now.max(next), moved: next > now })
    }
}

fn dialogue(&(_, (user, conversation, _)): &(usize, Move)) -> Option<(UserId, UserId)> {
    match conversation {
        Conversation::With(peer) => Some((user, peer)),
        Conversation::Group(_) => None,
    }
}

fn membership(&(_, (user, conversation, _)): &(usize, Move)) -> Option<(UserId, GroupId)> {
    match conversation {
        Conversation::With(_) => None,
        Conversation::Group(group) => Some((user, group)),
    }
}

fn ordered((one, other): (UserId, UserId)) -> (UserId, UserId) {
    (one.min(other), one.max(other))
}

fn pair((one, other): (UserId, UserId)) -> [Value; 2] {
    [one.get().into(), other.get().into()]
}
