//! What the hub can ask the store, and what the store can answer.
//!
//! The core knows neither SQL nor threads: an [`Ask`] leaves as an effect with a ticket, and the
//! [`Answer`] comes back as an event with that ticket. Questions of one core are answered in the
//! order asked (Register and Verify, which wait for the hashing pool, excepted), and all cores of a process share one queue: what was asked before a message was
//! published is done before anything that was asked because of it.

use super::dedup::DedupWindow;
use super::envelope::Envelope;
use super::ids::{GroupId, MessageId, Millis, Ticket, UserId};
use super::source::Source;
use super::wire::code::Code;
use std::fmt;

/// A password in clear text on its way to the hashing pool. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

/// A session's token in clear text: whoever has it is the user. Never printed, stored as a hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Box<str>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Names a token without being it: safe to compare, to publish and to print.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct TokenId(pub u64);

/// A token as its user gets it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    /// Its name.
    pub id: TokenId,
    /// Its text.
    pub secret: Secret,
}

/// Tells one stored password from every other, without being it: a new password has another print.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordPrint(pub u64);

/// What a login was proven by. Between the proof and the login's effect there are queues, so the
/// store looks at it again when the login takes effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The password that was compared.
    Password(PasswordPrint),
    /// The token that was found.
    Token(TokenId),
}

/// How somebody names a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// By its id.
    Id(UserId),
    /// By its name: as it is written, or one that differs only in case, width or composition.
    Name(String),
}

/// What was said between whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conversation {
    /// Between the user who asks and this one.
    With(UserId),
    /// In this group.
    Group(GroupId),
}

/// Where a page of a conversation's history lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Span {
    /// The last messages there are.
    Newest,
    /// The last ones before this place.
    Before(u64),
    /// The first ones after this place.
    After(u64),
}

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
pub struct Progress {
    /// The group.
    pub group: GroupId,
    /// Place of the last message up to which nothing is missing.
    pub upto: u64,
    /// Messages that the user has too, in no order.
    pub beyond: Vec<MessageId>,
}

/// A question to the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Make a user. → [`Done::Registered`] | `Refused` (name taken) | `TooFast` (too many from there) |
    /// `TooMany` (no id is left) | `Busy`.
    Register {
        /// 1 to `name_chars` characters; unique whatever its case, width or composition.
        name: String,
        /// Hashed before it is stored.
        password: Password,
        /// Where it was said.
        from: Source,
    },
    /// Check a password. → [`Done::Verified`] | `Refused`, for unknown users too, in the same time, and
    /// where the password was replaced while this one waited for its turn; | `TooFast` (nobody looked at it:
    /// too many from there wait, or too many were wrong for this account) | `Busy`.
    Verify {
        /// Who wants in.
        who: Who,
        /// What was typed.
        password: Password,
        /// Where it was said.
        from: Source,
    },
    /// Find whose token this is, and note that it was used. → [`Done::Resumed`] | `Refused`
    /// (unknown, revoked, or not used for `token_days`).
    Resume {
        /// The token.
        secret: Secret,
    },
    /// Friends, groups and blocked users of a user: a login takes effect. → [`Done::Roster`] | `Refused`
    /// (what it was proven by is not the user's any more).
    Roster {
        /// Whose.
        user: UserId,
        /// What the login was proven by: compared again in the transaction that issues the token.
        proof: Proof,
        /// What it tells of groups.
        detail: Detail,
        /// Whether a token is made in the same breath.
        issue: Issue,
    },
    /// Keep a user's dedup window in memory for the next [`Ask::Roster`] on this server. Not stored:
    /// it is forgotten with the process, and when too many others left theirs since. → `Done`.
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
    /// → [`Done::Issued`] | `Refused` (the old password is another) | `TooFast`, as for Verify.
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
    /// Find a user. → [`Done::Found`] | `NoSuchUser`.
    Find {
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
    /// One page of a group's members, by id. → [`Done::Members`] | `NoSuchGroup` | `NotAMember`.
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
    /// One page of what was said. → [`Done::History`] | `NoSuchUser` | `NoSuchGroup` | `NotAMember`.
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
    /// Friends of a user. → [`Done::Friends`].
    Friends {
        /// Whose.
        user: UserId,
    },
    /// Add a friend, one direction. → `Done` | `NoSuchUser` | `Exists` | `TooMany`.
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
    /// Make a group with its creator as the only member. → [`Done::Joined`] | `Exists` | `TooMany` (also if no
    /// id is left) | `TooFast` (the user has made too many lately).
    CreateGroup {
        /// The creator.
        user: UserId,
        /// 1 to `name_chars` characters; unique likewise.
        name: String,
        /// 0 to `desc_chars` characters.
        desc: String,
    },
    /// Join a group. → [`Done::Joined`] | `NoSuchGroup` | `Exists` (is a member) | `TooMany`.
    AddGroup {
        /// Who asks.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// Leave a group; its creator dissolves it. → [`Done::Left`] | `NoSuchGroup` | `NotAMember`.
    DelGroup {
        /// Who asks.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// Why a user may not write to a group that its core does not know it to be a member of.
    /// → `Done` (is a member after all) | `NoSuchGroup` | `NotAMember`.
    MayWrite {
        /// Who asks.
        user: UserId,
        /// Which.
        group: GroupId,
    },
    /// Store a message durably, once: the same (sender, cid) again changes nothing, whatever its id, nor
    /// does the same message without a cid under the same id. Another message under an id that is stored is
    /// answered [`Done::IdTaken`]. A direct message also becomes part of its recipient's backlog, again if it was
    /// settled before: a core that asks does not know it delivered. → [`Done::Kept`] | `NoSuchUser` | `NoSuchGroup` | `NotAMember` |
    /// `NotYours` (the recipient blocks the sender) | `CidReused` | `InvalidField` (no store can hold it)
    /// | `Busy`. Every ask may also be answered `InvalidField`: the store works, and fails at this one for good.
    Keep {
        /// The message.
        envelope: Envelope,
    },
    /// Store direct messages for the history only, each once: nobody's backlog gets them. What a
    /// `Keep` would refuse is left out. → `Done` | `Busy`.
    Record {
        /// The messages, in the order of their ids for each sender.
        envelopes: Vec<Envelope>,
    },
    /// Put stored messages back into a user's backlog (group messages that a closed connection
    /// had not acknowledged). Unknown mids are skipped. → `Done`.
    Owe {
        /// Whose backlog.
        user: UserId,
        /// Which messages.
        mids: Vec<MessageId>,
    },
    /// One page of a user's backlog: what is owed, and group messages behind its cursors,
    /// the user's own left out, oldest `mid` first. Takes nothing away. → [`Done::Taken`].
    ///
    /// A page is a merge: what is owed comes by `mid`, each group's messages by place without a
    /// gap, so that a message stored late is in a later page whatever its `mid`.
    Take {
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
    /// → `Done` | [`Done::SettledAs`].
    Settle {
        /// Whose backlog.
        user: UserId,
        /// Owed messages that arrived.
        mids: Vec<MessageId>,
        /// Groups and how far.
        progress: Vec<Progress>,
    },
}

impl Ask {
    /// Whether this belongs to messages, for which the last quarter of the queue is kept.
    pub fn is_for_messages(&self) -> bool {
        matches!(
            self,
            Ask::Keep { .. } | Ask::Record { .. } | Ask::Owe { .. } | Ask::Take { .. } | Ask::Settle { .. }
        )
    }
}

/// A user as a list shows it. Whether it is online is not the store's to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
}

/// A member's part in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Made the group and may dissolve it.
    Creator,
    /// Everybody else.
    Normal,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Who.
    pub person: Person,
    /// As what.
    pub role: Role,
}

/// A group as its member sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Membership {
    /// Its id.
    pub group: GroupId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub desc: String,
    /// Its members by id, as many as the roster has room for; none if only counts were asked for.
    pub members: Vec<Member>,
    /// How many members it has.
    pub size: u64,
    /// The place up to which the user has everything, as far as the store knows.
    pub cursor: u64,
}

/// What a login answer is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roster {
    /// Friends by id.
    pub friends: Vec<Person>,
    /// Groups by id; every group of the user is here, whatever is left out of its members.
    pub groups: Vec<Membership>,
    /// Users whose direct messages are refused, by id.
    pub blocked: Vec<UserId>,
    /// The new token, if one was to be issued.
    pub token: Option<Token>,
    /// What the user's last session left for this one, if that was on this server.
    pub dedup: Option<Box<DedupWindow>>,
}

/// A message from the backlog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The message, flagged as stored.
    pub envelope: Envelope,
    /// Its place in its group; `None` for what is owed by itself and must be settled by its mid.
    pub pos: Option<u64>,
}

/// A message and its place in its conversation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placed {
    /// The message.
    pub envelope: Envelope,
    /// From 1, without gaps.
    pub pos: u64,
}

/// What the store did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done {
    /// What was asked, and there is nothing to add.
    Done,
    /// The new user.
    Registered(UserId),
    /// The password is right.
    Verified {
        /// Who it is.
        user: UserId,
        /// The user's name.
        name: String,
        /// The password that it was compared with.
        print: PasswordPrint,
    },
    /// The token is good.
    Resumed {
        /// Whose it is.
        user: UserId,
        /// The user's name.
        name: String,
        /// Which it is.
        token: TokenId,
    },
    /// A token was made.
    Issued(Token),
    /// The user that was looked for.
    Found(Person),
    /// One page of a group's members.
    Members {
        /// By id.
        members: Vec<Member>,
        /// Whether these were the last ones.
        complete: bool,
    },
    /// One page of what was said.
    History {
        /// By place, lowest first.
        messages: Vec<Placed>,
        /// Whether nothing that was said between the first and the last of them is missing.
        complete: bool,
    },
    /// Friends and groups.
    Roster(Box<Roster>),
    /// Friends.
    Friends(Vec<Person>),
    /// The user is now a member.
    Joined {
        /// Of which group.
        group: GroupId,
        /// Place of the last message stored before: the member sees what comes after.
        head: u64,
    },
    /// The user is a member no more.
    Left {
        /// Whether the group went with it.
        dissolved: bool,
    },
    /// The message is committed, now or by an earlier request of the same (sender, cid).
    Kept {
        /// The id it is stored under.
        mid: MessageId,
        /// When it was accepted.
        ts: Millis,
        /// Its place in its conversation.
        pos: Option<u64>,
    },
    /// Another message is stored under this id. Nothing was done: the message needs another one.
    IdTaken,
    /// Settled; some of the ids were those of repetitions. These are the ids that the messages are
    /// stored under.
    SettledAs(Vec<MessageId>),
    /// One page of the backlog.
    Taken {
        /// Oldest first.
        messages: Vec<Waiting>,
        /// Whether this was all of it.
        complete: bool,
        /// For every group of the user: the place up to which, with this page and what came
        /// before it, nothing is missing.
        heads: Vec<(GroupId, u64)>,
    },
}

impl Done {
    /// The greatest id of a message in it: whoever asked may show it to somebody who answers.
    pub fn greatest_mid(&self) -> Option<MessageId> {
        match self {
            Done::Kept { mid, .. } => Some(*mid),
            Done::Taken { messages, .. } => messages.iter().map(|waiting| waiting.envelope.mid()).max(),
            Done::History { messages, .. } => messages.iter().map(|placed| placed.envelope.mid()).max(),
            _ => None,
        }
    }
}

/// The store's answer: done, or why not.
pub type Answer = Result<Done, Code>;

/// An ask on its way to the store.
#[derive(Debug)]
pub struct Question {
    /// Which core asks. An index into the answer queues of this process.
    pub core: usize,
    /// What the answer is to carry.
    pub ticket: Ticket,
    /// The ask.
    pub ask: Ask,
}

/// An answer on its way to the core that asked.
#[derive(Debug)]
pub struct Answered {
    /// The ticket of the question.
    pub ticket: Ticket,
    /// The answer.
    pub answer: Answer,
}

/// Where the answers to one core's questions go. The core's end is the matching receiver.
pub type AnswerQueue = flume::Sender<Answered>;
