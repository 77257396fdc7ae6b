//! Requests in flight, and what is to be done with each reply.
//!
//! There is a table for each kind of reply, so that a reply meets only what waits for its kind. Of the store's
//! replies each room has its own enum of flows; the hub dispatches them without a wildcard.

mod changes;
mod devices;
mod groups;
mod list;

use super::store::CursorUpdate;
use crate::model::act::AccountAct;
use crate::model::consent::FriendAnswer;
use crate::model::envelope::{Demand, Envelope, Notice, Revoked};
use crate::model::history::{Conversation, Span};
use crate::model::ids::{ConnectionId, GroupId, MessageId, RequestId, SessionEpoch, UserId};
use crate::model::token::{Proof, Secret, TokenId};
pub(crate) use changes::ChangesFlow;
pub(crate) use devices::{DevicesFlow, MarkerMove, SyncQuery, UnplacedPush};
pub(crate) use groups::{GroupFlow, Pushed, RuleRequest};
pub(crate) use list::List;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a reply of the store is for. Connections named here may be gone when it comes.
#[derive(Debug)]
pub(crate) enum StoreFlow {
    Login(LoginFlow),
    Backlog(BacklogFlow),
    Direct(DirectFlow),
    Group(GroupFlow),
    Social(SocialFlow),
    Devices(DevicesFlow),
    Changes(ChangesFlow),
    /// An account that the API has asked for or changed → its answer.
    Account {
        connection: ConnectionId,
        act: AccountAct,
    },
    /// A dedup window that waits for the user's next session.
    Remember,
    /// A request that changes friends, groups or the account → ACK, if it has a cid, or ERROR.
    Mutation(Box<Mutation>),
}

/// What the login room waits for.
#[derive(Debug)]
pub(crate) enum LoginFlow {
    /// Register → REG_MSG_ACK.
    Register { connection: ConnectionId },
    /// Verify → claim the user, or refuse.
    Verify { connection: ConnectionId, demand: Demand, device: Option<Box<str>> },
    /// Admit → claim the user, or refuse.
    Admit { connection: ConnectionId, demand: Demand, device: Option<Box<str>> },
    /// Admit for a session that is there → it goes on until later.
    Renew { connection: ConnectionId, user: UserId, cid: Option<Box<str>> },
    /// Resume → claim the user, or refuse.
    Resume { connection: ConnectionId, secret: Secret },
    /// Revoke for a logout → logged out.
    Revoke { connection: ConnectionId, user: UserId, revoking: Revoking },
    /// LoadProfile → join the groups, query who is online.
    LoadProfile { connection: ConnectionId, epoch: SessionEpoch },
    /// What let in sessions of a user who is here → those end for which it is good no more.
    Standing { user: UserId, proofs: Vec<Proof> },
}

/// A logout whose token is being revoked.
#[derive(Debug)]
pub(crate) struct Revoking {
    /// The login that it ends.
    pub(crate) epoch: SessionEpoch,
    pub(crate) token: TokenId,
    /// The client's name for the logout.
    pub(crate) cid: Option<Box<str>>,
}

/// What the backlog room waits for.
#[derive(Debug)]
pub(crate) enum BacklogFlow {
    /// A page of the backlog, read at some [moment](super::hearing) or later.
    Page { connection: ConnectionId, epoch: SessionEpoch, moment: u64 },
    /// Something that no client waits for: requested again while the store is busy.
    Retry { connection: Option<ConnectionId>, retry: StoreRetry },
}

/// What the direct room waits for.
#[derive(Debug)]
pub(crate) enum DirectFlow {
    /// StoreMessage for the sender's sake → ACK, or ERROR.
    Store { connection: ConnectionId, envelope: Envelope },
    /// StoreMessage for the recipient's sake: nobody heard it.
    StoreFirst { connection: ConnectionId, envelope: Envelope },
    /// AppendHistory → the senders have that many sends in flight less.
    HistoryBatch { senders: Vec<ConnectionId>, envelopes: Arc<[Envelope]> },
    /// AckDelivered of a piece of what a CONFIRM names and its session does not know → the next piece, or ACK if it has a cid, or ERROR.
    Confirm { mutation: Box<Mutation>, rest: Vec<MessageId> },
}

/// What the social room waits for.
#[derive(Debug)]
pub(crate) enum SocialFlow {
    /// Friends, members, or whoever was looked for → query who is online.
    Directory(Box<DirectoryQuery>),
    /// A page of what was said → HISTORY_ACK.
    History { connection: ConnectionId, asked: (Conversation, Span), cid: Option<Box<str>> },
    /// A page of what was found → SEARCH_ACK.
    Search { connection: ConnectionId, cid: Option<Box<str>> },
    /// Something between two users → both are told, ACK, or ERROR.
    Approached(Box<Approached>),
    /// Which friends hide from a session's user → it is told of them no more, or again.
    Hidden { connection: ConnectionId, user: UserId },
    /// Whom a user knows and refuses, for a session that was told of a change of it → it is told what is so. The friends that
    /// were named to it, by their names.
    Doubted { connection: ConnectionId, epoch: SessionEpoch, named: BTreeMap<UserId, Box<str>> },
    /// What a user has chosen, which the bus could not carry → its sessions are told.
    Settings { user: UserId },
}

/// What somebody wants of somebody.
#[derive(Debug)]
pub(crate) enum Approach {
    /// Its friendship.
    Ask { note: Box<str> },
    /// To be its friend as it asks, or not.
    Answer(FriendAnswer),
}

/// A request between two users.
#[derive(Debug)]
pub(crate) struct Approached {
    pub(crate) connection: ConnectionId,
    /// Who asked for it, and that one's name: the session may be gone when the reply comes.
    pub(crate) user: UserId,
    pub(crate) name: Box<str>,
    pub(crate) friend: UserId,
    pub(crate) re: u32,
    pub(crate) cid: Option<Box<str>>,
    pub(crate) approach: Approach,
}

macro_rules! store_flow {
    ($($flow:ident => $variant:ident),*) => {
        $(impl From<$flow> for StoreFlow {
            fn from(flow: $flow) -> Self {
                StoreFlow::$variant(flow)
            }
        })*
    };
}

store_flow!(
    LoginFlow => Login, BacklogFlow => Backlog, DirectFlow => Direct, GroupFlow => Group, SocialFlow => Social,
    DevicesFlow => Devices, ChangesFlow => Changes
);

/// What a count of receivers is for.
#[derive(Debug)]
pub(crate) enum PublishFlow {
    /// A claim → how many must answer.
    Claim { connection: ConnectionId, epoch: SessionEpoch },
    /// A direct message → if nobody heard it, it is stored.
    Direct { connection: ConnectionId, envelope: Envelope },
    /// A reader's receipt → if nobody heard it, what it is about is taken out of the backlog.
    Receipt { reader: UserId, mids: Box<[MessageId]> },
    /// The hint that a batch of a store-first queue is stored → is anybody there now?
    StoreFirstHint { user: UserId },
    /// The hint that something is in a backlog → repeated while the bus is down.
    BacklogHint { user: UserId },
    /// Word that tokens are worthless → repeated while the bus is down.
    TokenRevoked { user: UserId, revoked: Revoked },
    /// The question which devices of a user are online → how many must answer.
    DevicesAsked { number: MessageId },
    /// What somebody is in a group from now on → how many must answer.
    GroupRule { number: MessageId },
    /// The hint that somebody blocks a user, or does so no more → repeated while the bus is down.
    HidingHint { user: UserId },
    /// What has happened between two users, or what one has chosen → repeated while the bus is down.
    Friendship { envelope: Envelope },
    /// Places of stored group messages → the last one is repeated if the bus was down.
    GroupOffsets { group: GroupId, last: (MessageId, u64) },
    /// What everybody is told → the acting session that asked for it is answered.
    Announcement { connection: ConnectionId, envelope: Envelope },
    /// Who came and went → repeated while the bus is down.
    PresenceUpdates { updates: Box<[Notice]> },
}

/// What a join is for.
#[derive(Debug)]
pub(crate) enum JoinFlow {
    /// A user's channel → publish the claim.
    User { user: UserId, epoch: SessionEpoch },
    /// A group's channel → its members wait for this.
    Group { group: GroupId, number: u64 },
}

/// What a query for presence is for.
#[derive(Debug)]
pub(crate) enum QueryFlow {
    /// A login answer.
    Login { connection: ConnectionId, epoch: SessionEpoch, users: Vec<UserId>, begun: u64 },
    /// Watched users whose state is not known for sure.
    Unverified { users: Vec<UserId>, begun: u64 },
    /// A list of people.
    Directory(Box<DirectoryReply>),
    /// A user whose session ended, and who may have others elsewhere.
    Lost(Lost),
}

/// A user whose session ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Lost {
    pub(crate) user: UserId,
    pub(crate) epoch: SessionEpoch,
    /// Whether the user may have other sessions elsewhere: then it is looked for before it is offline.
    pub(crate) multi: bool,
}

/// Something for the store that no client waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum StoreRetry {
    /// A message that its reader may not have got, or that no row is known of.
    StoreMessage { envelope: Envelope },
    /// Messages for the history.
    AppendHistory { envelopes: Arc<[Envelope]> },
    /// What a reader has got.
    AckDelivered { user: UserId, mids: Vec<MessageId>, cursors: Vec<CursorUpdate> },
    /// The token of a session that logged out.
    Revoke { user: UserId, token: TokenId },
}

/// A request that changes what the store knows of a user.
#[derive(Debug)]
pub(crate) struct Mutation {
    pub(crate) connection: ConnectionId,
    /// Who asked: the session may be gone when the reply comes.
    pub(crate) user: UserId,
    pub(crate) re: u32,
    pub(crate) cid: Option<Box<str>>,
    pub(crate) change: Change,
}

/// What a mutation changes in the session when the store says yes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// A group more; which one, if it is there already.
    Join { group: Option<GroupId> },
    /// A group less.
    Leave { group: GroupId },
    /// One more whose messages are refused.
    Block { user: UserId },
    /// One whose messages are refused less.
    Unblock { user: UserId },
    /// A friend more.
    Befriend { friend: UserId },
    /// A friend less.
    Unfriend { friend: UserId },
    /// What the user has chosen.
    Settings,
    /// By what a device is reached.
    PushToken,
    /// A device less.
    DropDevice { token: TokenId },
    /// Another token.
    Token,
    /// Messages that count as confirmed besides those that the session knows: under other ids.
    Confirm,
}

/// What the store is asked for of people.
#[derive(Debug)]
pub(crate) struct DirectoryQuery {
    pub(crate) connection: ConnectionId,
    pub(crate) re: u32,
    /// Whose members are asked for, if they are.
    pub(crate) group: Option<GroupId>,
    pub(crate) cid: Option<Box<str>>,
}

/// A list whose entries' states are being found out, and what it answers.
#[derive(Debug)]
pub(crate) struct DirectoryReply {
    pub(crate) connection: ConnectionId,
    pub(crate) cid: Option<Box<str>>,
    pub(crate) list: List,
    /// What was known of who is online when that was asked.
    pub(crate) begun: u64,
}

/// Everything that is under way.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) store: Table<StoreFlow>,
    pub(crate) publish: Table<PublishFlow>,
    pub(crate) join: Table<JoinFlow>,
    pub(crate) query: Table<QueryFlow>,
}

impl Default for InFlight {
    fn default() -> Self {
        Self { store: Table::new(), publish: Table::new(), join: Table::new(), query: Table::new() }
    }
}

impl InFlight {
    pub(crate) fn len(&self) -> usize {
        self.store.len() + self.publish.len() + self.join.len() + self.query.len()
    }
}

/// Requests of one kind that are under way.
///
/// Invariant: a request is found at most once; a stale or foreign id never.
#[derive(Debug)]
pub(crate) struct Table<F> {
    slots: Vec<(u32, Option<F>)>,
    free: Vec<u32>,
}

impl<F> Table<F> {
    fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, flow: F) -> RequestId {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).expect("requests in flight are bounded by limits")
        });
        let (generation, slot) = &mut self.slots[index as usize];
        debug_assert!(slot.is_none(), "a free slot holds nothing");
        *slot = Some(flow);
        RequestId { index, generation: *generation }
    }

    pub(crate) fn take(&mut self, id: RequestId) -> Option<F> {
        let (generation, slot) = self.slots.get_mut(id.index as usize)?;
        if *generation != id.generation {
            return None;
        }
        let flow = slot.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(id.index);
        Some(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_good_once_and_its_slot_is_used_again() {
        let mut table = Table::new();
        let first = table.insert('a');
        assert_eq!(table.len(), 1);
        assert!(table.take(first).is_some());
        assert!(table.take(first).is_none());
        let second = table.insert('b');
        assert_eq!(first.index, second.index);
        assert!(table.take(first).is_none());
        assert!(table.take(second).is_some());
        assert_eq!(table.len(), 0);
    }
}
