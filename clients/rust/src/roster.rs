//! Who and what a user knows: friends, groups, and who is in them.

use super::device::Heads;
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
    /// Made it, and may dissolve it.
    Creator,
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
}

impl Group {
    /// A group of which nothing more is known.
    pub fn new(id: GroupId, name: &str, desc: &str) -> Self {
        let (name, desc) = (name.to_owned(), desc.to_owned());
        Self { id, name, desc, members: Vec::new(), size: None, role: None }
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
}

impl Welcome {
    /// A welcome for `id`, who knows nobody yet.
    pub fn new(id: UserId, name: String) -> Self {
        Self { id, name, friends: Vec::new(), groups: Vec::new(), spoken: Spoken::Seed, heads: None }
    }
}
