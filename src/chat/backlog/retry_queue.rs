//! The retry queue: things for the store that no client waits for, requested again until the store is not busy.

use super::Backlog;
use crate::connection::{StoredAs, UnackedPush};
use crate::model::envelope::{Envelope, Kind};
use crate::model::ids::{ConnectionId, GroupId, MessageId, UserId};
use crate::port::cx::Cx;
use crate::port::event::{BusDown, Channel};
use crate::port::in_flight::{BacklogFlow, PublishFlow, StoreRetry};
use crate::port::store::{StoreReply, StoreRequest, StoreResult, StoredMessage};
use crate::wire::code::Code;
use std::collections::VecDeque;

/// How many messages one `AppendHistory` has at most: it counts as so many.
pub(crate) const HISTORY_BATCH: usize = 256;

/// What waits for a busy store, with the connection that hears when it is done.
pub(super) type RetryQueue = VecDeque<(Option<ConnectionId>, StoreRetry)>;

/// What a reply to a retry leaves to be done.
#[derive(Debug)]
pub(crate) enum RetryOutcome {
    Nothing,
    /// A group message is stored.
    GroupStored {
        group: GroupId,
        mid: MessageId,
        pos: u64,
    },
    /// Something was put into a user's backlog.
    InBacklog {
        user: UserId,
    },
    /// The store is busy, and this connection waits for its login answer.
    RefuseLogin {
        connection: ConnectionId,
    },
}

impl Backlog {
    /// Requests something of the store, and again while it is busy. `connection` hears when it is done.
    pub(crate) fn submit_with_retry(
        &mut self,
        cx: &mut Cx,
        connection: Option<ConnectionId>,
        retry: StoreRetry,
    ) {
        cx.enter();
        let request = match retry.clone() {
            StoreRetry::StoreMessage { envelope } => StoreRequest::StoreMessage { envelope },
            StoreRetry::AppendHistory { envelopes } => StoreRequest::AppendHistory { envelopes },
            StoreRetry::AckDelivered { user, mids, cursors } => {
                StoreRequest::AckDelivered { user, mids, cursors }
            }
            StoreRetry::Revoke { user, token } => StoreRequest::Revoke { user, token },
        };
        cx.request(request, BacklogFlow::Retry { connection, retry });
    }

    /// Takes messages out of a user's backlog.
    pub(crate) fn ack_delivered(
        &mut self,
        cx: &mut Cx,
        connection: Option<ConnectionId>,
        user: UserId,
        mids: Vec<MessageId>,
    ) {
        cx.enter();
        if !mids.is_empty() {
            let retry = StoreRetry::AckDelivered { user, mids, cursors: Vec::new() };
            self.submit_with_retry(cx, connection, retry);
        }
    }

    /// What a connection that ends was sent and its reader may not have is its reader's backlog again. What lies
    /// there still is stored again, so that whoever holds the user by now is told.
    pub(crate) fn return_unread(&mut self, cx: &mut Cx, unread: impl Iterator<Item = UnackedPush>) {
        cx.enter();
        for push in unread {
            if !matches!(push.stored_as, StoredAs::GroupLog(_) | StoredAs::History) {
                self.submit_with_retry(cx, None, StoreRetry::StoreMessage { envelope: push.envelope });
            }
        }
    }

    pub(crate) fn on_retry_reply(
        &mut self,
        cx: &mut Cx,
        connection: Option<ConnectionId>,
        retry: StoreRetry,
        result: StoreResult,
    ) -> RetryOutcome {
        cx.enter();
        if result == Err(Code::Busy) {
            let waits = connection.filter(|&id| self.awaits_welcome(id));
            self.retry_later(cx, connection, retry);
            return waits
                .map_or(RetryOutcome::Nothing, |connection| RetryOutcome::RefuseLogin { connection });
        }
        if result == Err(Code::InvalidField) {
            // It can never be stored, so it is not requested again.
            cx.counters.retries_dropped += 1;
        }
        match retry {
            StoreRetry::StoreMessage { envelope } if envelope.kind() == Kind::Group => match result {
                Ok(StoreReply::Stored(StoredMessage { mid, pos: Some(pos), .. })) => {
                    RetryOutcome::GroupStored { group: envelope.group(), mid, pos }
                }
                Ok(_) | Err(_) => RetryOutcome::Nothing,
            },
            StoreRetry::StoreMessage { envelope } => {
                if let Some(id) = connection {
                    self.spilled(id);
                }
                RetryOutcome::InBacklog { user: envelope.user() }
            }
            StoreRetry::Revoke { .. } | StoreRetry::AppendHistory { .. } => RetryOutcome::Nothing,
            StoreRetry::AckDelivered { mids, .. } => {
                let reader = connection.and_then(|id| self.readers.get_mut(id));
                if let Some(notes) = reader.and_then(|reader| reader.notes.get_mut()) {
                    for mid in mids {
                        notes.in_backlog.remove(&mid);
                    }
                }
                RetryOutcome::Nothing
            }
        }
    }

    /// The store is busy: this is requested with the next ones.
    pub(crate) fn retry_later(&mut self, cx: &mut Cx, connection: Option<ConnectionId>, retry: StoreRetry) {
        cx.enter();
        let most = match retry {
            // Each is many messages.
            StoreRetry::AppendHistory { .. } => cx.limits.store_retries / HISTORY_BATCH,
            StoreRetry::StoreMessage { .. } | StoreRetry::AckDelivered { .. } | StoreRetry::Revoke { .. } => {
                cx.limits.store_retries
            }
        };
        if self.retry_queue.len() < most {
            self.retry_queue.push_back((connection, retry));
        } else {
            cx.counters.retries_dropped += 1;
            if let (Some(id), StoreRetry::StoreMessage { .. }) = (connection, retry) {
                // It will not be in the backlog, so its reader's catch-up does not wait for it.
                self.spilled(id);
            }
        }
    }

    /// It is time to try again what could not be done.
    pub(crate) fn begin_retries(&mut self) {
        self.retries_left = self.retry_queue.len();
        self.notices_left = self.to_notify.len();
        self.failed = self.catching_up.iter().copied().collect();
    }

    /// Requests again what the store was too busy for: some of it, the rest with the next ticks.
    pub(crate) fn retry(&mut self, cx: &mut Cx) {
        cx.enter();
        let now = self.retries_left.min(cx.limits.walk_sessions);
        self.retries_left -= now;
        for _ in 0..now {
            let Some((connection, retry)) = self.retry_queue.pop_front() else { return };
            self.submit_with_retry(cx, connection, retry);
        }
    }

    /// Tells whoever holds a user elsewhere that something waits for it.
    pub(crate) fn publish_hint(&mut self, cx: &mut Cx, user: UserId) {
        cx.enter();
        cx.publish_counted(
            Channel::User(user),
            Envelope::backlog_hint(user),
            PublishFlow::BacklogHint { user },
        );
    }

    pub(crate) fn on_hint_published(&mut self, user: UserId, receivers: Result<u32, BusDown>) {
        if receivers.is_err() {
            self.to_notify.insert(user);
        }
    }

    /// Users who could not be told that something waits for them: some of them, the others with the next ticks.
    pub(crate) fn take_to_notify(&mut self, cx: &Cx) -> Vec<UserId> {
        let now = self.notices_left.min(cx.limits.walk_sessions);
        self.notices_left -= now;
        let users: Vec<UserId> = self.to_notify.iter().take(now).copied().collect();
        for user in &users {
            self.to_notify.remove(user);
        }
        users
    }

    /// Things for the store that wait because it was busy.
    pub(crate) fn retries(&self) -> usize {
        self.retry_queue.len()
    }

    /// Whether nothing waits for the store or for the bus.
    pub(crate) fn is_idle(&self) -> bool {
        self.retry_queue.is_empty() && self.to_notify.is_empty()
    }
}
