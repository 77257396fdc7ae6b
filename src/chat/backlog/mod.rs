//! The backlog: what a user has not got yet, from the store to its connection, and back.
//!
//! Owns what each reader was sent and could be sent again ([`reader`]), the catch-up of those who get their backlog
//! ([`catch_up`]), what arrives for them meanwhile ([`live_buffer`]), who is to look for what was declined for it
//! ([`declined`]), and what the store could not take yet ([`retry_queue`]).
//!
//! Handles pages of the store, replies to retries, live messages for readers. Emits `FetchBacklog`, `StoreMessage`,
//! `AckDelivered`, `Probe`, pushes. Gives back: [`PageOutcome`], [`CatchUpOutcome`], [`RetryOutcome`].
//!
//! Never knows who may log in, what a group is to its members, or who is a friend.

mod catch_up;
mod declined;
mod live_buffer;
mod reader;
mod retry_queue;

use crate::connection::PerConnection;
use crate::model::ids::{ConnectionId, UserId};
pub(crate) use catch_up::{CatchUpOutcome, CatchUpStart, FetchAgain, PageOutcome};
use declined::Declined;
use reader::Reader;
use retry_queue::RetryQueue;
pub(crate) use retry_queue::{HISTORY_BATCH, RetryOutcome};
use rustc_hash::FxHashSet;
use std::collections::VecDeque;

/// What a core knows of its users' backlogs.
#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// By connection, from the loading of the profile on.
    readers: PerConnection<Box<Reader>>,
    /// Connections whose catch-up goes on with time.
    catching_up: VecDeque<ConnectionId>,
    /// Who is to look for what it was not let have.
    declined: Declined,
    /// What the store was too busy for.
    retry_queue: RetryQueue,
    /// How many of these are still to be requested again, of those that were there when it became time to.
    retries_left: usize,
    /// Users who are to be told that something waits for them, and the bus was down.
    to_notify: FxHashSet<UserId>,
    /// How many of these are still to be told, of those that were there when it became time to.
    notices_left: usize,
    /// Catch-ups that are to be tried again after the store was busy.
    failed: VecDeque<ConnectionId>,
}
