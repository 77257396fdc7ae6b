//! Groups and their members.
//!
//! A group is there while it has a name. Dissolving it takes the name, the members and everybody's
//! view of its messages at once; the messages themselves are deleted a few at a time by
//! [`sweep`], so that a long history holds nobody up.

use super::{Answered, accounts, blocks, row};
use crate::PROFILE_ENTRIES;
use crate::names::fold;
use chatd_chat::model::ids::{GroupId, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Member, Membership, Profile, Role};
use chatd_chat::port::store::{Detail, Joined, Left, MembersPage, StoreReply};
use chatd_chat::wire::code::Code;
use rusqlite::{Connection, OptionalExtension, params};

pub fn create(db: &Connection, limits: &Limits, user: UserId, name: &str, desc: &str) -> Answered {
    let folded = fold(name);
    let taken = db
        .prepare_cached("SELECT 1 FROM allgroup WHERE folded = ?2 OR groupname = ?1")?
        .exists(params![name, folded])?;
    if taken {
        return Ok(Err(Code::Exists));
    }
    if groups_of(db, user)? >= limits.groups as u64 {
        return Ok(Err(Code::TooMany));
    }
    let made = db
        .prepare_cached(
            "INSERT INTO allgroup (groupname, folded, groupdesc) VALUES (?1, ?2, ?3) RETURNING id",
        )?
        .query_row(params![name, folded, desc], |found| row::group(found, 0));
    let group = match accounts::given(made)? {
        Ok(group) => group,
        Err(code) => return Ok(Err(code)),
    };
    add_member(db, user, group, Role::Creator, 0)?;
    Ok(Ok(StoreReply::Joined(Joined { group, head: 0 })))
}

pub fn join(db: &Connection, limits: &Limits, user: UserId, group: GroupId) -> Answered {
    let Some(head) = head(db, group)? else {
        return Ok(Err(Code::NoSuchGroup));
    };
    if role(db, user, group)?.is_some() {
        return Ok(Err(Code::Exists));
    }
    let members = db
        .prepare_cached("SELECT size FROM allgroup WHERE id = ?1")?
        .query_row([group.get()], |found| row::number(found, 0))?;
    if members >= limits.members as u64 || groups_of(db, user)? >= limits.groups as u64 {
        return Ok(Err(Code::TooMany));
    }
    add_member(db, user, group, Role::Normal, head)?;
    Ok(Ok(StoreReply::Joined(Joined { group, head })))
}

pub fn leave(db: &Connection, user: UserId, group: GroupId) -> Answered {
    match role(db, user, group)? {
        None => not_a_member(db, group),
        Some(Role::Normal) => {
            db.prepare_cached("DELETE FROM groupuser WHERE userid = ?1 AND groupid = ?2")?
                .execute(params![user.get(), group.get()])?;
            db.prepare_cached("UPDATE allgroup SET size = size - 1 WHERE id = ?1")?.execute([group.get()])?;
            Ok(Ok(StoreReply::Left(Left { dissolved: false })))
        }
        Some(Role::Creator) => {
            db.prepare_cached("DELETE FROM groupuser WHERE groupid = ?1")?.execute([group.get()])?;
            db.prepare_cached(
                "UPDATE allgroup SET groupname = NULL, folded = NULL, groupdesc = '', size = 0 WHERE id = ?1",
            )?
            .execute([group.get()])?;
            Ok(Ok(StoreReply::Left(Left { dissolved: true })))
        }
    }
}

pub fn may_write(db: &Connection, user: UserId, group: GroupId) -> Answered {
    if role(db, user, group)?.is_some() { Ok(Ok(StoreReply::Done)) } else { not_a_member(db, group) }
}

/// Why somebody who is no member of `group` cannot do what members do.
pub fn not_a_member(db: &Connection, group: GroupId) -> Answered {
    Ok(Err(if head(db, group)?.is_some() { Code::NotAMember } else { Code::NoSuchGroup }))
}

/// One page of a group's members.
pub fn page_of_members(
    db: &Connection,
    user: UserId,
    group: GroupId,
    after: Option<UserId>,
    most: usize,
) -> Answered {
    if role(db, user, group)?.is_none() {
        return not_a_member(db, group);
    }
    let mut members = members(db, user, group, after, most.saturating_add(1))?;
    let complete = members.len() <= most;
    members.truncate(most);
    Ok(Ok(StoreReply::Members(MembersPage { members, complete })))
}

pub fn load_profile(
    db: &Connection,
    limits: &Limits,
    user: UserId,
    detail: Detail,
) -> rusqlite::Result<Profile> {
    let friends = accounts::friend_list(db, limits, user)?;
    let mut groups: Vec<Membership> = db
        .prepare_cached(
            "SELECT allgroup.id, groupname, groupdesc, size, upto
             FROM groupuser JOIN allgroup ON allgroup.id = groupid WHERE userid = ?1 ORDER BY groupid",
        )?
        .query_map([user.get()], |found| {
            Ok(Membership {
                group: row::group(found, 0)?,
                name: found.get(1)?,
                desc: found.get(2)?,
                members: Vec::new(),
                size: row::number(found, 3)?,
                cursor: row::number(found, 4)?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let mut room = match detail {
        Detail::Members => PROFILE_ENTRIES.saturating_sub(groups.len()),
        Detail::Counts => 0,
    };
    for group in &mut groups {
        if room == 0 {
            break;
        }
        group.members = members(db, user, group.group, None, room)?;
        room -= group.members.len();
    }
    Ok(Profile { friends, groups, blocked: blocks::all(db, user)?, ..Profile::default() })
}

/// Deletes messages of dissolved groups, `most` at most, and then what is left of the groups.
/// Returns how many messages it deleted.
pub fn sweep(db: &Connection, most: usize) -> rusqlite::Result<usize> {
    let mut swept = 0;
    while swept < most {
        let group = db
            .prepare_cached("SELECT id FROM allgroup WHERE groupname IS NULL LIMIT 1")?
            .query_row([], |found| row::group(found, 0))
            .optional()?;
        let Some(group) = group else { break };
        let gone = db
            .prepare_cached(
                "DELETE FROM message WHERE mid IN
                 (SELECT mid FROM message WHERE groupid = ?1 ORDER BY pos LIMIT ?2)",
            )?
            .execute(params![group.get(), row::sql_number((most - swept) as u64)])?;
        swept += gone;
        if swept < most {
            db.prepare_cached("DELETE FROM allgroup WHERE id = ?1")?.execute([group.get()])?;
        }
    }
    Ok(swept)
}

fn members(
    db: &Connection,
    requester: UserId,
    group: GroupId,
    after: Option<UserId>,
    most: usize,
) -> rusqlite::Result<Vec<Member>> {
    db.prepare_cached(
        "SELECT user.id, user.name,
             EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = ?4), grouprole
         FROM groupuser JOIN user ON user.id = userid
         WHERE groupid = ?1 AND userid > ?2 ORDER BY userid LIMIT ?3",
    )?
    .query_map(
        params![group.get(), after.map_or(0, UserId::get), row::sql_number(most as u64), requester.get()],
        |found| Ok(Member { person: accounts::person(found)?, role: role_of(found.get_ref(3)?.as_str()?) }),
    )?
    .collect()
}

fn add_member(db: &Connection, user: UserId, group: GroupId, role: Role, head: u64) -> rusqlite::Result<()> {
    let role = match role {
        Role::Creator => "creator",
        Role::Normal => "normal",
    };
    db.prepare_cached(
        "INSERT INTO groupuser (userid, groupid, grouprole, joined, upto) VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute(params![user.get(), group.get(), role, row::sql_number(head)])?;
    db.prepare_cached("UPDATE allgroup SET size = size + 1 WHERE id = ?1")?.execute([group.get()]).map(drop)
}

/// After which place a member sees the group's messages, if it is one.
pub fn joined(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT joined FROM groupuser WHERE userid = ?1 AND groupid = ?2")?
        .query_row(params![user.get(), group.get()], |found| row::number(found, 0))
        .optional()
}

fn groups_of(db: &Connection, user: UserId) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT count(*) FROM groupuser WHERE userid = ?1")?
        .query_row([user.get()], |found| row::number(found, 0))
}

/// The place of the group's last message, if there is such a group.
fn head(db: &Connection, group: GroupId) -> rusqlite::Result<Option<u64>> {
    db.prepare_cached("SELECT head FROM allgroup WHERE id = ?1 AND groupname IS NOT NULL")?
        .query_row([group.get()], |found| row::number(found, 0))
        .optional()
}

fn role(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<Option<Role>> {
    db.prepare_cached("SELECT grouprole FROM groupuser WHERE userid = ?1 AND groupid = ?2")?
        .query_row(params![user.get(), group.get()], |found| Ok(role_of(found.get_ref(0)?.as_str()?)))
        .optional()
}

fn role_of(name: &str) -> Role {
    if name == "creator" { Role::Creator } else { Role::Normal }
}
