//! What may be done to a group and its members, and what others are told of it.

use super::message::Mark;
use super::roster::Role;
use chatd_chat::model::ids::{GroupId, Millis, UserId};

/// How long a ban or a muting lasts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Until {
    /// Not at all: it is lifted.
    #[default]
    Lifted,
    /// Until then.
    At(Millis),
    /// For ever.
    Ever,
}

/// Who is muted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Muted {
    /// This member.
    Member(UserId),
    /// Everybody who is neither the owner nor an admin.
    All,
}

/// How somebody becomes a member of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Joining {
    /// Whoever wants to, does.
    Open,
    /// An admin is asked.
    Ask,
    /// Nobody does.
    Closed,
}

/// Somebody who did something to a group, or to whom it was done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Somebody {
    /// Who.
    pub id: UserId,
    /// The name of the registration; not safe to show as it is.
    pub name: String,
}

/// What happened to a group.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GroupChange {
    /// There is a member more.
    Joined,
    /// There is a member less.
    Left,
    /// A member was sent away, and may not come back before then.
    Kicked(Until),
    /// Somebody who is no member may not become one before then.
    Banned(Until),
    /// A member may say nothing until then, or may again; where none is named, everybody who is neither owner nor admin.
    Muted(Until),
    /// A member has this role now.
    Role(Role),
    /// The group is called otherwise, described otherwise, or joined otherwise.
    Set {
        /// Its new name; not safe to show as it is.
        name: Option<String>,
        /// Its new description; not safe to show as it is.
        desc: Option<String>,
        /// How it is joined now.
        join: Option<Joining>,
    },
    /// Somebody wants to become a member. Owner and admins are told; it is no row.
    Asks,
    /// Somebody who wanted to become a member was refused. It is no row.
    Refused,
    /// Something that this program is too old to know.
    Other(String),
}

/// Something that happened to a group.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct GroupEvent {
    /// Which.
    pub group: GroupId,
    /// What the server knows of it. What is no row of the conversation has no place.
    pub mark: Mark,
    /// Who did it.
    pub by: Somebody,
    /// To whom, if that is somebody else.
    pub whom: Option<Somebody>,
    /// What.
    pub what: GroupChange,
}

impl GroupEvent {
    /// What somebody did to a group, and to whom, if that is somebody else.
    pub fn new(group: GroupId, mark: Mark, by: Somebody, whom: Option<Somebody>, what: GroupChange) -> Self {
        Self { group, mark, by, whom, what }
    }

    /// Who is a member, or none, or another one because of it.
    pub fn concerns(&self) -> &Somebody {
        self.whom.as_ref().unwrap_or(&self.by)
    }
}
