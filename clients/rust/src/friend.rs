//! Friendships that are asked for, and what a user lets others do.

use chatd_chat::model::ids::UserId;

/// Somebody who wants to be the user's friend.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asking {
    /// Who.
    pub id: UserId,
    /// The name of the registration; not safe to show as it is.
    pub name: String,
    /// What that user says to it, possibly nothing; not safe to show as it is.
    pub note: String,
}

/// What a word of a friendship is.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum FriendChange {
    /// The other one wants to be a friend, and says this to it; not safe to show as it is.
    Asks(String),
    /// The two are friends now.
    Accepted,
    /// The other one has ended it.
    Gone,
    /// Another device of the user did this.
    Own(OwnDeed),
    /// Something that this program is too old to know.
    Other(String),
}

/// What another device of the user did to somebody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OwnDeed {
    /// Put on the list of friends.
    Added,
    /// Taken off it.
    Gone,
    /// Blocked.
    Blocked,
    /// Not blocked any more.
    Unblocked,
    /// Asked for friendship.
    Asked,
    /// Refused, or not asked any more.
    Refused,
}

/// A word of a friendship.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FriendEvent {
    /// With whom.
    pub id: UserId,
    /// The name of the registration, where the server says it; not safe to show as it is.
    pub name: Option<String>,
    /// What.
    pub what: FriendChange,
}

impl FriendEvent {
    /// A word of a friendship with this user.
    pub fn new(id: UserId, name: Option<&str>, what: FriendChange) -> Self {
        Self { id, name: name.map(str::to_owned), what }
    }
}

/// Who may say something to a user.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhoWrites {
    /// Everybody who is not blocked.
    All,
    /// Friends.
    Friends,
    /// Nobody.
    None,
}

/// What a user lets others do, or what of it is to be changed: nothing stays as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// Who may say something to the user.
    pub who_writes: Option<WhoWrites>,
    /// Whether others are told how far the user has read.
    pub read_receipts: Option<bool>,
}
