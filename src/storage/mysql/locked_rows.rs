//! Rows that somebody else has locked, and the orders that have to wait for them.
//!
//! A statement that meets such a row waits a second (`innodb_lock_wait_timeout`), and everything in
//! its batch with it. That happens once. Then it is found out, without waiting (`NOWAIT`), which rows
//! are locked; the orders that need them are deferred, and so are those that must not overtake these;
//! the others go on. While something is locked every batch is looked through like this first.

use super::client::{Client, Many};
use super::fault::{DbResult, Fault};
use super::row;
use super::touched::{OrderKey, Row, order_keys, rows};
use crate::Order;
use mysql_async::Value;
use std::collections::HashSet;

const USERS: Many = Many::new("SELECT id FROM user WHERE id IN (", "?", ") FOR UPDATE NOWAIT");
const GROUPS: Many = Many::new("SELECT id FROM allgroup WHERE id IN (", "?", ") FOR UPDATE NOWAIT");
const CONVERSATIONS: Many = Many::new(
    "SELECT low FROM conversation FORCE INDEX (PRIMARY) WHERE (low, high) IN (",
    "(?,?)",
    ") FOR UPDATE NOWAIT",
);
const MEMBERS: Many = Many::new(
    "SELECT userid FROM groupuser FORCE INDEX (PRIMARY) WHERE (userid, groupid) IN (",
    "(?,?)",
    ") FOR UPDATE NOWAIT",
);
const MESSAGES: Many = Many::new("SELECT mid FROM message WHERE mid IN (", "?", ") FOR UPDATE NOWAIT");
const NAMED: Many = Many::new(
    "SELECT mid FROM message FORCE INDEX (message_cid) WHERE (cid, sender) IN (",
    "(?,?)",
    ") FOR UPDATE NOWAIT",
);
const BACKLOG_ENTRIES: Many = Many::new(
    "SELECT mid FROM offlinemessage FORCE INDEX (PRIMARY) WHERE (userid, mid) IN (",
    "(?,?)",
    ") FOR UPDATE NOWAIT",
);
const DIALOGUES: Many = Many::new(
    "SELECT userid FROM dialogue FORCE INDEX (PRIMARY) WHERE (userid, peer) IN (",
    "(?,?)",
    ") FOR UPDATE NOWAIT",
);
const TOKENS: Many = Many::new("SELECT id FROM token WHERE id IN (", "?", ") FOR UPDATE NOWAIT");
const KINDS: [Many; 9] =
    [USERS, GROUPS, CONVERSATIONS, MEMBERS, MESSAGES, NAMED, BACKLOG_ENTRIES, TOKENS, DIALOGUES];
/// Locked rows of one kind that are looked for: where there are more, somebody has locked a table or much of
/// it, and all rows that are left count as locked.
const SOUGHT: usize = 32;

/// The rows that were locked when it was last looked.
#[derive(Debug, Default)]
pub struct LockedRows(HashSet<Row>);

impl LockedRows {
    /// Whether any were.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets them: the database may be another one now.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// One of them, for people.
    pub fn example(&self) -> String {
        let Some(row) = self.0.iter().next() else { return String::new() };
        match row {
            Row::User(user) => format!("user {user}"),
            Row::Group(group) => format!("group {group}"),
            Row::Conversation(low, high) => format!("the conversation of users {low} and {high}"),
            Row::Member(user, group) => format!("user {user} in group {group}"),
            Row::Message(mid) | Row::BacklogEntry(_, mid) => format!("message {mid}"),
            Row::Dialogue(user, peer) => format!("how far user {user} has read of user {peer}"),
            Row::Named(user, _) => format!("a message of user {user}"),
            Row::Token(_) => "a token".to_owned(),
        }
    }

    /// Finds out which rows of the orders are locked now, and says which orders have to wait. What it
    /// locks itself is to be let go by a rollback.
    pub async fn look(&mut self, client: &mut Client, orders: &[Order]) -> DbResult<Vec<bool>> {
        let touched: Vec<Vec<Row>> = orders.iter().map(rows).collect();
        self.0.clear();
        for (kind, sql) in KINDS.into_iter().enumerate() {
            let of_kind: HashSet<&Row> =
                touched.iter().flatten().filter(|row| kind_of(row) == kind).collect();
            let of_kind: Vec<&Row> = of_kind.into_iter().collect();
            self.seek(client, sql, &of_kind).await?;
        }
        let mut before: HashSet<OrderKey> = HashSet::new();
        let waits = |(order, rows): (&Order, &Vec<Row>)| {
            let order_keys = order_keys(order);
            let waits = rows.iter().any(|row| self.0.contains(row))
                || order_keys.iter().any(|key| before.contains(key));
            if waits {
                before.extend(order_keys);
            }
            waits
        };
        Ok(orders.iter().zip(&touched).map(waits).collect())
    }

    /// Finds those of `rows`, which are of one kind, that are locked: by halves.
    async fn seek(&mut self, client: &mut Client, sql: Many, rows: &[&Row]) -> DbResult<()> {
        let (mut parts, mut found) = (vec![rows], 0);
        while let Some(part) = parts.pop().filter(|part| !part.is_empty()) {
            let locked = if found < SOUGHT {
                let keys: Vec<Value> = part.iter().flat_map(|row| key(row)).collect();
                match client.find_all(sql, &keys, &[]).await {
                    Ok(_) => continue,
                    Err(Fault::Locked(_)) if part.len() > 1 => {
                        let (one, other) = part.split_at(part.len() / 2);
                        parts.extend([one, other]);
                        continue;
                    }
                    Err(Fault::Locked(_)) => part,
                    Err(fault) => return Err(fault),
                }
            } else {
                part
            };
            found += locked.len();
            self.0.extend(locked.iter().map(|row| (*row).clone()));
        }
        Ok(())
    }
}

fn kind_of(row: &Row) -> usize {
    match row {
        Row::User(_) => 0,
        Row::Group(_) => 1,
        Row::Conversation(..) => 2,
        Row::Member(..) => 3,
        Row::Message(_) => 4,
        Row::Named(..) => 5,
        Row::BacklogEntry(..) => 6,
        Row::Token(_) => 7,
        Row::Dialogue(..) => 8,
    }
}

fn key(row: &Row) -> Vec<Value> {
    match row {
        Row::User(user) => vec![user.get().into()],
        Row::Group(group) => vec![group.get().into()],
        Row::Conversation(low, high) => vec![low.get().into(), high.get().into()],
        Row::Member(user, group) => vec![user.get().into(), group.get().into()],
        Row::Message(mid) => vec![Value::Int(*mid)],
        Row::Named(user, cid) => vec![row::sql_text(cid), user.get().into()],
        Row::BacklogEntry(user, mid) => vec![user.get().into(), Value::Int(*mid)],
        Row::Token(token) => vec![row::sql_number(*token)],
        Row::Dialogue(user, peer) => vec![user.get().into(), peer.get().into()],
    }
}
