//! People and groups as lists show them, and what a login answer is made of.

use super::consent::{FriendAsk, Settings};
use super::dedup::DedupWindow;
use super::group_rule::{JoinPolicy, MemberRule, MutedAll, Until};
use super::history::HeadsPage;
use super::ids::{GroupId, UserId};
use super::token::Token;

/// How somebody names a user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Who {
    /// By its id.
    Id(UserId),
    /// By its name: as it is written, or one that differs only in case, width or composition.
    Name(String),
}

/// A user as a list shows it. Whether it is online is not the store's to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Its id.
    pub id: UserId,
    /// Its name.
    pub name: String,
    /// Whether it blocks whoever is told of it, and is therefore shown as offline.
    pub hides: bool,
}

/// A member's part in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Owns the group and may dissolve it: whoever made it, until it hands it over.
    Creator,
    /// Runs it with the owner.
    Admin,
    /// Everybody else.
    Normal,
}

impl Role {
    /// Whether one of this role acts on members of the other: only on those of lower rank.
    pub fn outranks(self, other: Self) -> bool {
        (self as u8) < (other as u8)
    }

    /// Whether one of this role runs the group.
    pub fn runs(self) -> bool {
        self.outranks(Role::Normal)
    }

    /// As sessions are told that understand it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Creator => "owner",
            Role::Admin => "admin",
            Role::Normal => "normal",
        }
    }

    /// The role of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Creator, Self::Admin, Self::Normal].into_iter().find(|role| role.name() == name)
    }
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// The user, as a list shows it.
    pub person: Person,
    /// As what.
    pub role: Role,
    /// Until when what it says is refused.
    pub muted: Until,
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
    /// How one joins it.
    pub join: JoinPolicy,
    /// What the user is in it, and since which place.
    pub standing: MemberRule,
    /// Since which place.
    pub at: u64,
    /// What all its normal members are.
    pub all: MutedAll,
}

/// What a login answer is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Profile {
    /// Friends by id.
    pub friends: Vec<Person>,
    /// Groups by id; every group of the user is here, whatever is left out of its members.
    pub groups: Vec<Membership>,
    /// Users whose direct messages are refused, by id.
    pub blocked: Vec<UserId>,
    /// What it has chosen.
    pub settings: Settings,
    /// Who asks for its friendship, by id; nobody where members of groups are told.
    pub asking: Vec<FriendAsk>,
    /// The user's conversations, newest first, as many as were asked for.
    pub heads: HeadsPage,
    /// The new token, if one was to be issued.
    pub token: Option<Token>,
    /// What the user's last session left for this one, if that was on this server.
    pub dedup: Option<Box<DedupWindow>>,
}
