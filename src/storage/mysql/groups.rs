//! Groups and their members.
//!
//! A group is there while it has a name. Dissolving it takes the name, the members and everybody's
//! view of its messages at once; the messages themselves are deleted a few at a time by
//! [`sweep`], so that a long history holds nobody up.
//!
//! Several servers do this at once. Whoever changes a group or its members locks the group's row
//! first (and before it, where the bound on a user's groups counts, the user's), so what was looked
//! at is still so when it is acted on.

use super::accounts::{self, count, given};
use super::client::{Client, Many};
use super::fault::{DbResult, Fault};
use super::group_rows;
use super::group_rules;
use super::{Answered, blocks, changes, consent, row};
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
use mysql_async::{Row, Value};

/// Runs of the index of a dissolved group that are deleted with so many of its messages.
const RUNS_SWEPT: u64 = 64;
/// Groups whose members one statement reads.
const GROUPS: usize = 16;
const MEMBERS: Many = Many {
    head: "",
    row: "(SELECT groupid, user.id, user.name,
               EXISTS (SELECT 1 FROM blocked AS b WHERE b.userid = user.id AND b.blocked = ?), grouprole, admin, muted
           FROM groupuser JOIN user ON user.id = userid
           WHERE groupid = ? AND userid > ? ORDER BY userid LIMIT ?)",
    between: " UNION ALL ",
    tail: "",
};

pub async fn create(client: &mut Client, limits: &Limits, user: UserId, name: &str, desc: &str) -> Answered {
    let folded = row::sql_text(&fold(name));
    let sql = "SELECT 1 FROM allgroup WHERE folded = ? OR groupname_bytes = ? LIMIT 1";
    if client.find_one(sql, vec![folded.clone(), row::sql_text(name)]).await?.is_some() {
        return Ok(Err(Code::Exists));
    }
    if groups_of(client, user).await? >= limits.groups as u64 {
        return Ok(Err(Code::TooMany));
    }
    let values = vec![row::sql_text(name), folded, row::sql_text(desc)];
    let sql = "INSERT INTO allgroup (groupname, folded, groupdesc) VALUES (?, ?, ?)";
    match client.write(sql, values).await {
        Ok(_) => {}
        Err(Fault::Exists(_)) => return Ok(Err(Code::Exists)),
        Err(Fault::UsedUp(_)) => return Ok(Err(Code::TooMany)),
        Err(fault) => return Err(fault),
    }
    let group = given(client, GroupId::new)?;
    add_member(client, user, group, Role::Creator, 0).await?;
    let (row, muted, all) = (None, Until::NEVER, MutedAll::default());
    Ok(Ok(StoreReply::Joined(Joined { group, head: 0, row, muted, all })))
}

/// Whether a change was made, or why not.
pub type Change = Result<(), Code>;

pub async fn join(
    client: &mut Client,
    limits: &Limits,
    user: UserId,
    group: GroupId,
    row: Option<NewRow>,
) -> Answered {
    // The order of locks: user, then group.
    groups_of(client, user).await?;
    let Some((head, _)) = locked(client, group).await? else {
        return Ok(Err(Code::NoSuchGroup));
    };
    if role(client, user, group).await?.is_some() {
        return Ok(Err(Code::Exists));
    }
    if !has_room(client, limits, user, group).await? {
        return Ok(Err(Code::TooMany));
    }
    match group_rules::admit(client, limits, user, group, row.map_or(Millis(0), |row| row.ts)).await? {
        Ok(Some(())) => {}
        Ok(None) => return Ok(Ok(StoreReply::Done)),
        Err(code) => return Ok(Err(code)),
    }
    let row = tell(client, user, group, row, What::Joined).await?;
    let head = row.as_ref().map_or(head, |row| row.pos);
    add_member(client, user, group, Role::Normal, head).await?;
    let muted = group_rules::entered(client, group, user).await?;
    let all = group_rules::all_of(client, group).await?;
    Ok(Ok(StoreReply::Joined(Joined { group, head, row, muted, all })))
}

/// Whether one more fits into a group that is locked, and a group more into what a user has, who is locked.
pub async fn has_room(client: &mut Client, limits: &Limits, user: UserId, group: GroupId) -> DbResult<bool> {
    let members = count(client, "SELECT size FROM allgroup WHERE id = ?", group.get()).await?;
    let groups = count(client, "SELECT COUNT(*) FROM groupuser WHERE userid = ?", user.get()).await?;
    Ok(members < limits.members as u64 && groups < limits.groups as u64)
}

/// Makes the row that tells that a user came or went, if one is to be made.
async fn tell(
    client: &mut Client,
    user: UserId,
    group: GroupId,
    row: Option<NewRow>,
    what: What<'_>,
) -> DbResult<Option<Placed>> {
    let Some(row) = row else { return Ok(None) };
    let asked = Asked { user, group, row, cid: None };
    group_rows::add_row(client, &asked, None, what).await.map(Some)
}

/// Takes a member out of a group that is locked.
pub async fn remove_member(client: &mut Client, user: UserId, group: GroupId) -> DbResult<()> {
    group_rules::leaves(client, group, user).await?;
    let values = vec![user.get().into(), group.get().into()];
    client.write("DELETE FROM groupuser WHERE userid = ? AND groupid = ?", values).await?;
    let sql = "UPDATE allgroup SET size = size - 1 WHERE id = ?";
    client.write(sql, vec![group.get().into()]).await.map(drop)
}

pub async fn leave(client: &mut Client, user: UserId, group: GroupId, row: Option<NewRow>) -> Answered {
    locked(client, group).await?;
    match role(client, user, group).await? {
        None => not_a_member(client, group).await,
        Some(Role::Normal | Role::Admin) => {
            let row = tell(client, user, group, row, What::Left).await?;
            remove_member(client, user, group).await?;
            Ok(Ok(StoreReply::Left(Left { dissolved: false, row })))
        }
        Some(Role::Creator) => {
            group_rules::dissolved(client, group).await?;
            let id = || vec![group.get().into()];
            client.write("DELETE FROM groupuser WHERE groupid = ?", id()).await?;
            let sql =
                "UPDATE allgroup SET groupname = NULL, folded = NULL, groupdesc = '', size = 0 WHERE id = ?";
            client.write(sql, id()).await?;
            Ok(Ok(StoreReply::Left(Left { dissolved: true, row: None })))
        }
    }
}

pub async fn may_write(client: &mut Client, user: UserId, group: GroupId) -> Answered {
    if role(client, user, group).await?.is_some() {
        return Ok(Ok(StoreReply::Done));
    }
    not_a_member(client, group).await
}

/// Whether a user may recall in a group what others said, at any time.
pub async fn recalls_anything(client: &mut Client, user: UserId, group: GroupId) -> DbResult<bool> {
    Ok(role(client, user, group).await?.is_some_and(Role::runs))
}

/// Why somebody who is no member of `group` cannot do what members do.
pub async fn not_a_member(client: &mut Client, group: GroupId) -> Answered {
    let sql = "SELECT 1 FROM allgroup WHERE id = ? AND groupname IS NOT NULL";
    let there = client.find_one(sql, vec![group.get().into()]).await?;
    Ok(Err(if there.is_some() { Code::NotAMember } else { Code::NoSuchGroup }))
}

/// One page of a group's members.
pub async fn page_of_members(
    client: &mut Client,
    user: UserId,
    group: GroupId,
    after: Option<UserId>,
    most: usize,
) -> Answered {
    if role(client, user, group).await?.is_none() {
        return not_a_member(client, group).await;
    }
    let after = after.map_or(0, UserId::get);
    let most_rows = row::sql_number(most.saturating_add(1) as u64);
    let values = vec![user.get().into(), group.get().into(), after.into(), most_rows];
    let found = client.find_rows(MEMBERS, 1, values).await?;
    let mut members: Vec<Member> = found.iter().map(|found| Ok(member(found)?.1)).collect::<DbResult<_>>()?;
    members.sort_unstable_by_key(|member| member.person.id);
    let complete = members.len() <= most;
    members.truncate(most);
    Ok(Ok(StoreReply::Members(MembersPage { members, complete })))
}

pub async fn load_profile(
    client: &mut Client,
    limits: &Limits,
    user: UserId,
    detail: Detail,
) -> DbResult<Profile> {
    let friends = accounts::friend_list(client, limits, user).await?;
    let sql = "SELECT allgroup.id, groupname, groupdesc, size, upto, joining, grouprole, admin, groupuser.muted, ruled,
            allgroup.muted, muted_at FROM groupuser
        JOIN allgroup ON allgroup.id = groupid WHERE userid = ? ORDER BY groupid";
    let membership = |found: &Row| {
        Ok(Membership {
            group: row::group(found, 0)?,
            name: row::text(found, 1)?.to_owned(),
            desc: row::text(found, 2)?.to_owned(),
            members: Vec::new(),
            size: row::number(found, 3)?,
            cursor: row::number(found, 4)?,
            join: joining(row::text(found, 5)?),
            standing: group_rules::member(found, 6)?,
            at: row::number(found, 9)?,
            all: group_rules::all(found, 10)?,
        })
    };
    let found = client.find(sql, vec![user.get().into()]).await?;
    let mut groups: Vec<Membership> = found.iter().map(membership).collect::<DbResult<_>>()?;
    let mut room = match detail {
        Detail::Members => PROFILE_ENTRIES.saturating_sub(groups.len()),
        Detail::Counts => 0,
    };
    for part in groups.chunks_mut(GROUPS) {
        room = fill(client, user, part, room).await?;
    }
    let asking = match detail {
        Detail::Counts => consent::asking(client, limits, user).await?,
        Detail::Members => Vec::new(),
    };
    let (blocked, settings) = (blocks::all(client, user).await?, consent::settings(client, user).await?);
    Ok(Profile { friends, groups, blocked, settings, asking, ..Profile::default() })
}

/// Tells the groups' members, by id, until `room` is used up. Returns what is left of it.
async fn fill(
    client: &mut Client,
    user: UserId,
    groups: &mut [Membership],
    mut room: usize,
) -> DbResult<usize> {
    // At first a few of each: most groups are small.
    let few = PROFILE_ENTRIES.div_ceil(GROUPS);
    if room == 0 {
        return Ok(0);
    }
    let mut values = Vec::with_capacity(GROUPS * 4);
    for place in 0..groups.len().next_power_of_two() {
        let (group, most) = groups.get(place).map_or((0, 0), |group| (group.group.get(), few.min(room)));
        values.extend([user.get().into(), group.into(), 0.into(), Value::Int(most as i64)]);
    }
    let found = client.find_rows(MEMBERS, groups.len().next_power_of_two(), values).await?;
    for row in &found {
        let (group, member) = member(row)?;
        if let Some(group) = groups.iter_mut().find(|other| other.group == group) {
            group.members.push(member);
        }
    }
    for group in groups {
        group.members.sort_unstable_by_key(|member| member.person.id);
        if group.members.len() == few && few < room {
            let last = group.members.last().map_or(0, |member| member.person.id.get());
            let rest = Value::Int((room - few) as i64);
            let values = vec![user.get().into(), group.group.get().into(), last.into(), rest];
            for row in client.find_rows(MEMBERS, 1, values).await? {
                group.members.push(member(&row)?.1);
            }
        }
        group.members.truncate(room);
        room -= group.members.len();
    }
    Ok(room)
}

fn member(found: &Row) -> DbResult<(GroupId, Member)> {
    let MemberRule { role, muted } = group_rules::member(found, 4)?;
    let member = Member { person: accounts::person(found, 1)?, role, muted };
    Ok((row::group(found, 0)?, member))
}

/// Deletes messages of dissolved groups and what became of them, `most` rows at most, and then what is left of the groups. Waits for
/// nobody.
/// Returns how many rows it deleted.
pub async fn sweep(client: &mut Client, most: u64) -> DbResult<u64> {
    let mut swept = 0;
    while swept < most {
        let sql = "SELECT id FROM allgroup WHERE groupname_bytes IS NULL LIMIT 1 FOR UPDATE NOWAIT";
        let Some(found) = client.find_one(sql, vec![]).await? else { break };
        let group = row::group(&found, 0)?.get();
        // Where somebody has locked one of them, it is another time's: nobody is to wait for this.
        let locked = "SELECT mid FROM message WHERE groupid = ? ORDER BY pos LIMIT ? FOR UPDATE NOWAIT";
        client.find(locked, vec![group.into(), row::sql_number(most - swept)]).await?;
        let values = vec![group.into(), row::sql_number(most - swept)];
        swept += client.write("DELETE FROM message WHERE groupid = ? ORDER BY pos LIMIT ?", values).await?;
        swept += changes::sweep(client, group, most - swept).await?;
        let locked = "SELECT first FROM search WHERE low = 0 AND high = ? LIMIT ? FOR UPDATE NOWAIT";
        client.find(locked, vec![group.into(), row::sql_number(RUNS_SWEPT)]).await?;
        let values = vec![group.into(), row::sql_number(RUNS_SWEPT)];
        let runs = client.write("DELETE FROM search WHERE low = 0 AND high = ? LIMIT ?", values).await?;
        swept += runs;
        if swept < most && runs < RUNS_SWEPT {
            client.write("DELETE FROM allgroup WHERE id = ?", vec![group.into()]).await?;
        }
    }
    Ok(swept)
}

/// Makes somebody a member who sees what comes after place `head`.
pub async fn add_member(
    client: &mut Client,
    user: UserId,
    group: GroupId,
    role: Role,
    head: u64,
) -> DbResult<()> {
    let role = if role == Role::Creator { "creator" } else { "normal" };
    let sql =
        "INSERT INTO groupuser (userid, groupid, grouprole, joined, upto, ruled) VALUES (?, ?, ?, ?, ?, ?)";
    let (user, id, head) = (user.get().into(), group.get().into(), row::sql_number(head));
    client.write(sql, vec![user, id, row::sql_text(role), head.clone(), head.clone(), head]).await?;
    let sql = "UPDATE allgroup SET size = size + 1 WHERE id = ?";
    client.write(sql, vec![group.get().into()]).await.map(drop)
}

/// How many groups a user has, and it gets no other meanwhile.
pub async fn groups_of(client: &mut Client, user: UserId) -> DbResult<u64> {
    client.find("SELECT id FROM user WHERE id = ? FOR UPDATE", vec![user.get().into()]).await?;
    count(client, "SELECT COUNT(*) FROM groupuser WHERE userid = ?", user.get()).await
}

/// The place of the group's last message and the number of its members, if there is such a group. They
/// stay so until the commit.
pub async fn locked(client: &mut Client, group: GroupId) -> DbResult<Option<(u64, u64)>> {
    let sql = "SELECT head, size FROM allgroup WHERE id = ? AND groupname IS NOT NULL FOR UPDATE";
    let found = client.find_one(sql, vec![group.get().into()]).await?;
    found.map(|found| Ok((row::number(&found, 0)?, row::number(&found, 1)?))).transpose()
}

/// After which place a member sees the group's messages, if it is one.
pub async fn joined(client: &mut Client, user: UserId, group: GroupId) -> DbResult<Option<u64>> {
    let sql = "SELECT joined FROM groupuser WHERE userid = ? AND groupid = ?";
    let found = client.find_one(sql, vec![user.get().into(), group.get().into()]).await?;
    found.map(|found| row::number(&found, 0)).transpose()
}

async fn role(client: &mut Client, user: UserId, group: GroupId) -> DbResult<Option<Role>> {
    Ok(group_rules::standing(client, user, group).await?.member.map(|member| member.role))
}
