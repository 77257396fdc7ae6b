//! What the store replies.

use super::StoreResult;
use crate::model::act::AccountRecord;
use crate::model::change::Altered;
use crate::model::consent::{NewFriend, SavedSettings, Settings};
use crate::model::device::{Device, Marker};
use crate::model::envelope::Envelope;
use crate::model::group_rule::{Asking, MutedAll, Ruled, Rules, Until};
use crate::model::history::{HeadsPage, Placed, SearchPage, SyncPage};
use crate::model::ids::{GroupId, MessageId, Millis, UserId};
use crate::model::profile::{Member, Person, Profile};
use crate::model::token::{PasswordPrint, Proof, Token, TokenId};
use crate::wire::code::Code;

/// A message from the backlog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BacklogMessage {
    /// The message, flagged as stored.
    pub envelope: Envelope,
    /// Its place in its group, from 1; `None` for a message that lies in the backlog by itself and is taken out by its mid.
    pub pos: Option<u64>,
}

/// One page of a backlog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BacklogPage {
    /// Oldest first.
    pub messages: Vec<BacklogMessage>,
    /// Whether this was all of it.
    pub complete: bool,
    /// For every group of the user: the place up to which, with this page and what came before it, nothing is
    /// missing.
    pub heads: Vec<(GroupId, u64)>,
    /// For every group of the user: what it is there by rule.
    pub rules: Vec<Rules>,
}

/// Whose password it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Who it is.
    pub user: UserId,
    /// The user's name.
    pub name: String,
    /// The password that it was compared with.
    pub print: PasswordPrint,
}

/// Whom another application has vouched for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Admitted {
    /// Who it is here.
    pub user: UserId,
    /// The user's name.
    pub name: String,
    /// Until when.
    pub expires: Millis,
}

/// Whose token it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resumed {
    /// Whose it is.
    pub user: UserId,
    /// The user's name.
    pub name: String,
    /// Which it is.
    pub token: TokenId,
    /// When it is good no more, if it was given for another application's word.
    pub expires: Option<Millis>,
}

/// One page of what was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPage {
    /// By place, lowest first.
    pub messages: Vec<Placed>,
    /// How many changes the conversation has; `messages` show these at least. 0 if that is not wanted.
    pub chg: u64,
    /// Whether nothing that was said between the first and the last of them is missing.
    pub complete: bool,
}

/// One page of a group's members.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MembersPage {
    /// By id.
    pub members: Vec<Member>,
    /// Whether these were the last ones.
    pub complete: bool,
}

/// A message as it is stored, now or by an earlier request of the same (sender, cid).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredMessage {
    /// The id it is stored under.
    pub mid: MessageId,
    /// When it was accepted.
    pub ts: Millis,
    /// Its place in its conversation.
    pub pos: Option<u64>,
}

/// Whom a user knows and refuses, and what it has chosen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Acquaintances {
    /// Its friends, by id.
    pub friends: Vec<Person>,
    /// Whose direct messages it refuses, by id.
    pub blocked: Vec<UserId>,
    /// What it has chosen.
    pub settings: Settings,
}

/// A new membership.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Of which group.
    pub group: GroupId,
    /// Place of the last message stored before, or of the row that tells of it: the member sees what comes after.
    pub head: u64,
    /// That row, if it was to be made.
    pub row: Option<Placed>,
    /// Until when the member is muted: it was before it left.
    pub muted: Until,
    /// What all normal members are.
    pub all: MutedAll,
}

/// A membership that ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Left {
    /// Whether the group went with it.
    pub dissolved: bool,
    /// The row that tells of it, if it was to be made and the group is still there.
    pub row: Option<Placed>,
}

/// What the store did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreReply {
    /// What was asked, and there is nothing to add.
    Done,
    /// The new user.
    Registered(UserId),
    /// The password is right.
    Verified(Verified),
    /// Another application vouches for this user.
    Admitted(Admitted),
    /// The token is good.
    Resumed(Resumed),
    /// A token was made.
    Issued(Token),
    /// The same, and it is in the place of this one, which is worthless.
    Reissued(Token, TokenId),
    /// The user that was looked for.
    Found(Person),
    /// One page of a group's members.
    Members(MembersPage),
    /// One page of what was said.
    History(HistoryPage),
    /// What a search has found.
    Search(SearchPage),
    /// Friends and groups.
    Profile(Box<Profile>),
    /// Friends.
    Friends(Vec<Person>),
    /// Whom a user knows and refuses, and what it has chosen.
    Acquaintances(Box<Acquaintances>),
    /// Friends who block the user, by id.
    Hidden(Vec<UserId>),
    /// A friendship is asked for from now on; whoever is asked is to be told.
    Asked,
    /// The two are on each other's list of friends from now on.
    Befriended(NewFriend),
    /// Both are off each other's list.
    Parted,
    /// What the user has chosen.
    Settings(SavedSettings),
    /// The user is now a member.
    Joined(Joined),
    /// The user is a member no more.
    Left(Left),
    /// A group is run otherwise.
    Ruled(Ruled),
    /// Who asks to join a group.
    Asking(Vec<Asking>),
    /// The message is committed, now or by an earlier request of the same (sender, cid).
    Stored(StoredMessage),
    /// Another message is stored under this id. Nothing was done: the message needs another one.
    IdTaken,
    /// Taken out; some of the ids were those of repetitions. These are the ids that the messages are stored under.
    DeliveredAs(Vec<MessageId>),
    /// One page of the backlog.
    Backlog(BacklogPage),
    /// A user's devices.
    Devices(Vec<Device>),
    /// Those of the proofs asked about that are good.
    Proven(Vec<Proof>),
    /// One page of a user's conversations.
    Heads(HeadsPage),
    /// What a device lacked.
    Synced(SyncPage),
    /// A read marker, moved or not.
    Marker(Marker),
    /// A message is changed, or was before.
    Altered(Box<Altered>),
    /// The places of messages, each in its conversation.
    Places(Vec<(MessageId, u64)>),
    /// An account, as it is now.
    Account(AccountRecord),
    /// Groups of a user, by id.
    Groups(Vec<GroupId>),
}

/// A reply of one kind. A store that replies with another kind is broken: its requester hears that it is busy.
pub(crate) trait Reply: Sized {
    /// The reply, if it is of this kind.
    fn of(reply: StoreReply) -> Option<Self>;

    /// What came of a request for it.
    fn from_result(result: StoreResult) -> Result<Self, Code> {
        Self::of(result?).ok_or(Code::Busy)
    }
}

macro_rules! replies {
    ($($kind:ty: $variant:ident),*) => {
        $(impl Reply for $kind {
            fn of(reply: StoreReply) -> Option<Self> {
                if let StoreReply::$variant(reply) = reply { Some(reply) } else { None }
            }
        })*
    };
}

replies!(
    UserId: Registered, Verified: Verified, Admitted: Admitted, Resumed: Resumed, Token: Issued, Box<Profile>: Profile,
    StoredMessage: Stored, BacklogPage: Backlog, HistoryPage: History, Joined: Joined, Left: Left,
    Vec<Device>: Devices, HeadsPage: Heads, SyncPage: Synced, Marker: Marker, Vec<(MessageId, u64)>: Places,
    SearchPage: Search, Ruled: Ruled, Vec<Asking>: Asking, SavedSettings: Settings, Box<Altered>: Altered,
    AccountRecord: Account, Vec<GroupId>: Groups, Vec<Proof>: Proven, Box<Acquaintances>: Acquaintances
);

impl StoreReply {
    /// The greatest id of a message in it: whoever asked may show it to somebody who answers.
    pub fn greatest_mid(&self) -> Option<MessageId> {
        if let StoreReply::Stored(stored) = self {
            Some(stored.mid)
        } else if let StoreReply::Backlog(page) = self {
            page.messages.iter().map(|message| message.envelope.mid()).max()
        } else if let StoreReply::History(page) = self {
            page.messages.iter().map(|placed| placed.envelope.mid()).max()
        } else if let StoreReply::Search(page) = self {
            page.hits.iter().map(|hit| hit.placed.envelope.mid()).max()
        } else if let StoreReply::Synced(page) = self {
            let messages = page.conversations.iter().flat_map(|synced| &synced.messages);
            messages.map(|placed| placed.envelope.mid()).max()
        } else {
            self.row().map(|row| row.envelope.mid())
        }
    }

    /// The row of a group that was made.
    fn row(&self) -> Option<&Placed> {
        if let StoreReply::Ruled(ruled) = self {
            ruled.row.as_ref()
        } else if let StoreReply::Joined(joined) = self {
            joined.row.as_ref()
        } else if let StoreReply::Left(left) = self {
            left.row.as_ref()
        } else {
            None
        }
    }
}
