//! Groups: one publish and one stored row a message, however many members, and who has come how far.
//!
//! Owns this core's subscriptions ([`subscription`]), the messages that are to be stored together ([`batch`]) and the
//! cursors of its members ([`cursors`]). [`messages`] takes a message in and gets it to the members; [`membership`] is
//! who is a member here. [`rules`] is what members may do, [`rate`] how much of it at a time, and [`ruling`] waits until all cores
//! know of a change.
//!
//! Handles `GroupChat`, group envelopes, offsets of other cores, joins of channels, replies and counts of these.
//! Emits `StoreMessage`, `AckDelivered`, `Publish`, `Join`, `Leave`, ACKs. Gives back who is to fetch its backlog
//! again, and [`Place`]: a message of this core is stored.
//!
//! Never knows a login, a friend or a direct message.

mod batch;
mod cursors;
mod membership;
mod messages;
mod rate;
mod rules;
mod ruling;
mod subscription;

use crate::connection::{PerConnection, Walk};
use crate::model::group_rule::MutedAll;
use crate::model::ids::{GroupId, MessageId, UserId};
use batch::StoreBatch;
use cursors::Cursors;
pub(crate) use membership::Subscribed;
pub(crate) use messages::{Place, ends_membership};
use rules::Silence;
pub(crate) use rules::{Applied, told};
use ruling::AwaitedRule;
pub(crate) use ruling::RuleAnswer;
use rustc_hash::FxHashMap;
use std::collections::{VecDeque, hash_map};
use subscription::GroupSubscription;

/// What a core knows of the groups that its users are members of.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    /// Boxed, so that the table moves little when it grows: that is one turn's work.
    subscriptions: FxHashMap<GroupId, Box<GroupSubscription>>,
    /// Messages that are to be stored.
    to_store: StoreBatch,
    cursors: PerConnection<Cursors>,
    /// Which connections' cursors are still to be written.
    writes: Walk,
    /// Subscriptions that wait for offsets: for word that a message that was pushed is stored. By group and number; each is
    /// in it once.
    awaiting_offsets: VecDeque<(GroupId, u64)>,
    /// How many of these are still to be looked at, of those that were there when it became time to.
    looks_left: usize,
    /// Numbers the subscriptions, so that a late `Joined` is not taken for a newer one's.
    made: u64,
    /// Subscriptions whose channel could not be joined, by group and number.
    to_rejoin: VecDeque<(GroupId, u64)>,
    /// How many of these are still to be tried again, of those that were there when it became time to.
    rejoins_left: usize,
    /// Places of stored messages that the other cores are to be told of.
    offsets: FxHashMap<GroupId, Vec<(MessageId, u64)>>,
    /// Those of `offsets` that it has become time to tell.
    telling: hash_map::IntoIter<GroupId, Vec<(MessageId, u64)>>,
    /// The last place of each group that they were told; to be told once more, after a while.
    told: FxHashMap<GroupId, (MessageId, u64)>,
    /// Those of `told` that it has become time to tell once more.
    repeating: hash_map::IntoIter<GroupId, (MessageId, u64)>,
    /// What all normal members are, in groups where that was ever said.
    muted_all: FxHashMap<GroupId, MutedAll>,
    /// Whose messages are not passed on in which group.
    silenced: FxHashMap<(GroupId, UserId), Silence>,
    /// Changes of groups that are done, and of which other cores are still to say that they know.
    awaited: Vec<AwaitedRule>,
}

impl Groups {
    /// Groups with a member here, and groups whose places the other cores are still to be told of.
    pub(crate) fn census(&self) -> (usize, usize) {
        (self.subscriptions.len(), self.offsets.len() + self.telling.len())
    }

    /// Whether nothing is to be told.
    pub(crate) fn is_idle(&self) -> bool {
        self.to_store.is_empty() && self.offsets.is_empty() && self.telling.len() == 0
    }
}
