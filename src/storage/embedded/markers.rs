//! Read markers, and the rows of direct conversations that have them.
//!
//! A direct conversation has a row for each of its two people from its first message on: they are also the list of
//! a user's direct conversations. Markers never move back, and never beyond the last message.

use super::memory::Memory;
use super::{Answered, accounts, groups, row};
use chatd_chat::model::device::Marker;
use chatd_chat::model::history::Conversation;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, params};

pub fn move_marker(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    conversation: Conversation,
    pos: u64,
) -> Answered {
    match conversation {
        Conversation::With(peer) => move_direct(db, memory, user, peer, pos),
        Conversation::Group(group) => move_in_group(db, user, group, pos),
    }
}

fn move_direct(db: &Connection, memory: &mut Memory, user: UserId, peer: UserId, pos: u64) -> Answered {
    let Some(now) = marker(db, user, peer)? else {
        let nothing = Marker { pos: 0, moved: false };
        let there = accounts::is_user(db, peer)?;
        return Ok(if there { Ok(StoreReply::Marker(nothing)) } else { Err(Code::NoSuchUser) });
    };
    let next = pos.min(memory.last_pos(db, user, peer)?);
    if next > now {
        db.prepare_cached("UPDATE dialogue SET marker = ?3 WHERE userid = ?1 AND peer = ?2")?
            .execute(params![user.get(), peer.get(), row::sql_number(next)])?;
    }
    Ok(Ok(StoreReply::Marker(Marker { pos: now.max(next), moved: next > now })))
}

fn move_in_group(db: &Connection, user: UserId, group: GroupId, pos: u64) -> Answered {
    let member = db
        .prepare_cached(
            "SELECT max(marker, joined), head FROM groupuser JOIN allgroup ON allgroup.id = groupid
             WHERE userid = ?1 AND groupid = ?2",
        )?
        .query_row(params![user.get(), group.get()], |found| {
            Ok((row::number(found, 0)?, row::number(found, 1)?))
        })
        .optional()?;
    // What came before joining counts as read.
    let Some((now, head)) = member else { return groups::not_a_member(db, group) };
    let next = pos.min(head);
    if next > now {
        db.prepare_cached("UPDATE groupuser SET marker = ?3 WHERE userid = ?1 AND groupid = ?2")?
            .execute(params![user.get(), group.get(), row::sql_number(next)])?;
    }
    Ok(Ok(StoreReply::Marker(Marker { pos: now.max(next), moved: next > now })))
}

/// How far a user has read in its conversation with another one; `None` if nothing was ever said in it.
fn marker(db: &Connection, user: UserId, peer: UserId) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT marker FROM dialogue WHERE userid = ?1 AND peer = ?2")?
        .query_row(params![user.get(), peer.get()], |found| row::number(found, 0))
        .optional()
}

/// The first message of a conversation is stored: both have it from now on.
pub fn begin_dialogue(db: &Connection, one: UserId, other: UserId) -> rusqlite::Result<()> {
    let mut insert =
        db.prepare_cached("INSERT INTO dialogue (userid, peer) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?;
    for (user, peer) in [(one, other), (other, one)] {
        insert.execute(params![user.get(), peer.get()])?;
    }
    Ok(())
}
