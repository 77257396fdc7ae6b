//! Acts: what the server's API does, in a user's name or in its own.

use super::ids::UserId;

/// Whom the API acts for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Actor {
    /// The user.
    pub user: UserId,
    /// Its name, as messages carry it.
    pub name: Box<str>,
}

/// What the API does that is no request of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// The next request of this acting session is this user's.
    As(Actor),
    /// A user's account is looked at or changed.
    Account(AccountAct),
    /// Everybody is told something.
    Announce(Announcement),
}

/// What everybody is told who is online.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announcement {
    /// What is said.
    pub text: Box<str>,
    /// Its name: 1 to 64 bytes. Said again under the same one, it is the same announcement.
    pub cid: Box<str>,
}

/// How an account is named.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum AccountName {
    /// By its id.
    Id(UserId),
    /// As the application calls it: 1 to 190 bytes.
    External(Box<str>),
    /// By its name: 1 to `name_chars` characters.
    Name(Box<str>),
}

/// What is done with an account.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AccountAct {
    /// Find it.
    Find(AccountName),
    /// Make it, if there is none of that name, and shut it out or let it in again.
    Put {
        /// Which. An id makes nobody.
        who: AccountName,
        /// What a new one is called, where it is named otherwise; one that is there keeps its name.
        name: Option<Box<str>>,
        /// Whether it is shut out: no login, no token. `None` leaves that as it is.
        disabled: Option<bool>,
    },
    /// Give it a token, with which a device comes in by RESUME.
    IssueToken {
        /// The user who gets it.
        user: UserId,
        /// What the device is called.
        device: Option<Box<str>>,
        /// What this act is called: the token that was given under the same name is replaced by this one.
        cid: Option<Box<str>>,
    },
    /// Make all its tokens worthless.
    RevokeTokens(UserId),
    /// Name the groups that a user is in, or the one of this name that it owns.
    Groups {
        /// The user whose groups they are.
        user: UserId,
        /// Which one.
        owned: Option<Box<str>>,
    },
    /// Forget who it was: its name, its password, what the application calls it, its tokens, friends, blocks and what waits
    /// for it. Nobody comes in as it any more. What it said stays with those to whom it was said.
    Erase(UserId),
}

/// An account, as the API is told of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccountRecord {
    /// Its id.
    pub user: UserId,
    /// Its name.
    pub name: String,
    /// What the application calls it, if it is one of an application's.
    pub external: Option<String>,
    /// Whether it is shut out.
    pub disabled: bool,
}
