//! What a client may ask for.

use super::message::Conversation;
use super::secret::Secret;
use crate::chat::ids::{GroupId, UserId};

/// Something that a client wants of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Request {
    /// To be this user from now on.
    Login {
        /// Who.
        user: UserId,
        /// Kept for as long as the user is logged in, for logging in again.
        password: Secret,
    },
    /// To be nobody again; what was asked before is finished first.
    Logout,
    /// A new user.
    Register {
        /// Unique.
        name: String,
        /// To log in with.
        password: Secret,
    },
    /// To say something.
    Say {
        /// Where.
        to: Conversation,
        /// What.
        text: String,
        /// When, as others are to see it: `YYYY-MM-DD HH:MM:SS`.
        time: String,
    },
    /// To have this user among one's friends.
    AddFriend(UserId),
    /// To have this user among one's friends no more.
    DelFriend(UserId),
    /// A new group, with oneself as its creator.
    CreateGroup {
        /// Unique.
        name: String,
        /// May be empty.
        desc: String,
    },
    /// To become a member.
    AddGroup(GroupId),
    /// To be a member no more; of its creator: to dissolve it.
    DelGroup(GroupId),
    /// Who one's friends are, and which of them are online.
    ShowFriends,
}
