//! What the hub can ask the store, and what the store can answer.
//!
//! The core knows neither SQL nor threads: an [`Ask`] leaves as an effect with a ticket, and the
//! [`Answer`] comes back as an event with that ticket. Questions of one core are answered in the
//! order asked (Register and Verify, which wait for the hashing pool, excepted), and all cores of a process share one queue: what was asked before a message was
//! published is done before anything that was asked because of it.

use super::envelope::Envelope;
use super::ids::{GroupId, MessageId, Millis, Ticket, UserId};
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
    /// Make a user. → [`Done::Registered`] | `Refused` (name taken) | `Busy`.
    Register {
        /// 1 to `name_chars` characters; unique by its bytes.
        name: String,
        /// Hashed before it is stored.
        password: Password,
    },
    /// Check a password. → [`Done::Verified`] | `Refused`, for unknown users too, in the same time.
    Verify {
        /// Who wants in.
        user: UserId,
        /// What was typed.
        password: Password,
    },
    /// Friends and groups of a user. → [`Done::Roster`].
    Roster {
        /// Whose.
        user: UserId,
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
    /// Make a group with its creator as the only member. → [`Done::Joined`] | `Exists` | `TooMany`.
    CreateGroup {
        /// The creator.
        user: UserId,
        /// 1 to `name_chars` characters; unique by its bytes.
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
    /// Store a message durably, once: the same `mid`, or the same (sender, cid), again changes
    /// nothing. A direct message also becomes part of its recipient's backlog, again if it was
    /// settled before: a core that asks does not know it delivered. → [`Done::Kept`] | `NoSuchUser` | `NoSuchGroup` | `NotAMember` |
    /// `CidReused` | `Busy`.
    Keep {
        /// The message.
        envelope: Envelope,
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
    /// → `Done`.
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
        matches!(self, Ask::Keep { .. } | Ask::Owe { .. } | Ask::Take { .. } | Ask::Settle { .. })
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
    /// Its members by id, as many as the roster has room for.
    pub members: Vec<Member>,
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
}

/// A message from the backlog.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// The message, flagged as stored.
    pub envelope: Envelope,
    /// Its place in its group; `None` for what is owed by itself and must be settled by its mid.
    pub pos: Option<u64>,
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
        /// The user's name.
        name: String,
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
        /// Its place in its group.
        pos: Option<u64>,
    },
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
