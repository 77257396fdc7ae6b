//! Who and what a user knows: friends, groups, and who is in them.

use super::device::Heads;
use super::friend::{Asking, Settings};
use super::group::{Joining, Until};
use chatd_chat::model::ids::{GroupId, UserId};

/// A user, as a friend list or a group tells of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// As typed at registration: not safe to show as it is.
    pub name: String,
    /// Whether the user was online when the server said so.
    pub online: bool,
}

/// What a member is in a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Made it, or was handed it: may do everything, and dissolve it.
    Owner,
    /// Helps the owner. Who asks for [`Cap::Group`](super::Cap::Group) is told; to others an admin looks like everybody.
    Admin,
    /// Joined it.
    Normal,
}

/// A member of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Who.
    pub person: Person,
    /// What the person is in this group.
    pub role: Role,
    /// Until when what the person says is refused. Who asks for [`Cap::Group`](super::Cap::Group) is told.
    pub muted: Until,
}

/// A group that the user is a member of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// Which.
    pub id: GroupId,
    /// As typed by its creator: not safe to show as it is.
    pub name: String,
    /// As typed by its creator: not safe to show as it is.
    pub desc: String,
    /// Who is in it. v2 tells how many only; the seed's dialect leaves members of very large
    /// groups out.
    pub members: Vec<Member>,
    /// How many are in it, where the server says so.
    pub size: Option<u64>,
    /// What the user is in it, where the server says so.
    pub role: Option<Role>,
    /// How it is joined, where the server says so.
    pub join: Option<Joining>,
    /// Until when what the user says in it is refused.
    pub muted: Until,
}

impl Group {
    /// A group of which nothing more is known.
    pub fn new(id: GroupId, name: &str, desc: &str) -> Self {
        let (name, desc) = (name.to_owned(), desc.to_owned());
        Self { id, name, desc, members: Vec::new(), size: None, role: None, join: None, muted: Until::Lifted }
    }
}

/// What the server that lets somebody in speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Spoken {
    /// The original client's dialect, and no more.
    #[default]
    Seed,
    /// The second dialect: there is a history, and everybody can be found by name.
    V2,
}

/// What the server says to whoever logs in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Welcome {
    /// Who is logged in now.
    pub id: UserId,
    /// The user's name.
    pub name: String,
    /// The user's friends.
    pub friends: Vec<Person>,
    /// The user's groups.
    pub groups: Vec<Group>,
    /// What the server speaks.
    pub spoken: Spoken,
    /// Where the user's conversations stand, for a device that lives beside others.
    pub heads: Option<Heads>,
    /// Who wants to be the user's friend.
    pub asking: Vec<Asking>,
    /// What the user lets others do, where the server says so.
    pub settings: Option<Settings>,
}

impl Welcome {
    /// A welcome for `id`, who knows nobody yet.
    pub fn new(id: UserId, name: String) -> Self {
        let (friends, groups, asking) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, name, friends, groups, spoken: Spoken::Seed, heads: None, asking, settings: None }
    }
}
