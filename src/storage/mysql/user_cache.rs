//! What is remembered from one batch to the next, so that it need not be asked again.
//!
//! Users are never deleted, so one that was once there is there. This is what spares a row lock and a
//! look-up in each of two indexes for every message: foreign keys would cost them.

use super::client::{Client, Many};
use super::fault::DbResult;
use super::late::Mark;
use super::outbox::Outbox;
use super::row;
use crate::token::Uses;
use chatd_chat::model::ids::{MessageId, UserId};
use mysql_async::Value;
use std::collections::HashSet;

const USERS: Many = Many::new("SELECT id FROM user WHERE id IN (", "?", ")");
/// Greater ids are asked for each time: 2 MiB are enough.
const REMEMBERED: usize = 1 << 24;
/// Batches in which it is looked first, after one of them had a message that was stored already.
const LOOK_FIRST: u32 = 16;

/// What the store knows without asking.
#[derive(Debug, Default)]
pub struct UserCache {
    /// A bit for each id.
    users: Vec<u64>,
    /// Seen in a transaction that is not committed: they may be of that transaction's own making.
    seen: Vec<UserId>,
    look_first: u32,
    /// Before which message other ids of messages are to be forgotten.
    pub forgotten: Option<MessageId>,
    /// When tokens are used.
    pub uses: Uses,
    /// How far the index of the search is.
    pub mark: Mark,
    /// What is told an application.
    pub outbox: Outbox,
}

impl UserCache {
    /// Those of `users` that do not exist.
    pub async fn strangers(
        &mut self,
        client: &mut Client,
        users: impl Iterator<Item = UserId>,
    ) -> DbResult<HashSet<UserId>> {
        let mut strangers: HashSet<UserId> = users.filter(|user| !self.is_known(*user)).collect();
        let ids: Vec<Value> = strangers.iter().map(|user| user.get().into()).collect();
        for found in client.find_all(USERS, &ids, &[]).await? {
            let user = row::user(&found, 0)?;
            strangers.remove(&user);
            self.seen.push(user);
        }
        Ok(strangers)
    }

    /// The transaction was committed: what was seen in it is so.
    pub fn committed(&mut self) {
        for user in std::mem::take(&mut self.seen) {
            let id = user.get() as usize;
            if id < REMEMBERED {
                if self.users.len() <= id / 64 {
                    self.users.resize(id / 64 + 1, 0);
                }
                self.users[id / 64] |= 1 << (id % 64);
            }
        }
        self.look_first = self.look_first.saturating_sub(1);
    }

    /// The transaction was not committed.
    pub fn rolled_back(&mut self) {
        self.seen.clear();
        self.outbox.pending.clear();
    }

    /// The database may be another one now, a backup that was restored.
    pub fn forget(&mut self) {
        let outbox = std::mem::take(&mut self.outbox);
        *self = Self { look_first: LOOK_FIRST, outbox, ..Self::default() };
    }

    /// A message came again.
    pub fn suspect(&mut self) {
        self.look_first = LOOK_FIRST;
    }

    /// Whether messages should be looked for before they are inserted.
    pub fn look_first(&self) -> bool {
        self.look_first > 0
    }

    fn is_known(&self, user: UserId) -> bool {
        let id = user.get() as usize;
        self.users.get(id / 64).is_some_and(|bits| bits & 1 << (id % 64) != 0)
    }
}
