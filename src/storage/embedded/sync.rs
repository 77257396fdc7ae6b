//! What a device lacks of its user's conversations, by place, and where messages are stored.

use super::history::of_group;
use super::memory::Memory;
use super::rows::{End, Rows};
use super::{Answered, changes, row};
use crate::history::Window;
use crate::key::Key;
use crate::merge::PageLimit;
use crate::sync::{Filling, Lacking, Standing};
use chatd_chat::model::change::{Changed, Wanted};
use chatd_chat::model::history::{Conversation, SyncFrom};
use chatd_chat::model::ids::{GroupId, MessageId, UserId};
use chatd_chat::port::store::StoreReply;
use rusqlite::{Connection, OptionalExtension, params};

pub fn sync(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    (since, wanted): (&[SyncFrom], Wanted),
    limit: PageLimit,
) -> Answered {
    let mut filling = Filling::new(limit.bytes);
    let mut places_of_user = None;
    for from in since {
        let standing = match from.conversation {
            Conversation::With(peer) => with(db, memory, user, peer)?,
            Conversation::Group(group) => in_group(db, user, group)?,
        };
        let Some(standing) = standing else {
            filling.skip();
            continue;
        };
        let page = PageLimit { messages: limit.messages, bytes: filling.bytes_left() };
        let mut rows = Rows::new(db, user, (from.conversation, wanted), page);
        let window = Window::Up(from.after);
        let end = match from.conversation {
            _ if from.after >= standing.head => End::NoMore,
            Conversation::With(peer) => {
                let places = places_of_user.get_or_insert_with(|| memory.places.of_user(user));
                rows.fill(window, |window, most| places.find(db, peer, window.end(), most))?
            }
            Conversation::Group(group) => {
                rows.fill(window, |window, most| of_group(db, group, standing.joined, window, most))?
            }
        };
        let messages = rows.sorted();
        let has_all = end == End::NoMore || messages.last().is_some_and(|last| last.pos >= standing.head);
        let (changes, has_all_changes) = lacking_changes(db, user, *from, standing, limit.messages)?;
        let lacking = Lacking { messages, changes, is_all: has_all && has_all_changes };
        if !filling.add(*from, standing, lacking) {
            break;
        }
    }
    Ok(Ok(StoreReply::Synced(filling.page())))
}

/// The changes that a device lacks, `most` at most, and whether these are all.
fn lacking_changes(
    db: &Connection,
    user: UserId,
    from: SyncFrom,
    standing: Standing,
    most: usize,
) -> rusqlite::Result<(Vec<Changed>, bool)> {
    let Some(after) = from.chg.filter(|chg| *chg < standing.chg) else { return Ok((Vec::new(), true)) };
    let most = most.max(1);
    let found = changes::after(db, Key::of(user, from.conversation), after, standing.joined, most)?;
    let is_all = found.len() < most || found.last().is_some_and(|last| last.chg >= standing.chg);
    Ok((found, is_all))
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
             AND NOT EXISTS (SELECT 1 FROM setting WHERE userid = ?2 AND NOT read_receipts)), chg
         FROM dialogue WHERE userid = ?1 AND peer = ?2",
    )?;
    let found = find
        .query_row([user.get(), peer.get()], |found| {
            Ok((row::optional_number(found, 0)?, row::number(found, 1)?))
        })
        .optional()?;
    let Some((peer_read, chg)) = found else { return Ok(None) };
    Ok(Some(Standing { head: memory.last_pos(db, user, peer)?, joined: 0, chg, peer_read }))
}

fn in_group(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<Option<Standing>> {
    let mut find = db.prepare_cached(
        "SELECT head, joined, chg FROM groupuser JOIN allgroup ON allgroup.id = groupid
         WHERE userid = ?1 AND groupid = ?2",
    )?;
    find.query_row([user.get(), group.get()], |found| {
        let (head, joined, chg) = (row::number(found, 0)?, row::number(found, 1)?, row::number(found, 2)?);
        Ok(Standing { head, joined, chg, peer_read: None })
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
