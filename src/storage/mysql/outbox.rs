//! The outbox: what a batch has told is written at its end, while what it is about is locked, so that of one conversation
//! the later row has the greater id. Rows of several servers may become visible in another order than that of their ids:
//! so what is deleted is named, and never all up to an id.
//!
//! One server posts: it has the lease, a row with its number and a time by the clock of the database, which nobody waits
//! for. Which messages nobody has confirmed is found by their ids in all backlogs; those that came into one long after they
//! were sent are written down for it.

use super::client::{Client, Many};
use super::fault::{DbResult, Fault};
use super::{page, row, untold};
use crate::outbox::pending::{Lines, Pending, Waiting, now, text};
use crate::outbox::{Bounds, PAGE_BYTES, PAGE_ROWS, Page, Row, Step, TRIMMED_ROWS, UNDELIVERED};
use chatd_chat::model::ids::{MessageId, Millis, UserId};
use mysql_async::Value;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

const INSERT: Many = Many::new("INSERT INTO outbox (ts, events, body) VALUES ", "(?,?,?)", "");
const DELETE: Many = Many::new("DELETE FROM outbox WHERE id IN (", "?", ")");
const BODIES: Many = Many::new("SELECT id, body FROM outbox WHERE id IN (", "?", ")");
/// Whoever else wants the lease finds out at once that it is being taken.
const FREE: &str = "SELECT one FROM outbox_poster WHERE one = 1 AND (holder = ? OR expires < UTC_TIMESTAMP(3)) FOR UPDATE NOWAIT";
const TAKE: &str =
    "UPDATE outbox_poster SET holder = ?, expires = UTC_TIMESTAMP(3) + INTERVAL 12 SECOND WHERE one = 1";
/// What is left of it must be enough for a request.
const HOLDER: &str =
    "SELECT holder, expires > UTC_TIMESTAMP(3) + INTERVAL 6 SECOND, expires < UTC_TIMESTAMP(3), undelivered_upto
    FROM outbox_poster WHERE one = 1";
const LATE: Many = Many::new(
    "INSERT INTO undelivered_late (mid, userid) VALUES ",
    "(?,?)",
    " ON DUPLICATE KEY UPDATE mid = VALUES(mid)",
);
const LATE_DONE: Many = Many::new("DELETE FROM undelivered_late WHERE (mid, userid) IN (", "(?,?)", ")");
const WAITING: &str =
    "SELECT mid, userid FROM offlinemessage WHERE mid > ? AND mid <= ? ORDER BY mid LIMIT ?";
const LATE_WAITING: &str =
    "SELECT late.mid, late.userid, offlinemessage.mid IS NOT NULL FROM undelivered_late AS late
    LEFT JOIN offlinemessage ON offlinemessage.userid = late.userid AND offlinemessage.mid = late.mid
    WHERE late.mid <= ? ORDER BY late.mid LIMIT ?";
pub const MESSAGES: Many = Many::new(
    "SELECT mid, ts, sender, recipient, groupid, cid, body, pos FROM message WHERE (rev IS NULL OR rev >= 0) AND mid IN (",
    "?",
    ")",
);
const EXTERNAL: Many =
    Many::new("SELECT id, external FROM user WHERE external IS NOT NULL AND id IN (", "?", ")");
const DEVICES: Many = Many::new(
    "SELECT userid, id, COALESCE(device, ''), push_token, push_kind FROM token WHERE userid IN (",
    "?",
    ") ORDER BY used DESC",
);
/// How long after it may be told of a message it is: what other servers are about to commit is visible by then.
const SETTLED_MS: u64 = 2_000;

/// What this store knows of the outbox.
#[derive(Debug, Default)]
pub struct Outbox {
    pub pending: Pending,
    /// How old a message may be when it comes into a backlog; older ones are written down.
    pub late_after: Duration,
}

impl Outbox {
    /// Writes what was told, at the end of a transaction.
    pub async fn write(&mut self, client: &mut Client) -> DbResult<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        untold::note(client, self.pending.take_groups()).await?;
        insert(client, self.pending.take()).await
    }

    /// These came into backlogs: those that are old are written down.
    pub async fn note_late(
        &self,
        client: &mut Client,
        entries: impl Iterator<Item = (UserId, i64)>,
    ) -> DbResult<()> {
        if !self.pending.kinds.undelivered {
            return Ok(());
        }
        let late_after = self.late_after.as_millis() as u64;
        let before = MessageId::of_time(Millis(now().0.saturating_sub(late_after)));
        let before = row::sql_mid(before).unwrap_or(i64::MAX);
        let late: BTreeSet<(i64, u32)> =
            entries.filter(|(_, mid)| *mid <= before).map(|(user, mid)| (mid, user.get())).collect();
        let values: Vec<Value> = late.into_iter().flat_map(|(mid, user)| [mid.into(), user.into()]).collect();
        client.find_all(LATE, &values, &[]).await.map(drop)
    }

    /// Does a step, up to its commit.
    pub async fn step(&mut self, client: &mut Client, step: &Step) -> DbResult<Page> {
        let posted: Vec<Value> = step.posted.iter().map(|id| row::sql_number(*id)).collect();
        client.find_all(DELETE, &posted, &[]).await?;
        let mut pending = Pending::default();
        step.tell.iter().for_each(|line| pending.line(line));
        let (posts, upto) = lease(client, step).await?;
        let (mut dropped, mut more) = (0, false);
        if posts {
            if let Some(bounds) = step.trim {
                dropped = trim(client, bounds, step.now).await?;
            }
            if let Some(before) = step.undelivered_before {
                let settled = Millis(before.0.saturating_sub(SETTLED_MS));
                undelivered(client, &mut pending, (upto, settled), step.now).await?;
                more = untold::tell(client, &mut pending, before).await?;
            }
        }
        insert(client, pending.take()).await?;
        client.run("COMMIT").await?;
        let page = if posts { look(client, step).await? } else { Page::default() };
        client.run("COMMIT").await?;
        Ok(Page { posts, dropped, more, ..page })
    }
}

async fn insert(client: &mut Client, lines: Vec<Lines>) -> DbResult<()> {
    let ts = now().0;
    // A row a statement: it may be as long as many.
    for Lines { events, body } in lines {
        let values = vec![row::sql_number(ts), row::sql_number(events), Value::Bytes(body.into_bytes())];
        client.write_all(INSERT, values).await?;
    }
    Ok(())
}

/// Whether whoever asks is the one that posts, and up to which id backlogs were looked at.
async fn lease(client: &mut Client, step: &Step) -> DbResult<(bool, MessageId)> {
    let holder = || Value::from(step.holder);
    let read = |found: Option<mysql_async::Row>| -> DbResult<(bool, bool, MessageId)> {
        let Some(found) = found else { return Ok((false, true, MessageId(0))) };
        let (is_holder, lasts) = (row::number(&found, 0)? == step.holder, row::number(&found, 1)? != 0);
        let is_over = row::number(&found, 2)? != 0;
        Ok((is_holder && lasts, is_over || (is_holder && !lasts), row::mid(&found, 3)?))
    };
    let (posts, is_free, upto) = read(client.find_one(HOLDER, vec![]).await?)?;
    let is_due = is_free || (posts && step.renew);
    if !is_due {
        return Ok((posts, upto));
    }
    // Where it is locked another server takes it.
    let free = lock_now(client, FREE, vec![holder()]).await?.is_some_and(|found| !found.is_empty());
    if free {
        client.write(TAKE, vec![holder()]).await?;
    }
    let (posts, _, upto) = read(client.find_one(HOLDER, vec![]).await?)?;
    Ok((posts && free, upto))
}

/// The rows that a statement locks, or nothing if somebody else has locked one.
///
/// # Errors
/// Also if that has taken back all that the transaction did before: then it is to be done again.
pub async fn lock_now(
    client: &mut Client,
    sql: &'static str,
    values: Vec<Value>,
) -> DbResult<Option<Vec<mysql_async::Row>>> {
    let locked = match client.find(sql, values).await {
        Ok(found) => return Ok(Some(found)),
        Err(fault @ Fault::Locked(_)) => fault,
        Err(fault) => return Err(fault),
    };
    let setting = client.read("SELECT @@innodb_rollback_on_timeout").await?;
    let takes_all_back = setting.first().map_or(Ok(false), |setting| row::is_on(setting, 0))?;
    if takes_all_back { Err(locked) } else { Ok(None) }
}

/// The oldest and the newest id.
async fn ends(client: &mut Client) -> DbResult<Option<(u64, u64)>> {
    let found = client.find_one("SELECT MIN(id), MAX(id) FROM outbox", vec![]).await?;
    let Some(found) = found else { return Ok(None) };
    Ok(row::optional_number(&found, 0)?.zip(row::optional_number(&found, 1)?))
}

/// Deletes the oldest rows that are over the bounds, and counts their events.
async fn trim(client: &mut Client, bounds: Bounds, now: Millis) -> DbResult<u64> {
    let Some((first, newest)) = ends(client).await? else { return Ok(0) };
    let beyond = (newest + 1).saturating_sub(bounds.rows);
    let before = now.0.saturating_sub(bounds.age_ms);
    let values = || [first + TRIMMED_ROWS, beyond, before].map(row::sql_number).to_vec();
    let is_over = "SELECT 1 FROM outbox WHERE id < ? AND (id < ? OR ts < ?) ORDER BY id LIMIT 1";
    let mut oldest = values();
    oldest[0] = row::sql_number(first + 1);
    if client.find_one(is_over, oldest).await?.is_none() {
        return Ok(0);
    }
    let sum =
        "SELECT CAST(COALESCE(SUM(events), 0) AS SIGNED) FROM outbox WHERE id < ? AND (id < ? OR ts < ?)";
    let dropped = client.find_one(sum, values()).await?.map_or(Ok(0), |found| row::number(&found, 0))?;
    client.write("DELETE FROM outbox WHERE id < ? AND (id < ? OR ts < ?)", values()).await?;
    Ok(dropped)
}

/// Tells of the messages in backlogs that are older than `before` and that nobody was told of, and notes how far it came.
async fn undelivered(
    client: &mut Client,
    pending: &mut Pending,
    (upto, before): (MessageId, Millis),
    now: Millis,
) -> DbResult<()> {
    const REACHED: &str = "UPDATE outbox_poster SET undelivered_upto = ? WHERE one = 1";
    let until = MessageId::of_time(before);
    let sql = |mid: MessageId| row::sql_number(mid.0);
    if upto == MessageId(0) {
        // Nobody has looked before: what waits already is no news.
        client.write(REACHED, vec![sql(MessageId::of_time(now))]).await?;
        return Ok(());
    }
    let read = |found: &mysql_async::Row| Ok((row::number(found, 0)?, row::user(found, 1)?));
    let values = vec![sql(upto), sql(until), Value::from(UNDELIVERED)];
    let found = client.find(WAITING, values).await?;
    let mut waiting: BTreeSet<(u64, UserId)> = found.iter().map(read).collect::<DbResult<_>>()?;
    let mut reached = None;
    if waiting.len() >= UNDELIVERED
        && let Some(&(last, _)) = waiting.last()
    {
        // All of the last one's.
        let all = vec![sql(MessageId(last - 1)), sql(MessageId(last)), Value::from(u32::MAX)];
        for found in client.find(WAITING, all).await? {
            waiting.insert(read(&found)?);
        }
    }
    if let Some(&(last, _)) = waiting.last() {
        reached = Some(MessageId(last));
    }
    let mut done: Vec<Value> = Vec::new();
    for found in client.find(LATE_WAITING, vec![sql(until), Value::from(UNDELIVERED)]).await? {
        let late = read(&found)?;
        done.extend([row::sql_number(late.0), late.1.get().into()]);
        if row::number(&found, 2)? != 0 {
            waiting.insert(late);
        }
    }
    tell(client, pending, &waiting).await?;
    client.find_all(LATE_DONE, &done, &[]).await?;
    match reached {
        Some(reached) => client.write(REACHED, vec![sql(reached)]).await.map(drop),
        None => Ok(()),
    }
}

/// Tells that nobody has confirmed these messages, but of those that are gone or recalled.
async fn tell(client: &mut Client, pending: &mut Pending, waiting: &BTreeSet<(u64, UserId)>) -> DbResult<()> {
    let mids: BTreeSet<u64> = waiting.iter().map(|(mid, _)| *mid).collect();
    let mids: Vec<Value> = mids.into_iter().map(row::sql_number).collect();
    let users: BTreeSet<UserId> = waiting.iter().map(|(_, user)| *user).collect();
    let (mut messages, mut scratch) = (HashMap::new(), Vec::new());
    for found in client.find_all(MESSAGES, &mids, &[]).await? {
        let pos = row::optional_number(&found, 7)?.unwrap_or(0);
        messages.insert(row::mid(&found, 0)?.0, (page::envelope(&found, &mut scratch)?, pos));
    }
    let reached = reached_by(client, &users).await?;
    for (mid, user) in waiting {
        let Some((envelope, pos)) = messages.get(mid) else { continue };
        let (external, devices) = reached.of(*user);
        pending.undelivered(envelope, *pos, &Waiting { user: *user, external, devices });
    }
    Ok(())
}

/// How users are reached.
#[derive(Default)]
pub struct Reached {
    externals: HashMap<UserId, String>,
    devices: HashMap<UserId, Vec<String>>,
}

impl Reached {
    /// What an application calls one of them, if one does, and its devices, each an object.
    pub fn of(&self, user: UserId) -> (Option<&str>, &[String]) {
        let devices = self.devices.get(&user).map_or(&[][..], Vec::as_slice);
        (self.externals.get(&user).map(String::as_str), devices)
    }
}

/// Looks how these are reached.
pub async fn reached_by(client: &mut Client, users: &BTreeSet<UserId>) -> DbResult<Reached> {
    let ids: Vec<Value> = users.iter().map(|user| user.get().into()).collect();
    let mut reached = Reached::default();
    for found in client.find_all(EXTERNAL, &ids, &[]).await? {
        reached.externals.insert(row::user(&found, 0)?, row::text(&found, 1)?.to_owned());
    }
    for found in client.find_all(DEVICES, &ids, &[]).await? {
        let mut device = format!("{{\"id\":\"{}\"", row::number(&found, 1)?);
        text(&mut device, "device", row::text(&found, 2)?);
        let token = row::text(&found, 3)?;
        if !token.is_empty() {
            text(&mut device, "push_token", token);
            text(&mut device, "push_kind", row::text(&found, 4)?);
        }
        reached.devices.entry(row::user(&found, 0)?).or_default().push(device + "}");
    }
    Ok(reached)
}

/// What waits now.
async fn look(client: &mut Client, step: &Step) -> DbResult<Page> {
    let Some((first, newest)) = ends(client).await? else { return Ok(Page::default()) };
    let most = if step.wanted { PAGE_ROWS } else { 1 };
    let sql = "SELECT id, ts, LENGTH(body) FROM outbox ORDER BY id LIMIT ?";
    let found = client.find(sql, vec![Value::from(most)]).await?;
    let mut page = Page { waiting: newest - first + 1, ..Page::default() };
    page.oldest = found.first().map(|found| row::number(found, 1).map(Millis)).transpose()?;
    if !step.wanted {
        return Ok(page);
    }
    let (mut ids, mut bytes) = (Vec::new(), 0);
    for found in &found {
        ids.push(row::sql_number(row::number(found, 0)?));
        bytes += row::number(found, 2)?;
        if bytes >= PAGE_BYTES as u64 {
            break;
        }
    }
    for found in client.find_all(BODIES, &ids, &[]).await? {
        let body = String::from_utf8_lossy(row::bytes(&found, 1)?).into_owned();
        page.rows.push(Row { id: row::number(&found, 0)?, body });
    }
    page.rows.sort_unstable_by_key(|row| row.id);
    page.rows.dedup_by_key(|row| row.id);
    Ok(page)
}
