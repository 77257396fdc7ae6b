//! What the core requests of the store, and what the store replies.
//!
//! The core knows neither SQL nor threads: a [`StoreRequest`] leaves as an effect with a request id, and the
//! [`StoreResult`] comes back as an event with that id. Requests of one core are answered in the order made
//! (`Register` and `Verify`, which wait for the hashing pool, excepted), and all cores of a process share one queue:
//! what was requested before a message was published is done before anything that was requested because of it.

use crate::model::dedup::DedupWindow;
use crate::model::envelope::Envelope;
use crate::model::history::{Conversation, Placed, Span};
use crate::model::ids::{GroupId, MessageId, Millis, RequestId, UserId};
use crate::model::profile::{Member, Person, Profile, Who};
use crate::model::source::Source;
use crate::model::token::{Password, PasswordPrint, Proof, Secret, Token, TokenId};
use crate::wire::code::Code;
use std::sync::Arc;

/// What a roster tells of groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Their members too, as the seed dialect lists them.
    Members,
    /// Only how many members they have.
    Counts,
}

/// Whether a login is to be given a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Issue {
    /// A new one. Beyond `tokens` of the user, the one that was not used for longest goes.
    Token,
    /// None.
    Nothing,
}

/// How far one user has everything of one group: all messages up to place `upto`, and besides
/// them those in `beyond`, whose places the asking core did not know yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CursorUpdate {
    /// The group.
    pub group: GroupId,
    /// Place of the last message up to which nothing is missing.
    pub upto: u64,
    /// Messages that the user has too, in no order.
    pub beyond: Vec<MessageId>,
}

/// A request to the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StoreRequest {
    /// Make a user. → [`StoreReply::Registered`] | `Refused` (name taken) | `TooFast` (too many from there) |
    /// `TooMany` (no id is left) | `Busy`.
    Register {
        /// 1 to `name_chars` characters; unique whatever its case, width or composition.
        name: String,
        /// Hashed before it is stored.
        password: Password,
        /// Where it was said.
        from: Source,
    },
    /// Check a password. → [`StoreReply::Verified`] | `Refused`, for unknown users too, in the same time, and where
    /// the password was replaced while this one waited for its turn; | `TooFast` (nobody looked at it: too many from
    /// there wait, or too many were wrong for this account) | `Busy`.
    Verify {
        /// Who wants in.
        who: Who,
        /// What was typed.
        password: Password,
        /// Where it was said.
        from: Source,
    },
    /// Find whose token this is, and note that it was used. → [`StoreReply::Resumed`] | `Refused`
    /// (unknown, revoked, or not used for `token_days`).
    Resume {
        /// The token.
        secret: Secret,
    },
    /// Friends, groups and blocked users of a user: a login takes effect. → [`StoreReply::Profile`] | `Refused` (what
    /// it was proven by is not the user's any more).
    LoadProfile {
        /// Whose.
        user: UserId,
        /// What the login was proven by: compared again in the transaction that issues the token.
        proof: Proof,
        /// What it tells of groups.
        detail: Detail,
        /// Whether a token is made in the same breath.
        issue: Issue,
    },
    /// Keep a user's dedup window in memory for the next [`StoreRequest::LoadProfile`] on this server. Not stored: it is
    /// forgotten with the process, and when too many others left theirs since. → `Done`.
    Remember {
        /// Whose.
        user: UserId,
        /// What it said lately.
        window: Box<DedupWindow>,
    },
    /// Make a token worthless. → `Done`, also if it was already.
    Revoke {
        /// Whose.
        user: UserId,
        /// Which.
        token: TokenId,
    },
    /// Change a password, make every token of the user worthless and give it a new one.
    /// → [`StoreReply::Issued`] | `Refused` (the old password is another) | `TooFast`, as for Verify.
    ChangePassword {
        /// Whose.
        user: UserId,
        /// What it is.
        old: Password,
        /// What it will be; hashed before it is stored.
        new: Password,
        /// Where it was said.
        from: Source,
    },
    /// Find a user. → [`StoreReply::Found`] | `NoSuchUser`.
    Find {
        /// Who asks.
        user: UserId,
        /// Whom.
        who: Who,
    },
    /// Refuse a user's direct messages from now on. → `Done` | `NoSuchUser` | `Exists` | `TooMany`.
    Block {
        /// Who refuses.
        user: UserId,
        /// Whose messages; not `user`: the hub refuses that itself.
        blocked: UserId,
    },
    /// No longer refuse them. → `Done` | `NoSuchUser` (was not blocked).
    Unblock {
        /// Who refused.
        user: UserId,
        /// Whose messages.
        blocked: UserId,
    },
    /// One page of a group's members, by id. → [`StoreReply::Members`] | `NoSuchGroup` | `NotAMember`.
    Members {
        /// Who asks: a member.
        user: UserId,
        /// Which group.
        group: GroupId,
        /// Only members with a greater id.
        after: Option<UserId>,
        /// Members in the page at most.
        members: usize,
    },
    /// One page of what was said. → [`StoreReply::History`] | `NoSuchUser` | `NoSuchGroup` | `NotAMember`.
    History {
        /// Who asks.
        user: UserId,
        /// Between whom.
        conversation: Conversation,
        /// Where.
        span: Span,
        /// Messages in the page at most.
        messages: usize,
        /// Bytes of bodies in the page at most; one message is always given.
        bytes: usize,
    },
    /// Friends of a user. → [`StoreReply::Friends`].
    Friends {
        /// Whose.
        user: UserId,
    },
    /// Which of a user's friends block it. → [`StoreReply::Hidden`].
    Hidden {
        /// Whose.
        user: UserId,
    },
    /// Add a friend, one direction. → `Done` | [`StoreReply::Hidden`] (done, and it blocks whoever asks) | `NoSuchUser` | `Exists` | `TooMany`.
    AddFriend {
        /// Who asks.
        user: UserId,
        /// Not `user`: the hub refuses that itself.
        friend: UserId,
    },
    /// Remove a friend, one direction. → `Done` | `NoSuchUser` (is no friend).
    DelFriend {
        /// Who asks.
        user: UserId,
        /// Whom.
        friend: UserId,
    },
    /// Make a group with its creator as the only member. → [`StoreReply::Joined`] | `Exists` | `TooMany` (also if no id
    /// is left) | `TooFast` (the user has made too many lately).
    CreateGroup {
        /// The creator.
        user: UserId,
        /// 1 to `name_chars` characters; unique likewise.
        name: String,
        /// 0 to `desc_chars` characters.
        desc: String,
    },
    /// Join a group. → [`StoreReply::Joined`] | `NoSuchGroup` | `Exists` (is a member) | `TooMany`.
    AddGroup {
        /// Who asks.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// Leave a group; its creator dissolves it. → [`StoreReply::Left`] | `NoSuchGroup` | `NotAMember`.
    DelGroup {
        /// Who asks.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// Why a user may not write to a group that its core does not know it to be a member of.
    /// → `Done` (is a member after all) | `NoSuchGroup` | `NotAMember`.
    CheckMembership {
        /// Who asks.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// Store a message durably, once: the same (sender, cid) again changes nothing, whatever its id, nor does the same
    /// message without a cid under the same id. Another message under an id that is stored is answered
    /// [`StoreReply::IdTaken`]. A direct message also becomes part of its recipient's backlog, again if it was taken out
    /// before: a core that asks does not know it delivered. → [`StoreReply::Stored`] | `NoSuchUser` | `NoSuchGroup` |
    /// `NotAMember` | `NotYours` (the recipient blocks the sender) | `CidReused` | `InvalidField` (no store can hold it) |
    /// `Busy`.
    StoreMessage {
        /// The message.
        envelope: Envelope,
    },
    /// Store direct messages for the history only, each once: nobody's backlog gets them. What a
    /// `StoreMessage` would refuse is left out. → `Done` | `Busy`.
    AppendHistory {
        /// The messages, in the order of their ids for each sender. Whoever asks has them too until it is answered: they
        /// are counted once, not each.
        envelopes: Arc<[Envelope]>,
    },
    /// One page of a user's backlog: what is owed, and group messages behind its cursors,
    /// the user's own left out, oldest `mid` first. Takes nothing away. → [`StoreReply::Backlog`].
    ///
    /// A page is a merge: what is owed comes by `mid`, each group's messages by place without a
    /// gap, so that a message stored late is in a later page whatever its `mid`.
    FetchBacklog {
        /// Whose backlog.
        user: UserId,
        /// Of what is owed by itself, only messages with a greater id: the last one of the page
        /// before. 0 for the first page. Where groups go on is for `have` to say.
        after: MessageId,
        /// Where the asking core knows the user to be further than the store does.
        have: Vec<(GroupId, u64)>,
        /// Messages in the page at most.
        messages: usize,
        /// Bytes of bodies in the page at most; one message is always given.
        bytes: usize,
    },
    /// The user has these: take them out of its backlog, and move its cursors (never back).
    /// → `Done` | [`StoreReply::DeliveredAs`].
    AckDelivered {
        /// Whose backlog.
        user: UserId,
        /// Owed messages that arrived.
        mids: Vec<MessageId>,
        /// Groups and how far.
        cursors: Vec<CursorUpdate>,
    },
}

impl StoreRequest {
    /// Whether this belongs to messages, for which the last quarter of the queue is kept.
    pub fn is_for_messages(&self) -> bool {
        matches!(
            self,
            StoreRequest::StoreMessage { .. }
                | StoreRequest::AppendHistory { .. }
                | StoreRequest::FetchBacklog { .. }
                | StoreRequest::AckDelivered { .. }
        )
    }
}

/// A message from the backlog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BacklogMessage {
    /// The message, flagged as stored.
    pub envelope: Envelope,
    /// Its place in its group; `None` for what is owed by itself and must be settled by its mid.
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

/// Whose token it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resumed {
    /// Whose it is.
    pub user: UserId,
    /// The user's name.
    pub name: String,
    /// Which it is.
    pub token: TokenId,
}

/// One page of what was said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HistoryPage {
    /// By place, lowest first.
    pub messages: Vec<Placed>,
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

/// A new membership.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Joined {
    /// Of which group.
    pub group: GroupId,
    /// Place of the last message stored before: the member sees what comes after.
    pub head: u64,
}

/// A membership that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// Whether the group went with it.
    pub dissolved: bool,
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
    /// The token is good.
    Resumed(Resumed),
    /// A token was made.
    Issued(Token),
    /// The user that was looked for.
    Found(Person),
    /// One page of a group's members.
    Members(MembersPage),
    /// One page of what was said.
    History(HistoryPage),
    /// Friends and groups.
    Profile(Box<Profile>),
    /// Friends.
    Friends(Vec<Person>),
    /// Friends who block the user, by id.
    Hidden(Vec<UserId>),
    /// The user is now a member.
    Joined(Joined),
    /// The user is a member no more.
    Left(Left),
    /// The message is committed, now or by an earlier request of the same (sender, cid).
    Stored(StoredMessage),
    /// Another message is stored under this id. Nothing was done: the message needs another one.
    IdTaken,
    /// Taken out; some of the ids were those of repetitions. These are the ids that the messages are stored under.
    DeliveredAs(Vec<MessageId>),
    /// One page of the backlog.
    Backlog(BacklogPage),
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
    UserId: Registered, Verified: Verified, Resumed: Resumed, Token: Issued, Box<Profile>: Profile,
    StoredMessage: Stored, BacklogPage: Backlog, HistoryPage: History, Joined: Joined, Left: Left
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
        } else {
            None
        }
    }
}

/// The store's answer: done, or why not.
pub type StoreResult = Result<StoreReply, Code>;

/// A request on its way to the store.
#[derive(Debug)]
pub struct StoreCall {
    /// Which core asks. An index into the answer queues of this process.
    pub core: usize,
    /// What the answer is to carry.
    pub id: RequestId,
    /// The request.
    pub request: StoreRequest,
}

/// A reply on its way to the core that asked.
#[derive(Debug)]
pub struct StoreReturn {
    /// The id of the request.
    pub id: RequestId,
    /// The reply, or why there is none.
    pub result: StoreResult,
}

/// Where the replies to one core's requests go: those of a batch together, so that they wake the core once. The core's
/// end is the matching receiver.
pub type ReplyQueue = flume::Sender<Vec<StoreReturn>>;
