//! Capabilities: the kinds of pushes that a client of v2 understands beyond what every one does.

use super::change::Wanted;

/// A set of capabilities, as LOGIN, RESUME and REG name them in `caps`. What a client does not name it is never sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Capabilities(u8);

impl Capabilities {
    /// What the user's other sessions send.
    pub const OWN: Self = Self(1);
    /// Read markers.
    pub const READ: Self = Self(2);
    /// That somebody is typing.
    pub const TYPING: Self = Self(4);
    /// Edited and recalled messages, and reactions.
    pub const CHANGED: Self = Self(8);
    /// Events of groups, as rows of their conversations.
    pub const GROUP: Self = Self(16);
    /// Friendships that are asked for, and settings.
    pub const FRIEND: Self = Self(32);

    /// The capability of this name. A name that nobody knows is one of a later version, and adds nothing.
    pub fn named(name: &str) -> Self {
        match name {
            "own" => Self::OWN,
            "read" => Self::READ,
            "typing" => Self::TYPING,
            "changed" => Self::CHANGED,
            "group" => Self::GROUP,
            "friend" => Self::FRIEND,
            _ => Self::default(),
        }
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in it.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Which rows of a conversation a client with these understands.
    pub fn wanted(self) -> Wanted {
        Wanted { changes: self.has(Self::CHANGED), events: self.has(Self::GROUP) }
    }

    /// Whether any capability is in it.
    pub fn any(self) -> bool {
        self.0 != 0
    }
}
