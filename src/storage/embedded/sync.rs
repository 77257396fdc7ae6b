//! What a device lacks of its user's conversations, by place, and where messages are stored.

use super::history::{of_group, read};
use super::memory::Memory;
use super::{Answered, row};
use crate::history::Window;
use crate::merge::PageLimit;
use crate::sync::Filling;
use chatd_chat::model::history::{Conversation, SyncFrom};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::StoreReply;
use rusqlite::{Connection, OptionalExtension, params};

/// Where a conversation stands for a user.
struct Standing {
    head: u64,
    joined: u64,
    peer_read: Option<u64>,
}

pub fn sync(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    since: &[SyncFrom],
    limit: PageLimit,
) -> Answered {
    let mut filling = Filling::new(limit.bytes);
    let most = limit.messages.max(1);
    let mut places_of_user = None;
    for from in since {
        let standing = match from.conversation {
            Conversation::With(peer) => with(db, memory, user, peer)?,
            Conversation::Group(group) => in_group(db, user, group)?,
        };
        let Some(Standing { head, joined, peer_read }) = standing else {
            filling.skip();
            continue;
        };
        let window = Window::Up(from.after);
        let places = match from.conversation {
            _ if from.after >= head => Vec::new(),
            Conversation::With(peer) => places_of_user
                .get_or_insert_with(|| memory.places.of_user(user))
                .find(db, peer, from.after, most)?,
            Conversation::Group(group) => of_group(db, group, joined, window, most)?,
        };
        let wanted = places.len();
        let messages = read(db, places, filling.bytes_left())?;
        if !filling.add(*from, (head, peer_read), messages, wanted) {
            break;
        }
    }
    Ok(Ok(StoreReply::Synced(filling.page())))
}

fn with(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    peer: UserId,
) -> rusqlite::Result<Option<Standing>> {
    let mut find = db.prepare_cached(
        "SELECT (SELECT marker FROM dialogue WHERE userid = ?2 AND peer = ?1
             AND NOT EXISTS (SELECT 1 FROM blocked WHERE userid = ?2 AND blocked = ?1)
             AND NOT EXISTS (SELECT 1 FROM setting WHERE userid = ?2 AND NOT read_receipts))
         FROM dialogue WHERE userid = ?1 AND peer = ?2",
    )?;
    let peer_read =
        find.query_row([user.get(), peer.get()], |found| row::optional_number(found, 0)).optional()?;
    let Some(peer_read) = peer_read else { return Ok(None) };
    Ok(Some(Standing { head: memory.last_pos(db, user, peer)?, joined: 0, peer_read }))
}

fn in_group(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<Option<Standing>> {
    let mut find = db.prepare_cached(
        "SELECT head, joined FROM groupuser JOIN allgroup ON allgroup.id = groupid
         WHERE userid = ?1 AND groupid = ?2",
    )?;
    find.query_row([user.get(), group.get()], |found| {
        Ok(Standing { head: row::number(found, 0)?, joined: row::number(found, 1)?, peer_read: None })
    })
    .optional()
}

/// The places of those messages that are stored under these ids.
pub fn find_places(db: &Connection, mids: &[MessageId]) -> Answered {
    let mut find = db.prepare_cached("SELECT pos FROM message WHERE mid = ?1")?;
    let mut places = Vec::with_capacity(mids.len());
    for mid in mids {
        let pos = find.query_row(params![row::sql_mid(*mid)], |found| row::optional_number(found, 0));
        places.extend(pos.optional()?.flatten().map(|pos| (*mid, pos)));
    }
    Ok(Ok(StoreReply::Places(places)))
}
