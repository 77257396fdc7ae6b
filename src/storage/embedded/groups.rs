//! Groups and their members.
//!
//! A group is there while it has a name. Dissolving it takes the name, the members and everybody's
//! view of its messages at once; the messages themselves are deleted a few at a time by
//! [`sweep`], so that a long history holds nobody up.

use super::group_rows;
use super::group_rules;
use super::memory::Memory;
use super::{Answered, accounts, blocks, changes, consent, index, row};
use crate::PROFILE_ENTRIES;
use crate::group_rules::{Asked, joining};
use crate::names::fold;
use chatd_chat::model::group_rule::{MemberRule, MutedAll, NewRow, Until};
use chatd_chat::model::history::Placed;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Member, Membership, Profile, Role};
use chatd_chat::port::store::{Detail, Joined, Left, MembersPage, StoreReply};
use chatd_chat::wire::code::Code;
use chatd_chat::wire::group_event::What;
use rusqlite::{Connection, OptionalExtension, params};

/// Runs of the index of one of them that are deleted with so many messages.
const RUNS_SWEPT: usize = 100;

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
    let (row, muted, all) = (None, Until::NEVER, MutedAll::default());
    Ok(Ok(StoreReply::Joined(Joined { group, head: 0, row, muted, all })))
}

/// Whether a change was made, or why not.
pub type Change = Result<(), Code>;

pub fn join(
    db: &Connection,
    memory: &mut Memory,
    limits: &Limits,
    (user, group): (UserId, GroupId),
    row: Option<NewRow>,
) -> Answered {
    let Some(head) = head(db, group)? else {
        return Ok(Err(Code::NoSuchGroup));
    };
    if role(db, user, group)?.is_some() {
        return Ok(Err(Code::Exists));
    }
    if !has_room(db, limits, user, group)? {
        return Ok(Err(Code::TooMany));
    }
    match group_rules::admit(db, limits, user, group, row.map_or(Millis(0), |row| row.ts))? {
        Ok(Some(())) => {}
        Ok(None) => return Ok(Ok(StoreReply::Done)),
        Err(code) => return Ok(Err(code)),
    }
    let row = tell(db, memory, (user, group), row, What::Joined)?;
    let head = row.as_ref().map_or(head, |row| row.pos);
    add_member(db, user, group, Role::Normal, head)?;
    let muted = group_rules::entered(db, group, user)?;
    let all = db
        .prepare_cached("SELECT muted, muted_at FROM allgroup WHERE id = ?1")?
        .query_row([group.get()], |found| group_rules::all(found, 0))?;
    Ok(Ok(StoreReply::Joined(Joined { group, head, row, muted, all })))
}

/// Whether one more fits into a group, and a group more into what a user has.
pub fn has_room(db: &Connection, limits: &Limits, user: UserId, group: GroupId) -> rusqlite::Result<bool> {
    let members = db
        .prepare_cached("SELECT size FROM allgroup WHERE id = ?1")?
        .query_row([group.get()], |found| row::number(found, 0))?;
    Ok(members < limits.members as u64 && groups_of(db, user)? < limits.groups as u64)
}

/// Makes the row that tells that a user came or went, if one is to be made.
fn tell(
    db: &Connection,
    memory: &mut Memory,
    (user, group): (UserId, GroupId),
    row: Option<NewRow>,
    what: What<'_>,
) -> rusqlite::Result<Option<Placed>> {
    let Some(row) = row else { return Ok(None) };
    let asked = Asked { user, group, row, cid: None };
    group_rows::add_row(db, memory, &asked, None, what).map(Some)
}

/// Takes a member out.
pub fn remove_member(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<()> {
    group_rules::leaves(db, group, user)?;
    db.prepare_cached("DELETE FROM groupuser WHERE userid = ?1 AND groupid = ?2")?
        .execute(params![user.get(), group.get()])?;
    db.prepare_cached("UPDATE allgroup SET size = size - 1 WHERE id = ?1")?.execute([group.get()]).map(drop)
}

pub fn leave(
    db: &Connection,
    memory: &mut Memory,
    user: UserId,
    group: GroupId,
    row: Option<NewRow>,
) -> Answered {
    match role(db, user, group)? {
        None => not_a_member(db, group),
        Some(Role::Normal | Role::Admin) => {
            let row = tell(db, memory, (user, group), row, What::Left)?;
            remove_member(db, user, group)?;
            Ok(Ok(StoreReply::Left(Left { dissolved: false, row })))
        }
        Some(Role::Creator) => {
            group_rules::dissolved(db, group)?;
            db.prepare_cached("DELETE FROM groupuser WHERE groupid = ?1")?.execute([group.get()])?;
            db.prepare_cached(
                "UPDATE allgroup SET groupname = NULL, folded = NULL, groupdesc = '', size = 0 WHERE id = ?1",
            )?
            .execute([group.get()])?;
            Ok(Ok(StoreReply::Left(Left { dissolved: true, row: None })))
        }
    }
}

pub fn may_write(db: &Connection, user: UserId, group: GroupId) -> Answered {
    if role(db, user, group)?.is_some() { Ok(Ok(StoreReply::Done)) } else { not_a_member(db, group) }
}

/// Whether a user may recall in a group what others said, at any time.
pub fn recalls_anything(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<bool> {
    Ok(role(db, user, group)?.is_some_and(Role::runs))
}

/// Why somebody who is no member of `group` cannot do what members do.
pub fn not_a_member(db: &Connection, group: GroupId) -> Answered {
    why_not_a_member(db, group).map(Err)
}

/// The same, as a code.
pub fn why_not_a_member(db: &Connection, group: GroupId) -> rusqlite::Result<Code> {
    Ok(if head(db, group)?.is_some() { Code::NotAMember } else { Code::NoSuchGroup })
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
            "SELECT allgroup.id, groupname, groupdesc, size, upto, joining, grouprole, admin, groupuser.muted, ruled,
                 allgroup.muted, muted_at
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
                join: joining(found.get_ref(5)?.as_str()?),
                standing: group_rules::member(found, 6)?,
                at: row::number(found, 9)?,
                all: group_rules::all(found, 10)?,
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
    let asking = match detail {
        Detail::Counts => consent::asking(db, limits, user)?,
        Detail::Members => Vec::new(),
    };
    let (blocked, settings) = (blocks::all(db, user)?, consent::settings(db, user)?);
    Ok(Profile { friends, groups, blocked, settings, asking, ..Profile::default() })
}

/// Deletes messages of dissolved groups and what became of them, `most` rows at most, and then what is left of the groups.
/// Returns how many rows it deleted. Runs of the index count too.
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
        let runs = index::forget_group(db, group, RUNS_SWEPT)?;
        swept += gone + runs;
        swept += changes::sweep(db, group, most.saturating_sub(swept))?;
        if swept < most && runs < RUNS_SWEPT {
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
             EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = ?4), grouprole, admin, muted
         FROM groupuser JOIN user ON user.id = userid
         WHERE groupid = ?1 AND userid > ?2 ORDER BY userid LIMIT ?3",
    )?
    .query_map(
        params![group.get(), after.map_or(0, UserId::get), row::sql_number(most as u64), requester.get()],
        |found| {
            let MemberRule { role, muted } = group_rules::member(found, 3)?;
            Ok(Member { person: accounts::person(found)?, role, muted })
        },
    )?
    .collect()
}

/// Makes somebody a member who sees what comes after place `head`.
pub fn add_member(
    db: &Connection,
    user: UserId,
    group: GroupId,
    role: Role,
    head: u64,
) -> rusqlite::Result<()> {
    let role = if role == Role::Creator { "creator" } else { "normal" };
    db.prepare_cached(
        "INSERT INTO groupuser (userid, groupid, grouprole, joined, upto, ruled) VALUES (?1, ?2, ?3, ?4, ?4, ?4)",
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
    Ok(group_rules::standing(db, user, group)?.member.map(|member| member.role))
}
