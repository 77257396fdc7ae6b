//! How groups are run: roles, bans, mutes, requests to join, and the rows that tell of all that.
//!
//! A change and its row are made in one transaction, so whoever has the rows has the changes.

use super::group_rows::{add_row, again};
use super::groups::{self, Change};
use super::memory::Memory;
use super::{Answered, accounts, row};
use crate::group_rules::{Asked, joining, may, role, until};
use crate::names::fold;
use chatd_chat::model::group_rule::{
    Asking, GroupRule, JoinPolicy, MemberRule, MutedAll, Ruled, Rules, Standing, Until,
};
use chatd_chat::model::history::Placed;
use chatd_chat::model::ids::{GroupId, Millis, UserId};
use chatd_chat::model::limits::Limits;
use chatd_chat::model::profile::{Person, Role};
use chatd_chat::port::store::StoreReply;
use chatd_chat::wire::code::Code;
use chatd_chat::wire::group_event::What;
use rusqlite::{Connection, OptionalExtension, params};

pub fn rule(
    db: &Connection,
    memory: &mut Memory,
    limits: &Limits,
    asked: &Asked<'_>,
    rule: &GroupRule,
) -> Answered {
    let (user, group) = (asked.user, asked.group);
    if let Some(answer) = again(db, asked, rule)? {
        return Ok(answer);
    }
    let Some(mine) = standing(db, user, group)?.member else { return groups::not_a_member(db, group) };
    let theirs = rule.about().map(|user| standing(db, user, group)).transpose()?;
    let their_role = theirs.and_then(|standing| standing.member).map(|member| member.role);
    if let Err(code) = may(mine.role, rule, their_role) {
        return Ok(Err(code));
    }
    let done = match rule {
        GroupRule::Role { user: whom, role } => {
            set_role(db, group, *whom, *role)?;
            if *role == Role::Creator {
                set_role(db, group, user, Role::Admin)?;
            }
            Ok(())
        }
        GroupRule::Kick { user: whom, ban } => kick(db, limits, asked, *whom, *ban, their_role.is_some())?,
        GroupRule::Mute { user: whom, until } => {
            db.prepare_cached("UPDATE groupuser SET muted = ?3 WHERE userid = ?1 AND groupid = ?2")?
                .execute(params![whom.get(), group.get(), until.get()])?;
            Ok(())
        }
        GroupRule::MuteAll { until } => {
            db.prepare_cached("UPDATE allgroup SET muted = ?2 WHERE id = ?1")?
                .execute(params![group.get(), until.get()])?;
            Ok(())
        }
        GroupRule::Set { name, desc, join } => set(db, group, name.as_deref(), desc.as_deref(), *join)?,
        GroupRule::Answer { user: whom, yes } => {
            return answer(db, memory, limits, asked, (*whom, *yes), their_role.is_some());
        }
    };
    if let Err(code) = done {
        return Ok(Err(code));
    }
    let told = What::of(rule, their_role.is_some());
    let placed = add_row(db, memory, asked, rule.about(), told)?;
    mark(db, asked, rule, placed.pos)?;
    Ok(Ok(StoreReply::Ruled(ruled(db, asked, rule, Some(placed), true)?)))
}

/// Whether what a member says at that time is refused.
pub fn is_muted(db: &Connection, user: UserId, group: GroupId, ts: Millis) -> rusqlite::Result<bool> {
    let Some(member) = standing(db, user, group)?.member else { return Ok(false) };
    let all = db
        .prepare_cached("SELECT muted, muted_at FROM allgroup WHERE id = ?1")?
        .query_row([group.get()], |found| all(found, 0))?;
    Ok(member.muted.holds(ts) || (!member.role.runs() && all.until.holds(ts)))
}

/// Who asks to join, first come first.
pub fn join_requests(db: &Connection, user: UserId, group: GroupId) -> Answered {
    match standing(db, user, group)?.member {
        None => return groups::not_a_member(db, group),
        Some(member) if !member.role.runs() => return Ok(Err(Code::NotYours)),
        Some(_) => {}
    }
    let asking = db
        .prepare_cached(
            "SELECT id, name, ts FROM grouprequest JOIN user ON user.id = userid
             WHERE groupid = ?1 ORDER BY ts, id",
        )?
        .query_map([group.get()], |found| {
            let person = Person { id: row::user(found, 0)?, name: found.get(1)?, hides: false };
            Ok(Asking { person, ts: Millis(row::number(found, 2)?) })
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Ok(StoreReply::Asking(asking)))
}

/// Whether a user may join: `Err` says why not, or that it has to wait, and `Ok(None)` that it asks for the first time.
pub fn admit(
    db: &Connection,
    limits: &Limits,
    user: UserId,
    group: GroupId,
    ts: Millis,
) -> rusqlite::Result<Result<Option<()>, Code>> {
    if ban(db, group, user)?.holds(ts) {
        return Ok(Err(Code::NotYours));
    }
    let policy = db
        .prepare_cached("SELECT joining FROM allgroup WHERE id = ?1")?
        .query_row([group.get()], |found| Ok(joining(found.get_ref(0)?.as_str()?)))?;
    match policy {
        JoinPolicy::Open => return Ok(Ok(Some(()))),
        JoinPolicy::Closed => return Ok(Err(Code::NotYours)),
        JoinPolicy::Ask => {}
    }
    if is_asking(db, group, user)? {
        return Ok(Err(Code::Pending));
    }
    let asking = db
        .prepare_cached("SELECT count(*) FROM grouprequest WHERE groupid = ?1")?
        .query_row([group.get()], |found| row::number(found, 0))?;
    if asking >= limits.join_requests as u64 {
        return Ok(Err(Code::TooMany));
    }
    db.prepare_cached("INSERT INTO grouprequest (groupid, userid, ts) VALUES (?1, ?2, ?3)")?
        .execute(params![group.get(), user.get(), row::sql_number(ts.0)])?;
    Ok(Ok(None))
}

/// A user is a member now: it asks no more, and what was said of it while it was none holds. Until when it is muted.
pub fn entered(db: &Connection, group: GroupId, user: UserId) -> rusqlite::Result<Until> {
    forget_request(db, group, user)?;
    let muted = db
        .prepare_cached("DELETE FROM grouprule WHERE groupid = ?1 AND userid = ?2 RETURNING muted")?
        .query_row([group.get(), user.get()], |found| found.get(0).map(until))
        .optional()?
        .unwrap_or_default();
    if muted != Until::NEVER {
        db.prepare_cached("UPDATE groupuser SET muted = ?3 WHERE userid = ?1 AND groupid = ?2")?
            .execute(params![user.get(), group.get(), muted.get()])?;
    }
    Ok(muted)
}

/// A member leaves: that it is muted outlasts it.
pub fn leaves(db: &Connection, group: GroupId, user: UserId) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO grouprule (groupid, userid, muted)
         SELECT groupid, userid, muted FROM groupuser WHERE groupid = ?1 AND userid = ?2 AND muted <> 0
         ON CONFLICT DO UPDATE SET muted = excluded.muted",
    )?
    .execute([group.get(), user.get()])
    .map(drop)
}

/// A group is dissolved: nothing is ruled in it any more.
pub fn dissolved(db: &Connection, group: GroupId) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM grouprule WHERE groupid = ?1")?.execute([group.get()])?;
    db.prepare_cached("DELETE FROM grouprequest WHERE groupid = ?1")?.execute([group.get()]).map(drop)
}

/// What somebody is in a group.
pub fn standing(db: &Connection, user: UserId, group: GroupId) -> rusqlite::Result<Standing> {
    let found = db
        .prepare_cached(
            "SELECT grouprole, admin, muted, ruled FROM groupuser WHERE userid = ?1 AND groupid = ?2",
        )?
        .query_row([user.get(), group.get()], |found| Ok((member(found, 0)?, row::number(found, 3)?)))
        .optional()?;
    let (member, at) = found.map_or((None, 0), |(member, at)| (Some(member), at));
    Ok(Standing { user, member, at })
}

/// What a member is, from three columns that follow each other: grouprole, admin, muted.
pub fn member(found: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<MemberRule> {
    let role = role(found.get_ref(column)?.as_str()?, found.get(column + 1)?);
    Ok(MemberRule { role, muted: until(found.get(column + 2)?) })
}

/// What all normal members are, from two columns: muted, muted_at.
pub fn all(found: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<MutedAll> {
    Ok(MutedAll { until: until(found.get(column)?), at: row::number(found, column + 1)? })
}

/// What a user is in each of its groups.
pub fn of_user(db: &Connection, user: UserId) -> rusqlite::Result<Vec<Rules>> {
    db.prepare_cached(
        "SELECT groupid, grouprole, admin, groupuser.muted, ruled, allgroup.muted, muted_at
         FROM groupuser JOIN allgroup ON allgroup.id = groupid WHERE userid = ?1",
    )?
    .query_map([user.get()], |found| {
        Ok(Rules {
            group: row::group(found, 0)?,
            member: member(found, 1)?,
            at: row::number(found, 4)?,
            all: all(found, 5)?,
        })
    })?
    .collect()
}

/// What is so now of those whom a rule is about.
pub fn ruled(
    db: &Connection,
    asked: &Asked<'_>,
    rule: &GroupRule,
    row: Option<Placed>,
    fresh: bool,
) -> rusqlite::Result<Ruled> {
    let pos = row.as_ref().map_or(0, |row| row.pos);
    let mut standings = Vec::new();
    for user in asked.whom(rule) {
        let standing = standing(db, user, asked.group)?;
        standings.push(if standing.member.is_none() { Standing { at: pos, ..standing } } else { standing });
    }
    let all = matches!(rule, GroupRule::MuteAll { .. }).then(|| {
        db.prepare_cached("SELECT muted, muted_at FROM allgroup WHERE id = ?1")?
            .query_row([asked.group.get()], |found| all(found, 0))
    });
    Ok(Ruled { row, fresh, standings, all: all.transpose()? })
}

/// Notes at which place it became so.
fn mark(db: &Connection, asked: &Asked<'_>, rule: &GroupRule, pos: u64) -> rusqlite::Result<()> {
    let pos = row::sql_number(pos);
    match rule {
        GroupRule::Role { user, .. } | GroupRule::Mute { user, .. } => {
            let by =
                if matches!(rule, GroupRule::Role { role: Role::Creator, .. }) { asked.user } else { *user };
            db.prepare_cached("UPDATE groupuser SET ruled = ?4 WHERE userid IN (?1, ?2) AND groupid = ?3")?
                .execute(params![user.get(), by.get(), asked.group.get(), pos])?;
        }
        GroupRule::MuteAll { .. } => {
            db.prepare_cached("UPDATE allgroup SET muted_at = ?2 WHERE id = ?1")?
                .execute(params![asked.group.get(), pos])?;
        }
        GroupRule::Kick { .. } | GroupRule::Set { .. } | GroupRule::Answer { .. } => {}
    }
    Ok(())
}

fn set_role(db: &Connection, group: GroupId, user: UserId, role: Role) -> rusqlite::Result<()> {
    let grouprole = if role == Role::Creator { "creator" } else { "normal" };
    db.prepare_cached("UPDATE groupuser SET grouprole = ?3, admin = ?4 WHERE userid = ?1 AND groupid = ?2")?
        .execute(params![user.get(), group.get(), grouprole, role == Role::Admin])
        .map(drop)
}

/// Takes a member out, and says how long somebody, a member or not, may not join.
fn kick(
    db: &Connection,
    limits: &Limits,
    asked: &Asked<'_>,
    user: UserId,
    banned: Until,
    is_member: bool,
) -> rusqlite::Result<Change> {
    let group = asked.group;
    let was_banned = ban(db, group, user)?;
    // Who left before it was banned does not come back, either.
    let is_banned = banned.holds(asked.row.ts) && accounts::is_user(db, user)?;
    if !is_member && !is_banned && !was_banned.holds(asked.row.ts) {
        return Ok(Err(Code::NoSuchUser));
    }
    if banned != Until::NEVER && was_banned == Until::NEVER && !has_room(db, limits, asked)? {
        return Ok(Err(Code::TooMany));
    }
    if is_member {
        groups::remove_member(db, user, group)?;
        // Nothing of the group comes to it any more.
        db.prepare_cached(
            "DELETE FROM offlinemessage WHERE userid = ?1
             AND (SELECT groupid FROM message WHERE message.mid = offlinemessage.mid) = ?2",
        )?
        .execute([user.get(), group.get()])?;
    }
    db.prepare_cached(
        "INSERT INTO grouprule (groupid, userid, banned) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET banned = excluded.banned",
    )?
    .execute(params![group.get(), user.get(), banned.get()])?;
    db.prepare_cached(
        "DELETE FROM grouprule WHERE groupid = ?1 AND userid = ?2 AND banned = 0 AND muted = 0",
    )?
    .execute([group.get(), user.get()])?;
    forget_request(db, group, user)?;
    Ok(Ok(()))
}

/// Whether one more may be banned, once what is over is forgotten.
fn has_room(db: &Connection, limits: &Limits, asked: &Asked<'_>) -> rusqlite::Result<bool> {
    let mut count = db.prepare_cached("SELECT count(*) FROM grouprule WHERE groupid = ?1")?;
    let mut full = || {
        let ruled = count.query_row([asked.group.get()], |found| row::number(found, 0))?;
        Ok::<bool, rusqlite::Error>(ruled >= limits.group_bans as u64)
    };
    if !full()? {
        return Ok(true);
    }
    db.prepare_cached(
        "DELETE FROM grouprule WHERE groupid = ?1 AND banned BETWEEN 0 AND ?2 AND muted BETWEEN 0 AND ?2",
    )?
    .execute(params![asked.group.get(), row::sql_number(asked.row.ts.0)])?;
    Ok(!full()?)
}

fn ban(db: &Connection, group: GroupId, user: UserId) -> rusqlite::Result<Until> {
    db.prepare_cached("SELECT banned FROM grouprule WHERE groupid = ?1 AND userid = ?2")?
        .query_row([group.get(), user.get()], |found| found.get(0).map(until))
        .optional()
        .map(Option::unwrap_or_default)
}

fn set(
    db: &Connection,
    group: GroupId,
    name: Option<&str>,
    desc: Option<&str>,
    join: Option<JoinPolicy>,
) -> rusqlite::Result<Change> {
    if let Some(name) = name {
        let folded = fold(name);
        let taken = db
            .prepare_cached("SELECT 1 FROM allgroup WHERE (folded = ?2 OR groupname = ?1) AND id <> ?3")?
            .exists(params![name, folded, group.get()])?;
        if taken {
            return Ok(Err(Code::Exists));
        }
        db.prepare_cached("UPDATE allgroup SET groupname = ?2, folded = ?3 WHERE id = ?1")?
            .execute(params![group.get(), name, folded])?;
    }
    db.prepare_cached(
        "UPDATE allgroup SET groupdesc = coalesce(?2, groupdesc), joining = coalesce(?3, joining) WHERE id = ?1",
    )?
    .execute(params![group.get(), desc, join.map(JoinPolicy::name)])?;
    Ok(Ok(()))
}

fn is_asking(db: &Connection, group: GroupId, user: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("SELECT 1 FROM grouprequest WHERE groupid = ?1 AND userid = ?2")?
        .exists([group.get(), user.get()])
}

fn forget_request(db: &Connection, group: GroupId, user: UserId) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM grouprequest WHERE groupid = ?1 AND userid = ?2")?
        .execute([group.get(), user.get()])
        .map(|gone| gone > 0)
}

/// JOIN_ANSWER.
fn answer(
    db: &Connection,
    memory: &mut Memory,
    limits: &Limits,
    asked: &Asked<'_>,
    (user, yes): (UserId, bool),
    is_member: bool,
) -> Answered {
    let rule = GroupRule::Answer { user, yes };
    let asks = is_asking(db, asked.group, user)?;
    if !asks && !is_member {
        return Ok(if !yes && accounts::is_user(db, user)? {
            Ok(StoreReply::Ruled(ruled(db, asked, &rule, None, false)?))
        } else {
            Err(Code::NoSuchUser)
        });
    }
    if is_member || !yes {
        let forgotten = forget_request(db, asked.group, user)?;
        return Ok(Ok(StoreReply::Ruled(ruled(db, asked, &rule, None, forgotten && !is_member)?)));
    }
    if !groups::has_room(db, limits, user, asked.group)? {
        return Ok(Err(Code::TooMany));
    }
    let row = add_row(db, memory, asked, Some(user), What::Joined)?;
    groups::add_member(db, user, asked.group, Role::Normal, row.pos)?;
    entered(db, asked.group, user)?;
    Ok(Ok(StoreReply::Ruled(ruled(db, asked, &rule, Some(row), true)?)))
}
