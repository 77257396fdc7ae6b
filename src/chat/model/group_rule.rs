//! How a group is run: ranks, bans and mutes, how one joins, and what is told of each change.
//!
//! Nothing here decides who may do what at a moment: the store does, in the transaction that does it.

use super::history::Placed;
use super::ids::{GroupId, MessageId, Millis, UserId};
use super::profile::{Person, Role};

/// Until when something holds: not at all, until a moment of the wall clock, or for ever.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Until(i64);

impl GroupRule {
    /// Whom it is about, if that is one.
    pub const fn about(&self) -> Option<UserId> {
        match self {
            GroupRule::Role { user, .. }
            | GroupRule::Kick { user, .. }
            | GroupRule::Mute { user, .. }
            | GroupRule::Answer { user, .. } => Some(*user),
            GroupRule::MuteAll { .. } | GroupRule::Set { .. } => None,
        }
    }
}

impl Until {
    /// It does not hold.
    pub const NEVER: Self = Self(0);
    /// It holds until it is lifted.
    pub const FOR_EVER: Self = Self(-1);

    /// As the wire and the stores have it: 0, -1, or milliseconds since 1970.
    pub const fn new(number: i64) -> Option<Self> {
        if number >= -1 { Some(Self(number)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// What it is by a moment: nothing, once it is over.
    pub const fn by(self, wall: Millis) -> Self {
        if self.holds(wall) { self } else { Self::NEVER }
    }

    /// Whether it holds at a moment.
    pub const fn holds(self, wall: Millis) -> bool {
        match self.0 {
            0 => false,
            -1 => true,
            until => until as u64 > wall.0,
        }
    }
}

/// How one becomes a member of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum JoinPolicy {
    /// By asking for it.
    #[default]
    Open,
    /// By asking for it, once the owner or an admin says yes.
    Ask,
    /// Not at all.
    Closed,
}

impl JoinPolicy {
    /// As the wire and the stores name it.
    pub const fn name(self) -> &'static str {
        match self {
            JoinPolicy::Open => "open",
            JoinPolicy::Ask => "ask",
            JoinPolicy::Closed => "closed",
        }
    }

    /// The policy of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Open, Self::Ask, Self::Closed].into_iter().find(|policy| policy.name() == name)
    }
}

/// What somebody who runs a group wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GroupRule {
    /// A member has this role from now on.
    Role {
        /// Who; not the one who asks: the hub refuses that itself.
        user: UserId,
        /// The role that it has from now on.
        role: Role,
    },
    /// A member is none any more; or the ban of somebody who is banned changes.
    Kick {
        /// The member, or whoever is banned.
        user: UserId,
        /// Until when it may not join again.
        ban: Until,
    },
    /// What a member says is refused.
    Mute {
        /// The member.
        user: UserId,
        /// Until when.
        until: Until,
    },
    /// What all normal members say is refused.
    MuteAll {
        /// Until when.
        until: Until,
    },
    /// What is given is so from now on.
    Set {
        /// The name: as it was checked.
        name: Option<String>,
        /// The description.
        desc: Option<String>,
        /// How one joins.
        join: Option<JoinPolicy>,
    },
    /// Whoever asked to join is a member, or its request is forgotten.
    Answer {
        /// Who asked.
        user: UserId,
        /// Whether it is a member now.
        yes: bool,
    },
}

/// The id and the time of a row that the store is to make, as the core that asks gives them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewRow {
    /// Its id. Where it is taken, the store takes the next one of the same core.
    pub mid: MessageId,
    /// When it was accepted.
    pub ts: Millis,
}

/// What a member is at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberRule {
    /// As what.
    pub role: Role,
    /// Until when what it says is refused.
    pub muted: Until,
}

impl MemberRule {
    /// A member of this role who is not muted.
    pub const fn of(role: Role) -> Self {
        Self { role, muted: Until::NEVER }
    }
}

/// What somebody is in a group since the row at place `at`. Of two that are known, the later place holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// The user.
    pub user: UserId,
    /// As what; `None` for nobody who is a member.
    pub member: Option<MemberRule>,
    /// The place of the row that made it so.
    pub at: u64,
}

/// Until when all normal members are muted, since the row at place `at`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MutedAll {
    /// Until when.
    pub until: Until,
    /// The place of the row that made it so.
    pub at: u64,
}

/// What a member and its group are by rule, as a page of a backlog tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Which group.
    pub group: GroupId,
    /// What the member is.
    pub member: MemberRule,
    /// Since which place.
    pub at: u64,
    /// What all normal members are.
    pub all: MutedAll,
}

/// What a group is by rule, now that somebody has changed it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruled {
    /// The row, made now or by an earlier request of the same cid. What forgets a request makes none.
    pub row: Option<Placed>,
    /// Whether it was made now.
    pub fresh: bool,
    /// What those are now whom it is about.
    pub standings: Vec<Standing>,
    /// What all normal members are now, if it is about them.
    pub all: Option<MutedAll>,
}

/// Somebody who asks to join.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// Whoever asks, as a list shows it.
    pub person: Person,
    /// When it asked first.
    pub ts: Millis,
}
