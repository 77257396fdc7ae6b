//! How groups are run: roles, bans, mutes, requests to join, and the rows that tell of all that.
//!
//! A change and its row are made in one transaction, so whoever has the rows has the changes. Whoever makes one has
//! locked the group's row, as whoever stores a message there has.

use super::client::Client;
use super::fault::{DbResult, Fault};
use super::group_rows::{add_row, again};
use super::groups::{self, Change};
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
use mysql_async::{Row, Value};

pub async fn rule(client: &mut Client, limits: &Limits, asked: &Asked<'_>, rule: &GroupRule) -> Answered {
    let (user, group) = (asked.user, asked.group);
    if let GroupRule::Answer { user, .. } = rule {
        // The order of locks: user, then group.
        groups::groups_of(client, *user).await?;
    }
    groups::locked(client, group).await?;
    if let Some(answer) = again(client, asked, rule).await? {
        return Ok(answer);
    }
    let Some(mine) = standing(client, user, group).await?.member else {
        return groups::not_a_member(client, group).await;
    };
    let their_role = match rule.about() {
        Some(user) => standing(client, user, group).await?.member.map(|member| member.role),
        None => None,
    };
    if let Err(code) = may(mine.role, rule, their_role) {
        return Ok(Err(code));
    }
    if let GroupRule::Answer { user, yes } = rule {
        return answer(client, limits, asked, (*user, *yes), their_role.is_some()).await;
    }
    if let Err(code) = change(client, limits, asked, rule, their_role.is_some()).await? {
        return Ok(Err(code));
    }
    let told = What::of(rule, their_role.is_some());
    let placed = add_row(client, asked, rule.about(), told).await?;
    mark(client, asked, rule, placed.pos).await?;
    Ok(Ok(StoreReply::Ruled(ruled(client, asked, rule, Some(placed), true).await?)))
}

async fn change(
    client: &mut Client,
    limits: &Limits,
    asked: &Asked<'_>,
    rule: &GroupRule,
    is_member: bool,
) -> DbResult<Change> {
    let group = asked.group;
    match rule {
        GroupRule::Role { user, role } => {
            set_role(client, group, *user, *role).await?;
            if *role == Role::Creator {
                set_role(client, group, asked.user, Role::Admin).await?;
            }
        }
        GroupRule::Kick { user, ban } => return kick(client, limits, asked, *user, *ban, is_member).await,
        GroupRule::Mute { user, until } => {
            let values = vec![until.get().into(), user.get().into(), group.get().into()];
            client.write("UPDATE groupuser SET muted = ? WHERE userid = ? AND groupid = ?", values).await?;
        }
        GroupRule::MuteAll { until } => {
            let values = vec![until.get().into(), group.get().into()];
            client.write("UPDATE allgroup SET muted = ? WHERE id = ?", values).await?;
        }
        GroupRule::Set { name, desc, join } => {
            return set(client, group, name.as_deref(), desc.as_deref(), *join).await;
        }
        GroupRule::Answer { .. } => {}
    }
    Ok(Ok(()))
}

/// Whether what a member says at that time is refused.
pub async fn is_muted(client: &mut Client, user: UserId, group: GroupId, ts: Millis) -> DbResult<bool> {
    let Some(member) = standing(client, user, group).await?.member else { return Ok(false) };
    let sql = "SELECT muted, muted_at FROM allgroup WHERE id = ?";
    let found = client.find_one(sql, vec![group.get().into()]).await?;
    let all = found.map_or(Ok(MutedAll::default()), |found| all(&found, 0))?;
    Ok(member.muted.holds(ts) || (!member.role.runs() && all.until.holds(ts)))
}

/// Who asks to join, first come first.
pub async fn join_requests(client: &mut Client, user: UserId, group: GroupId) -> Answered {
    match standing(client, user, group).await?.member {
        None => return groups::not_a_member(client, group).await,
        Some(member) if !member.role.runs() => return Ok(Err(Code::NotYours)),
        Some(_) => {}
    }
    let sql = "SELECT id, name, ts FROM grouprequest JOIN user ON user.id = userid
        WHERE groupid = ? ORDER BY ts, id";
    let found = client.find(sql, vec![group.get().into()]).await?;
    let asking = |found: &Row| {
        let person = Person { id: row::user(found, 0)?, name: row::text(found, 1)?.to_owned(), hides: false };
        Ok(Asking { person, ts: Millis(row::number(found, 2)?) })
    };
    Ok(Ok(StoreReply::Asking(found.iter().map(asking).collect::<DbResult<_>>()?)))
}

/// Whether a user may join a group that is locked: `Err` says why not, or that it has to wait, and `Ok(None)` that it
/// asks for the first time.
pub async fn admit(
    client: &mut Client,
    limits: &Limits,
    user: UserId,
    group: GroupId,
    ts: Millis,
) -> DbResult<Result<Option<()>, Code>> {
    if ban(client, group, user).await?.holds(ts) {
        return Ok(Err(Code::NotYours));
    }
    let found =
        client.find_one("SELECT joining FROM allgroup WHERE id = ?", vec![group.get().into()]).await?;
    let policy = found.as_ref().map(|found| row::text(found, 0)).transpose()?.map(joining);
    match policy.unwrap_or_default() {
        JoinPolicy::Open => return Ok(Ok(Some(()))),
        JoinPolicy::Closed => return Ok(Err(Code::NotYours)),
        JoinPolicy::Ask => {}
    }
    if is_asking(client, group, user).await? {
        return Ok(Err(Code::Pending));
    }
    let asking = "SELECT COUNT(*) FROM grouprequest WHERE groupid = ?";
    if accounts::count(client, asking, group.get()).await? >= limits.join_requests as u64 {
        return Ok(Err(Code::TooMany));
    }
    let values = vec![group.get().into(), user.get().into(), row::sql_number(ts.0)];
    client.write("INSERT INTO grouprequest (groupid, userid, ts) VALUES (?, ?, ?)", values).await?;
    Ok(Ok(None))
}

/// A user is a member now: it asks no more, and what was said of it while it was none holds. Until when it is muted.
pub async fn entered(client: &mut Client, group: GroupId, user: UserId) -> DbResult<Until> {
    forget_request(client, group, user).await?;
    let pair = || vec![group.get().into(), user.get().into()];
    let sql = "SELECT muted FROM grouprule WHERE groupid = ? AND userid = ?";
    let Some(found) = client.find_one(sql, pair()).await? else { return Ok(Until::NEVER) };
    let muted = until(row::signed(&found, 0)?);
    client.write("DELETE FROM grouprule WHERE groupid = ? AND userid = ?", pair()).await?;
    if muted != Until::NEVER {
        let values = vec![muted.get().into(), user.get().into(), group.get().into()];
        client.write("UPDATE groupuser SET muted = ? WHERE userid = ? AND groupid = ?", values).await?;
    }
    Ok(muted)
}

/// A member leaves: that it is muted outlasts it.
pub async fn leaves(client: &mut Client, group: GroupId, user: UserId) -> DbResult<()> {
    let sql = "INSERT INTO grouprule (groupid, userid, muted)
        SELECT groupid, userid, muted FROM groupuser WHERE groupid = ? AND userid = ? AND muted <> 0
        ON DUPLICATE KEY UPDATE grouprule.muted = VALUES(muted)";
    client.write(sql, vec![group.get().into(), user.get().into()]).await.map(drop)
}

/// A group is dissolved: nothing is ruled in it any more.
pub async fn dissolved(client: &mut Client, group: GroupId) -> DbResult<()> {
    client.write("DELETE FROM grouprule WHERE groupid = ?", vec![group.get().into()]).await?;
    client.write("DELETE FROM grouprequest WHERE groupid = ?", vec![group.get().into()]).await.map(drop)
}

/// What somebody is in a group.
pub async fn standing(client: &mut Client, user: UserId, group: GroupId) -> DbResult<Standing> {
    let sql = "SELECT grouprole, admin, muted, ruled FROM groupuser WHERE userid = ? AND groupid = ?";
    let found = client.find_one(sql, vec![user.get().into(), group.get().into()]).await?;
    let Some(found) = found else { return Ok(Standing { user, member: None, at: 0 }) };
    Ok(Standing { user, member: Some(member(&found, 0)?), at: row::number(&found, 3)? })
}

/// What a member is, from three columns that follow each other: grouprole, admin, muted.
pub fn member(found: &Row, column: usize) -> DbResult<MemberRule> {
    let grouprole = String::from_utf8_lossy(row::bytes(found, column)?);
    let role = role(&grouprole, row::number(found, column + 1)? != 0);
    Ok(MemberRule { role, muted: until(row::signed(found, column + 2)?) })
}

/// What all normal members are, from two columns: muted, muted_at.
pub fn all(found: &Row, column: usize) -> DbResult<MutedAll> {
    Ok(MutedAll { until: until(row::signed(found, column)?), at: row::number(found, column + 1)? })
}

/// What all normal members of a group are.
pub async fn all_of(client: &mut Client, group: GroupId) -> DbResult<MutedAll> {
    let sql = "SELECT muted, muted_at FROM allgroup WHERE id = ?";
    let found = client.find_one(sql, vec![group.get().into()]).await?;
    found.map_or(Ok(MutedAll::default()), |found| all(&found, 0))
}

/// What a user is in each of its groups.
pub async fn of_user(client: &mut Client, user: UserId) -> DbResult<Vec<Rules>> {
    let sql = "SELECT groupid, grouprole, admin, groupuser.muted, ruled, allgroup.muted, muted_at
        FROM groupuser JOIN allgroup ON allgroup.id = groupid WHERE userid = ?";
    let rules = |found: &Row| {
        Ok(Rules {
            group: row::group(found, 0)?,
            member: member(found, 1)?,
            at: row::number(found, 4)?,
            all: all(found, 5)?,
        })
    };
    client.find(sql, vec![user.get().into()]).await?.iter().map(rules).collect()
}

/// What is so now of those whom a rule is about.
pub async fn ruled(
    client: &mut Client,
    asked: &Asked<'_>,
    rule: &GroupRule,
    row: Option<Placed>,
    fresh: bool,
) -> DbResult<Ruled> {
    let pos = row.as_ref().map_or(0, |row| row.pos);
    let mut standings = Vec::new();
    for user in asked.whom(rule) {
        let standing = standing(client, user, asked.group).await?;
        standings.push(if standing.member.is_none() { Standing { at: pos, ..standing } } else { standing });
    }
    let all = match rule {
        GroupRule::MuteAll { .. } => Some(all_of(client, asked.group).await?),
        _ => None,
    };
    Ok(Ruled { row, fresh, standings, all })
}

/// Notes at which place it became so.
async fn mark(client: &mut Client, asked: &Asked<'_>, rule: &GroupRule, pos: u64) -> DbResult<()> {
    let (group, pos) = (asked.group.get().into(), row::sql_number(pos));
    match rule {
        GroupRule::Role { user, .. } | GroupRule::Mute { user, .. } => {
            let by =
                if matches!(rule, GroupRule::Role { role: Role::Creator, .. }) { asked.user } else { *user };
            let sql = "UPDATE groupuser SET ruled = ? WHERE userid IN (?, ?) AND groupid = ?";
            client.write(sql, vec![pos, user.get().into(), by.get().into(), group]).await?;
        }
        GroupRule::MuteAll { .. } => {
            client.write("UPDATE allgroup SET muted_at = ? WHERE id = ?", vec![pos, group]).await?;
        }
        GroupRule::Kick { .. } | GroupRule::Set { .. } | GroupRule::Answer { .. } => {}
    }
    Ok(())
}

async fn set_role(client: &mut Client, group: GroupId, user: UserId, role: Role) -> DbResult<()> {
    let grouprole = if role == Role::Creator { "creator" } else { "normal" };
    let sql = "UPDATE groupuser SET grouprole = ?, admin = ? WHERE userid = ? AND groupid = ?";
    let admin = Value::Int(i64::from(role == Role::Admin));
    let values = vec![row::sql_text(grouprole), admin, user.get().into(), group.get().into()];
    client.write(sql, values).await.map(drop)
}

/// Takes a member out, and says how long somebody, a member or not, may not join.
async fn kick(
    client: &mut Client,
    limits: &Limits,
    asked: &Asked<'_>,
    user: UserId,
    banned: Until,
    is_member: bool,
) -> DbResult<Change> {
    let group = asked.group;
    let was_banned = ban(client, group, user).await?;
    // Who left before it was banned does not come back, either.
    let is_banned = banned.holds(asked.row.ts) && accounts::is_user(client, user).await?;
    if !is_member && !is_banned && !was_banned.holds(asked.row.ts) {
        return Ok(Err(Code::NoSuchUser));
    }
    if banned != Until::NEVER && was_banned == Until::NEVER && !has_room(client, limits, asked).await? {
        return Ok(Err(Code::TooMany));
    }
    if is_member {
        groups::remove_member(client, user, group).await?;
        // Nothing of the group comes to it any more.
        let sql = "DELETE offlinemessage FROM offlinemessage JOIN message ON message.mid = offlinemessage.mid
            WHERE userid = ? AND groupid = ?";
        client.write(sql, vec![user.get().into(), group.get().into()]).await?;
    }
    let sql = "INSERT INTO grouprule (groupid, userid, banned) VALUES (?, ?, ?)
        ON DUPLICATE KEY UPDATE banned = VALUES(banned)";
    client.write(sql, vec![group.get().into(), user.get().into(), banned.get().into()]).await?;
    let sql = "DELETE FROM grouprule WHERE groupid = ? AND userid = ? AND banned = 0 AND muted = 0";
    client.write(sql, vec![group.get().into(), user.get().into()]).await?;
    forget_request(client, group, user).await?;
    Ok(Ok(()))
}

/// Whether one more may be banned, once what is over is forgotten.
async fn has_room(client: &mut Client, limits: &Limits, asked: &Asked<'_>) -> DbResult<bool> {
    const COUNT: &str = "SELECT COUNT(*) FROM grouprule WHERE groupid = ?";
    let (group, most) = (asked.group.get(), limits.group_bans as u64);
    if accounts::count(client, COUNT, group).await? < most {
        return Ok(true);
    }
    let sql = "DELETE FROM grouprule WHERE groupid = ? AND banned BETWEEN 0 AND ? AND muted BETWEEN 0 AND ?";
    let ts = || row::sql_number(asked.row.ts.0);
    client.write(sql, vec![group.into(), ts(), ts()]).await?;
    Ok(accounts::count(client, COUNT, group).await? < most)
}

async fn ban(client: &mut Client, group: GroupId, user: UserId) -> DbResult<Until> {
    let sql = "SELECT banned FROM grouprule WHERE groupid = ? AND userid = ?";
    let found = client.find_one(sql, vec![group.get().into(), user.get().into()]).await?;
    found.map_or(Ok(Until::NEVER), |found| row::signed(&found, 0).map(until))
}

async fn set(
    client: &mut Client,
    group: GroupId,
    name: Option<&str>,
    desc: Option<&str>,
    join: Option<JoinPolicy>,
) -> DbResult<Change> {
    if let Some(name) = name {
        let folded = row::sql_text(&fold(name));
        let sql = "SELECT 1 FROM allgroup WHERE (folded = ? OR groupname_bytes = ?) AND id <> ? LIMIT 1";
        let values = vec![folded.clone(), row::sql_text(name), group.get().into()];
        if client.find_one(sql, values).await?.is_some() {
            return Ok(Err(Code::Exists));
        }
        let values = vec![row::sql_text(name), folded, group.get().into()];
        match client.write("UPDATE allgroup SET groupname = ?, folded = ? WHERE id = ?", values).await {
            Ok(_) => {}
            Err(Fault::Exists(_)) => return Ok(Err(Code::Exists)),
            Err(fault) => return Err(fault),
        }
    }
    let sql =
        "UPDATE allgroup SET groupdesc = COALESCE(?, groupdesc), joining = COALESCE(?, joining) WHERE id = ?";
    let text = |text: Option<&str>| text.map_or(Value::NULL, row::sql_text);
    client.write(sql, vec![text(desc), text(join.map(JoinPolicy::name)), group.get().into()]).await?;
    Ok(Ok(()))
}

async fn is_asking(client: &mut Client, group: GroupId, user: UserId) -> DbResult<bool> {
    let sql = "SELECT 1 FROM grouprequest WHERE groupid = ? AND userid = ?";
    Ok(client.find_one(sql, vec![group.get().into(), user.get().into()]).await?.is_some())
}

async fn forget_request(client: &mut Client, group: GroupId, user: UserId) -> DbResult<bool> {
    let sql = "DELETE FROM grouprequest WHERE groupid = ? AND userid = ?";
    Ok(client.write(sql, vec![group.get().into(), user.get().into()]).await? > 0)
}

/// JOIN_ANSWER.
async fn answer(
    client: &mut Client,
    limits: &Limits,
    asked: &Asked<'_>,
    (user, yes): (UserId, bool),
    is_member: bool,
) -> Answered {
    let rule = GroupRule::Answer { user, yes };
    let asks = is_asking(client, asked.group, user).await?;
    if !asks && !is_member {
        if yes || !accounts::is_user(client, user).await? {
            return Ok(Err(Code::NoSuchUser));
        }
        return Ok(Ok(StoreReply::Ruled(ruled(client, asked, &rule, None, false).await?)));
    }
    if is_member || !yes {
        let forgotten = forget_request(client, asked.group, user).await?;
        let fresh = forgotten && !is_member;
        return Ok(Ok(StoreReply::Ruled(ruled(client, asked, &rule, None, fresh).await?)));
    }
    if !groups::has_room(client, limits, user, asked.group).await? {
        return Ok(Err(Code::TooMany));
    }
    let row = add_row(client, asked, Some(user), What::Joined).await?;
    groups::add_member(client, user, asked.group, Role::Normal, row.pos).await?;
    entered(client, asked.group, user).await?;
    Ok(Ok(StoreReply::Ruled(ruled(client, asked, &rule, Some(row), true).await?)))
}
