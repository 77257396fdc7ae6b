//! What the core requests of the store, and what the store replies.
//!
//! The core knows neither SQL nor threads: a [`StoreRequest`] leaves as an effect with a request id, and the
//! [`StoreResult`] comes back as an event with that id. Requests of one core are answered in the order made
//! (`Register` and `Verify`, which wait for the hashing pool, and `Search`
//! excepted), and all cores of a process share one queue:
//! what was requested before a message was published is done before anything that was requested because of it.

mod reply;

use crate::model::act::AccountAct;
use crate::model::change::{Alteration, Wanted};
use crate::model::consent::{FriendAnswer, Parting, SettingsChange};
use crate::model::dedup::DedupWindow;
use crate::model::device::PushToken;
use crate::model::envelope::Envelope;
use crate::model::group_rule::{GroupRule, NewRow};
use crate::model::history::{Conversation, Span, SyncFrom};
use crate::model::ids::{GroupId, MessageId, Millis, RequestId, UserId};
use crate::model::profile::Who;
use crate::model::source::Source;
use crate::model::token::{Password, Proof, Secret, TokenId};
use crate::wire::code::Code;
pub(crate) use reply::Reply;
pub use reply::{
    Acquaintances, Admitted, BacklogMessage, BacklogPage, HistoryPage, Joined, Left, MembersPage, Resumed,
    StoreReply, StoredMessage, Verified,
};
use std::sync::Arc;

/// What a profile tells of groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Detail {
    /// Their members too, as v1 lists them.
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
    /// Let in whom another application has signed a token for: the user that it calls so, who is made if there is none.
    /// → [`StoreReply::Admitted`] | `Refused` (the token is not believed, or the user is shut out) | `Expired` | `NotYours`
    /// (it is somebody else's) | `TooMany` (no id is left) | `Busy`.
    Admit {
        /// What the application has signed.
        jwt: Secret,
        /// Whose session goes on with it, and by which token that is resumed; `None` for a login.
        renews: Option<(UserId, Option<TokenId>)>,
    },
    /// Find whose token this is, and note that it was used. → [`StoreReply::Resumed`] | `Refused`
    /// (unknown, revoked, or not used for `token_days`) | `Expired` (it was given for another application's word, which is
    /// not good any more).
    Resume {
        /// The token.
        secret: Secret,
        /// What the device calls itself from now on, if it says so.
        device: Option<Box<str>>,
    },
    /// Look at an account, or change it, for the server's API. → [`StoreReply::Account`] | [`StoreReply::Issued`] or
    /// [`StoreReply::Reissued`] for a token | [`StoreReply::Groups`] for groups | `Done` for tokens that are worthless | `NoSuchUser` | `NotYours` (shut out) | `TooMany` (no id is left).
    Account(AccountAct),
    /// Friends, groups, blocked users and settings of a user, and who asks it for something: a login takes effect. → [`StoreReply::Profile`] | `Refused` (what
    /// it was proven by is not the user's any more).
    LoadProfile {
        /// The user who logs in.
        user: UserId,
        /// What the login was proven by: compared again in the transaction that issues the token.
        proof: Proof,
        /// What it tells of groups.
        detail: Detail,
        /// Whether a token is made in the same breath.
        issue: Issue,
        /// What the device calls itself that gets the token.
        device: Option<Box<str>>,
        /// How many of its conversations are told, newest first; 0 for none.
        heads: usize,
    },
    /// Keep a user's dedup window in memory for the next [`StoreRequest::LoadProfile`] on this server. Not stored: it is
    /// forgotten with the process, and when too many others left theirs since. → `Done`.
    Remember {
        /// The user whose session has ended.
        user: UserId,
        /// What it said lately.
        window: Box<DedupWindow>,
    },
    /// Make a token worthless. → `Done`, also if it was already.
    Revoke {
        /// The user whose token it is.
        user: UserId,
        /// The token, by its name.
        token: TokenId,
    },
    /// A user's devices: its tokens, the one used last first. → [`StoreReply::Devices`].
    Devices {
        /// The user whose devices are listed.
        user: UserId,
    },
    /// Which of what sessions of a user were let in by are good still. → [`StoreReply::Proven`].
    CheckProofs {
        /// Whose.
        user: UserId,
        /// What, at most `user_sessions` of them.
        proofs: Vec<Proof>,
    },
    /// Make a device's token worthless. → `Done` | `NoSuchUser` (the user has no such device).
    DropDevice {
        /// The user whose device it is.
        user: UserId,
        /// The device, by the name of its token.
        token: TokenId,
    },
    /// Keep with a device by what it is reached, for whoever tells it that something waits; it goes with the device.
    /// → `Done` | `NoSuchUser` (the user has no such device).
    SetPushToken {
        /// The user whose device it is.
        user: UserId,
        /// The device, by the name of its token.
        device: TokenId,
        /// By what the device is reached; `None` if it no longer is.
        push: Option<PushToken>,
    },
    /// A page of a user's conversations, newest first. → [`StoreReply::Heads`].
    Heads {
        /// The user whose conversations are listed.
        user: UserId,
        /// Only those whose last message has a smaller id.
        before: Option<MessageId>,
        /// How many at most.
        heads: usize,
    },
    /// What a device lacks of these conversations: from each, what lies beyond the place that it has. One that has
    /// nothing new is in the reply all the same, with where it stands. → [`StoreReply::Synced`].
    Sync {
        /// The user whose device asks.
        user: UserId,
        /// Which conversations, and how far the device is.
        since: Vec<SyncFrom>,
        /// Which rows; the others are left out.
        wanted: Wanted,
        /// Messages of one conversation at most, and changes.
        messages: usize,
        /// Bytes of bodies in the page at most; one message is always given.
        bytes: usize,
    },
    /// Change a message, once: the same (user, cid) again changes nothing. → [`StoreReply::Altered`] | `NoSuchUser` |
    /// `NoSuchGroup` | `NotAMember` | `NotYours` (another's, or too late, or the other
    /// user blocks this one) | `CidReused` | `TooMany` (reactions of another kind).
    Alter {
        /// Who asks.
        user: UserId,
        /// In which conversation.
        conversation: Conversation,
        /// The message's place.
        pos: u64,
        /// What is to be done to it.
        alteration: Alteration,
        /// The user's own name for it, if it gave one.
        cid: Option<Box<str>>,
        /// When it was accepted.
        ts: Millis,
    },
    /// Move a user's read marker forward; beyond the last message it is at the last message.
    /// → [`StoreReply::Marker`] | `NoSuchUser` | `NoSuchGroup` | `NotAMember`.
    MoveMarker {
        /// The user who has read.
        user: UserId,
        /// In which conversation.
        conversation: Conversation,
        /// Everything up to this place was read.
        pos: u64,
    },
    /// Where messages are stored that a session was pushed. → [`StoreReply::Places`]: those that are stored by now.
    FindPlaces {
        /// The messages, at most `places_find` of them.
        mids: Vec<MessageId>,
    },
    /// Change a password, make every token of the user worthless and give it a new one.
    /// → [`StoreReply::Issued`] | `Refused` (the old password is another) | `TooFast`, as for Verify.
    ChangePassword {
        /// The user whose password it is.
        user: UserId,
        /// The password that it is, as far as the user says.
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
        /// The user who is looked for.
        who: Who,
    },
    /// Refuse a user's direct messages from now on; what either of the two asks the other for is asked no more. → `Done` | `NoSuchUser` | `Exists` | `TooMany`.
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
        /// The conversation.
        conversation: Conversation,
        /// Which of its places.
        span: Span,
        /// Which rows; the others are left out.
        wanted: Wanted,
        /// Messages in the page at most.
        messages: usize,
        /// Bytes of bodies in the page at most; one message is always given.
        bytes: usize,
    },
    /// One page of the messages that have all words of a text, of those that the user may see.
    /// → [`StoreReply::Search`] | `NoSuchUser` | `NoSuchGroup` | `NotAMember` | `InvalidField` (it has no word) |
    /// `UnknownMsgid` (this store does not search) | `Busy`. Answered aside, as passwords are.
    Search {
        /// Who asks.
        user: UserId,
        /// What is looked for.
        q: String,
        /// Only here; in everything that the user may see, if there is none.
        conversation: Option<Conversation>,
        /// Only messages with a smaller id.
        before: Option<MessageId>,
        /// Whether what became of them is told.
        wanted: Wanted,
        /// Messages in the page at most.
        messages: usize,
        /// Bytes of bodies in the page at most; one message is always given.
        bytes: usize,
    },
    /// Friends of a user, by id. → [`StoreReply::Friends`].
    Friends {
        /// The user whose list it is.
        user: UserId,
    },
    /// Which of a user's friends block it. → [`StoreReply::Hidden`].
    Hidden {
        /// The user whose friends are looked at.
        user: UserId,
    },
    /// Whom a user knows and refuses, and what it has chosen. → [`StoreReply::Acquaintances`].
    Acquaintances {
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
    /// Remove a friend, from one list or from both. → `Done` | [`StoreReply::Parted`] (the other had the user on its
    /// list, too, and has not any more) | `NoSuchUser` (is no friend).
    DelFriend {
        /// Who asks.
        user: UserId,
        /// The friend to be removed.
        friend: UserId,
        /// From which lists.
        parting: Parting,
    },
    /// Ask somebody for its friendship. Whoever is asked already by that one says yes with it.
    /// → [`StoreReply::Asked`] | `Done` (nobody is to be told: it is the same request again, or the other one blocks the
    /// user) | [`StoreReply::Befriended`] | `NoSuchUser` | `Exists` (friends already, or asked already) | `TooMany` |
    /// `TooFast`. What somebody gets who is blocked is what it would get otherwise.
    AskFriend {
        /// Who asks.
        user: UserId,
        /// Not `user`: the hub refuses that itself.
        friend: UserId,
        /// What it says with it.
        note: String,
        /// Its own name for the request, if it has one.
        cid: Option<String>,
    },
    /// Answer somebody who asks. `No` also takes back what the user has asked for itself.
    /// → [`StoreReply::Befriended`] | `Done` (nothing more is asked; or `Yes` to a friend) | `NoSuchUser` (there is nobody of
    /// that id, or it does not ask) | `TooMany` (friends of one of the two).
    AnswerFriend {
        /// Who was asked.
        user: UserId,
        /// Who asked.
        friend: UserId,
        /// Yes or no.
        answer: FriendAnswer,
    },
    /// Change what a user has chosen, or ask for it. → [`StoreReply::Settings`].
    SaveSettings {
        /// The user whose settings they are.
        user: UserId,
        /// What is changed, if anything is.
        change: SettingsChange,
    },
    /// Make a group with its creator as the only member. → [`StoreReply::Joined`] | `Exists` | `TooMany` (also if no id
    /// is left) | `TooFast` (the user has made too many lately).
    CreateGroup {
        /// The creator.
        user: UserId,
        /// 1 to `name_chars` characters; unique whatever its case, width or composition.
        name: String,
        /// 0 to `desc_chars` characters.
        desc: String,
    },
    /// Join a group. → [`StoreReply::Joined`] | `NoSuchGroup` | `Exists` (is a member) | `TooMany` | `NotYours` (closed,
    /// or the user is banned) | `Pending` (the owner and the admins are asked; the request is kept).
    AddGroup {
        /// Who asks.
        user: UserId,
        /// The group to be joined.
        group: GroupId,
        /// The row of the group's conversation that tells of it; without one nobody is told.
        row: Option<NewRow>,
    },
    /// Leave a group; its owner dissolves it. → [`StoreReply::Left`] | `NoSuchGroup` | `NotAMember`.
    DelGroup {
        /// Who asks.
        user: UserId,
        /// The group to be left.
        group: GroupId,
        /// The row of the group's conversation that tells of it; without one nobody is told.
        row: Option<NewRow>,
    },
    /// Change how a group is run, and make a row of that, in one transaction, once: the same (user, cid) again changes
    /// nothing. → [`StoreReply::Ruled`] | `NotYours` (the rank is too low) | `NoSuchUser` (no member, not banned, has not
    /// asked) | `NoSuchGroup` | `NotAMember` | `Exists` (the name is taken) | `TooMany` | `CidReused`.
    RuleGroup {
        /// Who asks.
        user: UserId,
        /// The group that is run.
        group: GroupId,
        /// What is to be from now on.
        rule: GroupRule,
        /// The row that tells of it.
        row: NewRow,
        /// The user's own name for the request.
        cid: Option<Box<str>>,
    },
    /// Who asks to join a group, first come first. → [`StoreReply::Asking`] | `NotYours` | `NoSuchGroup` | `NotAMember`.
    JoinRequests {
        /// Who wants to know.
        user: UserId,
        /// The group.
        group: GroupId,
    },
    /// Why a user may not write to a group that its core does not know it to be a member of.
    /// → `Done` (is a member after all) | `NoSuchGroup` | `NotAMember`.
    CheckMembership {
        /// Who asks.
        user: UserId,
        /// The group.
        group: GroupId,
    },
    /// Store a message durably, once: the same (sender, cid) again changes nothing, whatever its id, nor does the same
    /// message without a cid under the same id. Another message under an id that is stored is answered
    /// [`StoreReply::IdTaken`]. A direct message also becomes part of its recipient's backlog, again if it was taken out
    /// before: a core that asks does not know it delivered. → [`StoreReply::Stored`] | `NoSuchUser` | `NoSuchGroup` |
    /// `NotAMember` | `Muted` | `NotYours` (the recipient does not take the sender's messages) | `CidReused` |
    /// `InvalidField` (no store can hold it) |
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
    /// One page of a user's backlog: what is owed (direct messages, each a row of the backlog), and group messages behind
    /// its cursors, the user's own left out, oldest `mid` first. Takes nothing away. → [`StoreReply::Backlog`].
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
        /// Direct messages that arrived.
        mids: Vec<MessageId>,
        /// How far the user has come in its groups.
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

/// The reply of the store, or the errno by which it refuses.
pub type StoreResult = Result<StoreReply, Code>;

/// A request on its way to the store.
#[derive(Debug)]
pub struct StoreCall {
    /// The core that asks: an index into the reply queues of this process.
    pub core: usize,
    /// The id that the reply is to carry.
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
