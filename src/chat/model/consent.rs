//! Consent: who may write to a user, whom it tells what it has read, and friendships that are asked for.

use super::ids::UserId;

/// Whose direct messages a user takes. Those to oneself always come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhoWrites {
    /// Everybody's whom it does not block.
    #[default]
    All,
    /// Those of whoever is on its own list of friends.
    Friends,
    /// Nobody's.
    None,
}

impl WhoWrites {
    /// Its name on the wire and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            WhoWrites::All => "all",
            WhoWrites::Friends => "friends",
            WhoWrites::None => "none",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        [WhoWrites::All, WhoWrites::Friends, WhoWrites::None].into_iter().find(|it| it.name() == name)
    }
}

/// What a user has chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Whose direct messages it takes.
    pub who_writes: WhoWrites,
    /// Whether others are told how far it has read.
    pub read_receipts: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { who_writes: WhoWrites::All, read_receipts: true }
    }
}

/// What a user changes of its settings; nothing, if it asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SettingsChange {
    /// Whose direct messages it takes from now on.
    pub who_writes: Option<WhoWrites>,
    /// Whether others are told from now on how far it has read.
    pub read_receipts: Option<bool>,
}

impl SettingsChange {
    /// What `settings` are after it.
    pub fn applied_to(self, settings: Settings) -> Settings {
        Settings {
            who_writes: self.who_writes.unwrap_or(settings.who_writes),
            read_receipts: self.read_receipts.unwrap_or(settings.read_receipts),
        }
    }
}

/// Settings after a request to change them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SavedSettings {
    /// What they are.
    pub settings: Settings,
    /// Whether the request changed them.
    pub changed: bool,
}

/// A friendship that somebody asks a user for, and that waits for an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FriendAsk {
    /// Who asks.
    pub asker: UserId,
    /// Its name.
    pub name: String,
    /// What it says with it; may be empty.
    pub note: String,
}

/// What is answered to whoever asks for a friendship.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FriendAnswer {
    /// The two are friends from now on.
    Yes,
    /// Nobody asks any more. Whoever asked is not told.
    No,
}

/// Which lists somebody is taken off who is a friend no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parting {
    /// The list of whoever asks for it, as the seed does it.
    OwnList,
    /// The other's list too, if both have each other: the friendship ends.
    BothLists,
}

/// Two users who are friends from now on, as the one who made that so sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewFriend {
    /// The name of the other one.
    pub name: String,
    /// Whether the other one blocks the user.
    pub hides: bool,
    /// Whether the user blocks the other one.
    pub is_hidden: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_is_what_its_name_says() {
        for who in [WhoWrites::All, WhoWrites::Friends, WhoWrites::None] {
            assert_eq!(WhoWrites::named(who.name()), Some(who));
        }
        assert_eq!(WhoWrites::named("ALL"), None);
    }

    #[test]
    fn what_a_change_does_not_name_stays() {
        let before = Settings { who_writes: WhoWrites::Friends, read_receipts: false };
        assert_eq!(SettingsChange::default().applied_to(before), before);
        let change = SettingsChange { who_writes: Some(WhoWrites::None), read_receipts: None };
        let after = Settings { who_writes: WhoWrites::None, read_receipts: false };
        assert_eq!(change.applied_to(before), after);
    }
}
